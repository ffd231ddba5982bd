//! From the sources to a stripped object that is the same in every folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::builder::{Builder, Compiler};
use crate::{process, workspace};

const TARGET: &str = "bpfel-unknown-none";

/// Builds in our cache and gives the place of the result.
pub fn build(builder: &Builder) -> Result<PathBuf> {
    let (name, build_core): (&str, &[&str]) = match &builder.compiler {
        Compiler::Debian => ("debian", &[]),
        Compiler::Rustup { name, .. } => (name, &["-Z", "build-std=core"]),
    };
    let folder = workspace::cache().join("ebpf").join(name);
    eprintln!("building the eBPF object with {}", builder.versions.rustc);
    process::run(
        builder
            .cargo()
            .args(["build", "--release", "--locked", "--target", TARGET])
            .args(build_core)
            .arg("--target-dir")
            .arg(&folder)
            .current_dir(workspace::ebpf_crate())
            .env(
                "RUSTC_WRAPPER",
                Path::new(env!("CARGO_MANIFEST_DIR")).join("stable-rustc"),
            )
            // Encoded, so that a path may have a space in it. It also outranks a user's own flags.
            .env("CARGO_ENCODED_RUSTFLAGS", flags(builder)?.join("\x1f")),
    )
    .context("the eBPF programs don't build")?;
    let linked = folder.join(TARGET).join("release/ftp-nat-ebpf");
    let object = folder.join("ftp-nat.bpf.o");
    // Debug info names folders and is of no use to the kernel. BTF stays.
    process::run(
        Command::new("llvm-objcopy-22")
            .arg("--strip-debug")
            .arg(&linked)
            .arg(&object),
    )?;
    fs::metadata(&object).with_context(|| format!("there is no {}", object.display()))?;
    Ok(object)
}

fn flags(builder: &Builder) -> Result<Vec<String>> {
    let mut flags = vec![
        // Of use to probes with pt_regs only, but aya-ebpf wants one; fixed, so
        // that every machine builds the same object.
        "--cfg=bpf_target_arch=\"x86_64\"".to_owned(),
        // 32-bit arithmetic, without which the verifier loses bounds, and atomics.
        "-Ctarget-cpu=v3".to_owned(),
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        format!("-Clinker={}", builder.linker.display()),
    ];
    // Messages keep the true paths.
    flags.push("--remap-path-scope=object".to_owned());
    for (folder, name) in packages(builder)? {
        flags.push(format!("--remap-path-prefix={folder}=/{name}"));
    }
    if let Compiler::Rustup { library, .. } = &builder.compiler {
        flags.push(format!("--remap-path-prefix={}=/rust", library.display()));
    }
    Ok(flags)
}

/// Folder and neutral name of every package in the build: paths end up in the
/// object, and neither the checkout's place nor that of cargo's registry may.
fn packages(builder: &Builder) -> Result<Vec<(String, String)>> {
    let text = process::output(
        builder
            .cargo()
            .args(["metadata", "--locked", "--format-version", "1"])
            .current_dir(workspace::ebpf_crate()),
    )?;
    let metadata: serde_json::Value = serde_json::from_str(&text).context("cargo metadata")?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata has no packages")?;
    packages
        .iter()
        .map(|package| {
            let field = |name: &str| {
                package[name]
                    .as_str()
                    .with_context(|| format!("cargo metadata: a package has no {name}"))
            };
            let folder = Path::new(field("manifest_path")?)
                .parent()
                .context("a manifest lies in no folder")?;
            Ok((
                folder.display().to_string(),
                format!("{}-{}", field("name")?, field("version")?),
            ))
        })
        .collect()
}
