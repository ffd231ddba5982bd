//! Atomic operations. `core::sync::atomic` has no read-modify-write operations
//! on this target; the intrinsics behind it do.

use core::{
    ffi::c_void,
    intrinsics::{AtomicOrdering, atomic_and, atomic_cxchg, atomic_or, atomic_xadd, atomic_xchg},
};

use aya_ebpf::helpers::bpf_loop;

const RELAXED: AtomicOrdering = AtomicOrdering::Relaxed;
const SEQ_CST: AtomicOrdering = AtomicOrdering::SeqCst;

/// Sets bits.
///
/// # Safety
/// `word` points to a live map value.
#[inline(always)]
pub unsafe fn or(word: *mut u64, bits: u64) {
    // SAFETY: as the caller promises.
    unsafe { atomic_or::<u64, u64, RELAXED>(word, bits) };
}

/// Sets bits.
///
/// # Safety
/// `word` points to a live map value.
#[inline(always)]
pub unsafe fn or32(word: *mut u32, bits: u32) {
    // SAFETY: as the caller promises.
    unsafe { atomic_or::<u32, u32, RELAXED>(word, bits) };
}

/// Keeps the given bits, and clears the others.
///
/// # Safety
/// `word` points to a live map value.
#[inline(always)]
pub unsafe fn and32(word: *mut u32, bits: u32) {
    // SAFETY: as the caller promises.
    unsafe { atomic_and::<u32, u32, RELAXED>(word, bits) };
}

/// Adds.
///
/// # Safety
/// `word` points to a live map value.
#[inline(always)]
pub unsafe fn add(word: *mut u64, n: u64) {
    // SAFETY: as the caller promises.
    unsafe { atomic_xadd::<u64, u64, RELAXED>(word, n) };
}

/// How often a lock is tried: about 3 microseconds. What another CPU does
/// meanwhile takes less, unless its guest was descheduled.
const TRIES: u32 = 128;

/// Takes a lock if it can be had soon.
///
/// # Safety
/// `lock` points to a live map value.
#[inline(always)]
pub unsafe fn try_lock(lock: *mut u32) -> bool {
    let mut n = 0;
    while n < TRIES {
        // SAFETY: as the caller promises.
        let (_, taken) = unsafe { atomic_cxchg::<u32, SEQ_CST, SEQ_CST>(lock, 0, 1) };
        if taken {
            return true;
        }
        n += 1;
    }
    false
}

/// How often a lock is tried for a packet that nobody will send again: about a
/// millisecond.
const PATIENT_TRIES: u32 = 1 << 15;

struct Waiting {
    lock: *mut u32,
    taken: bool,
}

/// Takes a lock, and waits longer for it.
///
/// # Safety
/// `lock` points to a live map value.
#[inline(never)]
pub unsafe fn try_lock_patiently(lock: *mut u32) -> bool {
    let mut waiting = Waiting { lock, taken: false };
    let context: *mut Waiting = &raw mut waiting;
    // SAFETY: the callback gets the pointer given here.
    unsafe { bpf_loop(PATIENT_TRIES, attempt as *mut c_void, context.cast(), 0) };
    waiting.taken
}

/// One try. A `bpf_loop` callback: 1 ends the loop.
extern "C" fn attempt(_index: u32, waiting: *mut c_void) -> i64 {
    // SAFETY: the pointer that `try_lock_patiently` gave.
    let waiting = unsafe { &mut *waiting.cast::<Waiting>() };
    // SAFETY: as its caller promised.
    let (_, taken) = unsafe { atomic_cxchg::<u32, SEQ_CST, SEQ_CST>(waiting.lock, 0, 1) };
    waiting.taken = taken;
    i64::from(taken)
}

/// Gives a lock back. A function of its own: the compiler keeps its 0 on the
/// caller's stack, which is short.
///
/// # Safety
/// `lock` points to a live map value, and the caller holds it.
#[inline(never)]
pub unsafe fn unlock(lock: *mut u32) {
    // SAFETY: as the caller promises.
    unsafe { atomic_xchg::<u32, SEQ_CST>(lock, 0) };
}

/// Adds, and gives what it was before.
///
/// # Safety
/// `word` points to a live map value.
#[inline(always)]
pub unsafe fn add_i32(word: *mut i32, n: i32) -> i32 {
    // SAFETY: as the caller promises.
    unsafe { atomic_xadd::<i32, i32, SEQ_CST>(word, n) }
}
