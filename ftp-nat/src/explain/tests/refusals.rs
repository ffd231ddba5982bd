//! What was refused, and what found no room.

use super::*;

#[test]
fn the_table_of_data_connections_is_full() {
    let story = Story::new()
        .retr()
        .stranger(SERVER, Counter::FlowsTableFull);
    has(&verdict(&story, &[Name::TableFull]), &["--max-transfers"]);
}

#[test]
fn the_server_refused() {
    for (code, wanted) in [
        (500, "--advertise 61.144.1.2=ADDRESS"),
        (501, "does not accept the address"),
        (522, "EPRT or EPSV for IPv6"),
        (530, "log in first"),
    ] {
        let story = Story::new().port().reply(code, Request::Active);
        let text = verdict(&story, &[Name::ServerRefused]);
        has(&text, &[wanted, &format!("answered {code} to PORT")]);
    }
    let story = Story::new()
        .says(Request::Passive)
        .reply(502, Request::Passive);
    has(&verdict(&story, &[Name::ServerRefused]), &["PASV or EPSV"]);
}

#[test]
fn the_address_was_foreign() {
    let said = "10.10.0.9:4000";
    let story = Story::new().not(By::Client, said, Counter::RefusedForeignAddress);
    let story = story.reply(500, Request::Active);
    has(
        &verdict(&story, &[Name::ForeignAddress]),
        &[said, "not the client's own", "answered 500"],
    );
    let story = Story::new().not(By::Server, said, Counter::RefusedForeignAddress);
    has(&verdict(&story, &[Name::ForeignAddress]), &["pasv_address"]);
}

#[test]
fn the_port_was_refused() {
    let story = Story::new().not(By::Client, "10.10.0.1:25", Counter::RefusedPort);
    has(&verdict(&story, &[Name::PortRefused]), &["below 1024"]);
    let story = Story::new().not(By::Client, "10.10.0.1:3306", Counter::RefusedPort);
    has(&verdict(&story, &[Name::PortRefused]), &["--deny-ports"]);
}

#[test]
fn no_room_or_too_many() {
    let said = "10.10.0.1:4000";
    let story = Story::new().not(By::Client, said, Counter::RefusedTableFull);
    has(
        &verdict(&story, &[Name::TableFull]),
        &["--max-expectations"],
    );
    let story = Story::new().not(By::Client, said, Counter::RefusedSourceCap);
    has(
        &verdict(&story, &[Name::SourceLimit]),
        &["--max-pending-per-source"],
    );
}

#[test]
fn other_reasons_are_told_too() {
    let said = "10.10.0.1:4000";
    for reason in [
        Counter::RefusedDraining,
        Counter::RefusedNoPort,
        Counter::RefusedUntrusted,
        Counter::RefusedUnsolicited,
        Counter::PassedLongForm,
        Counter::PassedNoEditSlot,
        Counter::PassedOtherFamily,
    ] {
        let story = Story::new().not(By::Client, said, reason);
        let text = verdict(&story, &[Name::NotFollowed]);
        has(&text, &[Reason(reason).sentence()]);
    }
}

#[test]
fn text_in_fragments_is_told_and_what_to_look_for() {
    let story = Story::new().not(By::Client, "10.10.0.1:4000", Counter::Fragments);
    let text = verdict(&story, &[Name::NotFollowed]);
    has(&text, &["came in IP fragments", "the client", "MTU", "DF"]);
}
