//! The initial file system: what it takes to reach the host's files.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{process, setup::Kernel, workspace};

/// The first program.
const INIT: &str = include_str!("init.sh");

/// Modules that are needed before the host's files can be seen.
const MODULES: [&str; 4] = ["virtio_pci", "9pnet_virtio", "9p", "overlay"];

/// Makes the image, in which the shell script `job` is run at the end.
pub fn make(kernel: &Kernel, job: &str) -> Result<PathBuf> {
    let folder = workspace::machine().join("image");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    for name in [
        "bin", "dev", "host", "memory", "modules", "proc", "root", "sys",
    ] {
        fs::create_dir_all(folder.join(name))?;
    }
    let busybox = workspace::machine().join("busybox/bin/busybox");
    fs::copy(&busybox, folder.join("bin/busybox"))
        .with_context(|| format!("can't copy {}", busybox.display()))?;
    let index = fs::read_to_string(kernel.modules.join("modules.dep"))?;
    for (n, module) in in_order(&index, &MODULES)?.into_iter().enumerate() {
        let name = Path::new(module).file_name().unwrap_or_default();
        // Numbered, so that a shell's `*` gives them in order.
        let to = format!("modules/{n:02}-{}", name.to_string_lossy());
        fs::copy(kernel.modules.join(module), folder.join(to))?;
    }
    fs::write(folder.join("job"), job)?;
    let init = folder.join("init");
    fs::write(&init, INIT)?;
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755))?;

    let image = folder.with_extension("cpio");
    process::output(
        Command::new("sh")
            .args(["-c", "find . | \"$0\" cpio -o -H newc >\"$1\""])
            .arg(&busybox)
            .arg(&image)
            .current_dir(&folder),
    )?;
    Ok(image)
}

/// The files of `wanted` modules, each behind those it depends on, by the
/// kernel's `modules.dep`.
fn in_order<'a>(index: &'a str, wanted: &[&str]) -> Result<Vec<&'a str>> {
    let entry = |is_it: &dyn Fn(&str) -> bool| {
        index
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(file, _)| is_it(file))
    };
    let mut order: Vec<&str> = Vec::new();
    for name in wanted {
        let suffix = format!("/{name}.ko");
        let Some((file, needs)) = entry(&|file| file.ends_with(&suffix)) else {
            bail!("the kernel has no module {name}");
        };
        // depmod names all that a module needs, the deepest last.
        for module in needs.split_whitespace().rev().chain([file]) {
            if !order.contains(&module) {
                order.push(module);
            }
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "kernel/fs/9p/9p.ko: kernel/fs/fscache.ko kernel/fs/netfs.ko kernel/net/9pnet.ko\n\
                         kernel/net/9pnet.ko:\n\
                         kernel/net/9pnet_virtio.ko: kernel/net/9pnet.ko kernel/virtio.ko\n";

    #[test]
    fn a_module_comes_after_what_it_needs_and_once() {
        let order = in_order(INDEX, &["9p", "9pnet_virtio"]).unwrap();
        let names: Vec<_> = order
            .iter()
            .map(|m| m.rsplit('/').next().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "9pnet.ko",
                "netfs.ko",
                "fscache.ko",
                "9p.ko",
                "virtio.ko",
                "9pnet_virtio.ko"
            ]
        );
    }

    #[test]
    fn a_module_that_is_missing_is_named() {
        let error = in_order(INDEX, &["overlay"]).unwrap_err().to_string();
        assert!(error.contains("overlay"), "{error}");
    }
}
