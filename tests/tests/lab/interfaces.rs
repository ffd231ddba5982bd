//! Interfaces that go and come, under a session whose numbers are shifted and
//! under a running transfer.

use std::{cell::RefCell, io::Read as _, net::TcpStream};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Payload,
    control::{Control, accept},
    firewall::{LAN, WAN},
    ftp_nat::Builder,
    wait,
};
use nix::sys::signal::Signal;

use crate::support::{SHIFTING_PORT, Session, port_of};

/// A session with a shift, and another one in the middle of a transfer.
struct Busy {
    session: Session,
    file: Payload,
    id: serde_json::Value,
    other: Control,
    data: TcpStream,
    got: Vec<u8>,
}

impl Busy {
    fn new(change: impl FnOnce(Builder) -> Builder) -> Result<Self> {
        let mut session = Session::behind_masquerade_with(change)?;
        let file = session.server.publish_random("file.bin", 61, 12_000_000)?;
        let shifting = session.server.publish_random("small.bin", 62, 10_000)?;
        shifting.verify(
            &session
                .control
                .retrieve_active(SHIFTING_PORT, "small.bin")?,
        )?;
        let found = session.ftp_nat.json("sessions")?;
        ensure!(
            found["sessions"][0]["shift"]["client"] != 0,
            "no shift: {found}"
        );
        let mut other = session
            .lab
            .client
            .log_in(&session.lab.reach(&session.server))?;
        let listener = other.listen(0)?;
        ensure!(other.announce(listener.local_addr()?.port())?.code == 200);
        other.expect("RETR file.bin", 150)?;
        let (mut data, _) = accept(&listener)?;
        data.set_read_timeout(Some(wait::PATIENCE))?;
        let mut got = vec![0; 100_000];
        data.read_exact(&mut got)?;
        let id = found["sessions"][0]["id"].clone();
        Ok(Self {
            session,
            file,
            id,
            other,
            data,
            got,
        })
    }

    /// That both have survived, and that what is new works.
    fn goes_on(mut self) -> Result<()> {
        // Masquerading forgets all connections of an interface that goes down.
        // The client's next segment makes them known again; the server's would
        // be refused by the gateway itself.
        self.other.send("NOOP")?;
        self.session.control.expect("PWD", 257)?;
        self.data.read_to_end(&mut self.got)?;
        drop(self.data);
        self.other.expect_reply(226)?;
        self.other.expect_reply(200)?;
        self.file.verify(&self.got)?;
        let control = &mut self.session.control;
        control.expect("PWD", 257)?;
        self.file
            .verify(&control.retrieve_active(SHIFTING_PORT + 1, "file.bin")?)?;
        let found = self.session.ftp_nat.json("sessions")?;
        let sessions = found["sessions"].as_array().cloned().unwrap_or_default();
        let own = sessions.iter().find(|s| s["id"] == self.id);
        ensure!(
            own.is_some_and(|s| s["client_interface"] == LAN && s["server_interface"] == WAN),
            "it is not followed as before: {found}"
        );
        let mut new = self
            .session
            .lab
            .client
            .log_in(&self.session.lab.reach(&self.session.server))?;
        self.file.verify(&new.retrieve_active(0, "file.bin")?)?;
        ensure!(
            self.session.ftp_nat.json("sessions")?["sessions"]
                .as_array()
                .is_some_and(|s| s.len() == 3)
        );
        Ok(())
    }

    /// Waits until the program has said something about an interface.
    fn until_said(&mut self, words: &str) -> Result<()> {
        let what = format!("`{words}`");
        self.session
            .ftp_nat
            .process()
            .until_ready(&what, |log| Ok(log.contains(words)))
    }

    fn remake(&mut self, interface: &str) -> Result<()> {
        let ftp_nat = RefCell::new(&mut self.session.ftp_nat);
        let says = |words: String| {
            let what = format!("`{words}`");
            let mut ftp_nat = ftp_nat.borrow_mut();
            let process = ftp_nat.process();
            process.until_ready(&what, |log| Ok(log.contains(&words)))
        };
        self.session.lab.remake_link(
            interface,
            || says(format!("{interface} is gone")),
            || says(format!("{interface}: attached again")),
        )
    }
}

fn down_and_up(interface: &str) -> Result<()> {
    let busy = Busy::new(|run| run)?;
    let gateway = &busy.session.lab.gateway;
    gateway.run(&["ip", "link", "set", interface, "down"])?;
    gateway.run(&["ip", "link", "set", interface, "up"])?;
    busy.goes_on()
}

#[test]
fn the_inner_one_goes_down_and_up() -> Result<()> {
    down_and_up(LAN)
}

