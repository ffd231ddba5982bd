//! A program on a terminal of its own, whose screen can be read.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::{fs::OpenOptionsExt as _, process::CommandExt as _},
    },
    process::{Child, Command, ExitStatus},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use anyhow::{Context, Result, bail};
use nix::{
    fcntl::OFlag,
    pty::{Winsize, grantpt, posix_openpt, ptsname_r, unlockpt},
    sys::{
        signal::{Signal, kill},
        termios::{self, Termios},
    },
    unistd::Pid,
};
use vt100::Parser;

use super::{cleanup, wait};

/// What the terminal shows before the program starts.
pub const BEFORE: &str = "what was there before";

/// A terminal, and the program on it. The program is killed when this is dropped.
pub struct Terminal {
    child: Child,
    keyboard: File,
    /// Kept open, so that the settings stay when the program has ended.
    line: File,
    before: Termios,
    shown: Arc<Mutex<Parser>>,
}

impl Terminal {
    /// Starts a program on a new terminal of that size, with [`BEFORE`] on it.
    pub fn start(command: Command, columns: u16, lines: u16) -> Result<Self> {
        Self::with(BEFORE, command, columns, lines)
    }

    /// Starts a program on a new terminal of that size, with nothing on it.
    pub fn blank(command: Command, columns: u16, lines: u16) -> Result<Self> {
        Self::with("", command, columns, lines)
    }

    fn with(shown: &str, mut command: Command, columns: u16, lines: u16) -> Result<Self> {
        let (master, slave) = pair().context("making a terminal")?;
        resize(&master, columns, lines)?;
        let before = termios::tcgetattr(&slave)?;
        let mut parser = Parser::new(lines, columns, 0);
        parser.process(shown.as_bytes());
        let shown = Arc::new(Mutex::new(parser));
        command
            .stdin(slave.try_clone()?)
            .stdout(slave.try_clone()?)
            .stderr(slave.try_clone()?)
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8")
            .env_remove("NO_COLOR");
        // SAFETY: setsid(2) and ioctl(2) are async-signal-safe, and the descriptor is
        // the standard input that was just put in place.
        unsafe {
            command.pre_exec(|| {
                if libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let making = cleanup::making();
        let child = command.spawn().context("starting a program on a terminal");
        drop(making);
        // Its descriptors of the terminal are the program's alone now.
        drop(command);
        let mut output = master.try_clone()?;
        let screen = Arc::clone(&shown);
        // It ends with the last one who has the other side open.
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                locked(&screen).process(&bytes[..read]);
            }
        });
        Ok(Self {
            child: child?,
            keyboard: master,
            line: slave,
            before,
            shown,
        })
    }

    /// The screen as text.
    pub fn text(&self) -> String {
        locked(&self.shown).screen().contents()
    }

    /// The screen, as the terminal has it.
    pub fn screen(&self) -> vt100::Screen {
        locked(&self.shown).screen().clone()
    }

    /// Waits until the screen shows all of these.
    pub fn until(&self, wanted: &[&str]) -> Result<String> {
        let what = format!("{wanted:?} on the screen");
        wait::until(&what, wait::PATIENCE, || {
            let text = self.text();
            let all = wanted.iter().all(|wanted| text.contains(wanted));
            Ok(all.then_some(text))
        })
        .with_context(|| format!("it shows\n{}", self.text()))
    }

    /// Waits until the screen doesn't show this.
    pub fn until_gone(&self, unwanted: &str) -> Result<String> {
        wait::until(
            &format!("a screen without {unwanted:?}"),
            wait::PATIENCE,
            || {
                let text = self.text();
                Ok((!text.contains(unwanted)).then_some(text))
            },
        )
        .with_context(|| format!("it shows\n{}", self.text()))
    }

    /// Types.
    pub fn keys(&mut self, keys: &str) -> Result<()> {
        Ok(self.keyboard.write_all(keys.as_bytes())?)
    }

    /// Makes the terminal larger or smaller; the kernel tells the program.
    pub fn resize(&self, columns: u16, lines: u16) -> Result<()> {
        locked(&self.shown).screen_mut().set_size(lines, columns);
        resize(&self.keyboard, columns, lines)
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(self.pid(), signal)?)
    }

    /// The program's process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Whether the terminal is as it was: the screen, the cursor, and how lines are
    /// read.
    pub fn is_restored(&self) -> Result<()> {
        let screen = self.screen();
        if screen.alternate_screen() {
            bail!("the alternate screen wasn't left");
        }
        if screen.hide_cursor() {
            bail!("the cursor is hidden");
        }
        if !screen.contents().starts_with(BEFORE) {
            bail!("what was there before is gone:\n{}", screen.contents());
        }
        if termios::tcgetattr(&self.line)? != self.before {
            bail!("lines are read in another way than before");
        }
        Ok(())
    }

    /// Waits until the terminal is as it was.
    pub fn until_restored(&self) -> Result<()> {
        // What the program wrote last may not be read yet.
        let mut why = None;
        let restored = wait::until_true("the terminal as it was", wait::PATIENCE, || {
            why = self.is_restored().err();
            Ok(why.is_none())
        });
        restored.with_context(|| format!("{why:?}"))
    }

    /// Waits until the program has ended, and sees that the terminal is as it was.
    pub fn until_ended(&mut self) -> Result<ExitStatus> {
        let status = wait::until("the end of the program", wait::PATIENCE, || {
            Ok(self.child.try_wait()?)
        })
        .with_context(|| format!("it shows\n{}", self.text()))?;
        self.until_restored()?;
        Ok(status)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn locked(parser: &Mutex<Parser>) -> MutexGuard<'_, Parser> {
    parser.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Both sides of a new terminal; programs started meanwhile don't get them.
fn pair() -> Result<(File, File)> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    // O_CLOEXEC is what the standard library opens files with.
    let slave = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY)
        .open(ptsname_r(&master)?)?;
    Ok((File::from(OwnedFd::from(master)), slave))
}

fn resize(master: &File, columns: u16, lines: u16) -> Result<()> {
    let size = Winsize {
        ws_row: lines,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the descriptor is open, and `size` is what the call reads.
    let done = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    if done < 0 {
        return Err(std::io::Error::last_os_error()).context("resizing a terminal");
    }
    Ok(())
}
