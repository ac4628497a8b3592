//! From HTTP to [`Witness`] and back, nothing more.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::Semaphore;

use crate::metrics;
use crate::serve::Limits;
use crate::witness::Witness;

const TEXT: &str = "text/plain; charset=utf-8";

#[derive(Clone)]
struct Edge {
    witness: Arc<Witness>,
    limits: Limits,
    /// Requests whose proofs are checked and whose state is written at once.
    at_work: Arc<Semaphore>,
}

/// The paths of a witness: submission and monitoring prefix are both the root.
pub fn routes(witness: Arc<Witness>, limits: &Limits) -> Router {
    let at_work = Arc::new(Semaphore::new(limits.at_work));
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{origin_hash}/checkpoint", get(latest))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .route("/", get(about))
        .with_state(Edge { witness, limits: limits.clone(), at_work })
}

async fn add_checkpoint(State(edge): State<Edge>, body: Body) -> Response {
    let read = tokio::time::timeout(edge.limits.body_wait, to_bytes(body, edge.limits.body_bytes));
    let body = match read.await {
        Ok(Ok(body)) => body,
        // One that broke off is not there to read what is answered; the other was too long.
        Ok(Err(_)) => return text(StatusCode::PAYLOAD_TOO_LARGE, "the request is too long"),
        Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "the request did not come in time"),
    };
    let Ok(permit) = edge.at_work.acquire_owned().await else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "the witness stops");
    };
    let witness = edge.witness;
    // Runs to its end even if whoever asked goes away: a state half written would help nobody.
    let answer = tokio::task::spawn_blocking(move || {
        let answer = witness.add_checkpoint(&body);
        drop(permit);
        answer
    });
    match answer.await {
        Ok(answer) => {
            let status = StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            respond(status, answer.content_type(), "no-store", answer.body())
        }
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the witness failed"),
    }
}

async fn latest(State(edge): State<Edge>, Path(origin_hash): Path<String>) -> Response {
    // It may wait for a write to the same log.
    match tokio::task::spawn_blocking(move || edge.witness.latest(&origin_hash)).await {
        Ok(Some(note)) => respond(StatusCode::OK, TEXT, "max-age=5", note),
        Ok(None) => text(StatusCode::NOT_FOUND, "no checkpoint of such a log was cosigned here"),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the witness failed"),
    }
}

async fn health(State(edge): State<Edge>) -> Response {
    let unknown = tokio::task::spawn_blocking(move || {
        edge.witness.logs().into_iter().filter(|(_, _, last)| last.is_none()).count()
    });
    match unknown.await {
        Ok(0) => text(StatusCode::OK, "ok"),
        Ok(count) => {
            text(StatusCode::SERVICE_UNAVAILABLE, &format!("logs whose state must be read again: {count}"))
        }
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the witness failed"),
    }
}

async fn metrics(State(edge): State<Edge>) -> Response {
    match tokio::task::spawn_blocking(move || metrics::page(&edge.witness)).await {
        Ok(page) => respond(StatusCode::OK, metrics::CONTENT_TYPE, "no-store", page),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the witness failed"),
    }
}

async fn about(State(edge): State<Edge>) -> Response {
    let told = format!("A witness of transparency logs (c2sp.org/tlog-witness).\n\n{}", edge.witness.vkey());
    text(StatusCode::OK, &told)
}

fn text(status: StatusCode, told: &str) -> Response {
    respond(status, TEXT, "no-store", format!("{told}\n"))
}

fn respond(status: StatusCode, content_type: &'static str, cache: &'static str, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, cache)], body).into_response()
}

/// Bytes of a request that is still a request: 63 hashes, and a checkpoint with far more than the 16 signatures that
/// one must take.
pub(crate) const BODY_BYTES: usize = 256 << 10;

/// How long a request may take to come.
pub(crate) const BODY_WAIT: Duration = Duration::from_secs(10);
