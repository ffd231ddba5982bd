//! Certificates for servers that speak TLS.

use std::{fs, path::PathBuf};

use anyhow::Result;

use super::{host::Host, peers, server::Builder, wait};

impl Host {
    /// A new self-signed certificate, and its key in the same file.
    pub fn certificate(&self) -> Result<PathBuf> {
        let [key, certificate, both] =
            ["key", "certificate", "both"].map(|name| self.dir().join(format!("{name}.pem")));
        let mut command = self.command(peers::installed("openssl")?);
        command
            .args(["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=lab"])
            .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate);
        self.finish(command, "openssl", "", wait::PATIENCE)?
            .success("openssl req")?;
        fs::write(
            &both,
            fs::read_to_string(key)? + &fs::read_to_string(certificate)?,
        )?;
        Ok(both)
    }

    /// Pure-FTPd on this host, for clients with TLS and without it.
    pub fn pure_ftpd_with_tls(&self) -> Result<Builder> {
        let certificate = format!("--certfile={}", self.certificate()?.display());
        Ok(self.pure_ftpd().with("--tls=1").with(&certificate))
    }
}
