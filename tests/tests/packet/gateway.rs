//! The stream model's gateway, played by the committed object: the cases, the
//! sender, the receiver, the links and the reference are those of
//! `ftp-nat-common`, and so are the invariants.
//!
//! ```text
//!   near ---- segment ---> ingress ---> far     (rewritten, renumbered)
//!   near <------------ egress <--- ack ---- far (ack, SACK translated)
//! ```

pub use crate::setting::{Ack, Packet, Seen, Setting};

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ftp_nat_common::{
    counter::Counter,
    layout::map,
    seq::Seq,
    session::Session,
    stream::{Edits, Half, TELNET_MAX},
    tcp::flag,
};

use crate::{
    bench::{At, DROP, Loaded, PASS},
    packet::{self, Parsed},
    reference::{Plan, World, plan},
};

#[path = "../../../ftp-nat-common/tests/stream_model/gateway/invariants.rs"]
mod invariants;
mod setup;

pub use self::setup::blocks;
use self::setup::{announced, session};

const SESSION: u64 = 7;
/// What near acknowledges meanwhile; nothing comes from far in these cases.
const ACK: u32 = 5_000;
const PORTS: [u16; 2] = [40_000, 21];

thread_local! {
    /// One bench for all cases of a thread, and one without room for edits.
    static BENCHES: RefCell<[Option<Loaded>; 2]> = const { RefCell::new([None, None]) };
}

fn with_bench<T>(no_edits: bool, work: impl FnOnce(&mut Loaded) -> T) -> T {
    BENCHES.with_borrow_mut(|benches| {
        let bench = benches[usize::from(no_edits)].get_or_insert_with(|| {
            let sizes: &[_] = if no_edits { &[(map::EDITS, 1)] } else { &[] };
            Loaded::with_room(sizes)
        });
        bench.enter_namespace();
        work(bench)
    })
}

/// What the object counted; read when it is wanted.
#[derive(Debug)]
pub struct Counts {
    no_edits: bool,
}

impl IntoIterator for Counts {
    type Item = (&'static str, usize);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        let counts = with_bench(self.no_edits, |bench| bench.counts());
        let counts: Vec<_> = counts.into_iter().map(|(n, c)| (n, c as usize)).collect();
        counts.into_iter()
    }
}

/// One half of one session, in the maps of the object.
pub struct Gateway {
    setting: Setting,
    pub plan: Plan,
    pub counts: Counts,
    stream: Vec<u8>,
    session: Session,
    edits: Option<Box<Edits>>,
    /// The ports that the object announced, by the offset behind the address.
    ports: BTreeMap<usize, u16>,
    seen: Seen,
    /// The announcements that the reference would have replaced.
    wanted: BTreeSet<usize>,
    sent: Vec<Option<u16>>,
    checks: usize,
    highest: (i64, i64),
    told: i64,
}

impl Gateway {
    pub fn new(setting: Setting, stream: &[u8]) -> Self {
        let session = session(&setting);
        with_bench(setting.no_edits, |bench| {
            bench.clear();
            let (role, headers) = (setting.role, if setting.v6 { 60 } else { 40 });
            // What fits into a packet is what the interface to far says.
            let interface = ["wan", "lan"][role];
            bench.mtu(interface, setting.capacity as u32 + headers);
            let mut session = session;
            session.ifindex = [bench.lan, bench.wan];
            bench.enter(&session);
            if setting.no_edits {
                // The only room there is.
                let key = ftp_nat_common::session::EditsKey::default();
                bench.insert(map::EDITS, key, Edits::default());
            }
        });
        let counts = Counts {
            no_edits: setting.no_edits,
        };
        let mut gateway = Self {
            setting,
            plan: Plan::default(),
            counts,
            stream: stream.to_vec(),
            session,
            edits: None,
            ports: BTreeMap::new(),
            seen: Seen::default(),
            wanted: BTreeSet::new(),
            sent: Vec::new(),
            checks: 0,
            highest: (0, 0),
            told: 0,
        };
        gateway.replan();
        gateway
    }

    pub fn half(&self) -> &Half {
        &self.session.half[self.setting.role]
    }

    pub fn count(&self, counter: Counter) -> usize {
        with_bench(self.setting.no_edits, |bench| bench.count(counter) as usize)
    }

