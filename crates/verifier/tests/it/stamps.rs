//! Timestamps of checkpoints that the ledger had, and of some that it never had.

use evidence::verify::DamageKind;
use record::control::Timestamp;
use record::entry::Kind;
use verifier::{Verdict, verify_dir};

use crate::store::{self, Store};

/// A store with 700 events and one timestamp over `size` of them, whose root is changed by `spoil`.
fn stamped(size: u64, in_order: bool, spoil: u8) -> Store {
    store::build_with(700, in_order, |core| {
        let reads = core.reads();
        let published = reads.published(0).unwrap();
        let root = reads.root(0, size, &published).unwrap();
        let mut root = root.map_or([9; 32], |root| *root.as_bytes());
        root[0] ^= spoil;
        let authority = "tsa.example".to_owned();
        let stamp = Timestamp { size, root, authority, gen_time_ms: 1, accuracy_ms: None, token: vec![1] };
        vec![(Kind::Cut, stamp.to_draft())]
    })
}

#[test]
fn timestamps_of_every_older_checkpoint_fit() {
    for (size, in_order) in [(1, true), (255, true), (256, true), (257, false), (700, false), (702, true)] {
        let store = stamped(size, in_order, 0);
        let report = verify_dir(&store.data(), Some(&store.keys()), None, &|_, _| {});
        assert_eq!(
            (report.verdict(), &report.damage),
            (Verdict::Proven, &Vec::new()),
            "{:?}",
            report.undecided
        );
        let [stamp] = &report.timestamps[..] else { panic!("{:?}", report.timestamps) };
        assert_eq!((stamp.ledger.as_str(), stamp.index, stamp.record.size), ("main", 702, size));
        assert_eq!(stamp.origin, report.ledgers[0].origin);
    }
}

#[test]
fn timestamps_of_other_trees_are_found() {
    for (size, spoil, what) in [
        (300, 1, "a timestamp is of another tree than the ledger's"),
        (700, 1, "a timestamp is of another tree than the ledger's"),
        (703, 0, "a timestamp is of a larger tree than there was before it"),
        (1 << 40, 0, "a timestamp is of a larger tree than there was before it"),
    ] {
        let store = stamped(size, true, spoil);
        let report = verify_dir(&store.data(), Some(&store.keys()), None, &|_, _| {});
        let [damage] = &report.damage[..] else { panic!("{size}: {:?}", report.damage) };
        assert_eq!((damage.kind, damage.detail.as_str()), (DamageKind::Contradiction, what));
        assert_eq!(damage.entries, Some(("main".to_owned(), 702, 703)));
        assert_eq!(report.timestamps, []);
    }
}
