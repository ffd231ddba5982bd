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

/// How often a lock is looked at: about a millisecond. What another CPU does
/// meanwhile takes 50 microseconds at most, unless its guest was descheduled;
/// and who is turned away loses a packet, which TCP sends again only after
/// 200 milliseconds.
const LOOKS: u32 = 1 << 17;

struct Waiting {
    lock: *mut u32,
    taken: bool,
}

/// Takes a lock, if it can be had within [`LOOKS`].
///
/// # Safety
/// `lock` points to a live map value.
#[inline(always)]
pub unsafe fn lock(lock: *mut u32) -> bool {
    // SAFETY: as the caller promises.
    unsafe { try_lock(lock) || wait(lock) }
}

/// # Safety
/// `lock` points to a live map value.
#[inline(always)]
unsafe fn try_lock(lock: *mut u32) -> bool {
    // SAFETY: as the caller promises.
    unsafe { atomic_cxchg::<u32, SEQ_CST, SEQ_CST>(lock, 0, 1).1 }
}

/// # Safety
/// `lock` points to a live map value.
#[inline(never)]
unsafe fn wait(lock: *mut u32) -> bool {
    let mut waiting = Waiting { lock, taken: false };
    let context: *mut Waiting = &raw mut waiting;
    // SAFETY: the callback gets the pointer given here.
    unsafe { bpf_loop(LOOKS, look as *mut c_void, context.cast(), 0) };
    waiting.taken
}

/// Looks once, and writes only where the lock is free: the CPU that holds it
/// isn't to lose its cache line to those who wait. A `bpf_loop` callback: 1 ends
/// the loop.
extern "C" fn look(_index: u32, waiting: *mut c_void) -> i64 {
    // SAFETY: the pointer that `wait` gave.
    let waiting = unsafe { &mut *waiting.cast::<Waiting>() };
    // SAFETY: as its caller promised.
    waiting.taken = unsafe { waiting.lock.read_volatile() == 0 && try_lock(waiting.lock) };
    i64::from(waiting.taken)
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
