//! Real TCP: the connections stay open, and the first and the last of them are
//! used in turns.

use std::{net::SocketAddr, time::Instant};

use anyhow::{Context as _, Result, ensure};
use ftp_nat_tests::lab::{Lab, ftp_nat::FtpNat, process::Process};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::{
    ends::{Client, How, send_unpaced, server},
    report::{Case, Target},
    turns::{Effort, alternate},
};

/// How many are held.
const COUNTS: [u32; 2] = [1_000, 10_000];
/// Commands for one figure.
const COMMANDS: u32 = 2_000;
const FIRST: &str = "the first";
const LAST: &str = "the last";

/// Holds some, then more.
pub fn run(effort: &Effort) -> Result<Vec<Case>> {
    let crowd = Crowd::new(effort.scaled(COUNTS[1]))?;
    let client = &crowd.lab.client;
    let mut held: Vec<Client> = Vec::new();
    let mut cases = Vec::new();
    for count in COUNTS {
        let count = effort.scaled(count);
        client.enter(|| {
            while held.len() < count as usize {
                held.push(Client::login(crowd.at)?);
            }
            Ok(())
        })?;
        let shown = crowd.helper.json("sessions")?;
        let followed = shown["sessions"].as_array().map_or(0, Vec::len);
        ensure!(
            followed == count as usize,
            "{count} control connections, of which {followed} are followed"
        );
        let series = alternate(effort, &[FIRST, LAST], |n| {
            let at = [0, held.len() - 1][n];
            commands(&mut held[at], effort.scaled(COMMANDS))
        })?;
        for at in [0, held.len() - 1] {
            client
                .enter(|| held[at].get_small(How::Active))
                .with_context(|| format!("a file by connection {at} of {count}"))?;
        }
        let name = format!("scale: {count} control connections of real TCP");
        let case =
            Case::new(name, "exchanges/s", series).ratio(FIRST, LAST, Some(Target::AtMost(1.3)));
        cases.push(case.print());
    }
    Ok(cases)
}

/// A lab for many clients. The server is a process of its own, for the number of
/// descriptors that one may have is limited.
struct Crowd {
    at: SocketAddr,
    helper: FtpNat,
    _server: Process,
    lab: Lab,
}

impl Crowd {
    fn new(count: u32) -> Result<Self> {
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
        let wanted = u64::from(count) + 500;
        ensure!(
            wanted <= most,
            "{wanted} open files are needed and {most} allowed: raise `ulimit -Hn`"
        );
        setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
        let lab = Lab::masquerade()?;
        lab.know_neighbours()?;
        send_unpaced(&lab)?;
        let mut command = lab.server.command(std::env::current_exe()?);
        command.arg("--serve").arg(lab.server_ip.to_string());
        let mut server = lab.server.spawn(command, "crowd")?;
        server.until_line(server::LISTENING)?;
        // All clients are one host here.
        let allowed = (2 * count).to_string();
        let builder = lab.ftp_nat().arg("--max-sessions-per-source");
        Ok(Self {
            at: SocketAddr::from((lab.server_ip, 21)),
            helper: builder.arg(&allowed).start()?,
            _server: server,
            lab,
        })
    }
}

/// Commands and replies a second.
fn commands(client: &mut Client, count: u32) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..count {
        client.ask("NOOP", "200")?;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}
