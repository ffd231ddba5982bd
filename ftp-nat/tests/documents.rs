//! The configurations that the documents show are good ones.

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