    fn seq(&self, at: i64) -> Seq {
        Seq(self.setting.isn.wrapping_add(1).wrapping_add(at as u32))
    }

    fn offset(&self, seq: Seq) -> i64 {
        i64::from(seq.since(Seq(self.setting.isn.wrapping_add(1))))
    }

    /// near's end of the connection, and far's as near sees it.
    fn ends(&self) -> [(IpAddr, u16); 2] {
        let key = self.session.half_key(self.setting.role);
        [
            (key.src.to_ip(), key.sport.get()),
            (key.dst.to_ip(), key.dport.get()),
        ]
    }

    /// A segment from near: what far is sent, if anything.
    pub fn near_sends(&mut self, sent: &Packet) -> Option<Packet> {
        let [near, far] = self.ends();
        let fin = |fin: bool| if fin { flag::FIN } else { 0 };
        let packet = packet::Packet::tcp(near, far)
            .seq(self.seq(sent.at).0)
            .ack(ACK)
            .flags(flag::ACK | fin(sent.fin))
            .payload(&sent.data);
        let at = [At::FromInside, At::FromOutside][self.setting.role];
        let overtakes = self.seq(sent.at).after(self.half().in_nxt);
        let out = with_bench(self.setting.no_edits, |bench| bench.run(at, &packet));
        self.look();
        let result = match out.verdict {
            DROP => None,
            PASS => {
                let parsed = Parsed::of(&out.bytes);
                let is_fin = parsed.flags() & flag::FIN != 0;
                let same = packet
                    .seq(parsed.seq())
                    .flags(flag::ACK | fin(is_fin))
                    .payload(parsed.payload());
                let same = Parsed::of(&same.bytes()).without_checksums();
                assert_eq!(parsed.without_checksums(), same, "headers");
                Some(Packet {
                    at: self.offset(Seq(parsed.seq())),
                    data: parsed.payload().to_vec(),
                    fin: is_fin,
                })
            }
            other => panic!("verdict {other}"),
        };
        self.learn_ports();
        if let Some(out) = &result {
            if overtakes && !out.data.is_empty() {
                self.lost();
            }
            self.one_value_each(out);
        }
        self.check();
        result
    }

    /// Reads the state back.
    fn look(&mut self) {
        let role = self.setting.role;
        (self.session, self.edits) = with_bench(self.setting.no_edits, |bench| {
            let session = bench.get(map::SESSIONS, SESSION).expect("the session");
            (session, bench.edits(SESSION, role).map(Box::new))
        });
        assert_eq!(self.session.lock, 0, "the lock was kept");
    }

    /// Takes over the ports that the object chose. What it announced without
    /// need, or failed to replace, differs from the reference.
    fn learn_ports(&mut self) {
        let half = *self.half();
        let Some(edits) = &self.edits else {
            return self.nothing_missed();
        };
        let mut new = false;
        for n in 0..u32::from(half.edits_len) {
            let edit = edits.slot[half.slot(n)];
            let release = self.offset(edit.in1) as usize - 1;
            if edit.fin == 0 && !self.ports.contains_key(&release) {
                let text = &edit.text[..usize::from(edit.len)];
                let start = self.offset(edit.in0) as usize;
                if self.stream.get(start..=release) == Some(text) {
                    // Kept together as it was sent: nothing was put in its place.
                    continue;
                }
                if let Some(port) = announced(text, self.setting.seen()) {
                    self.ports.insert(release, port);
                    self.seen.asked.insert(release);
                    new = true;
                }
            }
        }
        if new {
            self.replan();
        }
        self.nothing_missed();
    }

    /// For every announcement that passed an expectation was made, or it was
    /// let by for a reason that was counted.
    fn nothing_missed(&self) {
        let mut lines = self.stream.split(|b| *b == b'\n');
        if lines.any(|line| line.iter().filter(|b| **b == 255).count() * 2 > TELNET_MAX) {
            // With a Telnet byte too many the rest of a line is let by uncounted.
            return;
        }
        let passed = self.offset(self.half().in_nxt);
        let wanted = self.wanted.range(..passed.max(0) as usize).count();
        let made = self.count(Counter::ExpectationsMade);
        let let_by = self.count(Counter::PassedNoEditSlot) + self.count(Counter::PassedFrozen);
        assert!(
            made <= wanted && wanted <= made + let_by,
            "{made} expectations for {wanted} announcements, {let_by} let by"
        );
    }

