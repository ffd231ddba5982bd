//! FTP through a NAT gateway, shown in network namespaces with real programs.

mod acts;
mod stage;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use ftp_nat_tests::lab::Lab;

use stage::Stage;

/// Shows FTP through a NAT gateway: without help, and with ftp-nat.
///
/// Everything happens in network namespaces made for it, with a real client
/// (curl) and a real server (vsftpd). Nothing is left behind, also after Ctrl-C.
/// Needs root.
#[derive(Debug, Parser)]
#[command(name = "demo", max_term_width = 100)]
struct Options {
    /// The ftp-nat program to show; default: FTP_NAT_BIN, or the release build
    #[arg(long, value_name = "PATH")]
    ftp_nat: Option<PathBuf>,
    /// Open a shell in the gateway at the end, or where a step went wrong
    #[arg(long, visible_alias = "debug")]
    keep: bool,
    /// Only make the lab, say how to enter it, and wait for Ctrl-C
    #[arg(long, conflicts_with = "keep")]
    hold: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ndemo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let stage = Stage::new();
    if options.hold {
        return hold(&stage);
    }
    let lab = Lab::masquerade()?;
    let outcome = acts::all(&stage, &lab, options.ftp_nat.as_deref());
    if options.keep {
        if let Err(error) = &outcome {
            eprintln!("\ndemo: {error:#}");
        }
        stage.shell(&lab)?;
    }
    outcome?;
    let name = lab.net().name().to_owned();
    drop(lab);
    stage.farewell(&name)
}

/// Waits for good: the signal thread of the lab cleans up and ends the process.
fn hold(stage: &Stage) -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.vsftpd().start()?;
    server.publish("hello.txt", "Hello from the other side.\n")?;
    stage.how_to_enter(&lab);
    println!("Ctrl-C removes it.");
    loop {
        std::thread::park();
    }
}
