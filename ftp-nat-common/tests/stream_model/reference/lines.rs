//! Single lines: where an address stands in them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address text in a line: indices of its first data byte and of the byte
/// behind it, and how to say it anew.
pub(super) struct Found {
    pub(super) first: usize,
    /// Bytes before it that may be changed to keep the length.
    pub(super) spare: usize,
    pub(super) behind: usize,
    pub(super) addr: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) form: Form,
}

pub(super) enum Form {
    Commas,
    Delimited(u8),
    PortOnly,
}

impl Form {
    pub(super) fn text(&self, seen: IpAddr, port: u16) -> String {
        match self {
            Self::Commas => {
                format!(
                    "{},{},{}",
                    seen.to_string().replace('.', ","),
                    port / 256,
                    port % 256
                )
            }
            Self::Delimited(d) => {
                let addr = match seen {
                    IpAddr::V4(a) => a.to_string(),
                    IpAddr::V6(a) => a.to_string(),
                };
                format!("{addr}{}{port}", *d as char)
            }
            Self::PortOnly => port.to_string(),
        }
    }
}

pub(super) fn is_foreign(line: &[u8]) -> bool {
    let verb = line
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric())
        .count();
    let Some(behind) = line.get(verb).filter(|_| (1..=8).contains(&verb)) else {
        return false;
    };
    let name = String::from_utf8_lossy(&line[..verb]).to_uppercase();
    let http = [
        "GET", "PUT", "POST", "HEAD", "PATCH", "TRACE", "DELETE", "OPTIONS", "CONNECT",
    ];
    // A method is known by its length and its first four letters.
    let like = |m: &&str| m.len() == verb && m.bytes().take(4).eq(name.bytes().take(4));
    *behind == b':' || (http.iter().any(like) && matches!(behind, b' ' | b'\t'))
}

fn number(text: &str, digits: usize, max: u32) -> Option<u32> {
    let good = (1..=digits).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| good && *n <= max)
}

fn six_octets(text: &str) -> Option<(IpAddr, u16)> {
    let n: Option<Vec<u32>> = text.split(',').map(|p| number(p, 3, 255)).collect();
    let n = n.filter(|n| n.len() == 6)?;
    let addr = Ipv4Addr::new(n[0] as u8, n[1] as u8, n[2] as u8, n[3] as u8);
    Some((addr.into(), (n[4] * 256 + n[5]) as u16))
}

pub(super) fn client_line(line: &[u8]) -> Option<Found> {
    let verb = line.get(..4)?.to_ascii_uppercase();
    let blanks = line[4..]
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    let first = 4 + blanks;
    if blanks == 0 {
        return None;
    }
    if verb == b"PORT" {
        let run = line[first..]
            .iter()
            .take_while(|b| b.is_ascii_digit() || **b == b',')
            .count();
        let behind = first + run;
        let (addr, port) = six_octets(std::str::from_utf8(&line[first..behind]).ok()?)?;
        matches!(line.get(behind)?, b'\r' | b'\n' | b' ' | b'\t' | 0).then_some(())?;
        return Some(Found {
            first,
            spare: 0,
            behind,
            addr: Some(addr),
            port,
            form: Form::Commas,
        });
    }
    if verb != b"EPRT" {
        return None;
    }
    let d = *line.get(first)?;
    if !d.is_ascii_graphic() || d.is_ascii_digit() {
        return None;
    }
    let fields: Vec<&[u8]> = line[first + 1..].split(|b| *b == d).collect();
    // family, address, port, and something behind the last delimiter.
    let [family, addr, port, _, ..] = fields[..] else {
        return None;
    };
    let text = std::str::from_utf8(addr).ok()?;
    let parsed: IpAddr = match family {
        b"1" => {
            let octets: Option<Vec<u32>> = text.split('.').map(|p| number(p, 3, 255)).collect();
            let o = octets.filter(|o| o.len() == 4)?;
            Ipv4Addr::new(o[0] as u8, o[1] as u8, o[2] as u8, o[3] as u8).into()
        }
        b"2" if !text.contains('.') => text.parse::<Ipv6Addr>().ok()?.into(),
        _ => return None,
    };
    let number = number(std::str::from_utf8(port).ok()?, 5, 65_535)? as u16;
    let start = first + 3;
    Some(Found {
        first: start,
        spare: 0,
        behind: start + addr.len() + 1 + port.len(),
        addr: Some(parsed),
        port: number,
        form: Form::Delimited(d),
    })
}

