use tlog::{Checkpoint, Hash, Origin, SigningKey, leaf_hash, sign_checkpoint};

use super::*;
use crate::anchors::RangeProof;

const ORIGIN: &str = "log.example.org/a";

fn key() -> SigningKey {
    SigningKey::from_seed(ORIGIN, [7; 32]).unwrap()
}

/// A log whose entries from `fork` on are of branch `branch`.
fn leaves(count: u64, fork: u64, branch: u8) -> Vec<Hash> {
    let of = |n: u64| leaf_hash(&[&[if n < fork { 0 } else { branch }][..], &n.to_be_bytes()].concat());
    (0..count).map(of).collect()
}

fn whole(leaves: &[Hash]) -> Spread {
    let end = leaves.len() as u64;
    let range = RangeProof { from: 0, end, ..RangeProof::default() };
    Spread::new(&range, leaves.to_vec(), end).unwrap()
}

fn note(leaves: &[Hash], key: &SigningKey) -> String {
    let size = leaves.len() as u64;
    let root = whole(leaves).root(size).unwrap();
    sign_checkpoint(&Checkpoint { origin: Origin::new(ORIGIN).unwrap(), size, root }, key)
}

fn checkpoint(label: &str, leaves: &[Hash]) -> Paper {
    Paper { label: label.to_owned(), note: note(leaves, &key()), ..Paper::default() }
}

fn receipt(label: &str, leaves: &[Hash], index: u64) -> Paper {
    let all = whole(leaves);
    let entry = (index, all.leaf(index).unwrap(), all.inclusion(index).unwrap());
    Paper { leaves: vec![entry], ..checkpoint(label, leaves) }
}

fn everything(label: &str, leaves: &[Hash]) -> Paper {
    Paper { range: Some(whole(leaves)), ..checkpoint(label, leaves) }
}

fn judge(papers: Vec<Paper>) -> Comparison {
    compare(papers, &[key().verifying_key().clone()])
}

#[test]
fn one_log_at_several_sizes_is_proven_by_a_paper_that_reaches_over_them() {
    let log = leaves(40, 40, 0);
    let papers = vec![
        checkpoint("small", &log[..13]),
        receipt("a receipt", &log[..29], 5),
        everything("evidence", &log),
        checkpoint("the same again", &log),
    ];
    let found = judge(papers);
    assert_eq!(found.verdict(), Verdict::Proven, "{found:?}");
    assert_eq!(found.checkpoints.len(), 3);
    // What was small enough to be a beginning says nothing where nobody can prove that it is one.
    let found = judge(vec![checkpoint("small", &log[..13]), receipt("a receipt", &log[..29], 5)]);
    assert_eq!((found.verdict(), found.undecided.len()), (Verdict::Undecidable, 1), "{found:?}");
    // Beginnings of each other in a chain, by consistency proofs.
    let all = whole(&log);
    let link = (29, whole(&log[..29]).root(29).unwrap(), all.consistency(29).unwrap());
    let top = Paper { links: vec![link], ..checkpoint("linked", &log) };
    assert_eq!(
        judge(vec![top, everything("e", &log[..29]), checkpoint("s", &log[..13])]).verdict(),
        Verdict::Proven
    );
}

#[test]
fn two_histories_contradict_each_other_whatever_the_papers_are() {
    let (ours, theirs) = (leaves(40, 20, 1), leaves(50, 20, 2));
    let same_size = judge(vec![checkpoint("a", &ours), checkpoint("b", &theirs[..40])]);
    assert_eq!(same_size.forks.len(), 1);
    assert_eq!(same_size.forks[0].files.len(), 2, "two notes are all that is needed");
    let by_range = judge(vec![checkpoint("a", &ours), everything("b", &theirs)]);
    let by_receipts = judge(vec![receipt("a", &ours, 30), receipt("b", &theirs, 30)]);
    let by_ranges = judge(vec![everything("a", &ours), everything("b", &theirs)]);
    let by_mixture = judge(vec![receipt("a", &ours, 30), everything("b", &theirs)]);
    for found in [&same_size, &by_range, &by_receipts, &by_ranges, &by_mixture] {
        assert_eq!((found.verdict(), found.forks.len()), (Verdict::Disproven, 1), "{found:?}");
    }
    // What both have in common is not a contradiction, and no proof that there is none.
    let before = judge(vec![receipt("a", &ours, 10), receipt("b", &theirs, 10)]);
    assert_eq!(before.verdict(), Verdict::Undecidable);
    // A third that both begin with does not make them one.
    let common = checkpoint("c", &ours[..20]);
    let found = judge(vec![common, receipt("a", &ours, 10), everything("b", &theirs[..45])]);
    assert_eq!(found.verdict(), Verdict::Disproven);
}

#[test]
fn what_shows_a_fork_holds_for_whoever_has_only_the_key() {
    let (ours, theirs) = (leaves(40, 20, 1), leaves(50, 20, 2));
    let found = judge(vec![checkpoint("a", &ours), everything("b", &theirs)]);
    let file = |name: &str| found.forks[0].files.iter().find(|file| file.0 == name).unwrap().1.clone();
    let text = String::from_utf8(file("proof")).unwrap();
    let mut lines = text.lines().skip(3);
    let root = Hash::from_base64(lines.next().unwrap().strip_prefix("root ").unwrap()).unwrap();
    let proof: Vec<Hash> = lines.map(|line| Hash::from_base64(line).unwrap()).collect();
    let read = |name: &str| {
        let note = UnverifiedCheckpoint::parse(&file(name)).unwrap();
        note.verify(ORIGIN, &[key().verifying_key().clone()], &[]).unwrap().checkpoint().clone()
    };
    let (one, other) = (read("one.checkpoint"), read("other.checkpoint"));
    assert_ne!(root, one.root);
    assert_eq!(verify_consistency(one.size, other.size, &root, &other.root, &proof), Ok(()));
}

#[test]
fn what_nobody_signed_or_nothing_proves_is_not_a_contradiction_of_the_log() {
    let (ours, theirs) = (leaves(40, 20, 1), leaves(40, 20, 2));
    let stranger = SigningKey::from_seed(ORIGIN, [8; 32]).unwrap();
    let forged = Paper { note: note(&theirs, &stranger), ..checkpoint("forged", &theirs) };
    let found = judge(vec![everything("a", &ours), forged]);
    assert!(found.forks.is_empty() && found.broken.len() == 1, "{found:?}");
    let mut altered = receipt("altered", &ours, 30);
    altered.leaves[0].1 = theirs[30];
    let found = judge(vec![everything("a", &ours), altered]);
    assert!(found.forks.is_empty() && found.broken.len() == 1, "{found:?}");
    let swapped = Paper { range: Some(whole(&theirs)), ..checkpoint("swapped", &ours) };
    assert_eq!(judge(vec![swapped]).broken.len(), 1);
    let found = compare(vec![checkpoint("a", &ours)], &[]);
    assert_eq!(found.verdict(), Verdict::Undecidable);
}
