//! An interface that was removed and made anew has another number.

use ftp_nat_common::layout::{INTERFACE_LAN, Interface, map};

use crate::{
    bench::Bench,
    connection::Connection,
    hosts::{Family, GATEWAY},
};

#[test]
fn a_session_follows_its_interface() {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(&mut bench);
    let (lan, wan) = (bench.lan, bench.wan);
    assert_eq!(bench.session().ifindex, [lan, wan]);
    // Both were others before.
    let mut session = bench.session();
    session.ifindex = [901, 902];
    bench.insert(map::SESSIONS, session.id, session);
    for (was, flags, moved_to) in [(901, INTERFACE_LAN, lan), (902, 0, wan)] {
        let interface = Interface {
            flags,
            moved_to,
            ..Interface::default()
        };
        bench.insert(map::INTERFACES, was, interface);
    }
    c.client_says(&mut bench, "PORT 10,10,0,1,30,4\r\n");
    assert_eq!(bench.session().ifindex, [lan, wan]);
    let (_, expected) = bench.expectations()[0];
    assert_eq!((expected.near_ifindex, expected.far_ifindex), (lan, wan));
    bench.empty::<u32, Interface>(map::INTERFACES);
}

#[test]
fn an_interface_that_is_gone_changes_nothing() {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(&mut bench);
    let before = bench.session().ifindex;
    bench.empty::<u32, Interface>(map::INTERFACES);
    c.client_says(&mut bench, "PORT 10,10,0,1,30,4\r\n");
    assert_eq!(bench.session().ifindex, before);
}
