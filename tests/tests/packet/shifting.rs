//! What follows an edit: sequence numbers, acknowledgements, SACK blocks.
//!
//! ```text
//!   CLIENT  21 bytes "PORT 10,10,0,1,30,4"   -> ingress -> 22 bytes  SERVER
//!           seq of all that follows          -> ingress -> +1
//!           ack, SACK edges            -1 <- egress  <-
//! ```

use ftp_nat_common::{counter::Counter as C, tcp::flag};

use crate::{
    bench::{At, Bench},
    connection::Connection,
    gateway::blocks,
    hosts::{Family, GATEWAY},
    packet::Packet,
    table::{play, row},
};

const OLD: &str = "PORT 10,10,0,1,30,4\r\n";
const NEW: &str = "PORT 61,144,1,2,30,4\r\n";
/// SACK blocks.
type Blocks = &'static [(u32, u32)];
/// Where the address begins, and the byte behind it.
const TEXT: std::ops::Range<u32> = 5..19;

/// A session whose client has said PORT: one byte more reached the server.
/// Positions in the tests count from the line's first byte.
struct Shifted {
    bench: Bench,
    c: Connection,
    /// Where the line begins in both views.
    start: u32,
}

fn shifted() -> Shifted {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY).numbered(u32::MAX - 20, 99);
    c.establish(&mut bench);
    bench.only_port(7684);
    let start = c.client_next;
    let said = c.client_says(&mut bench, OLD);
    assert_eq!(said.payload(), NEW.as_bytes());
    Shifted { bench, c, start }
}

impl Shifted {
    fn client(&self, at: i32) -> Packet {
        self.c
            .client_packet()
            .seq(self.start.wrapping_add_signed(at))
    }

    /// What the server acknowledges, on its way to the client.
    fn to_client(&self, at: i32) -> Packet {
        let packet = self
            .c
            .server_packet()
            .ack(self.start.wrapping_add_signed(at));
        self.c.to_client(&packet)
    }

    fn at(&self, n: u32) -> u32 {
        self.start.wrapping_add(n)
    }

    fn ingress(&self) -> At {
        self.c.client_hooks().0
    }

    fn egress(&self) -> At {
        self.c.server_hooks().1
    }
}

#[test]
fn whatever_the_client_sends_next_is_shifted() {
    let mut s = shifted();
    let at = s.ingress();
    let by_one = |p: &Packet| p.clone().seq(p.seq.wrapping_add(1));
    let line = s.client(21).payload("NOOP\r\n");
    let odd = s.client(27).payload("X").timestamps(3, 4);
    let ack = s.client(28);
    let keep_alive = s.client(27);
    let garbage = s.client(27).payload("?");
    let reset = s.client(28).flags(flag::RST);
    let fin = s.client(28).payload("Y").fin();
    let fin_alone = s.client(29).fin();
    let behind = s.client(30);
    play(
        &mut s.bench,
        [
            row("a line", at, line.clone()).becomes(by_one(&line)),
            row("with timestamps", at, odd.clone()).becomes(by_one(&odd)),
            row("a pure ack", at, ack.clone()).becomes(by_one(&ack)),
            row("a keep-alive", at, keep_alive.clone()).becomes(by_one(&keep_alive)),
            row("one with a byte", at, garbage.clone()).becomes(by_one(&garbage)),
            row("RST closes the pinhole", at, reset.clone())
                .becomes(by_one(&reset))
                .counts(&[C::ExpectationsWithdrawn]),
            row("FIN with data", at, fin.clone()).becomes(by_one(&fin)),
            row("FIN again, alone", at, fin_alone.clone()).becomes(by_one(&fin_alone)),
            row("an ack behind it", at, behind.clone()).becomes(by_one(&behind)),
            row("data behind the FIN", at, behind.payload("Z"))
                .drops()
                .counts(&[C::DroppedBadSegment]),
        ],
    );
}

#[test]
fn a_hole_before_a_line_is_waited_for() {
    let mut s = shifted();
    let at = s.ingress();
    let early = s.client(27).payload("NOOP\r\n");
    play(
        &mut s.bench,
        [row("beyond a hole", at, early)
            .drops()
            .counts(&[C::DroppedOutOfOrder])],
    );
}

