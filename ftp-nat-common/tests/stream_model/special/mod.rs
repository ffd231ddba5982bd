//! Single situations, each worked out by hand.

mod beyond;
mod ends;
mod room;
mod text;
mod unread;

use crate::{
    gateway::{Ack, Gateway, Packet},
    splits::plain,
};
use ftp_nat_common::session::CLIENT;

const LINE: &[u8] = b"PORT 10,10,0,1,30,4\r\n";

fn packet(at: usize, data: &[u8]) -> Packet {
    Packet {
        at: at as i64,
        data: data.to_vec(),
        fin: false,
    }
}

fn ack(at: usize) -> Ack {
    Ack {
        at: at as i64,
        window: 1000,
        sacks: Vec::new(),
    }
}

/// A salt under which every announcement of `LINE`s is rewritten.
fn lines(n: usize) -> (Gateway, Vec<u8>) {
    let stream = LINE.repeat(n);
    for salt in 0.. {
        let gateway = Gateway::new(plain(CLIENT, false, salt), &stream);
        if gateway.plan.rewrites.len() == n {
            return (gateway, stream);
        }
    }
    unreachable!("some salt rewrites all")
}
