//! Control ports are added and removed while sessions are running.

use anyhow::{Result, ensure};

use crate::{busy::Busy, support::SHIFTING_PORT};

const OTHER: u16 = 2121;

#[test]
fn a_port_works_from_when_it_was_added() -> Result<()> {
    let mut busy = Busy::new()?;
    let session = &busy.session;
    let other = session.lab.server.vsftpd().port(OTHER).start()?;
    let at_other = other.publish_random("other.bin", 11, 50_000)?;

    let mut unknown = session.lab.client.log_in(&session.lab.reach(&other))?;
    let refused = unknown.announce(40_000)?;
    ensure!(
        refused.code == 500,
        "a port that isn't watched was helped: {}",
        refused.text
    );

    session.ftp_nat.add_port(OTHER)?;
    let mut known = session.lab.client.log_in(&session.lab.reach(&other))?;
    at_other.verify(&known.retrieve_active(0, "other.bin")?)?;
    busy.step()?;
    busy.session.ftp_nat.remove_port(OTHER)?;
    busy.goes_on()
}

/// Neither the port of others, nor the one of all that runs.
#[test]
fn removing_a_port_ends_no_session() -> Result<()> {
    let mut busy = Busy::new()?;
    let session = &busy.session;
    let other = session.lab.server.vsftpd().port(OTHER).start()?;
    let file = other.publish_random("file.bin", 12, 30_000)?;
    session.ftp_nat.add_port(OTHER)?;
    let mut before = session.lab.client.log_in(&session.lab.reach(&other))?;
    file.verify(&before.retrieve_active(SHIFTING_PORT, "file.bin")?)?;

    for port in [OTHER, 21] {
        session.ftp_nat.remove_port(port)?;
    }
    file.verify(&before.retrieve_active(0, "file.bin")?)?;
    before.expect("PWD", 257)?;
    busy.step()?;
    let session = &busy.session;
    for server in [&other, &session.server] {
        let mut after = session.lab.client.log_in(&session.lab.reach(server))?;
        let refused = after.announce(40_000)?;
        ensure!(
            refused.code == 500,
            "a removed port was helped: {}",
            refused.text
        );
    }
    session.ftp_nat.add_port(21)?;
    busy.goes_on()
}

#[test]
fn ports_given_at_the_start_are_listed() -> Result<()> {
    let lab = ftp_nat_tests::lab::Lab::masquerade()?;
    let server = lab.server.vsftpd().port(OTHER).start()?;
    let ftp_nat = lab.ftp_nat().port(21).port(OTHER).start()?;
    let listed = ftp_nat.done(&["ports", "list"])?;
    ensure!(
        listed.contains("21") && listed.contains("2121"),
        "listed: {listed}"
    );
    let file = server.publish_random("file.bin", 13, 30_000)?;
    file.verify(
        &lab.client
            .curl()
            .active()
            .to(&lab.reach(&server))
            .get("file.bin")?,
    )?;
    Ok(())
}