#[test]
fn a_retransmission_carries_the_same_bytes() {
    let mut s = shifted();
    let at = s.ingress();
    let whole = s.client(0).payload(OLD);
    let front = s.client(0).payload(&OLD[..5]);
    let inside = s.client(10).payload(&OLD[10..]);
    let tail = s.client(20).payload(&OLD[20..]);
    let more = s.client(0).payload(OLD.to_owned() + "NOOP\r\n");
    // From inside the address on, the whole address is sent again.
    let replay = s.client(5).payload(&NEW[5..]);
    play(
        &mut s.bench,
        [
            row("the whole line", at, whole.clone()).says(NEW),
            row("its front", at, front),
            row("from inside the address", at, inside).becomes(replay),
            row("its tail", at, tail.clone()).becomes(tail.clone().seq(tail.seq.wrapping_add(1))),
            row("with what follows", at, more).says(NEW.to_owned() + "NOOP\r\n"),
            row("once more", at, whole).says(NEW),
        ],
    );
    assert_eq!(s.bench.count(C::ExpectationsMade), 1);
    assert_eq!(s.bench.count(C::Rewrites), 1);
}

#[test]
fn acknowledgements_come_back_by_the_same_shift() {
    let mut s = shifted();
    let at = s.egress();
    // Inside the new text nothing of the old one counts as received.
    for (ack, told) in [(0, 0), (5, 5), (6, 5), (12, 5), (20, 5), (21, 20), (22, 21)] {
        let sent = s.to_client(ack);
        let out = s.to_client(told);
        play(
            &mut s.bench,
            [row(format!("ack {ack}"), at, sent).becomes(out)],
        );
    }
    let (beyond, old) = (s.to_client(5_000), s.to_client(3));
    let told = s.to_client(2);
    play(
        &mut s.bench,
        [
            row("beyond all that was sent", at, beyond).counts(&[C::AckBeyondSent]),
            // The edit is forgotten: all that is old maps by the shift.
            row("an old one, late", at, old).becomes(told),
        ],
    );
    assert!(s.bench.edits(s.bench.session().id, 0).is_none());
}

#[test]
fn data_from_the_server_is_untouched_but_for_its_ack() {
    let mut s = shifted();
    let (ingress, egress) = s.c.server_hooks();
    let reply =
        s.c.server_packet()
            .payload("200 Ok\r\n")
            .ack(s.at(22))
            .timestamps(5, 6);
    let out = s.c.to_client(&reply);
    let told = out.clone().ack(s.at(21));
    play(
        &mut s.bench,
        [
            row("at ingress", ingress, reply),
            row("at egress", egress, out).becomes(told),
        ],
    );
}

#[test]
fn sack_blocks_are_translated_and_duplicates_taken_out() {
    let mut s = shifted();
    // Two more lines, so that there is something to report.
    s.c.client_says(&mut s.bench, "NOOP\r\n");
    s.c.client_says(&mut s.bench, OLD);
    s.c.client_says(&mut s.bench, "LIST\r\n");
    // near: line 0..21, NOOP 21..27, line 27..48, LIST 48..54
    // far:  line 0..22, NOOP 22..28, line 28..50, LIST 50..56
    let cases: &[(Blocks, Blocks)] = &[
        (&[(22, 28)], &[(21, 27)]),
        (&[(50, 56)], &[(48, 54)]),
        (&[(22, 28), (50, 56)], &[(21, 27), (48, 54)]),
        (
            &[(50, 56), (22, 28), (24, 26)],
            &[(48, 54), (21, 27), (23, 25)],
        ),
        // Edges in the second address: a start goes up, an end goes down.
        (&[(36, 56)], &[(27 + TEXT.end + 1, 54)]),
        (&[(22, 40)], &[(21, 27 + TEXT.start)]),
        (&[(34, 40)], &[]),
        // D-SACK: below the acknowledgement, or within the second block.
        (&[(1, 3)], &[]),
        (&[(1, 3), (22, 28)], &[(21, 27)]),
        (&[(23, 25), (22, 28)], &[(21, 27)]),
        (&[(1, 3), (22, 28), (50, 56)], &[(21, 27), (48, 54)]),
        // As many as there is room for.
        (
            &[(25, 26), (22, 24), (50, 52), (54, 56)],
            &[(24, 25), (21, 23), (48, 50), (52, 54)],
        ),
        (
            &[(1, 3), (22, 24), (26, 28), (50, 56)],
            &[(21, 23), (25, 27), (48, 54)],
        ),
    ];
    let start = s.start;
    for (blocks_in, blocks_out) in cases {
        for lead in 0..=3 {
            for stamps in [false, true] {
                let len = lead + 2 + 8 * blocks_in.len() + if stamps { 12 } else { 0 };
                if len > 40 {
                    continue;
                }
                let edges = |b: &[(u32, u32)]| -> Vec<_> {
                    let at = |n: &u32| start.wrapping_add(*n);
                    b.iter().map(|(x, y)| (at(x), at(y))).collect()
                };
                let dress = |p: Packet| if stamps { p.timestamps(1, 2) } else { p };
                let sent = dress(s.to_client(5)).sack(lead, &edges(blocks_in));
                let out = crate::connection::passed(&mut s.bench, s.c.server_hooks().1, &sent);
                let got = blocks(out.options());
                assert_eq!(got, edges(blocks_out), "{blocks_in:?} behind {lead}");
                assert_eq!(out.ack(), s.at(5));
                // What is taken out leaves padding, and all else stays in its place.
                let mut rest = dress(s.to_client(5)).options(&vec![1; lead]);
                if !blocks_out.is_empty() {
                    rest = rest.sack(0, &edges(blocks_out));
                }
                let padding = 8 * (blocks_in.len() - blocks_out.len());
                let padding = padding + if blocks_out.is_empty() { 2 } else { 0 };
                rest = rest.options(&vec![1; padding]);
                let wanted = crate::packet::Parsed::of(&rest.bytes());
                assert_eq!(out.without_checksums(), wanted.without_checksums());
            }
        }
    }
}

