//! After `EPSV ALL` (RFC 2428 section 4): the numbers stay mapped, and nothing
//! but a 229 is looked at for an address.

use crate::{
    gateway::{Gateway, Packet},
    setting::Setting,
    splits::plain,
};
use ftp_nat_common::{
    counter::Counter,
    session::{CLIENT, SERVER, SESSION_EPSV_ALL},
};

/// What far is sent, and how much of it at each byte.
fn byte_by_byte(gateway: &mut Gateway, stream: &[u8], from: usize) -> Vec<u8> {
    let mut got = Vec::new();
    for (n, byte) in stream.iter().enumerate().skip(from) {
        let sent = gateway.near_sends(&Packet {
            at: n as i64,
            data: vec![*byte],
            fin: false,
        });
        got.extend(sent.map(|p| p.data).unwrap_or_default());
    }
    got
}

fn after_epsv_all(setting: Setting, stream: &[u8]) -> Gateway {
    let mut gateway = Gateway::new(setting, stream);
    // The plan knows nothing of `EPSV ALL`: these bytes stay as they are.
    gateway.plan.output = stream.to_vec();
    gateway.plan.rewrites.clear();
    gateway.session.flags |= SESSION_EPSV_ALL;
    gateway
}

#[test]
fn nothing_of_a_client_is_held_or_edited() {
    for line in [
        "PORT 10,10,0,1,30,4\r\n",
        "EPRT |1|10.10.0.1|7684|\r\n",
        "LPRT 4,4,10,10,0,1,2,30,4\r\n",
    ] {
        let mut gateway = after_epsv_all(plain(CLIENT, false, 0), line.as_bytes());
        let got = byte_by_byte(&mut gateway, line.as_bytes(), 0);
        assert_eq!(
            got,
            line.as_bytes(),
            "not a byte is held, so none is probed for"
        );
        let refused = usize::from(!line.starts_with('L'));
        assert_eq!(gateway.count(Counter::RefusedUnsolicited), refused);
        assert_eq!(gateway.session.refusals as usize, refused);
        assert!(gateway.edits.is_none());
    }
}

#[test]
fn nothing_of_a_227_is_held_or_edited() {
    let reply = b"227 Entering Passive Mode (10,10,0,1,30,4)\r\n";
    let mut gateway = after_epsv_all(plain(SERVER, false, 0), reply);
    assert_eq!(byte_by_byte(&mut gateway, reply, 0), reply);
    assert_eq!(gateway.count(Counter::RefusedUnsolicited), 1);
}

/// What the client had begun to say before the answer came stays its own.
#[test]
fn what_is_held_already_comes_out_as_it_is() {
    let line = b"PORT 10,10,0,1,30,4\r\nPORT 10,10,0,1,30,5\r\n";
    for cut in 6..19 {
        let mut gateway = Gateway::new(plain(CLIENT, false, 0), line);
        gateway.plan.output = line.to_vec();
        gateway.plan.rewrites.clear();
        let mut got = byte_by_byte(&mut gateway, &line[..cut], 0);
        got.truncate(5);
        assert!(gateway.half().held_len > 0, "{cut}");
        gateway.session.flags |= SESSION_EPSV_ALL;
        let rest = gateway.near_sends(&Packet {
            at: cut as i64,
            data: line[cut..].to_vec(),
            fin: false,
        });
        got.extend(rest.map(|p| p.data).unwrap_or_default());
        assert_eq!(got, line, "{cut}");
        assert_eq!(gateway.count(Counter::RefusedUnsolicited), 2);
    }
}

#[test]
fn a_229_is_still_translated() {
    let stream = b"220 Hi\r\n229 Entering Extended Passive Mode (|||7684|)\r\n";
    let gateway = (0..).map(|salt| Gateway::new(plain(SERVER, false, salt), stream));
    let mut gateway = gateway
        .into_iter()
        .find(|g| g.plan.rewrites.len() == 1)
        .unwrap();
    gateway.session.flags |= SESSION_EPSV_ALL;
    let sent = gateway.near_sends(&Packet {
        at: 0,
        data: stream.to_vec(),
        fin: false,
    });
    assert_eq!(sent.map(|p| p.data), Some(gateway.plan.output.clone()));
    assert_eq!(gateway.count(Counter::Rewrites), 1);
}
