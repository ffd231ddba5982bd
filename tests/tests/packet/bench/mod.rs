//! The committed object on a bench: loaded into maps of its own, in a network
//! namespace of its own, its programs run on one packet at a time.

mod namespace;
mod tables;

use std::{
    fs::File,
    net::IpAddr,
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, MapData, ProgramArray},
    programs::{ProgramError, SchedClassifier, TestRun as _, TestRunOptions},
};
use ftp_nat_common::{
    addr::{Addr, Port},
    layout::{INTERFACE_LAN, Interface, SETTING_DOMAINS, Settings, map, program, stage},
    translation::ExpectationKey,
};
use nix::{
    sched::{CloneFlags, CpuSet, sched_getaffinity, sched_setaffinity, setns},
    unistd::Pid,
};

use self::{
    namespace::{enter_namespace, index},
    tables::Raw,
};
use crate::{
    hosts::{GATEWAY, GATEWAY_INSIDE},
    packet::Packet,
};

/// `TC_ACT_UNSPEC`: the packet goes on, and other programs see it.
pub const PASS: i32 = -1;
/// `TC_ACT_SHOT`.
pub const DROP: i32 = 2;
/// `TC_ACT_REDIRECT`.
pub const REDIRECT: i32 = 7;

/// A hook, and where its packet comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Ingress of the inner interface.
    FromInside,
    /// Egress of the outer interface.
    ToOutside,
    /// Ingress of the outer interface.
    FromOutside,
    /// Egress of the inner interface.
    ToInside,
}

/// What came of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub verdict: i32,
    pub bytes: Vec<u8>,
}

/// Fields of `struct __sk_buff`, as indices of its 32-bit words.
const INGRESS_IFINDEX: usize = 9;
const IFINDEX: usize = 10;
const GSO_SEGS: usize = 41;
const GSO_SIZE: usize = 44;
const SK_BUFF_WORDS: usize = 48;

/// The global that says what is logged, and its highest value (`LevelFilter`).
const LOG_LEVEL: &str = "AYA_LOG_LEVEL";
const TRACE: u8 = 5;

/// A bench on loan, in which nothing is left of earlier tests.
///
/// The verifier takes a second for the object, so that benches are kept.
pub struct Bench(Option<Loaded>);

static SPARE: Mutex<Vec<Loaded>> = Mutex::new(Vec::new());

impl Bench {
    /// The object in empty maps, watching port 21.
    pub fn new() -> Self {
        let spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut loaded = match spare {
            Some(loaded) => {
                loaded.enter_namespace();
                loaded
            }
            None => Loaded::with_room(&[]),
        };
        loaded.clear();
        Self(Some(loaded))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        spare.extend(self.0.take());
    }
}

impl Deref for Bench {
    type Target = Loaded;

    fn deref(&self) -> &Loaded {
        self.0.as_ref().expect("kept until it is dropped")
    }
}

impl DerefMut for Bench {
    fn deref_mut(&mut self) -> &mut Loaded {
        self.0.as_mut().expect("kept until it is dropped")
    }
}

/// The object, loaded, and this thread in a network namespace made for it.
pub struct Loaded {
    ebpf: Ebpf,
    /// The kernel empties it when nobody refers to it.
    stages: ProgramArray<MapData>,
    /// Those that were taken out of it.
    missing: Vec<u32>,
    namespace: File,
    pub lan: u32,
    pub wan: u32,
    /// Interfaces whose MTU isn't 1500.
    narrowed: Vec<&'static str>,
    gso_size: u32,
    /// How long the last run took, as the kernel measured it.
    pub took: Duration,
}

impl Loaded {
    /// The object with other sizes of some maps.
    pub fn with_room(sizes: &[(&str, u32)]) -> Self {
        Self::with_log(sizes, TRACE)
    }

