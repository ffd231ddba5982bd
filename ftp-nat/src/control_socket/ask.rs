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
    path: PathBuf,
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
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Error::NobodyServes {
            path: pin_path.to_owned(),
        },
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
        path,
        over: false,
    })
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
        let what = || format!("reading from {}", self.path.display());
        let mut line = String::new();
        let read = self.reader.read_line(&mut line);
        match read.map_err(Error::io(what()))? {
            0 => Err(Error::io(what())(io::Error::other("`run` has ended"))),
            _ => match serde_json::from_str(&line).map_err(|e| Error::io(what())(e.into()))? {
                Answer::Done => Ok(None),
                Answer::Failed(why) => Err(Error::io("`run` can't do that")(io::Error::other(why))),
                answer => Ok(Some(answer)),
            },
        }
    }
}
