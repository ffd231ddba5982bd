//! The control-stream engine: one half of a control connection.
//!
//! *near* is the host whose stream is rewritten, *far* the other one. *Input*
//! positions are near's sequence numbers, *output* positions those that far
//! sees. Between two edits both run in parallel; each [`Edit`] says where they
//! part. Only the text of an address is held back, and only while it can still
//! become one; everything an edit sends is kept until far has acknowledged it,
//! so that a retransmission always carries the same bytes.
//!
//! | module | holds |
//! |---|---|
//! | [`position`] | the mapping of sequence numbers, acks and SACK blocks |
//! | [`ingress`] | a segment from near: what is sent on instead |
//! | [`egress`] | an acknowledgement to near |
//! | [`dialogue`] | what a finished line means for the session |
//! | [`pending`] | the announcements whose data connections may still come |

pub mod dialogue;
pub mod egress;
pub mod ingress;
pub mod pending;
pub mod position;

use self::ingress::Run;
use crate::event::notes::Note;
use crate::{
    addr::Port,
    line::{Fed, Line, text::TEXT_MAX},
    seq::Seq,
    session::Session,
    translation::Kind,
};

/// Edits that can be outstanding in one half; one is kept free for a FIN that
/// ends a held text.
pub const EDITS: usize = 16;

/// Bytes of Telnet sequences that an address text may contain.
pub const TELNET_MAX: usize = 8;

/// An input range that was sent as another text.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    /// First input position of the range.
    pub in0: Seq,
    /// Input position behind it; the range includes the byte that released the
    /// text, or the FIN.
    pub in1: Seq,
    /// First output position.
    pub out0: Seq,
    /// Bytes of `text`.
    pub len: u8,
    /// How many held bytes had been acknowledged to near when the text was
    /// released: they ended an earlier segment.
    pub k: u8,
    /// 1 if the range ends with near's FIN.
    pub fin: u8,
    /// Zero.
    pub _pad: u8,
    /// What is sent, the releasing byte included.
    pub text: [u8; TEXT_MAX],
}

impl Default for Edit {
    fn default() -> Self {
        Self {
            in0: Seq(0),
            in1: Seq(0),
            out0: Seq(0),
            len: 0,
            k: 0,
            fin: 0,
            _pad: 0,
            text: [0; TEXT_MAX],
        }
    }
}

impl Edit {
    /// Output position behind the range, a FIN counted.
    #[inline(always)]
    pub const fn out1(&self) -> Seq {
        self.out0.plus(self.len as u32 + self.fin as u32)
    }
}

/// The outstanding edits of a half: a ring whose head and length the half holds.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Edits {
    /// The ring.
    pub slot: [Edit; EDITS],
}
const _: () = assert!(size_of::<Edits>() == 1280);

/// The stream state of one half.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Half {
    /// Next input byte expected.
    pub in_nxt: Seq,
    /// Output position of the first held byte (of `in_nxt` when none is held).
    pub out_nxt: Seq,
    /// Highest output position that far has acknowledged.
    pub far_una: Seq,
    /// Highest input position that near was seen to send up to.
    pub snd_max: Seq,
    /// Input position of near's FIN, if [`HALF_FIN`].
    pub fin: Seq,
    /// No line that begins before this may be edited, if [`HALF_FROZEN`].
    pub frozen: Seq,
    /// Input position at which the current line began.
    pub line_start: Seq,
    /// Bits of `HALF_*`.
    pub flags: u8,
    /// Ring index of the oldest edit.
    pub edits_head: u8,
    /// Outstanding edits.
    pub edits_len: u8,
    /// Held bytes at the end of the last segment.
    pub k: u8,
    /// Held bytes.
    pub held_len: u8,
    /// The last byte sent, if [`HALF_LAST`].
    pub last: u8,
    /// Bytes of Telnet sequences among the held ones.
    pub telnet_len: u8,
    /// Zero.
    pub _pad: u8,
    /// Telnet sequences among the held bytes.
    pub telnet: [u8; TELNET_MAX],
    /// Bytes taken from near and not yet sent.
    pub held: [u8; TEXT_MAX],
}