    /// The same, which logs no more than `log_level`.
    pub fn with_log(sizes: &[(&str, u32)], log_level: u8) -> Self {
        enter_namespace();
        let mut loader = EbpfLoader::new();
        loader.override_global(LOG_LEVEL, &log_level, true);
        for (name, entries) in sizes {
            loader.map_max_entries(name, *entries);
        }
        let mut ebpf = loader
            .load(ftp_nat::loader::OBJECT)
            .expect("the committed object loads");
        let stages = ebpf.take_map(map::STAGES).expect("STAGES");
        let mut stages = ProgramArray::try_from(stages).expect("STAGES");
        for (index, name) in (0..).zip(stage::NAMES) {
            let program: &mut SchedClassifier =
                ebpf.program_mut(name).expect(name).try_into().expect(name);
            load(program);
            stages
                .set(index, program.fd().expect(name), 0)
                .expect("a stage");
        }
        let mut loaded = Self {
            ebpf,
            stages,
            missing: Vec::new(),
            namespace: File::open("/proc/thread-self/ns/net").expect("the namespace"),
            lan: index("lan"),
            wan: index("wan"),
            narrowed: Vec::new(),
            gso_size: 0,
            took: Duration::ZERO,
        };
        loaded.clear();
        loaded
    }

    /// Puts this thread into the network namespace of the bench.
    pub fn enter_namespace(&self) {
        setns(&self.namespace, CloneFlags::CLONE_NEWNET).expect("setns");
    }

    fn interfaces(&mut self) {
        let (lan, wan) = (self.lan, self.wan);
        for (ifindex, host, flags) in [(lan, GATEWAY_INSIDE, INTERFACE_LAN), (wan, GATEWAY, 0)] {
            let interface = Interface {
                flags,
                addr_v4: Addr::from(IpAddr::from(host.v4)),
                addr_v6: Addr::from(IpAddr::from(host.v6)),
                ..Interface::default()
            };
            self.insert(map::INTERFACES, ifindex, interface);
        }
    }

    /// Writes the settings, after `change`.
    pub fn settings(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = ftp_nat::loader::default_settings();
        // As if the ports were watched for a short time only.
        settings.pickup_until_ns = u64::MAX;
        change(&mut settings);
        let map = self.ebpf.map_mut(map::SETTINGS).expect("SETTINGS");
        let mut array: Array<_, Raw<Settings>> = Array::try_from(map).expect("SETTINGS");
        array.set(0, Raw(settings), 0).expect("SETTINGS");
    }

    /// The inner interface is in another network than the outer one.
    pub fn inside_domain(&mut self, domain: u32) {
        self.settings(|s| s.flags |= SETTING_DOMAINS);
        let lan = self.lan;
        let mut interface: Interface = self.get(map::INTERFACES, lan).expect("lan");
        interface.domain = domain;
        self.insert(map::INTERFACES, lan, interface);
    }

    /// Only this external port may be chosen.
    pub fn only_port(&mut self, port: u16) {
        self.settings(|s| (s.port_first, s.port_last) = (port, port));
    }

    pub fn watch(&mut self, port: u16) {
        self.set_port(map::WATCHED_PORTS, port);
    }

    /// Nobody may open the port.
    pub fn deny(&mut self, port: u16) {
        self.set_port(map::DENIED_PORTS, port);
    }

    fn set_port(&mut self, name: &str, port: u16) {
        let map = self.ebpf.map_mut(name).expect(name);
        let mut array: Array<_, u64> = Array::try_from(map).expect(name);
        let word = u32::from(port / 64);
        let bits = array.get(&word, 0).expect("a word") | 1 << (port % 64);
        array.set(word, bits, 0).expect("a word");
    }

    /// Whether the kernel side learned that the port is one of a control connection.
    pub fn learned_port(&self, port: u16) -> bool {
        let map = self.ebpf.map(map::LEARNED_PORTS).expect("LEARNED_PORTS");
        let array: Array<_, u64> = Array::try_from(map).expect("LEARNED_PORTS");
        array.get(&u32::from(port / 64), 0).expect("a word") >> (port % 64) & 1 != 0
    }

    /// The bytes that one part of the next packets has: they are merged ones.
    pub fn merged(&mut self, gso_size: u32) {
        self.gso_size = gso_size;
    }

    /// Takes a program out of the array by which they call each other.
    pub fn remove_stage(&mut self, stage: u32) {
        self.stages.clear_index(&stage).expect("a stage");
        self.missing.push(stage);
    }

