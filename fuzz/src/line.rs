//! The line parser alone, fed byte by byte, against the reference, which
//! splits the whole stream into lines first.

use std::net::IpAddr;

use crate::{
    input::Input,
    reference::without_telnet,
    setting::{Seen, Setting},
};
use ftp_nat_common::{
    addr::Addr,
    line::{
        Line, Step,
        text::{PREFIX_ENOUGH, TEXT_MAX, Text},
    },
    session::{CLIENT, SERVER},
    stream::{TELNET_MAX, dialogue::FIRST_PORT},
    translation::Kind,
};

/// The first byte chooses the role and the family, the second the addresses
/// and ports; the rest is the stream.
pub fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let (kind, salt) = (input.byte(), input.byte());
    let role = usize::from(kind & 1);
    let setting = Setting {
        role,
        v6: role == CLIENT && kind & 2 != 0,
        isn: 0,
        salt: u64::from(salt),
        capacity: 0,
        passive: usize::MAX,
        no_edits: false,
        unread: false,
        live: false,
    };
    let stream = input.0;
    let mut copy = Copy::new(&setting, stream);
    copy.all();
    let plan = setting.plan(stream, &copy.seen);
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    assert_eq!(text(&copy.output), text(&plan.output));
}

/// What the engine makes of a stream that comes in order and unhurt.
struct Copy<'a> {
    setting: &'a Setting,
    stream: &'a [u8],
    line: Line,
    /// Held bytes, and those of them that are of Telnet sequences.
    held: Vec<u8>,
    telnet: Vec<u8>,
    output: Vec<u8>,
    seen: Seen,
}

impl<'a> Copy<'a> {
    fn new(setting: &'a Setting, stream: &'a [u8]) -> Self {
        Self {
            setting,
            stream,
            line: Line::default(),
            held: Vec::new(),
            telnet: Vec::new(),
            output: Vec::new(),
            seen: Seen::default(),
        }
    }

    fn all(&mut self) {
        let data = without_telnet(self.stream, 0..self.stream.len());
        let first = data.first().map(|d| d.1);
        let mut data = data.into_iter().peekable();
        let mut line_start = true;
        for (at, &byte) in self.stream.iter().enumerate() {
            let meaning = data.next_if(|d| d.1 == at).map(|d| d.0);
            // A Telnet sequence before the first byte of a line hides its start.
            let at_start = self.line.at_start();
            assert!(!at_start || line_start, "no line begins at {at}");
            let fed = self.line.feed(self.setting.role, byte);
            assert_eq!(fed.telnet, meaning.is_none(), "Telnet at {at}");
            // A TLS record in place of the first line is known by its first byte.
            let tls = self.setting.role == CLIENT && first == Some(at) && meaning == Some(22);
            let ends = meaning == Some(b'\n') || tls;
            assert_eq!(fed.ended, ends, "the end at {at}");
            assert_eq!(
                self.line.holding(),
                fed.step == Step::Hold,
                "the state at {at}"
            );
            self.step(fed.step, fed.telnet, at, byte);
            line_start = fed.ended || (line_start && fed.telnet);
            if fed.ended {
                if self.line.is_foreign() {
                    self.output.extend_from_slice(&self.stream[at + 1..]);
                    return;
                }
                assert!(
                    !(self.line.announced() && self.line.is_empty() && self.setting.role == CLIENT)
                );
                self.line.next();
                assert!(self.line.at_start());
            }
        }
        self.output.append(&mut self.held);
    }

    fn step(&mut self, step: Step, telnet: bool, at: usize, byte: u8) {
        match step {
            Step::Plain => {
                assert!(self.held.is_empty(), "held text is forgotten at {at}");
                self.output.push(byte);
            }
            Step::Hold => {
                // The engine's bounds, which are the reference's, too.
                let full =
                    self.held.len() >= TEXT_MAX - 1 || (telnet && self.telnet.len() >= TELNET_MAX);
                if full {
                    self.line.skip_line();
                    self.seen.exempt.insert(at);
                    self.pass(byte);
                    return;
                }
                assert!(self.line.armed() && !(telnet && self.held.is_empty()));
                self.held.push(byte);
                if telnet {
                    self.telnet.push(byte);
                }
            }
            Step::Abandon => self.pass(byte),
            Step::Release => {
                assert!(!self.held.is_empty() && !telnet);
                if let Some(text) = self.replacement(at) {
                    self.held = text;
                }
                self.pass(byte);
            }
        }
    }

    fn pass(&mut self, byte: u8) {
        self.output.append(&mut self.held);
        self.output.push(byte);
        self.telnet.clear();
    }

    /// Whether the sender means itself: a server may name itself in other ways.
    fn is_own(&self, said: Addr) -> bool {
        let (own, seen) = (self.setting.own(), self.setting.seen());
        let said = said.to_ip();
        let server = self.setting.role == SERVER;
        let private = matches!(said, IpAddr::V4(v4) if v4.is_private());
        said == own
            || server && (said == seen || said == IpAddr::from([0; 4]) || private && own != seen)
    }

    /// The text for the address that was released at `at`.
    fn replacement(&self, at: usize) -> Option<Vec<u8>> {
        let kind = self.line.kind(self.setting.role);
        let said = self.line.announcement(kind);
        if (kind != Kind::Epsv && !self.is_own(said.addr)) || said.port < FIRST_PORT {
            return None;
        }
        let port = self.setting.port(at, said.port)?;
        let named = if kind == Kind::Epsv {
            self.setting.own()
        } else {
            said.addr.to_ip()
        };
        if self.setting.seen() == named && port == said.port {
            return None;
        }
        let mut text = Text::default();
        text.begin(kind, &Addr::from(self.setting.seen()), said.delimiter);
        text.port(kind, port);
        let prefix = u32::from(self.line.prefix());
        if prefix > 0 {
            let rest = self.telnet.len() as u32 + text.len;
            let fitting = (self.held.len() as u32).wrapping_sub(rest);
            let len = if prefix >= PREFIX_ENOUGH {
                fitting
            } else {
                prefix
            };
            let mut held = [0; TEXT_MAX];
            held[..self.held.len()].copy_from_slice(&self.held);
            text.precede(&held, prefix, len);
        }
        self.telnet.iter().for_each(|b| text.byte(*b));
        assert!(
            (text.len as usize) < TEXT_MAX,
            "no room for the byte behind"
        );
        Some(text.bytes[..text.len as usize].to_vec())
    }
}
