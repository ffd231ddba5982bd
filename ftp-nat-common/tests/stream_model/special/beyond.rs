//! Acknowledgements of what was not seen.

use super::{LINE, lines, packet};
use crate::{gateway::Gateway, splits::plain};
use ftp_nat_common::{
    seq::Seq,
    session::CLIENT,
    stream::egress::{Acked, acknowledge},
};

/// far acknowledges more than it was sent, while text is held: near has sent that
/// much, but of the text behind the held one nothing can have passed.
#[test]
fn nothing_is_taken_over_while_text_is_held() {
    let stream = [LINE, LINE].concat();
    let mut gateway = Gateway::new(plain(CLIENT, false, 2), &stream);
    assert!(gateway.near_sends(&packet(0, &stream[..9])).is_some());
    assert_eq!(gateway.near_sends(&packet(12, &stream[12..40])), None);
    let before = *gateway.half();
    assert_eq!(before.held_len, 4);
    let ack = before.out_nxt.plus(3);
    let (half, line) = (
        &mut gateway.session.half[CLIENT],
        &mut gateway.session.line[CLIENT],
    );
    let acked = acknowledge(half, line, gateway.edits.as_deref(), ack);
    assert_eq!((acked, *half), (Acked::Beyond, before));
}

#[test]
fn an_ack_beyond_what_near_sent_is_not_taken_over() {
    let (mut gateway, stream) = lines(1);
    assert!(gateway.near_sends(&packet(0, &stream)).is_some());
    let beyond = gateway.half().out_nxt.plus(1);
    let (half, line) = (
        &mut gateway.session.half[CLIENT],
        &mut gateway.session.line[CLIENT],
    );
    let before = *half;
    assert_eq!(
        acknowledge(half, line, gateway.edits.as_deref(), beyond),
        Acked::Beyond
    );
    assert_eq!(*half, before);
    // What near sent beyond a hole that the helper never saw filled is.
    assert_eq!(
        gateway.near_sends(&packet(stream.len() + 4, b"NOOP\r\n")),
        None
    );
    // What is sent again meanwhile doesn't make it less.
    assert!(gateway.near_sends(&packet(0, &stream)).is_some());
    let (half, line) = (
        &mut gateway.session.half[CLIENT],
        &mut gateway.session.line[CLIENT],
    );
    let end = half.out_nxt.plus(10);
    let next: Seq = half.in_nxt.plus(10);
    assert_eq!(
        acknowledge(half, line, gateway.edits.as_deref(), end),
        Acked::Resynced(next)
    );
    assert!(!line.at_start(), "its end isn't known to be a line's");
}
