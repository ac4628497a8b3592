//! Evidence files: what was asked for, put on record before it begins and when it has ended, made while it is sent.

mod pipe;
mod produce;
mod wanted;

use std::sync::Arc;

use access::Action;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use export::Finished;
use ledger::{LedgerInfo, Published, Signing};
use tokio::sync::oneshot;

use crate::audit::Access;
use crate::auth::{Caller, Sight};
use crate::json::typed;
use crate::problem::Problem;
use crate::query::Names;
use crate::server::Server;
use crate::sources::small_body;
use crate::stream;
use pipe::Pipe;
use produce::Job;
use wanted::Wanted;

/// `POST /v1/ledgers/{name}/evidence`: the file, as `docs/evidence-file.md` has it.
pub(crate) async fn evidence(
    caller: Caller,
    State(server): State<Arc<Server>>,
    Names(name): Names<String>,
    body: Body,
) -> Result<Response, Problem> {
    let grant = caller.require(Action::Evidence, Some(&name))?.clone();
    let wanted = Wanted::parse(&small_body(&server, body).await?)?;
    let caller = match &wanted.purpose {
        Some(purpose) => caller.stating(purpose),
        None => caller,
    };
    let purpose = caller.stated().ok_or_else(|| {
        let detail =
            "say what for in the member purpose (or --purpose); it is put on record and into the file";
        Problem::new(StatusCode::FORBIDDEN, "purpose", "an evidence file needs a stated purpose", detail)
    })?;
    let sight = caller.sight(&name)?;
    let ledger = server.ledger(&name)?;
    let permit = server.gates.exports.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Problem::busy(5000))?;
    // Asked anew: a store that was opened again after a fault may have changed its key.
    let info = server.engine.reads().ledgers().swap_remove(ledger.number);
    let at = snapshot(&server, ledger.number, &info, &wanted).await?;
    let (number, asked, snap) = (ledger.number, wanted.clone(), at.clone());
    let selection = server.read(move |reads| asked.selection(&reads, number, &snap)).await??;
    let withheld = wanted.withheld(&sight);
    let range = format!("{}..{}", selection.from, selection.end);
    let access = Access {
        query: selection.query.clone(),
        purpose: Some(purpose.clone()),
        more: vec![("case", wanted.case.clone()), ("withheld", names(&withheld))],
        ..Access::new("evidence.begin")
    };
    server.audit.enter(&caller, access.on(&name).object(&range)).await?;
    let about = export::About {
        case: wanted.case.clone(),
        purpose,
        exported_ms: server.env.now_ms(),
        exporter_id: grant.id.clone(),
        exporter_label: grant.label.clone(),
        program: concat!("ledgerstone ", env!("CARGO_PKG_VERSION")).to_owned(),
        vkey: info.in_force(at.checkpoint.size),
        ledger_id: ledger.info.id,
        selection,
        withheld,
        checkpoint: at.note.clone(),
    };
    let (sender, body) = stream::body();
    let (ready, begun) = oneshot::channel();
    let closing = Closing { server: server.clone(), caller, name, range, ended: false };
    let sees_all = sight != Sight::Withheld;
    let job = Job { server: server.clone(), ledger: number, about, at, keys: info.keys, sees_all };
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut closing = closing;
        let pipe = Pipe::new(runtime.clone(), sender, ready);
        match job.run(pipe, &closing.caller) {
            Ok((pipe, finished)) => {
                // The last bytes wait: without them there is no archive, and so none that is not on record.
                if runtime.block_on(closing.end(&finished)).is_ok() {
                    pipe.finish();
                }
            }
            Err(failed) => closing.broken_off(&failed.why),
        }
        drop(permit);
    });
    match begun.await {
        Ok(Ok(())) => {}
        Ok(Err(problem)) => return Err(problem),
        Err(_) => return Err(Problem::internal("making the file ended in a panic")),
    }
    let mut response = typed("application/zip", "no-store", body);
    let named = HeaderValue::from_static("attachment; filename=\"ledgerstone.evidence\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, named);
    Ok(response)
}

/// The checkpoint that all proofs lead to: one that witnesses cosigned if it covers what is wanted, else the newest,
/// waited for if what is wanted is durable and not yet in it. Never one of before the last change of the key: the file is
/// signed by the key in force for it, and only the newest is here.
async fn snapshot(
    server: &Server,
    ledger: usize,
    info: &LedgerInfo,
    wanted: &Wanted,
) -> Result<Arc<Published>, Problem> {
    let reads = server.engine.reads();
    if let Signing::Held { reason, .. } = reads.signing(ledger) {
        return Err(Problem::unavailable(format!("the ledger may not sign: {reason}"), 5000));
    }
    let changed = info.keys.last().map_or(0, |(index, _)| index + 1);
    let end = wanted.end(reads.progress(ledger).durable)?.max(changed);
    if let Some(seen) = reads.published_and_witnessed(ledger).filter(|seen| seen.checkpoint.size >= end) {
        return Ok(seen);
    }
    let (answer, answered) = oneshot::channel();
    reads.when_committed(ledger, end.max(1), move |published| {
        // Whoever asked may have gone.
        let _ = answer.send(published);
    });
    match tokio::time::timeout(server.limits.commit_wait, answered).await {
        Ok(Ok(published)) => Ok(published),
        _ => Err(Problem::unavailable("what is wanted is not yet in a signed checkpoint", 1000)),
    }
}

fn names(withheld: &[record::facet::Facet]) -> String {
    let names: Vec<&str> = withheld.iter().map(|facet| facet.name()).collect();
    names.join(", ")
}

/// Puts the end on record, however it ends.
struct Closing {
    server: Arc<Server>,
    caller: Caller,
    name: String,
    range: String,
    ended: bool,
}

impl Closing {
    async fn end(&mut self, finished: &Finished) -> Result<(), Problem> {
        let manifest = &finished.manifest;
        let mut access = Access { count: Some(manifest.counts.total()), ..Access::new("evidence.end") };
        access.more.push(("manifest_sha256", export::text::hex(&finished.manifest_sha256)));
        for (name, count) in manifest.counts.named() {
            access.more.push((name, count.to_string()));
        }
        let entered = self.server.audit.enter(&self.caller, access.on(&self.name).object(&self.range)).await;
        self.ended = entered.is_ok();
        entered
    }

    fn broken_off(&mut self, why: &str) {
        self.ended = true;
        let mut access = Access::new("evidence.broken-off").on(&self.name).object(&self.range);
        access.refused = Some((500, "broken-off".to_owned()));
        access.more.push(("reason", why.to_owned()));
        self.server.audit.note(Some(&self.caller), &access);
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if !self.ended {
            self.broken_off("it could not be finished");
        }
    }
}
