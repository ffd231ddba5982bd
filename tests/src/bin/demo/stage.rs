//! How the demo looks.

use std::{
    env,
    io::{self, IsTerminal as _},
    path::Path,
    process::Command,
};

use anyhow::{Result, ensure};
use ftp_nat_tests::{
    lab::{
        Lab,
        capture::Sides,
        cleanup::{BPFFS, NETNS_DIR, folder},
    },
    ladder,
};

/// Where the demo prints.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    color: bool,
    width: usize,
}

impl Stage {
    /// Standard output as it is.
    pub fn new() -> Self {
        let terminal = io::stdout().is_terminal();
        let color = terminal && env::var_os("NO_COLOR").is_none();
        Self {
            color,
            width: if terminal { terminal_width() } else { 100 },
        }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.color {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// The opening of the demo.
    pub fn overture(self, lab: &Lab) {
        println!("{}", self.paint("1", "FTP through a NAT gateway"));
        self.name(lab);
        println!(
            "
  client              gateway                            server
  10.10.0.1 --------- 10.10.0.254 | 61.144.1.2 --------- 61.144.1.100
                      masquerades; drops what is new from outside

  Below: what one end said on the left or right, and what reached the other.
  [*] marks what the gateway changed on its way, X what was lost."
        );
    }

    /// What a lab is called, for whoever wants to look inside from elsewhere.
    pub fn name(self, lab: &Lab) {
        println!("lab: {}", lab.net().name());
    }

    /// The headline of an act.
    pub fn act(self, number: u32, title: &str) {
        println!("\n{}", self.paint("1", &format!("{number}. {title}")));
    }

    /// A command as a person would type it.
    pub fn command(self, host: &str, line: &str) {
        println!("   {host}# {line}");
    }

    /// A remark.
    pub fn say(self, text: &str) {
        println!("   {text}");
    }

    /// Something that was as it should be.
    pub fn good(self, text: &str) {
        println!("   {} {text}", self.paint("1;32", "ok:"));
    }

    /// A failure that was to be shown.
    pub fn expected_failure(self, text: &str) {
        println!("   {} {text}", self.paint("1;31", "failed, as it must:"));
    }

    /// What was said on both sides.
    pub fn ladder(self, sides: &Sides, port: u16, client: &str, server: &str) -> Result<()> {
        let ladder = ladder::of(sides, port, client, server)?;
        println!("\n{}", ladder.color(self.color).fit(self.width));
        Ok(())
    }

    /// How a person gets into the lab.
    pub fn how_to_enter(self, lab: &Lab) {
        self.name(lab);
        for host in [&lab.client, &lab.gateway, &lab.server] {
            println!(
                "  {:<8} nsenter --net={NETNS_DIR}/{}",
                host.name(),
                host.netns()
            );
        }
        println!("  pins     {}", lab.net().pin_path().display());
        println!("  files    {}", lab.net().dir().display());
    }

    /// A shell in the gateway, until it is left.
    pub fn shell(self, lab: &Lab) -> Result<()> {
        println!();
        self.how_to_enter(lab);
        println!("This is the gateway. `exit` removes the lab.");
        let shell = env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
        let mut command: Command = lab.gateway.command(shell);
        // How it ends is the person's business.
        let _ = command.env("PS1", "gateway# ").status()?;
        Ok(())
    }

    /// That nothing is left.
    pub fn farewell(self, lab: &str) -> Result<()> {
        let namespaces = std::fs::read_dir(NETNS_DIR).into_iter().flatten().flatten();
        let left = namespaces
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(lab))
            .map(|entry| entry.path())
            .chain(
                [folder(lab), Path::new(BPFFS).join(lab)]
                    .into_iter()
                    .filter(|p| p.exists()),
            )
            .collect::<Vec<_>>();
        ensure!(left.is_empty(), "left behind: {left:?}");
        println!();
        self.good("all of it shown; namespaces, pins, processes and files are gone again");
        Ok(())
    }
}

fn terminal_width() -> usize {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ writes one winsize, and `size` is one.
    let done = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    if done == 0 && size.ws_col > 0 {
        usize::from(size.ws_col)
    } else {
        100
    }
}
