//! Which requests wait for a reply: a reply means nothing by itself.

use super::verbs::{KIND, Request};

/// Runs of equal requests that are remembered.
const RUNS: usize = 32;
// A run's bits of `KIND` say what its requests are; the others count them.
/// One request more in a run.
const ONE: u16 = 16;
/// A run with so many is followed by another one.
const RUN_FULL: u16 = u16::MAX - ONE;

/// Requests without a final reply, oldest first. Equal ones in a row are
/// counted: a client that keeps its connection alive may send a lot of NOOPs
/// before a slow server answers anything.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requests {
    /// A ring of runs.
    run: [u16; RUNS],
    /// How many requests of each kind that is asked for wait, modulo 2^16.
    waiting: [u16; 4],
    /// How many there ever were of two of them, modulo 2^16.
    sent: [u16; 2],
    /// Index of the oldest run.
    head: u8,
    /// Runs in the ring.
    len: u8,
    /// Zero.
    _pad: u16,
}
const _: () = assert!(size_of::<Requests>() == 80);

impl Default for Requests {
    fn default() -> Self {
        Self {
            run: [0; RUNS],
            waiting: [0; 4],
            sent: [0; 2],
            head: 0,
            len: 0,
            _pad: 0,
        }
    }
}

impl Requests {
    #[inline(always)]
    const fn at(&self, n: u8) -> usize {
        self.head.wrapping_add(n) as usize & (RUNS - 1)
    }

    /// Where the waiting ones of a kind are counted. The kinds that are not asked
    /// for share these places, and count nothing there.
    #[inline(always)]
    const fn place(kind: usize) -> usize {
        kind & 3
    }

    /// 1 if the waiting ones of the kind are counted, else 0: a number, or the
    /// verifier would go on from here twice.
    #[inline(always)]
    const fn is_counted(kind: usize) -> u16 {
        const COUNTED: u32 = 1 << Request::Active as u32
            | 1 << Request::Passive as u32
            | 1 << Request::Transfer as u32
            | 1 << Request::Auth as u32;
        (COUNTED >> kind & 1) as u16
    }

    /// The same for all that were ever sent.
    #[inline(always)]
    const fn place_sent(kind: usize) -> usize {
        kind >> 1 & 1
    }

    #[inline(always)]
    const fn is_counted_sent(kind: usize) -> u16 {
        const COUNTED: u32 = 1 << Request::Active as u32 | 1 << Request::Transfer as u32;
        (COUNTED >> kind & 1) as u16
    }

    /// A command was sent. Where there are too many different ones the oldest
    /// run is forgotten: its replies will be taken for those of later requests,
    /// which at worst withdraws an expectation too early.
    #[inline(always)]
    pub fn push(&mut self, request: Request) {
        self.push_kind(request as u32);
    }

    #[inline(never)]
    fn push_kind(&mut self, kind: u32) {
        let kind = kind as usize & KIND as usize;
        let waiting = &mut self.waiting[Self::place(kind)];
        *waiting = waiting.wrapping_add(Self::is_counted(kind));
        let sent = &mut self.sent[Self::place_sent(kind)];
        *sent = sent.wrapping_add(Self::is_counted_sent(kind));
        if self.len > 0 {
            let last = self.at(self.len - 1);
            let run = self.run[last];
            if usize::from(run & KIND) == kind && run < RUN_FULL {
                self.run[last] = run + ONE;
                return;
            }
        }
        if self.len as usize >= RUNS {
            self.forget_run();
        }
        let next = self.at(self.len);
        self.run[next] = ONE | kind as u16;
        self.len += 1;
    }

    /// Forgets the oldest run.
    #[inline(always)]
    fn forget_run(&mut self) {
        let run = self.run[self.at(0)];
        let kind = usize::from(run & KIND);
        let waiting = &mut self.waiting[Self::place(kind)];
        *waiting = waiting.wrapping_sub(run / ONE * Self::is_counted(kind));
        self.head = self.head.wrapping_add(1);
        self.len = self.len.wrapping_sub(1);
    }