#[test]
fn both_halves_shift_by_themselves() {
    let mut bench = Bench::new();
    let mut c = Connection::published(Family::V4, GATEWAY);
    c.establish(&mut bench);
    bench.only_port(7684);
    c.client_says(&mut bench, "PASV\r\n");
    let start = c.server_next;
    let said = c.server_says(&mut bench, "227 (10,10,0,5,30,4)\r\n");
    assert_eq!(said.payload(), b"227 (61,144,1,2,30,4)\r\n");
    let next = c.server_packet().payload("150 Ok\r\n");
    let shifted = next.clone().seq(next.seq.wrapping_add(1));
    // The client's acknowledgement goes the other way, to INNER_SERVER.
    let ack = c.client_packet().ack(start.wrapping_add(23));
    let out = c.to_server(&ack);
    let told = out.clone().ack(start.wrapping_add(22));
    play(
        &mut bench,
        [
            row("the server's next", c.server_hooks().0, next).becomes(shifted),
            row("the client's ack at ingress", c.client_hooks().0, ack),
            row("and at egress", c.client_hooks().1, out).becomes(told),
        ],
    );
}

/// A RST is never sent again: it passes though another CPU has the session.
#[test]
fn a_reset_does_not_wait_for_the_lock_for_ever() {
    let mut s = shifted();
    let mut locked = s.bench.session();
    locked.lock = 1;
    s.bench.enter(&locked);
    let (ingress, egress) = (s.ingress(), s.egress());
    let by_one = |p: &Packet| p.clone().seq(p.seq.wrapping_add(1));
    let reset = s.client(21).flags(flag::RST);
    let data = s.client(21).payload("NOOP\r\n");
    let to_client = s.to_client(22).flags(flag::RST | flag::ACK);
    let ack = s.to_client(22);
    let busy = [C::DroppedLockBusy];
    play(
        &mut s.bench,
        [
            row("data comes again", ingress, data).drops().counts(&busy),
            row("an ack is followed by others", egress, ack)
                .drops()
                .counts(&busy),
            row("RST", ingress, reset.clone()).becomes(by_one(&reset)),
            row("RST to the client", egress, to_client),
        ],
    );
}

#[test]
fn a_fin_in_the_middle_of_the_stream_is_taken_away() {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(&mut bench);
    let at = c.client_hooks().0;
    let whole = c.client_packet().payload("NOOP\r\n").fin();
    let part = c.client_packet().payload("NOO").fin();
    let rows = [
        row("the end", at, whole.clone()).becomes(whole),
        row("an earlier one", at, part).becomes(c.client_packet().payload("NOO")),
    ];
    play(&mut bench, rows);
}
