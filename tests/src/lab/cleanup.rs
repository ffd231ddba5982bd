//! Leaving nothing behind: on drop, on panic, on Ctrl-C, and after a kill.
//!
//! All that a lab made is found by the lab's name, so one function cleans up
//! in every case. Three things call it: the lab's drop (which a panic runs
//! too), the signal thread, and a sweep of labs whose process is dead.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read as _},
    os::{fd::IntoRawFd as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::{
        LazyLock, Mutex, Once, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{
    fcntl::{Flock, FlockArg},
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction},
    unistd::Pid,
};

use super::wait;

/// What the name of every lab begins with.
pub const PREFIX: &str = "ftpnat-";
/// Where `ip netns` keeps its namespaces.
pub const NETNS_DIR: &str = "/run/netns";
/// Where the helper under test pins, in a folder named after the lab.
pub const BPFFS: &str = "/sys/fs/bpf";
/// In a lab's folder; locked as long as the lab's process lives.
const OWNER: &str = "owner";

static LIVE: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);
/// Held for reading while something is being made, for writing (and for good)
/// once a signal has ended the run: nothing can then slip in behind the cleaner.
static GATE: RwLock<()> = RwLock::new(());
static WAKE: AtomicI32 = AtomicI32::new(-1);
static SIGNALLED: AtomicBool = AtomicBool::new(false);

/// A lab that is cleaned up when this is dropped.
#[derive(Debug)]
pub struct Guard {
    name: String,
    _owner: Flock<File>,
}

impl Guard {
    /// Registers a lab and makes its folder.
    pub fn new(name: &str) -> Result<Self> {
        static FIRST: Once = Once::new();
        FIRST.call_once(|| {
            if let Err(error) = watch_signals() {
                eprintln!("lab: Ctrl-C will not clean up: {error:#}");
            }
            sweep();
        });
        let _making = making();
        let dir = folder(name);
        fs::create_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        LIVE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned());
        // Locked before it has its name: a sweep of another process must never
        // find it unlocked.
        let unnamed = dir.join("owner.new");
        let owner = Flock::lock(File::create(&unnamed)?, FlockArg::LockExclusive)
            .map_err(|(_, error)| error)
            .context("cannot lock the lab's folder")?;
        fs::rename(&unnamed, dir.join(OWNER))?;
        Ok(Self {
            name: name.to_owned(),
            _owner: owner,
        })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // What a signal ends, the signal's thread removes. What is told apart here is
        // only who comes first: its programs die by the same signal, or are killed.
        let making = making();
        for problem in remove(&self.name) {
            eprintln!("lab {}: {problem}", self.name);
        }
        LIVE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.name);
        if SIGNALLED.load(Ordering::Relaxed) {
            drop(making);
            // The exit code is the signal's, not that of an error it brought about.
            loop {
                thread::park();
            }
        }
    }
}

/// The folder of a lab.
pub fn folder(lab: &str) -> PathBuf {
    // Not the user's TMPDIR: servers that give up root must be able to enter.
    Path::new("/tmp").join(lab)
}

/// To be held while a namespace or a process is made.
pub fn making() -> RwLockReadGuard<'static, ()> {
    GATE.read().unwrap_or_else(PoisonError::into_inner)
}

/// The namespaces of a lab.
fn namespaces(lab: &str) -> Vec<String> {
    let prefix = format!("{lab}-");
    let Ok(entries) = fs::read_dir(NETNS_DIR) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|e| e.file_name().into_string().ok())
        .filter(|n| n.starts_with(&prefix))
        .collect()
}

/// Processes that live in a namespace, by the namespace's inode: whoever is in
/// a namespace that a lab made was started by the lab.
fn inhabitants(netns: &str) -> Vec<i32> {
    let Ok(ns) = fs::metadata(Path::new(NETNS_DIR).join(netns)) else {
        return Vec::new();
    };
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| *pid != process::id() as i32)
        .filter(|pid| {
            fs::metadata(format!("/proc/{pid}/ns/net"))
                .is_ok_and(|m| m.ino() == ns.ino() && m.dev() == ns.dev())
        })
        .collect()
}

/// Removes all that a lab made and says what could not be removed.
fn remove(lab: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for netns in namespaces(lab) {
        // Servers fork: look again until nobody is left.
        let emptied = wait::until_true("an empty namespace", Duration::from_secs(5), || {
            let pids = inhabitants(&netns);
            for pid in &pids {
                // It may have ended meanwhile, which is as good.
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
            Ok(pids.is_empty())
        });
        if emptied.is_err() {
            problems.push(format!(
                "processes in {netns} survive: {:?}",
                inhabitants(&netns)
            ));
        }
        let deleted = Command::new("ip")
            .args(["netns", "delete", &netns])
            .stdin(Stdio::null())
            .output();
        match deleted {
            Ok(out) if out.status.success() => {}
            Ok(out) => problems.push(String::from_utf8_lossy(&out.stderr).trim().to_owned()),
            Err(error) => problems.push(format!("cannot run ip: {error}")),
        }
    }
    for dir in [Path::new(BPFFS).join(lab), folder(lab)] {
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                problems.push(format!("cannot remove {}: {error}", dir.display()));
            }
            _ => {}
        }
    }
    problems
}

/// Removes labs whose process died without cleaning up (SIGKILL, power).
fn sweep() {
    let Ok(entries) = fs::read_dir("/tmp") else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if !name.starts_with(PREFIX) {
            continue;
        }
        let Ok(owner) = File::open(entry.path().join(OWNER)) else {
            continue;
        };
        // Only the lock of a process that lives can't be had.
        if let Ok(_owner) = Flock::lock(owner, FlockArg::LockExclusiveNonblock) {
            for problem in remove(&name) {
                eprintln!("lab {name}, left by a dead process: {problem}");
            }
        }
    }
}

extern "C" fn on_signal(signal: i32) {
    let byte = signal as u8;
    SIGNALLED.store(true, Ordering::Relaxed);
    // SAFETY: write(2) is async-signal-safe, and the buffer is one live byte.
    unsafe { libc::write(WAKE.load(Ordering::Relaxed), (&raw const byte).cast(), 1) };
}

/// Starts the thread that cleans up after Ctrl-C and its relatives.
fn watch_signals() -> Result<()> {
    let (mut reader, writer) = io::pipe()?;
    WAKE.store(writer.into_raw_fd(), Ordering::Relaxed);
    thread::Builder::new()
        .name("lab-signals".into())
        .spawn(move || {
            let mut byte = [0u8];
            if reader.read_exact(&mut byte).is_err() {
                return;
            }
            let _closed = GATE.write().unwrap_or_else(PoisonError::into_inner);
            let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner).clone();
            for lab in &live {
                for problem in remove(lab) {
                    eprintln!("lab {lab}: {problem}");
                }
            }
            process::exit(128 + i32::from(byte[0]));
        })?;
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let action = SigAction::new(
            SigHandler::Handler(on_signal),
            SaFlags::SA_RESTART,
            SigSet::empty(),
        );
        // SAFETY: the handler does nothing but write one byte to a pipe.
        unsafe { sigaction(signal, &action) }.context("cannot set a signal handler")?;
    }
    Ok(())
}
