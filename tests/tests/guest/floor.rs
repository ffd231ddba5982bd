//! The oldest kernel takes the object that ships, and FTP works with it.

use anyhow::{Result, ensure};

use crate::site::{Mode, Site};

#[test]
fn the_kernel_is_the_oldest_supported() -> Result<()> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    ensure!(
        release.starts_with("6.1."),
        "this is Linux {release}: nothing here says anything of the floor"
    );
    Ok(())
}

#[test]
fn the_object_is_attached_by_clsact() -> Result<()> {
    let mut site = Site::get()?;
    let said = site.ftp_nat.process().log();
    ensure!(said.contains(" hook clsact "), "it says: {said}");
    let filters = site
        .gateway
        .run(&["tc", "filter", "show", "dev", "in-eth", "egress"])?;
    ensure!(filters.contains("ftp_nat_egress"), "filters: {filters}");
    Ok(())
}

#[test]
fn tcx_is_refused_with_the_version_it_needs() -> Result<()> {
    let site = Site::get()?;
    let refused = site.other_instance().arg("--hook").arg("tcx").refused()?;
    ensure!(!refused.status.success(), "TCX was attached before 6.6");
    ensure!(
        refused.stderr.contains("6.6") && refused.stderr.contains("clsact"),
        "it says: {}",
        refused.stderr
    );
    Ok(())
}

#[test]
fn an_active_transfer() -> Result<()> {
    Site::get()?.transfer(Mode::Active, "eth", "eth")
}

#[test]
fn a_passive_transfer() -> Result<()> {
    Site::get()?.transfer(Mode::Passive, "eth", "eth")
}

/// With shifted sequence numbers: the text of a PORT with such a port gets longer.
#[test]
fn a_session_survives_the_death_of_the_program_and_its_restart() -> Result<()> {
    const SHIFTING: u16 = 1024;
    let mut site = Site::get()?;
    let (mut control, file) = site.log_in(Mode::Active, "eth", "eth")?;
    file.verify(&control.retrieve_active(SHIFTING, "file.bin")?)?;
    let before = site.ftp_nat.counter("rewrites_shifted")?;
    ensure!(before > 0, "the numbers were to be shifted");
    site.ftp_nat.kill()?;
    file.verify(&control.retrieve_active(SHIFTING + 1, "file.bin")?)?;
    site.ftp_nat.run_again()?;
    file.verify(&control.retrieve_active(SHIFTING + 2, "file.bin")?)?;
    ensure!(
        site.ftp_nat.counter("rewrites_shifted")? == before + 2,
        "the counters aren't those of before: the data path was not adopted"
    );
    control.expect("QUIT", 221)?;
    Ok(())
}
