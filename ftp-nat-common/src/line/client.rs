//! The grammar of a client's lines: commands (RFC 959 section 5.3).

use super::{
    FLAG_ANNOUNCED, FLAG_FOREIGN, FLAG_ODD, Fed, Line,
    address::Read,
    state,
    verbs::{EPRT, PORT, is_http_method, takes_argument},
};

/// The first byte of a TLS handshake record (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 22;

impl Line {
    #[inline(always)]
    pub(super) fn client(&mut self, b: u8) -> Fed {
        let ended = b == b'\n';
        let fed = match self.state {
            state::START | state::CLIENT_VERB => self.client_verb(b),
            state::CLIENT_ARGUMENT => self.client_argument(b),
            state::CLIENT_PORT_GAP if b.is_ascii_digit() => {
                self.state = state::CLIENT_PORT;
                self.begin_numbers();
                self.octet(b, b',', 5);
                Fed::HOLD
            }
            state::CLIENT_PORT_GAP => self.gap(b),
            state::CLIENT_PORT => {
                let read = self.octet(b, b',', 5);
                self.held(read, matches!(b, b'\r' | b'\n' | b' ' | b'\t' | 0))
            }
            state::CLIENT_EPRT_GAP if b.is_ascii_graphic() && !b.is_ascii_digit() => {
                self.delimiter = b;
                self.state = state::CLIENT_EPRT_FAMILY;
                Fed::PLAIN
            }
            state::CLIENT_EPRT_GAP => self.gap(b),
            state::CLIENT_EPRT_FAMILY if b == b'1' || b == b'2' => {
                self.family = b - b'0';
                self.state = state::CLIENT_EPRT_FAMILY_END;
                Fed::PLAIN
            }
            state::CLIENT_EPRT_FAMILY_END if b == self.delimiter => {
                self.state = state::CLIENT_EPRT_START;
                Fed::PLAIN
            }
            state::CLIENT_EPRT_START => self.eprt_address_start(b),
            state::CLIENT_EPRT_V4 => {
                let read = self.octet(b, b'.', 3);
                self.eprt_address(b, read)
            }
            state::CLIENT_EPRT_V6 => {
                let read = self.group(b, self.delimiter);
                if read == Read::End {
                    self.expand_gap();
                    self.family = 2;
                }
                self.eprt_address(b, read)
            }
            state::CLIENT_EPRT_PORT => {
                let read = self.port(b);
                self.held(read, b == self.delimiter)
            }
            _ => {
                self.state = state::SKIP;
                Fed::PLAIN
            }
        };
        fed.ending(ended || fed.ended)
    }

    /// The verb: letters and digits, up to the blank or the line's end.
    #[inline(always)]
    fn client_verb(&mut self, b: u8) -> Fed {
        if b.is_ascii_alphanumeric() {
            self.state = state::CLIENT_VERB;
            self.count = self.count.saturating_add(1);
            if self.count <= 4 {
                self.verb = (self.verb << 8) | u32::from(b.to_ascii_uppercase());
            } else {
                // A longer verb is none of those that matter; HTTP's are looked
                // at by their first four letters.
                if self.count > 8 {
                    self.verb = 0;
                    self.flags |= FLAG_ODD;
                    self.state = state::SKIP;
                }
            }
            return Fed::PLAIN;
        }
        let blank = matches!(b, b' ' | b'\t');
        let at_end = matches!(b, b'\r' | b'\n' | 0);
        if self.count == 0 && b == TLS_HANDSHAKE && self.is_first() {
            // TLS from the first byte on: there may never be a line's end.
            self.flags |= FLAG_FOREIGN;
            return Fed::PLAIN.ending(true);
        }
        if self.count == 0 {
            // An empty line, or one that begins with a blank: no command, no harm.
            // What stands behind a CR or NUL is in mid-line: only LF ends one.
            if b != b'\n' {
                self.state = state::SKIP;
            }
            // Nor is a NUL harmless there: a request to a TURN server begins with one,
            // and has text of a web page's choice in it (RFC 8489 section 5).
            if !blank && !matches!(b, b'\r' | b'\n') {
                self.flags |= FLAG_ODD;
            }
            if !at_end {
                // Something stands in it.
                self.count = 1;
            }
            return Fed::PLAIN;
        }
        let long = self.count > 4;
        if b == b':' || (blank && is_http_method(self.verb, self.count)) {
            self.flags |= FLAG_FOREIGN;
        } else if !blank && !at_end || self.count < 3 {
            self.flags |= FLAG_ODD;
        }
        if long {
            self.verb = 0;
        }
        self.state = if !blank || self.flags & (FLAG_ODD | FLAG_FOREIGN) != 0 {
            state::SKIP
        } else if self.verb == PORT {
            state::CLIENT_PORT_GAP
        } else if self.verb == EPRT {
            state::CLIENT_EPRT_GAP
        } else if takes_argument(self.verb) {
            self.count = 0;
            state::CLIENT_ARGUMENT
        } else {
            state::SKIP
        };
        Fed::PLAIN
    }

    /// The first four characters of an argument that changes what a verb means.
    #[inline(always)]
    fn client_argument(&mut self, b: u8) -> Fed {
        if b.is_ascii_alphanumeric() {
            self.count = self.count.saturating_add(1);
            if self.count <= 4 {
                self.argument = (self.argument << 8) | u32::from(b.to_ascii_uppercase());
            }
        } else if self.count > 0 {
            self.state = state::SKIP;
        }
        Fed::PLAIN
    }

    /// Blanks before an argument: RFC 959 has one, people type more.
    #[inline(always)]
    fn gap(&mut self, b: u8) -> Fed {
        if !matches!(b, b' ' | b'\t') {
            self.state = state::SKIP;
        }
        Fed::PLAIN
    }

    /// Leaves the hold, or stays in it.
    #[inline(always)]
    fn held(&mut self, read: Read, terminator: bool) -> Fed {
        match read {
            Read::Part => return Fed::HOLD,
            Read::End | Read::Bad => self.state = state::SKIP,
        }
        if read == Read::End && terminator {
            self.flags |= FLAG_ANNOUNCED;
            Fed::RELEASE
        } else {
            Fed::ABANDON
        }
    }

    #[inline(always)]
    fn eprt_address_start(&mut self, b: u8) -> Fed {
        self.begin_numbers();
        let v6 = self.family == 2;
        let read = if v6 {
            self.family = 0;
            self.group(b, self.delimiter)
        } else {
            self.octet(b, b'.', 3)
        };
        if read != Read::Part {
            self.state = state::SKIP;
            return Fed::PLAIN;
        }
        self.state = if v6 {
            state::CLIENT_EPRT_V6
        } else {
            state::CLIENT_EPRT_V4
        };
        Fed::HOLD
    }

    /// Goes from the address to the port, or stays in the address, or gives up.
    #[inline(always)]
    fn eprt_address(&mut self, b: u8, read: Read) -> Fed {
        if read == Read::Part {
            return Fed::HOLD;
        }
        if read == Read::End && b == self.delimiter {
            self.state = state::CLIENT_EPRT_PORT;
            self.count = 0;
            self.value = 0;
            return Fed::HOLD;
        }
        self.state = state::SKIP;
        Fed::ABANDON
    }
}
