//! Sweeping what egress makes of data connections that the stack forwards.

use ftp_nat_common::{addr::Tuple, translation::FLOW_STACK};

use crate::{error::Result, maps::Maps};

/// Removes what egress makes of a connection by the stack, if its flow is gone.
pub fn sweep(maps: &Maps, exit: &Tuple, to: &Tuple) -> Result<()> {
    let is_used = |to: &Tuple| -> Result<bool> {
        let key = to.reversed();
        let flow = maps.flows.get(&key)?;
        Ok(flow.is_some_and(|f| f.flags & FLOW_STACK != 0 && f.exit(&key).0 == *exit))
    };
    if is_used(to)? {
        return Ok(());
    }
    // A new connection of the same addresses may have come in between. Its flow
    // is made before this entry.
    if let Some(taken) = maps.stack_flows.take(exit)?
        && is_used(&taken)?
    {
        maps.stack_flows.insert(exit, &taken)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ftp_nat_common::{
        addr::Port,
        translation::{FLOW_ESTABLISHED, Flow, SECOND},
    };

    use super::*;
    use crate::daemon::sweep::tests::{NOW, sweep};

    #[test]
    fn what_egress_knows_goes_with_its_flow() {
        let maps = Maps::in_memory(&[]);
        let tuple = |sport, dport| Tuple {
            sport: Port::new(sport),
            dport: Port::new(dport),
            ..Tuple::default()
        };
        let add = |sport, idle_seconds| {
            let flow = Flow {
                to: tuple(sport, 2),
                via_port: Port::new(3),
                last_ns: NOW - idle_seconds * SECOND,
                flags: FLOW_ESTABLISHED | FLOW_STACK,
                ..Flow::default()
            };
            let key = tuple(sport, 1);
            maps.flows.set(&key, &flow).unwrap();
            let (exit, to) = flow.exit(&key);
            assert_eq!((exit, to), (tuple(3, sport), tuple(1, sport)));
            maps.stack_flows.set(&exit, &to).unwrap();
        };
        add(20, 3 * 3600);
        add(21, 1);
        // The connection that it was for came again, by another way.
        maps.flows
            .set(
                &tuple(22, 1),
                &Flow {
                    last_ns: NOW,
                    ..Flow::default()
                },
            )
            .unwrap();
        maps.stack_flows.set(&tuple(3, 22), &tuple(1, 22)).unwrap();
        assert_eq!(sweep(&maps).connections, 1);
        let left = maps.stack_flows.all().unwrap();
        assert_eq!(left, [(tuple(3, 21), tuple(1, 21))]);
    }
}
