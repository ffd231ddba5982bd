//! REIN (RFC 959 section 4.1.1): the dialogue begins again on the same connection.

use std::io::Read as _;

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Lab,
    capture::Sides,
    control::{Control, accept},
};

use super::{
    reference::{Count, Rule, verify_sides},
    wire::{RULE, Wire},
};

/// Fetches the file in active mode from pyftpdlib, which connects as soon as it
/// is told where, and so says 125.
fn fetch(control: &mut Control, port: u16) -> Result<Vec<u8>> {
    let listener = control.listen(port)?;
    ensure!(control.announce(port)?.code == 200);
    let (mut data, _) = accept(&listener)?;
    control.expect("RETR file.bin", 125)?;
    let mut got = Vec::new();
    data.read_to_end(&mut got)?;
    control.expect_reply(226)?;
    Ok(got)
}

/// With a real server: log in, announce, start anew, log in again, transfer.
#[test]
fn a_session_goes_on_behind_rein() -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.pyftpdlib().start()?;
    let file = server.publish("file.bin", "as if nothing had been")?;
    let ftp_nat = lab.ftp_nat().start()?;
    let captures = lab.captures()?;
    let target = lab.reach(&server);
    let mut control = lab.client.log_in(&target)?;
    file.verify(&fetch(&mut control, 1024)?)?;
    let reply = control.say("REIN")?;
    ensure!(reply.code == 230, "REIN was answered `{}`", reply.text);
    ensure!(control.say("RETR file.bin")?.code == 530, "still logged in");
    control.expect(&format!("USER {}", target.user), 331)?;
    control.expect(&format!("PASS {}", target.password), 230)?;
    control.expect("TYPE I", 200)?;
    file.verify(&fetch(&mut control, 1025)?)?;
    control.expect("QUIT", 221)?;
    let sides = Sides::stop(captures)?;
    let no_rule = Rule {
        start: "227 ",
        ..RULE
    };
    let counts = verify_sides(&sides, 21, [RULE, no_rule])?;
    let both = Count {
        rewritten: 2,
        left: 0,
    };
    ensure!(counts[0] == both, "{counts:?}");
    ensure!(ftp_nat.counter("expectations_used")? == 2);
    Ok(())
}

#[test]
fn rein_withdraws_what_was_announced() -> Result<()> {
    let mut wire = Wire::new()?;
    wire.say(b"PORT 10,10,0,1,4,0\r\n")?;
    ensure!(wire.ftp_nat.counter("expectations_withdrawn")? == 0);
    wire.say(b"REIN\r\n")?;
    ensure!(wire.ftp_nat.counter("expectations_withdrawn")? == 1);
    wire.say(b"USER lab\r\n")?;
    wire.say(b"PORT 10,10,0,1,4,1\r\n")?;
    ensure!(wire.ftp_nat.counter("expectations_made")? == 2);
    wire.finish(2)?;
    Ok(())
}
