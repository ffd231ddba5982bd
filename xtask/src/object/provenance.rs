//! The text beside the committed object: who made it, from what.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use super::builder::Versions;

/// Contents of `provenance.toml`.
pub struct Provenance {
    /// Who built the object.
    pub builder: Versions,
    /// Digest of its sources.
    pub sources: String,
    /// Digest of the object itself.
    pub object: String,
}

impl Provenance {
    /// Writes the text.
    pub fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, self.to_text()).with_context(|| format!("can't write {}", path.display()))
    }

    /// Reads the text.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| {
            format!(
                "can't read {}: run `cargo xtask object` to make it",
                path.display()
            )
        })?;
        Self::from_text(&text).with_context(|| format!("in {}", path.display()))
    }

    fn to_text(&self) -> String {
        format!(
            "# Written by `cargo xtask object`, checked by `cargo xtask object --check`.\n\
             rustc = \"{}\"\n\
             bpf-linker = \"{}\"\n\
             llvm = \"{}\"\n\
             sources-sha256 = \"{}\"\n\
             object-sha256 = \"{}\"\n",
            self.builder.rustc, self.builder.linker, self.builder.llvm, self.sources, self.object
        )
    }

    /// Understands the one form that [`Self::to_text`] writes: `key = "value"` lines.
    fn from_text(text: &str) -> Result<Self> {
        let value = |key: &str| {
            text.lines()
                .filter_map(|line| line.split_once('='))
                .find(|(name, _)| name.trim() == key)
                .map(|(_, value)| value.trim().trim_matches('"').to_owned())
                .with_context(|| format!("there is no `{key} = \"...\"`"))
        };
        Ok(Self {
            builder: Versions {
                rustc: value("rustc")?,
                linker: value("bpf-linker")?,
                llvm: value("llvm")?,
            },
            sources: value("sources-sha256")?,
            object: value("object-sha256")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Provenance {
        Provenance {
            builder: Versions {
                rustc: "rustc 1.96.0 (abc 2026-05-25)".to_owned(),
                linker: "0.13.0".to_owned(),
                llvm: "22.1.8".to_owned(),
            },
            sources: "aa".to_owned(),
            object: "bb".to_owned(),
        }
    }

    #[test]
    fn what_was_written_is_read_back() {
        let made = sample();
        let read = Provenance::from_text(&made.to_text()).unwrap();
        assert!(read.builder == made.builder);
        assert_eq!((read.sources, read.object), (made.sources, made.object));
    }

    #[test]
    fn a_missing_line_is_named() {
        let text = sample().to_text().replace("llvm", "lvm");
        let error = Provenance::from_text(&text).err().unwrap();
        assert!(error.to_string().contains("llvm"), "{error}");
    }

    #[test]
    fn another_builder_is_named() {
        let committed = sample().builder;
        let mut here = committed.clone();
        assert!(committed.differences(&here).is_empty());
        here.linker = "0.14.0".to_owned();
        assert_eq!(
            committed.differences(&here),
            ["bpf-linker 0.13.0, here it is bpf-linker 0.14.0"]
        );
    }
}
