//! `ftp-nat run`.

mod limits;
mod path;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use log::LevelFilter;

use super::{PinPath, given::Given};
use crate::{
    advertise::{self, Advertised},
    daemon::{self, Plan},
    loader::{Config, attach::Hook, interfaces::NamedDomain},
    metrics::address::Address,
    policy::Policy,
    ports::ControlPort,
};

/// Load the programs, attach them, and serve them in the foreground.
///
/// Prints one line beginning with "ready:" on stderr when packets are being
/// handled, and tells systemd (Type=notify). It ends on SIGINT or SIGTERM. However
/// it ends, the data path stays pinned and goes on handling packets, unless
/// --unload-on-exit; `run` again adopts it and replaces the programs without
/// losing a packet or a session. Interfaces no longer named are then detached,
/// new ones attached, and the options of this command line hold instead of the
/// former ones. If anything fails at the start, everything is left as it was.
///
/// SIGHUP makes it read its configuration file again and do what is said there
/// now. What can't be done is refused as a whole, and changes nothing.
///
/// Needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, and CAP_SYS_ADMIN if the bpf
/// filesystem has to be mounted: in short, root. Linux 6.1 or newer.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Read options from a file; those of the command line win.
    ///
    /// TOML, whose keys are the names of these options: docs/configuration.md.
    /// Default: /etc/ftp-nat/config.toml, if it exists; /dev/null stands for none.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Interfaces that face the outside; can be repeated.
    #[arg(long, value_name = "IF", num_args = 1..)]
    wan: Vec<String>,
    /// Interfaces that face the inside; can be repeated.
    ///
    /// Hosts behind them may also use the data connections announced by other
    /// inside hosts through the gateway's outside address (hairpin).
    #[arg(long, value_name = "IF", num_args = 1..)]
    lan: Vec<String>,
    /// Control ports to watch, e.g. --port 21,2121; can be repeated.
    ///
    /// Default: 21, or the ports that are watched already when a pinned data
    /// path is adopted. If given, exactly these are watched from now on; sessions
    /// on other ports go on. `ftp-nat ports` changes them later.
    #[arg(long = "port", value_name = "N", value_delimiter = ',')]
    ports: Option<Vec<ControlPort>>,
    /// Announce PUBLIC where the far end would be told INSIDE; can be repeated.
    ///
    /// For a host, the gateway itself included, behind another NAT further up that
    /// maps INSIDE to PUBLIC with all ports (a cloud's public address): the
    /// announcement is rewritten, the data connection is left to that NAT. INSIDE
    /// is the address that this gateway's own NAT gives, if there is one.
    #[arg(long, value_name = "INSIDE=PUBLIC", value_delimiter = ',')]
    advertise: Vec<Advertised>,
    /// Tell networks apart whose addresses overlap, e.g. --domain 1=eth1,eth2;
    /// can be repeated.
    ///
    /// DOMAIN is a number of your choice, or the name of a VRF device. Hosts with
    /// the same address in different domains are different hosts, and nothing
    /// announced in one can be used from another. Interfaces of which nothing is
    /// said are in the domain of their VRF, or in domain 0, where the outside
    /// should be: a connection back from inside is looked for in its own domain
    /// and in 0.
    #[arg(long = "domain", value_name = "DOMAIN=IF[,IF...]", value_parser = named_domain)]
    domains: Vec<NamedDomain>,
    #[command(flatten)]
    limits: limits::Options,
    #[command(flatten)]
    path: path::Options,
    #[command(flatten)]
    pin_path: PinPath,
    /// Serve metrics at http://ADDRESS:PORT/metrics, in the OpenMetrics format.
    ///
    /// A port alone is that of the loopback address. Whoever reaches the address
    /// can read them; they hold no address of a client or a server.
    #[arg(long, value_name = "[ADDRESS:]PORT")]
    metrics: Option<Address>,
    /// Remove programs and maps when the process ends.
    ///
    /// At once: control connections whose announcements were rewritten to another
    /// length, and data connections, do not survive that. Without this option
    /// nothing is lost, and `unload` waits for them.
    #[arg(long)]
    unload_on_exit: bool,
    /// How the programs are attached.
    #[arg(long, value_enum, default_value_t = HookChoice::Auto)]
    hook: HookChoice,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HookChoice {
    /// TCX where the kernel has it (6.6 and newer), clsact before.
    Auto,
    /// TCX links: replaced without a gap, first at ingress, last at egress.
    Tcx,
    /// Filters of the clsact qdisc.
    Clsact,
}