    /// The oldest request: the one that a preliminary reply is about.
    #[inline(always)]
    pub const fn front(&self) -> Request {
        if self.len == 0 {
            return Request::None;
        }
        Request::from_bits(self.run[self.at(0)])
    }

    /// Takes the oldest request out.
    #[inline(always)]
    fn pop(&mut self) -> Request {
        Request::from_bits(self.take_one() as u16)
    }

    /// The run that a request was taken out of.
    #[inline(never)]
    fn take_one(&mut self) -> u32 {
        if self.len == 0 {
            return 0;
        }
        let first = self.at(0);
        let run = self.run[first];
        if run < 2 * ONE {
            self.forget_run();
        } else {
            let kind = usize::from(run & KIND);
            let waiting = &mut self.waiting[Self::place(kind)];
            *waiting = waiting.wrapping_sub(Self::is_counted(kind));
            self.run[first] = run - ONE;
        }
        u32::from(run)
    }

    /// How many such requests wait for their replies, modulo 2^16. To be asked of
    /// PORT, PASV, AUTH and their like, and of transfers.
    #[inline(always)]
    pub const fn waiting(&self, request: Request) -> u16 {
        debug_assert!(Self::is_counted(request as usize) != 0);
        self.waiting[Self::place(request as usize)]
    }

    /// How many such requests there were so far, modulo 2^16. To be asked of PORT
    /// and EPRT, and of transfers.
    #[inline(always)]
    pub const fn sent(&self, request: Request) -> u16 {
        debug_assert!(Self::is_counted_sent(request as usize) != 0);
        self.sent[Self::place_sent(request as usize)]
    }

    /// Whether a passive reply is waited for.
    #[inline(always)]
    pub const fn expects_passive(&self) -> bool {
        self.awaits(Request::Passive)
    }

    /// Whether such a request waits for its reply.
    #[inline(always)]
    pub const fn awaits(&self, request: Request) -> bool {
        self.waiting(request) > 0
    }

    /// Forgets requests up to and including the first such one.
    #[inline(always)]
    fn pop_until(&mut self, request: Request) -> Request {
        self.skip_to(request as u32);
        self.pop();
        request
    }

    /// Forgets the runs before the first one of what is sought.
    #[inline(never)]
    fn skip_to(&mut self, sought: u32) {
        let mut n = 0;
        while n < RUNS {
            let run = self.run[self.at(0)];
            if self.len == 0 || u32::from(run & KIND) == sought {
                break;
            }
            self.forget_run();
            n += 1;
        }
    }

    /// Forgets empty lines that come before what `code` answers: all that is ever
    /// said to one is that it is no command (RFC 959 section 4.2.1).
    #[inline(never)]
    fn pass_empty(&mut self, code: u16) {
        let is_empty = self.len > 0 && self.run[self.at(0)] & KIND == Request::Empty as u16;
        if is_empty && !matches!(code, 500..=502) {
            self.forget_run();
        }
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
        let tls_reply = matches!(code, 234 | 235 | 334);
        let own = if passive_reply && self.expects_passive() {
            Request::Passive
        } else if tls_reply && self.awaits(Request::Auth) {
            Request::Auth
        } else {
            Request::None
        };
        if !matches!(own, Request::None) {
            return self.pop_until(own);
        }
        self.pass_empty(code);
        if matches!(self.front(), Request::Passive) && !passive_reply && code < 400 {
            return Request::None;
        }
        self.pop()
    }

