//! What the log looks like where stderr is the journal's.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    process::Command,
};

/// What `config check` says on stderr of a file that names an interface which
/// isn't there, given the value of `JOURNAL_STREAM` for the stderr it gets.
fn said(name: &str, stream: impl Fn(u64, u64) -> String) -> io::Result<String> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (file, log) = (
        folder.join(format!("{name}.toml")),
        folder.join(format!("{name}.log")),
    );
    fs::write(&file, "wan = 'nowhere7'\n")?;
    let stderr = File::create(&log)?;
    let meta = stderr.metadata()?;
    let status = Command::new(env!("CARGO_BIN_EXE_ftp-nat"))
        .args(["config", "check"])
        .arg(&file)
        .env("JOURNAL_STREAM", stream(meta.dev(), meta.ino()))
        .env_remove("RUST_LOG")
        .stderr(stderr)
        .status()?;
    assert!(status.success());
    fs::read_to_string(log)
}

#[test]
fn a_line_for_the_journal_begins_with_its_priority() {
    let text = said("journal", |device, inode| format!("{device}:{inode}")).unwrap();
    assert!(
        text.starts_with("<4>") && text.contains("nowhere7"),
        "{text}"
    );
    assert!(!text.contains("WARN"), "the priority says it: {text}");
}

#[test]
fn a_line_for_anything_else_has_its_level_in_words() {
    let text = said("other", |device, inode| format!("{device}:{}", inode + 1)).unwrap();
    assert!(text.contains("WARN") && text.contains("nowhere7"), "{text}");
    assert!(!text.contains("<4>"), "{text}");
}
