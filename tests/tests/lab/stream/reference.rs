//! What must become of a control stream, worked out from its whole text: it
//! shares nothing with the engine, which sees the stream in pieces.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{Lab, capture::Sides, wait};

/// Whose announcements are rewritten, and into which address.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// What a line that announces begins with (in any case).
    pub start: &'static str,
    /// The announcer's own address.
    pub own: Ipv4Addr,
    /// The one it is known by.
    pub public: Ipv4Addr,
}

/// How many announcements there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Rewritten.
    pub rewritten: usize,
    /// Passed as they were.
    pub left: usize,
}

fn comma(ip: Ipv4Addr) -> String {
    ip.to_string().replace('.', ",")
}

/// Where the six numbers of an announcement of `own` begin and end in a line.
fn announced(line: &[u8], rule: Rule) -> Option<(usize, usize)> {
    let begins = line
        .get(..rule.start.len())
        .is_some_and(|s| s.eq_ignore_ascii_case(rule.start.as_bytes()));
    if !begins {
        return None;
    }
    let own = comma(rule.own) + ",";
    let at = (0..line.len()).find(|i| line[*i..].starts_with(own.as_bytes()))?;
    let digits = |from: usize| {
        line[from..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let high = at + own.len();
    let high_len = digits(high);
    let low = high + high_len + 1;
    let whole = high_len > 0 && line.get(low - 1) == Some(&b',') && digits(low) > 0;
    whole.then(|| (at, low + digits(low)))
}

/// The port in `,high,low`.
fn port(text: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(text).ok()?.strip_prefix(',')?;
    let (high, low) = text.split_once(',')?;
    Some(u16::from_be_bytes([high.parse().ok()?, low.parse().ok()?]))
}

/// What must stand before the address in `got`. Enough free text of a 227 is
/// made shorter or longer before its last byte, so that the line keeps its length.
fn before(line: &[u8], from: usize, to: usize, got: &[u8]) -> Vec<u8> {
    let plain = |b: &u8| (b' '..=b'~').contains(b) && !b.is_ascii_digit();
    let free = &line[4..from];
    let usable = line.starts_with(b"227 ") && (13..30).contains(&free.len());
    if !usable || !free.iter().all(plain) || got.len() != line.len() {
        return line[..from].to_vec();
    }
    let behind = line.len() - to;
    let address = got[..got.len() - behind]
        .iter()
        .rev()
        .take_while(|b| b.is_ascii_digit() || **b == b',')
        .count();
    let mut new = line[..from - 1].to_vec();
    new.resize(got.len() - behind - address - 1, b' ');
    new.push(line[from - 1]);
    new
}

/// That `received` is what must become of `sent`.
pub fn verify(sent: &[u8], received: &[u8], rule: Rule) -> Result<Count> {
    let lines = |bytes: &[u8]| {
        bytes
            .split_inclusive(|b| *b == b'\n')
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>()
    };
    let (sent, received) = (lines(sent), lines(received));
    let mut count = Count::default();
    for (n, line) in sent.iter().enumerate() {
        let got = received
            .get(n)
            .with_context(|| format!("line {n} `{}` did not arrive", line.escape_ascii()))?;
        let Some((from, to)) = announced(line, rule) else {
            same(n, line, got)?;
            continue;
        };
        if line == got {
            count.left += 1;
            continue;
        }
        let middle = got
            .strip_prefix(&before(line, from, to, got)[..])
            .and_then(|g| g.strip_prefix(comma(rule.public).as_bytes()))
            .and_then(|g| g.strip_suffix(&line[to..]));
        let rewritten = middle.and_then(port).is_some_and(|p| p >= 1024);
        ensure!(
            rewritten,
            "line {n}: `{}` became `{}`",
            line.escape_ascii(),
            got.escape_ascii()
        );
        count.rewritten += 1;
    }
    ensure!(
        sent.len() == received.len(),
        "{} lines were sent and {} received",
        sent.len(),
        received.len()
    );
    Ok(count)
}

fn same(n: usize, line: &[u8], got: &[u8]) -> Result<()> {
    if line == got {
        return Ok(());
    }
    let equal = line.iter().zip(got).take_while(|(a, b)| a == b).count();
    let near = |b: &[u8]| {
        let from = equal.saturating_sub(20);
        b[from..b.len().min(equal + 40)].escape_ascii().to_string()
    };
    anyhow::bail!(
        "line {n} of {} bytes came as {} bytes and differs from byte {equal} on: `{}`, `{}`",
        line.len(),
        got.len(),
        near(line),
        near(got)
    )
}

/// That both directions of all control connections in the captures of both ends
/// are what they must be, with right checksums, acknowledgements and SACK blocks.
pub fn verify_sides(sides: &Sides, port: u16, rules: [Rule; 2]) -> Result<[Count; 2]> {
    sides.verify_checksums()?;
    let mut all = [Count::default(); 2];
    for (at_client, at_server) in sides.control(port)? {
        at_client.complete().context("at the client")?;
        at_server.complete().context("at the server")?;
        let ways = [
            (&at_client.to_server, &at_server.to_server),
            (&at_server.to_client, &at_client.to_client),
        ];
        for (i, (sent, received)) in ways.into_iter().enumerate() {
            let what = ["commands", "replies"][i];
            let count = verify(sent.bytes(), received.bytes(), rules[i]).context(what)?;
            all[i].rewritten += count.rewritten;
            all[i].left += count.left;
        }
    }
    Ok(all)
}

/// Waits until both ends have acknowledged each other's FIN.
pub fn until_over(lab: &Lab) -> Result<()> {
    wait::until_true("the session to be closed", wait::PATIENCE, || {
        Ok(!lab.client.is_connected(21)? && !lab.server.is_connected(21)?)
    })
}

mod tests {
    use super::*;

    const RULE: Rule = Rule {
        start: "PORT",
        own: Ipv4Addr::new(10, 0, 0, 1),
        public: Ipv4Addr::new(192, 0, 2, 1),
    };

    #[test]
    fn what_may_change_and_what_may_not() {
        let ok = |sent: &str, got: &str| verify(sent.as_bytes(), got.as_bytes(), RULE);
        let count = ok(
            "NOOP\r\nport  10,0,0,1,4,0\nPORT 10,0,0,1,4,0\r\n",
            "NOOP\r\nport  192,0,2,1,200,7\nPORT 10,0,0,1,4,0\r\n",
        );
        let expected = Count {
            rewritten: 1,
            left: 1,
        };
        assert_eq!(count.unwrap(), expected);
        for (sent, got) in [
            ("NOOP\r\n", "NOOP\n"),
            ("NOOP\r\n", "NOOP\r\nNOOP\r\n"),
            ("NOOP\r\nNOOP\r\n", "NOOP\r\n"),
            ("PORT 10,0,0,1,4,0\r\n", "PORT 192,0,2,1,4,0\n"),
            ("PORT 10,0,0,1,4,0\r\n", "PORT 192,0,2,1,3,255\r\n"),
            ("PORT 10,0,0,2,4,0\r\n", "PORT 192,0,2,1,4,0\r\n"),
        ] {
            assert!(ok(sent, got).is_err(), "{sent} {got}");
        }
    }
}
