//! Every server with every client, active behind masquerade and passive to a
//! server behind DNAT.

use anyhow::Result;
use ftp_nat_tests::lab::{Client, Mode, ServerKind};

use crate::support::{Helper, cell};

macro_rules! matrix {
    ($( $server:ident = $kind:ident ),+ $(,)?) => { $( mod $server {
        use super::*;
        const KIND: ServerKind = ServerKind::$kind;
        matrix!(@clients curl = Curl, lftp = Lftp, tnftp = Tnftp, ftplib = Ftplib,
            inetutils = Inetutils);
    } )+ };
    (@clients $( $client:ident = $kind:ident ),+) => { $( mod $client {
        use super::*;

        #[test]
        fn active() -> Result<()> {
            cell(KIND, Client::$kind, Mode::Port, helper())
        }

        #[test]
        fn passive() -> Result<()> {
            cell(KIND, Client::$kind, Mode::Pasv, helper())
        }
    } )+ };
}

matrix!(
    vsftpd = Vsftpd,
    proftpd = Proftpd,
    pure_ftpd = PureFtpd,
    pyftpdlib = Pyftpdlib
);

/// `FTP_NAT_LAB_HELPER=kernel` runs the matrix with the kernel's own helper, to
/// tell a fault of the lab from one of ftp-nat.
fn helper() -> Helper {
    match std::env::var("FTP_NAT_LAB_HELPER").as_deref() {
        Ok("kernel") => Helper::Kernel,
        _ => Helper::FtpNat,
    }
}
