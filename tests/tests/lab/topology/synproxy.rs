//! A SYNPROXY on the gateway: it shakes hands with the client by a cookie, dials
//! the server itself, and changes the server's sequence numbers from then on.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result, ensure};
use ftp_nat_tests::lab::{
    Host, Mode, Site,
    topologies::rules::{self, source_nat},
};

use super::exchange::{Exchange, Probes};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 5);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 254);
const PUBLIC: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 2);

/// As nft(8) has it, before the forward chain.
const SYNPROXY: &str = "
table inet proxy {
    chain untracked {
        type filter hook prerouting priority raw;
        iifname wan tcp dport 21 tcp flags syn notrack
    }
    chain proxied {
        type filter hook forward priority -10;
        iifname wan tcp dport 21 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
    }
}";

/// ```text
///  10.10.0.5 --- 10.10.0.254 (lan) (wan) 61.144.1.2 --- 61.144.1.200
/// ```
fn site(proxy: &str) -> Result<(Site, Host, Host)> {
    let site = Site::new()?
        .lan("lan", &["10.10.0.254/24"])?
        .wan("wan", &["61.144.1.2/24"])?;
    let client = site.host("client", "wan", &["61.144.1.200/24"])?;
    let server = site.host("server", "lan", &["10.10.0.5/24"])?;
    rules::forward(&site.gateway, rules::STRICT)?;
    // What doesn't begin with a SYN is invalid, or the proxy never meets it.
    site.gateway
        .sysctl("net.netfilter.nf_conntrack_tcp_loose", "0")?;
    site.gateway.nft(proxy)?;
    Ok((site, client, server))
}

/// Cookies that clients have sent back to the gateway.
fn cookies(gateway: &Host) -> Result<u64> {
    let shown = gateway.run(&["cat", "/proc/net/stat/synproxy"])?;
    let mut lines = shown.lines().map(|l| l.split_whitespace());
    let names = lines.next().context("no statistics")?;
    let at = names.clone().position(|name| name == "cookie_valid");
    let at = at.with_context(|| format!("no cookies in {shown}"))?;
    let counts = lines.map(|mut words| {
        let word = words.nth(at).unwrap_or_default();
        Ok(u64::from_str_radix(word, 16)?)
    });
    counts.sum()
}

fn proxied(mode: Mode, hidden: bool) -> Result<()> {
    let (site, client, server) = site(SYNPROXY)?;
    if hidden {
        source_nat(&site.gateway, "oifname lan snat ip to 10.10.0.254")?;
    }
    let ftp_nat = site.ftp_nat().start()?;
    let exchange = Exchange::new(&site, &ftp_nat, &client, &server, SERVER);
    let seen = exchange.mode(mode).probes(Probes::PublicAddress).run()?;
    ensure!((seen.announced == seen.announcer) != (hidden && mode.is_active()));
    let learned = ftp_nat.counter("sessions_learned")?;
    let proxied = cookies(&site.gateway)?;
    ensure!(learned == 6, "{learned} sessions were learned");
    ensure!(proxied >= 6, "{proxied} connections were proxied");
    Ok(())
}

#[test]
fn pasv() -> Result<()> {
    proxied(Mode::Pasv, false)
}

/// The client's announcement is rewritten, and the server's numbers are changed
/// by both.
#[test]
fn port_of_a_hidden_client() -> Result<()> {
    proxied(Mode::Port, true)
}

/// The client dials the gateway. Its SYN isn't tracked, so no DNAT rule meets it:
/// the proxy answers it in the input chain, and dials by the gateway's output
/// chains, so that the DNAT rule has to be there.
const BEHIND_DNAT: &str = "
table inet proxy {
    chain untracked {
        type filter hook prerouting priority raw;
        iifname wan tcp dport 21 tcp flags syn notrack
    }
    chain proxied {
        type filter hook input priority -10;
        iifname wan tcp dport 21 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
    }
    chain output {
        type nat hook output priority -100;
        ip daddr 61.144.1.2 tcp dport 21 dnat ip to 10.10.0.5
    }
}";

fn behind_dnat(mode: Mode, hidden: bool) -> Result<()> {
    let (site, client, server) = site(BEHIND_DNAT)?;
    if hidden {
        source_nat(&site.gateway, "oifname lan snat ip to 10.10.0.254")?;
    }
    let ftp_nat = site.ftp_nat().start()?;
    let exchange = Exchange::new(&site, &ftp_nat, &client, &server, SERVER)
        .dialled_at(PUBLIC, 21)
        .mode(mode)
        .probes(Probes::PublicAddress);
    let seen = exchange.run()?;
    ensure!(seen.server_seen == PUBLIC, "the client saw {seen:?}");
    ensure!((seen.client_seen == GATEWAY) == hidden, "{seen:?}");
    ensure!(ftp_nat.counter("sessions_learned")? == 6);
    ensure!(cookies(&site.gateway)? >= 6);
    Ok(())
}

#[test]
fn pasv_behind_dnat() -> Result<()> {
    behind_dnat(Mode::Pasv, false)
}

#[test]
fn port_of_a_hidden_client_behind_dnat() -> Result<()> {
    behind_dnat(Mode::Port, true)
}