    /// Forgets what waits, as after a restart of the dialogue.
    #[inline(always)]
    pub const fn clear(&mut self) {
        self.waiting = [0; 4];
        self.len = 0;
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

    /// Kinds that are not counted share the places of those that are.
    #[test]
    fn each_kind_that_is_counted_is_counted_alone() {
        let counted = [
            Request::Active,
            Request::Passive,
            Request::Transfer,
            Request::Auth,
        ];
        for n in 1..=12 {
            let said = Request::from_bits(n);
            let mut r = Requests::default();
            r.push(said);
            r.push(Request::None);
            r.push(said);
            r.push(said);
            for kind in counted {
                let expected = if kind == said { 3 } else { 0 };
                assert_eq!(r.waiting(kind), expected, "{said:?} {kind:?}");
            }
            for kind in [Request::Active, Request::Transfer] {
                let expected = if kind == said { 3 } else { 0 };
                assert_eq!(r.sent(kind), expected, "{said:?} {kind:?}");
            }
            // One alone, one that nobody asks for, and two together.
            for left in [2, 2, 1, 0] {
                r.pop();
                for kind in counted {
                    let expected = if kind == said { left } else { 0 };
                    assert_eq!(r.waiting(kind), expected, "{said:?} {kind:?}");
                }
            }
            for kind in [Request::Active, Request::Transfer] {
                let expected = if kind == said { 3 } else { 0 };
                assert_eq!(r.sent(kind), expected, "{said:?}: what was sent stays");
            }
        }
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
    fn an_empty_line_is_answered_or_not() {
        for ignored in [false, true] {
            let mut r = Requests::default();
            for request in [Request::Empty, Request::Empty, Request::Active] {
                r.push(request);
            }
            if !ignored {
                assert_eq!(r.answer(500), Request::Empty);
                assert_eq!(r.answer(500), Request::Empty);
            }
            assert_eq!(r.answer(200), Request::Active, "{ignored}");
            assert!(r.is_empty());
        }
        for (code, answered) in [
            (421, Request::Other),
            (499, Request::Other),
            (500, Request::Empty),
            (501, Request::Empty),
            (502, Request::Empty),
            (503, Request::Other),
        ] {
            let mut r = Requests::default();
            r.push(Request::Empty);
            r.push(Request::Other);
            assert_eq!(r.answer(code), answered, "{code}");
        }
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
        assert_eq!(r.answer(234), Request::Auth);
        assert!(!r.awaits(Request::Auth) && r.is_empty() && !r.expects_passive());
    }

    #[test]
    fn a_passive_request_is_matched_behind_any_number_of_others() {
        let mut r = Requests::default();
        r.push(Request::Passive);
        for _ in 0..10_000 {
            r.push(Request::Other);
        }
        assert!(r.expects_passive());
        assert_eq!(r.answer(227), Request::Passive);
        assert!(!r.expects_passive());
        for _ in 0..10_000 {
            assert_eq!(r.answer(200), Request::Other);
        }
        assert!(r.is_empty());
        assert_eq!(r.answer(200), Request::None);
        // And the other way round.
        for _ in 0..10_000 {
            r.push(Request::Other);
        }
        r.push(Request::Passive);
        for _ in 0..10_000 {
            assert_eq!(r.answer(200), Request::Other);
        }
        assert_eq!(r.answer(227), Request::Passive);
        assert!(r.is_empty());
    }

    #[test]
    fn the_oldest_run_is_forgotten_when_too_many_wait() {
        let mut r = Requests::default();
        let pairs = RUNS / 2;
        for _ in 0..pairs {
            r.push(Request::Passive);
            r.push(Request::Transfer);
        }
        assert_eq!(usize::from(r.waiting(Request::Passive)), pairs);
        r.push(Request::Other);
        assert_eq!(usize::from(r.waiting(Request::Passive)), pairs - 1);
        assert_eq!(r.answer(226), Request::Transfer, "its PASV is forgotten");
        for _ in 1..pairs {
            assert_eq!(r.answer(227), Request::Passive);
            assert_eq!(r.answer(226), Request::Transfer);
        }
        assert!(!r.expects_passive());
        assert_eq!(r.answer(200), Request::Other);
        assert!(r.is_empty());
        assert_eq!(usize::from(r.sent(Request::Transfer)), pairs);
    }

    #[test]
    fn what_is_passed_by_does_not_wait_any_more() {
        for (request, code) in [
            (Request::Passive, 228),
            (Request::Auth, 235),
            (Request::Auth, 334),
        ] {
            let mut r = Requests::default();
            for _ in 0..3 {
                r.push(Request::Transfer);
            }
            r.push(request);
            assert_eq!(r.answer(code), request, "{code}");
            assert_eq!(r.waiting(Request::Transfer), 0);
            assert_eq!(r.sent(Request::Transfer), 3);
        }
    }
}
