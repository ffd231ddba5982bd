//! Every way to cut typical streams into two and three segments, with every
//! kind of trouble a cut can meet, at every place of the number space.

use crate::{
    far::Far,
    gateway::{Gateway, Packet, Setting},
    near::Habits,
    path::{Case, Weather, run},
};

/// A setting in which every announcement is rewritten to another length.
pub fn plain(role: usize, v6: bool, salt: u64) -> Setting {
    Setting {
        role,
        v6,
        isn: 1000,
        salt,
        capacity: 1460,
        passive: 4,
        no_edits: false,
        unread: false,
        live: false,
    }
}

const CLIENT: &[u8] = b"NOOP\r\nPORT 10,10,0,1,30,4\r\nLIST\r\n";
const CLIENT_V6: &[u8] = b"EPRT |2|2001:db8::1|7684|\r\nX\r\n";
/// A reply whose free text is held, too.
const WORDY: &[u8] = b"220 Hi\r\n227 Entering Passive Mode (10,10,0,1,30,4).\r\n";
const SERVER: &[u8] = b"220 Hi\r\n227 Ok 2 (10,10,0,1,30,4).\r\n229 (|||7684|)\r\n";

const STREAMS: [(usize, bool, &[u8]); 4] = [
    (0, false, CLIENT),
    (0, true, CLIENT_V6),
    (1, false, SERVER),
    (1, false, WORDY),
];

/// What happens to the segments of a split.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Trouble {
    /// Nothing: each is acknowledged.
    None,
    /// No acknowledgement comes until all is sent, then all is sent again at once.
    Silence,
    /// Each is lost behind the gateway, then all is sent again at once.
    LostOutside,
    /// Each is lost behind the gateway and sent again from its middle.
    LostOutsideShifted,
    /// Each is lost before the gateway the first time, while the next ones pass.
    LostInside,
}

/// Sends one packet through; whether far gets it is the caller's choice.
fn pass(
    gateway: &mut Gateway,
    far: &mut Far,
    packet: &Packet,
    snd_max: usize,
    lost: bool,
) -> usize {
    let out = gateway.near_sends(packet);
    let mut una = 0;
    if let Some(out) = out.filter(|_| !lost) {
        let ack = far
            .take(&out, 0)
            .or_else(|| far.tick(1000, &mut crate::rng::Rng::new(0)));
        if let Some(ack) = ack {
            una = gateway.far_acks(&ack, snd_max, |at| far.has(at)).at as usize;
        }
    }
    una
}

fn split(setting: &Setting, stream: &[u8], cuts: &[usize], fin: bool, trouble: Trouble) {
    let mut gateway = Gateway::new(setting.clone(), stream);
    let mut far = Far::new(true, 10_000, false);
    let mut bounds = vec![0];
    bounds.extend(cuts);
    bounds.push(stream.len());
    let mut parts: Vec<Packet> = bounds
        .windows(2)
        .map(|w| Packet {
            at: w[0] as i64,
            data: stream[w[0]..w[1]].to_vec(),
            fin: false,
        })
        .collect();
    let whole = stream.len() + usize::from(fin);
    if let Some(last) = parts.last_mut() {
        last.fin = fin;
    }
    let lost = trouble != Trouble::None && trouble != Trouble::LostInside;
    for (n, part) in parts.iter().enumerate() {
        if trouble == Trouble::LostInside && n == 0 {
            continue;
        }
        let sent = part.end() as usize;
        pass(
            &mut gateway,
            &mut far,
            part,
            sent,
            lost && trouble != Trouble::Silence,
        );
        if trouble == Trouble::LostOutsideShifted {
            let at = (part.at as usize + part.end() as usize) / 2;
            let data =
                stream[at.min(stream.len())..(part.end() as usize).min(stream.len())].to_vec();
            let again = Packet {
                at: at as i64,
                data,
                fin: part.fin,
            };
            pass(&mut gateway, &mut far, &again, sent, true);
        }
    }
    // What near does in the end in any case: it sends what isn't acknowledged.
    let mut una = 0;
    for _ in 0..6 {
        let rest = una.min(stream.len());
        let all = Packet {
            at: una as i64,
            data: stream[rest..].to_vec(),
            fin,
        };
        una = una.max(pass(&mut gateway, &mut far, &all, whole, false));
        if una == whole {
            break;
        }
    }
    assert_eq!(una, whole, "{cuts:?} {trouble:?}");
    let text = String::from_utf8_lossy(&far.received).into_owned();
    assert_eq!(
        text,
        String::from_utf8_lossy(&gateway.plan.output),
        "{cuts:?} {trouble:?}"
    );
    assert_eq!(far.fin, fin);
}

const TROUBLES: [Trouble; 5] = [
    Trouble::None,
    Trouble::Silence,
    Trouble::LostOutside,
    Trouble::LostOutsideShifted,
    Trouble::LostInside,
];

#[test]
fn every_split_into_two_and_three() {
    for (role, v6, stream) in STREAMS {
        // Salts under which the text grows, shrinks or stays.
        for salt in [0, 1, 2, 7] {
            let setting = plain(role, v6, salt);
            for trouble in TROUBLES {
                for a in 1..stream.len() {
                    split(&setting, stream, &[a], salt != 1, trouble);
                    for b in a + 1..stream.len() {
                        if (a + b) % 3 == salt as usize % 3 {
                            split(&setting, stream, &[a, b], salt != 1, trouble);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn every_place_of_the_sequence_space() {
    for (role, v6, stream) in STREAMS {
        for back in 0..stream.len() as u32 + 8 {
            for zero in [0u32, 1 << 31] {
                let setting = Setting {
                    isn: zero.wrapping_sub(back),
                    ..plain(role, v6, 2)
                };
                for trouble in TROUBLES {
                    split(
                        &setting,
                        stream,
                        &[stream.len() / 3, stream.len() / 2],
                        true,
                        trouble,
                    );
                }
            }
        }
    }
}

#[test]
fn byte_at_a_time_with_nagle_is_never_left_waiting() {
    for (role, v6, stream) in STREAMS {
        for sack in [false, true] {
            let report = run(&Case {
                stream: stream.to_vec(),
                setting: plain(role, v6, 2),
                habits: Habits {
                    mss: 536,
                    nagle: true,
                    sack,
                    fin: true,
                    garbage: false,
                    keep_alive: false,
                    restless: 0,
                    write: 1,
                    pause: 0,
                },
                inside: Weather::default(),
                outside: Weather::default(),
                buffer: 10_000,
                strict: true,
                seed: 1,
            });
            // A round trip, a delayed acknowledgement at most, and no time-out.
            let most = 10 * stream.len() + 40;
            assert!(
                report.ticks < most,
                "{} ticks for {} bytes",
                report.ticks,
                stream.len()
            );
        }
    }
}
