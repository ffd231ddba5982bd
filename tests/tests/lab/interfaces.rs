//! Interfaces that go and come, under a session whose numbers are shifted and
//! under a running transfer.

use std::cell::RefCell;

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Lab,
    firewall::{LAN, WAN},
    wait,
};
use nix::sys::signal::Signal;

use crate::{
    busy::Busy,
    support::{Session, port_line},
};

/// Removes an interface and makes it anew, as the program notices both.
fn remake(busy: &mut Busy, interface: &str) -> Result<()> {
    let ftp_nat = RefCell::new(&mut busy.session.ftp_nat);
    let says = |words: String| {
        let what = format!("`{words}`");
        let mut ftp_nat = ftp_nat.borrow_mut();
        let process = ftp_nat.process();
        process.until_ready(&what, |log| Ok(log.contains(&words)))
    };
    busy.session.lab.remake_link(
        interface,
        || says(format!("{interface} is gone")),
        || says(format!("{interface}: attached again")),
    )
}

fn down_and_up(interface: &str) -> Result<()> {
    let busy = Busy::new()?;
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
    let mut busy = Busy::new()?;
    remake(&mut busy, LAN)?;
    busy.goes_on()
}

#[test]
fn the_outer_one_is_made_anew() -> Result<()> {
    let mut busy = Busy::new()?;
    remake(&mut busy, WAN)?;
    busy.goes_on()
}

#[test]
fn both_are_made_anew_with_clsact() -> Result<()> {
    let mut busy = Busy::with(|run| run.arg("--hook").arg("clsact"))?;
    remake(&mut busy, LAN)?;
    remake(&mut busy, WAN)?;
    busy.goes_on()
}

#[test]
fn filters_that_somebody_removed_are_put_back() -> Result<()> {
    let busy = Busy::with(|run| run.arg("--hook").arg("clsact"))?;
    let gateway = busy.session.lab.gateway.clone();
    gateway.run(&["tc", "qdisc", "del", "dev", WAN, "clsact"])?;
    wait::until_true("the filters to be back", wait::PATIENCE, || {
        let shown = gateway.run(&["tc", "filter", "show", "dev", WAN, "egress"])?;
        Ok(shown.contains("ftp_nat_egress"))
    })?;
    busy.goes_on()
}

#[test]
fn one_is_made_anew_while_nobody_watches() -> Result<()> {
    let mut busy = Busy::new()?;
    busy.session.ftp_nat.kill()?;
    busy.session.lab.remake_link(LAN, || Ok(()), || Ok(()))?;
    busy.session.ftp_nat.run_again()?;
    busy.goes_on()
}

/// The program doesn't run for a while, and finds out afterwards.
#[test]
fn one_is_made_anew_while_the_program_is_stopped() -> Result<()> {
    let mut busy = Busy::new()?;
    busy.session.ftp_nat.process().signal(Signal::SIGSTOP)?;
    // Nobody is missed while all stays as it is.
    busy.step()?;
    busy.session.lab.remake_link(LAN, || Ok(()), || Ok(()))?;
    busy.session.ftp_nat.process().signal(Signal::SIGCONT)?;
    busy.until_said(&format!("{LAN}: attached again"))?;
    busy.goes_on()
}

/// As when a lease runs out and is had again.
#[test]
fn the_outer_address_goes_and_comes_back() -> Result<()> {
    let busy = Busy::new()?;
    let gateway = &busy.session.lab.gateway;
    for verb in ["del", "add"] {
        gateway.run(&["ip", "address", verb, "61.144.1.2/24", "dev", WAN])?;
    }
    busy.goes_on()
}

/// The outer interface gets another address in the place of its address, and the kernel
/// side knows it, as the source of ICMP errors.
fn renumber(session: &Session) -> Result<()> {
    let gateway = &session.lab.gateway;
    gateway.run(&["ip", "address", "del", "61.144.1.2/24", "dev", WAN])?;
    gateway.run(&["ip", "address", "add", "61.144.1.7/24", "dev", WAN])?;
    let pin = session.ftp_nat.pin_path().join("INTERFACES");
    wait::until_true("the new address", wait::PATIENCE, || {
        let path = pin.to_string_lossy();
        let dump = gateway.run(&["bpftool", "-j", "map", "dump", "pinned", &path])?;
        Ok(dump.contains(r#""0x3d","0x90","0x01","0x07""#))
    })
}

/// Masquerading forgets the connections of an address that goes, so that those
/// of before end. Nothing of them is in the way of new ones.
#[test]
fn new_sessions_use_a_new_outer_address() -> Result<()> {
    let busy = Busy::new()?;
    renumber(&busy.session)?;
    let session = &busy.session;
    let captured = session.lab.captures()?;
    let target = session.lab.reach(&session.server);
    let mut new = session.lab.client.log_in(&target)?;
    let file = session.server.publish_random("new.bin", 64, 50_000)?;
    for _ in 0..2 {
        file.verify(&new.retrieve_active(0, "new.bin")?)?;
    }
    let told = port_line(&captured.1.stop()?)?;
    ensure!(
        told.starts_with("PORT 61,144,1,7,"),
        "the server was told `{told}`"
    );
    Ok(())
}

/// Where clients are translated to an address that stays, all goes on.
#[test]
fn sessions_outlive_the_outer_address_if_theirs_stays() -> Result<()> {
    let lab = Lab::masquerade()?;
    lab.gateway.nft(&format!(
        "flush chain ip nat postrouting
         add rule ip nat postrouting oifname {WAN} snat to 61.144.1.50"
    ))?;
    lab.gateway.address("lo", "61.144.1.50/32")?;
    let busy = Busy::over(Session::in_lab(lab, |run| run)?)?;
    renumber(&busy.session)?;
    busy.goes_on()
}
