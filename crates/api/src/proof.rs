//! Proofs: that an entry is in the newest checkpoint, that it commits to what was sent, that the log only grew.

use std::sync::Arc;

use access::Action;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use ledger::{Fault, Published, Reads, StoredRecord};
use record::facet::{FACETS, Facet, TABLE_VERSION};
use record::json::{Object, Value};
use record::receipt::{Level, Receipt, ReceiptProof};
use record::stored;
use tlog::hash::Hash;
use tlog::tlog_proof::TlogProof;

use crate::audit::Access;
use crate::auth::Caller;
use crate::events::no_such_entry;
use crate::json::{self, typed};
use crate::problem::Problem;
use crate::query::{Names, Query, path_number};
use crate::server::{Ledger, Server};
use crate::view;

/// `GET /v1/ledgers/{name}/proof/{index}`: C2SP tlog-proof at the newest checkpoint, or at the newest that witnesses cosigned
/// if that covers the entry: whoever gets it can then hold it against a policy.
pub(crate) async fn proof(
    caller: Caller,
    State(server): State<Arc<Server>>,
    Names((name, index)): Names<(String, String)>,
) -> Result<Response, Problem> {
    caller.require(Action::Prove, Some(&name))?;
    server.audit.enter(&caller, Access::new("prove").on(&name).object(&index)).await?;
    let ledger = server.ledger(&name)?.number;
    let index: u64 = path_number(&index)?;
    let read =
        move |reads: Reads| Ok((prove(&reads, ledger, index)?, prove_witnessed(&reads, ledger, index)?));
    let (found, witnessed) = server.read(read).await?;
    let (published, hashes) = found.into_result(index)?;
    let place = witnessed.unwrap_or_else(|| ReceiptProof { checkpoint: published.note.clone(), hashes });
    let proof = TlogProof { extra: None, index, hashes: place.hashes, checkpoint: place.checkpoint };
    Ok(typed("text/plain; charset=utf-8", "no-store", proof.to_string()))
}

/// `GET /v1/ledgers/{name}/receipt/{index}`: the receipt, rebuilt from what is stored, with its proof.
pub(crate) async fn receipt(
    caller: Caller,
    State(server): State<Arc<Server>>,
    Names((name, index)): Names<(String, String)>,
) -> Result<Response, Problem> {
    caller.require(Action::Receipt, Some(&name))?;
    server.audit.enter(&caller, Access::new("receipt").on(&name).object(&index)).await?;
    let ledger = server.ledger(&name)?;
    let index: u64 = path_number(&index)?;
    let number = ledger.number;
    let read = move |reads: Reads| {
        let record = reads.record(number, index)?;
        Ok((record, prove(&reads, number, index)?, prove_witnessed(&reads, number, index)?))
    };
    let (record, found, witnessed) = server.read(read).await?;
    let (published, hashes) = found.into_result(index)?;
    let record = record.ok_or_else(|| no_such_entry(index, published.checkpoint.size))?;
    let (level, proof) = match witnessed {
        Some(proof) => (Level::Witnessed, proof),
        None => (Level::Committed, ReceiptProof { checkpoint: published.note.clone(), hashes }),
    };
    let receipt = rebuild(ledger, &record, level, Some(proof))?;
    Ok(json::response(receipt.to_json()))
}

/// `GET /v1/ledgers/{name}/consistency?old=N`
pub(crate) async fn consistency(
    caller: Caller,
    State(server): State<Arc<Server>>,
    Names(name): Names<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    caller.require(Action::Prove, Some(&name))?;
    server.audit.counted(&caller, "consistency");
    let ledger = server.ledger(&name)?.number;
    let mut query = Query::parse(query.as_deref())?;
    let old: u64 = query.number("old")?.ok_or_else(|| Problem::bad_query("parameter is missing: old"))?;
    query.finish()?;
    let read = move |reads: Reads| match reads.published(ledger) {
        Some(at) if old <= at.checkpoint.size => {
            let proof = reads.consistency(ledger, old, &at)?;
            Ok(Ok((at, proof)))
        }
        at => Ok(Err(at.map_or(0, |at| at.checkpoint.size))),
    };
    let (published, proof) = server.read(read).await?.map_err(|size| {
        Problem::bad_query("old is larger than the newest checkpoint, or there is none yet")
            .with("size", size)
    })?;
    let hashes = proof.iter().map(|hash| json::base64(hash.as_bytes())).collect::<Vec<_>>();
    let body = Object::from_iter([
        ("old", Value::from(old)),
        ("new", Value::from(published.checkpoint.size)),
        ("proof", Value::from(hashes)),
        ("checkpoint", Value::from(published.note.clone())),
    ]);
    Ok(json::response(json::text(&Value::Object(body))))
}

/// What there is to prove an entry with.
enum Provable {
    Committed(Arc<Published>, Vec<Hash>),
    /// Durable, and in no checkpoint yet.
    Durable,
    /// Not there; so many entries are.
    Missing(u64),
}

impl Provable {
    fn into_result(self, index: u64) -> Result<(Arc<Published>, Vec<Hash>), Problem> {
        match self {
            Self::Committed(published, hashes) => Ok((published, hashes)),
            Self::Durable => Err(Problem::not_committed(index)),
            Self::Missing(durable) => Err(no_such_entry(index, durable)),
        }
    }
}

fn prove(reads: &Reads, ledger: usize, index: u64) -> Result<Provable, Fault> {
    match reads.published(ledger) {
        Some(at) if index < at.checkpoint.size => {
            let hashes = reads.inclusion(ledger, index, &at)?;
            Ok(Provable::Committed(at, hashes))
        }
        _ => match reads.progress(ledger).durable {
            durable if index < durable => Ok(Provable::Durable),
            durable => Ok(Provable::Missing(durable)),
        },
    }
}

/// The place of an entry in the checkpoint that witnesses cosigned, if that covers it.
fn prove_witnessed(reads: &Reads, ledger: usize, index: u64) -> Result<Option<ReceiptProof>, Fault> {
    match (reads.published(ledger), reads.witnessed(ledger)) {
        (Some(at), Some(witnessed)) if index < witnessed.checkpoint.size => {
            let hashes = reads.inclusion_in(ledger, index, witnessed.checkpoint.size, &at)?;
            Ok(Some(ReceiptProof { checkpoint: witnessed.note.clone(), hashes }))
        }
        _ => Ok(None),
    }
}

/// The receipt of a stored record, which is checked against its entry first.
///
/// # Errors
/// 410 if the salt of `raw` was erased with it, else what is damaged.
pub(crate) fn rebuild(
    ledger: &Ledger,
    record: &StoredRecord,
    level: Level,
    proof: Option<ReceiptProof>,
) -> Result<Receipt, Problem> {
    view::checked(&ledger.info.id, record)?;
    let salt_5 = record.opening.salt(Facet::Raw).ok_or_else(|| Problem::erased(record.index))?;
    let all = stored::digests(&record.opening, &view::facets(record))
        .map_err(|error| Problem::internal(error.to_string()).with("index", record.index))?;
    let mut digests = [[0; 32]; FACETS - 1];
    digests.copy_from_slice(&all[..FACETS - 1]);
    Ok(Receipt {
        origin: ledger.info.origin.clone(),
        ledger_id: ledger.info.id,
        index: record.index,
        level,
        entry: record.entry,
        table_version: TABLE_VERSION,
        salt_5,
        digests,
        proof,
    })
}
