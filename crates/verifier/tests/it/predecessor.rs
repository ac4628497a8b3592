//! Ledgers that say that they continue another, held against what is left of that one.

use evidence::predecessor::Predecessor;
use evidence::verify::{Report, Verdict};
use tlog::{Checkpoint, Hash, Origin, SigningKey, leaf_hash, sign_checkpoint};
use verifier::{hold_predecessor, verify_dir};

use crate::kept::checkpoint;
use crate::store::{self, Store};

/// The report on a ledger that continues what `note` tells.
fn heir(note: &[u8]) -> Report {
    let store = store::build(3);
    let mut report = verify_dir(&store.data(), None, None, &|_, _| {});
    assert_eq!(report.verdict(), Verdict::Proven);
    let note = std::str::from_utf8(note).unwrap();
    report.ledgers[0].predecessor = Some(Predecessor::read(note, &report.ledgers[0].origin).unwrap());
    report
}

fn held(note: &[u8], old: &Store) -> Report {
    let mut report = heir(note);
    hold_predecessor(&mut report, &old.data(), None, &|_, _| {}).unwrap();
    report
}

fn key(store: &Store, seed: Option<[u8; 32]>) -> SigningKey {
    let file = std::fs::read(store.keys().join("main.signing.key")).unwrap();
    let (origin, own, _) = evidence::keys::parse_signing(&file).unwrap();
    SigningKey::from_seed(&origin, seed.unwrap_or(*own)).unwrap()
}

fn signed(key: &SigningKey, size: u64, root: Hash) -> Vec<u8> {
    let origin = Origin::new(key.name()).unwrap();
    sign_checkpoint(&Checkpoint { origin, size, root }, key).into_bytes()
}

#[test]
fn a_store_that_begins_with_what_is_continued_proves_it() {
    let old = store::build(300);
    let size = verify_dir(&old.data(), None, None, &|_, _| {}).ledgers[0].size;
    for at in [1, 255, 256, 257, size as usize] {
        let report = held(&checkpoint(&old, at, |_| {}), &old);
        assert_eq!(
            (report.verdict(), &report.damage),
            (Verdict::Proven, &Vec::new()),
            "{:?}",
            report.undecided
        );
        let note = report.notes.last().unwrap();
        match size - at as u64 {
            0 => assert!(note.contains("exactly what") && !note.contains("beyond"), "{note}"),
            more => {
                assert!(note.contains(&format!("; {more} entries of it, {at} to {}, ", size - 1)), "{note}")
            }
        }
    }
}

#[test]
fn another_tree_and_another_key_are_disproven() {
    let old = store::build(300);
    let size = verify_dir(&old.data(), None, None, &|_, _| {}).ledgers[0].size;
    for at in [1, 256, size as usize] {
        let report = held(&checkpoint(&old, at, |leaves| leaves[at / 2] = leaf_hash(b"other")), &old);
        assert_eq!(report.verdict(), Verdict::Disproven, "{at}");
        assert_eq!(report.damage[0].entries, Some(("main".to_owned(), 0, 1)));
        let true_root = checkpoint(&old, at, |_| {});
        let root = std::str::from_utf8(&true_root).unwrap().lines().nth(2).unwrap();
        let root = Hash::from_base64(root).unwrap();
        let forged = held(&signed(&key(&old, Some([3; 32])), at as u64, root), &old);
        assert_eq!(forged.verdict(), Verdict::Disproven, "{at}");
        assert!(forged.damage[0].detail.contains("has not signed"), "{:?}", forged.damage);
    }
}

#[test]
fn what_the_old_store_lacks_is_told_and_not_proven() {
    let old = store::build(300);
    let size = verify_dir(&old.data(), None, None, &|_, _| {}).ledgers[0].size;
    let report = held(&signed(&key(&old, None), size + 5, leaf_hash(b"lost")), &old);
    assert_eq!(report.verdict(), Verdict::Undecidable);
    let lost = format!("entries {size} to {} are lost from it", size + 4);
    assert!(report.undecided[0].contains(&lost), "{:?}", report.undecided);
    // One that is damaged vouches for nothing.
    let note = checkpoint(&old, 10, |_| {});
    std::fs::remove_file(old.data().join("ledgers/main/tile/0/000")).unwrap();
    let report = held(&note, &old);
    assert_eq!(report.verdict(), Verdict::Undecidable, "{:?}", report.damage);
    assert!(report.undecided[0].contains("damaged itself"), "{:?}", report.undecided);
}

#[test]
fn what_is_of_no_such_ledger_decides_nothing() {
    let (old, other) = (store::build(300), store::build(3));
    let report = held(&checkpoint(&old, 10, |_| {}), &other);
    assert_eq!(report.verdict(), Verdict::Undecidable);
    let mut none = verify_dir(&other.data(), None, None, &|_, _| {});
    hold_predecessor(&mut none, &old.data(), None, &|_, _| {}).unwrap();
    assert_eq!(none.verdict(), Verdict::Undecidable);
    let mut report = heir(&checkpoint(&old, 10, |_| {}));
    assert!(hold_predecessor(&mut report, &old.keys(), None, &|_, _| {}).is_err());
    assert!(hold_predecessor(&mut report, &old.data().join("register"), None, &|_, _| {}).is_err());
}

#[test]
fn a_kept_checkpoint_is_compared_and_its_key_is_the_one_that_was_given() {
    let old = store::build(300);
    let (ours, thief) = (key(&old, None), key(&old, Some([3; 32])));
    let note = checkpoint(&old, 20, |_| {});
    let against = |continued: &[u8], kept: &[u8], key: Option<&SigningKey>| {
        let file = old.data().with_file_name("kept");
        std::fs::write(&file, kept).unwrap();
        let mut report = heir(continued);
        let held = hold_predecessor(&mut report, &file, key.map(SigningKey::verifying_key), &|_, _| {});
        held.map(|()| report.verdict())
    };
    assert_eq!(against(&note, &note, None), Ok(Verdict::Proven));
    assert_eq!(against(&note, &note, Some(&ours)), Ok(Verdict::Proven));
    assert!(against(&note, &note, Some(&thief)).is_err());
    let forged = signed(
        &thief,
        20,
        Hash::from_base64(std::str::from_utf8(&note).unwrap().lines().nth(2).unwrap()).unwrap(),
    );
    assert_eq!(against(&forged, &note, Some(&ours)), Ok(Verdict::Disproven));
    assert_eq!(against(&signed(&ours, 20, leaf_hash(b"x")), &note, None), Ok(Verdict::Disproven));
    for size in [19, 21] {
        assert_eq!(against(&checkpoint(&old, size, |_| {}), &note, Some(&ours)), Ok(Verdict::Undecidable));
    }
}
