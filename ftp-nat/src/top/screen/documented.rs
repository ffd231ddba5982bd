//! The screens in the guide are those of the snapshots.

use std::{fs, path::Path};

/// Set to anything, this test writes the document instead of comparing it.
const UPDATE: &str = "FTP_NAT_UPDATE_DOCS";

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guides/watching.md");

/// What a snapshot shows.
fn snapshot(name: &str) -> String {
    let file = format!("src/top/screen/snapshots/ftp_nat__top__screen__tests__{name}.snap");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    // Behind a head between two rules.
    let body = text.splitn(3, "---\n").nth(2);
    body.unwrap_or_else(|| panic!("no snapshot: {text}"))
        .trim_end()
        .to_owned()
}

#[test]
fn the_screens_of_the_guide_are_those_of_the_snapshots() {
    let written = fs::read_to_string(DOCUMENT).unwrap();
    let mut parts = written.split("<!-- top: ");
    let mut text = parts.next().unwrap().to_owned();
    let mut count = 0;
    for part in parts {
        let (name, rest) = part.split_once(" -->\n```text\n").unwrap();
        // The block's end, be it empty.
        let end = rest.find("```\n").unwrap();
        let screen = snapshot(name);
        text.push_str(&format!(
            "<!-- top: {name} -->\n```text\n{screen}\n{}",
            &rest[end..]
        ));
        count += 1;
    }
    assert!(count >= 5, "only {count} screens");
    if std::env::var_os(UPDATE).is_some() {
        fs::write(DOCUMENT, &text).unwrap();
    }
    let written = fs::read_to_string(DOCUMENT).unwrap();
    assert!(
        written == text,
        "docs/guides/watching.md has other screens than the snapshots; write it anew: \
         FTP_NAT_UPDATE_DOCS=1 cargo test -p ftp-nat --lib documented"
    );
}

/// Addresses and times of real runs differ each time; headings, keys and verdicts
/// don't.
#[test]
fn the_screens_of_real_runs_are_of_this_program() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/screens.md");
    let page = fs::read_to_string(page).unwrap();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = page.lines().map(words).collect();
    for (name, numbers) in [
        ("sessions_80x24", [5, 23].as_slice()),
        ("ladder_of_a_refusal_80x24", &[23]),
    ] {
        let screen = snapshot(name);
        for number in numbers {
            let line = words(screen.lines().nth(*number).unwrap());
            assert!(
                lines.contains(&line),
                "docs/screens.md has no `{line}`: make it anew by `cargo xtask screens`"
            );
        }
    }
}
