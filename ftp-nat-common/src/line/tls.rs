//! TLS in a control connection (RFC 4217): nothing of it can be read, but its
//! records have a length each, so that the parser knows where the text begins
//! again after CCC (RFC 2228) or REIN.

use super::{Line, state};
use crate::session::CLIENT;

/// No TLS.
pub const OFF: u8 = 0;
/// TLS was agreed on; the next byte begins the first record.
const FIRST: u8 = 1;
/// Behind a record.
const BOUNDARY: u8 = 2;
/// In a record's header: its version, and its length.
const MAJOR: u8 = 3;
const MINOR: u8 = 4;
const LENGTH_HIGH: u8 = 5;
const LENGTH_LOW: u8 = 6;
/// In a record's body.
const BODY: u8 = 7;
/// Not to be followed any more: opaque to the end.
const LOST: u8 = 8;

impl Line {
    /// TLS begins with the next byte.
    #[inline(always)]
    pub const fn enter_tls(&mut self) {
        self.tls = FIRST;
    }

    /// Whether the stream is, or was last seen, in TLS.
    #[inline(always)]
    pub const fn in_tls(&self) -> bool {
        self.tls != OFF
    }

    /// Bytes of the stream were not seen.
    #[inline(always)]
    pub(super) const fn lose_tls(&mut self) {
        if self.tls != OFF {
            self.tls = LOST;
        }
    }

    /// Takes a byte of a stream in TLS. `true`: it is none of TLS, but the first
    /// one of a line.
    #[inline(never)]
    pub fn leaves_tls(&mut self, role: usize, byte: u8) -> bool {
        // change_cipher_spec to heartbeat (RFC 8446 section 5.1, RFC 6520).
        let record = matches!(byte, 20..=24);
        let text = if role == CLIENT {
            byte.is_ascii_alphabetic()
        } else {
            byte.is_ascii_digit()
        };
        match self.tls {
            FIRST | BOUNDARY if record => self.tls = MAJOR,
            BOUNDARY if text => {
                self.tls = OFF;
                self.state = state::START;
                self.next();
                self.multi = 0;
                return true;
            }
            MAJOR if byte == 3 => self.tls = MINOR,
            MINOR => self.tls = LENGTH_HIGH,
            LENGTH_HIGH => {
                self.tls_left = u16::from(byte) << 8;
                self.tls = LENGTH_LOW;
            }
            LENGTH_LOW => {
                self.tls_left |= u16::from(byte);
                self.tls = if self.tls_left == 0 { BOUNDARY } else { BODY };
            }
            BODY => {
                self.tls_left -= 1;
                if self.tls_left == 0 {
                    self.tls = BOUNDARY;
                }
            }
            _ => self.tls = LOST,
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SERVER;
    use std::vec::Vec;

    fn text_begins_at(role: usize, stream: &[u8]) -> Option<usize> {
        let mut line = Line::default();
        line.enter_tls();
        stream.iter().position(|b| line.leaves_tls(role, *b))
    }

    #[test]
    fn the_text_behind_the_last_record_is_found() {
        // A handshake record of five bytes that look like a command, an alert.
        let stream = b"\x16\x03\x01\x00\x05PORT \x15\x03\x03\x00\x02\x01\x00PORT 1";
        assert_eq!(text_begins_at(CLIENT, stream), Some(17));
        assert_eq!(
            text_begins_at(SERVER, stream),
            None,
            "no server's line begins with a letter"
        );
        assert_eq!(
            text_begins_at(SERVER, b"\x17\x03\x03\x00\x01x200 ok"),
            Some(6)
        );
    }

    #[test]
    fn what_is_no_tls_stays_opaque() {
        assert_eq!(
            text_begins_at(CLIENT, b"ADAT abc\r\nPORT 1"),
            None,
            "not TLS but GSSAPI"
        );
        assert_eq!(
            text_begins_at(CLIENT, b"\x16\x04\x01\x00\x00PORT 1"),
            None,
            "no such version"
        );
        assert_eq!(
            text_begins_at(CLIENT, b"\x16\x03\x01\x00\x00\r\nPORT 1"),
            None
        );
    }

    #[test]
    fn a_record_is_as_long_as_both_bytes_say() {
        for len in [1, 255, 256, 257, 0x0302] {
            let mut stream = Vec::from([23, 3, 3, (len >> 8) as u8, len as u8]);
            stream.resize(5 + len, b'x');
            stream.extend(b"NOOP");
            assert_eq!(text_begins_at(CLIENT, &stream), Some(5 + len), "{len}");
        }
    }

    #[test]
    fn there_are_five_types_of_records() {
        for kind in 0..=255 {
            let first = [kind, 3, 3, 0, 0, b'N'];
            let later = [22, 3, 3, 0, 0, kind, 3, 3, 0, 1, b'x', b'N'];
            let known = matches!(kind, 20..=24);
            assert_eq!(text_begins_at(CLIENT, &first), known.then_some(5), "{kind}");
            let expected = if kind.is_ascii_alphabetic() {
                Some(5)
            } else {
                known.then_some(11)
            };
            assert_eq!(text_begins_at(CLIENT, &later), expected, "{kind}");
        }
    }

    #[test]
    fn behind_a_gap_no_record_is_followed() {
        for seen in [
            &b""[..],
            b"\x16",
            b"\x16\x03\x03\x00",
            b"\x16\x03\x03\x00\x00",
        ] {
            let mut line = Line::default();
            line.enter_tls();
            for b in seen {
                assert!(!line.leaves_tls(CLIENT, *b));
            }
            line.lost();
            assert!(line.in_tls());
            for b in b"\x16\x03\x03\x00\x00NOOP\r\nNOOP\r\n" {
                assert!(!line.leaves_tls(CLIENT, *b), "{seen:?}");
            }
        }
        let mut line = Line::default();
        line.lost();
        assert!(!line.in_tls());
    }

    /// Of the line that TLS began in nothing is left.
    #[test]
    fn the_text_behind_tls_begins_anew() {
        for (role, before, text) in [
            (CLIENT, &b"NOO"[..], &b"PORT 10,10,0,1,30,4\r"[..]),
            (CLIENT, b"EPRT |2|1:", b"PORT 10,10,0,1,30,4\r"),
            (SERVER, b"22", b"227 (10,10,0,1,30,4)"),
            (SERVER, b"220-Hi\r\n", b"227 (10,10,0,1,30,4)"),
        ] {
            let mut line = Line::default();
            for b in before {
                line.feed(role, *b);
            }
            line.enter_tls();
            for b in b"\x16\x03\x03\x00\x00" {
                assert!(!line.leaves_tls(role, *b));
            }
            assert!(line.leaves_tls(role, text[0]) && line.at_start());
            let released = text.iter().map(|b| line.feed(role, *b).step).last();
            assert_eq!(released, Some(super::super::Step::Release), "{before:?}");
        }
    }
}
