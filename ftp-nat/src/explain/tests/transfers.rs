//! Transfers that were announced.

use super::*;

#[test]
fn nothing_comes_by_the_open_connection() {
    let story = Story::new().retr().reply(150, Request::Transfer).syn();
    let silent = Silent {
        announcer: ANNOUNCER.parse().unwrap(),
        peer: SERVER.parse().unwrap(),
        seconds: 7,
        bytes: [60, 112],
    };
    let around = Surroundings {
        silent: vec![silent],
        ..around()
    };
    let names = |story: &Story| -> Vec<_> {
        let now = Timestamp::from_second(1_700_000_060).unwrap();
        let verdicts = session(&story.record(), now, &around);
        verdicts.into_iter().map(|v| (v.name, v.says)).collect()
    };
    let told = names(&story);
    assert_eq!(told[0].0, Name::DataStalled);
    has(&told[0].1, &["for 7 s", "60 bytes", ANNOUNCER]);
    let over = story.reply(226, Request::Transfer);
    assert_eq!(names(&over)[0].0, Name::Works);
}

#[test]
fn nobody_listens_at_the_announced_port() {
    let story = Story::new().retr().syn().end(End::Rst, [0, 1], [0, 60]);
    has(
        &verdict(&story, &[Name::DataWithoutBytes]),
        &["nothing listened"],
    );
}

#[test]
fn the_client_gave_up_before_the_server_took_the_connection() {
    let story = Story::new().pasv();
    let story = story.opened(By::Server, Form::Pasv, [SERVER, EXPECTED, ANNOUNCER]);
    verdict(&story, &[Name::Works]);
    let story = story.then(Happening::SessionEnded { how: End::Fin });
    has(
        &verdict(&story, &[Name::DataNotAnswered]),
        &["did not answer", "The server's own firewall"],
    );
}

#[test]
fn the_server_answers_no_more() {
    let story = Story::new().port().later(8);
    has(
        &verdict(&story, &[Name::ControlNotAnswered]),
        &["PORT", "for 8 s", "outside address changed"],
    );
}

#[test]
fn a_transfer_that_works() {
    let story = Story::new()
        .retr()
        .reply(150, Request::Transfer)
        .syn()
        .end(End::Fin, [5, 9], [300, 9000])
        .reply(226, Request::Transfer);
    let text = verdict(&story, &[Name::Works]);
    has(&text, &["10.10.0.1:4000 became 61.144.1.2:5000", SERVER]);
}

#[test]
fn an_empty_file_is_no_failure() {
    let story = Story::new()
        .retr()
        .syn()
        .end(End::Fin, [3, 3], [160, 160])
        .reply(226, Request::Transfer);
    verdict(&story, &[Name::Works]);
}

#[test]
fn nobody_came() {
    let text = verdict(&Story::new().retr().expired(), &[Name::NoDataConnection]);
    has(
        &text,
        &[
            "within 60 s",
            EXPECTED,
            "second FTP helper",
            "tcpdump -ni wan0 'dst port 5000'",
            "passive mode",
        ],
    );
    let text = verdict(&Story::new().retr().later(9), &[Name::NoDataConnection]);
    has(&text, &["in the 11 s since"]);
    let ended = Happening::SessionEnded { how: End::Fin };
    verdict(&Story::new().retr().then(ended), &[Name::NoDataConnection]);
}

#[test]
fn nobody_came_in_passive_mode() {
    let story = Story::new().says(Request::Passive).pasv();
    let story = story.says(Request::Transfer).expired();
    has(
        &verdict(&story, &[Name::NoDataConnection]),
        &["The client was told", "If nothing leaves the client"],
    );
}

#[test]
fn an_announcement_is_waited_for() {
    verdict(&Story::new().retr(), &[Name::Waiting]);
    let text = verdict(&Story::new().port().expired(), &[Name::Waiting]);
    has(&text, &["no transfer was asked for"]);
}

#[test]
fn the_server_could_not_connect() {
    let story = Story::new().retr().reply(425, Request::Transfer);
    let text = verdict(&story, &[Name::ServerCouldNotConnect]);
    has(&text, &["425", "nothing arrived here"]);
}

#[test]
fn another_address_connected() {
    let story = Story::new()
        .retr()
        .stranger("61.144.1.101:20", Counter::RefusedDataSource)
        .reply(425, Request::Transfer);
    let text = verdict(&story, &[Name::DataFromOtherAddress]);
    has(
        &text,
        &["61.144.1.101:20", "only the server, 61.144.1.100, may"],
    );
    let story = Story::new()
        .retr()
        .stranger(SERVER, Counter::RefusedDataSource);
    has(
        &verdict(&story, &[Name::DataFromOtherAddress]),
        &["another side of the gateway"],
    );
}

#[test]
fn the_announcer_did_not_answer() {
    let story = Story::new().retr().syn().reply(425, Request::Transfer);
    let text = verdict(&story, &[Name::DataNotAnswered]);
    has(&text, &["10.10.0.1:4000", "client's own firewall"]);
    let story = Story::new().retr().syn().end(End::Idle, [0, 5], [0, 300]);
    verdict(&story, &[Name::DataNotAnswered]);
}

#[test]
fn nothing_was_in_the_connection() {
    let story = Story::new().retr().syn().end(End::Rst, [1, 1], [40, 60]);
    let text = verdict(&story, &[Name::DataWithoutBytes]);
    has(&text, &["(reset)", "nothing listened on 10.10.0.1:4000"]);
    let story = Story::new()
        .retr()
        .syn()
        .end(End::Fin, [3, 3], [160, 160])
        .reply(426, Request::Transfer);
    verdict(&story, &[Name::DataWithoutBytes]);
}

#[test]
fn the_transfer_failed() {
    let story = Story::new()
        .retr()
        .syn()
        .end(End::Rst, [5, 9], [300, 9000])
        .reply(426, Request::Transfer);
    has(&verdict(&story, &[Name::TransferFailed]), &["426", "cut"]);
    let story = Story::new().retr().reply(550, Request::Transfer);
    has(
        &verdict(&story, &[Name::TransferFailed]),
        &["about the file"],
    );
}

#[test]
fn the_latest_of_several_failures_is_told_and_successes_after_it() {
    let story = Story::new().retr().expired().retr().expired();
    assert_eq!(story.verdicts()[0].times, 2);
    let story = story
        .retr()
        .syn()
        .end(End::Fin, [5, 9], [300, 9000])
        .reply(226, Request::Transfer);
    verdict(&story, &[Name::NoDataConnection, Name::Works]);
}
