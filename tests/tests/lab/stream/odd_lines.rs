//! Lines as no client should send them, which must reach the server all the
//! same, rewritten where the server would take them for an announcement.

use anyhow::{Context, Result, ensure};

use super::{
    reference::{Count, verify},
    wire::{RULE, Wire},
};

/// Sends each line in a segment of its own, and checks the whole.
fn sent(lines: &[&[u8]], rewritten: usize) -> Result<()> {
    let mut wire = Wire::new()?;
    for line in lines {
        wire.say(line)?;
    }
    wire.finish(rewritten)?;
    Ok(())
}

#[test]
fn line_ends() -> Result<()> {
    sent(
        &[
            b"PORT 10,10,0,1,4,0\n",
            b"NOOP\n",
            b"PORT 10,10,0,1,4,1\r\0\n",
            b"PORT 10,10,0,1,4,2\0\n",
            b"\r\n",
            b"\n",
            b"PORT 10,10,0,1,4,3\r\r\n",
            b"PORT 10,10,0,1,4,4 \r\n",
        ],
        5,
    )
}

#[test]
fn blanks_and_case() -> Result<()> {
    sent(
        &[
            b"PORT  10,10,0,1,4,0\r\n",
            b"PORT\t10,10,0,1,4,1\r\n",
            b"port 10,10,0,1,4,2\r\n",
            b"pOrT \t 10,10,0,1,004,003\r\n",
            b"NOOP PORT 10,10,0,1,4,4\r\n",
            &[&b"PORT"[..], &b" ".repeat(2_000), b"10,10,0,1,4,5\r\n"].concat(),
        ],
        5,
    )
}

#[test]
fn what_is_no_announcement_passes_as_it_is() -> Result<()> {
    sent(
        &[
            b"PORT 10,10,0,1,4\r\n",
            b"PORT 10,10,0,1,4,\r\n",
            b"PORT 10,10,0,1,,0\r\n",
            b"PORT\r\n",
            b"PORT \r\n",
            b"PORTS 10,10,0,2,4,0\r\n",
            b"PORT 10,10,0,2,4,0\r\n",
            b"PORT ten,10,0,1,4,0\r\n",
            b"EPRT |1|10.10.0.1|\r\n",
            b"EPRT |3|10.10.0.1|1024|\r\n",
            b"LPRT 4,4,10,10,0,1,2,4,0\r\n",
        ],
        0,
    )
}

#[test]
fn eight_bit_bytes_and_nul() -> Result<()> {
    let mut all: Vec<u8> = (0..=254).filter(|b| !b"\r\n".contains(b)).collect();
    all.splice(0..0, *b"SITE ");
    all.extend(b"\r\n");
    sent(
        &[
            &all,
            b"PORT 10,10,0,1,4,0\r\n",
            b"CWD \xc3\xa9t\xc3\xa9\r\n",
            b"CWD \xe9\xfe\r\n",
            b"CWD a\0b\r\n",
            b"PORT 10,10,0,1,4,0\r\n",
        ],
        2,
    )
}

/// A line of 100 kB takes many segments, all of which are in it.
#[test]
fn a_line_without_end() -> Result<()> {
    let mut wire = Wire::new()?;
    for filling in [
        &b"x"[..],
        b"PORT 10,10,0,1,4,0 ",
        b"\r",
        b"227 (10,10,0,1,4,0)",
    ] {
        let mut line = b"SITE ".to_vec();
        line.extend(filling.iter().cycle().take(100_000));
        line.extend(b"\r\n");
        wire.say(&line)?;
        wire.say(b"PORT 10,10,0,1,4,0\r\n")?;
    }
    wire.finish(4)?;
    Ok(())
}

/// The bytes without Telnet sequences, as a server reads them.
fn without_telnet(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = bytes.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != 255 {
            plain.push(byte);
            continue;
        }
        match rest.next() {
            Some(255) => plain.push(255),
            Some(251..=254) => drop(rest.next()),
            Some(250) => drop(rest.find(|b| *b == 240)),
            _ => {}
        }
    }
    plain
}

/// Telnet sequences (RFC 959 section 4.1.3, RFC 1123 section 4.1.2.10) neither
/// hide a command nor fake one.
#[test]
fn telnet_sequences() -> Result<()> {
    let lines: [(&[u8], usize); 9] = [
        (b"PO\xff\xf1RT 10,10,0,1,4,0\r\n", 1),
        (b"\xff\xf4\xff\xf2PORT 10,10,0,1,4,1\r\n", 1),
        (b"PORT 10,\xff\xf110,0,1,4,2\r\n", 1),
        (b"PORT 10,10,0,1,4,\xff\xfd\x063\r\n", 1),
        (b"PORT 10,10,0,1,4,4\xff\xf1\r\n", 1),
        (b"\xff\xfb\x01NOOP\r\n", 0),
        (b"CWD a\xff\xffb\r\n", 0),
        (b"\xff\xf4\xff\xf2ABOR\r\n", 0),
        (b"NOOP \xff\xfd\nPORT 10,10,0,1,4,6\r\n", 0),
    ];
    let mut wire = Wire::new()?;
    let mut rewritten = 0;
    for (line, announcements) in lines {
        wire.write(line)?;
        rewritten += announcements;
        // The script knows nothing of Telnet: the last line is two to it.
        for _ in line.iter().filter(|b| **b == b'\n') {
            wire.expect("2")
                .with_context(|| format!("after `{}`", line.escape_ascii()))?;
        }
    }
    wire.write(b"NOOP end\r\n")?;
    let received = wire
        .server
        .until_received(b"end\r\n", super::wire::PATIENCE)?;
    let count = verify(
        &without_telnet(wire.sent()),
        &without_telnet(&received),
        RULE,
    )?;
    ensure!(count == Count { rewritten, left: 0 }, "{count:?}");
    Ok(())
}

/// Telnet sequences cut in the middle.
#[test]
fn telnet_sequences_in_pieces() -> Result<()> {
    let mut wire = Wire::new()?;
    let line = b"\xff\xf1P\xff\xfb\x01ORT 10,10,\xff\xf10,1,4,0\xff\xf1\r\n";
    for at in 1..line.len() {
        wire.write(&line[..at])?;
        wire.write(&line[at..])?;
        wire.expect("200").with_context(|| format!("cut at {at}"))?;
    }
    let end = b"NOOP end\r\n";
    wire.write(end)?;
    let received = wire.server.until_received(end, super::wire::PATIENCE)?;
    let count = verify(
        &without_telnet(wire.sent()),
        &without_telnet(&received),
        RULE,
    )?;
    let rewritten = line.len() - 1;
    ensure!(count == Count { rewritten, left: 0 }, "{count:?}");
    Ok(())
}
