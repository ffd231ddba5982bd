//! The middle of everything: what a gateway's admin does, and what befalls it,
//! comes while sessions have shifted numbers and transfers are running.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::TcpStream,
};

use anyhow::{Context as _, Result, ensure};
use ftp_nat_tests::lab::{
    Payload,
    control::{Control, accept},
    firewall::{LAN, WAN},
    ftp_nat::Builder,
    wait,
};
use serde_json::Value;

use crate::support::{SHIFTING_PORT, SHIFTING_PORTS, Session};

/// Bytes of a running transfer that are moved at a time.
const STEP: usize = 100_000;
/// So long that no buffer of the ends takes it in: what is behind a step still
/// has to pass the gateway.
const LONG: usize = 6_000_000;
/// A file that is fetched whole.
const SHORT: usize = 40_000;

/// Three sessions whose numbers are shifted: one that does this and that, one in
/// the middle of a download, one in the middle of an upload.
pub struct Busy {
    /// The first one.
    pub session: Session,
    /// How many ports it has announced.
    announced: u16,
    /// The same of what a test had it announce.
    others: u16,
    file: Payload,
    id: Value,
    download: Download,
    upload: Upload,
}

impl Busy {
    /// In active mode behind masquerade.
    pub fn new() -> Result<Self> {
        Self::with(|run| run)
    }

    /// The same with other arguments of `run`.
    pub fn with(change: impl FnOnce(Builder) -> Builder) -> Result<Self> {
        Self::over(Session::behind_masquerade_with(change)?)
    }

    /// With a session that has announced nothing so far.
    pub fn over(mut session: Session) -> Result<Self> {
        let file = session.server.publish_random("short.bin", 61, SHORT)?;
        file.verify(
            &session
                .control
                .retrieve_active(SHIFTING_PORT, "short.bin")?,
        )?;
        let download = Download::begin(&session)?;
        let upload = Upload::begin(&session)?;
        let found = session.ftp_nat.json("sessions")?;
        let sessions = listed(&found);
        ensure!(
            sessions.len() == 3 && sessions.iter().all(|s| s["shift"]["client"] != 0),
            "three sessions were to be shifted: {found}"
        );
        let own = session.control.local()?.to_string();
        let first = sessions.iter().find(|s| s["client"] == own);
        let id = first.with_context(|| format!("no {own} in {found}"))?["id"].clone();
        Ok(Self {
            session,
            announced: 1,
            others: 0,
            file,
            id,
            download,
            upload,
        })
    }

    /// That all three go on, each where it is: a command, an announcement and
    /// its transfer, a part of the download and one of the upload.
    pub fn step(&mut self) -> Result<()> {
        self.talk()?;
        self.move_on()
    }

    /// That a test has had the first session announce something itself.
    pub fn announced_too(&mut self, times: u16) {
        self.others += times;
    }

    /// That both transfers go on.
    pub fn move_on(&mut self) -> Result<()> {
        self.download.step().context("the running download")?;
        self.upload.step().context("the running upload")
    }

    /// That the first session goes on.
    pub fn talk(&mut self) -> Result<()> {
        let control = &mut self.session.control;
        control.expect("PWD", 257)?;
        ensure!(self.announced < SHIFTING_PORTS, "no such port is left");
        let port = SHIFTING_PORT + self.announced;
        self.announced += 1;
        self.file
            .verify(&control.retrieve_active(port, "short.bin")?)
            .context("a new transfer of a session from before")
    }

    /// Ends the transfers, whose contents must be right.
    pub fn finish(self) -> Result<Session> {
        self.download.finish().context("the running download")?;
        self.upload
            .finish(&self.session)
            .context("the running upload")?;
        Ok(self.session)
    }

