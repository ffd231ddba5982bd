//! What a case begins with, and reading what the object made of it.

use std::net::IpAddr;

use ftp_nat_common::{
    addr::{Addr, Port},
    line::Request,
    seq::Seq,
    session::{SESSION_GREETED, SESSION_NOT_FTP, SESSION_TRUSTED, Session},
    stream::Half,
    tcp::option,
};

use super::{ACK, PORTS, SESSION, Setting};
use crate::hosts::{Family, SERVER};

/// The SACK blocks among TCP options.
pub fn blocks(mut options: &[u8]) -> Vec<(u32, u32)> {
    loop {
        match options {
            [] | [option::END, ..] => return Vec::new(),
            [option::NOP, rest @ ..] => options = rest,
            [option::SACK, len, rest @ ..] => {
                let edge = |b: &[u8]| u32::from_be_bytes([b[0], b[1], b[2], b[3]]);
                let blocks = rest[..usize::from(*len) - 2].chunks(8);
                return blocks.map(|b| (edge(b), edge(&b[4..]))).collect();
            }
            [_, len, ..] => options = &options[usize::from(*len)..],
            [kind] => panic!("option {kind} without a length"),
        }
    }
}

pub fn session(setting: &Setting) -> Session {
    let (near, far) = (setting.role, 1 - setting.role);
    let family = if setting.v6 { Family::V6 } else { Family::V4 };
    let mut session = Session {
        id: SESSION,
        flags: SESSION_TRUSTED,
        real_port: PORTS.map(Port::new),
        seen_port: PORTS.map(Port::new),
        ..Session::default()
    };
    if setting.role == 0 {
        session.flags |= SESSION_GREETED;
    }
    if setting.unread {
        session.flags |= SESSION_NOT_FTP;
    }
    session.real[near] = Addr::from(setting.own());
    session.seen[near] = Addr::from(setting.seen());
    session.real[far] = Addr::from(SERVER.ip(family));
    session.seen[far] = session.real[far];
    session.told = session.seen;
    session.half[near] = Half::starting_at(Seq(setting.isn).plus(1));
    session.half[far] = Half::starting_at(Seq(ACK));
    if !setting.unread {
        for _ in 0..setting.passive {
            session.requests.push(Request::Passive);
        }
    }
    session
}

/// The port in the text of an edit; `None` where it announces no address of ours.
pub fn announced(text: &[u8], seen: IpAddr) -> Option<u16> {
    let mut text: String = text.iter().map(|b| char::from(*b)).collect();
    if seen.is_ipv4() {
        // The free text of a 227.
        text = text
            .trim_start_matches(|c: char| !c.is_ascii_digit())
            .to_owned();
    }
    let dotted = match seen {
        IpAddr::V4(a) => a.to_string(),
        IpAddr::V6(a) => a.to_string(),
    };
    let number = |text: &str| {
        let digits = text.chars().take_while(char::is_ascii_digit).count();
        text[..digits].parse::<u16>().ok()
    };
    if let Some(rest) = text.strip_prefix(&(dotted.replace('.', ",") + ","))
        && let Some((high, low)) = rest.split_once(',')
    {
        return Some(number(high)? << 8 | number(low)?);
    }
    match text.strip_prefix(&dotted) {
        Some(rest) => number(rest.get(1..)?),
        // 229 names no address.
        None if text.contains([',', '.', ':']) => None,
        None => number(&text),
    }
}
