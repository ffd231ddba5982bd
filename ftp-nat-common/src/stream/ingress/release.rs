//! What is held is set free, in its old or in a new text.

use core::hint;

use super::{Run, run::RUN_CHANGED};
use crate::{
    addr::Port,
    counter::Counter,
    event::notes::Note,
    line::{
        Announcement,
        text::{ANY_LENGTH, PREFIX_ENOUGH, TEXT_MAX, Text},
    },
    session::Session,
    stream::{
        Edits, Environment, HALF_LAST, HALF_SHIFTED, Half, TELNET_MAX, dialogue::admit,
        position::PLAIN,
    },
    translation::Kind,
};

/// Sets what is held free, in its old or in a new text, and the releasing byte
/// behind it.
#[inline(never)]
pub fn release(
    run: &mut Run,
    session: &mut Session,
    edits: Option<&mut Edits>,
    env: &mut impl Environment,
) {
    let role = run.role as usize & 1;
    let byte = run.releasing;
    let kind = Kind::from_byte(run.kind);
    run.text.len = 0;
    if kind != Kind::None && edits.is_some() && !announce(run, session, kind, env) {
        run.text.len = 0;
    }
    let half = &mut session.half[role];
    let held_len = u32::from(half.held_len);
    if run.text.len == 0 && half.k > 0 {
        // Some of it was acknowledged while it was held: the range must be
        // kept together until far has it.
        run.text.bytes = half.held;
        run.text.len = held_len;
    }
    let mut len = run.text.len;
    run.emit_slot = PLAIN;
    match edits {
        Some(edits) if len > 0 => {
            let index = half.slot(u32::from(half.edits_len));
            let edit = &mut edits.slot[index];
            edit.text = run.text.bytes;
            edit.text[len as usize & (TEXT_MAX - 1)] = byte;
            edit.in0 = half.held_start();
            edit.in1 = half.in_nxt.plus(1);
            edit.out0 = half.out_nxt;
            edit.len = len as u8 + 1;
            edit.k = half.k;
            edit.fin = 0;
            half.edits_len += 1;
            run.emit_slot = index as u32;
            run.flags |= RUN_CHANGED;
        }
        _ => {
            half.held[held_len as usize & (TEXT_MAX - 1)] = byte;
            len = held_len;
        }
    }
    run.emit_pos = 0;
    run.emit_len = len + 1;
    run.pos += 1;
    half.out_nxt = half.out_nxt.plus(len + 1);
    half.in_nxt = half.in_nxt.plus(1);
    half.held_len = 0;
    half.k = 0;
    half.last = byte;
    half.flags |= HALF_LAST;
}

/// Decides on a complete announcement and writes its new text. `false` where
/// the old one stays.
#[inline(always)]
fn announce(run: &mut Run, session: &mut Session, kind: Kind, env: &mut impl Environment) -> bool {
    let role = run.role as usize & 1;
    let said = session.line[role].announcement(kind);
    if let Err(counter) = admit(session, role, &said) {
        env.count(counter);
        let (addr, port) = (said.addr, said.port);
        env.note(Note::refused(role, kind, addr, port, counter as u32));
        session.refusals += 1;
        session.last_refusal = counter as u16 + 1;
        return false;
    }
    run.text.begin(kind, &session.told[role], said.delimiter);
    let prefix = u32::from(session.line[role].prefix());
    let half = &session.half[role];
    let old_len = u32::from(half.held_len);
    let fit = if prefix >= PREFIX_ENOUGH {
        ANY_LENGTH
    } else {
        old_len.saturating_sub(u32::from(half.telnet_len) + prefix + run.text.len) as usize
    };
    session.pending.supersede(&session.requests, env);
    let fit = fit & length_matters(session, role, &said) as usize;
    let Some(port) = env.expect(kind, said.port, fit) else {
        session.refusals += 1;
        return false;
    };
    session
        .pending
        .add(role, Port::new(port), &session.requests);
    // A 229 names no address: it is near's own.
    env.note(Note::announced(
        role,
        kind,
        session.real[role],
        said.port,
        port,
    ));
    session.announcements += 1;
    session.last_kind = kind as u8;
    if is_as_told(session, role, &said, said.port ^ port) {
        // However near wrote it, it is right as it is.
        env.count(Counter::PinholesOnly);
        return false;
    }
    run.text.port(kind, port);
    if prefix > 0 {
        precede(&mut run.text, &session.half[role], prefix);
    }
    let half = &mut session.half[role];
    let mut i = 0;
    while i < TELNET_MAX {
        if i < half.telnet_len as usize {
            run.text.byte(half.telnet[i]);
        }
        i += 1;
    }
    let same_len = run.text.len == old_len;
    if same_len && same_bytes(&run.text.bytes, &half.held, old_len) {
        env.count(Counter::PinholesOnly);
        return false;
    }
    env.count(Counter::Rewrites);
    if !same_len {
        env.count(Counter::RewritesShifted);
        half.flags |= HALF_SHIFTED;
    }
    true
}

/// Puts the free text, which has `prefix` bytes among the held ones, before the
/// address, so that the whole is as long as it was if that is possible.
#[inline(always)]
fn precede(text: &mut Text, half: &Half, prefix: u32) {
    let mut len = prefix;
    if prefix >= PREFIX_ENOUGH {
        let rest = u32::from(half.telnet_len) + text.len;
        len = u32::from(half.held_len).wrapping_sub(rest);
    }
    text.precede(&half.held, prefix, len);
}

/// Whether the end `role` said the address that far is to be told, and the port
/// (`port_change` is 0) stays: it is right then, however it was written.
#[inline(never)]
fn is_as_told(session: &Session, role: usize, said: &Announcement, port_change: u16) -> bool {
    let told = &session.told[role & 1];
    let named = if said.kind == Kind::Epsv {
        &session.real[role & 1]
    } else {
        &said.addr
    };
    *named == *told && port_change == 0
}

/// All bits, or none where the end `role` named the address that far is to be
/// told: then its own port is the best, because nothing has to be changed. A
/// number that is worked out, or the verifier would go on from here twice.
#[inline(never)]
fn length_matters(session: &Session, role: usize, said: &Announcement) -> u32 {
    let ([a, b, c, d], [e, f, g, h]) = (session.told[role & 1].0, said.addr.0);
    let difference = (a ^ e) | (b ^ f) | (c ^ g) | (d ^ h);
    let sign = hint::black_box(difference | difference.wrapping_neg());
    (sign as i32 >> 31) as u32
}

/// Whether the first `len` bytes are the same.
#[inline(never)]
fn same_bytes(a: &[u8; TEXT_MAX], b: &[u8; TEXT_MAX], len: u32) -> bool {
    let mut i = 0;
    while i < TEXT_MAX && (i as u32) < len {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests;
