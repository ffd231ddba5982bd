//! `cargo xtask object`: builds the committed eBPF object, or checks that it is
//! what its source gives. The object lies in the repository so that stable Rust
//! alone builds ftp-nat; this verb is what ties it to its source.

mod build;
mod builder;
mod digest;
mod provenance;
mod summary;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use self::{builder::Builder, provenance::Provenance};
use crate::workspace;

/// Options of the verb.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing; fail if the committed object differs from a fresh build
    #[arg(long)]
    check: bool,
    /// Build with this rustup toolchain, a nightly with rust-src, instead of Debian's compiler
    #[arg(long, value_name = "NAME")]
    toolchain: Option<String>,
}

impl Args {
    /// `cargo xtask object --check`.
    pub fn check() -> Self {
        Self {
            check: true,
            toolchain: None,
        }
    }
}

/// The verb.
pub fn run(args: &Args) -> Result<()> {
    let builder = Builder::prepare(args.toolchain.as_deref())?;
    let fresh = build::build(&builder)?;
    let made = Provenance {
        builder: builder.versions.clone(),
        sources: digest::sources()?,
        object: digest::file(&fresh)?,
    };
    if args.check {
        check(&fresh, &made)
    } else {
        write(&fresh, &made)
    }
}

fn write(fresh: &Path, made: &Provenance) -> Result<()> {
    let object = object_file();
    if let Some(folder) = object.parent() {
        fs::create_dir_all(folder)?;
    }
    let same = digest::file(&object).is_ok_and(|digest| digest == made.object);
    if !same {
        fs::copy(fresh, &object).with_context(|| format!("can't write {}", object.display()))?;
    }
    made.write(&provenance_file())?;
    print!("{}", summary::of(&object)?);
    println!(
        "{}",
        if same {
            "the object is unchanged"
        } else {
            "the object is new: commit it with its provenance"
        }
    );
    Ok(())
}

fn check(fresh: &Path, made: &Provenance) -> Result<()> {
    let committed = Provenance::read(&provenance_file())?;
    let object = object_file();
    let digest = digest::file(&object)
        .with_context(|| format!("the committed object {} can't be read", object.display()))?;
    let mut faults = Vec::new();
    if digest != committed.object {
        faults.push("the committed object is not the one that its provenance describes".to_owned());
    }
    if made.sources != committed.sources {
        faults.push("the sources have changed since the object was built from them".to_owned());
    }
    let others = committed.builder.differences(&made.builder);
    if made.object != digest {
        if made.sources == committed.sources && others.is_empty() {
            faults.push(format!(
                "the same sources and the same builder give another object: compare {} with {}",
                object.display(),
                fresh.display()
            ));
        } else {
            faults.push("a fresh build differs from the committed object".to_owned());
        }
    }
    for other in &others {
        let text = format!("the committed object was built by {other}");
        if faults.is_empty() {
            // To the byte the same, so the other builder is no matter.
            println!("note: {text}");
        } else {
            faults.push(format!(
                "{text}: a difference is expected, refresh it deliberately"
            ));
        }
    }
    if faults.is_empty() {
        print!("{}", summary::of(&object)?);
        println!("the committed object is what its source gives");
        return Ok(());
    }
    bail!(
        "object check failed:\n  - {}\nIf the change is meant: run `cargo xtask object` and commit both files in {}",
        faults.join("\n  - "),
        folder()
            .strip_prefix(workspace::root())
            .unwrap_or(&folder())
            .display()
    );
}

fn folder() -> PathBuf {
    workspace::root().join("ftp-nat/object")
}

fn object_file() -> PathBuf {
    folder().join("ftp-nat.bpf.o")
}

fn provenance_file() -> PathBuf {
    folder().join("provenance.toml")
}
