//! The side of the commands that ask `run`.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Answer, Request, place};
use crate::error::{Error, Result};

/// A request that is being answered.
pub struct Answers {
    reader: BufReader<UnixStream>,
    pin_path: PathBuf,
    /// Something was answered.
    begun: bool,
    over: bool,
}

/// Asks the instance that serves `pin_path`.
pub fn ask(pin_path: &Path, request: &Request) -> Result<Answers> {
    ask_within(pin_path, request, None)
}

/// The same, with a limit to how long each answer may take.
pub fn ask_within(
    pin_path: &Path,
    request: &Request,
    patience: Option<Duration>,
) -> Result<Answers> {
    let path = place::of(pin_path);
    let fail = |e: io::Error| match e.kind() {
        // A socket whose process died refuses.
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => nobody(pin_path),
        _ if is_hung_up(e.kind()) => nobody(pin_path),
        _ => Error::io(format!("asking at {}", path.display()))(e),
    };
    let mut stream = UnixStream::connect(&path).map_err(fail)?;
    stream
        .set_read_timeout(patience)
        .and_then(|()| stream.set_write_timeout(patience))
        .map_err(fail)?;
    let mut line = serde_json::to_vec(request).map_err(|e| fail(e.into()))?;
    line.push(b'\n');
    stream.write_all(&line).map_err(fail)?;
    Ok(Answers {
        reader: BufReader::new(stream),
        pin_path: pin_path.to_owned(),
        begun: false,
        over: false,
    })
}

fn nobody(pin_path: &Path) -> Error {
    Error::NobodyServes {
        path: pin_path.to_owned(),
    }
}

/// Whether the other side ended while it was asked.
const fn is_hung_up(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

impl Iterator for Answers {
    type Item = Result<Answer>;

    /// The next one; [`Answer::Done`] is none, and [`Answer::Failed`] an error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let answer = self.read();
        self.over = !matches!(answer, Ok(Some(_)));
        answer.transpose()
    }
}

impl Answers {
    fn read(&mut self) -> Result<Option<Answer>> {
        let what = || format!("reading from {}", place::of(&self.pin_path).display());
        let mut line = String::new();
        let read = match self.reader.read_line(&mut line) {
            Err(e) if is_hung_up(e.kind()) => 0,
            read => read.map_err(Error::io(what()))?,
        };
        let begun = std::mem::replace(&mut self.begun, true);
        match read {
            // Who ends before it has said anything serves nobody.
            0 if !begun => Err(nobody(&self.pin_path)),
            0 => Err(Error::io(what())(io::Error::other("`run` has ended"))),
            _ => match serde_json::from_str(&line).map_err(|e| Error::io(what())(e.into()))? {
                Answer::Done => Ok(None),
                Answer::Failed(why) => Err(Error::io("`run` can't do that")(io::Error::other(why))),
                answer => Ok(Some(answer)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(stream: UnixStream) -> Answers {
        Answers {
            reader: BufReader::new(stream),
            pin_path: PathBuf::from("/pins"),
            begun: false,
            over: false,
        }
    }

    #[test]
    fn who_ends_unread_or_unsaid_serves_nobody() {
        let nobody = |mut answers: Answers| {
            let told = answers.next();
            assert!(
                matches!(told, Some(Err(Error::NobodyServes { .. }))),
                "{told:?}"
            );
            assert!(answers.next().is_none());
        };
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        nobody(answers(ours));
        // What it was asked is left unread: the connection is reset.
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(b"{}\n").unwrap();
        drop(theirs);
        nobody(answers(ours));
    }

    #[test]
    fn who_ends_later_has_ended() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"{\"answer\":\"present\"}\n").unwrap();
        drop(theirs);
        let mut answers = answers(ours);
        assert!(matches!(answers.next(), Some(Ok(Answer::Present))));
        let Some(Err(ended)) = answers.next() else {
            panic!("it goes on")
        };
        assert!(
            ended.whole().contains("`run` has ended"),
            "{}",
            ended.whole()
        );
    }
}