    /// What the object knew of the line that near is in, it knows no more.
    fn lost(&mut self) {
        let at = self.offset(self.half().in_nxt) as usize;
        self.seen.lost.insert(at);
        self.replan();
    }

    fn replan(&mut self) {
        let wanted = RefCell::new(BTreeSet::new());
        let passive = if self.setting.unread {
            0
        } else {
            self.setting.passive
        };
        let world = World {
            client: self.setting.role == 0,
            own: self.setting.own(),
            seen: self.setting.seen(),
            passive,
            port: &|release, _| {
                wanted.borrow_mut().insert(release);
                self.ports.get(&release).copied()
            },
            exempt: &|_, _| false,
            lost: &self.seen.lost,
        };
        let plan = plan(&self.stream, &world);
        self.plan = plan;
        self.wanted = wanted.into_inner();
    }

    /// An acknowledgement from far: what near is sent. `snd_max` is how far
    /// near has sent, `has` tells what far has received.
    pub fn far_acks(&mut self, ack: &Ack, snd_max: usize, has: impl Fn(usize) -> bool) -> Ack {
        let told = self.acknowledge(ack);
        let at = told.at;
        let in_nxt = self.offset(self.half().in_nxt);
        assert!(
            at <= in_nxt && in_nxt <= snd_max as i64,
            "I2: {at} <= {in_nxt} <= {snd_max}"
        );
        if ack.at >= self.highest.0 {
            let last = self.highest.1;
            assert!(at >= last, "I7: near was told {last}, and {at} now");
            self.highest = (ack.at, at);
        }
        let hs = self.offset(self.half().held_start());
        let kept = self.kept();
        for byte in self.told..at {
            if byte < hs && !kept.iter().any(|k| k.contains(&byte)) {
                self.honest(byte as usize, &has);
            }
        }
        self.told = self.told.max(at);
        for edit in self.ring() {
            let in1 = self.offset(edit.1);
            assert!(at < in1, "I3: {at} acknowledges the edit up to {in1}");
        }
        for &(start, end) in &told.sacks {
            assert!(end <= snd_max as i64, "SACK {start}..{end} was not sent");
            for byte in start.max(0)..end {
                self.honest(byte as usize, &has);
            }
        }
        self.check();
        told
    }

    /// Sends the acknowledgement through egress to near.
    fn acknowledge(&mut self, ack: &Ack) -> Ack {
        let [near, far] = self.ends();
        let mut packet = packet::Packet::tcp(far, near)
            .seq(ACK)
            .ack(self.seq(ack.at).0)
            .window(ack.window as u16);
        if !ack.sacks.is_empty() {
            let edges = |b: &(i64, i64)| (self.seq(b.0).0, self.seq(b.1).0);
            let blocks: Vec<_> = ack.sacks.iter().map(edges).collect();
            // Not only at even offsets.
            packet = packet.sack(1 + (ack.at & 1) as usize, &blocks);
        }
        let at = [At::ToInside, At::ToOutside][self.setting.role];
        let before = self.half().in_nxt;
        let out = with_bench(self.setting.no_edits, |bench| bench.run(at, &packet));
        assert_eq!(out.verdict, PASS);
        self.look();
        if self.half().in_nxt != before {
            assert_eq!(self.setting.role, 1, "only a server's segments overtake");
            self.lost();
        }
        let parsed = Parsed::of(&out.bytes);
        assert_eq!(parsed.seq(), ACK);
        let sacks = blocks(parsed.options());
        let options = parsed.options().to_vec();
        let same = packet.ack(parsed.ack()).no_options().options(&options);
        let same = Parsed::of(&same.bytes()).without_checksums();
        assert_eq!(parsed.without_checksums(), same, "headers");
        Ack {
            at: self.offset(Seq(parsed.ack())),
            window: ack.window,
            sacks: sacks
                .into_iter()
                .map(|(s, e)| (self.offset(Seq(s)), self.offset(Seq(e))))
                .collect(),
        }
    }
}
