//! Edits in both directions of one connection.
//!
//! ```text
//!  client 10.10.0.1  -- lan gateway wan --  server 61.144.1.100
//!    dials 203.0.113.199     DNAT, and masquerade as 61.144.1.2
//! ```
//! Each end knows the other one by an address of other length, so PORT and 227
//! are both rewritten. PORT grows with it; the free text of 227 makes up for any
//! difference.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Lab,
    capture::Sides,
    control::{Control, port_command},
    impair::{Impairment, Place},
    scripted::{Socket, polite},
    topology::{CLIENT_INSIDE, GATEWAY_OUTSIDE, SERVER_OUTSIDE},
};

use super::reference::{Count, Rule, until_over, verify_sides};
use crate::support::{SHIFTING_PORT, SHIFTING_PORTS};

/// Addresses much longer and much shorter than the server's own.
const LONG: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 199);
const SHORT: Ipv4Addr = Ipv4Addr::new(9, 9, 9, 9);

/// The client reaches the server by another address.
fn dial(lab: &Lab, known_as: Ipv4Addr) -> Result<()> {
    lab.gateway.nft(&format!(
        "
table ip elsewhere {{
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        iifname lan ip daddr {known_as} dnat to {SERVER_OUTSIDE}
    }}
}}"
    ))
}

/// What becomes of commands and of replies.
fn rules(known_as: Ipv4Addr) -> [Rule; 2] {
    [
        Rule {
            start: "PORT ",
            own: CLIENT_INSIDE,
            public: GATEWAY_OUTSIDE,
        },
        Rule {
            start: "227 ",
            own: SERVER_OUTSIDE,
            public: known_as,
        },
    ]
}

fn sessions(known_as: Ipv4Addr, impairment: Option<Impairment>, rounds: u16) -> Result<()> {
    let lab = Lab::masquerade()?;
    dial(&lab, known_as)?;
    for host in [&lab.client, &lab.server] {
        host.sysctl("net.ipv4.tcp_rto_min_us", "20000")?;
    }
    let relay = impairment
        .map(|how| lab.impair(Place::Inside, how))
        .transpose()?;
    // Ports whose text is so short that no other is of the length wanted.
    let server = lab
        .server
        .vsftpd()
        .passive_ports(SHIFTING_PORT, SHIFTING_PORT + SHIFTING_PORTS - 1)
        .start()?;
    let file = server.publish_random("file.bin", 31, 4_000)?;
    let ftp_nat = lab.ftp_nat().start()?;
    let captures = lab.captures()?;
    let at = SocketAddr::new(IpAddr::V4(known_as), 21);
    let mut control = lab.client.log_in(&server.target(at))?;
    for n in 0..rounds {
        let port = SHIFTING_PORT + n % SHIFTING_PORTS;
        file.verify(&control.retrieve_active(port, "file.bin")?)?;
        file.verify(&control.retrieve_passive("file.bin")?)?;
        control.expect("PWD", 257)?;
    }
    control.expect("QUIT", 221)?;
    drop(control);
    until_over(&lab)?;

    let sides = Sides::stop(captures)?;
    let counts = verify_sides(&sides, 21, rules(known_as))?;
    let all = Count {
        rewritten: rounds.into(),
        left: 0,
    };
    ensure!(counts == [all, all], "{counts:?}");
    for (client, server) in sides.control(21)? {
        let lens = |c: &ftp_nat_tests::lab::capture::Conversation| {
            [c.to_server.bytes().len(), c.to_client.bytes().len()]
        };
        let (client, server) = (lens(&client), lens(&server));
        ensure!(client[0] < server[0], "commands were not shifted");
        ensure!(client[1] == server[1], "replies were shifted");
    }
    let shifted = ftp_nat.counter("rewrites_shifted")?;
    ensure!(shifted == u64::from(rounds), "{shifted} of {rounds} shifts");
    ensure!(ftp_nat.counter("ack_beyond_sent")? == 0);
    if let (Some(relay), Some(how)) = (relay, impairment) {
        relay.stop(how)?;
    }
    Ok(())
}

/// A server whose 227 has no free text to make up for the length: PORT and 227
/// shift both directions of one session, again and again.
fn without_free_text(known_as: Ipv4Addr) -> Result<()> {
    const ROUNDS: usize = 60;
    let lab = Lab::masquerade()?;
    dial(&lab, known_as)?;
    let captures = lab.captures()?;
    let mut n = 0;
    let at = SocketAddr::new(IpAddr::V4(SERVER_OUTSIDE), 21);
    let server = lab.server.scripted(at, None, move |line| match line {
        b"PASV\r\n" => {
            n += 1;
            format!(
                "227 ={},4,{}\r\n",
                SERVER_OUTSIDE.to_string().replace('.', ","),
                n % 10
            )
            .into()
        }
        line => polite(line),
    })?;
    let ftp_nat = lab.ftp_nat().start()?;
    let client = Socket::default();
    let client = client.connect(&lab.client, SocketAddr::new(IpAddr::V4(known_as), 21))?;
    let mut control = Control::over(&lab.client, client)?;
    control.expect("USER lab", 230)?;
    for n in 0..ROUNDS as u16 {
        let port = SHIFTING_PORT + n % SHIFTING_PORTS;
        ensure!(control.announce(port)?.code == 200);
        control.expect("PASV", 227)?;
        control.expect("NOOP", 200)?;
        // Both in one segment, and both replies in another.
        let port = format!("{}\r\nPASV", port_command(CLIENT_INSIDE, port));
        control.expect(&port, 200)?;
        control.expect_reply(227)?;
    }
    control.expect("QUIT", 221)?;
    drop(control);
    until_over(&lab)?;
    server.stop()?;
    let sides = Sides::stop(captures)?;
    let counts = verify_sides(&sides, 21, rules(known_as))?;
    let all = Count {
        rewritten: 2 * ROUNDS,
        left: 0,
    };
    ensure!(counts == [all, all], "{counts:?}");
    for (client, server) in sides.control(21)? {
        let grown = |a: &[u8], b: &[u8]| a.len() as i64 - b.len() as i64;
        let commands = grown(server.to_server.bytes(), client.to_server.bytes());
        let replies = grown(client.to_client.bytes(), server.to_client.bytes());
        ensure!(commands >= 2 * ROUNDS as i64, "commands grew by {commands}");
        ensure!(
            replies.abs() >= 2 * ROUNDS as i64,
            "replies grew by {replies}"
        );
    }
    let shifted = ftp_nat.counter("rewrites_shifted")?;
    ensure!(shifted == 4 * ROUNDS as u64, "{shifted} shifts");
    ensure!(ftp_nat.counter("ack_beyond_sent")? == 0);
    Ok(())
}

#[test]
fn both_directions_are_shifted_by_a_longer_address() -> Result<()> {
    without_free_text(LONG)
}

#[test]
fn both_directions_are_shifted_by_a_shorter_address() -> Result<()> {
    without_free_text(SHORT)
}

#[test]
fn a_longer_address_in_replies() -> Result<()> {
    sessions(LONG, None, 120)
}

#[test]
fn a_shorter_address_in_replies() -> Result<()> {
    sessions(SHORT, None, 120)
}

#[test]
fn on_a_bad_link() -> Result<()> {
    sessions(LONG, Some(Impairment::all(30, 11)), 20)?;
    sessions(SHORT, Some(Impairment::all(30, 12)), 20)
}
