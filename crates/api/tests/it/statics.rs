//! The C2SP paths, read by code that knows nothing of the server.

use record::entry::ENTRY_LEN;
use tlog::UnverifiedCheckpoint;
use tlog::hash::{Hash, leaf_hash};
use tlog::proof::{TileSource, root_from_tiles};
use tlog::tile::{Tile, bundle_path, bundles_for_size, decode_bundle, decode_tile, tiles_for_size};

use crate::site::{Site, event, lines};

struct Http<'a>(&'a Site);

impl TileSource for Http<'_> {
    type Error = tlog::TileError;

    fn tile(&self, tile: Tile) -> Result<Vec<Hash>, Self::Error> {
        let path = format!("{}/{}", self.0.prefix(), tile.path());
        decode_tile(&self.0.get_as(&path, None).ok().body, tile.width)
    }
}

/// Size and root that the checkpoint says, under the right key.
fn checkpoint(site: &Site) -> (u64, Hash) {
    let answer = site.get_as(&format!("{}/checkpoint", site.prefix()), None).ok();
    let note = UnverifiedCheckpoint::parse(&answer.body).unwrap();
    let verified = note.verify(&site.ledger().origin, &[site.key()], &[]).unwrap();
    (verified.checkpoint().size, verified.checkpoint().root)
}

#[test]
fn tiles_and_bundles_give_the_root_of_the_checkpoint() {
    let site = Site::start();
    for count in [1, 255, 400, 1000] {
        site.append("?wait=committed", lines(0..count)).ok();
        let (size, root) = checkpoint(&site);
        assert_eq!(root_from_tiles(size, &Http(&site)).unwrap(), root);
        let mut leaves = Vec::new();
        for (index, width) in bundles_for_size(size) {
            let path = format!("{}/{}", site.prefix(), bundle_path(index, width));
            let bytes = site.get(&path).ok().body;
            let entries = decode_bundle(&bytes).unwrap();
            assert_eq!(entries.len(), usize::from(width));
            assert!(entries.iter().all(|entry| entry.len() == ENTRY_LEN));
            leaves.extend(entries.iter().map(|entry| leaf_hash(entry)));
        }
        let tiles = tiles_for_size(size).filter(|tile| tile.level == 0);
        let hashes: Vec<Hash> = tiles.flat_map(|tile| Http(&site).tile(tile).unwrap()).collect();
        assert_eq!(hashes, leaves);
    }
}

#[test]
fn any_narrower_partial_is_served_and_nothing_wider() {
    let site = Site::start();
    site.append("?wait=committed", lines(0..300)).ok();
    let (size, _) = checkpoint(&site);
    let prefix = site.prefix();
    let widest = (size % 256) as u16;
    assert!(size > 256 && widest > 10);
    let bytes = |path: &str| site.get(&format!("{prefix}/{path}")).ok().body;
    let (tile, bundle) =
        (bytes(&format!("tile/0/001.p/{widest}")), bytes(&format!("tile/entries/001.p/{widest}")));
    for width in [1, 2, widest / 2, widest - 1] {
        assert_eq!(bytes(&format!("tile/0/001.p/{width}")), tile[..usize::from(width) * 32]);
        assert_eq!(
            bytes(&format!("tile/entries/001.p/{width}")),
            bundle[..usize::from(width) * (2 + ENTRY_LEN)]
        );
    }
    // A full one may be asked for in parts as well.
    assert_eq!(bytes("tile/0/000.p/7"), bytes("tile/0/000")[..7 * 32]);
    for path in [
        format!("tile/0/001.p/{}", widest + 1),
        "tile/0/001".to_owned(),
        "tile/0/002.p/1".to_owned(),
        "tile/1/000".to_owned(),
        "tile/2/000.p/1".to_owned(),
        "tile/63/000.p/1".to_owned(),
        format!("tile/entries/001.p/{}", widest + 1),
        "tile/entries/001".to_owned(),
        "tile/entries/x999/x999/x999/999".to_owned(),
        "tile/entries/0".to_owned(),
        "tile/0/0".to_owned(),
        "tile/0/001.p/0".to_owned(),
        "tile/0/%3000".to_owned(),
        "tile/0/".to_owned(),
        "tiles".to_owned(),
    ] {
        site.get(&format!("{prefix}/{path}")).problem(404, "not-found");
    }
}

#[test]
fn caches_are_told_what_they_may_keep() {
    let site = Site::start();
    site.append("?wait=committed", lines(0..300)).ok();
    let prefix = site.prefix();
    let forever = "max-age=31536000, immutable";
    for (path, kind, cache) in [
        ("checkpoint", "text/plain; charset=utf-8", "no-cache".to_owned()),
        ("tile/0/000", "application/octet-stream", format!("public, {forever}")),
        ("tile/0/001.p/3", "application/octet-stream", format!("public, {forever}")),
        ("tile/entries/000", "application/octet-stream", format!("private, {forever}")),
        ("tile/entries/001.p/3", "application/octet-stream", format!("private, {forever}")),
    ] {
        let path = format!("{prefix}/{path}");
        let answer = site.get(&path).ok();
        assert_eq!(
            (answer.header("content-type"), answer.header("cache-control")),
            (kind, &*cache),
            "{path}"
        );
        let head = site.head_as(&path, Some(&site.admin));
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!((head.header("content-type"), head.header("cache-control")), (kind, &*cache), "{path}");
        assert_eq!(head.header("content-length"), answer.body.len().to_string(), "{path}");
    }
    site.get_as(&format!("{prefix}/tile/entries/000"), None).problem(401, "no-token");
    site.get_as("/0000000000000000/checkpoint", None).problem(404, "not-found");
    site.get_as("/nothing", None).problem(404, "not-found");
    site.post(&format!("{prefix}/checkpoint"), event(1)).problem(405, "method");
    site.get("/v1/sources/2/epochs").problem(405, "method");
    site.get("/v1/ledgers/main/events").problem(405, "method");
}
