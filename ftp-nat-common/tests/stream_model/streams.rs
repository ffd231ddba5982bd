//! Streams made of FTP lines, of lines that are nearly announcements, and of
//! bytes that mean something to Telnet.

use crate::rng::Rng;

const COMMANDS: &[&[u8]] = &[
    b"NOOP\r\n",
    b"LIST\r\n",
    b"RETR some/file with blanks\r\n",
    b"\r\n",
    b"TYPE I\n",
    b"STOR \xc3\xa9\xff\xff.txt\r\n",
    b"\xff\xf4\xff\xf2ABOR\r\n",
    b"PASV\r\n",
    b"EPSV ALL\r\n",
    b"SITE PORT 10,10,0,1,30,4\r\n",
    b"PORT\r\n",
    b"PORT \r\n",
    b"PORT 10,10,0,1,30\r\n",
    b"PORT 10,10,0,1,30,4,5\r\n",
    b"PORT 10,10,0,256,30,4\r\n",
    b"PORT 1\r\n",
    b"PORT 10,10,0,1,3,255\r\n",
    b"PORT 10,10,0,2,30,4\r\n",
    b"PORT 10,10,0,1,30,4x\r\n",
    b"PORT 10\xff\xf1,10\xff\xf1,0\xff\xf1,1\xff\xf1,3\xff\xf10,4\r\n",
    b"EPRT |1|10.10.0.1|65536|\r\n",
    b"EPRT |1|10.10.0.1\r\n",
    b"EPRT |2|2001:db8::2|7000|\r\n",
    b"EPRT |2|2001:db8:::1|7000|\r\n",
    b"EPRT |3|x|7000|\r\n",
    b"AUTH\r\n",
];

const REPLIES: &[&[u8]] = &[
    b"200 Ok\r\n",
    b"150 Here it comes\r\n226 Done\r\n",
    b"230-Hello\r\n227 no reply (10,10,0,1,30,4)\r\n 229 (|||7684|)\r\n230 End\r\n",
    b"227-a (10,10,0,1,30,4)\r\n227 b (10,10,0,1,30,4)\r\n",
    b"550 No such file 10,10,0,1,30,4\r\n",
    b"227 Entering Passive Mode 2 (10,10,0,9,30,4)\r\n",
    b"227 Entering Passive Mode (10,10,0,1,30)\r\n",
    b"227 Version 1,2,3,4,5,6,7 (10,10,0,1,30,4)\r\n",
    b"227 1 22 333 1,1 10,10,0,1,3,4\r\n",
    b"229 (||7684|)\r\n",
    b"229 ok (|||70000|)\r\n",
    b"229 ok (|||7684!)\r\n",
    b"220-\xff\xfb\x01Telnet\r\n220 x\r\n",
    b"\r\n",
];

/// What stands before the address of a 227.
const WORDINGS: &[&str] = &[
    "Entering Passive Mode (",
    "Entering Passive Mode (",
    "Entering Passive Mode (",
    "",
    "=",
    "Ok (",
    "Passive ok, (",
    "Twenty-nine characters do it (",
    "This is what is too long to be held as a whole (",
    "Mode 2 (",
    "Passiver \u{dc}bertragungsmodus (",
];

/// A client's or a server's stream; `v6` is the family of the session.
pub fn random(rng: &mut Rng, client: bool, v6: bool, lines: usize) -> Vec<u8> {
    let mut stream = if client {
        b"USER anonymous\r\n".to_vec()
    } else {
        b"220 Ready\r\n".to_vec()
    };
    for _ in 0..lines {
        if rng.chance(55) {
            stream.extend(announcement(rng, client, v6));
        } else if rng.chance(8) {
            stream.extend(noise(rng, client));
        } else {
            stream.extend(*rng.pick(if client { COMMANDS } else { REPLIES }));
        }
    }
    if rng.chance(15) {
        // The stream ends in the middle of something.
        let cut = rng.range(1, 12.min(stream.len()));
        stream.truncate(stream.len() - cut);
    }
    stream
}

/// What else a server may call itself, and whom it must not name.
const SERVERS_ADDRESSES: [&str; 7] = [
    "161,144,101,202",
    "1,2,3,4",
    "0,0,0,0",
    "172,17,0,2",
    "192,168,250,1",
    "172,32,0,1",
    "203,0,113,9",
];

fn announcement(rng: &mut Rng, client: bool, v6: bool) -> Vec<u8> {
    let port = if rng.chance(90) {
        rng.range(1024, 65_535)
    } else {
        rng.below(65_536)
    };
    let (high, low) = (port / 256, port % 256);
    let end = *rng.pick(&["\r\n", "\r\n", "\n", "\r\0\n"]);
    let d = *rng.pick(&["|", "|", "|", "!", "/", "x"]);
    let mut line = match (client, v6, rng.chance(60)) {
        (true, false, true) => format!("PORT 10,10,0,1,{high},{low}{end}"),
        (true, false, false) => format!("EPRT {d}1{d}10.10.0.1{d}{port}{d}{end}"),
        (true, true, true) => format!("eprt {d}2{d}2001:db8::1{d}{port}{d}{end}"),
        (true, true, false) => format!("EPRT {d}2{d}2001:0DB8:0:0::0001{d}{port}{d}{end}"),
        (false, false, true) => {
            let text = *rng.pick(WORDINGS);
            let addr = if rng.chance(70) {
                "10,10,0,1"
            } else {
                *rng.pick(&SERVERS_ADDRESSES)
            };
            format!("227 {text}{addr},{high},{low}).{end}")
        }
        (false, ..) => format!("229 Extended passive ({d}{d}{d}{port}{d}){end}"),
    };
    if rng.chance(10) {
        line = line
            .to_lowercase()
            .replacen(' ', " \t ", 1)
            .replace("10,10,0", "010,10,000");
    }
    let mut line = line.into_bytes();
    if rng.chance(8) {
        let at = rng.below(line.len());
        let telnet: &[u8] =
            rng.pick::<&[u8]>(&[b"\xff\xf1", b"\xff\xfd\x18", b"\xff\xfa\x01\n1\xff\xf0"]);
        line.splice(at..at, telnet.iter().copied());
    }
    line
}

/// Anything at all, but no line of another protocol.
fn noise(rng: &mut Rng, client: bool) -> Vec<u8> {
    let mut line: Vec<u8> = if client {
        b"SITE ".to_vec()
    } else {
        b"200 ".to_vec()
    };
    for _ in 0..rng.below(90) {
        line.push(*rng.pick(b"0123456789,,,.|()\r\0 PORT227\xfe\x80"));
    }
    line.push(b'\n');
    line
}
