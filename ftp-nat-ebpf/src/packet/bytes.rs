//! Reading and writing packet bytes.

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::{bpf_skb_load_bytes, bpf_skb_pull_data, bpf_skb_store_bytes},
};

/// Reads a header that may lie outside of the linear part.
#[inline(always)]
pub fn load<T>(skb: *mut __sk_buff, at: u32) -> Option<T> {
    let mut value = core::mem::MaybeUninit::<T>::uninit();
    // SAFETY: the helper writes `size_of::<T>()` bytes or fails; the types read
    // here are plain numbers.
    unsafe {
        let failed = bpf_skb_load_bytes(
            skb.cast(),
            at,
            value.as_mut_ptr().cast(),
            size_of::<T>() as u32,
        );
        if failed != 0 {
            None
        } else {
            Some(value.assume_init())
        }
    }
}

/// Bytes of headers in the packet's linear part, where they can be read at once.
/// The kernel fetches them where they lie outside of it.
#[inline(always)]
pub(super) fn linear<T>(skb: *mut __sk_buff, at: u32) -> Option<*const T> {
    if let Some(header) = peek(skb, at) {
        return Some(header);
    }
    let end = at + size_of::<T>() as u32;
    // SAFETY: a helper call with numbers only.
    if unsafe { bpf_skb_pull_data(skb.cast(), end) } != 0 {
        return None;
    }
    peek(skb, at)
}

#[inline(always)]
fn peek<T>(skb: *mut __sk_buff, at: u32) -> Option<*const T> {
    // SAFETY: the context is valid for the whole run.
    let (data, end) = unsafe { ((*skb).data as usize, (*skb).data_end as usize) };
    let start = data + at as usize;
    if start + size_of::<T>() > end {
        return None;
    }
    Some(start as *const T)
}

/// Writes packet bytes; checksums are the caller's business.
#[inline(always)]
pub fn store<T>(skb: *mut __sk_buff, at: u32, value: &T) -> bool {
    // SAFETY: the helper reads `size_of::<T>()` bytes of a live value.
    unsafe {
        bpf_skb_store_bytes(
            skb.cast(),
            at,
            (&raw const *value).cast(),
            size_of::<T>() as u32,
            0,
        ) == 0
    }
}

/// Writes the first `len` bytes of a value likewise.
#[inline(always)]
pub fn store_part<T>(skb: *mut __sk_buff, at: u32, value: &T, len: u32) -> bool {
    // SAFETY: the helper reads no more than there is of a live value.
    unsafe { bpf_skb_store_bytes(skb.cast(), at, (&raw const *value).cast(), len, 0) == 0 }
}

/// `len`, cut to a bound that the verifier can see: the compiler must not know
/// that the mask changes nothing, or it would take it away.
#[inline(always)]
pub fn bounded(len: u32, mask: u32) -> u32 {
    core::hint::black_box(len) & mask
}

/// `len`, from 1 to `mask + 1`, cut to that range so that the verifier can see
/// it. Helpers refuse a size that could be 0, and before Linux 6.8 the verifier
/// doesn't learn from a comparison with 0 that it isn't.
#[inline(always)]
pub fn bounded_from_one(len: u32, mask: u32) -> u32 {
    bounded(len.wrapping_sub(1), mask) + 1
}
