//! What happens in a run: the fuzzer's bytes as operations, and the stream
//! that they are about.

use crate::input::Input;

/// A position that others are counted from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mark {
    /// The next input byte that the engine expects.
    Next,
    /// The first byte that is held.
    Held,
    /// What near knows to be acknowledged.
    Acknowledged,
    /// The start of the oldest outstanding edit.
    Edit,
}

/// A segment from near.
#[derive(Debug)]
pub(super) struct Segment {
    /// Where it begins.
    pub(super) from: Mark,
    pub(super) distance: i64,
    /// Bytes of payload, if there are as many.
    pub(super) len: usize,
    pub(super) fin: bool,
    /// Where the engine has the bytes already, others are sent.
    pub(super) garbage: bool,
    /// The size of segments that GRO merged it from.
    pub(super) merged: Option<usize>,
}

/// An acknowledgement from far.
#[derive(Debug)]
pub(super) struct Said {
    /// Counted from what comes next, or from what was acknowledged.
    pub(super) from_next: bool,
    pub(super) distance: i64,
    /// SACK blocks: their start, counted from the acknowledgement, and length.
    pub(super) blocks: Vec<(i64, i64)>,
}

/// One event.
#[derive(Debug)]
pub(super) enum Op {
    /// near sends a segment with data or a FIN.
    Send(Segment),
    /// near sends a segment without.
    Bare { from: Mark, distance: i64 },
    /// near resets.
    Reset { from: Mark, distance: i64 },
    /// far acknowledges.
    Acknowledge(Said),
    /// What fits into a packet changes.
    Capacity(usize),
    /// The client asks for a passive connection.
    Arm,
}

/// A whole run.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) ops: Vec<Op>,
    pub(super) stream: Vec<u8>,
    pub(super) fin: bool,
}

/// Longer streams find nothing more, only slower.
const LONGEST: usize = 1_200;

/// Lines that take the fuzzer long to find.
const LINES: &[&[u8]] = &[
    b"PORT 10,10,0,1,30,4\r\n",
    b"EPRT |1|10.10.0.1|7684|\r\n",
    b"EPRT |2|2001:db8::1|7684|\r\n",
    b"227 Ok (10,10,0,1,30,4).\r\n",
    b"229 Ok (|||7684|)\r\n",
    b"PORT 10,10,0,1,9",
    b"227 10,10,0,1,99,99\r\n",
    b"NOOP\r\n",
];

impl Script {
    /// New data stands where it is sent first, so that what belongs together
    /// is found and changed together.
    pub(super) fn read(input: &mut Input, server: bool) -> Self {
        // Without a greeting nothing would be announced.
        let greeting: &[u8] = if server {
            b"220 Hi\r\n"
        } else {
            b"USER me\r\n"
        };
        let mut script = Self {
            stream: greeting.to_vec(),
            ..Self::default()
        };
        while !input.is_empty() {
            let kind = input.byte();
            let op = match kind & 15 {
                0..=2 => script.new_data(input, kind),
                3..=5 => Op::Send(Segment {
                    from: mark(kind >> 4),
                    distance: input.distance(),
                    len: usize::from(input.byte()),
                    fin: kind & 0x40 != 0,
                    garbage: kind & 0x80 != 0,
                    merged: (kind & 15 == 5).then(|| usize::from(input.byte()).max(1)),
                }),
                6 => Op::Bare {
                    from: mark(kind >> 4),
                    distance: input.distance(),
                },
                7 => Op::Reset {
                    from: mark(kind >> 4),
                    distance: input.distance(),
                },
                8..=11 => Op::Acknowledge(Said {
                    from_next: kind & 0x10 == 0,
                    distance: if kind & 0x20 == 0 {
                        0
                    } else {
                        input.distance()
                    },
                    blocks: (0..if kind & 15 == 8 { 0 } else { kind >> 6 })
                        .map(|_| (input.distance(), input.distance()))
                        .collect(),
                }),
                12 => Op::Capacity(64 + usize::from(input.byte()) * 6),
                13 => Op::Arm,
                14 => {
                    script.fin = true;
                    continue;
                }
                _ => continue,
            };
            script.ops.push(op);
        }
        script
    }

    /// Appends to the stream; some of it is sent at once, some gets lost.
    fn new_data(&mut self, input: &mut Input, kind: u8) -> Op {
        let data = if kind & 15 == 0 {
            LINES[usize::from(kind >> 4) & 7]
        } else {
            input.take(usize::from(kind >> 4) * 4 + 1)
        };
        let from = self.stream.len();
        let room = LONGEST - from;
        self.stream.extend_from_slice(&data[..data.len().min(room)]);
        let len = if kind & 15 == 1 {
            data.len()
        } else {
            usize::from(input.byte())
        };
        Op::Send(Segment {
            from: Mark::Next,
            distance: 0,
            len,
            fin: false,
            garbage: false,
            merged: None,
        })
    }
}

fn mark(number: u8) -> Mark {
    match number & 3 {
        0 => Mark::Next,
        1 => Mark::Held,
        2 => Mark::Acknowledged,
        _ => Mark::Edit,
    }
}
