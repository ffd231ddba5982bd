//! A sweep of large tables keeps nothing else waiting.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use ftp_nat::maps::{Cursor, Maps};
use ftp_nat_common::{
    addr::{Addr, Port},
    session::{SESSION_RST, Session},
};
use ftp_nat_tests::lab::{Host, Lab, wait};

/// So many take a second and more to be swept.
const MANY: u32 = 100_000;

/// An interface of the gateway that nobody uses.
const THIRD: &str = "third";

fn make(gateway: &Host) -> Result<()> {
    let words = [
        "ip", "link", "add", THIRD, "type", "veth", "peer", "name", "beyond",
    ];
    gateway.run(&words).map(drop)
}

/// Sessions that were reset when the machine started.
fn fill(maps: &Maps) -> Result<()> {
    for n in 1..=MANY {
        let [_, a, b, c] = n.to_be_bytes();
        let session = Session {
            id: n.into(),
            flags: SESSION_RST,
            last_ns: 1,
            real: [Addr::from_v4([10, a, b, c]), Addr::from_v4([192, 0, 2, 1])],
            real_port: [Port::new(40_000), Port::new(21)],
            ..Session::default()
        };
        maps.sessions.set(&session.id, &session)?;
    }
    Ok(())
}

/// Whether the programs were put on an interface that was made anew before the
/// sweep was over.
fn served_meanwhile(gateway: &Host, pins: &Path, maps: &Maps) -> Result<bool> {
    gateway.run(&["ip", "link", "del", THIRD])?;
    make(gateway)?;
    let shown = gateway.run(&["ip", "-o", "link", "show", THIRD])?;
    let index = shown.split(':').next().context("no index")?;
    let link = pins.join("links").join(format!("{index}-egress"));
    wait::until_true("the programs to be there", wait::PATIENCE, || {
        Ok(link.exists())
    })?;
    Ok(!maps.sessions.page(&mut Cursor::Start, 1)?.is_empty())
}

#[test]
fn an_interface_that_comes_back_meanwhile_is_served_at_once() -> Result<()> {
    let lab = Lab::masquerade()?;
    make(&lab.gateway)?;
    let run = lab.ftp_nat().arg("--lan").arg(THIRD);
    let room = (MANY + MANY / 8).to_string();
    let mut ftp_nat = run.arg("--max-sessions").arg(&room).start()?;
    let maps = Maps::open(ftp_nat.pin_path())?;
    // This process may be the one that is kept waiting: then once more.
    for _ in 0..3 {
        ftp_nat.terminate()?;
        fill(&maps)?;
        // It sweeps as soon as it runs.
        ftp_nat.run_again()?;
        if served_meanwhile(&lab.gateway, ftp_nat.pin_path(), &maps)? {
            return Ok(());
        }
    }
    ensure!(false, "only after the sweep");
    Ok(())
}
