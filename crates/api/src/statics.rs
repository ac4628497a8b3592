//! The C2SP paths (tlog-tiles): checkpoint, tiles and bundles of each ledger under the last component of its origin.
//!
//! Only what the newest checkpoint implies is served, since a tile that is cached for ever must be one that a signature
//! covers. Errors are not cached: what is missing now will be there later.

use std::sync::Arc;

use access::Action;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use tlog::tile::{Tile, encode_tile, parse_bundle_path};

use crate::auth::Caller;
use crate::json::typed;
use crate::problem::Problem;
use crate::server::Server;

const BINARY: &str = "application/octet-stream";
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const FOR_EVER_PRIVATE: &str = "private, max-age=31536000, immutable";

/// What a path below a ledger's prefix names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    Checkpoint,
    Witnessed,
    Tile(Tile),
    Bundle { index: u64, width: u16 },
}

impl Resource {
    /// Takes the path as it was sent, without decoding: each resource has one spelling, so that it has one place in
    /// a cache.
    fn parse(path: &str) -> Option<Self> {
        if path == "checkpoint" {
            return Some(Self::Checkpoint);
        }
        if path == "checkpoint.witnessed" {
            return Some(Self::Witnessed);
        }
        if let Ok((index, width)) = parse_bundle_path(path) {
            return Some(Self::Bundle { index, width });
        }
        Tile::parse(path).ok().map(Self::Tile)
    }
}

/// `GET /<prefix>/checkpoint`, `/<prefix>/checkpoint.witnessed`, `/<prefix>/tile/<L>/<N>[.p/<W>]`, `/<prefix>/tile/entries/<N>[.p/<W>]`
pub(crate) async fn resource(
    State(server): State<Arc<Server>>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, Problem> {
    let missing = || Problem::not_found("no checkpoint, tile or bundle has this path");
    let path = uri.path().strip_prefix('/').ok_or_else(missing)?;
    let (prefix, path) = path.split_once('/').ok_or_else(missing)?;
    let resource = Resource::parse(path).ok_or_else(missing)?;
    let open = match resource {
        Resource::Checkpoint | Resource::Witnessed | Resource::Tile(_) => server.open.tiles,
        Resource::Bundle { .. } => server.open.bundles,
    };
    let ledger = server.ledger_at(prefix);
    if !open {
        // A prefix is public, but whoever may not ask learns nothing by asking.
        let name = ledger.map_or("", |ledger| ledger.info.name.as_str());
        caller.require(Action::Bundles, Some(name))?;
        server.audit.counted(&caller, "bundles");
    }
    let ledger = ledger.ok_or_else(missing)?.number;
    let beyond = || Problem::not_found("the newest checkpoint implies no such tile, or not yet");
    let cache = if open { FOR_EVER } else { FOR_EVER_PRIVATE };
    match resource {
        Resource::Checkpoint => match server.engine.reads().published(ledger) {
            Some(published) => Ok(typed("text/plain; charset=utf-8", "no-cache", published.note.clone())),
            None => Err(Problem::unavailable("the first checkpoint is not published yet", 1000)),
        },
        Resource::Witnessed => match server.engine.reads().witnessed(ledger) {
            Some(witnessed) => Ok(typed("text/plain; charset=utf-8", "no-cache", witnessed.note.clone())),
            None => {
                Err(Problem::not_found("no quorum of witnesses has cosigned a checkpoint of this ledger"))
            }
        },
        Resource::Tile(tile) => {
            let hashes = server.read(move |reads| reads.tile(ledger, tile)).await?.ok_or_else(beyond)?;
            Ok(typed(BINARY, cache, encode_tile(&hashes)))
        }
        Resource::Bundle { index, width } => {
            let bytes = server.read(move |reads| reads.bundle(ledger, index, width)).await?;
            Ok(typed(BINARY, cache, bytes.ok_or_else(beyond)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_resource_has_one_spelling() {
        let tile = |level, index, width| Some(Resource::Tile(Tile { level, index, width }));
        for (path, expected) in [
            ("checkpoint", Some(Resource::Checkpoint)),
            ("tile/0/000", tile(0, 0, 256)),
            ("tile/1/x001/234.p/7", tile(1, 1234, 7)),
            ("tile/entries/005", Some(Resource::Bundle { index: 5, width: 256 })),
            ("tile/entries/005.p/1", Some(Resource::Bundle { index: 5, width: 1 })),
            ("checkpoint.witnessed", Some(Resource::Witnessed)),
            ("checkpoint/", None),
            ("checkpoint?", None),
            ("tile/0/0", None),
            ("tile/0/%30%30%30", None),
            ("tile/0/000.p/0", None),
            ("tile/0/000.p/256", None),
            ("tile/0/000.p/01", None),
            ("tile/00/000", None),
            ("tile/64/000", None),
            ("tile/0/x000/000", None),
            ("tile//000", None),
            ("tile/entries/5", None),
            ("tile/entries/005.p/256", None),
            ("tile/../checkpoint", None),
            ("", None),
        ] {
            assert_eq!(Resource::parse(path), expected, "{path}");
        }
    }
}
