//! Stores held against a checkpoint that somebody kept.

use evidence::verify::{Report, Verdict};
use record::commit::Salt;
use record::receipt::{Level, Receipt};
use tlog::{Checkpoint, Frontier, Origin, SigningKey, decode_bundle, leaf_hash, sign_checkpoint};
use verifier::{Anchor, Directory, hold_against, verify_dir};

use crate::store::{self, Store};

fn held(store: &Store, kept: &[u8]) -> Report {
    let mut report = verify_dir(&store.data(), Some(&store.keys()), None, &|_, _| {});
    assert_eq!(report.verdict(), Verdict::Proven);
    hold_against(&Directory::new(&store.data()), kept, &mut report).unwrap();
    report
}

/// The checkpoint that the server would have signed over the first `size` entries of a ledger; its leaves are
/// changed by `change` first.
pub fn checkpoint(store: &Store, size: usize, change: impl Fn(&mut Vec<tlog::Hash>)) -> Vec<u8> {
    let file = std::fs::read(store.keys().join("main.signing.key")).unwrap();
    let (origin, seed, _) = evidence::keys::parse_signing(&file).unwrap();
    let key = SigningKey::from_seed(&origin, *seed).unwrap();
    let mut leaves = Vec::new();
    let root = store.data().join("ledgers/main/tile/entries");
    let partial = std::fs::read_dir(root.join("001.p")).unwrap().next().unwrap().unwrap().path();
    for bundle in [root.join("000"), partial] {
        let bytes = std::fs::read(bundle).unwrap();
        leaves.extend(decode_bundle(&bytes).unwrap().into_iter().map(leaf_hash));
    }
    leaves.truncate(size);
    change(&mut leaves);
    let root = leaves.into_iter().collect::<Frontier>().root();
    let checkpoint = Checkpoint { origin: Origin::new(&origin).unwrap(), size: size as u64, root };
    sign_checkpoint(&checkpoint, &key).into_bytes()
}

#[test]
fn a_store_that_has_grown_holds_every_older_checkpoint() {
    let store = store::build(300);
    for size in [1, 2, 255, 256, 257, 300] {
        let report = held(&store, &checkpoint(&store, size, |_| {}));
        assert_eq!((report.verdict(), &report.damage), (Verdict::Proven, &Vec::new()), "{size}");
        assert_eq!(report.ledgers[0].anchor, Anchor::Kept);
    }
}

#[test]
fn another_history_under_the_same_key_is_seen() {
    let store = store::build(300);
    for size in [1, 256, 300] {
        let report = held(&store, &checkpoint(&store, size, |leaves| leaves[size / 2] = leaf_hash(b"other")));
        assert_eq!(report.verdict(), Verdict::Disproven, "{size}");
        assert_eq!(report.damage[0].entries, Some(("main".to_owned(), 0, size as u64)));
        assert_eq!(report.ledgers[0].anchor, Anchor::None);
    }
}

#[test]
fn a_store_that_ends_before_the_checkpoint_was_set_back() {
    let store = store::build(300);
    let size = held(&store, &checkpoint(&store, 10, |_| {})).ledgers[0].size as usize;
    let file = std::fs::read(store.keys().join("main.signing.key")).unwrap();
    let (origin, seed, _) = evidence::keys::parse_signing(&file).unwrap();
    let key = SigningKey::from_seed(&origin, *seed).unwrap();
    let root = leaf_hash(b"what was cut off");
    let later = Checkpoint { origin: Origin::new(&origin).unwrap(), size: size as u64 + 5, root };
    let report = held(&store, sign_checkpoint(&later, &key).as_bytes());
    assert_eq!(report.verdict(), Verdict::Disproven);
    assert_eq!(report.damage[0].entries, Some(("main".to_owned(), size as u64, size as u64 + 5)));
}

#[test]
fn what_is_of_another_ledger_or_by_another_key_does_not_hold() {
    let (store, other) = (store::build(300), store::build(300));
    assert_eq!(held(&store, &checkpoint(&other, 9, |_| {})).verdict(), Verdict::Disproven);
    let origin = held(&store, &checkpoint(&store, 9, |_| {})).ledgers[0].origin.clone();
    let thief = SigningKey::from_seed(&origin, [3; 32]).unwrap();
    let forged = Checkpoint { origin: Origin::new(&origin).unwrap(), size: 9, root: leaf_hash(b"x") };
    assert_eq!(held(&store, sign_checkpoint(&forged, &thief).as_bytes()).verdict(), Verdict::Disproven);
    let mut report = verify_dir(&store.data(), None, None, &|_, _| {});
    assert!(hold_against(&Directory::new(&store.data()), b"neither", &mut report).is_err());
}

#[test]
fn the_entry_of_a_kept_receipt_must_be_there() {
    let store = store::build(300);
    let bytes = std::fs::read(store.data().join("ledgers/main/tile/entries/000")).unwrap();
    let entries = decode_bundle(&bytes).unwrap();
    let base = held(&store, &checkpoint(&store, 9, |_| {}));
    let receipt = |index: u64, entry: &[u8]| Receipt {
        origin: base.ledgers[0].origin.clone(),
        ledger_id: [0; 32],
        index,
        level: Level::Durable,
        entry: entry.try_into().unwrap(),
        table_version: record::facet::TABLE_VERSION,
        salt_5: Salt([0; 16]),
        digests: [[0; 32]; 5],
        proof: None,
    };
    let held = |receipt: Receipt| held(&store, receipt.to_json().as_bytes());
    assert_eq!(held(receipt(7, entries[7])).verdict(), Verdict::Proven);
    let moved = held(receipt(7, entries[8]));
    assert_eq!(moved.damage[0].entries, Some(("main".to_owned(), 7, 8)));
    let cut = held(receipt(base.ledgers[0].size, entries[7]));
    assert_eq!((cut.verdict(), cut.ledgers[0].good_below), (Verdict::Disproven, base.ledgers[0].size));
}
