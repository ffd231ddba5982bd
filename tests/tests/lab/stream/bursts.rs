//! Many lines in one segment, and in one packet of many segments.

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{Lab, Offloads, capture::Sides};

use super::wire::Wire;

/// Announcements that may be unacknowledged at once without one being left.
const OUTSTANDING: usize = 6;

/// `lines` lines, of which every `every`th announces.
fn text(lines: usize, every: usize) -> (Vec<u8>, usize) {
    let mut text = Vec::new();
    let mut announcements = 0;
    for n in 0..lines {
        if n % every == every / 2 {
            let port = 1024 + (n % 50) as u16 * 7;
            let [high, low] = port.to_be_bytes();
            text.extend(format!("PORT 10,10,0,1,{high},{low}\r\n").bytes());
            announcements += 1;
        } else {
            text.extend(format!("NOOP {n}\r\n").bytes());
        }
    }
    (text, announcements)
}

fn read_replies(wire: &mut Wire, count: usize) -> Result<()> {
    (0..count).try_for_each(|_| wire.expect("200"))
}

#[test]
fn several_lines_in_one_segment() -> Result<()> {
    let mut wire = Wire::new()?;
    let mut rewritten = 0;
    for lines in 1..40 {
        let (text, announcements) = text(lines, lines.div_ceil(OUTSTANDING).max(2));
        ensure!(announcements <= OUTSTANDING);
        wire.write(&text)?;
        read_replies(&mut wire, lines)?;
        wire.until_acknowledged(super::wire::PATIENCE)?;
        rewritten += announcements;
    }
    wire.finish(rewritten)?;
    Ok(())
}

/// Only announcements, as many as a segment may have without one being left.
#[test]
fn nothing_but_announcements_in_one_segment() -> Result<()> {
    let mut wire = Wire::new()?;
    let lines = b"PORT 10,10,0,1,4,0\r\n".repeat(OUTSTANDING);
    for _ in 0..30 {
        wire.write(&lines)?;
        read_replies(&mut wire, OUTSTANDING)?;
        wire.until_acknowledged(super::wire::PATIENCE)?;
    }
    wire.finish(30 * OUTSTANDING)?;
    Ok(())
}

fn huge(offloads: Offloads, lines: usize, every: usize, times: usize) -> Result<()> {
    let lab = Lab::masquerade()?;
    lab.offloads(offloads)?;
    let captures = lab.captures()?;
    let mut wire = Wire::on(lab)?;
    let (text, announcements) = text(lines, every);
    for _ in 0..times {
        wire.write(&text)?;
        read_replies(&mut wire, lines)?;
    }
    let (_, count) = wire.end()?;
    let all = announcements * times;
    ensure!(count.rewritten + count.left == all, "{count:?} of {all}");
    if announcements <= OUTSTANDING {
        ensure!(count.left == 0, "{count:?} although there was room");
    }
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    for (client, server) in sides.control(21)? {
        client.complete()?;
        server.complete()?;
    }
    let merged = sides.client.packets.iter().any(|p| p.gso_size != 0);
    ensure!(
        merged == (offloads == Offloads::On),
        "packets were {} merged",
        if merged { "" } else { "never" }
    );
    Ok(())
}

#[test]
fn hundreds_of_lines_in_one_packet() -> Result<()> {
    huge(Offloads::On, 400, 100, 20)
}

#[test]
fn hundreds_of_lines_in_many_packets() -> Result<()> {
    huge(Offloads::NoSegmentation, 400, 100, 20)
}

#[test]
fn hundreds_of_lines_on_a_real_wire() -> Result<()> {
    huge(Offloads::Off, 400, 100, 10)
}

/// More announcements than can be outstanding: those left are counted, and all
/// else is exact.
#[test]
fn too_many_announcements_in_one_packet() -> Result<()> {
    huge(Offloads::On, 600, 5, 5)
}

/// As much as a packet can hold.
#[test]
fn sixty_kilobytes_at_once() -> Result<()> {
    huge(Offloads::On, 6_000, 1_200, 4)
}
