//! Large receive offload: the device merges packets for good, and what comes out
//! is too large to be forwarded.

use super::Finding;
use crate::{loader::interfaces::Selected, sys::ethtool};

/// The interfaces that have it on. The kernel turns it off where it forwards,
/// unless somebody turns it on again.
pub(super) fn look(interfaces: &[Selected]) -> Vec<Finding> {
    let mut found = Vec::new();
    for Selected { name, .. } in interfaces {
        match ethtool::flags(name) {
            Ok(flags) if has_lro(flags) => found.push(Finding {
                about: "offloads",
                is_error: true,
                what: format!("{name} has large receive offload on, which no gateway can have"),
                mend: format!("ethtool -K {name} lro off"),
            }),
            Ok(_) => {}
            // Many virtual devices know nothing of it.
            Err(e) => log::debug!("offloads of {name}: {e}"),
        }
    }
    found
}

/// `ETH_FLAG_LRO` of <linux/ethtool.h>.
const fn has_lro(flags: u32) -> bool {
    flags & (1 << 15) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_is_told_from_others() {
        assert!(has_lro(0x8000));
        // ETH_FLAG_NTUPLE and ETH_FLAG_RXHASH.
        assert!(!has_lro((1 << 27) | (1 << 28)));
    }

    #[test]
    fn the_loopback_device_has_none() {
        assert_eq!(ethtool::flags("lo").map(has_lro).ok(), Some(false));
    }
}
