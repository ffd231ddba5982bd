//! `cargo xtask dist`: what is given to others.
//!
//! | file | makes |
//! |---|---|
//! | `binary` | a static binary |
//! | `files` | the files of the package and of the archive, in a folder |
//! | `package` | the Debian package |
//! | `archive` | the archive, and checksums |
//! | `verify` | installs, runs, upgrades and purges the package, in a chroot |

mod archive;
mod binary;
mod files;
mod package;
mod verify;

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};

pub use self::verify::tests;
use crate::{
    setup::{self, Scope},
    workspace,
};

/// The version of everything here.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Options of the verb.
#[derive(clap::Args)]
pub struct Args {
    /// The folder to write into
    #[arg(long, value_name = "DIR", default_value_os_t = folder())]
    out: PathBuf,
}

fn folder() -> PathBuf {
    workspace::cache().join("dist")
}

/// The verb.
pub fn run(args: &Args) -> Result<()> {
    fs::create_dir_all(&args.out).with_context(|| format!("can't make {}", args.out.display()))?;
    setup::ensure(&[Scope::Dist])?;
    let binary = binary::build()?;
    let root = files::lay_out(&args.out.join("root"), &binary)?;
    let made = [
        package::build(&root, VERSION, &args.out)?,
        archive::build(&root, &args.out)?,
    ];
    for file in archive::checksums(&args.out, &made)? {
        println!("{}", file.display());
    }
    Ok(())
}
