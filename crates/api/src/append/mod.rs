//! Appending records: body → records → blocks → engine → answer.
//!
//! Nothing that was read is dropped silently. A record is recorded, or quarantined, or the answer says where in the
//! body recording ended: its sender goes on from there.

mod answer;
mod block;
mod body;
mod pace;
mod params;
mod permits;
mod pump;
mod retries;
mod tally;
mod turns;

use std::sync::Arc;

use access::Action;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use ledger::Signing;
use record::receipt::Level;
use tokio::sync::{SemaphorePermit, oneshot};

use crate::auth::Caller;
use crate::problem::Problem;
use crate::query::{Names, Query};
use crate::server::{Ledger, Server};
use body::{Coding, Inbound};
use params::Params;
use pump::Pump;
use tally::Tally;
use turns::Turn;
pub(crate) use turns::Turns;

/// The part of [`Limits::appends`](crate::Limits) that is kept for sources with no other append under way.
const KEPT: usize = 8;

/// When a busy server is asked again.
const BUSY_MS: u64 = 1000;

/// `POST /v1/ledgers/{name}/events`
pub(crate) async fn append(
    caller: Caller,
    State(server): State<Arc<Server>>,
    Names(name): Names<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let admitted = admit(&server, &caller, &name, query.as_deref(), &headers);
    let (ledger, params, coding, entered) = match admitted {
        Ok(admitted) => admitted,
        Err(problem) => {
            // Whoever waits for `100 Continue` sends nothing, and the connection stays good.
            if !headers.contains_key(header::EXPECT) {
                body::drain(body);
            }
            return Err(problem);
        }
    };
    let inbound = Inbound::new(coding, body, &server.limits);
    let tally = Pump::new(&server, ledger, &params, entered.1.alone, inbound).run().await;
    server.counters.recorded(tally.added(), tally.repeated());
    let tally = tally.into_result()?;
    let signed = match params.wait {
        Level::Durable => None,
        level => Some(signed(&server, ledger, &tally, level).await?),
    };
    answer::answer(&server, ledger, &params, tally, signed).await
}

/// Decides whether a body is read at all.
fn admit<'s>(
    server: &'s Server,
    caller: &Caller,
    name: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<(&'s Ledger, Params, Coding, Entered<'s>), Problem> {
    let grant = caller.require(Action::Append, Some(name))?;
    let params = Params::parse(Query::parse(query)?, grant)?;
    let ledger = server.ledger(name)?;
    // Told before anything is recorded: whoever tried again after it would record everything twice.
    if params.wait == Level::Witnessed && server.witnesses(name).is_none() {
        let detail = "this ledger has no witnesses that could be waited for: use wait=committed";
        return Err(Problem::bad_query(detail));
    }
    let coding = Coding::parse(headers)?;
    check_length(headers, server.limits.body_bytes)?;
    let entered = enter(server, ledger.number, params.source).ok_or_else(|| Problem::busy(BUSY_MS))?;
    Ok((ledger, params, coding, entered))
}

/// Held while an append is under way.
type Entered<'s> = (SemaphorePermit<'s>, Turn<'s>);

/// Lets a request in, unless too much is waiting already. Refusing is for the start; later a request waits. A source
/// with nothing under way is let in all the same and waits its turn, so that one that sends much refuses itself only.
fn enter(server: &Server, ledger: usize, source: u32) -> Option<Entered<'_>> {
    let gates = &server.gates;
    let permit = gates.appends.try_acquire().ok()?;
    let turn = gates.turns.begin(ledger, source);
    let roomy = gates.appends.available_permits() >= server.limits.appends / KEPT;
    (turn.alone || roomy && gates.queue.available_permits() > 0).then_some((permit, turn))
}

fn check_length(headers: &HeaderMap, limit: u64) -> Result<(), Problem> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match length.and_then(|length| length.parse::<u64>().ok()) {
        Some(length) if length > limit => Err(too_large(limit)),
        _ => Ok(()),
    }
}

fn too_large(limit: u64) -> Problem {
    Problem::too_large(format!("send it in parts of at most {limit} bytes, counted once inflated"))
        .with("limit", limit)
}

/// A signed checkpoint that was waited for.
struct Signed {
    level: Level,
    size: u64,
    note: String,
}

/// Waits for the first checkpoint that covers all of it, or for the first such that witnesses cosigned.
async fn signed(server: &Server, ledger: &Ledger, tally: &Tally, level: Level) -> Result<Signed, Problem> {
    let (wake, woken) = oneshot::channel();
    let reads = server.engine.reads();
    // Whoever asked may have gone: what can't be sent is dropped.
    match level {
        Level::Witnessed => reads.when_witnessed(ledger.number, tally.size(), move |at| {
            drop(wake.send((at.checkpoint.size, at.note.clone())));
        }),
        _ => reads.when_committed(ledger.number, tally.size(), move |at| {
            drop(wake.send((at.checkpoint.size, at.note.clone())));
        }),
    }
    let limit = match level {
        Level::Witnessed => server.limits.witness_wait,
        _ => server.limits.commit_wait,
    };
    match tokio::time::timeout(limit, woken).await {
        Ok(Ok((size, note))) => Ok(Signed { level, size, note }),
        _ => {
            let reads = server.engine.reads();
            let committed = reads.progress(ledger.number).committed >= tally.size();
            let reason = match reads.signing(ledger.number) {
                _ if committed => {
                    "all of it is committed; no quorum of witnesses has cosigned it yet".to_owned()
                }
                Signing::Allowed => "all of it is durable; no checkpoint covers it yet".to_owned(),
                Signing::Held { reason, .. } => {
                    format!("all of it is durable; no checkpoint is signed at present: {reason}")
                }
            };
            Err(tally.told(Problem::unavailable(reason, BUSY_MS)))
        }
    }
}
