//! Which requests wait for a reply: a reply means nothing by itself.

/// What a command is to the helper.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// Not a command.
    None = 0,
    /// A command that changes nothing here.
    Other = 1,
    /// PORT, EPRT, LPRT: its refusal withdraws the expectation.
    Active = 2,
    /// PASV, EPSV, LPSV, and drftpd's CPSV and SPSV: a 227, 228 or 229 may follow.
    Passive = 3,
    /// `EPSV ALL` (RFC 2428 section 4).
    EpsvAll = 4,
    /// AUTH (RFC 2228, RFC 4217).
    Auth = 5,
    /// CCC (RFC 2228).
    ClearChannel = 6,
    /// REIN.
    Reinitialize = 7,
    /// QUIT.
    Quit = 8,
    /// ABOR.
    Abort = 9,
    /// LPRT (RFC 1639): recognised, not rewritten.
    LongPort = 10,
}

impl Request {
    const fn from_bits(bits: u64) -> Self {
        match bits & 15 {
            1 => Self::Other,
            2 => Self::Active,
            3 => Self::Passive,
            4 => Self::EpsvAll,
            5 => Self::Auth,
            6 => Self::ClearChannel,
            7 => Self::Reinitialize,
            8 => Self::Quit,
            9 => Self::Abort,
            10 => Self::LongPort,
            _ => Self::None,
        }
    }
}

/// A verb of up to four letters as one number.
const fn word(s: &[u8]) -> u32 {
    let mut w = 0u32;
    let mut i = 0;
    while i < s.len() {
        w = (w << 8) | s[i] as u32;
        i += 1;
    }
    w
}

pub(super) const PORT: u32 = word(b"PORT");
pub(super) const EPRT: u32 = word(b"EPRT");
const LPRT: u32 = word(b"LPRT");
const PASV: u32 = word(b"PASV");
const EPSV: u32 = word(b"EPSV");
const LPSV: u32 = word(b"LPSV");
const CPSV: u32 = word(b"CPSV");
const SPSV: u32 = word(b"SPSV");
const AUTH: u32 = word(b"AUTH");
const CCC: u32 = word(b"CCC");
const REIN: u32 = word(b"REIN");
const QUIT: u32 = word(b"QUIT");
const ABOR: u32 = word(b"ABOR");
const ALL: u32 = word(b"ALL");

/// Whether the verb means something else with another argument.
#[inline(always)]
pub(super) const fn takes_argument(verb: u32) -> bool {
    verb == EPSV
}

/// Whether a verb, of which `len` letters were read, begins an HTTP request:
/// a browser can be made to send lines of someone else's choice to any port.
#[inline(always)]
pub(super) const fn is_http_method(verb: u32, len: u8) -> bool {
    // Methods that are also prefixes of FTP verbs are told by their length.
    (len == 3 && (verb == word(b"GET") || verb == word(b"PUT")))
        || (len == 4 && (verb == word(b"POST") || verb == word(b"HEAD")))
        || (len == 5 && (verb == word(b"PATC") || verb == word(b"TRAC")))
        || (len == 6 && verb == word(b"DELE"))
        || (len == 7 && (verb == word(b"OPTI") || verb == word(b"CONN")))
}

/// What the verb of an ended line is.
#[inline(always)]
pub(super) const fn classify(verb: u32, argument: u32) -> Request {
    match verb {
        PORT | EPRT => Request::Active,
        LPRT => Request::LongPort,
        EPSV if argument == ALL => Request::EpsvAll,
        PASV | EPSV | LPSV | CPSV | SPSV => Request::Passive,
        AUTH => Request::Auth,
        CCC => Request::ClearChannel,
        REIN => Request::Reinitialize,
        QUIT => Request::Quit,
        ABOR => Request::Abort,
        _ => Request::Other,
    }
}

/// How many requests are remembered.
const CAPACITY: u32 = 16;

/// Requests without a final reply, oldest first, four bits each.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Requests {
    queue: u64,
    len: u32,
    /// Passive requests among them.
    passive: u32,
}

impl Requests {
    /// A command was sent. When too many wait, the oldest is forgotten: its
    /// reply will be taken for that of a later one, which at worst withdraws
    /// an expectation too early.
    #[inline(always)]
    pub fn push(&mut self, request: Request) {
        if self.len >= CAPACITY {
            self.pop();
        }
        self.queue |= (request as u64) << ((self.len & 15) * 4);
        self.len += 1;
        self.passive += u32::from(matches!(request, Request::Passive));
    }

