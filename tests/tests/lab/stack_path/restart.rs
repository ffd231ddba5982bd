//! A connection stays on the path it began on, whatever `run` is told later.

use std::io::{Read as _, Write as _};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{Lab, Payload, control::accept, firewall, ftp_nat::FtpNat};

use super::{ACCEPT, tracked};

/// A running transfer begun on `first`, while the program is killed and run
/// again with `second`; and another transfer afterwards.
fn changes(first: &str, second: &str, upload: bool) -> Result<()> {
    let lab = Lab::masquerade()?;
    lab.gateway.nft(ACCEPT)?;
    let server = lab.server.vsftpd().start()?;
    let builder = |path: &str| lab.ftp_nat().arg("--data-path").arg(path);
    let mut ftp_nat = builder(first).start()?;
    let file = Payload::random(80, 8_000_000);
    server.publish("down.bin", file.bytes())?;
    let mut control = lab.client.log_in(&lab.reach(&server))?;
    let listener = control.listen(0)?;
    control.announce(listener.local_addr()?.port())?;
    let command = if upload {
        "STOR upload/up.bin"
    } else {
        "RETR down.bin"
    };
    control.expect(command, 150)?;
    let (mut data, _) = accept(&listener)?;
    let mut got = vec![0; 1_000_000];
    let (begin, rest) = file.bytes().split_at(got.len());
    if upload {
        data.write_all(begin)?;
    } else {
        data.read_exact(&mut got)?;
    }
    ftp_nat.kill()?;
    let ftp_nat = builder(second).start()?;
    path_is(&ftp_nat, &[first])?;
    if upload {
        data.write_all(rest)?;
        drop(data);
        control.expect_reply(226)?;
        file.verify(&server.uploaded("up.bin")?)?;
    } else {
        data.read_to_end(&mut got)?;
        drop(data);
        control.expect_reply(226)?;
        file.verify(&got)?;
    }
    file.verify(&control.retrieve_active(0, "down.bin")?)?;
    path_is(&ftp_nat, &[first, second])?;
    let entries = tracked(&lab.gateway)?;
    ensure!(
        entries.len() == 1 && entries[0].contains("[ASSURED]"),
        "one of two went through the stack: {entries:#?}"
    );
    ensure!(firewall::counted(&lab.gateway, "dropped_invalid")? == 0);
    Ok(())
}

/// The paths of the data connections, oldest first.
fn path_is(ftp_nat: &FtpNat, wanted: &[&str]) -> Result<()> {
    let shown = ftp_nat.json("translations")?;
    let list = shown["translations"].as_array().map_or(&[][..], |l| l);
    let paths: Vec<_> = list.iter().map(|t| &t["path"]).collect();
    ensure!(paths == wanted, "{paths:?} instead of {wanted:?}");
    Ok(())
}

#[test]
fn from_redirect_to_stack_in_a_download() -> Result<()> {
    changes("redirect", "stack", false)
}

#[test]
fn from_stack_to_redirect_in_a_download() -> Result<()> {
    changes("stack", "redirect", false)
}

#[test]
fn from_redirect_to_stack_in_an_upload() -> Result<()> {
    changes("redirect", "stack", true)
}

#[test]
fn from_stack_to_redirect_in_an_upload() -> Result<()> {
    changes("stack", "redirect", true)
}
