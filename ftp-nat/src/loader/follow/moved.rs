//! What is known of an interface under its old number is brought to the new one.
//!
//! Sessions are not touched here: while a CPU works on one, nobody else may
//! write it. The old entry in the table of interfaces says where to, and the
//! kernel side takes it over with the session's next segment.

use std::collections::BTreeSet;

use ftp_nat_common::{layout::Interface, session::Session};

use crate::{
    error::Result,
    loader::interfaces::{Selected, name_bytes},
    maps::{Cursor, Maps, PAGE},
};

/// The interfaces among `selected` that `former` knows under another number.
pub(in crate::loader) fn by_name(
    former: &[(u32, Interface)],
    selected: &[Selected],
) -> Vec<(u32, u32)> {
    let mut moved = Vec::new();
    for (old, entry) in former.iter().filter(|(_, entry)| entry.moved_to == 0) {
        if selected.iter().any(|s| s.index == *old) {
            continue;
        }
        let now = selected.iter().find(|s| name_bytes(&s.name) == entry.name);
        moved.extend(now.map(|now| (*old, now.index)));
    }
    moved
}

/// Brings all from `old` to `new`; gives how many data connections, running or
/// announced, that were.
pub(in crate::loader) fn follow(maps: &Maps, old: u32, new: u32) -> Result<usize> {
    for (index, mut entry) in maps.interfaces.all()? {
        if index != new && (index == old || entry.moved_to == old) {
            entry.moved_to = new;
            maps.interfaces.set(&index, &entry)?;
        }
    }
    let mut count = 0;
    let mut cursor = Cursor::Start;
    while cursor != Cursor::End {
        for (key, mut expected) in maps.expectations.page(&mut cursor, PAGE)? {
            let places = [&mut expected.near_ifindex, &mut expected.far_ifindex];
            // Taken out first: who finds it must not find it twice.
            if replace(places, old, new) && maps.expectations.take(&key)?.is_some() {
                maps.expectations.insert(&key, &expected)?;
                count += 1;
            }
        }
    }
    cursor = Cursor::Start;
    while cursor != Cursor::End {
        for (key, mut flow) in maps.flows.page(&mut cursor, PAGE)? {
            // In place: without its flow a packet would go to the stack, which
            // answers by a RST. What the kernel side counts meanwhile is lost.
            if replace([&mut flow.out_ifindex], old, new) {
                maps.flows.set(&key, &flow)?;
                count += 1;
            }
        }
    }
    Ok(count)
}

fn replace<const N: usize>(places: [&mut u32; N], old: u32, new: u32) -> bool {
    let mut any = false;
    for place in places {
        if *place == old {
            *place = new;
            any = true;
        }
    }
    any
}

/// Forgets old numbers that no session has any more.
pub(in crate::loader) fn forget(maps: &Maps) -> Result<()> {
    let entries = maps.interfaces.all()?;
    let old = entries.iter().filter(|(_, entry)| entry.moved_to != 0);
    let mut unused: BTreeSet<u32> = old.map(|(index, _)| *index).collect();
    if unused.is_empty() {
        return Ok(());
    }
    let mut cursor = Cursor::Start;
    while cursor != Cursor::End {
        let page = maps.sessions.page(&mut cursor, PAGE)?;
        for index in page
            .iter()
            .flat_map(|(_, session): &(u64, Session)| session.ifindex)
        {
            unused.remove(&index);
        }
    }
    for index in unused {
        maps.interfaces.take(&index)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ftp_nat_common::{
        addr::Tuple,
        layout::INTERFACE_LAN,
        translation::{Expectation, ExpectationKey, Flow},
    };

    use super::*;

    fn entry(name: &str, moved_to: u32) -> Interface {
        Interface {
            name: name_bytes(name),
            moved_to,
            flags: INTERFACE_LAN,
            ..Interface::default()
        }
    }

    fn selected(name: &str, index: u32) -> Selected {
        Selected {
            name: name.to_owned(),
            index,
            lan: true,
            l2_len: 14,
            domain: 0,
            vrf: 0,
        }
    }

    #[test]
    fn an_interface_is_known_again_by_its_name() {
        let former = [
            (3, entry("lan", 0)),
            (4, entry("wan", 0)),
            (2, entry("lan", 3)),
            (5, entry("dmz", 0)),
        ];
        let now = [selected("lan", 9), selected("wan", 4), selected("eth7", 7)];
        assert_eq!(by_name(&former, &now), [(3, 9)]);
    }

    #[test]
    fn all_follows_to_the_new_number() {
        let maps = Maps::in_memory(&[]);
        maps.interfaces.set(&2, &entry("lan", 3)).unwrap();
        maps.interfaces.set(&3, &entry("lan", 0)).unwrap();
        maps.interfaces.set(&4, &entry("wan", 0)).unwrap();
        maps.interfaces.set(&9, &entry("lan", 0)).unwrap();
        for (domain, near, far) in [(1, 3, 4), (2, 4, 3), (3, 4, 4)] {
            let key = ExpectationKey {
                domain,
                ..ExpectationKey::default()
            };
            let expectation = Expectation {
                near_ifindex: near,
                far_ifindex: far,
                ..Expectation::default()
            };
            maps.expectations.set(&key, &expectation).unwrap();
        }
        for (domain, out_ifindex) in [(1, 3), (2, 4)] {
            let key = Tuple {
                domain,
                ..Tuple::default()
            };
            let flow = Flow {
                out_ifindex,
                ..Flow::default()
            };
            maps.flows.set(&key, &flow).unwrap();
        }
        assert_eq!(follow(&maps, 3, 9).unwrap(), 3);
        let to = |index: u32| maps.interfaces.get(&index).unwrap().unwrap().moved_to;
        assert_eq!([to(2), to(3), to(4), to(9)], [9, 9, 0, 0]);
        let mut ways: Vec<_> = maps.expectations.all().unwrap();
        ways.sort_by_key(|(key, _)| key.domain);
        let ways: Vec<_> = ways
            .iter()
            .map(|(_, e)| (e.near_ifindex, e.far_ifindex))
            .collect();
        assert_eq!(ways, [(9, 4), (4, 9), (4, 4)]);
        let out = |domain| {
            let key = Tuple {
                domain,
                ..Tuple::default()
            };
            maps.flows.get(&key).unwrap().unwrap().out_ifindex
        };
        assert_eq!([out(1), out(2)], [9, 4]);
    }

    #[test]
    fn an_old_number_is_kept_while_a_session_has_it() {
        let maps = Maps::in_memory(&[]);
        for (index, moved_to) in [(2, 9), (3, 9), (9, 0)] {
            maps.interfaces
                .set(&index, &entry("lan", moved_to))
                .unwrap();
        }
        let session = Session {
            ifindex: [3, 9],
            ..Session::default()
        };
        maps.sessions.set(&1, &session).unwrap();
        forget(&maps).unwrap();
        let mut left: Vec<_> = maps.interfaces.all().unwrap().iter().map(|e| e.0).collect();
        left.sort_unstable();
        assert_eq!(left, [3, 9]);
    }
}
