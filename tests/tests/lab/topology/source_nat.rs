//! Clients behind a pool of addresses: what is announced is the one address
//! that this very connection was given.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{Mode, Site, topologies::rules};

use super::exchange::{Exchange, Probes};

/// ```text
///  10.10.0.1 -+
///  10.10.0.2 -+- 10.10.0.254 (lan) (wan) 61.144.1.2 --- 61.144.1.100
///  10.10.0.3 -+     SNAT to 198.51.100.16-198.51.100.19
/// ```
#[test]
fn behind_a_pool() -> Result<()> {
    let site = Site::new()?
        .lan("lan", &["10.10.0.254/24"])?
        .wan("wan", &["61.144.1.2/24"])?;
    let server_ip = [61, 144, 1, 100];
    let server = site.host("server", "wan", &["61.144.1.100/24"])?;
    rules::forward(&site.gateway, rules::ORDINARY)?;
    rules::source_nat(
        &site.gateway,
        "oifname wan snat ip to 198.51.100.16-198.51.100.19",
    )?;
    let ftp_nat = site.ftp_nat().start()?;
    let mut announced = BTreeSet::new();
    for n in 1..=3 {
        let address = format!("10.10.0.{n}/24");
        let client = site.host(&format!("client{n}"), "lan", &[&address])?;
        let exchange = Exchange::new(&site, &ftp_nat, &client, &server, server_ip);
        let active = exchange.mode(Mode::Port).run()?;
        // The way out is open.
        let passive = exchange.mode(Mode::Pasv).probes(Probes::Nowhere).run()?;
        let pool = [
            "198.51.100.16",
            "198.51.100.17",
            "198.51.100.18",
            "198.51.100.19",
        ];
        let known_by = active.client_seen.to_string();
        ensure!(pool.contains(&known_by.as_str()), "known by {known_by}");
        ensure!(
            active.announced == active.client_seen && passive.client_seen == active.client_seen
        );
        announced.insert(known_by);
    }
    ensure!(
        announced.len() > 1,
        "of the pool only {announced:?} was used"
    );
    Ok(())
}
