//! Control connections that were dialled and didn't come about.

use super::super::{
    Surroundings,
    dials::{Dial, Passed, Stage, way::Way},
    verdict::{Name, Verdict},
};

pub(in crate::explain) fn dialled(dial: &Dial, around: &Surroundings) -> Verdict {
    match &dial.stage {
        Stage::NotForwarded(way) => not_forwarded(dial, way, around),
        Stage::NotAnswered(passed) => not_answered(dial, passed, around),
        Stage::AnswerNotForwarded(passed) => answer_not_forwarded(dial, passed, around),
        Stage::NotCompleted(passed) => not_completed(dial, passed, around),
    }
}

/// Who dialled whom, and when.
fn who(dial: &Dial, around: &Surroundings) -> String {
    format!(
        "The control connection of {} to {} came in by {} ({} s ago)",
        dial.client,
        dial.server,
        around.interface(dial.came_by),
        dial.ago_ns / 1_000_000_000
    )
}

/// The same, and how it left.
fn left(dial: &Dial, passed: &Passed, around: &Surroundings) -> String {
    format!(
        "{} and left by {}, from {} to {}",
        who(dial, around),
        around.interface(passed.by),
        passed.client,
        passed.server
    )
}

fn not_forwarded(dial: &Dial, way: &Way, around: &Surroundings) -> Verdict {
    let came_by = around.interface(dial.came_by);
    let (client, server) = (dial.client.ip(), dial.server.ip());
    let told = |why: &str| {
        let who = who(dial, around);
        Verdict::new(Name::ControlNotForwarded, format!("{who}. {why}"))
    };
    match way {
        Way::ForwardingOff(path) => told("This machine doesn't forward: it was dropped.")
            .advise(format!("echo 1 > {path}; for good: net.ipv4.ip_forward=1 in /etc/sysctl.d")),
        Way::ReversePath => told(&format!(
            "The reverse path filter dropped it: the way back to {client} isn't by {came_by}."
        ))
        .advise(format!(
            "Mend the route: `ip route get {client}` has to name {came_by}. Where the ways there and back differ on purpose: \
             sysctl -w net.ipv4.conf.{came_by}.rp_filter=2 net.ipv4.conf.all.rp_filter=2"
        )),
        Way::NoRoute => told(&format!("This machine has no route to {server}: it was dropped."))
            .advise(format!("ip route get {server} from {client} iif {came_by}")),
        Way::NotNamed(interface) => told(&format!(
            "Its way on is by {interface}, which isn't named to ftp-nat: it was not followed."
        ))
        .advise(format!(
            "Name {interface} too: ftp-nat run --wan {interface}, or --lan {interface} if it leads inside; or wan and lan in the configuration file."
        )),
        Way::Local => blocked(
            told("It was for this machine itself: it was sent on to nobody, and nothing here took it."),
            around,
        )
        .advise(format!(
            "If a server inside is meant, no port forwarding applied to it: nft list ruleset | grep dnat. It has to match {} coming in by {came_by}.",
            dial.server
        ))
        .advise(format!(
            "If a server on this machine is meant: `ss -ltn` has to show port {}, and the input chain has to accept it.",
            dial.server.port()
        )),
        Way::Named(interface) => blocked(
            told(&format!("It should have left by {interface}, and did not: this machine's firewall dropped it.")),
            around,
        )
        .advise(format!(
            "The forward chain has to accept new connections from {came_by} to {interface}, port {}: nft list ruleset, or iptables -vnL FORWARD",
            dial.server.port()
        )),
        Way::Unknown => blocked(told("It left by no interface that is named."), around).advise(format!(
            "ip route get {server} from {client} iif {came_by} says where it should go to. If that is right, the firewall dropped it."
        )),
    }
}

/// What was found in the rules.
fn blocked(mut verdict: Verdict, around: &Surroundings) -> Verdict {
    for [reason, mend] in &around.blocks {
        verdict = verdict.advise(format!("Found: {reason}. To mend it: {mend}"));
    }
    verdict
}

fn not_answered(dial: &Dial, passed: &Passed, around: &Surroundings) -> Verdict {
    let by = around.interface(passed.by);
    Verdict::new(
        Name::ControlNotAnswered,
        format!("{}, and the server did not accept it: no answer that does came back here.", left(dial, passed, around)),
    )
    .advise(format!(
        "If the client is told \"connection refused\", nothing listens on {}: is the server running, and is that its port?",
        passed.server
    ))
    .advise(format!(
        "Else {} is down, a firewall on the way drops the connection, or its answer goes another way: tcpdump -ni {by} 'host {} and tcp port {}'",
        passed.server.ip(),
        passed.server.ip(),
        passed.server.port()
    ))
    .advise(format!(
        "The answer is sent to {}: the server has to reach that address by this gateway. If it is a private one, a masquerade rule is missing.",
        passed.client.ip()
    ))
}

fn answer_not_forwarded(dial: &Dial, passed: &Passed, around: &Surroundings) -> Verdict {
    blocked(
        Verdict::new(
            Name::ControlNotAnswered,
            format!(
                "{}. The server's answer came, and did not leave to the client: this machine dropped it.",
                left(dial, passed, around)
            ),
        ),
        around,
    )
    .advise("The forward chain has to accept answers: ct state established,related accept")
    .advise(format!(
        "`ip route get {}` has to name {}.",
        dial.client.ip(),
        around.interface(dial.came_by)
    ))
}

fn not_completed(dial: &Dial, passed: &Passed, around: &Surroundings) -> Verdict {
    Verdict::new(
        Name::ControlNotAnswered,
        format!(
            "{}. The server's answer was sent on to the client, which did not take it up.",
            left(dial, passed, around)
        ),
    )
    .advise(format!(
        "{}'s own firewall, or one between it and this gateway, drops the answer; or the client's packets go another way after the first one.",
        dial.client.ip()
    ))
}

/// The server does not reply to an announcement of the client's any more.
pub(in crate::explain) fn unanswered(form: &str, seconds: i64) -> Verdict {
    Verdict::new(
        Name::ControlNotAnswered,
        format!("The server has not answered to {form} for {seconds} s: the control connection is stuck."),
    )
    .advise("If the gateway's outside address changed, or its table of connections was emptied, the connection is dead: the client has to log in again.")
    .advise("Else look whether the server still answers: ping it, and try a new session.")
}
