//! `GET /metrics`: state and counts in the text format of Prometheus, version 0.0.4. No label names a person, a source
//! or a token.

mod families;
mod page;
mod process;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use access::Action;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::Response;

use crate::auth::Caller;
use crate::json;
use crate::problem::Problem;
use crate::serve::Turned;
use crate::server::Server;
use crate::trace::Answered;

/// Media type of the answer.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What watches over the store, and where it lies.
#[derive(Default)]
pub struct Supervision {
    /// Those who ask the time-stamp authorities.
    pub stamps: Option<stamper::Handle>,
    /// Continuous verification.
    pub scrub: Option<scrub::Handle>,
    /// The watch over writes by other processes.
    pub watch: Option<watch::Handle>,
    /// Those who ask the witnesses.
    pub witness: Option<anchor::Handle>,
    /// The data directory, for files and free space.
    pub data: Option<PathBuf>,
    /// Told of each answer, on the thread that gives it.
    pub answered: Option<Teller>,
}

/// Is told of each answer.
pub type Teller = Box<dyn Fn(&Answered) + Send + Sync>;

/// Counts since the start.
#[derive(Default)]
pub(crate) struct Counters {
    /// Answers by the first digit of their status; 0 is never used.
    answers: [AtomicU64; 6],
    appends: [AtomicU64; Outcome::ALL.len()],
    records: AtomicU64,
    duplicates: AtomicU64,
    bytes: AtomicU64,
    turned_away: [AtomicU64; Turned::ALL.len()],
}

/// What became of a request to append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// All of it is on record.
    Recorded,
    /// It was at fault; a part may be on record, as the answer says.
    Refused,
    /// The caller may not.
    Denied,
    /// Too much was waiting.
    Busy,
    /// Nothing can be recorded, or nobody knows whether it was.
    Unavailable,
}

impl Outcome {
    const ALL: [Outcome; 5] = [Self::Recorded, Self::Refused, Self::Denied, Self::Busy, Self::Unavailable];

    fn of(status: u16) -> Outcome {
        match status {
            ..=299 => Self::Recorded,
            401 | 403 => Self::Denied,
            429 => Self::Busy,
            500.. => Self::Unavailable,
            _ => Self::Refused,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Refused => "refused",
            Self::Denied => "denied",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Counters {
    /// Records that one request added, and those it repeated.
    pub(crate) fn recorded(&self, records: u64, duplicates: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.duplicates.fetch_add(duplicates, Ordering::Relaxed);
    }

    /// A connection that was ended before a request of it was read.
    pub(crate) fn turned_away(&self, why: Turned) {
        self.turned_away[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes of a body, inflated.
    pub(crate) fn inflated(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Counts an answer.
pub(crate) fn count(server: &Server, method: &Method, uri: &Uri, status: StatusCode) {
    let class = usize::from(status.as_u16() / 100).min(5);
    server.counters.answers[class].fetch_add(1, Ordering::Relaxed);
    if *method == Method::POST && is_append(uri.path()) {
        server.counters.appends[Outcome::of(status.as_u16()) as usize].fetch_add(1, Ordering::Relaxed);
    }
}

fn is_append(path: &str) -> bool {
    path.starts_with("/v1/ledgers/") && path.ends_with("/events")
}

/// `GET /metrics`: of ledgers, those that the token is for.
pub(crate) async fn serve(caller: Caller, State(server): State<Arc<Server>>) -> Result<Response, Problem> {
    caller.require(Action::Status, None)?;
    let of_caller = |name: &str| caller.require(Action::Status, Some(name)).is_ok();
    let shown: Vec<usize> =
        (0..server.ledgers().len()).filter(|at| of_caller(&server.ledgers()[*at].info.name)).collect();
    let asked = server.clone();
    // Looking at the disk blocks.
    let page = server.read(move |reads| Ok(families::page(&asked, &reads, &shown))).await?;
    Ok(json::typed(CONTENT_TYPE, "no-store", page))
}
