//! Segments that come again with other bytes in them: what was read of the
//! first copy holds.

use crate::{
    bench::{Bench, Loaded},
    connection::{Connection, passed},
    hosts::{Family, GATEWAY},
    table::{play, row},
};

fn session(bench: &mut Loaded) -> Connection {
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(bench);
    c
}

#[test]
fn what_a_second_copy_says_is_not_read() {
    let mut bench = Bench::new();
    let mut c = session(&mut bench);
    c.client_says(&mut bench, "PORT 10,10,0,1,30,4\r\n");
    assert_eq!(bench.expectations().len(), 1);
    let first = c.client_packet();
    c.client_says(&mut bench, "NOOP 10,10,0,1,30,5\r\n");
    let before = bench.session();
    for second in [
        "PORT 10,10,0,1,30,5\r\n",
        "QUIT\r\nPORT 10,10,0,1,",
        "ABOR\r\nAUTH TLS\r\n",
        "GET / HTTP/1.1\r\n",
        "\u{16}\u{3}\u{1}",
    ] {
        let sent = first.clone().payload(second);
        let at = c.client_hooks().0;
        play(&mut bench, [row(second, at, sent)]);
    }
    let after = bench.session();
    assert_eq!(after.line, before.line);
    assert_eq!(after.requests, before.requests);
    assert_eq!(after.flags, before.flags);
    assert_eq!(bench.expectations().len(), 1);
    // The stream goes on where the first copy ended.
    c.client_says(&mut bench, "PORT 10,10,0,1,30,6\r\n");
    assert_eq!(bench.session().announcements, 2);
}

#[test]
fn a_second_copy_of_an_edit_is_the_first_one() {
    let mut bench = Bench::new();
    let mut c = session(&mut bench);
    let packet = c.client_packet();
    let out = c.client_says(&mut bench, "PORT 10,10,0,1,30,4\r\n");
    let text = out.payload().to_vec();
    for second in ["PORT 10,10,0,1,99,9\r\n", "PORT 10,10,0,9,30,4\r\n"] {
        let again = passed(
            &mut bench,
            c.client_hooks().0,
            &packet.clone().payload(second),
        );
        assert_eq!(again.payload(), text, "{second}");
        assert_eq!(again.seq(), out.seq());
    }
    assert_eq!(bench.expectations().len(), 1);
    assert_eq!(bench.session().announcements, 1);
}

/// A text that is held is sent as it came first, whatever comes at its place later.
#[test]
fn a_second_copy_of_held_bytes_is_the_first_one() {
    let mut bench = Bench::new();
    let mut c = session(&mut bench);
    let start = c.client_packet();
    assert_eq!(
        c.client_says(&mut bench, "PORT 10,10,0,1,3").payload(),
        b"PORT "
    );
    let probe = passed(
        &mut bench,
        c.client_hooks().0,
        &start.seq(c.client_next.wrapping_sub(3)).payload("9,9"),
    );
    assert_eq!(probe.payload(), b" ", "nothing but a probe");
    c.client_says(&mut bench, "0,4\r\n");
    let expected = bench.expectations();
    assert_eq!(expected.len(), 1);
    assert_eq!(expected[0].1.near_port.get(), 30 * 256 + 4);
}
