//! Whether the disk has room for what a whole run builds. A compiler that finds
//! none says so in the middle of many other lines, and every part behind it fails.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use nix::sys::statvfs::statvfs;

use crate::workspace;

/// What a whole run in a fresh clone takes in `target`, in bytes: 3.4 GB, and some for
/// what is built in the temporary folder meanwhile.
const NEEDED: u64 = 4_000_000_000;

/// Before a whole run. What an earlier run left is room that this one needn't find.
pub fn ensure_enough() -> Result<()> {
    let target = workspace::cache();
    if target.join("debug").exists() {
        return Ok(());
    }
    let free = free(workspace::root())?;
    ensure!(free >= NEEDED, refusal(&target, free));
    Ok(())
}

fn free(at: &Path) -> Result<u64> {
    let stat =
        statvfs(at).with_context(|| format!("can't ask how much room {} has", at.display()))?;
    Ok(stat.blocks_available() * stat.fragment_size())
}

fn refusal(target: &Path, free: u64) -> String {
    format!(
        "a whole run takes {} of disk in {}, and {} are free there: make room, or run a part \
         alone, for example `cargo xtask test unit`",
        size(NEEDED),
        target.display(),
        size(free)
    )
}

fn size(bytes: u64) -> String {
    format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_where_and_how_much() {
        let said = refusal(Path::new("/clone/target"), 287_000_000);
        assert!(said.contains("4.0 GB of disk in /clone/target"), "{said}");
        assert!(said.contains("0.2 GB are free"), "{said}");
    }

    #[test]
    fn the_room_of_a_place_that_is_none_is_an_error_that_names_it() {
        let error = free(Path::new("/no/such/place")).unwrap_err();
        assert!(error.to_string().contains("/no/such/place"));
        assert!(free(Path::new("/")).is_ok());
    }
}