    /// That all goes on to its end, that the first session is the one that it
    /// was, and that new ones work.
    pub fn goes_on(mut self) -> Result<()> {
        // Masquerading forgets all connections of an interface that goes down.
        // The client's next segment makes them known again; the server's would
        // be refused by the gateway itself.
        self.download.running.noop()?;
        self.upload.running.noop()?;
        self.step()?;
        let (announced, id) = (self.announced + self.others, self.id.clone());
        let file = self.file.clone();
        let session = self.finish()?;
        let found = session.ftp_nat.json("sessions")?;
        let sessions = listed(&found);
        let own = sessions.iter().find(|s| s["id"] == id);
        ensure!(
            own.is_some_and(|s| s["client_interface"] == LAN
                && s["server_interface"] == WAN
                && s["announcements"] == announced),
            "it is not followed as before, {announced} announcements: {found}"
        );
        let clients: BTreeSet<_> = sessions.iter().map(|s| s["client"].to_string()).collect();
        ensure!(
            clients.len() == sessions.len(),
            "followed more than once: {found}"
        );
        let target = session.lab.reach(&session.server);
        let mut new = session.lab.client.log_in(&target)?;
        file.verify(&new.retrieve_active(0, "short.bin")?)
    }

    /// Waits until the program has said something.
    pub fn until_said(&mut self, words: &str) -> Result<()> {
        let what = format!("`{words}`");
        let process = self.session.ftp_nat.process();
        process.until_ready(&what, |log| Ok(log.contains(words)))
    }
}

fn listed(found: &Value) -> Vec<Value> {
    found["sessions"].as_array().cloned().unwrap_or_default()
}

/// A session of its own that is in the middle of a transfer.
struct Running {
    control: Control,
    data: TcpStream,
    /// Whether a reply to NOOP will follow the transfer's.
    noop: bool,
}

impl Running {
    fn begin(session: &Session, port: u16, command: &str) -> Result<Self> {
        let target = session.lab.reach(&session.server);
        let mut control = session.lab.client.log_in(&target)?;
        let listener = control.listen(port)?;
        ensure!(control.announce(port)?.code == 200, "PORT was refused");
        control.expect(command, 150)?;
        let (data, _) = accept(&listener)?;
        data.set_read_timeout(Some(wait::PATIENCE))?;
        data.set_write_timeout(Some(wait::PATIENCE))?;
        Ok(Self {
            control,
            data,
            noop: false,
        })
    }

    fn noop(&mut self) -> Result<()> {
        self.noop = true;
        self.control.send("NOOP")
    }

    /// Closes the data connection and reads what is said of it.
    fn finish(self) -> Result<()> {
        let mut control = self.control;
        drop(self.data);
        control.expect_reply(226)?;
        if self.noop {
            control.expect_reply(200)?;
        }
        control.expect("PWD", 257).map(drop)
    }
}

struct Download {
    running: Running,
    file: Payload,
    got: Vec<u8>,
}

impl Download {
    fn begin(session: &Session) -> Result<Self> {
        let file = session.server.publish_random("down.bin", 62, LONG)?;
        let port = SHIFTING_PORT + SHIFTING_PORTS - 1;
        let mut begun = Self {
            running: Running::begin(session, port, "RETR down.bin")?,
            file,
            got: Vec::new(),
        };
        begun.step()?;
        Ok(begun)
    }

    fn step(&mut self) -> Result<()> {
        let mut part = vec![0; STEP];
        self.running.data.read_exact(&mut part)?;
        self.got.extend(part);
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.running.data.read_to_end(&mut self.got)?;
        self.running.finish()?;
        self.file.verify(&self.got)
    }
}

struct Upload {
    running: Running,
    file: Payload,
    sent: usize,
}

impl Upload {
    fn begin(session: &Session) -> Result<Self> {
        let port = SHIFTING_PORT + SHIFTING_PORTS - 2;
        let mut begun = Self {
            running: Running::begin(session, port, "STOR upload/up.bin")?,
            file: Payload::random(63, LONG),
            sent: 0,
        };
        begun.step()?;
        Ok(begun)
    }

    fn step(&mut self) -> Result<()> {
        let end = self.sent + STEP;
        self.running
            .data
            .write_all(&self.file.bytes()[self.sent..end])?;
        self.sent = end;
        Ok(())
    }

    fn finish(mut self, session: &Session) -> Result<()> {
        self.running
            .data
            .write_all(&self.file.bytes()[self.sent..])?;
        self.running.finish()?;
        self.file.verify(&session.server.uploaded("up.bin")?)
    }
}
