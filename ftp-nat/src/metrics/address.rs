//! Where metrics are served.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};

/// An address and a port; the loopback address where only a port is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub SocketAddr);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        if let Some(port) = port(text.strip_prefix(':').unwrap_or(text)) {
            return Ok(Self(SocketAddr::new(loopback, port)));
        }
        text.parse::<SocketAddr>()
            .ok()
            .filter(|at| at.port() > 0)
            .map(Self)
            .ok_or_else(|| {
                format!(
                    "{text:?} is no PORT from 1 to 65535 and no ADDRESS:PORT, e.g. 9121, \
                     127.0.0.1:9121 or [::1]:9121"
                )
            })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_the_loopback_address() {
        for (text, expected) in [
            ("9121", "127.0.0.1:9121"),
            (":9121", "127.0.0.1:9121"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:9121", "[::1]:9121"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), expected);
        }
        for text in [
            "",
            "0",
            "65536",
            "localhost:9121",
            "::1:9121",
            "10.0.0.1",
            "1.2.3.4:0",
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.contains("ADDRESS:PORT"), "{text}: {error}");
        }
    }
}
