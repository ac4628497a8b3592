use monitor::{Kept, Kind, Promise, Tree};
use tlog::{SigningKey, TlogProof, sign_checkpoint};

use crate::log::{Bench, History, key};

/// What becomes of a promise when the log shows a history up to a size.
fn hold(promise: &Promise, history: &History, size: u64) -> Kept {
    let bench = Bench::new();
    bench.show(history, size);
    let source = bench.source();
    let checkpoint = history.checkpoint(size);
    let tree = Tree::open(&source, None, size, checkpoint.root).unwrap();
    promise.hold(&bench.keys, history.signed(size).as_bytes(), &tree).unwrap()
}

/// The promise that entry `index` is in the tree of `size` entries; without a size, that it is recorded.
fn promise(history: &History, index: u64, size: Option<u64>) -> Promise {
    let proof = size.map(|size| {
        let bench = Bench::new();
        bench.show(history, size);
        let source = bench.source();
        let tree = Tree::open(&source, None, size, history.checkpoint(size).root).unwrap();
        (history.signed(size), tree.inclusion(index).unwrap())
    });
    Promise { index, leaf: history.leaf(index as usize), proof, paper: b"the receipt".to_vec() }
}

fn kind(kept: &Kept) -> Option<Kind> {
    match kept {
        Kept::Broken(finding) => Some(finding.kind),
        _ => None,
    }
}

#[test]
fn what_was_promised_holds_in_every_later_tree() {
    let history = History::of(1000);
    for (index, size) in [(0, 1), (0, 300), (255, 256), (256, 257), (299, 300)] {
        for later in [300, 512, 1000] {
            assert_eq!(hold(&promise(&history, index, Some(size)), &history, later), Kept::Holds);
            assert_eq!(hold(&promise(&history, index, None), &history, later), Kept::Holds);
        }
    }
    assert_eq!(hold(&promise(&history, 500, None), &history, 500), Kept::NotYet);
}

#[test]
fn a_log_that_has_another_past_now_has_broken_its_promise_whichever_entry_changed() {
    let history = History::of(1000);
    let kept = promise(&history, 100, Some(300));
    for changed in [0, 100, 299] {
        let other = history.clone().with(changed, b"another");
        for size in [300, 301, 1000] {
            assert_eq!(kind(&hold(&kept, &other, size)), Some(Kind::Fork), "{changed} {size}");
        }
    }
    assert_eq!(hold(&kept, &history.clone().with(300, b"another"), 1000), Kept::Holds);
    // Going back behind what was signed breaks it too, though nothing else is there.
    assert_eq!(kind(&hold(&kept, &history, 299)), Some(Kind::Rollback));
}

#[test]
fn a_receipt_without_a_checkpoint_speaks_of_its_own_entry() {
    let history = History::of(600);
    let kept = promise(&history, 400, None);
    assert_eq!(hold(&kept, &history.clone().with(1, b"x"), 600), Kept::Holds);
    let other = history.with(400, b"x");
    let Kept::Broken(finding) = hold(&kept, &other, 600) else { panic!("it holds") };
    assert_eq!(finding.kind, Kind::Promise);
    // Whoever gets the files sees what is there instead, without asking the log.
    let file = finding.evidence.iter().find(|(name, _)| *name == "shown.tlog-proof").unwrap();
    let proof = TlogProof::parse(&file.1).unwrap();
    proof.verify(&other.leaf(400), key().name(), &[key().verifying_key().clone()], &[]).unwrap();
    assert_eq!(proof.index, 400);
}

#[test]
fn what_never_held_says_nothing_about_the_log() {
    let history = History::of(600);
    let mut forged = promise(&history, 5, Some(300));
    let stranger = SigningKey::from_seed(key().name(), [9; 32]).unwrap();
    forged.proof.as_mut().unwrap().0 = sign_checkpoint(&history.checkpoint(300), &stranger);
    assert_eq!(kind(&hold(&forged, &history, 600)), Some(Kind::Signature));
    let mut misplaced = promise(&history, 5, Some(300));
    misplaced.index = 6;
    assert_eq!(kind(&hold(&misplaced, &history, 600)), Some(Kind::Signature));
}
