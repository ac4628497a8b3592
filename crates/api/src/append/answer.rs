//! The answer to an append that went well.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::response::Response;
use ledger::{Fault, Reads, Recorded};
use record::commit::Salt;
use record::facet::TABLE_VERSION;
use record::json::{Object, Value};
use record::receipt::{Level, Receipt, ReceiptProof};
use tlog::hash::Hash;
use tlog::proof::{ProofBuildError, TileSource, inclusion_proof};
use tlog::tile::Tile;

use super::Signed;
use super::params::Params;
use super::tally::{Tally, ranges_value};
use crate::json;
use crate::problem::Problem;
use crate::server::{Ledger, Server};
use crate::stream;

/// Receipts made in one go; an answer holds no more of them in memory as text.
const RECEIPTS: usize = 64;

/// Makes the answer. With a checkpoint its level is that of the checkpoint, and the receipts come with their proofs.
pub(super) async fn answer(
    server: &Server,
    ledger: &Ledger,
    params: &Params,
    tally: Tally,
    signed: Option<Signed>,
) -> Result<Response, Problem> {
    let mut head = head(ledger, params.source, &tally, signed.as_ref());
    if !params.receipts {
        return Ok(json::response(json::text(&Value::Object(head))));
    }
    head.insert("receipts_omitted", tally.receipts_omitted);
    let (recorded, proofs) = match &signed {
        None => (tally.receipts, None),
        Some(at) => {
            let (number, size, receipts) = (ledger.number, at.size, tally.receipts);
            let prove = move |reads: Reads| {
                let proofs = proofs(&reads, number, size, &receipts)?;
                Ok((receipts, Some(proofs)))
            };
            server.read(prove).await?
        }
    };
    let maker = Maker { origin: ledger.info.origin.clone(), id: ledger.info.id, signed, recorded, proofs };
    Ok(json::response(body(&Value::Object(head), maker)))
}

fn head(ledger: &Ledger, source: u32, tally: &Tally, signed: Option<&Signed>) -> Object<'static> {
    let ends = tally.ends();
    let index = |index: Option<u64>| index.map_or(Value::Null, Value::from);
    let level = signed.map_or(Level::Durable, |signed| signed.level);
    let mut head = Object::from_iter([
        ("ledger", Value::from(ledger.info.name.clone())),
        ("origin", Value::from(ledger.info.origin.clone())),
        ("source", Value::from(source)),
        ("level", Value::from(level.name())),
        ("count", Value::from(tally.count)),
        ("quarantined", Value::from(tally.quarantined)),
        ("duplicates", Value::from(tally.duplicates)),
        ("first", index(ends.map(|(first, _)| first))),
        ("last", index(ends.map(|(_, last)| last))),
        ("ranges", ranges_value(&tally.ranges)),
        ("incomplete", Value::from(tally.incomplete)),
    ]);
    if tally.duplicates > 0 {
        head.insert("compared", !tally.uncompared);
    }
    if let Some(signed) = signed {
        head.insert("checkpoint", signed.note.clone());
    }
    head
}

/// The whole object in one piece if it is small, else made while it is sent.
fn body(head: &Value<'_>, maker: Maker) -> Body {
    let mut start = json::text(head);
    start.truncate(start.len() - b"}\n".len());
    start.extend_from_slice(b",\"receipts\":[");
    if maker.recorded.len() <= RECEIPTS {
        start.extend_from_slice(&maker.part(0));
        start.extend_from_slice(b"]}\n");
        return Body::from(start);
    }
    let (mut sender, body) = stream::body();
    tokio::spawn(async move {
        let mut going = sender.send(start).await;
        for from in (0..maker.recorded.len()).step_by(RECEIPTS) {
            going = going && sender.send(maker.part(from)).await;
        }
        if going && sender.send(b"]}\n".to_vec()).await {
            sender.finish();
        }
    });
    body
}

/// Makes receipts as texts.
struct Maker {
    origin: String,
    id: [u8; 32],
    signed: Option<Signed>,
    recorded: Vec<Recorded>,
    proofs: Option<Vec<Vec<Hash>>>,
}

impl Maker {
    /// The receipts from `from` on, with a comma ahead of each but the very first.
    fn part(&self, from: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for at in from..self.recorded.len().min(from + RECEIPTS) {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(self.receipt(at).to_json().as_bytes());
        }
        out
    }

    fn receipt(&self, at: usize) -> Receipt {
        let recorded = &self.recorded[at];
        let proof = self.signed.as_ref().zip(self.proofs.as_ref()).map(|(signed, proofs)| ReceiptProof {
            checkpoint: signed.note.clone(),
            hashes: proofs[at].clone(),
        });
        Receipt {
            origin: self.origin.clone(),
            ledger_id: self.id,
            index: recorded.index,
            level: self.signed.as_ref().map_or(Level::Durable, |signed| signed.level),
            entry: recorded.entry,
            table_version: TABLE_VERSION,
            salt_5: Salt(recorded.salt_raw),
            digests: recorded.digests,
            proof,
        }
    }
}

/// The inclusion proof of each record in the tree of the first `size` entries.
fn proofs(reads: &Reads, ledger: usize, size: u64, recorded: &[Recorded]) -> Result<Vec<Vec<Hash>>, Fault> {
    let tiles = Cached { reads, ledger, tiles: Mutex::default() };
    let prove = |recorded: &Recorded| match inclusion_proof(recorded.index, size, &tiles) {
        Ok(proof) => Ok(proof),
        Err(ProofBuildError::Source { error: Some(fault), .. }) => Err(fault),
        // The engine's own reading tells what is wrong.
        Err(_) => match reads.published(ledger) {
            Some(at) => reads.inclusion_in(ledger, recorded.index, size, &at),
            None => Err(Fault::Fenced),
        },
    };
    recorded.iter().map(prove).collect()
}

/// Tiles read once for many proofs.
struct Cached<'a> {
    reads: &'a Reads,
    ledger: usize,
    tiles: Mutex<HashMap<Tile, Vec<Hash>>>,
}

impl TileSource for Cached<'_> {
    type Error = Option<Fault>;

    fn tile(&self, tile: Tile) -> Result<Vec<Hash>, Option<Fault>> {
        let mut tiles = self.tiles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hashes) = tiles.get(&tile) {
            return Ok(hashes.clone());
        }
        let hashes = self.reads.tile(self.ledger, tile).map_err(Some)?.ok_or(None)?;
        tiles.insert(tile, hashes.clone());
        Ok(hashes)
    }
}
