//! An FTP server of a few commands, on threads of this process.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream},
    ops::RangeInclusive,
    os::fd::AsFd as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result, bail};
use ftp_nat_tests::lab::Host;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{BLOCK, LIMIT, SIGNAL, SMALL, stream};

/// What [`run`] says once clients can come.
pub const LISTENING: &str = "listening";

/// Where a server listens that may choose. The kernel isn't asked for a free port: it
/// would look through all of those where connections of the last minute are in
/// TIME-WAIT, which takes longer than a small file does.
pub const PORTS: RangeInclusive<u16> = 10_000..=59_999;

/// What a server answers to `PASV`.
#[derive(Debug, Clone)]
pub struct Passive {
    /// The address it announces; its own unless a person told it another one.
    pub announced: Ipv4Addr,
    /// The ports that it listens at, in turn.
    pub ports: RangeInclusive<u16>,
}

/// A running server; dropping it ends it, with all of its connections.
#[derive(Debug)]
pub struct Server {
    stop: Arc<AtomicBool>,
    accepting: Option<JoinHandle<Result<()>>>,
}

/// What all sessions share.
#[derive(Debug)]
struct Shared {
    own: Ipv4Addr,
    passive: Passive,
    next: AtomicU16,
}

impl Server {
    /// Starts one at port 21 of a host.
    pub fn start(host: &Host, own: Ipv4Addr, passive: Passive) -> Result<Self> {
        let listener = host.listen(SocketAddr::from((own, 21)))?;
        let stop = Arc::new(AtomicBool::new(false));
        let shared = Arc::new(Shared {
            own,
            passive,
            next: AtomicU16::new(0),
        });
        let (host, flag) = (host.clone(), Arc::clone(&stop));
        // Threads live in the namespace of the thread that makes them.
        let accepting = thread::spawn(move || host.enter(|| accept(&listener, &flag, &shared)));
        Ok(Self {
            stop,
            accepting: Some(accepting),
        })
    }
}

/// A server in this thread's namespace, for as long as this process lives.
pub fn run(own: Ipv4Addr) -> Result<()> {
    let listener = TcpListener::bind((own, 21))?;
    let shared = Arc::new(Shared {
        own,
        passive: Passive {
            announced: own,
            ports: PORTS,
        },
        next: AtomicU16::new(0),
    });
    println!("{LISTENING}");
    accept(&listener, &AtomicBool::new(false), &shared)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(Ok(Err(error))) = self.accepting.take().map(JoinHandle::join) {
            eprintln!("the server: {error:#}");
        }
    }
}

fn accept(listener: &TcpListener, stop: &AtomicBool, shared: &Arc<Shared>) -> Result<()> {
    listener.set_nonblocking(true)?;
    while !stop.load(Ordering::Relaxed) {
        let mut waiting = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        if poll(&mut waiting, PollTimeout::from(100_u8))? == 0 {
            continue;
        }
        while let Ok((control, _)) = listener.accept() {
            let shared = Arc::clone(shared);
            // Small, for there may be thousands.
            let thread = thread::Builder::new().stack_size(64 << 10);
            thread.spawn(move || {
                // That a client went away is no news.
                let _ = Session::new(control, shared).and_then(|mut s| s.serve());
            })?;
        }
    }
    Ok(())
}

/// Where the next data connection comes from.
enum Data {
    None,
    Connect(SocketAddrV4),
    Listen(TcpListener),
}

struct Session {
    control: BufReader<TcpStream>,
    shared: Arc<Shared>,
    data: Data,
}

impl Session {
    fn new(control: TcpStream, shared: Arc<Shared>) -> Result<Self> {
        control.set_nonblocking(false)?;
        control.set_nodelay(true)?;
        Ok(Self {
            control: BufReader::with_capacity(512, control),
            shared,
            data: Data::None,
        })
    }

    fn serve(&mut self) -> Result<()> {
        self.reply("220 ready")?;
        let mut line = String::new();
        loop {
            line.clear();
            if self.control.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let (verb, rest) = line
                .trim_end()
                .split_once(' ')
                .unwrap_or((line.trim_end(), ""));
            match verb {
                "USER" => self.reply("331 password?")?,
                "PASS" => self.reply("230 welcome")?,
                "PORT" => {
                    self.data = Data::Connect(address(rest)?);
                    self.reply("200 so be it")?;
                }
                "PASV" => self.listen()?,
                "RETR" => self.send(rest)?,
                "NOOP" => self.reply("200 nothing done")?,
                _ => self.reply("502 not here")?,
            }
        }
    }

    fn reply(&mut self, text: &str) -> Result<()> {
        let line = format!("{text}\r\n");
        Ok(self.control.get_mut().write_all(line.as_bytes())?)
    }

    fn listen(&mut self) -> Result<()> {
        let own = self.shared.own;
        let ports = &self.shared.passive.ports;
        let count = ports.end() - ports.start() + 1;
        let mut free = (0..count).filter_map(|_| {
            let n = self.shared.next.fetch_add(1, Ordering::Relaxed) % count;
            TcpListener::bind((own, ports.start() + n)).ok()
        });
        let listener = free.next().context("no port of the range is free")?;
        let port = listener.local_addr()?.port();
        let [a, b, c, d] = self.shared.passive.announced.octets();
        let text = format!("227 come in ({a},{b},{c},{d},{},{})", port >> 8, port & 255);
        self.data = Data::Listen(listener);
        self.reply(&text)
    }

    fn send(&mut self, what: &str) -> Result<()> {
        self.reply("150 here it comes")?;
        let mut data = match std::mem::replace(&mut self.data, Data::None) {
            Data::None => bail!("no data connection was announced"),
            Data::Connect(to) => match TcpStream::connect_timeout(&to.into(), LIMIT) {
                Ok(data) => data,
                Err(_) => return self.reply("425 can't connect"),
            },
            Data::Listen(listener) => listener.accept()?.0,
        };
        match what {
            "endless" => stream::send(&data, &stream::file()?)?,
            "block" => send_block(&mut data)?,
            _ => data.write_all(&[b'x'; SMALL])?,
        }
        drop(data);
        self.reply("226 all of it")
    }
}

/// A small packet and some full ones, and then nothing until the client closes.
fn send_block(data: &mut TcpStream) -> Result<()> {
    data.set_nodelay(true)?;
    data.write_all(&[b'x'; SIGNAL])?;
    data.write_all(&[b'x'; BLOCK])?;
    while data.read(&mut [0; 64])? > 0 {}
    Ok(())
}

/// The argument of PORT, or what is between the brackets of 227.
pub fn address(text: &str) -> Result<SocketAddrV4> {
    let numbers: Vec<u8> = text
        .split(',')
        .map(|n| n.trim().parse())
        .collect::<Result<_, _>>()
        .with_context(|| format!("{text} is no address"))?;
    match numbers[..] {
        [a, b, c, d, high, low] => {
            let port = u16::from_be_bytes([high, low]);
            Ok(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port))
        }
        _ => bail!("{text} is no address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_numbers_are_an_address() {
        assert_eq!(
            address("10,10,0,1,30,4").unwrap().to_string(),
            "10.10.0.1:7684"
        );
        assert!(address("10,10,0,1,30").is_err());
        assert!(address("10,10,0,1,30,256").is_err());
    }
}
