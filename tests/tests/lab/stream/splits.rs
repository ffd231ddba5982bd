//! A line in two or three segments, cut at every offset.

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{Lab, capture::Sides};

use super::wire::Wire;

/// What is cut. The ports differ in
/// whether the new text has the old length.
const LINES: [&[u8]; 3] = [
    b"PORT 10,10,0,1,4,0\r\n",
    b"PORT 10,10,0,1,230,177\r\n",
    b"EPRT |1|10.10.0.1|1024|\r\n",
];

/// Writes `line` in pieces, each in a segment of its own.
fn in_pieces(wire: &mut Wire, line: &[u8], cuts: &[usize]) -> Result<()> {
    let mut from = 0;
    for cut in cuts.iter().copied().chain([line.len()]) {
        wire.write(&line[from..cut])?;
        from = cut;
    }
    wire.expect("200")
        .with_context(|| format!("`{}` cut at {cuts:?}", line.escape_ascii()))
}

/// That the pieces were really sent one by one: as many segments as pieces.
fn many_segments(sides: &Sides, least: usize) -> Result<()> {
    for (client, _) in sides.control(21)? {
        let isn = client.to_server.isn;
        let len = client.to_server.bytes().len() as u32;
        let edges = (1..=len).filter(|n| client.to_server.is_edge(isn.wrapping_add(*n)));
        let edges = edges.count();
        ensure!(edges >= least, "only {edges} segment ends of {least}");
    }
    Ok(())
}

fn cut(line: &'static [u8], cuts: impl Fn(usize) -> Vec<Vec<usize>>) -> Result<()> {
    let lab = Lab::masquerade()?;
    let captures = lab.captures()?;
    let mut wire = Wire::on(lab)?;
    let all = cuts(line.len());
    for cuts in &all {
        in_pieces(&mut wire, line, cuts)?;
        wire.say(b"NOOP\r\n")?;
    }
    if line.starts_with(b"PORT") {
        wire.finish(all.len())?;
    } else {
        ensure!(wire.ftp_nat.counter("rewrites")? == all.len() as u64);
    }
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    let (start, public) = if line.starts_with(b"PORT") {
        ("PORT ", "61,144,1,2")
    } else {
        ("EPRT ", "61.144.1.2")
    };
    ensure!(sides.verify_edits(21, start, public)? == all.len());
    let pieces: usize = all.iter().map(|c| c.len() + 1).sum();
    many_segments(&sides, pieces)
}

fn twice(len: usize) -> Vec<Vec<usize>> {
    (1..len).map(|at| vec![at]).collect()
}

#[test]
fn port_in_two() -> Result<()> {
    cut(LINES[0], twice)
}

#[test]
fn port_of_all_digits_in_two() -> Result<()> {
    cut(LINES[1], twice)
}

#[test]
fn eprt_in_two() -> Result<()> {
    cut(LINES[2], twice)
}

#[test]
fn port_in_three() -> Result<()> {
    cut(LINES[0], |len| {
        (1..len - 1)
            .flat_map(|a| (a + 1..len).map(move |b| vec![a, b]))
            .collect()
    })
}

#[test]
fn port_byte_by_byte() -> Result<()> {
    cut(LINES[0], |len| vec![(1..len).collect(); 10])
}

/// The cut goes through the line before, too.
#[test]
fn with_the_end_of_the_line_before() -> Result<()> {
    let lab = Lab::masquerade()?;
    let mut wire = Wire::on(lab)?;
    let text = b"NOOP\r\nPORT 10,10,0,1,4,0\r\nNOOP\r\n";
    for at in 1..text.len() {
        wire.write(&text[..at])?;
        wire.write(&text[at..])?;
        for _ in 0..3 {
            wire.expect("200").with_context(|| format!("cut at {at}"))?;
        }
    }
    wire.finish(text.len() - 1)?;
    Ok(())
}
