use super::*;
use crate::{
    addr::Addr,
    line::{Line, Request, Step},
    seq::Seq,
    session::{CLIENT, SERVER, SESSION_GREETED, SESSION_TRUSTED},
    stream::{EDITS, Edit},
};
use std::{boxed::Box, format, string::String, vec::Vec};

/// Gives ports one after the other, and notes what is withdrawn.
struct World {
    port: Option<u16>,
    withdrawn: Vec<(usize, u16)>,
    /// Which ports were said, and what length was wanted in their place.
    asked: Vec<(u16, usize)>,
}

impl Environment for World {
    fn expect(&mut self, _: Kind, near_port: u16, text_len: usize) -> Option<u16> {
        self.asked.push((near_port, text_len));
        self.port
    }

    fn withdraw(&mut self, role: usize, port: Port) {
        self.withdrawn.push((role, port.get()));
    }

    fn count(&mut self, _: Counter) {}
}

struct Stage {
    session: Session,
    edits: Box<Edits>,
    world: World,
}

impl Stage {
    fn new() -> Self {
        let v4 = |first: u8| [1, 2].map(|last| Addr::from_v4([first, 0, 0, last]));
        let mut session = Session {
            flags: SESSION_TRUSTED | SESSION_GREETED,
            real: v4(10),
            seen: v4(20),
            told: v4(30),
            ..Session::default()
        };
        session.half = [Half::starting_at(Seq(1000)); 2];
        // What is left of another connection.
        let stale = Edit {
            len: 9,
            k: 7,
            fin: 1,
            ..Edit::default()
        };
        let mut edits = Box::new(Edits::default());
        edits.slot = [stale; EDITS];
        Self {
            session,
            edits,
            world: World {
                port: None,
                withdrawn: Vec::new(),
                asked: Vec::new(),
            },
        }
    }

    /// The end `role` says a line, of which the address is all that is held; what is
    /// sent in its place, if anything is. It is given `port`.
    fn announces(
        &mut self,
        role: usize,
        line: impl AsRef<[u8]>,
        port: Option<u16>,
    ) -> Option<String> {
        self.world.port = port;
        self.session.line[role] = Line::mid_stream_at_start();
        let mut run = Box::new(Run::new());
        run.role = role as u32;
        for &byte in line.as_ref() {
            let fed = self.session.line[role].feed(role, byte);
            let half = &mut self.session.half[role];
            match fed.step {
                Step::Hold => {
                    if half.held_len == 0 {
                        half.telnet_len = 0;
                    }
                    if fed.telnet {
                        half.telnet[usize::from(half.telnet_len)] = byte;
                        half.telnet_len += 1;
                    }
                    half.held[usize::from(half.held_len)] = byte;
                    half.held_len += 1;
                    half.in_nxt = half.in_nxt.plus(1);
                }
                Step::Release => {
                    run.releasing = byte;
                    run.kind = self.session.line[role].kind(role) as u8;
                    let edits = Some(&mut *self.edits);
                    release(&mut run, &mut self.session, edits, &mut self.world);
                }
                _ => {}
            }
        }
        let edit = self.edits.slot.get(run.emit_slot as usize)?;
        let text = &edit.text[..usize::from(edit.len)];
        Some(String::from_utf8_lossy(text).into_owned())
    }

    fn pending(&self) -> Vec<(u8, u16)> {
        let pending = self.session.pending.iter();
        pending.map(|a| (a.role, a.port.get())).collect()
    }
}

#[test]
fn a_later_announcement_takes_the_place_of_an_earlier_one() {
    let mut stage = Stage::new();
    let sent = stage.announces(CLIENT, "PORT 10,0,0,1,30,4\r\n", Some(5000));
    assert_eq!(sent.as_deref(), Some("30,0,0,1,19,136\r"));
    assert_eq!(stage.pending(), [(0, 5000)]);
    assert!(stage.world.withdrawn.is_empty());
    stage.announces(CLIENT, "PORT 10,0,0,1,30,5\r\n", Some(5001));
    assert_eq!(stage.pending(), [(0, 5001)]);
    assert_eq!(stage.world.withdrawn, [(CLIENT, 5000)]);
    // One with which a transfer was asked for is still needed.
    stage.session.requests.push(Request::Transfer);
    stage.announces(CLIENT, "PORT 10,0,0,1,30,6\r\n", Some(5002));
    assert_eq!(stage.pending(), [(0, 5001), (0, 5002)]);
    // It may be the server's, too.
    stage.session.requests.push(Request::Passive);
    let reply = "227 (10,0,0,2,30,7)\r\n";
    let sent = stage.announces(SERVER, reply, Some(5003));
    assert_eq!(sent.as_deref(), Some("(30,0,0,2,19,139)"));
    assert_eq!(stage.pending(), [(0, 5001), (1, 5003)]);
    assert_eq!(stage.session.announcements, 4);
    assert_eq!(stage.session.last_kind, Kind::Pasv as u8);
    assert_eq!(stage.session.refusals, 0);
}

