//! The captures of client and server compared: what the gateway between them
//! did to a control connection.

use anyhow::{Context, Result, bail, ensure};

use super::{
    Capture, Direction, Trace,
    conversation::Conversation,
    stream::{Line, Stream},
};

/// A line that reached the far end with another text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// As it was sent.
    pub sent: String,
    /// As it was received.
    pub received: String,
}

/// The control port, as each end knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The port that the client dials.
    pub dialled: u16,
    /// The port that the server listens at.
    pub real: u16,
}

impl From<u16> for Ports {
    fn from(port: u16) -> Self {
        Self {
            dialled: port,
            real: port,
        }
    }
}

/// The traces of both ends.
#[derive(Debug, Clone)]
pub struct Sides {
    /// At the client.
    pub client: Trace,
    /// At the server.
    pub server: Trace,
}

impl Sides {
    /// Ends both captures.
    pub fn stop((client, server): (Capture, Capture)) -> Result<Self> {
        Ok(Self {
            client: client.stop()?,
            server: server.stop()?,
        })
    }

    /// That every checksum on both sides is right.
    pub fn verify_checksums(&self) -> Result<()> {
        self.client.verify_checksums()?;
        self.server.verify_checksums()
    }

    /// The control connections, as (at the client, at the server).
    pub fn control(&self, ports: impl Into<Ports>) -> Result<Vec<(Conversation, Conversation)>> {
        let Ports { dialled, real } = ports.into();
        let mut servers = self.server.control(real)?;
        let mut pairs = Vec::new();
        for client in self.client.control(dialled)? {
            // NAT changes the ports, but the first number is never shifted.
            let isn = client.to_server.isn;
            let at = servers
                .iter()
                .position(|s| s.to_server.isn == isn)
                .with_context(|| {
                    format!(
                        "the control connection of {} is not at the server",
                        client.client
                    )
                })?;
            pairs.push((client, servers.remove(at)));
        }
        Ok(pairs)
    }

    /// Every line that was changed on its way over a control connection, in order of its direction (commands first).
    ///
    /// That the streams have no holes, and that both ends count the same
    /// number of lines, is checked on the way.
    pub fn edits(&self, ports: impl Into<Ports>) -> Result<Vec<Edit>> {
        let mut edits = Vec::new();
        for (client, server) in self.control(ports)? {
            client.complete().context("at the client")?;
            server.complete().context("at the server")?;
            edits.extend(compare(&client.to_server, &server.to_server).context("commands")?);
            edits.extend(compare(&server.to_client, &client.to_client).context("replies")?);
        }
        Ok(edits)
    }

    /// That just the announcements (lines beginning with `start`, in any case)
    /// were changed, and each into one with `address`; gives their number.
    pub fn verify_edits(
        &self,
        ports: impl Into<Ports>,
        start: &str,
        address: &str,
    ) -> Result<usize> {
        let ports = ports.into();
        let edits = self.edits(ports)?;
        for Edit { sent, received } in &edits {
            ensure!(
                is_announcement(sent, start),
                "`{sent}` was changed into `{received}`"
            );
            ensure!(
                is_announcement(received, start),
                "`{sent}` became `{received}`"
            );
            ensure!(
                received.contains(address) && !sent.contains(address),
                "`{sent}` became `{received}`, which does not say {address}"
            );
        }
        let lines = |s: &Stream| {
            s.lines()
                .iter()
                .filter(|l| is_announcement(&l.text, start))
                .count()
        };
        let all: usize = self
            .control(ports)?
            .iter()
            .map(|(client, server)| lines(&client.to_server) + lines(&server.to_client))
            .sum();
        ensure!(
            all == edits.len() && all > 0,
            "{all} announcements were sent and {} were changed",
            edits.len()
        );
        Ok(all)
    }

    /// The connections that carried data, as (at the client, at the server), by
    /// their first sequence number.
    pub fn data(&self, ports: impl Into<Ports>) -> Result<Vec<(Conversation, Conversation)>> {
        let dialled = ports.into().dialled;
        let mut servers = self.server.conversations()?;
        let mut pairs = Vec::new();
        for client in self.client.conversations()? {
            if client.server.port() == dialled {
                continue;
            }
            let isn = client.to_server.isn;
            if let Some(at) = servers.iter().position(|s| s.to_server.isn == isn) {
                pairs.push((client, servers.remove(at)));
            }
        }
        Ok(pairs)
    }

    /// Every way a data packet's TTL differs between the two ends: 1 for each
    /// router it passed.
    pub fn hops(&self, control_port: u16) -> Result<Vec<i16>> {
        let mut hops = Vec::new();
        for (sender, receiver) in [(&self.client, &self.server), (&self.server, &self.client)] {
            let data = |t: &&super::Packet, way| {
                t.direction == way
                    && t.tcp()
                        .is_some_and(|t| ![t.src.port(), t.dst.port()].contains(&control_port))
            };
            let ttl = |p: &super::Packet| p.ip().map_or(0, |ip| i16::from(ip.ttl));
            let sent = sender
                .packets
                .iter()
                .find(|p| data(p, Direction::Sent))
                .map(ttl);
            for packet in receiver
                .packets
                .iter()
                .filter(|p| data(p, Direction::Received))
            {
                let sent = sent.context("data was received that nobody sent")?;
                let difference = sent - ttl(packet);
                if !hops.contains(&difference) {
                    hops.push(difference);
                }
            }
        }
        Ok(hops)
    }
}

fn is_announcement(line: &str, start: &str) -> bool {
    line.get(..start.len())
        .is_some_and(|s| s.eq_ignore_ascii_case(start))
}

fn compare(sent: &Stream, received: &Stream) -> Result<Vec<Edit>> {
    let (sent, received): (Vec<Line>, Vec<Line>) = (sent.lines(), received.lines());
    if sent.len() != received.len() {
        bail!(
            "{} lines were sent and {} received: {sent:?} {received:?}",
            sent.len(),
            received.len()
        );
    }
    let changed = sent
        .into_iter()
        .zip(received)
        .filter(|(s, r)| s.text != r.text);
    Ok(changed
        .map(|(s, r)| Edit {
            sent: s.text,
            received: r.text,
        })
        .collect())
}
