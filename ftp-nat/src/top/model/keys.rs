//! What a key does.

use super::{Filter, Ladder, Model, Pane, transfers};

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// One that writes something.
    Letter(char),
    /// An arrow.
    Up,
    /// An arrow.
    Down,
    /// A screen up.
    PageUp,
    /// A screen down.
    PageDown,
    /// To the beginning.
    Home,
    /// To the end.
    End,
    /// Choose.
    Enter,
    /// Back.
    Escape,
    /// The letter before goes.
    Backspace,
    /// The next list.
    Tab,
    /// The list before.
    BackTab,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-Z.
    Suspend,
    /// Ctrl-L.
    Redraw,
    /// Ctrl-U.
    Clear,
}

/// What is asked of the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing more.
    None,
    /// To end.
    Quit,
    /// To stop until it is continued.
    Suspend,
    /// To draw all anew.
    Redraw,
    /// To read at once.
    Read,
}

impl Model {
    /// A key was pressed.
    pub fn key(&mut self, key: Key) -> Wish {
        match key {
            Key::Interrupt => return Wish::Quit,
            Key::Suspend => return Wish::Suspend,
            Key::Redraw => return Wish::Redraw,
            _ => {}
        }
        if self.help {
            return self.key_in_help(key);
        }
        if self.typing.is_some() {
            self.key_in_filter(key);
            return Wish::None;
        }
        match key {
            Key::Letter('q') if self.ladder.is_none() => return Wish::Quit,
            Key::Letter('Q') => return Wish::Quit,
            Key::Letter('?' | 'h') => self.help = true,
            Key::Letter('p' | ' ') => {
                self.paused = !self.paused;
                return if self.paused { Wish::None } else { Wish::Read };
            }
            _ if self.ladder.is_some() => self.key_in_ladder(key),
            _ => self.key_in_lists(key),
        }
        Wish::None
    }

    fn key_in_help(&mut self, key: Key) -> Wish {
        match key {
            Key::Letter('Q') => return Wish::Quit,
            Key::Letter('q' | '?' | 'h' | ' ') | Key::Escape | Key::Enter => self.help = false,
            _ => {}
        }
        Wish::None
    }

    fn key_in_filter(&mut self, key: Key) {
        match key {
            Key::Letter(letter) => self.filter.push(letter),
            Key::Backspace => self.filter.pop(),
            Key::Clear => self.filter = Filter::default(),
            Key::Enter => self.typing = None,
            Key::Escape => self.filter = self.typing.take().unwrap_or_default(),
            Key::Up | Key::Down | Key::PageUp | Key::PageDown | Key::Home | Key::End => {
                self.go(key);
            }
            _ => {}
        }
        self.arrange();
    }

    fn key_in_ladder(&mut self, key: Key) {
        let Some(ladder) = &mut self.ladder else {
            return;
        };
        match key {
            Key::Up | Key::Letter('k') => ladder.go(-1),
            Key::Down | Key::Letter('j') => ladder.go(1),
            Key::PageUp => ladder.page(-1),
            Key::PageDown => ladder.page(1),
            Key::Home | Key::Letter('g') => ladder.go(isize::MIN),
            Key::End | Key::Letter('G') => ladder.go(isize::MAX),
            Key::Letter('q') | Key::Escape | Key::Enter | Key::Backspace => self.ladder = None,
            _ => {}
        }
    }

    fn key_in_lists(&mut self, key: Key) {
        match key {
            Key::Letter('/') => self.typing = Some(self.filter.clone()),
            Key::Letter('1') => self.pane = Pane::Sessions,
            Key::Letter('2') => self.pane = Pane::Transfers,
            Key::Letter('3') => self.pane = Pane::Reasons,
            Key::Tab => self.turn(1),
            Key::BackTab => self.turn(Pane::ALL.len() - 1),
            Key::Letter('s' | '>') => self.order(1),
            Key::Letter('S' | '<') => self.order(self.pane.orders().len() - 1),
            Key::Letter('r') => {
                let reversed = self.order_mut().1;
                *reversed = !*reversed;
                self.arrange();
            }
            Key::Escape => {
                self.filter = Filter::default();
                self.arrange();
            }
            Key::Enter => self.look(),
            Key::Letter('k') => self.go(Key::Up),
            Key::Letter('j') => self.go(Key::Down),
            Key::Letter('g') => self.go(Key::Home),
            Key::Letter('G') => self.go(Key::End),
            _ => self.go(key),
        }
    }

    /// The next list, so many further on.
    fn turn(&mut self, by: usize) {
        let at = Pane::ALL.iter().position(|pane| *pane == self.pane);
        self.pane = Pane::ALL[(at.unwrap_or(0) + by) % Pane::ALL.len()];
    }

    /// Another order, so many further on.
    fn order(&mut self, by: usize) {
        let orders = self.pane.orders().len();
        let (now, reversed) = self.order_mut();
        *now = (*now + by) % orders;
        *reversed = false;
        self.arrange();
    }

    fn order_mut(&mut self) -> (&mut usize, &mut bool) {
        match self.pane {
            Pane::Sessions => (&mut self.sessions.by, &mut self.sessions.reversed),
            Pane::Transfers => (&mut self.transfers.by, &mut self.transfers.reversed),
            Pane::Reasons => (&mut self.refusals.by, &mut self.refusals.reversed),
        }
    }

    fn go(&mut self, key: Key) {
        let (rows, screens) = match key {
            Key::Up => (-1, 0),
            Key::Down => (1, 0),
            Key::PageUp => (0, -1),
            Key::PageDown => (0, 1),
            Key::Home => (isize::MIN, 0),
            Key::End => (isize::MAX, 0),
            _ => return,
        };
        macro_rules! go {
            ($list:ident) => {
                if screens == 0 {
                    self.$list.go(rows)
                } else {
                    self.$list.page(screens)
                }
            };
        }
        match self.pane {
            Pane::Sessions => go!(sessions),
            Pane::Transfers => go!(transfers),
            Pane::Reasons => go!(refusals),
        }
    }

    /// Looks at what is chosen: the ladder of a session, or of a transfer's session;
    /// the sessions that something was refused in.
    fn look(&mut self) {
        let session = match self.pane {
            Pane::Sessions => self.sessions.key().copied(),
            Pane::Transfers => self.transfer_session(),
            Pane::Reasons => {
                if let Some(counter) = self.refusals.key() {
                    self.filter.set(counter.name());
                    self.pane = Pane::Sessions;
                    self.arrange();
                }
                None
            }
        };
        if let Some(session) = session {
            self.ladder = Some(Ladder::new(session));
        }
    }

    fn transfer_session(&self) -> Option<crate::events::SessionId> {
        let tables = self.tables.as_ref()?;
        let transfer = tables.transfers.get(self.transfers.index()?)?;
        debug_assert_eq!(
            Some(&transfers::Key::of(transfer)),
            self.transfers.key(),
            "rows and tables belong together"
        );
        Some(transfer.session)
    }
}
