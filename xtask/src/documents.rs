//! What the documents say, compared with the sources.
//!
//! | module | compares |
//! |---|---|
//! | [`commands`] | commands of xtask |
//! | [`files`] | files, folders and modules |
//!
//! Here: the tests that they name.

mod commands;
mod files;

use std::{fs, path::Path};

use crate::workspace::root;

/// Where the tests of a place are, as `docs/protocol.md` explains it.
fn sources(place: &str) -> Option<&'static str> {
    Some(match place {
        "line" => "ftp-nat-common/src/line/tests.rs",
        "requests" => "ftp-nat-common/src/line/requests.rs",
        "verbs" => "ftp-nat-common/src/line/verbs.rs",
        "tls" => "ftp-nat-common/src/line/tls.rs",
        "text" => "ftp-nat-common/src/line/text.rs",
        "tcp" => "ftp-nat-common/src/tcp.rs",
        "seq" => "ftp-nat-common/src/seq.rs",
        "unannounced" => "ftp-nat-common/src/unannounced.rs",
        "translation" => "ftp-nat-common/src/translation",
        "position" => "ftp-nat-common/src/stream/position/tests.rs",
        "pending" => "ftp-nat-common/src/stream/pending.rs",
        "model" => "ftp-nat-common/tests/stream_model",
        "packet" => "tests/tests/packet",
        "lab" => "tests/tests/lab",
        "guest" => "tests/tests/guest",
        "conflicts" => "ftp-nat/src/conflicts",
        "sweep" => "ftp-nat/src/daemon/sweep",
        _ => return None,
    })
}

/// All Rust text of a file or a folder.
fn read(path: &Path) -> String {
    if path.is_file() {
        return fs::read_to_string(path).unwrap_or_default();
    }
    let Ok(entries) = fs::read_dir(path) else {
        return String::new();
    };
    let inner = entries.flatten().map(|entry| entry.path());
    inner
        .filter(|path| path.is_dir() || path.extension().is_some_and(|e| e == "rs"))
        .map(|path| read(&path))
        .collect()
}

/// What stands between backticks and has the form `place: name`.
fn links(text: &str) -> Vec<(&str, &str)> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|code| code.split_once(": "))
        .filter(|(place, name)| {
            let word = |s: &str| s.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric());
            word(place) && word(name) && !name.is_empty()
        })
        .collect()
}

/// The cases of `docs/protocol.md` that a text refers to: C01, C02.
fn cases(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|w| {
        w.len() == 3 && w.starts_with('C') && w[1..].bytes().all(|b| b.is_ascii_digit())
    })
}

fn document(name: &str) -> String {
    let text = read(&root().join("docs").join(name));
    assert!(!text.is_empty(), "docs/{name} can't be read");
    text
}

#[test]
fn every_test_that_the_documents_name_exists() {
    let mut missing = Vec::new();
    let mut found = 0;
    for name in ["protocol.md", "rfc-compliance.md", "security.md"] {
        for (place, test) in links(&document(name)) {
            let source = sources(place).map(|s| read(&root().join(s)));
            let head = format!("fn {test}()");
            match source {
                Some(text) if text.contains(&head) => found += 1,
                _ => missing.push(format!("docs/{name}: `{place}: {test}`")),
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(found > 80, "only {found} tests are named");
}

#[test]
fn every_requirement_that_is_met_names_a_test_or_a_case() {
    let protocol = document("protocol.md");
    let compliance = document("rfc-compliance.md");
    let mut without = Vec::new();
    for row in compliance.lines().filter(|line| line.starts_with('|')) {
        let state = row.trim_end_matches('|').rsplit('|').next().unwrap_or("");
        let state = state.trim();
        let case_exists = cases(state).any(|c| protocol.contains(&format!("**{c} ")));
        let met = state.starts_with("done") || state.starts_with("partly");
        if met && !case_exists && links(state).is_empty() {
            without.push(row);
        }
    }
    assert!(without.is_empty(), "{without:#?}");
}

#[test]
fn every_case_that_is_done_names_a_test() {
    let protocol = document("protocol.md");
    let mut without = Vec::new();
    for case in protocol.split("\n**C").skip(1) {
        let case = case.split("\n## ").next().unwrap_or(case);
        let head = case.split("**").next().unwrap_or("");
        if head.contains("Done") && links(case).is_empty() {
            without.push(format!("C{head}"));
        }
    }
    assert!(without.is_empty(), "{without:#?}");
}

#[test]
fn every_attack_and_every_mishap_names_a_test() {
    let security = document("security.md");
    let rows = security.lines().filter(|line| line.starts_with("| "));
    // The heads of the tables name none.
    let heads = ["| attack |", "| what happens |", "| what |"];
    let rows = rows.filter(|row| !heads.iter().any(|head| row.starts_with(head)));
    let (named, without): (Vec<_>, Vec<_>) = rows.partition(|row| !links(row).is_empty());
    assert!(without.is_empty(), "{without:#?}");
    assert!(named.len() > 50, "only {} rows", named.len());
}
