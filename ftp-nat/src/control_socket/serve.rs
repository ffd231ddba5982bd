//! The side of `run`.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use ftp_nat_common::counter::Counter;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, broadcast::error::RecvError, mpsc, oneshot},
};

use super::{Answer, REQUEST_MAX, Request, place};
use crate::{
    daemon::reload::Outcome,
    error::{Error, Result},
    events::listen::Events,
    maps::Maps,
};

/// Askers at a time; more wait.
const ASKERS: usize = 32;

/// What answers are made of.
pub(crate) struct Surroundings {
    /// What happened.
    pub(crate) events: Rc<Events>,
    /// The maps.
    pub(crate) maps: Rc<Maps>,
    /// Who reads the configuration again; it answers by the sender that it gets.
    pub(crate) reload: mpsc::Sender<oneshot::Sender<Outcome>>,
}

/// The socket. It is removed when it is dropped.
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if let Err(e) = fs::remove_file(&self.path) {
            log::debug!("removing {}: {e}", self.path.display());
        }
    }
}

impl ControlSocket {
    /// The socket that belongs to a pin path, whose lock the caller holds: so one
    /// that is there is of a process that died.
    pub(crate) fn bind(pin_path: &Path) -> Result<Self> {
        let path = place::of(pin_path);
        let listener = bind(&path).map_err(Error::io(format!(
            "making the control socket {}",
            path.display()
        )))?;
        Ok(Self { listener, path })
    }

    /// Answers until the task is ended.
    pub(crate) async fn serve(self, surroundings: Rc<Surroundings>) {
        let room = Arc::new(Semaphore::new(ASKERS));
        loop {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                return;
            };
            let asker = match self.listener.accept().await {
                Ok((asker, _)) => asker,
                Err(e) => {
                    log::warn!("{}: {e}", self.path.display());
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                    continue;
                }
            };
            let surroundings = Rc::clone(&surroundings);
            tokio::task::spawn_local(async move {
                if let Err(e) = converse(asker, &surroundings).await {
                    log::debug!("control socket: {e}");
                }
                drop(permit);
            });
        }
    }
}

/// Under another name first, so that nobody finds it before only root may use it.
fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(folder)?;
    }
    let hidden = path.with_extension(format!("{}.new", std::process::id()));
    match fs::remove_file(&hidden) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(&hidden)?;
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o600))?;
    fs::rename(&hidden, path)?;
    Ok(listener)
}

async fn converse(asker: UnixStream, surroundings: &Surroundings) -> io::Result<()> {
    let (reader, mut writer) = asker.into_split();
    let mut reader = BufReader::new(reader.take(REQUEST_MAX));
    let mut line = String::new();
    if reader.read_line(&mut line).await? == 0 {
        return Ok(());
    }
    match serde_json::from_str(&line) {
        Ok(request) => {
            let hang_up = reader.into_inner().into_inner();
            answer(request, surroundings, hang_up, &mut writer).await
        }
        Err(e) => {
            send(
                &mut writer,
                &Answer::Failed(format!("no such request: {e}")),
            )
            .await
        }
    }
}

async fn answer(
    request: Request,
    surroundings: &Surroundings,
    hang_up: OwnedReadHalf,
    writer: &mut OwnedWriteHalf,
) -> io::Result<()> {
    surroundings.events.catch_up().await;
    match request {
        Request::Events { follow } => events(surroundings, follow, hang_up, writer).await?,
        Request::History { which } => {
            let found = surroundings.events.history().borrow().find(&which);
            send(writer, &Answer::History(found)).await?;
        }
        Request::Reload => {
            let outcome = reload(&surroundings.reload).await;
            send(
                writer,
                &outcome.map_or(Answer::Failed(ENDING.to_owned()), Answer::Reloaded),
            )
            .await?;
        }
    }
    send(writer, &Answer::Done).await
}

/// What is said where `run` is about to end.
const ENDING: &str = "it is ending";

async fn reload(to: &mpsc::Sender<oneshot::Sender<Outcome>>) -> Option<Outcome> {
    let (sender, receiver) = oneshot::channel();
    to.send(sender).await.ok()?;
    receiver.await.ok()
}

/// What happened, and what happens.
async fn events(
    surroundings: &Surroundings,
    follow: bool,
    mut hang_up: OwnedReadHalf,
    writer: &mut OwnedWriteHalf,
) -> io::Result<()> {
    let (recent, mut coming) = {
        let history = surroundings.events.history().borrow();
        (
            history.recent().cloned().collect::<Vec<_>>(),
            history.follow(),
        )
    };
    let lost_so_far = || surroundings.maps.counters.get(Counter::EventsLost);
    let mut lost = lost_so_far().map_err(io::Error::other)?;
    if lost > 0 {
        send(writer, &Answer::Lost(lost)).await?;
    }
    for entry in recent {
        send(writer, &Answer::Event(entry)).await?;
    }
    send(writer, &Answer::Present).await?;
    if !follow {
        return Ok(());
    }
    let mut byte = [0];
    loop {
        let entry = tokio::select! {
            entry = coming.recv() => entry,
            // Nothing more is asked: the asker has gone.
            _ = hang_up.read(&mut byte) => return Ok(()),
        };
        let now = lost_so_far().map_err(io::Error::other)?;
        if now > lost {
            send(writer, &Answer::Lost(now - lost)).await?;
            lost = now;
        }
        match entry {
            Ok(entry) => send(writer, &Answer::Event(entry)).await?,
            Err(RecvError::Lagged(behind)) => send(writer, &Answer::Lost(behind)).await?,
            Err(RecvError::Closed) => return Ok(()),
        }
    }
}

async fn send(writer: &mut OwnedWriteHalf, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    writer.write_all(&line).await
}
