//! Accepts connections and serves them, within limits, until told to stop.

use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::limits::Limits;
use crate::peer::Peer;
use crate::server::{Server, router};

/// How an HTTP/2 client begins; no HTTP/1 method does.
const H2_PREFACE: &[u8] = b"PRI ";

/// How long to wait before accepting again when the system is out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a connection too many is told.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n\
Cache-Control: no-store\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 141\r\n\r\n\
{\"detail\":\"too many connections are open: try again in a second\",\"status\":503,\
\"title\":\"the server is busy\",\"type\":\"ledgerstone:connections\"}\n";

/// Serves HTTP/1.1 and cleartext HTTP/2 on `listener` until `shutdown` resolves; then requests that have begun are
/// finished, for at most [`Limits::shutdown_wait`].
///
/// # Errors
/// The listener is broken. Errors of single connections end those only.
pub async fn serve(
    server: Arc<Server>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let limits = Arc::new(server.limits.clone());
    let books = tokio::spawn(server.clone().keep_books());
    let router = router(server.clone());
    let permits = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let (stop, stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            // Ended connections are taken out as they end, so that the set does not grow.
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_connection(&error) => continue,
            Err(error) if is_shortage(&error) => {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        match permits.clone().try_acquire_owned() {
            Ok(permit) => {
                let watcher = graceful.watcher();
                let start = start(stream, address, limits.clone(), stopping.clone());
                connections.spawn(connection(start, router.clone(), limits.clone(), watcher, permit));
            }
            Err(_) => refuse(stream),
        }
    }
    drop(listener);
    drop(stop);
    server.begin_to_stop();
    drop(tokio::time::timeout(limits.shutdown_wait, graceful.shutdown()).await);
    connections.shutdown().await;
    books.abort();
    Ok(())
}

/// A connection of which is known how to serve it.
struct Connection {
    stream: TcpStream,
    version: Version,
    peer: Peer,
}

/// Waits for the first bytes of a connection; `None` if none come in time or the server stops.
async fn start(
    stream: TcpStream,
    address: SocketAddr,
    limits: Arc<Limits>,
    mut stopping: watch::Receiver<()>,
) -> Option<Connection> {
    // Answers are small and somebody waits for each.
    drop(stream.set_nodelay(true));
    let version = tokio::select! {
        version = tokio::time::timeout(limits.head_wait, version(&stream)) => version.ok()?.ok()?,
        // Nothing is ever sent: the sender is dropped when the server stops.
        _ = stopping.changed() => return None,
    };
    Some(Connection { stream, version, peer: Peer(address) })
}

/// Serves one connection to its end.
async fn connection(
    start: impl Future<Output = Option<Connection>>,
    router: Router,
    limits: Arc<Limits>,
    watcher: Watcher,
    _permit: OwnedSemaphorePermit,
) {
    let Some(Connection { stream, version, peer }) = start.await else { return };
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_wait)
        .max_buf_size(limits.head_bytes.max(8 << 10));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.head_wait)
        .max_concurrent_streams(limits.streams_per_connection)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX));
    let builder = match version {
        Version::One => builder.http1_only(),
        Version::Two => builder.http2_only(),
    };
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        inner.call(request)
    });
    let served = builder.serve_connection(TokioIo::new(stream), service);
    // A client that breaks off has had whatever answer it waited for.
    drop(watcher.watch(served.into_owned()).await);
}

enum Version {
    One,
    Two,
}

/// Tells the version from the first bytes without taking them. Done here since the builder's own way has no time limit.
async fn version(stream: &TcpStream) -> io::Result<Version> {
    let mut first = [0; H2_PREFACE.len()];
    loop {
        let got = stream.peek(&mut first).await?;
        if got == 0 || first[..got] != H2_PREFACE[..got] {
            return Ok(Version::One);
        }
        if got == H2_PREFACE.len() {
            return Ok(Version::Two);
        }
        // Peeking returns at once as long as there are bytes, more or not.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Answers a connection too many and closes it. The few bytes fit the empty send buffer; if not, so be it.
fn refuse(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        drop(stream.write(TOO_MANY));
    }
}

/// Whether the error is about the connection that was to be accepted, not about the listener.
fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Whether the system is out of descriptors or memory, which passes (EMFILE, ENFILE, ENOBUFS, ENOMEM).
fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(24 | 23 | 105 | 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_as_long_as_it_says() {
        let text = std::str::from_utf8(TOO_MANY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
        record::json::parse(body.as_bytes()).unwrap();
    }
}
