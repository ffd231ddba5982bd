//! The parts of a TCP header that the helper has to know.

/// TCP flags, as they stand in the fourteenth byte of the header.
pub mod flag {
    /// FIN.
    pub const FIN: u8 = 1;
    /// SYN.
    pub const SYN: u8 = 2;
    /// RST.
    pub const RST: u8 = 4;
    /// PSH.
    pub const PSH: u8 = 8;
    /// ACK.
    pub const ACK: u8 = 16;
    /// URG.
    pub const URG: u8 = 32;
    /// ECE and CWR, which a router may change.
    pub const ECN: u8 = 0xc0;
}

/// Kinds of TCP options (RFC 9293 section 3.2, RFC 2018, RFC 7323).
pub mod option {
    /// End of the list.
    pub const END: u8 = 0;
    /// Padding.
    pub const NOP: u8 = 1;
    /// Maximum segment size; its length is 4.
    pub const MSS: u8 = 2;
    /// SACK blocks; its length is 2 + 8 n.
    pub const SACK: u8 = 5;
    /// Timestamps; its length is 10.
    pub const TIMESTAMP: u8 = 8;
    /// MD5 signature (RFC 2385): nothing may be edited.
    pub const MD5: u8 = 19;
    /// TCP-AO (RFC 5925): nothing may be edited.
    pub const AO: u8 = 29;
}

/// Bytes of a TCP header without options.
pub const HEADER_LEN: usize = 20;
/// Bytes of options at most.
pub const OPTIONS_MAX: usize = 40;

/// How much smaller the announced MSS of a control connection is made: a whole
/// held text ([`crate::line::text::TEXT_MAX`]) is added to the next segment.
pub const MSS_CLAMP: u16 = 64;
/// The MSS isn't made smaller than this; Linux accepts no less than 48.
pub const MSS_FLOOR: u16 = 88;

/// The MSS to announce instead of `mss`.
#[inline(always)]
pub const fn clamped_mss(mss: u16) -> u16 {
    if mss <= MSS_FLOOR {
        mss
    } else if mss - MSS_FLOOR < MSS_CLAMP {
        MSS_FLOOR
    } else {
        mss - MSS_CLAMP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mss_leaves_room_for_a_held_text() {
        assert_eq!(clamped_mss(1460), 1396);
        assert_eq!(clamped_mss(536), 472);
        assert_eq!(clamped_mss(100), 88);
        assert_eq!(clamped_mss(48), 48);
        assert_eq!(clamped_mss(0), 0);
    }
}
