//! The benchmark: ftp-nat beside the kernel's own FTP helper, NAT without a
//! helper and forwarding without NAT, on the same machine in the same run.
//!
//! | module | holds |
//! |---|---|
//! | [`workload`] | what is measured, a file for each |
//! | [`lane`] | the gateways that are compared |
//! | [`ends`] | senders and receivers that cost little |
//! | [`live`] | packets put onto a link at line rate |
//! | [`object`] | single packets through the committed object |
//! | [`turns`] | taking turns, and for how long |
//! | [`report`] | figures, ratios and targets; as a table and as JSON |

use std::{fs, net::Ipv4Addr, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::Parser;

mod ends;
mod lane;
mod live;
mod report;
mod turns;
mod workload;

/// The committed object, hosts and packets, as of the packet tests.
mod object;
// Its modules call each other by these names.
use object::{bench, connection, hosts, packet};
use turns::Effort;
use workload::{Packets, Workload};

/// Measures ftp-nat beside the kernel's helper, in network namespaces.
///
/// What is compared takes turns in one run. Nothing is left behind, also after
/// Ctrl-C. Needs root.
#[derive(Debug, Parser)]
#[command(name = "bench", max_term_width = 100)]
struct Options {
    /// A smoke run: every figure once and for a moment, good for nothing else
    #[arg(long)]
    quick: bool,
    /// Only this workload; can be repeated
    #[arg(long, value_enum, value_name = "NAME")]
    only: Vec<Workload>,
    /// How many times each of the compared has its turn
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pairs: Option<u32>,
    /// Of `hooks` only these packets, to profile them by themselves
    #[arg(long, value_enum, value_name = "KIND")]
    packets: Option<Packets>,
    /// Write the figures to this file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Be an FTP server at this address: one with descriptors of its own
    #[arg(long, hide = true, value_name = "ADDRESS")]
    serve: Option<Ipv4Addr>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nbench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    if let Some(address) = options.serve {
        return ends::server::run(address);
    }
    let effort = Effort::new(options.quick, options.pairs, options.packets);
    let mut workloads = options.only.clone();
    if workloads.is_empty() {
        workloads = Workload::ALL.to_vec();
    }
    let mut cases = Vec::new();
    for workload in workloads {
        println!("\n== {}: {}", workload.name(), workload.purpose());
        let found = workload
            .run(&effort)
            .with_context(|| format!("workload {}", workload.name()))?;
        report::verify(workload.name(), &found)?;
        cases.extend(found);
    }
    println!("\n{}", report::targets(&cases));
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report::json(&cases, &effort))?;
        fs::write(path, text + "\n").with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(())
}
