//! What drills have found missing in the verifier, each as the smallest case of it.

use std::path::Path;

use evidence::verify::{Damage, DamageKind, Report, Verdict};
use tlog::{Checkpoint, Frontier, Origin, SigningKey, decode_bundle, leaf_hash, sign_checkpoint};
use verifier::verify_dir;

use crate::store::{self, Store};

fn verify(store: &Store) -> Report {
    verify_dir(&store.data(), Some(&store.keys()), None, &|_, _| {})
}

fn damage<'r>(report: &'r Report, file: &str) -> &'r Damage {
    assert_eq!(report.verdict(), Verdict::Disproven, "{report:?}");
    report.damage.iter().find(|damage| damage.file == file).unwrap_or_else(|| panic!("{file}: {report:?}"))
}

fn signing_key(store: &Store, ledger: &str) -> SigningKey {
    let file = std::fs::read(store.keys().join(format!("{ledger}.signing.key"))).unwrap();
    let (origin, seed, _) = evidence::keys::parse_signing(&file).unwrap();
    SigningKey::from_seed(&origin, *seed).unwrap()
}

/// A store that was stopped in order has published everything: an older checkpoint with the tiles of its size hides
/// nothing by itself, since the log still holds the entries, but it is not how the store was left.
#[test]
fn an_older_checkpoint_in_a_stopped_store_is_seen() {
    let store = store::build(20);
    let dir = store.data().join("ledgers/second");
    let at = |path: &str| dir.join(path);
    let only = |dir: &Path| std::fs::read_dir(dir).unwrap().next().unwrap().unwrap().path();
    let (bundle, tile) = (only(&at("tile/entries/000.p")), only(&at("tile/0/000.p")));
    let (bytes, hashes) = (std::fs::read(&bundle).unwrap(), std::fs::read(&tile).unwrap());
    let leaves = decode_bundle(&bytes).unwrap().into_iter().map(leaf_hash);
    let root = leaves.take(5).collect::<Frontier>().root();
    std::fs::remove_file(bundle).unwrap();
    std::fs::remove_file(tile).unwrap();
    std::fs::write(at("tile/entries/000.p/5"), &bytes[..5 * 60]).unwrap();
    std::fs::write(at("tile/0/000.p/5"), &hashes[..5 * 32]).unwrap();
    let key = signing_key(&store, "second");
    let older = Checkpoint { origin: Origin::new(key.name()).unwrap(), size: 5, root };
    std::fs::write(at("checkpoint"), sign_checkpoint(&older, &key)).unwrap();
    let report = verify(&store);
    let damage = damage(&report, "ledgers/second/checkpoint");
    assert_eq!(damage.kind, DamageKind::Contradiction);
    assert_eq!(damage.entries.as_ref().unwrap().1, 5);
}

#[test]
fn a_signature_that_is_there_twice_is_unexpected() {
    let store = store::build(20);
    let path = store.data().join("ledgers/main/checkpoint");
    let note = std::fs::read_to_string(&path).unwrap();
    let signature = note.lines().last().unwrap();
    std::fs::write(&path, format!("{note}{signature}\n")).unwrap();
    assert_eq!(damage(&verify(&store), "ledgers/main/checkpoint").kind, DamageKind::Unexpected);
}

#[test]
fn entries_of_a_missing_segment_are_not_called_good_and_no_other_segment_is_accused() {
    let store = store::build(900);
    let name = format!("ledgers/main/segment/control/{:020}-{:020}.0", 256, 512);
    std::fs::remove_file(store.data().join(&name)).unwrap();
    let report = verify(&store);
    assert_eq!(damage(&report, &name).entries, Some(("main".to_owned(), 256, 512)));
    assert!(report.ledgers[0].good_below <= 256, "{report:?}");
    assert!(report.damage.iter().all(|damage| damage.kind == DamageKind::Missing), "{report:?}");
}

#[test]
fn nothing_is_called_good_without_a_signature_and_a_tile_above_tells_its_entries() {
    let store = store::build(600);
    let checkpoint = store.data().join("ledgers/main/checkpoint");
    let note = std::fs::read_to_string(&checkpoint).unwrap();
    std::fs::write(&checkpoint, note.split_once("\n\n").unwrap().0).unwrap();
    assert_eq!(verify(&store).ledgers[0].good_below, 0);
    std::fs::write(&checkpoint, note).unwrap();
    std::fs::remove_file(store.data().join("ledgers/main/tile/1/000.p/2")).unwrap();
    let report = verify(&store);
    assert_eq!(damage(&report, "ledgers/main/tile/1/000.p/2").entries, Some(("main".to_owned(), 0, 512)));
}

#[test]
fn an_authority_key_of_another_ledger_is_seen() {
    let store = store::build(20);
    let authority = |ledger: &str| store.keys().join(format!("{ledger}.authority.key"));
    std::fs::copy(authority("main"), authority("second")).unwrap();
    assert_eq!(damage(&verify(&store), "keys:second.authority.key").kind, DamageKind::Settings);
}

#[test]
fn a_group_whose_length_is_changed_is_told_where_it_begins() {
    let store = store::build(300);
    let wal = std::fs::read_dir(store.data().join("wal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .min()
        .unwrap();
    let mut bytes = std::fs::read(&wal).unwrap();
    let start = evidence::wal::HEADER_LEN;
    bytes[start + 7] ^= 0x40;
    std::fs::write(&wal, bytes).unwrap();
    let name = format!("wal/{}", wal.file_name().unwrap().to_str().unwrap());
    assert_eq!(damage(&verify(&store), &name).offset, Some(start as u64));
}

/// A server that was cut off may leave young tiles unwritten; what is sealed was synced and read back before.
#[test]
fn what_is_sealed_must_be_there_in_a_store_that_was_cut_off_too() {
    let store = store::build(600);
    let register = store.data().join("register");
    let mut registered = evidence::register::Registered::parse(&std::fs::read(&register).unwrap()).unwrap();
    assert!(registered.ledgers[0].sealed > 0);
    registered.stopped = false;
    std::fs::write(&register, registered.format()).unwrap();
    assert_eq!(verify(&store).verdict(), Verdict::Proven);
    for name in ["ledgers/main/tile/0/000", "ledgers/main/checkpoint"] {
        let path = store.data().join(name);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(damage(&verify(&store), name).kind, DamageKind::Missing);
        std::fs::write(path, bytes).unwrap();
    }
}
