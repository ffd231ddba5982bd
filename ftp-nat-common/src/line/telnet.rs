//! Telnet sequences in a control connection (RFC 854; RFC 959 section 4.1.3
//! and RFC 1123 section 4.1.2.12 allow them anywhere).
//!
//! They are stepped over as a server steps over them, so that they can neither
//! hide a command nor fake one.

/// Ordinary data.
pub const DATA: u8 = 0;
/// After IAC.
const COMMAND: u8 = 1;
/// After IAC WILL/WONT/DO/DONT: one option byte follows.
const OPTION: u8 = 2;
/// Between IAC SB and IAC SE.
const SUBNEGOTIATION: u8 = 3;
/// After an IAC between IAC SB and IAC SE.
const SUBNEGOTIATION_COMMAND: u8 = 4;

const IAC: u8 = 255;
const WILL: u8 = 251;
const SB: u8 = 250;
const SE: u8 = 240;

/// What a byte is after Telnet sequences were taken out.
pub enum Stripped {
    /// A byte of the line.
    Data(u8),
    /// A byte of a Telnet sequence.
    Sequence,
    /// The second byte of IAC IAC: the data byte 255.
    Escaped,
}

/// Steps over Telnet sequences; `at` is where in a sequence the stream is.
#[inline(always)]
pub fn strip(at: &mut u8, byte: u8) -> Stripped {
    match *at {
        DATA if byte == IAC => {
            *at = COMMAND;
            Stripped::Sequence
        }
        DATA => Stripped::Data(byte),
        COMMAND => {
            *at = match byte {
                WILL..=254 => OPTION,
                SB => SUBNEGOTIATION,
                _ => DATA,
            };
            match byte {
                IAC => Stripped::Escaped,
                SE..=254 => Stripped::Sequence,
                // No Telnet command: a bare 255 in text of some 8-bit set.
                // The byte after it must not be lost, it may end the line.
                _ => Stripped::Data(byte),
            }
        }
        OPTION => {
            *at = DATA;
            Stripped::Sequence
        }
        SUBNEGOTIATION => {
            if byte == IAC {
                *at = SUBNEGOTIATION_COMMAND;
            }
            Stripped::Sequence
        }
        _ => {
            *at = if byte == SE { DATA } else { SUBNEGOTIATION };
            Stripped::Sequence
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// What a server reads of a stream.
    fn read(stream: &[u8]) -> Vec<u8> {
        let mut at = DATA;
        let data = |byte: &u8| match strip(&mut at, *byte) {
            Stripped::Data(byte) => Some(byte),
            Stripped::Escaped => Some(255),
            Stripped::Sequence => None,
        };
        stream.iter().filter_map(data).collect()
    }

    #[test]
    fn each_sequence_ends_where_it_ends() {
        for command in SE..=250 {
            // A subnegotiation begins with 250 and goes on.
            let rest: &[u8] = if command == SB { b"" } else { b"b" };
            assert_eq!(read(&[b'a', IAC, command, b'b']), [b"a", rest].concat());
        }
        for command in WILL..=254 {
            assert_eq!(read(&[b'a', IAC, command, b'\n', b'b']), b"ab", "{command}");
        }
        let inner = [b'a', IAC, SB, 1, IAC, IAC, 2, IAC, 241, 3, IAC, SE, b'b'];
        assert_eq!(read(&inner), b"ab", "only IAC SE ends a subnegotiation");
        assert_eq!(read(&[b'a', IAC, IAC, b'b']), b"a\xffb");
        assert_eq!(
            read(&[b'a', IAC, b'\n', b'b']),
            b"a\nb",
            "no command at all"
        );
    }
}
