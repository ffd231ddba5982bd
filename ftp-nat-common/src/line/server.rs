//! The grammar of a server's lines: replies (RFC 959 section 4.2).

use super::{
    FLAG_ANNOUNCED, FLAG_FINAL, FLAG_ODD, Fed, Line, address::Read, state, text::PREFIX_MAX,
};

impl Line {
    #[inline(always)]
    pub(super) fn server(&mut self, b: u8) -> Fed {
        let ended = b == b'\n';
        let fed = match self.state {
            state::START | state::SERVER_CODE => self.server_code(b),
            state::SERVER_PASV_START | state::SERVER_PASV_TEXT | state::SERVER_PASV_SCAN => {
                self.pasv_text(b)
            }
            state::SERVER_PASV => self.pasv(b),
            // A run of numbers that is no address must not be entered in its middle.
            state::SERVER_PASV_RUN => {
                if !b.is_ascii_digit() && b != b',' {
                    self.state = state::SERVER_PASV_SCAN;
                }
                Fed::PLAIN
            }
            state::SERVER_EPSV_SCAN => self.epsv_scan(b),
            state::SERVER_EPSV => self.epsv(b),
            _ => Fed::PLAIN,
        };
        fed.ending(ended)
    }

    /// Three digits and a blank or a hyphen; only the last line of a reply
    /// carries its meaning (RFC 959 section 4.2, multi-line replies).
    #[inline(always)]
    fn server_code(&mut self, b: u8) -> Fed {
        self.state = state::SERVER_CODE;
        if self.count < 3 {
            if b.is_ascii_digit() {
                self.code = self.code * 10 + u16::from(b - b'0');
                self.count += 1;
            } else {
                if self.multi == 0 && !matches!(b, b'\r' | b'\n') {
                    self.flags |= FLAG_ODD;
                }
                self.state = state::SKIP;
            }
            return Fed::PLAIN;
        }
        self.state = state::SKIP;
        let last = matches!(b, b' ' | b'\t' | b'\r' | b'\n');
        if self.multi != 0 {
            if !last || self.code != self.multi {
                return Fed::PLAIN;
            }
            self.multi = 0;
        } else if b == b'-' {
            self.multi = self.code;
            return Fed::PLAIN;
        } else if !last {
            self.flags |= FLAG_ODD;
            return Fed::PLAIN;
        }
        self.flags |= FLAG_FINAL;
        if self.code == 227 {
            self.state = state::SERVER_PASV_START;
        } else if self.code == 229 {
            self.state = state::SERVER_EPSV_SCAN;
            self.gap = 0;
            self.delimiter = 0;
        }
        Fed::PLAIN
    }

    /// What stands before the numbers. It is held from its first byte on, so
    /// that it can make up for the difference in the address's length, as long
    /// as it is short and of characters that can be left out one by one.
    #[inline(always)]
    fn pasv_text(&mut self, b: u8) -> Fed {
        if b.is_ascii_digit() {
            self.state = state::SERVER_PASV;
            self.begin_numbers();
            self.octet(b, b',', 5);
            return Fed::HOLD;
        }
        let printable = matches!(b, b' '..=b'~');
        if self.state == state::SERVER_PASV_SCAN || !printable || self.prefix >= PREFIX_MAX {
            return self.leave_text();
        }
        self.state = state::SERVER_PASV_TEXT;
        self.prefix += 1;
        Fed::HOLD
    }

    /// From here on only the address is held.
    #[inline(always)]
    pub(super) const fn leave_text(&mut self) -> Fed {
        let held = self.prefix > 0;
        self.prefix = 0;
        self.state = state::SERVER_PASV_SCAN;
        if held { Fed::ABANDON } else { Fed::PLAIN }
    }

    #[inline(always)]
    fn pasv(&mut self, b: u8) -> Fed {
        match self.octet(b, b',', 5) {
            Read::Part => Fed::HOLD,
            Read::End => {
                self.state = state::SKIP;
                self.flags |= FLAG_ANNOUNCED;
                Fed::RELEASE
            }
            Read::Bad => {
                self.prefix = 0;
                let in_run = b.is_ascii_digit() || b == b',';
                self.state = if in_run {
                    state::SERVER_PASV_RUN
                } else {
                    state::SERVER_PASV_SCAN
                };
                Fed::ABANDON
            }
        }
    }

    /// Looks for a delimiter three times in a row and a digit behind it.
    #[inline(always)]
    fn epsv_scan(&mut self, b: u8) -> Fed {
        if b.is_ascii_digit() {
            if self.gap >= 3 {
                self.state = state::SERVER_EPSV;
                self.count = 0;
                self.value = 0;
                self.port(b);
                return Fed::HOLD;
            }
            self.gap = 0;
            return Fed::PLAIN;
        }
        if !b.is_ascii_graphic() {
            self.gap = 0;
        } else if b == self.delimiter && self.gap > 0 {
            self.gap = self.gap.saturating_add(1);
        } else {
            self.delimiter = b;
            self.gap = 1;
        }
        Fed::PLAIN
    }

    #[inline(always)]
    fn epsv(&mut self, b: u8) -> Fed {
        let read = self.port(b);
        if read == Read::Part {
            return Fed::HOLD;
        }
        if read == Read::End && b == self.delimiter {
            self.state = state::SKIP;
            self.flags |= FLAG_ANNOUNCED;
            return Fed::RELEASE;
        }
        self.state = state::SERVER_EPSV_SCAN;
        self.gap = 0;
        // The byte may be the first one of other delimiters.
        self.epsv_scan(b);
        Fed::ABANDON
    }
}
