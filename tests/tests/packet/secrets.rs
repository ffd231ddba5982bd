//! What was said is forgotten when its packet is gone: passwords are, and whoever may
//! read maps can read the memory of the programs.

use ftp_nat_common::counter::Counter as C;

use crate::{
    bench::Bench,
    connection::Connection,
    hosts::{Family, GATEWAY_LONGEST},
};

const PASSWORD: &str = "correct-horse-battery-staple";

/// Announcements at most before the password: as many as may be outstanding.
const LINES: usize = 15;

#[test]
fn what_was_said_behind_announcements_that_grew_is_forgotten() {
    let mut bench = Bench::new();
    for lines in 0..=LINES {
        bench.clear();
        bench.only_port(7684);
        let mut c = Connection::masqueraded(Family::V4, GATEWAY_LONGEST);
        c.establish(&mut bench);
        let text = "PORT 10,10,0,1,30,4\r\n".repeat(lines) + "PASS " + PASSWORD + "\r\n";
        let out = c.client_says(&mut bench, &text);
        let grown = out.payload().len() - text.len();
        assert_eq!(bench.count(C::RewritesShifted), lines as u64);
        assert!(
            out.payload()
                .ends_with(format!("{PASSWORD}\r\n").as_bytes())
        );
        let memory = bench.scratch();
        // Any part of it that is long enough to be no chance.
        for part in PASSWORD.as_bytes().windows(6) {
            let left = memory.windows(part.len()).any(|w| w == part);
            let part = String::from_utf8_lossy(part);
            assert!(
                !left,
                "{part} is left of {} bytes that grew by {grown}",
                text.len()
            );
        }
    }
}
