//! The log for people, which userspace forwards while it runs. Only events of
//! connections are logged, never packets, and never a line of the dialogue.

use aya_ebpf::{bindings::__sk_buff, programs::TcContext};
use aya_log_ebpf::debug;
use ftp_nat_common::{addr::Addr, session::Session};

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
