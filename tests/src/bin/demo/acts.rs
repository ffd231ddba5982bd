//! What the demo shows, act by act. Each act checks what it shows.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use ftp_nat_tests::lab::{
    Client, Lab, Mode, Payload, Server,
    capture::Sides,
    ftp_nat::{Builder, FtpNat},
    topology::{CLIENT_OUTSIDE, GATEWAY_OUTSIDE, SERVER_INSIDE},
};

use crate::stage::Stage;

const FILE: &str = "hello.bin";
const LEN: usize = 3_000_000;
const FTP: u16 = 21;
const OTHER: u16 = 2121;

/// All acts, in order; the first that is not as it should be ends them.
pub fn all(stage: &Stage, lab: &Lab, program: Option<&Path>) -> Result<()> {
    let with = |builder: Builder| match program {
        Some(path) => builder.program(path),
        None => builder,
    };
    stage.overture(lab);
    let server = lab.server.vsftpd().start()?;
    let file = server.publish_random(FILE, 1, LEN)?;

    stage.act(1, "Active mode without help");
    active_without_help(stage, lab, &server)?;

    stage.act(2, "Active mode with ftp-nat");
    stage.command("gateway", "ftp-nat run --wan wan --lan lan &");
    let ftp_nat = with(lab.ftp_nat()).start()?;
    active_with_help(stage, lab, &server, &file)?;

    stage.act(
        3,
        "Passive mode to a server inside, which the gateway forwards port 21 to",
    );
    passive_to_the_inside(stage, &with)?;

    stage.act(4, "A control port other than 21, added while ftp-nat runs");
    another_port(stage, lab, &ftp_nat)
}

fn active_without_help(stage: &Stage, lab: &Lab, server: &Server) -> Result<()> {
    show_command(stage, "--ftp-port -", server.ip().to_string());
    let captures = lab.captures()?;
    let outcome = lab
        .ftp(Client::Curl, Mode::Port, server)
        .limit(Duration::from_secs(6))
        .get(FILE);
    let sides = Sides::stop(captures)?;
    ladder(stage, lab, &sides, FTP)?;
    ensure!(
        outcome.is_err(),
        "active mode works without help: this lab proves nothing"
    );
    let told = announcement(&sides, FTP, Mode::Port)?.1;
    stage.expected_failure(&format!("the server was told `{told}`,"));
    stage.say("an address that only exists inside. It can't and mustn't connect to that.");
    Ok(())
}

fn active_with_help(stage: &Stage, lab: &Lab, server: &Server, file: &Payload) -> Result<()> {
    show_command(stage, "--ftp-port -", server.ip().to_string());
    let captures = lab.captures()?;
    let got = lab.ftp(Client::Curl, Mode::Port, server).get(FILE)?;
    let sides = Sides::stop(captures)?;
    ladder(stage, lab, &sides, FTP)?;
    confirm(stage, &sides, FTP, Mode::Port, file, &got)
}

fn passive_to_the_inside(stage: &Stage, with: &dyn Fn(Builder) -> Builder) -> Result<()> {
    let lab = Lab::dnat()?;
    stage.name(&lab);
    let server = lab.server.vsftpd().start()?;
    let file = server.publish_random(FILE, 2, LEN)?;
    stage.say(&format!(
        "client {CLIENT_OUTSIDE} ---- {GATEWAY_OUTSIDE} gateway ---- {SERVER_INSIDE} server"
    ));
    let _ftp_nat = with(lab.ftp_nat()).start()?;
    show_command(
        stage,
        "--ftp-pasv --disable-epsv",
        GATEWAY_OUTSIDE.to_string(),
    );
    let captures = lab.captures()?;
    let got = lab.ftp(Client::Curl, Mode::Pasv, &server).get(FILE)?;
    let sides = Sides::stop(captures)?;
    ladder(stage, &lab, &sides, FTP)?;
    confirm(stage, &sides, FTP, Mode::Pasv, &file, &got)
}

fn another_port(stage: &Stage, lab: &Lab, ftp_nat: &FtpNat) -> Result<()> {
    let server = lab.server.vsftpd().port(OTHER).start()?;
    let file = server.publish_random(FILE, 3, LEN)?;
    let session = lab
        .ftp(Client::Curl, Mode::Port, &server)
        .limit(Duration::from_secs(6));
    ensure!(
        session.get(FILE).is_err(),
        "port {OTHER} was helped before it was added"
    );
    stage.say(&format!(
        "Before: active mode at port {OTHER} fails as in act 1."
    ));
    stage.command("gateway", &format!("ftp-nat ports add {OTHER}"));
    ftp_nat.add_port(OTHER)?;
    show_command(stage, "--ftp-port -", format!("{}:{OTHER}", server.ip()));
    let captures = lab.captures()?;
    let got = session.get(FILE)?;
    let sides = Sides::stop(captures)?;
    ladder(stage, lab, &sides, OTHER)?;
    confirm(stage, &sides, OTHER, Mode::Port, &file, &got)
}

fn show_command(stage: &Stage, options: &str, at: String) {
    stage.command(
        "client",
        &format!("curl {options} -o {FILE} ftp://{at}/{FILE}"),
    );
}

fn ladder(stage: &Stage, lab: &Lab, sides: &Sides, port: u16) -> Result<()> {
    stage.ladder(
        sides,
        port,
        &format!("client {}", lab.client_ip),
        &format!("server {}", lab.server_ip),
    )
}

/// The announcement of a session, as (sent, received).
fn announcement(sides: &Sides, port: u16, mode: Mode) -> Result<(String, String)> {
    let start = mode.announcement();
    for (client, server) in sides.control(port)? {
        let (sent, received) = if mode.is_active() {
            (client.to_server, server.to_server)
        } else {
            (server.to_client, client.to_client)
        };
        let find = |lines: Vec<ftp_nat_tests::lab::capture::Line>| {
            lines
                .into_iter()
                .map(|line| line.text)
                .find(|text| text.starts_with(start))
        };
        if let (Some(sent), Some(received)) = (find(sent.lines()), find(received.lines())) {
            return Ok((sent, received));
        }
    }
    bail!("no `{start}` was said")
}

/// That the file is right, that the announcement was edited, and that every
/// packet on both sides was well formed.
fn confirm(
    stage: &Stage,
    sides: &Sides,
    port: u16,
    mode: Mode,
    file: &Payload,
    got: &[u8],
) -> Result<()> {
    file.verify(got)?;
    sides.verify_checksums()?;
    let public = GATEWAY_OUTSIDE.to_string().replace('.', ",");
    sides.verify_edits(port, mode.announcement(), &public)?;
    let (sent, received) = announcement(sides, port, mode)?;
    ensure!(sent != received, "`{sent}` was not rewritten");
    let data = sides.data(port)?;
    let (client, _) = data
        .first()
        .context("no data connection reached both ends")?;
    client.complete()?;
    stage.good(&format!(
        "{} bytes, sha256 {}...",
        got.len(),
        &file.hash()[..16]
    ));
    stage.good("both ends' streams are exact: numbers, acknowledgements, checksums");
    Ok(())
}
