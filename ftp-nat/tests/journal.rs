//! What the log looks like where stderr is the journal's.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    process::Command,
};

/// Names an interface that isn't there.
const DOUBTFUL: &str = "wan = 'nowhere7'\n";
/// Can't be.
const WRONG: &str = "wna = 'nowhere7'\n";

/// Whether `config check` likes a file, and what it says on stderr, given the
/// value of `JOURNAL_STREAM` for the stderr it gets.
fn said(name: &str, text: &str, stream: impl Fn(u64, u64) -> String) -> io::Result<(bool, String)> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (file, log) = (
        folder.join(format!("{name}.toml")),
        folder.join(format!("{name}.log")),
    );
    fs::write(&file, text)?;
    let stderr = File::create(&log)?;
    let meta = stderr.metadata()?;
    let status = Command::new(env!("CARGO_BIN_EXE_ftp-nat"))
        .args(["config", "check"])
        .arg(&file)
        .env("JOURNAL_STREAM", stream(meta.dev(), meta.ino()))
        .env_remove("RUST_LOG")
        .stderr(stderr)
        .status()?;
    Ok((status.success(), fs::read_to_string(log)?))
}

#[test]
fn a_line_for_the_journal_begins_with_its_priority() {
    let journal = |device, inode| format!("{device}:{inode}");
    let (good, text) = said("journal", DOUBTFUL, journal).unwrap();
    assert!(
        good && text.starts_with("<4>") && text.contains("nowhere7"),
        "{text}"
    );
    assert!(!text.contains("WARN"), "the priority says it: {text}");
    let (good, text) = said("wrong", WRONG, journal).unwrap();
    assert!(!good && text.starts_with("<3>ftp-nat: "), "{text}");
}

#[test]
fn a_line_for_anything_else_has_its_level_in_words() {
    let other = |device, inode: u64| format!("{device}:{}", inode + 1);
    let (good, text) = said("other", DOUBTFUL, other).unwrap();
    assert!(
        good && text.contains("WARN") && text.contains("nowhere7"),
        "{text}"
    );
    assert!(!text.contains("<4>"), "{text}");
}