impl Default for Half {
    fn default() -> Self {
        Self {
            in_nxt: Seq(0),
            out_nxt: Seq(0),
            far_una: Seq(0),
            snd_max: Seq(0),
            fin: Seq(0),
            frozen: Seq(0),
            line_start: Seq(0),
            flags: 0,
            edits_head: 0,
            edits_len: 0,
            k: 0,
            held_len: 0,
            last: 0,
            telnet_len: 0,
            _pad: 0,
            telnet: [0; TELNET_MAX],
            held: [0; TEXT_MAX],
        }
    }
}

/// `last` is the byte at `out_nxt - 1`.
pub const HALF_LAST: u8 = 1;
/// near's FIN was seen: `fin` is its position.
pub const HALF_FIN: u8 = 2;
/// `frozen` is set.
pub const HALF_FROZEN: u8 = 4;
/// An edit changed the length at least once.
pub const HALF_SHIFTED: u8 = 8;
/// The stream was picked up in its middle and its exact place isn't known yet:
/// segments may have passed unseen beside the one that taught it.
pub const HALF_UNSYNCED: u8 = 16;

impl Half {
    /// A half whose stream continues at `next` with nothing changed so far.
    #[inline(always)]
    pub fn starting_at(next: Seq) -> Self {
        Self {
            in_nxt: next,
            out_nxt: next,
            far_una: next,
            snd_max: next,
            line_start: next,
            ..Self::default()
        }
    }

    /// Input position of the first held byte (of `in_nxt` when none is held).
    #[inline(always)]
    pub const fn held_start(&self) -> Seq {
        self.in_nxt.minus(self.held_len as u32)
    }

    /// Output minus input position for what comes next.
    #[inline(always)]
    pub const fn shift(&self) -> i32 {
        self.out_nxt.since(self.held_start())
    }

    /// Whether forgetting this half would harm its connection.
    pub const fn is_needed(&self) -> bool {
        self.shift() != 0 || self.held_len > 0 || self.edits_len > 0
    }

    /// Ring index of the `n`th oldest edit.
    #[inline(always)]
    pub const fn slot(&self, n: u32) -> usize {
        (self.edits_head as usize + n as usize) & (EDITS - 1)
    }
}

/// What the engine asks of its surroundings.
pub trait Environment {
    /// Makes an expectation for an announcement that was found acceptable.
    ///
    /// `text_len` is the length of the port's text that would keep the length
    /// of the stream, [`ANY_LENGTH`] where any does, 0 where none does or where
    /// `near_port` itself is the best. Returns the port to announce, or `None` (and has counted why).
    ///
    /// [`ANY_LENGTH`]: crate::line::text::ANY_LENGTH
    fn expect(&mut self, kind: Kind, near_port: u16, text_len: usize) -> Option<u16>;

    /// Withdraws the expectation of this session at the address by which far
    /// knows the end `role`, and `port`, if there still is one.
    fn withdraw(&mut self, role: usize, port: Port);

    /// Counts an event.
    fn count(&mut self, counter: crate::counter::Counter);

    /// Notes what people may want to know.
    #[inline(always)]
    fn note(&mut self, _: Note) {}

    /// Feeds a byte of the end `role` to its line's parser: [`Line::feed`], which
    /// in the kernel is a function that the verifier looks at once.
    #[inline(always)]
    fn feed(&mut self, line: &mut Line, role: usize, byte: u8) -> Fed {
        line.feed(role, byte)
    }

    /// Sets free what is held: [`ingress::release`], likewise.
    #[inline(always)]
    fn release(&mut self, run: &mut Run, session: &mut Session, edits: Option<&mut Edits>)
    where
        Self: Sized,
    {
        ingress::release(run, session, edits, self);
    }

    /// Draws the consequences of a line that ended: [`dialogue::line_ended`],
    /// likewise.
    #[inline(always)]
    fn line_ended(&mut self, session: &mut Session, role: usize)
    where
        Self: Sized,
    {
        dialogue::line_ended(session, role, self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_is_needed_while_anything_of_it_differs() {
        let plain = Half::starting_at(Seq(1000));
        assert!(!plain.is_needed());
        let shifted = Half {
            out_nxt: Seq(1001),
            ..plain
        };
        let shortened = Half {
            out_nxt: Seq(999),
            ..plain
        };
        let holding = Half {
            in_nxt: Seq(1001),
            held_len: 1,
            ..plain
        };
        let edited = Half {
            edits_len: 1,
            ..plain
        };
        for half in [shifted, shortened, holding, edited] {
            assert!(half.is_needed(), "{half:?}");
        }
        assert_eq!(holding.shift(), 0);
    }
}
