//! What opens a pinhole, for whom, and how often.

use std::{
    io::Read as _,
    net::{Ipv4Addr, SocketAddr},
};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Lab,
    capture::Sides,
    control::{accept, port_command},
    firewall,
    topology::GATEWAY_OUTSIDE,
};

use crate::support::{Session, port_of};

/// An announcement that must reach the server as it was sent, and open nothing.
fn opens_nothing(command: &str, counter: &str) -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.vsftpd().start()?;
    let ftp_nat = lab.ftp_nat().start()?;
    let captures = lab.captures()?;
    let mut control = lab.client.log_in(&lab.reach(&server))?;
    let reply = control.say(command)?;
    ensure!(
        reply.code == 500,
        "`{command}` was answered `{}`",
        reply.text
    );
    let sides = Sides::stop(captures)?;
    let edits = sides.edits(21)?;
    ensure!(edits.is_empty(), "it was rewritten: {edits:?}");
    ensure!(
        ftp_nat.counter(counter)? == 1,
        "{counter} is {}",
        ftp_nat.counter(counter)?
    );
    ensure!(
        ftp_nat.counter("expectations_made")? == 0,
        "a pinhole was made"
    );
    // And the session is as good as before.
    let file = server.publish("file", "text")?;
    file.verify(&control.retrieve_active(0, "file")?)?;
    Ok(())
}

#[test]
fn an_address_that_is_not_the_senders_opens_nothing() -> Result<()> {
    opens_nothing(
        &port_command(Ipv4Addr::new(10, 10, 0, 77), 40_000),
        "refused_foreign_address",
    )
}

#[test]
fn a_port_below_1024_opens_nothing() -> Result<()> {
    opens_nothing(
        &port_command(Ipv4Addr::new(10, 10, 0, 1), 1023),
        "refused_port",
    )
}

#[test]
fn a_servers_foreign_address_opens_nothing() -> Result<()> {
    let lab = Lab::dnat()?;
    let foreign = Ipv4Addr::new(192, 0, 2, 9);
    let server = lab.server.pyftpdlib().passive_address(foreign).start()?;
    let ftp_nat = lab.ftp_nat().start()?;
    let mut control = lab.client.log_in(&lab.reach(&server))?;
    let announced = control.passive()?;
    ensure!(announced.ip() == foreign, "it was rewritten to {announced}");
    ensure!(ftp_nat.counter("refused_foreign_address")? == 1);
    ensure!(ftp_nat.counter("expectations_made")? == 0);
    Ok(())
}

#[test]
fn a_pinhole_is_used_once() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let listener = session.control.listen(0)?;
    let told = session.announce(listener.local_addr()?.port())?;
    let public = SocketAddr::new(GATEWAY_OUTSIDE.into(), port_of(&told)?);

    let first = session.lab.server.connect(public)?;
    let (_data, from) = accept(&listener)?;
    ensure!(
        from.ip() == session.server.ip(),
        "it seems to come from {from}"
    );
    let second = session.lab.server.connect(public);
    ensure!(
        second.is_err(),
        "a second connection came through the pinhole"
    );
    drop(first);
    ensure!(session.ftp_nat.counter("expectations_used")? == 1);
    Ok(())
}

#[test]
fn a_pinhole_is_for_the_sessions_server_only() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let server = session.lab.server.clone();
    let listener = session.control.listen(0)?;
    let told = session.announce(listener.local_addr()?.port())?;
    let public = SocketAddr::new(GATEWAY_OUTSIDE.into(), port_of(&told)?);
    session.stranger_is_refused(public)?;
    ensure!(session.ftp_nat.counter("refused_data_source")? >= 1);

    // The pinhole is still there for whom it was made.
    let _data = server.connect(public)?;
    let (_, from) = accept(&listener)?;
    ensure!(
        from.ip() == session.server.ip(),
        "it seems to come from {from}"
    );
    Ok(())
}

/// Two transfers asked for in one segment: the second announcement comes by
/// before the server has connected for the first.
#[test]
fn pipelined_announcements_all_come_true() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let control = &mut session.control;
    let mut all = Vec::new();
    for n in 0..4 {
        let file = session
            .server
            .publish(&format!("file{n}"), format!("the text of file {n}"))?;
        all.push((file, control.listen(1024 + n)?));
    }
    let said: Vec<String> = (0..4)
        .map(|n| format!("PORT 10,10,0,1,4,{n}\r\nRETR file{n}"))
        .collect();
    control.send(&said.join("\r\n"))?;
    for (file, listener) in &all {
        control.expect_reply(200)?;
        control.expect_reply(150)?;
        let (mut data, _) = accept(listener)?;
        let mut got = Vec::new();
        data.read_to_end(&mut got)?;
        drop(data);
        file.verify(&got)?;
        control.expect_reply(226)?;
    }
    let counter = |name| session.ftp_nat.counter(name);
    ensure!(counter("expectations_used")? == 4);
    ensure!(counter("expectations_withdrawn")? == 0);
    Ok(())
}

/// The firewall's rules are those from before, and still drop what is new.
#[test]
fn the_forward_chain_is_left_alone() -> Result<()> {
    let rules = |lab: &Lab| lab.gateway.run(&["nft", "--stateless", "list", "ruleset"]);
    let lab = Lab::masquerade()?;
    let before = rules(&lab)?;
    let server = lab.server.vsftpd().start()?;
    let _ftp_nat = lab.ftp_nat().start()?;
    let mut control = lab.client.log_in(&lab.reach(&server))?;
    let file = server.publish("file", "text")?;
    file.verify(&control.retrieve_active(0, "file")?)?;
    ensure!(before == rules(&lab)?, "the rules were changed");
    ensure!(
        firewall::counted(&lab.gateway, "dropped_new")? == 0,
        "the transfer met the chain"
    );

    // Straight to the client, past all NAT: as new as can be.
    let _listener = control.listen(40_000)?;
    let direct = lab
        .server
        .connect(SocketAddr::new(lab.client_ip.into(), 40_000));
    ensure!(direct.is_err(), "the forward chain lets new connections in");
    ensure!(firewall::counted(&lab.gateway, "dropped_new")? > 0);
    Ok(())
}
