//! What stands in lines: Telnet, bytes of all kinds, greetings.

use super::{LINE, packet};
use crate::{gateway::Gateway, splits::plain};
use ftp_nat_common::{
    counter::Counter,
    line::Request,
    session::{CLIENT, SERVER},
};

#[test]
fn telnet_sequences_in_an_address_are_kept_behind_it() {
    for (count, rewritten) in [(1, true), (4, true), (5, false)] {
        let stream = [
            b"PORT 10,10,0,1,30",
            &b"\xff\xf1".repeat(count)[..],
            b",4\r\n",
        ]
        .concat();
        let mut setting = plain(CLIENT, false, 0);
        while setting.port(stream.len() - 2, 7684) == Some(7684)
            || setting.port(stream.len() - 2, 7684).is_none()
        {
            setting.salt += 3;
        }
        for cut in 1..stream.len() {
            let mut gateway = Gateway::new(setting.clone(), &stream);
            let mut out = Vec::new();
            for part in [packet(0, &stream[..cut]), packet(cut, &stream[cut..])] {
                let Some(sent) = gateway.near_sends(&part) else {
                    panic!("dropped")
                };
                out.truncate(sent.at as usize);
                out.extend(sent.data);
            }
            assert_eq!(out, gateway.plan.output);
            assert_eq!(
                gateway.plan.rewrites.len(),
                usize::from(rewritten),
                "{count}"
            );
        }
    }
}

#[test]
fn eight_telnet_bytes_in_an_address_are_kept_and_nine_are_not() {
    let with = |telnet: &[u8]| [b"PORT 10,10", telnet, b",0,1,30,4\r\n"].concat();
    let nop = b"\xff\xf1";
    let nine = [nop.repeat(3), b"\xff\xfb\x01".to_vec()].concat();
    for (line, rewrites) in [(with(&nop.repeat(4)), 1), (with(&nine), 0)] {
        let mut gateway = Gateway::new(plain(CLIENT, false, 2), &line);
        let sent = gateway.near_sends(&packet(0, &line)).expect("the line");
        assert_eq!(gateway.count(Counter::Rewrites), rewrites);
        if rewrites == 0 {
            assert_eq!(sent.data, line);
        } else {
            let behind = sent.data.len() - 2 - 8;
            assert_eq!(
                sent.data[behind..],
                *b"\xff\xf1\xff\xf1\xff\xf1\xff\xf1\r\n"
            );
        }
    }
}

/// Bytes are no text in any character set, and a line has no longest length: what
/// stands behind it is read all the same.
#[test]
fn eight_bit_text_nul_and_long_lines_hide_nothing() {
    let long = [b"SITE ".as_slice(), &b"x,1".repeat(20_000), b"\r\n"].concat();
    for before in [
        b"CWD caf\xc3\xa9\r\n".as_slice(),
        b"RETR \x80\xfe\x00\x1b\r\0x\r\n",
        &long,
    ] {
        let stream = [before, LINE].concat();
        let mut gateway = Gateway::new(plain(CLIENT, false, 2), &stream);
        let mut got = Vec::new();
        let mut at = 0;
        while at < stream.len() {
            let part = packet(at, &stream[at..stream.len().min(at + 100)]);
            got.extend(gateway.near_sends(&part).expect("it passes").data);
            at = gateway.offset(gateway.half().in_nxt) as usize;
        }
        // Whether a port could be had or not, it was asked for.
        let session = &gateway.session;
        assert_eq!(session.announcements + session.refusals, 1);
        assert_eq!(got[..before.len()], *before);
    }
}

/// A client may speak before it is greeted.
#[test]
fn the_greeting_answers_nothing() {
    for greeting in [
        "220 Hi\r\n",
        "220-Hi\r\n220-220 x\r\n220 Ho\r\n",
        "120 Soon\r\n220 Hi\r\n",
    ] {
        let stream = format!("{greeting}331 Password\r\n500 No\r\n");
        let mut setting = plain(SERVER, false, 0);
        setting.passive = 0;
        let mut server = Gateway::new(setting, stream.as_bytes());
        server.session.requests.push(Request::Other);
        server.session.requests.push(Request::Active);
        let at = greeting.len();
        server.near_sends(&packet(0, greeting.as_bytes()));
        assert_eq!(
            server.session.requests.front(),
            Request::Other,
            "{greeting}"
        );
        server.near_sends(&packet(at, b"331 Password\r\n"));
        assert_eq!(
            server.session.requests.front(),
            Request::Active,
            "{greeting}"
        );
        server.near_sends(&packet(at + 14, b"500 No\r\n"));
        assert!(server.session.requests.is_empty(), "{greeting}");
    }
}
