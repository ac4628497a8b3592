//! Accepts connections and serves them, within limits, until told to stop. HTTP/1.1 in the clear: TLS is for what
//! stands in front.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::routes::{BODY_BYTES, BODY_WAIT, routes};
use crate::witness::Witness;

/// How long to wait before accepting again when the system is out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a witness may hold, run at once and wait for (DESIGN I9).
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections open at once; one more waits to be accepted.
    pub connections: usize,
    /// Requests whose proofs are checked and whose state is written at once.
    pub at_work: usize,
    /// Bytes of one request; beyond it 413.
    pub body_bytes: usize,
    /// For how long a request's body may take; beyond it 408.
    pub body_wait: Duration,
    /// For how long a request's head may take; also how long a connection may idle between requests.
    pub head_wait: Duration,
    /// For how long requests may go on once the witness stops.
    pub shutdown_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            at_work: 32,
            body_bytes: BODY_BYTES,
            body_wait: BODY_WAIT,
            head_wait: Duration::from_secs(30),
            shutdown_wait: Duration::from_secs(10),
        }
    }
}

/// Serves on `listener` until `shutdown` resolves; then requests that have begun are finished.
///
/// # Errors
/// The listener is broken. Errors of single connections end those only.
pub async fn serve(
    witness: Arc<Witness>,
    listener: TcpListener,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let router = routes(witness, &limits);
    let permits = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            // Ended connections are taken out as they end, so that the set does not grow.
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &permits) => accepted,
        };
        let (stream, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if passes(&error) => {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        drop(stream.set_nodelay(true));
        let service = TowerToHyperService::new(router.clone());
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_wait)
            .max_buf_size(64 << 10)
            .serve_connection(TokioIo::new(stream), service);
        let served = graceful.watch(served);
        connections.spawn(async move {
            // A client that breaks off has had whatever answer it waited for.
            drop(served.await);
            drop(permit);
        });
    }
    drop(listener);
    drop(tokio::time::timeout(limits.shutdown_wait, graceful.shutdown()).await);
    connections.shutdown().await;
    Ok(())
}

/// Accepts a connection once there is room for it.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

/// Whether the error is about the connection that was to be accepted, or about a shortage of the system's (EMFILE,
/// ENFILE, ENOBUFS, ENOMEM), not about the listener.
fn passes(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
        || matches!(error.raw_os_error(), Some(24 | 23 | 105 | 12))
}
