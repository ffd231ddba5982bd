//! `cargo xtask test`: every check there is, or one part of them.
//!
//! The last line on standard output is always `N passed, N failed, N skipped`.

mod part;
mod room;
pub mod runner;
mod tally;

use std::{
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use anyhow::{Context as _, Result};

pub use self::{part::Part, tally::Tally};

/// Exit code of a run that Ctrl-C ended, as shells give it.
const INTERRUPTED_EXIT: u8 = 130;

/// Set by Ctrl-C, which also reaches the test that is running: it ends in its
/// own way, cleaning up, and then nothing further is started.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-C has ended the run.
fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Options of the verb.
#[derive(clap::Args)]
pub struct Args {
    /// Only this part
    #[arg(value_enum)]
    part: Option<Part>,
    /// For the part's test runner: a part of a test's name, `--nocapture`, ...
    #[arg(last = true, requires = "part")]
    rest: Vec<String>,
}

impl Args {
    /// One part, with what its test runner is told.
    pub fn only(part: Part, rest: &[String]) -> Self {
        Self {
            part: Some(part),
            rest: rest.to_vec(),
        }
    }
}

/// The verb. A part that fails doesn't keep the others from running.
pub fn run(args: &Args) -> Result<ExitCode> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))
        .context("can't watch for Ctrl-C")?;
    let parts = match args.part {
        Some(part) => vec![part],
        None => {
            if let Err(error) = room::ensure_enough() {
                eprintln!("error: {error:#}");
                println!("0 passed, 1 failed, 0 skipped");
                return Ok(ExitCode::FAILURE);
            }
            Part::ALL.to_vec()
        }
    };
    let mut rows = Vec::new();
    for part in parts {
        println!("\n=== {part}: {} ===", part.purpose());
        let start = Instant::now();
        let mut tally = part.run(&args.rest);
        tally.require_tests();
        let interrupted = is_interrupted();
        if interrupted {
            tally.fail("interrupted, nothing further was run".to_owned());
        }
        rows.push((part, tally, start.elapsed()));
        if interrupted {
            break;
        }
    }
    for (part, tally, _) in &rows {
        for (test, said) in &tally.said {
            println!("\n--- {part}: {test} ---\n{}", said.join("\n").trim_end());
        }
    }
    println!("\npart      passed  failed  skipped  seconds");
    let mut total = Tally::default();
    for (part, tally, time) in &rows {
        println!(
            "{:<8}{:>8}{:>8}{:>9}{:>9.1}",
            part.name(),
            tally.passed,
            tally.failed,
            tally.skipped,
            time.as_secs_f32()
        );
        total.add(tally);
    }
    for (part, tally, _) in &rows {
        for name in &tally.second {
            println!("SECOND TRY {part}: {name} failed at first, see above, and passed alone");
        }
        for failure in &tally.failures {
            println!("FAILED {part}: {failure}");
        }
    }
    println!("{total}");
    Ok(match (is_interrupted(), total.failed) {
        (true, _) => ExitCode::from(INTERRUPTED_EXIT),
        (false, 0) => ExitCode::SUCCESS,
        (false, _) => ExitCode::FAILURE,
    })
}
