//! The configurations and the commands that the documents show are good ones.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// All documents in a folder and below it.
fn documents(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(documents(&path)?);
        } else if path.extension().is_some_and(|e| e == "md") {
            found.push(path);
        }
    }
    Ok(found)
}

#[test]
fn every_configuration_is_good() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("document.toml");
    let mut checked = 0;
    for path in documents(&docs).unwrap() {
        let text = fs::read_to_string(&path).unwrap();
        for block in text.split("```").skip(1).step_by(2) {
            let Some(config) = block.strip_prefix("toml\n") else {
                continue;
            };
            // What belongs to a list is indented.
            let config: String = config.lines().map(|l| format!("{}\n", l.trim())).collect();
            fs::write(&file, &config).unwrap();
            let mut check = Command::new(env!("CARGO_BIN_EXE_ftp-nat"));
            let said = check.args(["config", "check"]).arg(&file).output().unwrap();
            let stderr = String::from_utf8_lossy(&said.stderr);
            assert!(
                said.status.success(),
                "{}: {stderr}\n{config}",
                path.display()
            );
            checked += 1;
        }
    }
    assert!(checked >= 4, "only {checked}");
}

/// The commands in a page's blocks, without what is said of them.
fn commands(text: &str) -> Vec<&str> {
    let blocks = text.split("```").skip(1).step_by(2);
    let lines = blocks.filter(|block| block.starts_with("sh"));
    let lines = lines.flat_map(|block| block.lines().skip(1));
    lines
        .map(|line| line.split(" #").next().unwrap_or(line).trim())
        .map(|line| line.strip_prefix("sudo ").unwrap_or(line))
        .filter(|line| line.starts_with("ftp-nat ") && !line.contains(['|', '\\']))
        .collect()
}

#[test]
fn every_command_is_understood() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = documents(&root.join("docs")).unwrap();
    pages.push(root.join("README.md"));
    let mut understood = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for command in commands(&text) {
            let words = command.split_whitespace();
            if let Err(e) = ftp_nat::cli::command().try_get_matches_from(words) {
                assert!(!e.use_stderr(), "{}: `{command}`: {e}", page.display());
            }
            understood += 1;
        }
    }
    assert!(understood > 20, "only {understood} commands");
}
