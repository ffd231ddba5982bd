//! Transfers without an announcement.

use super::*;

const CLIENT_SEEN: &str = "61.144.1.2:40000";
const CLIENT: &str = "10.10.0.1:40000";

impl Story {
    /// A data connection that nobody announced.
    fn came(self, by: By, form: Form) -> Self {
        let ends = match form {
            Form::Default => [SERVER, CLIENT_SEEN, CLIENT],
            _ => ["10.10.0.1:5555", "61.144.1.100:50001", "192.0.2.7:50001"],
        };
        self.opened(by, form, ends)
    }

    fn by_default_port(self) -> Self {
        self.says(Request::Transfer)
            .reply(150, Request::Transfer)
            .came(By::Client, Form::Default)
    }

    fn over(self, by: By, form: Form, packets: [u32; 2], bytes: [u64; 2]) -> Self {
        let ends = match form {
            Form::Default => [CLIENT, SERVER],
            _ => ["192.0.2.7:50001", "10.10.0.1:5555"],
        };
        self.ended(by, form, ends, End::Fin, packets, bytes)
    }
}

#[test]
fn nothing_came_from_the_default_data_port() {
    let story = Story::new().says(Request::Transfer);
    verdict(&story, &[Name::Waiting]);
    let text = verdict(&story.later(9), &[Name::DefaultDataPort]);
    has(&text, &["default data port", "announce a port"]);
    let refused = Story::new().says(Request::Transfer);
    let refused = refused.reply(425, Request::Transfer);
    verdict(&refused, &[Name::DefaultDataPort]);
    let no_file = Story::new().says(Request::Transfer);
    let no_file = no_file.reply(550, Request::Transfer);
    has(&verdict(&no_file, &[Name::TransferFailed]), &["550"]);
}

#[test]
fn a_transfer_on_the_default_data_port_works() {
    let story = Story::new().by_default_port();
    let text = verdict(&story, &[Name::Works]);
    has(
        &text,
        &["without an announcement", SERVER, CLIENT, "It is open"],
    );
    let story = story
        .over(By::Client, Form::Default, [5, 9], [300, 9000])
        .reply(226, Request::Transfer);
    verdict(&story, &[Name::Works]);
    // The next one fails, and is not taken for the first.
    let story = story.says(Request::Transfer).reply(425, Request::Transfer);
    verdict(&story, &[Name::DefaultDataPort, Name::Works]);
}

#[test]
fn one_whose_client_does_not_answer_is_no_success() {
    let story = Story::new().by_default_port();
    let story = story.reply(425, Request::Transfer);
    has(&verdict(&story, &[Name::DataNotAnswered]), &[CLIENT]);
}

#[test]
fn where_a_port_may_have_been_agreed_on_unseen_nothing_is_guessed() {
    let pipelined = Story::new().says(Request::Passive).says(Request::Transfer);
    verdict(&pipelined.later(9), &[Name::NothingAsked]);
    let mut record = Story::new().says(Request::Transfer).record();
    record.beginning_seen = false;
    let later = Timestamp::from_second(1_700_001_000).unwrap();
    assert_eq!(
        session(&record, later, &around())[0].name,
        Name::NothingAsked
    );
    // What comes is told all the same.
    let mut record = Story::new().by_default_port().record();
    record.beginning_seen = false;
    assert_eq!(session(&record, later, &around())[0].name, Name::Works);
}

#[test]
fn declared_ports_of_an_encrypted_session_are_in_use() {
    let tls = || Story::new().then(Happening::ModeChanged { mode: Mode::Tls });
    let declared = Surroundings {
        encrypted: Some((50_000, 50_099)),
        ..around()
    };
    let now = Timestamp::from_second(1_700_001_000).unwrap();
    let none = session(&tls().record(), now, &declared);
    assert_eq!(none[0].name, Name::Encrypted);
    has(&none[0].advice.join("\n"), &["50000 to 50099"]);
    let one = tls().came(By::Server, Form::Encrypted);
    let text = verdict(&one, &[Name::Works]);
    has(&text, &["within TLS", "192.0.2.7:50001", "10.10.0.1:5555"]);
    let dead =
        tls()
            .came(By::Server, Form::Encrypted)
            .over(By::Server, Form::Encrypted, [0, 5], [0, 300]);
    let text = verdict(&dead, &[Name::DataNotAnswered]);
    has(&text, &["server's own firewall"]);
    let both = one
        .over(By::Server, Form::Encrypted, [5, 9], [300, 9000])
        .came(By::Server, Form::Encrypted);
    assert_eq!(both.verdicts()[0].times, 2);
}

#[test]
fn a_client_that_has_too_many_of_them_is_told() {
    let refused = |story: Story| {
        story.then(Happening::DataRefused {
            announced_by: By::Server,
            form: Some(Form::Encrypted),
            from: "10.10.0.1:5555".parse().unwrap(),
            to: "61.144.1.100:50001".parse().unwrap(),
            expected_from: "10.10.0.1".parse().unwrap(),
            reason: Reason(Counter::FlowsSourceCap),
        })
    };
    // TCP asks again.
    let story = refused(refused(Story::new()));
    let text = verdict(&story, &[Name::SourceLimit]);
    has(&text, &["encrypted sessions", "--max-pending-per-source"]);
    assert_eq!(story.verdicts()[0].times, 1);
    let story = story.came(By::Server, Form::Encrypted);
    verdict(&story, &[Name::Works]);
}
