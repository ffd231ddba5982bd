//! Ports of the list that is never opened, and for whom.

use ftp_nat_common::{counter::Counter as C, layout::SETTING_DENY_SERVERS};

use crate::{
    bench::Bench,
    connection::Connection,
    hosts::{Family, GATEWAY},
    table::{play, row},
};

/// The ports that a tricked browser would open.
#[test]
fn a_denied_port_is_not_opened() {
    let mut bench = Bench::new();
    for (number, text, denied) in [
        (6378, "24,234", false),
        (6379, "24,235", true),
        (6380, "24,236", false),
    ] {
        bench.clear();
        bench.deny(6379);
        let mut c = Connection::masqueraded(Family::V4, GATEWAY);
        c.establish(&mut bench);
        let line = format!("PORT 10,10,0,1,{text}\r\n");
        if denied {
            let sent = c.client_packet().payload(&line);
            let refused = [C::RefusedPort];
            play(
                &mut bench,
                [row("denied", c.client_hooks().0, sent).counts(&refused)],
            );
            assert_eq!(bench.session().last_refusal, C::RefusedPort as u16 + 1);
        } else {
            c.client_says(&mut bench, &line);
        }
        let opened = usize::from(!denied);
        assert_eq!(bench.expectations().len(), opened, "{number}");
    }
}

/// A server's reply names a port that it has opened itself.
#[test]
fn a_denied_port_is_opened_for_a_server_unless_that_is_denied_too() {
    let mut bench = Bench::new();
    for denied in [false, true] {
        bench.clear();
        bench.deny(7684);
        if denied {
            bench.settings(|s| s.flags |= SETTING_DENY_SERVERS);
        }
        let mut c = Connection::published(Family::V4, GATEWAY);
        c.establish(&mut bench);
        c.client_says(&mut bench, "EPSV\r\n");
        let reply = "229 Entering Extended Passive Mode (|||7684|)\r\n";
        if denied {
            let sent = c.server_packet().payload(reply);
            play(
                &mut bench,
                [row("229", c.server_hooks().0, sent).counts(&[C::RefusedPort])],
            );
        } else {
            c.server_says(&mut bench, reply);
        }
        assert_eq!(bench.expectations().len(), usize::from(!denied));
    }
}
