//! `ftp-nat`: lets FTP through a NAT gateway. See `ftp-nat --help`.

use std::process::ExitCode;

use clap::Parser as _;
use ftp_nat::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ftp-nat: {}", ftp_nat::error::whole(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
