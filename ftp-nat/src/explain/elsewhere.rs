//! Where else a client talks to, by the kernel's own connection tracking: what
//! may be FTP on a port that isn't watched. It costs nobody anything until it is
//! asked for.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
};

/// Linux's table of connections, as text (`CONFIG_NF_CONNTRACK_PROCFS`).
const TABLE: &str = "/proc/net/nf_conntrack";

/// States of connections that are or were lately in use.
const STATES: [&str; 6] = [
    " ESTABLISHED ",
    " FIN_WAIT ",
    " CLOSE_WAIT ",
    " LAST_ACK ",
    " TIME_WAIT ",
    " CLOSE ",
];

/// Ports that are never FTP: SSH, SMTP, DNS, HTTP, HTTPS, mail, DNS within TLS.
const NEVER: [u16; 11] = [22, 25, 53, 80, 110, 143, 443, 587, 853, 993, 995];

/// Servers that `client` talks to, or did so lately, by TCP ports that aren't in
/// `watched`. Without a client those of all, by ports that look like FTP (2121, 8021,
/// 990). None where the table can't be read.
#[must_use]
pub fn of(client: Option<IpAddr>, watched: &[u16]) -> Vec<SocketAddr> {
    fs::read_to_string(TABLE).map_or_else(|_| Vec::new(), |table| read(&table, client, watched))
}

fn read(table: &str, client: Option<IpAddr>, watched: &[u16]) -> Vec<SocketAddr> {
    let mut servers: Vec<_> = table
        .lines()
        .filter(|line| line.contains(" tcp "))
        .filter(|line| STATES.iter().any(|state| line.contains(state)))
        .filter_map(|line| server(line, client))
        .filter(|server| !watched.contains(&server.port()) && !NEVER.contains(&server.port()))
        .filter(|server| client.is_some() || is_like_ftp(server.port()))
        .collect();
    servers.sort_unstable();
    servers.dedup();
    servers
}

/// Whether people use the port for FTP.
const fn is_like_ftp(port: u16) -> bool {
    port % 100 == 21 || port == 990
}

/// The server of a line whose connection is the client's: what it dialled.
fn server(line: &str, client: Option<IpAddr>) -> Option<SocketAddr> {
    let field = |name: &str| {
        line.split_whitespace()
            .find_map(|word| word.strip_prefix(name))
    };
    // The first of each is that of the first packet's direction.
    let src: IpAddr = field("src=")?.parse().ok()?;
    let dst: IpAddr = field("dst=")?.parse().ok()?;
    let port = field("dport=")?.parse().ok()?;
    client
        .is_none_or(|client| src == client)
        .then(|| SocketAddr::new(dst, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_connections_of_the_client_to_other_ports_are_found() {
        let table = "\
ipv4     2 tcp      6 431999 ESTABLISHED src=10.10.0.1 dst=61.144.1.100 sport=40000 dport=2121 src=61.144.1.100 dst=61.144.1.2 sport=2121 dport=40000 [ASSURED] mark=0 zone=0 use=2
ipv4     2 tcp      6 431999 ESTABLISHED src=10.10.0.1 dst=61.144.1.100 sport=40001 dport=21 src=61.144.1.100 dst=61.144.1.2 sport=21 dport=40001 [ASSURED] mark=0 zone=0 use=2
ipv4     2 tcp      6 9 TIME_WAIT src=10.10.0.1 dst=61.144.1.100 sport=40002 dport=80 src=61.144.1.100 dst=61.144.1.2 sport=80 dport=40002 [ASSURED] mark=0 zone=0 use=2
ipv4     2 tcp      6 9 TIME_WAIT src=10.10.0.1 dst=61.144.1.100 sport=40004 dport=8021 src=61.144.1.100 dst=61.144.1.2 sport=8021 dport=40004 [ASSURED] mark=0 zone=0 use=2
ipv4     2 tcp      6 9 SYN_SENT src=10.10.0.1 dst=61.144.1.100 sport=40004 dport=3021 [UNREPLIED] src=61.144.1.100 dst=61.144.1.2 sport=3021 dport=40004 mark=0 zone=0 use=2
ipv4     2 tcp      6 9 ESTABLISHED src=10.10.0.7 dst=61.144.1.100 sport=40004 dport=9999 src=61.144.1.100 dst=61.144.1.2 sport=9999 dport=40004 mark=0 zone=0 use=2
ipv4     2 udp      17 9 src=10.10.0.1 dst=61.144.1.100 sport=40002 dport=53 src=61.144.1.100 dst=61.144.1.2 sport=53 dport=40002 mark=0 zone=0 use=2
ipv6     10 tcp      6 431999 ESTABLISHED src=2001:db8::1 dst=2001:db8::2 sport=40003 dport=990 src=2001:db8::2 dst=2001:db8::1 sport=990 dport=40003 [ASSURED] mark=0 zone=0 use=2
";
        let of = |client: &str| read(table, client.parse().ok(), &[21]);
        let server = |text: &str| -> SocketAddr { text.parse().unwrap() };
        let both = [server("61.144.1.100:2121"), server("61.144.1.100:8021")];
        assert_eq!(of("10.10.0.1"), both);
        let ports: Vec<_> = of("").iter().map(SocketAddr::port).collect();
        assert_eq!(ports, [2121, 8021, 990], "everybody's that look like FTP");
        assert_eq!(of("2001:db8::1"), ["[2001:db8::2]:990".parse().unwrap()]);
        assert!(of("10.10.0.9").is_empty());
        assert!(of("61.144.1.100").is_empty(), "it dialled nothing");
    }
}
