//! Links of the documents in a package lead to what is in it too.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

/// Follows every relative link of every Markdown file below `root`.
pub fn follow(root: &Path) -> Result<()> {
    let mut documents = Vec::new();
    find(root, &mut documents)?;
    let (mut followed, mut broken) = (0, Vec::new());
    for document in &documents {
        let text = read(document)?;
        for link in links(&text) {
            followed += 1;
            if let Err(why) = lead(root, document, link) {
                let name = document.strip_prefix(root).unwrap_or(document);
                broken.push(format!("{}: {link}: {why}", name.display()));
            }
        }
    }
    ensure!(broken.is_empty(), "{}", broken.join("\n"));
    ensure!(followed > 40, "only {followed} links in {documents:?}");
    Ok(())
}

fn find(folder: &Path, documents: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, documents)?;
        } else if path.extension().is_some_and(|e| e == "md") {
            documents.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))
}

/// The lines that are no code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// What links and images lead to, but for what is elsewhere on the net.
fn links(text: &str) -> Vec<&str> {
    prose(text)
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| Some(rest.split_once(')')?.0))
        .filter(|link| !link.contains("://") && !link.starts_with("mailto:"))
        .collect()
}

/// Fails where a link of a document leads nowhere, or out of `root`.
fn lead(root: &Path, document: &Path, link: &str) -> Result<()> {
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() {
        document.to_owned()
    } else {
        document.parent().context("no folder")?.join(path)
    };
    let target = target.canonicalize().context("no such file")?;
    ensure!(target.starts_with(root.canonicalize()?), "is elsewhere");
    ensure!(
        heading.is_empty() || headings(&read(&target)?).any(|h| h == heading),
        "no such heading"
    );
    Ok(())
}

/// The headings, as links name them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    prose(text)
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = |c: &char| c.is_alphanumeric() || "-_ ".contains(*c);
            title.chars().filter(kept).collect::<String>()
        })
        .map(|title| title.replace(' ', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found() {
        let text = "See [a](a.md), [b](b.md#of-b) and\n![c](c/d.svg).\n\
            [net](https://example.org/x.md) [mail](mailto:a@example.org)\n\
            ```sh\n[no](code.md)\n```\n[own](#heading)\n";
        assert_eq!(links(text), ["a.md", "b.md#of-b", "c/d.svg", "#heading"]);
    }

    #[test]
    fn what_leads_nowhere_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("docs")).unwrap();
        fs::write(folder.path().join("outside.md"), "").unwrap();
        fs::write(root.join("a.md"), "# A\n## `b --json`, or c\n").unwrap();
        let document = root.join("docs/d.md");
        fs::write(&document, "# D\n").unwrap();
        let lead = |link| lead(&root, &document, link).map_err(|e| e.to_string());
        assert_eq!(lead("../a.md"), Ok(()));
        assert_eq!(lead("../a.md#b---json-or-c"), Ok(()));
        assert_eq!(lead("#d"), Ok(()));
        assert_eq!(lead("../a.md#b"), Err("no such heading".to_owned()));
        assert_eq!(lead("b.md"), Err("no such file".to_owned()));
        assert_eq!(lead("../../outside.md"), Err("is elsewhere".to_owned()));
    }
}
