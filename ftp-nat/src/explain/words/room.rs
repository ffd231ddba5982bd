//! Tables that are full, and hosts that have as much as one may have.

use crate::explain::verdict::{Name, Verdict};

pub(in crate::explain) fn table_full(what: &str, option: &str) -> Verdict {
    Verdict::new(
        Name::TableFull,
        format!("There was no room in the table of {what}: this one was not helped."),
    )
    .advise(format!(
        "`ftp-nat stats` shows how full the tables are; `ftp-nat unload`, then `ftp-nat run {option} NUMBER` makes room."
    ))
}

pub(in crate::explain) fn source_limit(what: &str, option: &str) -> Verdict {
    Verdict::new(
        Name::SourceLimit,
        format!("The host has as many {what} as one may have: this one was not helped."),
    )
    .advise(format!(
        "`ftp-nat run {option} NUMBER` raises the limit. If one host needs thousands, look at what it is doing first."
    ))
}
