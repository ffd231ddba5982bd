//! Other programs on the hooks that ftp-nat uses.

use super::Finding;
use crate::loader::{
    attach::{self, Hook, Side},
    interfaces::Selected,
};

/// What runs on the hooks of the interfaces beside us.
pub(super) fn look(interfaces: &[Selected], hook: Hook) -> Vec<Finding> {
    let mut found = Vec::new();
    for interface in interfaces {
        for side in Side::BOTH {
            let own = Runner {
                clsact: hook == Hook::Clsact,
                name: side.program().to_owned(),
            };
            match attach::chain(interface, side) {
                Ok(chain) => found.extend(describe(&interface.name, side, &chain, &own)),
                Err(e) => log::debug!("{}", e.whole()),
            }
        }
    }
    found
}

/// A program on a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Runner {
    /// It is a filter of clsact, which run after all of TCX.
    pub(crate) clsact: bool,
    /// The program, or the kind of filter.
    pub(crate) name: String,
}

fn describe(interface: &str, side: Side, chain: &[Runner], own: &Runner) -> Option<Finding> {
    let at = chain.iter().position(|runner| runner == own)?;
    if chain.len() == 1 {
        return None;
    }
    let (is_error, verdict) = match side {
        Side::Ingress if at > 0 => (
            true,
            "what runs before ftp-nat must neither translate nor drop control or data connections",
        ),
        Side::Egress if at + 1 < chain.len() => (
            true,
            "what runs behind ftp-nat must neither translate nor drop control or data connections",
        ),
        _ => (
            false,
            "that order is right: what they translate lies between ftp-nat's two programs",
        ),
    };
    let names: Vec<_> = chain.iter().map(|runner| runner.name.as_str()).collect();
    Some(Finding {
        about: "hooks",
        is_error,
        what: format!(
            "{interface} has other programs at {}, in this order: {}; {verdict}",
            side.name(),
            names.join(", "),
        ),
        mend: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runner(clsact: bool, name: &str) -> Runner {
        Runner {
            clsact,
            name: name.to_owned(),
        }
    }

    fn said(side: Side, chain: &[Runner]) -> Option<String> {
        describe("wan", side, chain, &runner(false, side.program())).map(|f| f.to_string())
    }

    #[test]
    fn alone_there_is_nothing_to_say() {
        let alone = [runner(false, "ftp_nat_ingress")];
        assert_eq!(said(Side::Ingress, &alone), None);
        assert_eq!(said(Side::Ingress, &[]), None);
    }

    #[test]
    fn the_order_is_told_and_judged() {
        let own = runner(false, "ftp_nat_ingress");
        let other = runner(false, "cil_from_netdev");
        let text = said(Side::Ingress, &[own.clone(), other.clone()]).unwrap();
        let right = "ftp_nat_ingress, cil_from_netdev; that order is right";
        assert!(text.contains(right), "{text}");
        let text = said(Side::Ingress, &[other, own]).unwrap();
        assert!(text.contains("runs before ftp-nat"), "{text}");
        // Filters of clsact run after all of TCX.
        let chain = [runner(false, "ftp_nat_egress"), runner(true, "matchall")];
        let text = said(Side::Egress, &chain).unwrap();
        assert!(text.contains("wan has other programs at egress"), "{text}");
        assert!(text.contains("runs behind ftp-nat"), "{text}");
    }
}
