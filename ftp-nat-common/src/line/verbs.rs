//! What the verbs of a client's lines mean to the helper.

/// What a command is to the helper.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// Not a command.
    None = 0,
    /// A command that changes nothing here.
    Other = 1,
    /// PORT, EPRT: its refusal withdraws the expectation.
    Active = 2,
    /// PASV, EPSV, LPSV, and drftpd's CPSV and SPSV: a 227, 228 or 229 may follow.
    Passive = 3,
    /// A transfer, which uses what was announced before it.
    Transfer = 4,
    /// AUTH (RFC 2228, RFC 4217).
    Auth = 5,
    /// CCC (RFC 2228).
    ClearChannel = 6,
    /// REIN.
    Reinitialize = 7,
    /// QUIT.
    Quit = 8,
    /// ABOR.
    Abort = 9,
    /// LPRT (RFC 1639): recognised, not rewritten.
    LongPort = 10,
    /// `EPSV ALL` (RFC 2428 section 4).
    EpsvAll = 11,
    /// A line with nothing in it. Some servers say 500 to it (pyftpdlib), others
    /// nothing (vsftpd, ProFTPD).
    Empty = 12,
}

/// The bits that tell what a request is.
pub(super) const KIND: u16 = 15;

impl Request {
    /// The request whose number is in the bits of `KIND`.
    #[inline(always)]
    pub const fn from_bits(bits: u16) -> Self {
        match bits & KIND {
            1 => Self::Other,
            2 => Self::Active,
            3 => Self::Passive,
            4 => Self::Transfer,
            5 => Self::Auth,
            6 => Self::ClearChannel,
            7 => Self::Reinitialize,
            8 => Self::Quit,
            9 => Self::Abort,
            10 => Self::LongPort,
            11 => Self::EpsvAll,
            12 => Self::Empty,
            _ => Self::None,
        }
    }
}

/// A verb of up to four letters as one number.
const fn word(s: &[u8]) -> u32 {
    let mut w = 0u32;
    let mut i = 0;
    while i < s.len() {
        w = (w << 8) | s[i] as u32;
        i += 1;
    }
    w
}

pub(super) const PORT: u32 = word(b"PORT");
pub(super) const EPRT: u32 = word(b"EPRT");
const LPRT: u32 = word(b"LPRT");
const PASV: u32 = word(b"PASV");
const EPSV: u32 = word(b"EPSV");
const LPSV: u32 = word(b"LPSV");
const CPSV: u32 = word(b"CPSV");
const SPSV: u32 = word(b"SPSV");
const AUTH: u32 = word(b"AUTH");
const CCC: u32 = word(b"CCC");
const REIN: u32 = word(b"REIN");
const QUIT: u32 = word(b"QUIT");
const ABOR: u32 = word(b"ABOR");
const ALL: u32 = word(b"ALL");
const RETR: u32 = word(b"RETR");
const STOR: u32 = word(b"STOR");
const STOU: u32 = word(b"STOU");
const APPE: u32 = word(b"APPE");
const LIST: u32 = word(b"LIST");
const NLST: u32 = word(b"NLST");
const MLSD: u32 = word(b"MLSD");

/// Whether the verb means something else with another argument.
#[inline(always)]
pub(super) const fn takes_argument(verb: u32) -> bool {
    verb == EPSV
}

/// Whether a verb, of which `len` letters were read, begins an HTTP request:
/// a browser can be made to send lines of someone else's choice to any port.
#[inline(always)]
pub(super) const fn is_http_method(verb: u32, len: u8) -> bool {
    // Methods that are also prefixes of FTP verbs are told by their length.
    (len == 3 && (verb == word(b"GET") || verb == word(b"PUT")))
        || (len == 4 && (verb == word(b"POST") || verb == word(b"HEAD")))
        || (len == 5 && (verb == word(b"PATC") || verb == word(b"TRAC")))
        || (len == 6 && verb == word(b"DELE"))
        || (len == 7 && (verb == word(b"OPTI") || verb == word(b"CONN")))
}

