//! Accepts connections and serves them, within limits, until told to stop.

mod addresses;
#[cfg(test)]
mod tests;
mod turned;

use std::future::Future;
use std::io::{self, Write};
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
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::limits::Limits;
use crate::peer::{ClientCert, Peer};
use crate::server::{Server, router};
use crate::tls::{self, Handshake, Handshakes, Tls};
use addresses::{Addresses, Place};
pub(crate) use turned::Turned;

/// How an HTTP/2 client begins; no HTTP/1 method does.
const H2_PREFACE: &[u8] = b"PRI ";

/// How long to wait before accepting again when the system is out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a connection too many is told.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n\
Cache-Control: no-store\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 141\r\n\r\n\
{\"detail\":\"too many connections are open: try again in a second\",\"status\":503,\
\"title\":\"the server is busy\",\"type\":\"ledgerstone:connections\"}\n";

/// What a connection too many of one client is told.
const TOO_MANY_OF_ONE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n\
Cache-Control: no-store\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 183\r\n\r\n\
{\"detail\":\"too many connections are open from your address: close some, or use each for more\",\"status\":503,\
\"title\":\"too many connections\",\"type\":\"ledgerstone:connections-of-address\"}\n";

/// What clear text on a port that speaks TLS is told.
const SPEAKS_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n\
Cache-Control: no-store\r\nConnection: close\r\nContent-Length: 201\r\n\r\n\
{\"detail\":\"this port speaks TLS: use https://; if a token was sent along, it has crossed the network in the clear: \
revoke it\",\"status\":400,\"title\":\"this port wants TLS\",\"type\":\"ledgerstone:wants-tls\"}\n";

/// How every TLS connection begins: a record with a part of a handshake (RFC 8446 section 5.1).
const HANDSHAKE_RECORD: u8 = 22;

/// For how long what was sent in the clear is taken in, so that the answer is not lost with the connection.
const LINGER: Duration = Duration::from_secs(1);

/// Serves on `listener` until `shutdown` resolves; then requests that have begun are finished, for at most
/// [`Limits::shutdown_wait`]. HTTP/1.1 and HTTP/2 over TLS 1.3 if the server has a certificate, else in the clear.
///
/// # Errors
/// The listener is broken. Errors of single connections end those only.
pub async fn serve(
    server: Arc<Server>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (limits, tls) = (server.limits.clone(), server.tls.clone());
    let books = tokio::spawn(server.clone().keep_books());
    let stopping = async {
        shutdown.await;
        server.begin_to_stop();
    };
    let turned = {
        let server = server.clone();
        move |turned| server.turned_away(turned)
    };
    let served = accept(router(server.clone()), limits, tls, Box::new(turned), listener, stopping).await;
    books.abort();
    served
}

/// Told of each connection that is turned away.
type Teller = Box<dyn Fn(Turned) + Send + Sync>;

/// What all connections share.
struct Edge {
    router: Router,
    limits: Limits,
    tls: Option<Arc<Tls>>,
    handshakes: Arc<Handshakes>,
    turned: Teller,
}

async fn accept(
    router: Router,
    limits: Limits,
    tls: Option<Arc<Tls>>,
    turned: Teller,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let handshakes = Handshakes::new(limits.handshakes);
    let addresses = Addresses::new(limits.connections_per_address, limits.connections_from_loopback);
    let edge = Arc::new(Edge { router, limits, tls, handshakes, turned });
    let permits = Arc::new(Semaphore::new(edge.limits.connections));
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
        let Some(place) = addresses.enter(address.ip()) else {
            refuse(stream, Turned::TooManyOfOne, &edge);
            continue;
        };
        let Ok(permit) = permits.clone().try_acquire_owned() else {
            refuse(stream, Turned::TooMany, &edge);
            continue;
        };
        // Here, so that handshakes are in the order in which their connections came.
        let tls = edge.tls.clone().map(|tls| (tls, edge.handshakes.begin()));
        let begun = begin(stream, tls, edge.clone(), stopping.clone());
        let watcher = graceful.watcher();
        connections.spawn(connection(begun, Peer(address), edge.clone(), watcher, (permit, place)));
    }
    drop(listener);
    drop(stop);
    drop(tokio::time::timeout(edge.limits.shutdown_wait, graceful.shutdown()).await);
    connections.shutdown().await;
    Ok(())
}

/// A connection of which is known how to serve it.
enum Begun {
    Clear(TcpStream, Version),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Waits for the first bytes of a connection, or until both sides speak TLS; `None` if that does not come about in time
/// or the server stops.
async fn begin(
    stream: TcpStream,
    tls: Option<(Arc<Tls>, Handshake)>,
    edge: Arc<Edge>,
    mut stopping: watch::Receiver<()>,
) -> Option<Begun> {
    // Answers are small and somebody waits for each.
    drop(stream.set_nodelay(true));
    let begin = async {
        let Some((tls, mut handshake)) = tls else {
            let version = tokio::time::timeout(edge.limits.head_wait, version(&stream)).await.ok()?.ok()?;
            return Some(Begun::Clear(stream, version));
        };
        let shaken = tokio::select! {
            shaken = tokio::time::timeout(edge.limits.handshake_wait, shake_hands(stream, &tls)) => {
                shaken.unwrap_or(Err(Some(Turned::Late)))
            }
            () = handshake.pushed_out() => Err(Some(Turned::Late)),
        };
        shaken.inspect_err(|turned| turned.iter().for_each(|turned| (edge.turned)(*turned))).ok()
    };
    tokio::select! {
        begun = begin => begun,
        // Nothing is ever sent: the sender is dropped when the server stops.
        _ = stopping.changed() => None,
    }
}

/// Why there is no handshake; nothing if the client left without a word, as whoever only asks whether the port is open.
async fn shake_hands(stream: TcpStream, tls: &Tls) -> Result<Begun, Option<Turned>> {
    let mut first = [0];
    if stream.peek(&mut first).await.map_err(|_| None)? == 0 {
        return Err(None);
    }
    if first[0] != HANDSHAKE_RECORD {
        refuse_clear_text(stream).await;
        return Err(Some(Turned::ClearText));
    }
    // A client that can't be agreed with has been sent an alert that says why.
    let shaken = TlsAcceptor::from(tls.config()).accept(stream).await;
    shaken.map(|stream| Begun::Tls(Box::new(stream))).map_err(|_| Some(Turned::NoHandshake))
}

/// Serves one connection to its end.
async fn connection(
    begun: impl Future<Output = Option<Begun>>,
    peer: Peer,
    edge: Arc<Edge>,
    watcher: Watcher,
    _held: (OwnedSemaphorePermit, Place),
) {
    match begun.await {
        Some(Begun::Clear(stream, version)) => http(stream, version, peer, None, &edge, watcher).await,
        Some(Begun::Tls(stream)) => {
            let (_, session) = stream.get_ref();
            let version = match session.alpn_protocol() {
                Some(b"h2") => Version::Two,
                _ => Version::One,
            };
            let cert = tls::client_cert(session);
            http(stream, version, peer, cert, &edge, watcher).await;
        }
        None => {}
    }
}

/// Answers the requests that come over `stream`, each of which is told where it comes from.
async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    version: Version,
    peer: Peer,
    cert: Option<ClientCert>,
    edge: &Edge,
    watcher: Watcher,
) {
    let limits = &edge.limits;
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
    let inner = TowerToHyperService::new(edge.router.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        if let Some(cert) = &cert {
            request.extensions_mut().insert(cert.clone());
        }
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

/// Answers a connection too many and closes it. The few bytes fit the empty send buffer; if not, so be it. Whoever awaits
/// TLS could make nothing of an answer in the clear.
fn refuse(stream: TcpStream, why: Turned, edge: &Edge) {
    (edge.turned)(why);
    let answer = if why == Turned::TooManyOfOne { TOO_MANY_OF_ONE } else { TOO_MANY };
    if edge.tls.is_none()
        && let Ok(mut stream) = stream.into_std()
    {
        drop(stream.write(answer));
    }
}

/// Answers a request in the clear where TLS is spoken. What it says is thrown away.
async fn refuse_clear_text(mut stream: TcpStream) {
    let answer = async {
        stream.write_all(SPEAKS_TLS).await?;
        stream.shutdown().await?;
        // Closing with bytes unread would reset the connection, and the answer could be lost.
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    drop(tokio::time::timeout(LINGER, answer).await);
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
