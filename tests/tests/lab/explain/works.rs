//! A transfer that works.

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::wait;

use super::{explain, until_verdict};
use crate::support::Session;

#[test]
fn a_transfer_that_works_is_told_in_full() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let file = session.server.publish("file", "some text")?;
    file.verify(&session.control.retrieve_active(0, "file")?)?;
    session.control.expect("QUIT", 221)?;
    session
        .control
        .socket()
        .shutdown(std::net::Shutdown::Both)?;
    let says = until_verdict(&session.ftp_nat, "works")?;
    ensure!(says.contains("61.144.1.2:"), "{says}");
    let told = wait::until("the end of it", wait::PATIENCE, || {
        let told = explain(&session.ftp_nat, &[])?;
        Ok((!told["sessions"][0]["ended"].is_null()).then_some(told))
    })?;
    let told = &told["sessions"][0];
    let entries = told["entries"].as_array().context("no entries")?;
    let names: Vec<_> = entries
        .iter()
        .filter_map(|e| e["event"].as_str())
        .filter(|name| *name != "replied" && *name != "withdrawn")
        .collect();
    let wanted = [
        "session_learned",
        "announced",
        "requested",
        "data_opened",
        "data_ended",
        "requested",
        "session_ended",
    ];
    ensure!(names == wanted, "{entries:#?}");
    let codes: Vec<_> = entries.iter().filter_map(|e| e["code"].as_u64()).collect();
    ensure!(codes == [220, 230, 200, 150, 226, 221], "{codes:?}");
    let ended = entries.iter().find(|e| e["event"] == "data_ended");
    let bytes = ended.and_then(|e| e["bytes_to_announcer"].as_u64());
    ensure!(bytes.is_some_and(|bytes| bytes > 100), "{ended:?}");

    let drawn = session.ftp_nat.done(&["explain", "--last", "1"])?;
    for wanted in [
        "PORT 10,10,0,1,",
        "--[*]->   PORT 61,144,1,2,",
        // What follows may be on the next line: ports have up to five digits.
        "<-[*]--   SYN 61.144.1.100:20 >",
        "OK: PORT worked",
    ] {
        ensure!(drawn.contains(wanted), "no `{wanted}` in\n{drawn}");
    }
    let name = told["session"].as_str().context("no name")?;
    let by_name = explain(&session.ftp_nat, &[&name[..6]])?;
    ensure!(by_name["sessions"][0]["session"] == *name);
    let by_client = explain(&session.ftp_nat, &["--client", "10.10.0.1"])?;
    ensure!(by_client["sessions"][0]["session"] == *name);

    let lines = session.ftp_nat.done(&["events", "--json"])?;
    let count = lines.lines().filter(|line| line.contains(name)).count();
    ensure!(count == entries.len(), "{lines}");
    Ok(())
}
