//! The log for people, which userspace forwards while it runs. Only events of
//! connections are logged, never packets, and never a line of the dialogue.

use aya_ebpf::{bindings::__sk_buff, programs::TcContext};
use aya_log_ebpf::debug;
use ftp_nat_common::{addr::Addr, session::Session, translation::Flow};

/// An address in the form that the log formats.
#[inline(always)]
fn ip(addr: &Addr) -> [u8; 16] {
    addr.octets()
}

/// The session announced a data connection.
#[inline(never)]
pub fn announced(skb: *mut __sk_buff, s: &Session) {
    let last = s.pending.last();
    debug!(
        TcContext::new(skb),
        "session {:x}: a data connection is expected at {:i}:{}",
        s.id,
        ip(&s.seen[usize::from(last.role) & 1]),
        last.port.get()
    );
}

/// An announcement of the session was refused; `reason` is a counter's number.
#[inline(never)]
pub fn refused(skb: *mut __sk_buff, s: &Session) {
    debug!(
        TcContext::new(skb),
        "session {:x}: announcement not followed, reason {}",
        s.id,
        s.last_refusal.wrapping_sub(1)
    );
}

/// A data connection came.
#[inline(never)]
pub fn connected(skb: *mut __sk_buff, flow: &Flow) {
    debug!(
        TcContext::new(skb),
        "session {:x}: data connection to {:i}:{}",
        flow.session,
        ip(&flow.to.dst),
        flow.to.dport.get()
    );
}
