//! The HTTP server: `GET /metrics`, and nothing else.

use std::{
    convert::Infallible,
    net::{SocketAddr, TcpListener as StdListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::{JoinHandle, spawn_blocking},
    time,
};

use super::{address::Address, text};
use crate::{
    error::{Error, Result},
    maps::Maps,
    traffic,
    view::{Context, stats::collect},
};

/// The type of the text (OpenMetrics 1.0).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Connections at a time; more wait.
const CONNECTIONS: usize = 16;
/// How long a connection may take in all.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a client may take for its request.
const HEADER_PATIENCE: Duration = Duration::from_secs(10);

/// A port that is ours, and that nobody is answered at yet.
#[derive(Debug)]
pub struct Bound {
    listener: StdListener,
    address: SocketAddr,
}

impl Bound {
    /// Takes the port.
    pub fn at(Address(address): Address) -> Result<Self> {
        let fail = |source| Error::Metrics { address, source };
        let listener = StdListener::bind(address).map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        Ok(Self { listener, address })
    }

    /// Answers with what the maps at `pin_path` say, and with the traffic, until the
    /// server is dropped.
    pub fn serve(self, pin_path: &Path, traffic: traffic::Shared) -> Result<Server> {
        let address = self.address;
        let listener = TcpListener::from_std(self.listener)
            .map_err(|source| Error::Metrics { address, source })?;
        log::info!("metrics at http://{address}/metrics");
        let sources = Arc::new(Sources {
            pin_path: pin_path.to_owned(),
            traffic,
        });
        Ok(Server(tokio::spawn(accept(listener, sources))))
    }
}

/// What a scrape is made of.
#[derive(Debug)]
struct Sources {
    pin_path: PathBuf,
    traffic: traffic::Shared,
}

/// The server; it ends when this is dropped.
#[derive(Debug)]
pub struct Server(JoinHandle<()>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn accept(listener: TcpListener, sources: Arc<Sources>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(e) => {
                log::warn!("metrics: {e}");
                time::sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let sources = Arc::clone(&sources);
        tokio::spawn(async move {
            if let Ok(Err(e)) = time::timeout(PATIENCE, converse(stream, sources)).await {
                log::debug!("metrics: {e}");
            }
            drop(permit);
        });
    }
}

async fn converse(stream: TcpStream, sources: Arc<Sources>) -> hyper::Result<()> {
    let service = service_fn(|request| answer(request, Arc::clone(&sources)));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

type Answer = Response<Full<Bytes>>;

async fn answer(
    request: Request<Incoming>,
    sources: Arc<Sources>,
) -> std::result::Result<Answer, Infallible> {
    let mut answer = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => scraped(&sources).await,
        (_, "/metrics") => {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
            answer
                .headers_mut()
                .insert(ALLOW, "GET, HEAD".parse().unwrap_or(PLAIN));
            answer
        }
        (_, _) => plain(StatusCode::NOT_FOUND, "the metrics are at /metrics\n"),
    };
    if request.method() == Method::HEAD {
        *answer.body_mut() = Full::default();
    }
    Ok(answer)
}

const PLAIN: hyper::header::HeaderValue =
    hyper::header::HeaderValue::from_static("text/plain; charset=utf-8");

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, PLAIN);
    answer
}

/// Beside the event loop: large tables take their time.
async fn scraped(sources: &Arc<Sources>) -> Answer {
    let sources = Arc::clone(sources);
    let read = spawn_blocking(move || -> Result<String> {
        let stats = collect(&Maps::open(&sources.pin_path)?, &Context::now()?)?;
        let totals = sources.traffic.lock().totals();
        text::of(stats, totals).map_err(|e| Error::io("writing metrics")(std::io::Error::other(e)))
    });
    match read.await {
        Ok(Ok(text)) => {
            let mut answer = plain(StatusCode::OK, text);
            let kind = hyper::header::HeaderValue::from_static(OPEN_METRICS);
            answer.headers_mut().insert(CONTENT_TYPE, kind);
            answer
        }
        Ok(Err(e)) => {
            log::warn!("metrics: {}", e.whole());
            plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("{}\n", e.whole()),
            )
        }
        Err(e) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{e}\n")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn ask(at: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    fn bound() -> Bound {
        // Any free port: an option can't ask for that.
        Bound::at(Address("127.0.0.1:0".parse().unwrap())).unwrap()
    }

    #[tokio::test]
    async fn only_the_metrics_are_there_and_only_to_be_read() {
        let bound = bound();
        let at = bound.listener.local_addr().unwrap();
        let server = bound.serve(Path::new("/nonexistent/pins"), Default::default());
        let server = server.unwrap();
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        for (request, expected) in [
            (get("/"), "404"),
            (get("/metrics/x"), "404"),
            (
                "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".to_owned(),
                "405",
            ),
            (get("/metrics"), "500"),
        ] {
            let text = ask(at, &request).await;
            assert!(text.starts_with(&format!("HTTP/1.1 {expected} ")), "{text}");
        }
        let text = ask(at, &get("/metrics")).await;
        assert!(text.contains("/nonexistent/pins"), "it says why: {text}");
        drop(server);
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let first = bound();
        let address = Address(first.listener.local_addr().unwrap());
        let error = Bound::at(address).unwrap_err().whole();
        assert!(error.contains(&address.to_string()), "{error}");
        assert!(error.contains("--metrics"), "{error}");
    }
}
