//! TCP sequence numbers (RFC 9293 section 3.4).

/// A position in a TCP stream, modulo 2^32, in host byte order.
///
/// Order is by signed difference, so it is meaningful only between positions
/// less than 2^31 apart; this is why `Ord` isn't implemented.
#[repr(transparent)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Hash)]
pub struct Seq(pub u32);

impl Seq {
    /// Signed distance from `other` to `self`.
    #[inline(always)]
    pub const fn since(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }

    /// `self` moved on by `n` positions.
    #[inline(always)]
    #[must_use]
    pub const fn plus(self, n: u32) -> Self {
        Self(self.0.wrapping_add(n))
    }

    /// `self` moved back by `n` positions.
    #[inline(always)]
    #[must_use]
    pub const fn minus(self, n: u32) -> Self {
        Self(self.0.wrapping_sub(n))
    }

    /// Whether `self` comes before `other`.
    #[inline(always)]
    pub const fn before(self, other: Self) -> bool {
        self.since(other) < 0
    }

    /// Whether `self` comes after `other`.
    #[inline(always)]
    pub const fn after(self, other: Self) -> bool {
        self.since(other) > 0
    }

    /// The later one of two positions.
    #[inline(always)]
    #[must_use]
    pub const fn max(self, other: Self) -> Self {
        if self.before(other) { other } else { self }
    }

    /// The earlier one of two positions.
    #[inline(always)]
    #[must_use]
    pub const fn min(self, other: Self) -> Self {
        if other.before(self) { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_survives_the_wrap() {
        let (a, b) = (Seq(u32::MAX - 1), Seq(3));
        assert!(a.before(b) && b.after(a));
        assert_eq!(b.since(a), 5);
        assert_eq!(a.plus(5), b);
        assert_eq!(b.minus(5), a);
        assert_eq!((a.max(b), a.min(b)), (b, a));
    }
}