    /// Puts the programs back that were taken out.
    pub fn restore_stages(&mut self) {
        for index in std::mem::take(&mut self.missing) {
            let name = stage::NAMES[index as usize];
            let program: &SchedClassifier =
                self.ebpf.program(name).expect(name).try_into().expect(name);
            let fd = program.fd().expect(name);
            self.stages.set(index, fd, 0).expect("a stage");
        }
    }

    /// Runs the hook's program on a packet.
    pub fn run(&mut self, at: At, packet: &Packet) -> Outcome {
        self.run_bytes(at, &packet.bytes())
    }

    pub fn run_bytes(&mut self, at: At, bytes: &[u8]) -> Outcome {
        self.run_repeatedly(at, bytes, 1)
    }

    /// Runs it over and over on what it leaves of the packet; [`Self::took`] is
    /// the mean time of a run.
    pub fn run_repeatedly(&mut self, at: At, bytes: &[u8], repeat: u32) -> Outcome {
        let (outcome, took) = self.runs(at, bytes, repeat);
        self.took = took;
        outcome
    }

    /// Runs hooks at the same time, each over and over on a packet, and each on
    /// a CPU of its own. Nothing is done where there are fewer CPUs.
    pub fn run_on_cpus(&self, packets: &[(At, &Packet)], repeat: u32) -> bool {
        let usable = sched_getaffinity(Pid::from_raw(0)).expect("the CPUs that may be used");
        let cpus: Vec<usize> = (0..CpuSet::count())
            .filter(|cpu| usable.is_set(*cpu).unwrap_or(false))
            .collect();
        if cpus.len() < packets.len() {
            return false;
        }
        std::thread::scope(|scope| {
            for (&(at, packet), cpu) in packets.iter().zip(cpus) {
                scope.spawn(move || {
                    let mut own = CpuSet::new();
                    own.set(cpu).expect("a CPU");
                    sched_setaffinity(Pid::from_raw(0), &own).expect("a CPU of its own");
                    self.enter_namespace();
                    self.runs(at, &packet.bytes(), repeat);
                });
            }
        });
        true
    }

    fn runs(&self, at: At, bytes: &[u8], repeat: u32) -> (Outcome, Duration) {
        let (name, ifindex, ingress_ifindex) = match at {
            At::FromInside => (program::INGRESS, self.lan, self.lan),
            At::ToOutside => (program::EGRESS, self.wan, self.lan),
            At::FromOutside => (program::INGRESS, self.wan, self.wan),
            At::ToInside => (program::EGRESS, self.lan, self.wan),
        };
        let mut context = [0u32; SK_BUFF_WORDS];
        context[IFINDEX] = ifindex;
        context[INGRESS_IFINDEX] = ingress_ifindex;
        if self.gso_size != 0 {
            context[GSO_SIZE] = self.gso_size;
            context[GSO_SEGS] = 2;
        }
        let context: Vec<u8> = context.iter().flat_map(|w| w.to_ne_bytes()).collect();
        let mut out = vec![0; 4096];
        let program: &SchedClassifier =
            self.ebpf.program(name).expect(name).try_into().expect(name);
        let result = program
            .test_run(TestRunOptions {
                data_in: Some(bytes),
                data_out: Some(&mut out),
                ctx_in: Some(&context),
                repeat,
                ..TestRunOptions::default()
            })
            .expect("BPF_PROG_TEST_RUN");
        out.truncate(result.data_size_out as usize);
        let outcome = Outcome {
            verdict: result.return_value as i32,
            bytes: out,
        };
        (outcome, result.duration)
    }
}

/// A key of the expectation table.
pub fn expected_at(ip: IpAddr, port: u16) -> ExpectationKey {
    ExpectationKey {
        addr: ip.into(),
        port: Port::new(port),
        ..ExpectationKey::default()
    }
}

/// The verifier gives up with `EAGAIN` when a signal comes; libbpf tries again
/// then, aya doesn't.
fn load(program: &mut SchedClassifier) {
    let again = |error: &ProgramError| match error {
        ProgramError::LoadError { io_error, .. } => {
            io_error.kind() == std::io::ErrorKind::WouldBlock
        }
        _ => false,
    };
    for _ in 0..20 {
        match program.load() {
            Err(error) if again(&error) => {}
            result => return result.expect("the verifier takes the program"),
        }
    }
    panic!("the verifier was interrupted all the time");
}
