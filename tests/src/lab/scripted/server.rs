//! A control server that keeps every byte it was sent.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result};
use nix::sys::socket::{setsockopt, sockopt};

use crate::lab::{host::Host, wait};

/// How long the server waits before it looks whether to stop.
const TICK: Duration = Duration::from_millis(20);

/// A server for one connection.
#[derive(Debug)]
pub struct Scripted {
    at: SocketAddr,
    shared: Arc<Shared>,
    worker: Option<JoinHandle<Result<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    /// While set, nothing is read.
    deaf: AtomicBool,
    received: Mutex<Vec<u8>>,
}

/// Answers as a server does that has all and does nothing.
pub fn polite(line: &[u8]) -> Vec<u8> {
    let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
    let reply: &[u8] = match &verb[..] {
        b"USER" => b"230 Logged in.\r\n",
        b"QUIT" => b"221 Goodbye.\r\n",
        b"PORT" | b"EPRT" => b"200 PORT command successful.\r\n",
        _ => b"200 Fine.\r\n",
    };
    reply.to_vec()
}

impl Host {
    /// Serves one control connection at `at`: greets, and answers each line
    /// with what `answer` makes of it. `receive_buffer` is that of the socket.
    pub fn scripted(
        &self,
        at: SocketAddr,
        receive_buffer: Option<usize>,
        answer: impl FnMut(&[u8]) -> Vec<u8> + Send + 'static,
    ) -> Result<Scripted> {
        let listener = self.listen(at)?;
        if let Some(bytes) = receive_buffer {
            setsockopt(&listener, sockopt::RcvBuf, &bytes)?;
        }
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let worker = std::thread::Builder::new()
            .name("scripted-server".into())
            .spawn(move || serve(&listener, &theirs, answer))?;
        Ok(Scripted {
            at,
            shared,
            worker: Some(worker),
        })
    }
}

impl Scripted {
    /// Where it listens.
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// Every byte it was sent so far.
    pub fn received(&self) -> Vec<u8> {
        self.shared
            .received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until it was sent something that ends with `end`.
    pub fn until_received(&self, end: &[u8], limit: Duration) -> Result<Vec<u8>> {
        wait::until("the server to be told all", limit, || {
            Ok(Some(self.received()).filter(|r| r.ends_with(end)))
        })
        .with_context(|| {
            let received = self.received();
            let tail = received.len().saturating_sub(80);
            format!(
                "{} bytes came, the last of them `{}`",
                received.len(),
                received[tail..].escape_ascii()
            )
        })
    }

    /// Stops or resumes reading; what is sent meanwhile fills the buffer.
    pub fn be_deaf(&self, deaf: bool) {
        self.shared.deaf.store(deaf, Ordering::Release);
    }

    /// Ends it and gives every byte it was sent; its failure is an error.
    pub fn stop(mut self) -> Result<Vec<u8>> {
        self.shared.stop.store(true, Ordering::Release);
        let worker = self.worker.take().context("a server stops once")?;
        worker
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(self.received())
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

fn serve(
    listener: &TcpListener,
    shared: &Shared,
    mut answer: impl FnMut(&[u8]) -> Vec<u8>,
) -> Result<()> {
    listener.set_nonblocking(true)?;
    let mut stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::sleep(TICK / 4),
            Err(e) => return Err(e).context("cannot accept"),
        }
        if shared.stop.load(Ordering::Acquire) {
            return Ok(());
        }
    };
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TICK))?;
    stream.write_all(b"220 Ready.\r\n")?;
    let mut line = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    while !shared.stop.load(Ordering::Acquire) {
        if shared.deaf.load(Ordering::Acquire) {
            std::thread::sleep(TICK / 4);
            continue;
        }
        let Some(len) = read(&mut stream, &mut buffer)? else {
            continue;
        };
        if len == 0 {
            break;
        }
        shared
            .received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(&buffer[..len]);
        let mut replies = Vec::new();
        for byte in &buffer[..len] {
            line.push(*byte);
            if *byte == b'\n' {
                replies.extend(answer(&line));
                line.clear();
            }
        }
        stream.write_all(&replies)?;
    }
    Ok(())
}

fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<Option<usize>> {
    match stream.read(buffer) {
        Ok(len) => Ok(Some(len)),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
        // The client has gone; what it sent is there.
        Err(e) if e.kind() == ErrorKind::ConnectionReset => Ok(Some(0)),
        Err(e) => Err(e).context("the server can't read"),
    }
}
