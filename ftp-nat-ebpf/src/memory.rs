//! Copying and clearing memory. What the compiler makes of an assignment of something large
//! copies byte by byte, and the verifier goes with it.

/// Copies a value word by word.
///
/// # Safety
/// Both point to live memory of which nobody else writes, at addresses that are
/// multiples of eight.
#[inline(always)]
pub unsafe fn copy<T>(to: *mut T, from: *const T) {
    const { assert!(size_of::<T>() % 8 == 0) };
    // SAFETY: as the caller promises.
    unsafe { words(to.cast(), from.cast(), (size_of::<T>() / 8) as u64) };
}

#[inline(never)]
unsafe fn words(to: *mut u64, from: *const u64, count: u64) {
    let mut n = 0;
    while n < count {
        // Volatile, or the compiler sees what this is, and calls its own.
        // SAFETY: as `copy`'s caller promises.
        unsafe {
            let at = n as usize;
            to.add(at).write_volatile(from.add(at).read_volatile());
        }
        n += 1;
    }
}

/// The same, for what is a multiple of four bytes and lies at one.
///
/// # Safety
/// As for [`copy`].
#[inline(always)]
pub unsafe fn copy_by_fours<T>(to: *mut T, from: *const T) {
    const { assert!(size_of::<T>() % 4 == 0) };
    let mut n = 0;
    while n < size_of::<T>() / 4 {
        // SAFETY: as the caller promises.
        unsafe {
            let word = from.cast::<u32>().add(n).read_volatile();
            to.cast::<u32>().add(n).write_volatile(word);
        }
        n += 1;
    }
}

/// Copies a small value word by word, at once, whatever another CPU does to the
/// original: it is read only once.
///
/// # Safety
/// As for [`copy`], but others may write to what is copied.
#[inline(always)]
pub unsafe fn take<T>(to: *mut T, from: *const T) {
    const { assert!(size_of::<T>() % 8 == 0 && size_of::<T>() <= 64) };
    let mut n = 0;
    while n < size_of::<T>() / 8 {
        // SAFETY: as the caller promises.
        unsafe {
            let word = from.cast::<u64>().add(n).read_volatile();
            to.cast::<u64>().add(n).write_volatile(word);
        }
        n += 1;
    }
}

/// Makes a value all zero.
///
/// # Safety
/// As for [`copy`]; all bits zero are a value.
#[inline(always)]
pub unsafe fn clear<T>(value: *mut T) {
    const { assert!(size_of::<T>() % 8 == 0) };
    let mut n = 0;
    while n < size_of::<T>() / 8 {
        // SAFETY: as the caller promises.
        unsafe { value.cast::<u64>().add(n).write_volatile(0) };
        n += 1;
    }
}