    #[inline(always)]
    fn pop(&mut self) -> Request {
        if self.len == 0 {
            return Request::None;
        }
        let request = Request::from_bits(self.queue);
        self.queue >>= 4;
        self.len -= 1;
        if matches!(request, Request::Passive) && self.passive > 0 {
            self.passive -= 1;
        }
        request
    }

    /// Whether a passive reply is waited for.
    #[inline(always)]
    pub const fn expects_passive(&self) -> bool {
        self.passive > 0
    }

    /// Whether such a request waits for its reply.
    #[inline(always)]
    pub const fn awaits(&self, request: Request) -> bool {
        // Looks for a group of four bits that is zero, without a loop.
        const ONES: u64 = 0x1111_1111_1111_1111;
        let rest = self.queue ^ (ONES * request as u64);
        rest.wrapping_sub(ONES) & !rest & (ONES << 3) != 0
    }

    /// Forgets requests up to and including the first such one.
    #[inline(always)]
    fn pop_until(&mut self, request: Request) -> Request {
        let mut n = 0;
        while n < CAPACITY {
            if self.pop() as u8 == request as u8 {
                break;
            }
            n += 1;
        }
        request
    }

    /// Whether nothing waits.
    #[inline(always)]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A final or intermediate reply came; tells which request it answers.
    ///
    /// Servers send more or fewer replies than RFC 959 has (one for ABOR, a
    /// late 226): a passive reply therefore answers the first passive request,
    /// and no other positive reply answers a passive one. Those that only AUTH
    /// is answered by are the turn to TLS, which must not be missed.
    #[inline(always)]
    pub fn answer(&mut self, code: u16) -> Request {
        let passive_reply = matches!(code, 227..=229);
        if passive_reply && self.passive > 0 {
            return self.pop_until(Request::Passive);
        }
        if matches!(code, 234 | 235 | 334) && self.awaits(Request::Auth) {
            return self.pop_until(Request::Auth);
        }
        let front_is_passive = matches!(Request::from_bits(self.queue), Request::Passive);
        if self.len > 0 && front_is_passive && !passive_reply && code < 400 {
            return Request::None;
        }
        self.pop()
    }

    /// Forgets all, as after a restart of the dialogue.
    #[inline(always)]
    pub const fn clear(&mut self) {
        self.queue = 0;
        self.len = 0;
        self.passive = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_answer_requests_in_order() {
        let mut r = Requests::default();
        r.push(Request::Other);
        r.push(Request::Passive);
        r.push(Request::Other);
        assert!(r.expects_passive());
        assert_eq!(r.answer(250), Request::Other);
        assert_eq!(
            r.answer(226),
            Request::None,
            "a late 226 doesn't answer PASV"
        );
        assert_eq!(r.answer(227), Request::Passive);
        assert!(!r.expects_passive());
        assert_eq!(r.answer(550), Request::Other);
        assert_eq!(r.answer(421), Request::None);
    }

    #[test]
    fn a_passive_reply_passes_by_requests_that_got_none() {
        let mut r = Requests::default();
        r.push(Request::Abort);
        r.push(Request::Passive);
        assert_eq!(r.answer(227), Request::Passive);
        assert!(r.is_empty());
    }

    #[test]
    fn the_turn_to_tls_is_seen_though_replies_were_missed() {
        let mut r = Requests::default();
        for request in [Request::Other, Request::Passive, Request::Other] {
            r.push(request);
            assert!(!r.awaits(Request::Auth));
        }
        r.push(Request::Auth);
        assert!(r.awaits(Request::Auth) && r.awaits(Request::Passive));
        assert!(!r.awaits(Request::Quit));
        assert_eq!(r.answer(234), Request::Auth);
        assert!(!r.awaits(Request::Auth) && r.is_empty() && !r.expects_passive());
    }

    #[test]
    fn the_oldest_is_forgotten_when_too_many_wait() {
        let mut r = Requests::default();
        r.push(Request::Passive);
        for _ in 0..16 {
            r.push(Request::Other);
        }
        assert!(!r.expects_passive());
        for _ in 0..16 {
            assert_eq!(r.answer(200), Request::Other);
        }
        assert_eq!(r.answer(200), Request::None);
    }

    #[test]
    fn verbs_are_told_apart() {
        assert_eq!(classify(word(b"EPSV"), word(b"ALL")), Request::EpsvAll);
        assert_eq!(classify(word(b"EPSV"), word(b"2")), Request::Passive);
        assert_eq!(classify(word(b"RETR"), 0), Request::Other);
        assert!(is_http_method(word(b"DELE"), 6) && !is_http_method(word(b"DELE"), 4));
    }
}
