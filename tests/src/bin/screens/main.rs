//! Makes `docs/screens.md` of real runs: `demo`, `explain` and `top` as they look.

mod svg;

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use ftp_nat_tests::lab::{
    Lab,
    control::{Control, accept},
    process::checked,
    pty::Terminal,
    wait,
};

/// Makes `docs/screens.md`, and the pictures beside it, of real runs in network
/// namespaces. Needs root.
#[derive(Debug, Parser)]
struct Options {
    /// The ftp-nat program to show
    #[arg(long, value_name = "PATH")]
    ftp_nat: PathBuf,
    /// The demo
    #[arg(long, value_name = "PATH")]
    demo: PathBuf,
    /// The folder of the documents
    #[arg(long, value_name = "DIR")]
    docs: PathBuf,
}

const HEAD: &str = "\
# Screens

Of real runs, in the network namespaces of the demo: a client 10.10.0.1 behind a gateway that masquerades as
61.144.1.2, a server 61.144.1.100. `cargo xtask screens` makes this page anew.
";

fn main() -> Result<()> {
    let options = Options::parse();
    let mut page = HEAD.to_owned();
    let demo = checked(
        Command::new(&options.demo)
            .arg("--ftp-nat")
            .arg(&options.ftp_nat),
    )?;
    section(&mut page, "demo", "`cargo xtask demo`", &demo);
    let [list, ladder, explained] = top(&options)?;
    let pictures = options.docs.join("screens");
    fs::create_dir_all(&pictures)?;
    for (name, what, shown) in [
        ("top", "`ftp-nat top`, with a download that goes on", &list),
        (
            "ladder",
            "`enter` in it, on a session that has a problem",
            &ladder,
        ),
        (
            "explain",
            "`ftp-nat explain` of the same session",
            &explained,
        ),
    ] {
        fs::write(pictures.join(format!("{name}.svg")), svg::of(shown))?;
        section(&mut page, name, what, &shown.contents());
        page.push_str(&format!("\n![the same in colours](screens/{name}.svg)\n"));
    }
    let path = options.docs.join("screens.md");
    write(&path, &page)
}

fn write(path: &Path, page: &str) -> Result<()> {
    fs::write(path, page).with_context(|| format!("writing {}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}

fn section(page: &mut String, name: &str, what: &str, text: &str) {
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    let text = lines.join("\n");
    page.push_str(&format!(
        "\n## {name}\n\n{what}:\n\n```text\n{}\n```\n",
        text.trim_end()
    ));
}

/// The list, a ladder in it, and the same ladder by `explain`.
fn top(options: &Options) -> Result<[vt100::Screen; 3]> {
    let lab = Lab::masquerade()?;
    let server = lab.server.vsftpd().start()?;
    let ftp_nat = lab.ftp_nat().program(&options.ftp_nat).start()?;
    server.publish_random("large", 1, 60_000_000)?;
    server.publish("small", "some text")?;
    let target = lab.reach(&server);
    let log_in = || lab.client.log_in(&target);

    let mut passive = log_in()?;
    passive.retrieve_passive("small")?;
    let mut refused = log_in()?;
    refused.say("PORT 192,168,7,7,195,82")?;
    let mut active = log_in()?;
    active.retrieve_active(0, "small")?;
    let reader = slowly(&mut active)?;

    let mut top = ftp_nat.on_terminal(&["top"], 80, 24)?;
    // The screen and its curves have been filled for some readings.
    let curve = "\u{2588}";
    top.until(&["foreign address", "works", curve])?;
    wait::until_true("a curve", wait::PATIENCE, || {
        let down = top
            .text()
            .lines()
            .find(|l| l.contains("Down"))
            .map(str::to_owned);
        let letters = down.map_or(0, |l| {
            l.chars().rev().take_while(|c| *c > '\u{2580}').count()
        });
        Ok(letters >= 6)
    })?;
    let list = top.screen();
    // The one that comes first among those with a problem.
    top.keys("s\r")?;
    top.until(&["PROBLEM:"])?;
    let ladder = top.screen();
    let name = name_in(&top)?;
    top.keys("Q")?;
    ensure!(top.until_ended()?.success());
    let mut command = lab.gateway.command(&options.ftp_nat);
    command.args(["explain", &name, "--pin-path"]);
    command.arg(ftp_nat.pin_path());
    let explain = Terminal::blank(command, 98, 28)?;
    explain.until(&["PROBLEM:", "- The server then answered"])?;
    let explained = explain.screen();
    drop(reader.join());
    drop((passive, refused));
    Ok([list, ladder, explained])
}

fn name_in(top: &Terminal) -> Result<String> {
    let text = top.text();
    let found = text
        .lines()
        .find_map(|line| line.split_once("ftp-nat explain "));
    let name = found.and_then(|(_, rest)| rest.split(' ').next());
    Ok(name.context("no session is looked at")?.to_owned())
}

/// A download that a reader takes its time for, as over a slow line.
fn slowly(control: &mut Control) -> Result<thread::JoinHandle<()>> {
    let listener = control.listen(0)?;
    control.announce(listener.local_addr()?.port())?;
    control.send("RETR large")?;
    let (mut data, _) = accept(&listener)?;
    control.expect_reply(150)?;
    Ok(thread::spawn(move || {
        let mut bytes = vec![0; 20_000];
        while let Ok(1..) = data.read(&mut bytes) {
            // Some two megabytes in a second.
            thread::sleep(Duration::from_millis(10));
        }
    }))
}
