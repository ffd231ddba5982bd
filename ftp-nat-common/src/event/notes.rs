//! What the engine saw in a segment, until it can be told.

use super::{Mode, What};
use crate::{addr::Addr, counter::Counter, line::Request, translation::Kind};

/// Notes of a segment; what is beyond is counted as lost.
pub const NOTES: usize = 16;

/// The part of an event that the engine knows.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Note {
    /// A [`What`].
    pub what: u8,
    /// The end that it is of: 0 client, 1 server.
    pub role: u8,
    /// The form of the announcement: a [`Kind`].
    pub form: u8,
    /// The request that was made or is answered: a [`Request`].
    pub request: u8,
    /// See [`What`].
    pub number: u16,
    /// The port as it was announced, host byte order.
    pub said_port: u16,
    /// The port as the other end is told, host byte order.
    pub told_port: u16,
    /// Zero.
    pub _pad: u16,
    /// The address as it was announced.
    pub said: Addr,
}
const _: () = assert!(size_of::<Note>() == 28);

impl Note {
    /// As numbers, which a function takes in registers.
    #[inline(always)]
    pub const fn pack(self) -> [u64; 4] {
        let [a, b, c, d] = self.said.0;
        [
            self.what as u64
                | (self.role as u64) << 8
                | (self.form as u64) << 16
                | (self.request as u64) << 24
                | (self.number as u64) << 32
                | (self.said_port as u64) << 48,
            self.told_port as u64,
            a as u64 | (b as u64) << 32,
            c as u64 | (d as u64) << 32,
        ]
    }

    /// From [`pack`](Self::pack)'s numbers.
    #[inline(always)]
    pub const fn unpack([head, told_port, low, high]: [u64; 4]) -> Self {
        Self {
            what: head as u8,
            role: (head >> 8) as u8,
            form: (head >> 16) as u8,
            request: (head >> 24) as u8,
            number: (head >> 32) as u16,
            said_port: (head >> 48) as u16,
            told_port: told_port as u16,
            _pad: 0,
            said: Addr([
                low as u32,
                (low >> 32) as u32,
                high as u32,
                (high >> 32) as u32,
            ]),
        }
    }

    /// No note.
    pub const NONE: Self = Self::of(What::Requested, 0);

    #[inline(always)]
    const fn of(what: What, role: usize) -> Self {
        Self {
            what: what as u8,
            role: role as u8,
            form: 0,
            request: 0,
            number: 0,
            said_port: 0,
            told_port: 0,
            _pad: 0,
            said: Addr::UNSPECIFIED,
        }
    }

    /// The client said a command.
    #[inline(always)]
    pub const fn requested(request: Request) -> Self {
        Self {
            request: request as u8,
            ..Self::of(What::Requested, 0)
        }
    }

    /// The server replied to a request.
    #[inline(always)]
    pub const fn replied(code: u16, request: Request) -> Self {
        Self {
            request: request as u8,
            number: code,
            ..Self::of(What::Replied, 1)
        }
    }

    /// The session goes on in another way, because of what `role` said.
    #[inline(always)]
    pub const fn changed(mode: Mode, role: usize) -> Self {
        Self {
            number: mode as u16,
            ..Self::of(What::Changed, role)
        }
    }

    /// An announcement is followed.
    #[inline(always)]
    pub const fn announced(
        role: usize,
        form: Kind,
        said: Addr,
        said_port: u16,
        told_port: u16,
    ) -> Self {
        Self {
            form: form as u8,
            said,
            said_port,
            told_port,
            ..Self::of(What::Announced, role)
        }
    }

    /// An announcement is not followed; `reason` is a [`Counter`]'s number.
    #[inline(always)]
    pub const fn refused(role: usize, form: Kind, said: Addr, said_port: u16, reason: u32) -> Self {
        Self {
            form: form as u8,
            said,
            said_port,
            number: reason as u16,
            ..Self::of(What::NotAnnounced, role)
        }
    }

    /// What the end `role` announced at `port`, in host byte order, is not waited
    /// for any more.
    #[inline(always)]
    pub const fn withdrawn(role: usize, port: u16) -> Self {
        Self {
            told_port: port,
            ..Self::of(What::Withdrawn, role)
        }
    }

    /// An announcement could not be read.
    #[inline(always)]
    pub const fn unread(role: usize, reason: Counter) -> Self {
        Self {
            number: reason as u16,
            ..Self::of(What::NotAnnounced, role)
        }
    }
}

/// The notes of a segment.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Notes {
    note: [Note; NOTES],
    /// How many were made, those that found no room counted.
    made: u32,
}

impl Default for Notes {
    fn default() -> Self {
        Self {
            note: [Note::NONE; NOTES],
            made: 0,
        }
    }
}

impl Notes {
    /// Writes one down.
    #[inline(always)]
    pub const fn add(&mut self, note: Note) {
        if (self.made as usize) < NOTES {
            self.note[self.made as usize & (NOTES - 1)] = note;
        }
        self.made = self.made.wrapping_add(1);
    }

    /// How many there are to read.
    #[inline(always)]
    pub const fn len(&self) -> u32 {
        if self.made as usize > NOTES {
            NOTES as u32
        } else {
            self.made
        }
    }

    /// Whether there is none.
    #[inline(always)]
    pub const fn is_empty(&self) -> bool {
        self.made == 0
    }

    /// How many found no room.
    #[inline(always)]
    pub const fn lost(&self) -> u32 {
        self.made - self.len()
    }

    /// The `n`th one.
    #[inline(always)]
    pub const fn at(&self, n: u32) -> &Note {
        &self.note[n as usize & (NOTES - 1)]
    }

    /// How many were made, for [`back_to`](Self::back_to).
    #[inline(always)]
    pub const fn made(&self) -> u32 {
        self.made
    }

    /// Forgets those made since there were `made`: what they are of is undone.
    #[inline(always)]
    pub const fn back_to(&mut self, made: u32) {
        self.made = made;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_counted() {
        let mut notes = Notes::default();
        for code in 0..NOTES as u16 + 3 {
            notes.add(Note::replied(code, Request::Transfer));
        }
        assert_eq!((notes.len(), notes.lost()), (NOTES as u32, 3));
        assert_eq!(notes.at(15).number, 15, "the first ones are kept");
        notes.back_to(2);
        assert_eq!((notes.len(), notes.lost()), (2, 0));
        notes.add(Note::changed(Mode::Tls, 1));
        assert_eq!(notes.at(2).what, What::Changed as u8);
    }
}
