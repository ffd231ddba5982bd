//! The files, folders and modules that are named, and those that there are.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::read;
use crate::workspace::root;

/// Folders that hold what was made here.
const MADE: [&str; 5] = [".git", "target", "corpus", "artifacts", "node_modules"];

/// Every file and folder below a folder, as paths from the project's root.
fn below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default();
        if MADE.iter().any(|made| name == *made) {
            continue;
        }
        if path.is_dir() {
            found.extend(below(&path));
        }
        found.extend(path.strip_prefix(root()).map(Path::to_path_buf));
    }
    found
}

/// The README and all pages, with their texts.
pub(super) fn pages() -> Vec<(PathBuf, String)> {
    let pages = below(&root().join("docs"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "md"));
    let pages: Vec<_> = std::iter::once(PathBuf::from("README.md"))
        .chain(pages)
        .map(|path| {
            let text = fs::read_to_string(root().join(&path)).unwrap_or_default();
            (path, text)
        })
        .collect();
    assert!(pages.len() > 15, "only {} pages", pages.len());
    pages
}

/// What stands between backticks outside of blocks.
pub(super) fn spans(text: &str) -> impl Iterator<Item = &str> {
    let outside = text.split("```").step_by(2);
    outside.flat_map(|part| part.split('`').skip(1).step_by(2))
}

/// Whether a span is the name of a file or a folder of the project.
fn names_a_file(span: &str) -> bool {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    let (top, _) = span.split_once('/').unwrap_or((span, ""));
    let tops = [
        "dist",
        "docs",
        "ftp-nat",
        "ftp-nat-common",
        "ftp-nat-ebpf",
        "fuzz",
        "tests",
        "xtask",
    ];
    let endings = [".rs", ".md", ".sh", ".py", ".toml"];
    let is_name = endings.iter().any(|end| span.ends_with(end))
        || (span.contains('/') && tops.contains(&top));
    // One that the reader is to make, and what a run leaves.
    let is_made =
        span.contains("NAME") || MADE.iter().any(|made| span.split('/').any(|p| p == *made));
    span.chars().all(is_path) && !span.starts_with('/') && is_name && !is_made
}

#[test]
fn every_file_that_a_page_names_exists() {
    let all = below(root());
    let mut missing = Vec::new();
    let mut found = 0;
    for (page, text) in pages() {
        for span in spans(&text).filter(|span| names_a_file(span)) {
            if all.iter().any(|path| path.ends_with(span)) {
                found += 1;
            } else {
                missing.push(format!("{}: `{span}`", page.display()));
            }
        }
        let folder = root().join(&page);
        let folder = folder.parent().unwrap_or(root());
        for link in text.split("](").skip(1) {
            let link = link.split([')', '#']).next().unwrap_or_default();
            if !link.is_empty() && !link.contains("://") && !folder.join(link).exists() {
                missing.push(format!("{}: ({link})", page.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(found > 20, "only {found} files are named");
}

/// The names in the first column of the table with this head.
fn first_column<'a>(text: &'a str, head: &str) -> Vec<&'a str> {
    let lines = text.lines().skip_while(|line| *line != head).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.trim_start_matches('|').split('|').next().unwrap_or(""));
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect()
}

/// What a folder of tests has, without its own helpers.
fn modules(folder: &Path, helpers: &[&str]) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return BTreeSet::new();
    };
    let names = entries.flatten().map(|e| e.path());
    let names = names.filter_map(|path| path.file_stem()?.to_str().map(str::to_owned));
    names
        .filter(|name| !helpers.contains(&name.as_str()))
        .collect()
}