#[test]
fn the_outer_one_goes_down_and_up() -> Result<()> {
    down_and_up(WAN)
}

#[test]
fn the_inner_one_is_made_anew() -> Result<()> {
    let mut busy = Busy::new(|run| run)?;
    busy.remake(LAN)?;
    busy.goes_on()
}

#[test]
fn the_outer_one_is_made_anew() -> Result<()> {
    let mut busy = Busy::new(|run| run)?;
    busy.remake(WAN)?;
    busy.goes_on()
}

#[test]
fn both_are_made_anew_with_clsact() -> Result<()> {
    let mut busy = Busy::new(|run| run.arg("--hook").arg("clsact"))?;
    busy.remake(LAN)?;
    busy.remake(WAN)?;
    busy.goes_on()
}

#[test]
fn filters_that_somebody_removed_are_put_back() -> Result<()> {
    let mut session = Session::behind_masquerade_with(|run| run.arg("--hook").arg("clsact"))?;
    let file = session.server.publish_random("file.bin", 64, 50_000)?;
    file.verify(&session.control.retrieve_active(SHIFTING_PORT, "file.bin")?)?;
    let gateway = session.lab.gateway.clone();
    gateway.run(&["tc", "qdisc", "del", "dev", WAN, "clsact"])?;
    wait::until_true("the filters to be back", wait::PATIENCE, || {
        let shown = gateway.run(&["tc", "filter", "show", "dev", WAN, "egress"])?;
        Ok(shown.contains("ftp_nat_egress"))
    })?;
    session.control.expect("PWD", 257)?;
    file.verify(
        &session
            .control
            .retrieve_active(SHIFTING_PORT + 1, "file.bin")?,
    )
}

#[test]
fn one_is_made_anew_while_nobody_watches() -> Result<()> {
    let mut busy = Busy::new(|run| run)?;
    busy.session.ftp_nat.kill()?;
    busy.session.lab.remake_link(LAN, || Ok(()), || Ok(()))?;
    busy.session.ftp_nat.run_again()?;
    busy.goes_on()
}

/// The program doesn't run for a while, and finds out afterwards.
#[test]
fn one_is_made_anew_while_the_program_is_stopped() -> Result<()> {
    let mut busy = Busy::new(|run| run)?;
    busy.session.ftp_nat.process().signal(Signal::SIGSTOP)?;
    // Nobody is missed while all stays as it is.
    let control = &mut busy.session.control;
    control.expect("PWD", 257)?;
    busy.file
        .verify(&control.retrieve_active(SHIFTING_PORT + 2, "file.bin")?)?;
    busy.session.lab.remake_link(LAN, || Ok(()), || Ok(()))?;
    busy.session.ftp_nat.process().signal(Signal::SIGCONT)?;
    busy.until_said(&format!("{LAN}: attached again"))?;
    busy.goes_on()
}

/// As when a lease runs out and is had again.
#[test]
fn the_outer_address_goes_and_comes_back() -> Result<()> {
    let busy = Busy::new(|run| run)?;
    let gateway = &busy.session.lab.gateway;
    for verb in ["del", "add"] {
        gateway.run(&["ip", "address", verb, "61.144.1.2/24", "dev", WAN])?;
    }
    busy.goes_on()
}

#[test]
fn new_sessions_use_a_new_outer_address() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let file = session.server.publish_random("file.bin", 63, 50_000)?;
    file.verify(&session.control.retrieve_active(0, "file.bin")?)?;
    let gateway = &session.lab.gateway;
    gateway.run(&["ip", "address", "del", "61.144.1.2/24", "dev", WAN])?;
    gateway.run(&["ip", "address", "add", "61.144.1.7/24", "dev", WAN])?;
    // The kernel side knows it, as the source of ICMP errors.
    let pin = session.ftp_nat.pin_path().join("INTERFACES");
    wait::until_true("the new address", wait::PATIENCE, || {
        let path = pin.to_string_lossy();
        let dump = gateway.run(&["bpftool", "-j", "map", "dump", "pinned", &path])?;
        Ok(dump.contains(r#""0x3d","0x90","0x01","0x07""#))
    })?;
    let captured = session.lab.captures()?;
    let mut new = session
        .lab
        .client
        .log_in(&session.lab.reach(&session.server))?;
    file.verify(&new.retrieve_active(0, "file.bin")?)?;
    let at_server = captured.1.stop()?;
    let told = crate::support::port_line(&at_server)?;
    ensure!(
        told.starts_with("PORT 61,144,1,7,"),
        "the server was told `{told}`"
    );
    port_of(&told).map(drop)
}
