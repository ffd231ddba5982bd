//! Real FTP clients.

mod curl;
mod dialogue;
mod ftplib;
mod lftp;
mod terminal;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use super::{
    host::Host,
    process::Finished,
    server::{Target, UPLOAD},
};

/// The clients there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// curl.
    Curl,
    /// lftp.
    Lftp,
    /// tnftp, the BSD client.
    Tnftp,
    /// Python's ftplib.
    Ftplib,
    /// GNU inetutils' ftp, the oldest of them.
    Inetutils,
}

impl Client {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Curl,
        Self::Lftp,
        Self::Tnftp,
        Self::Ftplib,
        Self::Inetutils,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::Lftp => "lftp",
            Self::Tnftp => "tnftp",
            Self::Ftplib => "ftplib",
            Self::Inetutils => "inetutils-ftp",
        }
    }
}

/// Who opens the data connection, and in which words it is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Active, `PORT` (RFC 959).
    Port,
    /// Active, `EPRT` (RFC 2428).
    Eprt,
    /// Passive, `PASV` and 227 (RFC 959).
    Pasv,
    /// Passive, `EPSV` and 229 (RFC 2428).
    Epsv,
}

impl Mode {
    /// Whether the server opens the data connection.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Port | Self::Eprt)
    }

    /// What the line of the announcement begins with.
    pub const fn announcement(self) -> &'static str {
        match self {
            Self::Port => "PORT ",
            Self::Eprt => "EPRT ",
            Self::Pasv => "227 ",
            Self::Epsv => "229 ",
        }
    }
}

/// How a client is to be used.
#[derive(Debug, Clone)]
pub struct Builder {
    host: Host,
    client: Client,
    mode: Mode,
    encrypted: bool,
    limit: Duration,
}

impl Host {
    /// An FTP client on this host, in active mode with PORT unless told.
    pub fn ftp(&self, client: Client) -> Builder {
        Builder {
            host: self.clone(),
            client,
            mode: Mode::Port,
            encrypted: false,
            limit: Duration::from_secs(30),
        }
    }

    /// curl on this host.
    pub fn curl(&self) -> Builder {
        self.ftp(Client::Curl)
    }

    /// lftp on this host.
    pub fn lftp(&self) -> Builder {
        self.ftp(Client::Lftp)
    }

    /// tnftp on this host.
    pub fn tnftp(&self) -> Builder {
        self.ftp(Client::Tnftp)
    }

    /// Python's ftplib on this host.
    pub fn ftplib(&self) -> Builder {
        self.ftp(Client::Ftplib)
    }
}

impl Builder {
    /// In the given mode.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Active mode, announced by PORT.
    #[must_use]
    pub fn active(self) -> Self {
        self.mode(Mode::Port)
    }

    /// Passive mode, announced by 227.
    #[must_use]
    pub fn passive(self) -> Self {
        self.mode(Mode::Pasv)
    }

    /// In TLS from before the login on, data connections too (RFC 4217). curl and
    /// lftp can do it.
    #[must_use]
    pub fn encrypted(mut self) -> Self {
        self.encrypted = true;
        self
    }

    /// How long one use may last; the client gives up a little earlier.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// With the server to talk to.
    pub fn to(self, target: &Target) -> Session {
        Session {
            how: self,
            target: target.clone(),
        }
    }
}

/// A client, its mode and its server. Each use is a session of its own.
#[derive(Debug, Clone)]
pub struct Session {
    how: Builder,
    target: Target,
}

/// One thing to be done in a session.
#[derive(Debug, Clone, Copy)]
enum Job<'a> {
    /// Fetch a remote file into a local one.
    Get(&'a str, &'a Path),
    /// Send a local file to a remote name.
    Put(&'a Path, &'a str),
    /// List the root.
    List,
    /// Fetch a file so many times, with PWD between, into one local file.
    GetMany(&'a str, &'a Path, u32),
}

impl Session {
    /// Another time limit.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.how.limit = limit;
        self
    }

    /// Fetches a file of the server's root.
    pub fn get(&self, name: &str) -> Result<Vec<u8>> {
        let local = self.local(name);
        self.perform(Job::Get(name, &local))?;
        fs::read(&local).with_context(|| format!("{} left no file", self.how.client.name()))
    }

    /// Sends a file into the folder for uploads.
    pub fn put(&self, name: &str, contents: &[u8]) -> Result<()> {
        let local = self.local(name);
        fs::write(&local, contents)?;
        self.perform(Job::Put(&local, &format!("{UPLOAD}/{name}")))
            .map(drop)
    }

    /// Lists the server's root (LIST).
    pub fn list(&self) -> Result<String> {
        Ok(self.perform(Job::List)?.text())
    }

    /// Fetches a file `times` times in one session, with a PWD after each, and
    /// gives all that was fetched, one after the other. Only ftplib can do it.
    pub fn get_many(&self, name: &str, times: u32) -> Result<Vec<u8>> {
        let local = self.local(name);
        self.perform(Job::GetMany(name, &local, times))?;
        Ok(fs::read(&local)?)
    }

    fn local(&self, name: &str) -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        self.how
            .host
            .dir()
            .join(format!("{n}-{}-{name}", self.how.client.name()))
    }

    /// How long the client itself should wait: it can tell more of a failure
    /// than a kill can.
    fn patience(&self) -> u64 {
        self.how.limit.as_secs().saturating_sub(1).max(1)
    }

    fn perform(&self, job: Job<'_>) -> Result<Finished> {
        let name = self.how.client.name();
        if matches!(job, Job::GetMany(..)) && self.how.client != Client::Ftplib {
            bail!("{name} cannot fetch a file many times in one session");
        }
        if self.how.encrypted && !matches!(self.how.client, Client::Curl | Client::Lftp) {
            bail!("{name} is not set up for TLS");
        }
        let (command, input) = match self.how.client {
            Client::Curl => curl::command(self, job)?,
            Client::Lftp => lftp::command(self, job)?,
            Client::Ftplib => ftplib::command(self, job)?,
            Client::Tnftp => terminal::command(self, job, terminal::Dialect::Tnftp)?,
            Client::Inetutils => terminal::command(self, job, terminal::Dialect::Inetutils)?,
        };
        let done = self
            .how
            .host
            .finish(command, name, &input, self.how.limit)?;
        let what = format!("{name} ({:?})", self.how.mode);
        match self.how.client {
            // These end with success whatever happened.
            Client::Tnftp | Client::Inetutils => terminal::judge(done, &what),
            _ => done.success(&what),
        }
    }

    fn unsupported<T>(&self) -> Result<T> {
        bail!(
            "{} does not use {:?} over IPv4",
            self.how.client.name(),
            self.how.mode
        )
    }
}
