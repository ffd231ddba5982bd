//! What `config check` says of files that can't be good anywhere, and how it is told of one.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// Whether it likes a file that is named by `words`, and what it says.
fn said(
    name: &str,
    text: &str,
    words: impl Fn(&Path) -> Vec<OsString>,
) -> io::Result<(bool, String)> {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.toml"));
    fs::write(&file, text)?;
    let output = Command::new(env!("CARGO_BIN_EXE_ftp-nat"))
        .args(["config", "check"])
        .args(words(&file))
        .output()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok((output.status.success(), text))
}

fn alone(file: &Path) -> Vec<OsString> {
    vec![file.into()]
}

#[test]
fn an_interface_is_named_once() {
    let (good, text) = said("both", "wan = 'a0'\nlan = ['b0', 'a0']\n", alone).unwrap();
    assert!(
        !good && text.contains("a0 is named as --wan and as --lan"),
        "{text}"
    );
    assert!(text.contains("both.toml"), "{text}");
    let (good, text) = said("twice", "lan = ['b0', 'b0']\n", alone).unwrap();
    assert!(!good && text.contains("b0 is named twice"), "{text}");
    let (good, text) = said("once", "wan = 'a0'\nlan = ['b0']\n", alone).unwrap();
    assert!(good, "those of another machine: {text}");
}

#[test]
fn a_file_is_named_as_for_run_too() {
    let file = "wan = 'a0'\n";
    let option = |file: &Path| vec!["--config".into(), file.into()];
    let (good, text) = said("option", file, option).unwrap();
    assert!(
        good && text.contains("option.toml: good, 1 key set"),
        "{text}"
    );
    let twice = |file: &Path| [option(file), alone(file)].concat();
    let (good, text) = said("two", file, twice).unwrap();
    assert!(!good && text.contains("cannot be used with"), "{text}");
}