fn named_domain(text: &str) -> Result<NamedDomain, String> {
    let parsed = text.split_once('=').map(|(name, interfaces)| NamedDomain {
        name: name.to_owned(),
        interfaces: interfaces.split(',').map(str::to_owned).collect(),
    });
    parsed
        .filter(|d| !d.name.is_empty() && d.interfaces.iter().all(|i| !i.is_empty()))
        .ok_or_else(|| "write it as DOMAIN=IF or DOMAIN=IF,IF".to_owned())
}

pub(super) fn run(
    options: Options,
    level: LevelFilter,
    values: Vec<(String, String)>,
    file: Option<PathBuf>,
    given: &Given,
) -> anyhow::Result<()> {
    let plan = plan(options, level, values, file).context("run")?;
    if let Some(file) = &plan.file {
        log::info!(
            "options of {} hold where the command line is silent",
            file.display()
        );
    }
    daemon::run(plan, &|| given.plan(level)).context("run")
}

/// What these options ask for.
pub(super) fn plan(
    options: Options,
    level: LevelFilter,
    values: Vec<(String, String)>,
    file: Option<PathBuf>,
) -> crate::Result<Plan> {
    if let Some(inside) = advertise::ambiguous(&options.advertise) {
        return Err(crate::Error::CommandLine(format!(
            "--advertise: {inside} is given two public addresses; leave one of them out"
        )));
    }
    Ok(Plan {
        unload_on_exit: options.unload_on_exit,
        metrics: options.metrics,
        config: config(options, level),
        values,
        file,
    })
}