#[test]
fn the_tables_of_tests_have_the_files_that_there_are() {
    let text = super::document("testing.md");
    let (lab, guest) = text
        .split_once("### The virtual machine")
        .expect("a chapter on the virtual machine");
    let spans: Vec<_> = spans(lab).collect();
    for (chapter, folder, helpers) in [
        (lab, "tests/tests/lab", &["main", "support", "busy"][..]),
        (guest, "tests/tests/guest", &["main", "site"]),
    ] {
        let folder = root().join(folder);
        let named = first_column(chapter, "| file | shows |");
        assert!(named.len() >= 3, "{named:?}");
        let mut inner = String::new();
        for name in &named {
            let exists = |name: &str| {
                folder.join(format!("{name}.rs")).exists() || folder.join(name).is_dir()
            };
            // A name behind another one is of the same folder.
            let beside = format!("{inner}{name}");
            assert!(exists(name) || exists(&beside), "there is no {name}");
            if let Some((folder, _)) = name.split_once('/') {
                inner = format!("{folder}/");
            }
        }
        for module in modules(&folder, helpers) {
            let is_named = |name: &&str| {
                let name = name.trim_end_matches('/');
                name == module || name.starts_with(&format!("{module}/"))
            };
            assert!(
                named.iter().any(is_named) || spans.iter().any(is_named),
                "{module} is not in the table"
            );
        }
    }
}

/// The modules that a file declares, each by a file of its own, and whether for
/// tests alone.
fn declared(text: &str) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    let mut for_tests = false;
    for line in text.lines() {
        let word = line.split("mod ").nth(1).and_then(|w| w.strip_suffix(';'));
        let is_head = line.starts_with("mod ") || line.starts_with("pub");
        if let Some(name) = word.filter(|_| is_head) {
            found.push((name, for_tests));
        }
        for_tests = line.contains("cfg(test)") || (for_tests && line.starts_with("#["));
    }
    found
}

#[test]
fn the_tables_of_modules_have_the_modules_that_there_are() {
    let mut wrong = Vec::new();
    let mut tables = 0;
    for path in below(root()) {
        if path.extension().is_none_or(|e| e != "rs") {
            continue;
        }
        let text = read(&root().join(&path));
        let head: String = text
            .lines()
            .map_while(|line| line.strip_prefix("//!"))
            .map(|line| format!("{}\n", line.trim()))
            .collect();
        let mut lines = head.lines();
        let heads = lines.find(|l| l.starts_with("| module |") || l.starts_with("| file |"));
        let Some(line) = heads else { continue };
        tables += 1;
        let named: BTreeSet<_> = first_column(&head, line).into_iter().collect();
        let inline: Vec<_> = text
            .lines()
            .filter_map(|l| {
                l.trim_start_matches("pub ")
                    .strip_prefix("mod ")?
                    .strip_suffix(" {")
            })
            .collect();
        let declared = declared(&text);
        let is_there = |name: &str| declared.iter().any(|d| d.0 == name) || inline.contains(&name);
        wrong.extend(
            named
                .iter()
                .filter(|name| !is_there(name))
                .map(|name| format!("{}: there is no {name}", path.display())),
        );
        wrong.extend(
            declared
                .iter()
                .filter(|(name, for_tests)| !for_tests && !named.contains(name))
                .map(|(name, _)| format!("{}: {name} is missing", path.display())),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(tables > 20, "only {tables} tables");
}

#[test]
fn the_architecture_has_every_map_and_every_program() {
    let architecture = super::document("architecture.md");
    let layout = read(&root().join("ftp-nat-common/src/layout.rs"));
    let maps = layout.split("pub mod map {").nth(1).unwrap_or_default();
    let maps = maps.split("\n}").next().unwrap_or_default();
    let names = maps.split(": &str = \"").skip(1);
    let programs = layout.split("\"ftp_nat_").skip(1);
    let quoted = |text: &'static str| {
        move |rest: &str| format!("`{text}{}`", rest.split('"').next().unwrap_or_default())
    };
    let all: BTreeSet<_> = names
        .map(quoted(""))
        .chain(programs.map(quoted("ftp_nat_")))
        .collect();
    assert!(all.len() > 25, "{all:?}");
    let rows: Vec<_> = architecture
        .lines()
        .filter(|l| l.starts_with("| `"))
        .collect();
    let missing: Vec<_> = all
        .iter()
        .filter(|name| !rows.iter().any(|row| row.contains(name.as_str())))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