/// What the verb of an ended line is.
#[inline(always)]
pub(super) const fn classify(verb: u32, argument: u32) -> Request {
    match verb {
        PORT | EPRT => Request::Active,
        LPRT => Request::LongPort,
        EPSV if argument == ALL => Request::EpsvAll,
        PASV | EPSV | LPSV | CPSV | SPSV => Request::Passive,
        AUTH => Request::Auth,
        CCC => Request::ClearChannel,
        REIN => Request::Reinitialize,
        QUIT => Request::Quit,
        ABOR => Request::Abort,
        RETR | STOR | STOU | APPE | LIST | NLST | MLSD => Request::Transfer,
        _ => Request::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_told_apart() {
        let kinds: [(Request, &[&[u8]]); 9] = [
            (Request::Active, &[b"PORT", b"EPRT"]),
            (Request::LongPort, &[b"LPRT"]),
            (
                Request::Passive,
                &[b"PASV", b"EPSV", b"LPSV", b"CPSV", b"SPSV"],
            ),
            (Request::Auth, &[b"AUTH"]),
            (Request::ClearChannel, &[b"CCC"]),
            (Request::Reinitialize, &[b"REIN"]),
            (Request::Quit, &[b"QUIT"]),
            (
                Request::Transfer,
                &[
                    b"RETR", b"STOR", b"STOU", b"APPE", b"LIST", b"NLST", b"MLSD",
                ],
            ),
            // They open nothing and begin nothing (PROT and PBSZ: RFC 4217).
            (
                Request::Other,
                &[
                    b"NOOP", b"PROT", b"PBSZ", b"SITE", b"HOST", b"MLST", b"SSCN", b"PRET", b"MODE",
                ],
            ),
        ];
        for (kind, verbs) in kinds {
            for verb in verbs {
                assert_eq!(classify(word(verb), 0), kind, "{verb:?}");
            }
        }
        assert_eq!(classify(word(b"ABOR"), 0), Request::Abort);
        assert_eq!(classify(word(b"EPSV"), word(b"ALL")), Request::EpsvAll);
        assert_eq!(classify(word(b"EPSV"), word(b"2")), Request::Passive);
        assert_eq!(classify(word(b"PASV"), word(b"ALL")), Request::Passive);
        assert!(is_http_method(word(b"DELE"), 6) && !is_http_method(word(b"DELE"), 4));
    }

    #[test]
    fn methods_of_http_are_no_verbs_of_ftp() {
        let begins_http =
            |text: &[u8]| is_http_method(word(&text[..text.len().min(4)]), text.len() as u8);
        for method in [
            &b"GET"[..],
            b"PUT",
            b"POST",
            b"HEAD",
            b"PATCH",
            b"TRACE",
            b"DELETE",
            b"OPTIONS",
            b"CONNECT",
        ] {
            assert!(begins_http(method), "{method:?}");
        }
        for verb in [
            &b"DELE"[..],
            b"OPTS",
            b"USER",
            b"PASV",
            b"PWD",
            b"CCC",
            b"PATC",
            b"TRAC",
            b"OPTI",
            b"CONN",
            b"GETS",
            b"PU",
            b"POSTS",
            b"HEADER",
        ] {
            assert!(!begins_http(verb), "{verb:?}");
        }
    }

    #[test]
    fn a_request_is_known_by_its_number() {
        for (n, request) in [
            Request::None,
            Request::Other,
            Request::Active,
            Request::Passive,
            Request::Transfer,
            Request::Auth,
            Request::ClearChannel,
            Request::Reinitialize,
            Request::Quit,
            Request::Abort,
            Request::LongPort,
            Request::EpsvAll,
            Request::Empty,
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(request as usize, n);
            assert_eq!(Request::from_bits(n as u16), request);
            assert_eq!(Request::from_bits(n as u16 | 0xfff0), request);
        }
    }
}
