//! A control connection between a client and a server that do what they are told.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{
    Lab,
    ftp_nat::FtpNat,
    scripted::{Scripted, Socket, client::until_acknowledged, polite},
    topology::{CLIENT_INSIDE, GATEWAY_OUTSIDE, SERVER_OUTSIDE},
};

use super::reference::{Count, Rule, verify};

/// Where the server of a masquerade lab listens.
pub const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(SERVER_OUTSIDE), 21);
/// How long anything may take at all. What must be quicker has a limit of its own.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// What becomes of the client's commands.
pub const RULE: Rule = Rule {
    start: "PORT",
    own: CLIENT_INSIDE,
    public: GATEWAY_OUTSIDE,
};

/// Both ends, the gateway between them, and all that the client wrote.
pub struct Wire {
    /// The client's end.
    pub client: TcpStream,
    /// The server's end.
    pub server: Scripted,
    /// The helper.
    pub ftp_nat: FtpNat,
    /// The lab.
    pub lab: Lab,
    replies: BufReader<TcpStream>,
    sent: Vec<u8>,
}

impl Wire {
    /// On a new masquerade lab, logged in.
    pub fn new() -> Result<Self> {
        Self::on(Lab::masquerade()?)
    }

    /// On a lab of which the client is behind masquerade.
    pub fn on(lab: Lab) -> Result<Self> {
        Self::with(lab, Socket::default(), None)
    }

    /// With options of both sockets.
    pub fn with(lab: Lab, socket: Socket, server_buffer: Option<usize>) -> Result<Self> {
        let server = lab.server.scripted(SERVER, server_buffer, polite)?;
        Self::between(lab, socket, server)
    }

    /// With a server of the test's own.
    pub fn between(lab: Lab, socket: Socket, server: Scripted) -> Result<Self> {
        let ftp_nat = lab.ftp_nat().start()?;
        let client = socket.connect(&lab.client, server.at())?;
        client.set_read_timeout(Some(PATIENCE))?;
        client.set_write_timeout(Some(PATIENCE))?;
        let replies = BufReader::new(client.try_clone()?);
        let mut wire = Self {
            client,
            server,
            ftp_nat,
            lab,
            replies,
            sent: Vec::new(),
        };
        wire.expect("220")?;
        wire.say(b"USER lab\r\n")?;
        Ok(wire)
    }

    /// Writes bytes in one go.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.client.write_all(bytes)?;
        self.sent.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes some of the bytes, and says how many were taken.
    pub fn write_some(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let len = self.client.write(bytes)?;
        self.sent.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    /// Reads one line of the server.
    pub fn reply(&mut self) -> Result<String> {
        let mut line = String::new();
        let len = self.replies.read_line(&mut line).context("no reply")?;
        ensure!(len > 0, "the server closed the connection");
        Ok(line.trim_end().to_owned())
    }

    /// Reads one line that must begin so.
    pub fn expect(&mut self, start: &str) -> Result<()> {
        let reply = self.reply()?;
        ensure!(reply.starts_with(start), "expected {start}, got `{reply}`");
        Ok(())
    }

    /// Writes a line and reads its reply.
    pub fn say(&mut self, line: &[u8]) -> Result<()> {
        self.write(line)?;
        self.expect("2")
            .with_context(|| format!("after `{}`", line.escape_ascii()))
    }

    /// Waits until all that was written has been acknowledged to the client.
    pub fn until_acknowledged(&self, limit: Duration) -> Result<()> {
        until_acknowledged(&self.client, limit)
    }

    /// All that was written.
    pub fn sent(&self) -> &[u8] {
        &self.sent
    }

    /// Ends the connection, and checks that the server was sent what it must
    /// be, with so many announcements rewritten. Gives what was received.
    ///
    /// All replies but the last one must have been read.
    pub fn finish(&mut self, rewritten: usize) -> Result<Vec<u8>> {
        let (received, count) = self.end()?;
        let all = Count { rewritten, left: 0 };
        ensure!(count == all, "{count:?}");
        Ok(received)
    }

    /// Like `finish`, but lines may have been left as they were, if that was counted.
    pub fn end(&mut self) -> Result<(Vec<u8>, Count)> {
        self.write(b"QUIT\r\n")?;
        self.expect("221")?;
        self.client.shutdown(Shutdown::Write)?;
        let more = self.replies.read_to_end(&mut Vec::new())?;
        ensure!(more == 0, "{more} bytes came after the last reply");
        let received = self.server.received();
        let counters = self.ftp_nat.counters()?;
        let of = |name: &str| counters.get(name).copied().unwrap_or(0);
        ensure!(of("ack_beyond_sent") == 0, "an ack was not understood");
        let count = verify(&self.sent, &received, RULE)?;
        let refused: u64 = counters
            .iter()
            // Of a foreign address the reference says that it is no announcement.
            .filter(|(name, _)| name.starts_with("refused_") && *name != "refused_foreign_address")
            .map(|(_, n)| n)
            .sum();
        let counted = (
            of("rewrites"),
            of("passed_no_edit_slot") + of("passed_frozen") + refused,
        );
        ensure!(
            counted == (count.rewritten as u64, count.left as u64),
            "{count:?} in the stream, {counted:?} counted"
        );
        Ok((received, count))
    }
}
