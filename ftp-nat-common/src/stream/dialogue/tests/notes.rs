//! What people are told of a dialogue.

use super::*;

impl Dialogue {
    /// What was noted since this was asked last.
    fn told(&mut self) -> Vec<Note> {
        core::mem::take(&mut self.world.noted)
    }
}

#[test]
fn a_command_is_told_if_its_announcement_does_not_tell_it() {
    for (line, told) in [
        ("PASV\r\n", Some(Request::Passive)),
        ("EPSV\r\n", Some(Request::Passive)),
        ("EPSV ALL\r\n", Some(Request::EpsvAll)),
        ("AUTH TLS\r\n", Some(Request::Auth)),
        ("CCC\r\n", Some(Request::ClearChannel)),
        ("REIN\r\n", Some(Request::Reinitialize)),
        ("QUIT\r\n", Some(Request::Quit)),
        ("ABOR\r\n", Some(Request::Abort)),
        ("RETR x\r\n", Some(Request::Transfer)),
        // The address in it is told, whatever becomes of it.
        ("PORT 10,0,0,1,9,8\r\n", None),
        ("EPRT |1|10.0.0.1|7684|\r\n", None),
        ("NOOP\r\n", None),
        ("USER x\r\n", None),
        ("PASS secret\r\n", None),
        ("\r\n", None),
        (" \r\n", None),
    ] {
        let mut d = Dialogue::new();
        d.told();
        d.client(line);
        let expected: Vec<_> = told.into_iter().map(Note::requested).collect();
        assert_eq!(d.told(), expected, "{line}");
    }
    let mut d = Dialogue::new();
    d.told();
    d.client("LPRT 4,4,1,2,3,4,2,5,6\r\n");
    let unread = Note::unread(CLIENT, Counter::PassedLongForm);
    assert_eq!(d.told(), [unread, Note::requested(Request::LongPort)]);
    d.client("PORT x\r\n");
    assert_eq!(d.told(), [Note::unread(CLIENT, Counter::PassedUnparsed)]);
}

#[test]
fn a_reply_is_told_as_the_answer_to_what_was_told() {
    use Request::*;
    for (command, reply, told) in [
        ("PORT 10,0,0,1,9,8\r\n", "200 Ok\r\n", Some((200, Active))),
        (
            "EPRT |1|10.0.0.1|7684|\r\n",
            "522 No\r\n",
            Some((522, Active)),
        ),
        (
            "LPRT 4,4,1,2,3,4,2,5,6\r\n",
            "521 No\r\n",
            Some((521, LongPort)),
        ),
        ("PASV\r\n", "425 No\r\n", Some((425, Passive))),
        ("QUIT\r\n", "221 Bye\r\n", Some((221, Quit))),
        ("ABOR\r\n", "225 Ok\r\n", Some((225, Abort))),
        ("CCC\r\n", "533 No\r\n", Some((533, ClearChannel))),
        ("AUTH TLS\r\n", "504 No\r\n", Some((504, Auth))),
        ("EPSV ALL\r\n", "502 No\r\n", Some((502, EpsvAll))),
        ("REIN\r\n", "502 No\r\n", Some((502, Reinitialize))),
        ("RETR x\r\n", "226 Done\r\n", Some((226, Transfer))),
        ("RETR x\r\n", "550 No\r\n", Some((550, Transfer))),
        // How a login ends, and a session, is told whatever was asked for.
        ("PASS x\r\n", "230 In\r\n", Some((230, Other))),
        ("PASS x\r\n", "530 No\r\n", Some((530, Other))),
        ("NOOP\r\n", "421 Bye\r\n", Some((421, Other))),
        ("", "421 Bye\r\n", Some((421, None))),
        ("USER x\r\n", "331 Password\r\n", Option::None),
        ("NOOP\r\n", "200 Ok\r\n", Option::None),
        ("PASS x\r\n", "531 No\r\n", Option::None),
        ("PASS x\r\n", "230-In\r\n", Option::None),
        ("", "226 Nobody asked\r\n", Option::None),
        // That of a passive reply is the announcement itself.
        ("PASV\r\n", "227 (10,0,0,5,200,15)\r\n", Option::None),
        ("EPSV\r\n", "229 (|||7684|)\r\n", Option::None),
    ] {
        let mut d = Dialogue::new();
        d.client(command).told();
        d.server(reply);
        let expected: Vec<_> = told
            .into_iter()
            .map(|(code, to)| Note::replied(code, to))
            .collect();
        assert_eq!(d.told(), expected, "{command} {reply}");
    }
    let mut d = unbegun();
    d.client("NOOP\r\n").server("220 Hi\r\n");
    assert_eq!(
        d.told(),
        [Note::replied(220, None)],
        "the greeting answers nothing"
    );
}

#[test]
fn a_preliminary_reply_is_told_of_the_transfer_that_it_begins() {
    for (commands, reply, told) in [
        ("RETR x\r\n", "150 Here\r\n", true),
        ("LIST\r\nNOOP\r\n", "125 Here\r\n", true),
        ("NOOP\r\nRETR x\r\n", "150 Not yet\r\n", false),
        ("NOOP\r\n", "110 What\r\n", false),
        ("", "120 Soon\r\n", false),
        ("RETR x\r\n", "150-Here\r\n", false),
    ] {
        let mut d = Dialogue::new();
        d.client(commands).told();
        d.server(reply);
        let code = reply[..3].parse().unwrap();
        let expected: Vec<_> = told
            .then(|| Note::replied(code, Request::Transfer))
            .into_iter()
            .collect();
        assert_eq!(d.told(), expected, "{commands} {reply}");
    }
    let mut d = Dialogue::new();
    d.client("RETR x\r\n").server("150-Here\r\n").told();
    d.server("150 it is\r\n226 Done\r\n");
    let both = [150, 226].map(|code| Note::replied(code, Request::Transfer));
    assert_eq!(d.told(), both, "it is not the transfer's end");
}

#[test]
fn another_way_to_go_on_is_told() {
    for (role, command, reply, mode) in [
        (SERVER, "EPSV ALL\r\n", "200 Ok\r\n", Mode::EpsvAll),
        (SERVER, "AUTH TLS\r\n", "234 Go\r\n", Mode::Tls),
        (CLIENT, "GET / HTTP/1.1\r\n", "", Mode::NotFtp),
    ] {
        let mut d = Dialogue::new();
        d.client(command).server(reply);
        assert!(d.told().contains(&Note::changed(mode, role)), "{command}");
    }
    let mut d = unbegun();
    d.server("HTTP/1.1 400\r\n");
    assert_eq!(d.told(), [Note::changed(Mode::NotFtp, SERVER)]);
    // What can't be read, by its reason.
    for (reply, reason) in [
        ("227 Ok\r\n", Counter::PassedUnparsed),
        ("229 Ok\r\n", Counter::PassedUnparsed),
        ("228 Ok (4,4,1,2,3,4,2,5,6)\r\n", Counter::PassedLongForm),
    ] {
        let mut d = Dialogue::new();
        d.client("PASV\r\n").told();
        d.server(reply);
        assert_eq!(d.told(), [Note::unread(SERVER, reason)], "{reply}");
    }
}
