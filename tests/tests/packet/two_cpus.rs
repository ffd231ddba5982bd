//! Both directions of a control connection at the same time, on two CPUs.

use ftp_nat_common::counter::Counter;

use crate::{
    bench::Bench,
    connection::Connection,
    hosts::{Family, GATEWAY},
};

/// Packets of each direction.
const PACKETS: u32 = 20_000;

/// What one CPU does, another waits for: a segment that is dropped instead is
/// only sent again after a fifth of a second.
#[test]
fn nothing_is_dropped_because_the_other_direction_is_busy() {
    let mut bench = Bench::new();
    for family in [Family::V4, Family::V6] {
        let mut connection = Connection::masqueraded(family, GATEWAY);
        connection.establish(&mut bench);
        let long = "x".repeat(1000);
        let command = connection.client_packet().payload(long.as_bytes());
        let reply = connection.server_packet().payload(long.as_bytes());
        let ack = connection.to_client(&connection.server_packet());
        let hooks = (connection.client_hooks(), connection.server_hooks());
        let both = bench.run_on_cpus(&[(hooks.0.0, &command), (hooks.1.0, &reply)], PACKETS)
            && bench.run_on_cpus(&[(hooks.0.0, &command), (hooks.1.1, &ack)], PACKETS);
        if !both {
            eprintln!("there is only one CPU");
        }
        assert_eq!(bench.count(Counter::DroppedLockBusy), 0);
        bench.clear();
    }
}
