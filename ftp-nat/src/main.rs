//! `ftp-nat`: lets FTP through a NAT gateway. See `ftp-nat --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match ftp_nat::cli::run(std::env::args_os().collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = format!("ftp-nat: {}", ftp_nat::error::whole(error.as_ref()));
            ftp_nat::service::logger::fatal(&text);
            ExitCode::FAILURE
        }
    }
}
