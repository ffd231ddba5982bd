//! What is in an object: its size and the instructions of each program.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::process;

/// Bytes of one BPF instruction.
const INSTRUCTION: u64 = 8;

/// A few lines for people.
pub fn of(object: &Path) -> Result<String> {
    let size = fs::metadata(object)?.len();
    let json = process::output(
        Command::new("llvm-readelf-22")
            .args(["--elf-output-style=JSON", "--symbols"])
            .arg(object),
    )?;
    let mut text = String::new();
    writeln!(text, "{}: {size} bytes", file_name(object))?;
    let (mut count, mut total) = (0, 0);
    for function in functions(&json)? {
        if function.section == ".text" {
            count += 1;
            total += function.instructions;
        } else {
            writeln!(
                text,
                "  {:<24} {:>7} instructions",
                function.name, function.instructions
            )?;
        }
    }
    writeln!(
        text,
        "  {:<24} {total:>7} instructions",
        format!("{count} subprograms")
    )?;
    Ok(text)
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

struct Function {
    name: String,
    section: String,
    instructions: u64,
}

/// The functions in llvm-readelf's JSON.
fn functions(json: &str) -> Result<Vec<Function>> {
    let value: Value = serde_json::from_str(json).context("llvm-readelf's output is no JSON")?;
    let symbols = value[0]["Symbols"]
        .as_array()
        .context("llvm-readelf lists no symbols")?;
    Ok(symbols
        .iter()
        .map(|entry| &entry["Symbol"])
        .filter(|symbol| symbol["Type"]["Name"] == "Function")
        .map(|symbol| Function {
            name: text(&symbol["Name"]["Name"]),
            section: text(&symbol["Section"]["Name"]),
            instructions: symbol["Size"].as_u64().unwrap_or_default() / INSTRUCTION,
        })
        .collect())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
