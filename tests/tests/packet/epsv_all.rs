//! After an accepted `EPSV ALL` (RFC 2428 section 4) nothing but the reply to an
//! EPSV is looked at for an address; the numbers stay shifted.

use ftp_nat_common::{
    counter::Counter as C,
    session::{CLIENT, SESSION_EPSV_ALL},
};

use crate::{
    bench::{At, Bench, Loaded},
    connection::Connection,
    hosts::{Family, GATEWAY},
    table::{play, row},
};

const PORT: &str = "PORT 10,10,0,1,30,4\r\n";

fn epsv_all(bench: &mut Loaded, c: &mut Connection, answer: &str) -> bool {
    c.client_says(bench, "EPSV ALL\r\n");
    c.server_says(bench, answer);
    bench.session().flags & SESSION_EPSV_ALL != 0
}

#[test]
fn nothing_but_a_229_announces_behind_epsv_all() {
    let mut bench = Bench::new();
    let mut c = Connection::published(Family::V4, GATEWAY);
    c.establish(&mut bench);
    assert!(epsv_all(&mut bench, &mut c, "200 Ok\r\n"));
    let at = c.client_hooks().0;
    // Not even one byte at a time: nothing is held.
    for part in [PORT, "PORT 10,1", "0,0,1,3", "0,4\r\n", "PASV\r\n"] {
        let counts: &[C] = if part.ends_with("4\r\n") {
            &[C::RefusedUnsolicited]
        } else {
            &[]
        };
        let sent = c.client_packet().payload(part);
        play(&mut bench, [row(part, at, sent).counts(counts)]);
        c.client_next = c.client_next.wrapping_add(part.len() as u32);
    }
    let reply = "227 Entering Passive Mode (10,10,0,5,30,4)\r\n";
    let sent = c.server_packet().payload(reply);
    play(
        &mut bench,
        [row("227", c.server_hooks().0, sent).counts(&[C::RefusedUnsolicited])],
    );
    c.server_next = c.server_next.wrapping_add(reply.len() as u32);
    assert!(bench.expectations().is_empty());
    let session = bench.session();
    assert_eq!(session.refusals, 3);
    assert_eq!(session.last_refusal, C::RefusedUnsolicited as u16 + 1);
    // What remains allowed.
    c.client_says(&mut bench, "EPSV\r\n");
    c.server_says(&mut bench, "229 Extended (|||7684|)\r\n");
    assert_eq!(bench.expectations().len(), 1);
}

#[test]
fn a_refused_epsv_all_changes_nothing() {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(&mut bench);
    assert!(!epsv_all(&mut bench, &mut c, "501 No\r\n"));
    c.client_says(&mut bench, PORT);
    assert_eq!(bench.expectations().len(), 1);
}

/// The numbers of a shifted connection stay what they are to each end.
#[test]
fn the_shift_stays_behind_epsv_all() {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(&mut bench);
    // `4,0` is too short for a port of the same length.
    c.client_says(&mut bench, "PORT 10,10,0,1,4,0\r\n");
    c.server_says(&mut bench, "200 Ok\r\n");
    let shift = bench.session().half[CLIENT].shift();
    assert!(shift > 0);
    assert!(epsv_all(&mut bench, &mut c, "200 Ok\r\n"));
    let sent = c.client_packet().payload(PORT);
    let seq = c.client_next.wrapping_add_signed(shift);
    let moved = sent.clone().seq(seq);
    let at: At = c.client_hooks().0;
    play(
        &mut bench,
        [row("shifted", at, sent)
            .becomes(moved)
            .counts(&[C::RefusedUnsolicited])],
    );
}
