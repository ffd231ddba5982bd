//! Who reads the events is woken by the first of those that are unread, and again
//! when they are many: a transfer has eight of them.

use ftp_nat_common::{event::LONG, layout::size};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::{
    bench::Bench,
    connection::Connection,
    hosts::{Family, GATEWAY},
};

/// Bytes that a record takes of the ring buffer more than its own.
const HEADER: usize = 8;

#[test]
fn a_reader_is_woken_once_and_again_by_many() {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(&mut bench);
    let mut ring = bench.events();
    let mut read = || {
        let mut bytes = 0;
        while let Some(record) = ring.next() {
            bytes += (record.len() + HEADER).next_multiple_of(8);
        }
        bytes
    };
    read();
    let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
    let edges = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0);
    let same = bench.events();
    epoll.add(&same, edges).unwrap();
    let woken = || {
        let mut one = [EpollEvent::empty()];
        epoll.wait(&mut one, EpollTimeout::ZERO).unwrap() > 0
    };
    assert!(!woken(), "nothing is unread");

    let mut request = || {
        c.client_says(&mut bench, "RETR a\r\n");
    };
    request();
    assert!(woken(), "by the first one");
    let mut more = 0;
    while !woken() {
        request();
        more += 1;
        assert!(more < size::EVENTS, "by none of many");
    }
    // One of sixteen looks, by chance: that 400 of them don't is one case of 10^11.
    let (half, unread) = (size::EVENTS as usize / 2, read());
    assert!(
        (half..half + 400 * LONG).contains(&unread),
        "{unread} bytes were unread"
    );
    request();
    assert!(woken(), "by the first one of those that come after");
    request();
    assert!(!woken(), "by the second one");
}