/// The code, if the line ends a reply, and the address in it.
pub(super) fn server_line(line: &[u8], multi: &mut Option<String>) -> (Option<u16>, Option<Found>) {
    let Some(code) = line.get(..3).filter(|c| c.iter().all(u8::is_ascii_digit)) else {
        return (None, None);
    };
    let code = String::from_utf8_lossy(code).into_owned();
    let Some(mark) = line.get(3) else {
        return (None, None);
    };
    let last = matches!(mark, b' ' | b'\t' | b'\r' | b'\n');
    match multi {
        Some(open) if last && *open == code => *multi = None,
        None if last => {}
        // 000 is no code (RFC 959 section 4.2), and opens nothing.
        None if *mark == b'-' && code != "000" => {
            *multi = Some(code);
            return (None, None);
        }
        _ => return (None, None),
    }
    let found = match code.as_str() {
        "227" => passive_address(line),
        "229" => passive_port(line),
        _ => None,
    };
    (code.parse().ok(), found)
}

fn passive_address(line: &[u8]) -> Option<Found> {
    let in_run = |b: &u8| b.is_ascii_digit() || *b == b',';
    let mut at = 4;
    while at < line.len() {
        let run = line[at..].iter().take_while(|b| in_run(b)).count();
        let commas = line[at..at + run]
            .iter()
            .take_while(|b| **b == b',')
            .count();
        let (first, behind) = (at + commas, at + run);
        let text = std::str::from_utf8(&line[first..behind]).ok()?;
        if let Some((addr, port)) = six_octets(text) {
            return Some(Found {
                first,
                spare: free_text(&line[3..first]),
                behind,
                addr: Some(addr),
                port,
                form: Form::Commas,
            });
        }
        at = behind + 1;
    }
    None
}

/// How much of what stands between the code and the address is free text: all
/// of it, or nothing if there is too much, a digit or no plain character in it.
fn free_text(between: &[u8]) -> usize {
    let (blank, text) = between.split_at(1);
    let plain = |b: &u8| *b == b' ' || (b.is_ascii_graphic() && !b.is_ascii_digit());
    let usable = matches!(blank, b" " | b"\t" | b"\r") && text.iter().all(plain);
    if usable && text.len() <= 29 {
        text.len()
    } else {
        0
    }
}

/// Free text made `len` bytes long; its last byte stays where it is.
pub(super) fn fitted(text: &[u8], len: usize) -> Vec<u8> {
    let Some((last, before)) = text.split_last() else {
        return Vec::new();
    };
    let mut new = before.to_vec();
    new.resize(len - 1, b' ');
    new.push(*last);
    new
}

fn passive_port(line: &[u8]) -> Option<Found> {
    for at in 4..line.len().saturating_sub(4) {
        let d = line[at];
        if !d.is_ascii_graphic() || d.is_ascii_digit() || line[at..at + 3] != [d; 3] {
            continue;
        }
        let first = at + 3;
        let behind = first
            + line[first..]
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .count();
        let text = std::str::from_utf8(&line[first..behind]).ok()?;
        if let Some(port) = number(text, 5, 65_535)
            && line.get(behind) == Some(&d)
        {
            let port = port as u16;
            return Some(Found {
                first,
                spare: 0,
                behind,
                addr: None,
                port,
                form: Form::PortOnly,
            });
        }
    }
    None
}