fn config(options: Options, level: LevelFilter) -> Config {
    let mut policy = Policy::default();
    options.limits.apply(&mut policy);
    options.path.apply(&mut policy);
    Config {
        policy,
        sizes: options.limits.sizes(),
        wan: options.wan,
        lan: options.lan,
        domains: options.domains,
        ports: options.ports.map(|ports| ports.into_iter().collect()),
        advertise: options.advertise,
        pin_path: options.pin_path.pin_path,
        hook: match options.hook {
            HookChoice::Auto => None,
            HookChoice::Tcx => Some(Hook::Tcx),
            HookChoice::Clsact => Some(Hook::Clsact),
        },
        log_level: level,
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::{
        cli::{Cli, Verb},
        policy::{DataPath, denied::DEFAULT_DENIED, sizes::Sizes},
    };

    fn parse(words: &str) -> Result<Config, String> {
        let words = ["ftp-nat", "run"]
            .into_iter()
            .chain(words.split_whitespace());
        match Cli::try_parse_from(words).map_err(|e| e.to_string())?.verb {
            Verb::Run(options) => Ok(config(*options, LevelFilter::Info)),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn interfaces_and_ports_can_be_given_in_any_of_the_usual_ways() {
        let config = parse("--wan a b --lan c --wan d --port 21,2121 --port 990").unwrap();
        assert_eq!(config.wan, ["a", "b", "d"]);
        assert_eq!(config.lan, ["c"]);
        assert_eq!(config.ports.unwrap().to_string(), "21,990,2121");
        assert_eq!(config.hook, None);
    }

    #[test]
    fn domains_are_named_for_interfaces() {
        let config = parse("--lan a b --wan c --domain 7=a,b --domain red=c").unwrap();
        let domains: Vec<_> = config
            .domains
            .iter()
            .map(|d| (d.name.as_str(), d.interfaces.join(" ")))
            .collect();
        assert_eq!(domains, [("7", "a b".to_owned()), ("red", "c".to_owned())]);
    }

    #[test]
    fn no_port_option_is_not_the_same_as_the_default() {
        // It decides whether an adopted data path keeps its ports.
        assert!(parse("--lan c").unwrap().ports.is_none());
    }

    #[test]
    fn without_options_the_defaults_hold() {
        let config = parse("--lan c").unwrap();
        assert_eq!(config.policy, Policy::default());
        assert_eq!(config.sizes.or_default(), Sizes::DEFAULT);
    }

    #[test]
    fn options_reach_the_policy() {
        let config = parse(
            "--lan c --no-hairpin --deny-ports 2000-2009,4000 --expect-timeout 30 \
             --max-sessions 4 --max-expectations 2 --max-transfers 3 --mark 0x2/0x6 \
             --max-sessions-per-source 5 --max-pending-per-source 6 \
             --data-path stack --ftps-passive-range 50000-50099",
        )
        .unwrap();
        let policy = &config.policy;
        assert!(!policy.hairpin);
        assert_eq!(policy.denied.to_string(), "2000-2009,4000");
        assert!(policy.deny_servers);
        assert_eq!(policy.expect_timeout.seconds(), 30);
        assert_eq!(policy.mark.to_string(), "0x2/0x6");
        assert_eq!(policy.max_sessions_per_source, 5);
        assert_eq!(policy.max_pending_per_source, 6);
        assert_eq!(policy.data_path, DataPath::Stack);
        let range = policy.ftps_passive_range.map(|range| range.ends());
        assert_eq!(range, Some((50_000, 50_099)));
        let sizes = config.sizes.or_default();
        assert_eq!(
            (sizes.sessions, sizes.expectations, sizes.transfers),
            (4, 2, 3)
        );
    }

    #[test]
    fn the_help_and_the_sample_name_the_denied_ports() {
        let mut command = Cli::command();
        let run = command.find_subcommand_mut("run").unwrap();
        let help = run.render_long_help().to_string();
        let one_line = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(one_line.contains(DEFAULT_DENIED), "{one_line}");
        let sample = include_str!("../../../../dist/config.toml").replace([' ', '"'], "");
        assert!(sample.contains(&format!("deny-ports=[{DEFAULT_DENIED}]")));
    }

    #[test]
    fn an_empty_list_denies_nothing() {
        let words = ["ftp-nat", "run", "--lan", "c", "--deny-ports", ""];
        let Verb::Run(options) = Cli::try_parse_from(words).unwrap().verb else {
            panic!("another verb");
        };
        let denied = config(*options, LevelFilter::Info).policy.denied;
        assert_eq!(denied.to_string(), "");
    }

    #[test]
    fn what_can_not_be_is_refused() {
        for (words, expected) in [
            ("--wan a --port 0", "port 0"),
            ("--wan a --port 65536", "no port 65536"),
            ("--wan a --port 21,,22", "no port"),
            ("--wan a --hook xdp", "xdp"),
            ("--wan a --domain 7", "DOMAIN=IF"),
            ("--wan a --domain 7=a,", "DOMAIN=IF"),
            ("--wan a --domain =a", "DOMAIN=IF"),
            ("--wan a -q -v", "cannot be used"),
            ("--wan a --expect-timeout 29", "RFC 6384"),
            ("--wan a --deny-ports 1,x", "no port"),
            ("--wan a --max-sessions 0", "0"),
            ("--wan a --max-transfers 1048577", "1048577"),
            ("--wan a --max-sessions-per-source 0", "0"),
            ("--wan a --mark 3/1", "mask"),
            ("--wan a --data-path fast", "fast"),
            ("--wan a --ftps-passive-range 1000-2000", "below 1024"),
            ("--wan a --ftps-passive-range 2000-1999", "no range"),
        ] {
            let error = parse(words).unwrap_err();
            assert!(error.contains(expected), "{words}: {error}");
        }
    }
}
