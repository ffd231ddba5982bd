//! The packet path: segments from near and acknowledgements from far, from
//! anywhere in the number space round the stream, in any order.
//!
//! near has one stream, but sends any part of it at any time, with garbage
//! where the engine must not look; far claims to have what it likes. The model
//! asserts its invariants round every packet. In the end both become honest,
//! and the stream must come to its end.

mod far;
mod near;
mod script;

use self::{
    far::Claims,
    script::{Op, Script},
};
use crate::{
    gateway::{Gateway, Setting},
    input::Input,
};
use ftp_nat_common::{
    line::Request,
    session::{CLIENT, SERVER, SESSION_GREETED},
};

/// A connection in the middle of a run.
struct Connection {
    gateway: Gateway,
    stream: Vec<u8>,
    /// Whether near's stream ends with a FIN that may be sent.
    fin: bool,
    /// How far near has sent, the FIN counted.
    max: usize,
    /// The highest acknowledgement that near was told.
    una: usize,
    claims: Claims,
}

/// The first bytes choose the setting, the others what happens.
pub fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let setting = setting(&mut input);
    let script = Script::read(&mut input, setting.role == SERVER);
    let live = setting.live;
    let told = std::env::var_os("FTP_NAT_TRACE").is_some();
    if told {
        println!("{setting:?}\n{}", script.stream.escape_ascii());
    }
    let mut connection = Connection {
        gateway: Gateway::new(setting, &script.stream),
        stream: script.stream,
        fin: script.fin,
        max: 0,
        una: 0,
        claims: Claims::default(),
    };
    // Announcements count, though the greeting may be among what is not seen.
    connection.gateway.session.flags |= SESSION_GREETED;
    for op in script.ops {
        if told {
            let half = connection.gateway.half();
            let at = |position| connection.gateway.offset(position);
            println!(
                "in {} held {} out {} acked {}: {op:?}",
                at(half.in_nxt),
                half.held_len,
                at(half.out_nxt),
                at(half.far_una)
            );
        }
        match op {
            Op::Send(segment) => connection.send(&segment),
            Op::Bare { from, distance } => connection.bare(from, distance),
            Op::Reset { from, distance } => connection.reset(from, distance),
            Op::Acknowledge(ack) => connection.acknowledge(&ack),
            Op::Capacity(capacity) => connection.gateway.setting.capacity = capacity,
            Op::Arm if live => connection.gateway.session.requests.push(Request::Passive),
            Op::Arm => {}
        }
    }
    connection.settle();
}

/// Sequence numbers begin somewhere ordinary, or shortly before a wrap of one
/// of their two orders.
fn setting(input: &mut Input) -> Setting {
    let (kind, place, salt, passive) = (input.byte(), input.byte(), input.byte(), input.byte());
    let role = if kind & 1 == 0 { CLIENT } else { SERVER };
    let back = u32::from(place >> 2) * 4;
    Setting {
        role,
        v6: role == CLIENT && kind & 2 != 0,
        isn: match place & 3 {
            0 => 1000,
            1 => 0u32.wrapping_sub(back),
            2 => (1 << 31) - back,
            _ => u32::from(place) << 24,
        },
        salt: u64::from(salt),
        capacity: 1460,
        passive: usize::from(passive % 14),
        no_edits: kind & 0x70 == 0x70,
        unread: role == SERVER && kind & 0x0c == 0x04,
        live: role == SERVER && kind & 0x0c == 0x08,
    }
}
