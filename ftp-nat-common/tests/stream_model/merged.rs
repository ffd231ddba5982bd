//! Packets merged on their way (GRO), as the kernel program handles them: the
//! first segment by itself, the others only if all can pass as they are.

use crate::{
    gateway::{Gateway, Packet},
    rng::Rng,
    splits::plain,
    streams,
};
use ftp_nat_common::{
    stream::ingress::{Begun, OUTPUT_MAX, Outcome, Segment, begin, finish},
    tcp::flag,
};

/// What far is sent in place of a merged packet of segments of `size` bytes.
pub fn merged(gateway: &mut Gateway, packet: &Packet, size: usize) -> Option<Packet> {
    if packet.data.len() <= size {
        return gateway.near_sends(packet);
    }
    let role = gateway.setting.role;
    let segment = Segment {
        seq: gateway.seq(packet.at),
        len: packet.data.len() as u32,
        flags: flag::ACK | if packet.fin { flag::FIN } else { 0 },
        capacity: gateway.setting.capacity as u32,
    };
    let edits = gateway.edits.as_deref();
    match begin(
        &mut gateway.run,
        &mut gateway.session,
        role,
        edits,
        &segment,
    ) {
        Begun::Parse => {}
        Begun::Done(Outcome::Untouched(seq)) => {
            return Some(Packet {
                at: gateway.offset(seq),
                ..packet.clone()
            });
        }
        Begun::Done(Outcome::Drop(_)) => return None,
        Begun::Done(other) => panic!("{other:?}"),
    }
    let first = Segment {
        len: size as u32,
        flags: flag::ACK,
        ..segment
    };
    gateway.run.first(first.len);
    gateway.parse(&packet.data);
    let outcome = finish(&mut gateway.run, &mut gateway.session.half[role], &first);
    let rebuilt = |gateway: &Gateway, seq, len: u32, fin| {
        let data = gateway.run.out[..len as usize].to_vec();
        Some(Packet {
            at: gateway.offset(seq),
            data,
            fin,
        })
    };
    match outcome {
        Outcome::Untouched(_) => {}
        Outcome::Rebuilt { seq, len, fin } => return rebuilt(gateway, seq, len, fin),
        Outcome::Probe { seq, byte } => {
            return Some(Packet {
                at: gateway.offset(seq),
                data: vec![byte],
                fin: false,
            });
        }
        Outcome::Drop(_) => return None,
    }
    let before = gateway.session;
    gateway.run.extend(segment.len, packet.fin);
    gateway.parse(&packet.data);
    let outcome = finish(&mut gateway.run, &mut gateway.session.half[role], &segment);
    if let Outcome::Untouched(seq) = outcome {
        return Some(Packet {
            at: gateway.offset(seq),
            ..packet.clone()
        });
    }
    gateway.session = before;
    rebuilt(gateway, gateway.run.out_seq, size as u32, false)
}

/// Sends a stream in merged packets of `burst` segments; far acknowledges.
fn send(stream: &[u8], salt: u64, size: usize, burst: usize) -> (usize, Gateway) {
    let mut gateway = Gateway::new(plain(0, false, salt), stream);
    let (mut una, mut got, mut packets) = (0, Vec::<u8>::new(), 0);
    while una <= stream.len() {
        let end = stream.len().min(una + size * burst);
        let data = stream[una.min(end)..end].to_vec();
        let packet = Packet {
            at: una as i64,
            data,
            fin: end == stream.len(),
        };
        let out = merged(&mut gateway, &packet, size);
        let Some(out) = out else {
            panic!("dropped at {una}")
        };
        if out.at as usize == got.len() {
            got.extend(&out.data);
        } else {
            assert!(
                out.end() as usize <= got.len(),
                "a gap, or an overlap with new data"
            );
        }
        let ended = out.fin && out.end() as usize == got.len() + 1;
        let ack = crate::gateway::Ack {
            at: got.len() as i64 + i64::from(ended),
            window: 1000,
            sacks: Vec::new(),
        };
        una = gateway
            .far_acks(&ack, end + usize::from(packet.fin), |_| true)
            .at as usize;
        packets += 1;
        assert!(packets < 4 * stream.len(), "no progress at {una}");
    }
    assert_eq!(
        String::from_utf8_lossy(&got),
        String::from_utf8_lossy(&gateway.plan.output)
    );
    (packets, gateway)
}

#[test]
fn merged_packets_arrive_exactly() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let stream = streams::random(&mut rng, true, false, 20);
        let size = rng.range(64, 200);
        // A stream that ends in an address sets it free with its FIN.
        send(&stream, seed, size, rng.range(2, 12));
    }
}

#[test]
fn a_merged_packet_with_nothing_to_edit_passes_whole_and_fast() {
    let stream = b"RETR a file with a rather long name\r\n".repeat(1600);
    assert!(stream.len() > 3 * OUTPUT_MAX);
    let (packets, _) = send(&stream, 0, 1448, 40);
    assert_eq!(packets, stream.len().div_ceil(1448 * 40));
}

#[test]
fn what_a_long_merged_packet_ends_with_does_not_spoil_its_beginning() {
    let mut stream = b"RETR a file with a rather long name\r\n".repeat(1200);
    stream.extend(b"PORT 10,10,0,1,30,4\r\n");
    send(&stream, 0, 1448, 40);
}

#[test]
fn a_line_in_a_merged_packet_is_not_read_twice() {
    // The address begins in the second segment: its first digit is met, put
    // back, and met again when near sends that segment once more.
    let mut stream =
        b"RETR a file with a rather long name and more of it to fill it up....\r\n".to_vec();
    stream.extend(b"PORT 10,10,0,1,30,4\r\nNOOP\r\n");
    for size in 64..stream.len() {
        let (_, gateway) = send(&stream, 3, size, 9);
        assert_eq!(gateway.plan.rewrites.len(), 1, "choose another salt");
    }
}