#[test]
fn without_a_port_nothing_is_announced() {
    let mut stage = Stage::new();
    let sent = stage.announces(CLIENT, "PORT 10,0,0,1,30,4\r\n", None);
    assert_eq!(sent, None);
    assert!(stage.pending().is_empty());
    assert_eq!(stage.session.refusals, 1);
    assert_eq!(stage.session.announcements, 0);
    // What may not be announced is asked no port for.
    for line in ["PORT 10,0,0,9,30,4\r\n", "PORT 10,0,0,1,3,255\r\n"] {
        let sent = stage.announces(CLIENT, line, Some(5000));
        assert_eq!(sent, None, "{line}");
    }
    assert_eq!(stage.world.asked.len(), 1);
    assert_eq!(stage.session.refusals, 3);
    assert_eq!(
        stage.session.last_refusal,
        Counter::RefusedPort as u16 + 1,
        "the last one's reason"
    );
}

/// An edit says all of itself: its place in the ring has been another's.
#[test]
fn nothing_is_left_of_the_edit_that_was_there_before() {
    let mut stage = Stage::new();
    stage.announces(CLIENT, "PORT 10,0,0,1,30,4\r\n", Some(5000));
    let edit = &stage.edits.slot[0];
    assert_eq!((edit.in0, edit.in1), (Seq(1000), Seq(1014)));
    assert_eq!((edit.out0, edit.out1()), (Seq(1000), Seq(1016)));
    assert_eq!((edit.len, edit.k, edit.fin), (16, 0, 0));
    let half = &stage.session.half[CLIENT];
    assert_eq!((half.edits_len, half.held_len, half.shift()), (1, 0, 2));
    assert_eq!((half.last, half.flags & HALF_LAST), (b'\r', HALF_LAST));
    assert_ne!(half.flags & HALF_SHIFTED, 0);
}

/// Where the address is right as it is the port's own is the best one; else one is
/// wanted that keeps the length.
#[test]
fn a_port_is_wanted_that_keeps_the_length() {
    for (line, port, told, wanted) in [
        ("PORT 10,0,0,1,30,4\r\n", 7684, [30, 0, 0, 1], 4),
        ("PORT 10,0,0,1,130,204\r\n", 33_484, [30, 0, 0, 1], 7),
        ("PORT 10,0,0,1,30,4\r\n", 7684, [130, 0, 0, 1], 3),
        ("PORT 10,0,0,1,30,4\r\n", 7684, [130, 110, 110, 1], 0),
        ("PORT 10,0,0,1,30,4\r\n", 7684, [10, 0, 0, 1], 0),
        ("EPRT |1|10.0.0.1|7684|\r\n", 7684, [30, 0, 0, 1], 4),
    ] {
        let mut stage = Stage::new();
        stage.session.told[CLIENT] = Addr::from_v4(told);
        stage.announces(CLIENT, line, Some(5000));
        assert_eq!(stage.world.asked, [(port, wanted)], "{line}");
    }
    // Free text makes up for any difference.
    for (text, wanted) in [("Entering (", 4), ("Passive Mode ", ANY_LENGTH)] {
        let mut stage = Stage::new();
        stage.session.requests.push(Request::Passive);
        let line = format!("227 {text}10,0,0,2,30,4)\r\n");
        stage.announces(SERVER, &line, Some(5000));
        assert_eq!(stage.world.asked, [(7684, wanted)], "{line}");
    }
}

/// Telnet sequences within an address stay, behind it: they are none of its digits.
#[test]
fn telnet_bytes_are_no_part_of_the_wanted_length() {
    let lines: [(usize, &[u8], _, _); 5] = [
        (
            CLIENT,
            b"PORT 10,0,0,1,30\xff\xf1,4\r\n",
            4,
            "\u{fffd}\u{fffd}\r",
        ),
        (
            CLIENT,
            b"PORT 1\xff\xf10,0,0,1,130,2\xff\xfb\x0104\r\n",
            7,
            "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{1}\r",
        ),
        (
            CLIENT,
            b"EPRT |1|10.0.0.1|76\xff\xf184|\r\n",
            4,
            "\u{fffd}\u{fffd}|",
        ),
        (
            SERVER,
            b"227 Entering (10,0,0,2,30\xff\xf1,4)\r\n",
            4,
            "\u{fffd}\u{fffd})",
        ),
        (
            SERVER,
            b"227 Passive Mode 10,0,0,2,30\xff\xf1,4)\r\n",
            ANY_LENGTH,
            "\u{fffd}\u{fffd})",
        ),
    ];
    for (role, line, wanted, end) in lines {
        let mut stage = Stage::new();
        stage.session.told = [1, 2].map(|last| Addr::from_v4([30, 0, 0, last]));
        stage.session.requests.push(Request::Passive);
        let sent = stage.announces(role, line, Some(5000)).unwrap();
        let asked: Vec<_> = stage
            .world
            .asked
            .iter()
            .map(|&(_, wanted)| wanted)
            .collect();
        let line = String::from_utf8_lossy(line);
        assert_eq!(asked, [wanted], "{line}");
        assert!(sent.ends_with(end), "{line}: {sent:?}");
        assert_eq!(stage.session.half[role].held_len, 0);
    }
}
