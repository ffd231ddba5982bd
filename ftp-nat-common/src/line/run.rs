//! Bytes that only go on with what the line is in. Most bytes of an announcement
//! are such, and nothing else has to be looked at to take one.

use super::{Line, state, text::PREFIX_MAX};

/// Whether a line in this state is in a verb, in free text or in numbers.
#[inline(always)]
pub(super) const fn is_run(at: u8) -> bool {
    matches!(
        at,
        state::CLIENT_VERB | state::CLIENT_PORT | state::SERVER_PASV | state::SERVER_PASV_TEXT
    )
}

impl Line {
    /// Takes a byte as [`feed`](Self::feed) does, if the line is [`in_run`](Self::in_run)
    /// and stays in it: then it is held if others are, and else passed on. `false`:
    /// it wasn't taken, and nothing has changed.
    #[inline(always)]
    pub fn goes_on(&mut self, byte: u8) -> bool {
        match self.state {
            state::CLIENT_VERB => self.verb_goes_on(byte),
            state::CLIENT_PORT | state::SERVER_PASV => self.numbers_go_on(byte),
            state::SERVER_PASV_TEXT => {
                let free = matches!(byte, b' '..=b'~') && !byte.is_ascii_digit();
                let taken = free && self.prefix < PREFIX_MAX;
                self.prefix += u8::from(taken);
                taken
            }
            _ => false,
        }
    }

    /// Up to four characters matter.
    #[inline(always)]
    fn verb_goes_on(&mut self, byte: u8) -> bool {
        if !byte.is_ascii_alphanumeric() || self.count >= 4 {
            return false;
        }
        self.count += 1;
        self.verb = (self.verb << 8) | u32::from(byte.to_ascii_uppercase());
        true
    }

    /// Six numbers up to 255, of up to three digits.
    #[inline(always)]
    fn numbers_go_on(&mut self, byte: u8) -> bool {
        if byte.is_ascii_digit() {
            let value = self.value * 10 + u16::from(byte - b'0');
            if self.count >= 3 || value > 255 {
                return false;
            }
            self.value = value;
            self.count += 1;
            return true;
        }
        if byte != b',' || self.count == 0 || self.field >= 5 {
            return false;
        }
        self.parts[usize::from(self.field & 7)] = self.value;
        self.field += 1;
        self.count = 0;
        self.value = 0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        line::{Step, telnet},
        session::{CLIENT, SERVER},
    };

    /// In whatever state a line is: a byte that goes on is taken as by `feed`.
    #[test]
    fn what_goes_on_is_as_fed() {
        let lines: [(usize, &[u8]); 9] = [
            (CLIENT, b"PORT 10,10,0,1,30,4\r\n"),
            (CLIENT, b"port  010,256,1,1,1,1\r\n"),
            (CLIENT, b"PORT 1,2,3,4,5,6,7\r\n"),
            (CLIENT, b"PORT 1,,2,1000,\xff\xf1\r\n"),
            (CLIENT, b"EPRT |1|10.10.0.1|7684|\r\nNOOP\r\n"),
            (CLIENT, b"PROTOCOLS are long\r\nX\r\nXY1\r\n"),
            (SERVER, b"227 Entering Passive Mode (10,10,0,1,30,4).\r\n"),
            (
                SERVER,
                b"227 a text that is too long to be held, (1,2,3,4,5,6)\r\n",
            ),
            (SERVER, b"227 =1,2,3,4,5,999\r\n229 Ok (|||7684|)\r\n"),
        ];
        let mut taken = 0;
        for (role, text) in lines {
            let mut line = Line::mid_stream_at_start();
            if role == SERVER {
                line.greeted = 1;
            }
            for (n, byte) in text.iter().enumerate() {
                // What comes next, and what might come in its place.
                for byte in (0..=255).chain([*byte]) {
                    let (mut fed, mut gone_on) = (line, line);
                    let result = fed.feed(role, byte);
                    let may = line.in_run();
                    if !may || !gone_on.goes_on(byte) {
                        assert_eq!(gone_on, line, "{n} of {text:?}, {byte}: it has changed");
                        continue;
                    }
                    assert_eq!(gone_on, fed, "{n} of {text:?}, {byte}");
                    let expected = if line.holding() {
                        Step::Hold
                    } else {
                        Step::Plain
                    };
                    assert_eq!(result.step, expected);
                    assert!(!result.ended && !result.telnet);
                    taken += 1;
                }
                line.feed(role, *byte);
                if *byte == b'\n' {
                    line.next();
                }
            }
        }
        assert!(taken > 1_000, "{taken}");
    }

    #[test]
    fn a_telnet_sequence_is_no_run() {
        let mut line = Line::mid_stream_at_start();
        for byte in b"PORT 10" {
            line.feed(CLIENT, *byte);
        }
        assert!(line.in_run());
        line.feed(CLIENT, 255);
        assert!(!line.in_run() && line.telnet != telnet::DATA);
    }
}
