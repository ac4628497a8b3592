//! Files that must not change, for every verifier there is. `BLESS=1 cargo test -p export golden` writes them anew.

use std::fs;
use std::path::PathBuf;

use export::{Options, Selection, verify};
use record::facet::Facet;
use testkit::sample::{Sample, golden};
use tlog::{Checkpoint, CosigningKey, Origin, SigningKey, leaf_hash, sign_checkpoint};

/// The kinds of files: name and bytes.
pub fn files() -> [(&'static str, Vec<u8>); 5] {
    let sample = golden();
    let keys = keys(&handed_over());
    [
        ("range", range(&sample)),
        ("withheld", withheld(&sample)),
        ("query", query(&sample)),
        ("keys", keys),
        ("continued", continued()),
    ]
}

/// A ledger that has had three keys; the last change is bound to an earlier tree than there was by then.
pub fn handed_over() -> Sample {
    let mut sample = Sample::new();
    let some = |sample: &mut Sample, count: usize| (0..count).for_each(|_| sample.event(1, 1, b"{}"));
    some(&mut sample, 3);
    sample.change_key(31, 5);
    some(&mut sample, 8);
    sample.change_key(32, 12);
    some(&mut sample, 4);
    sample
}

/// A range with the second of two changes of the key in it, and what both need.
fn keys(sample: &Sample) -> Vec<u8> {
    let selection = Selection { from: 7, end: sample.size(), ..Selection::default() };
    let anchors = [5, 12, 15].map(|size| sample.anchor(size, Vec::new()));
    sample.export(Vec::new(), sample.about(selection, &[]), &anchors, &|_| true).0
}

/// A ledger that continues another, whose last checkpoint two witnesses cosigned.
fn continued() -> Vec<u8> {
    let mut sample = Sample::continuing(Some(predecessor(640)));
    for _ in 0..15 {
        sample.wait(1000);
        sample.event(1, 1, b"{\"actor\":{\"user\":{\"name\":\"alice\"}},\"message\":\"after the loss\"}");
    }
    let selection = Selection { from: 2, end: sample.size(), ..Selection::default() };
    sample.export(Vec::new(), sample.about(selection, &[]), &[], &|_| true).0
}

/// The last checkpoint of another ledger.
pub fn predecessor(size: u64) -> String {
    let old = SigningKey::from_seed("ledgerstone.example/0123456789abcdef", [9; 32]).expect("a good name");
    let origin = Origin::new(old.name()).expect("a good origin");
    let checkpoint = Checkpoint { origin, size, root: leaf_hash(b"the old one") };
    let cosign = |name: &str, seed: u8| {
        let key = CosigningKey::from_seed(name, [seed; 32]).expect("a good name");
        format!("{}\n", key.cosign(&checkpoint, testkit::sample::START_MS / 1000))
    };
    sign_checkpoint(&checkpoint, &old) + &cosign("w1.example", 1) + &cosign("w2.example", 2)
}

/// A range in the middle, with two earlier checkpoints and something in place of a timestamp.
fn range(sample: &Sample) -> Vec<u8> {
    let selection = Selection { from: 5, end: 33, ..Selection::default() };
    let size = sample.size();
    let anchors =
        [sample.anchor(9, Vec::new()), sample.anchor(30, Vec::new()), sample.anchor(size, Vec::new())];
    sample.export(Vec::new(), sample.about(selection, &[]), &anchors, &|_| true).0
}

/// The whole ledger by time, without `who` and `content`.
fn withheld(sample: &Sample) -> Vec<u8> {
    let from_ms = Some(testkit::sample::START_MS);
    let selection = Selection { from: 0, end: sample.size(), from_ms, ..Selection::default() };
    let mut about = sample.about(selection, &[Facet::Content, Facet::Who]);
    about.case = "<b>4712</b> & \u{202e}co.\u{1b}[31m".to_owned();
    sample.export(Vec::new(), about, &[], &|_| true).0
}

/// Every third record of some.
fn query(sample: &Sample) -> Vec<u8> {
    let query = Some("actor.user.name:alice".to_owned());
    let selection = Selection { from: 1, end: 40, query, ..Selection::default() };
    sample.export(Vec::new(), sample.about(selection, &[]), &[], &|index| index % 3 == 0).0
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.evidence"))
}

#[test]
fn golden_files_are_written_as_ever() {
    for (name, bytes) in files() {
        if std::env::var_os("BLESS").is_some() {
            fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            fs::write(path(name), &bytes).unwrap();
        }
        let there = fs::read(path(name)).expect("run with BLESS=1 to make the golden files");
        assert!(there == bytes, "{name} differs: BLESS=1 writes it anew, if that is meant");
    }
}

#[test]
fn what_a_ledger_continues_is_told() {
    let report = verify(&continued()[..], &Options::default());
    assert_eq!((&report.damage, &report.undecided), (&vec![], &vec![]));
    let old = report.predecessor.unwrap();
    assert_eq!((old.origin.as_str(), old.size), ("ledgerstone.example/0123456789abcdef", 640));
    assert_eq!(old.note, predecessor(640));
}

#[test]
fn what_is_no_checkpoint_of_another_ledger_is_damage() {
    let own = Sample::new();
    let unsigned =
        predecessor(640).replace("\u{2014} ledgerstone.example/0", "\u{2014} ledgerstone.example/1");
    for bad in
        [String::new(), predecessor(0), unsigned, own.checkpoint(2), "somebody\n7\nAAAA\n\n".to_owned()]
    {
        let sample = Sample::continuing(Some(bad.clone()));
        let selection = Selection { from: 1, end: 2, ..Selection::default() };
        let (file, _) = sample.export(Vec::new(), sample.about(selection, &[]), &[], &|_| true);
        let report = verify(&file[..], &Options::default());
        let checks: Vec<&str> = report.damage.iter().map(|damage| damage.check.name()).collect();
        assert_eq!(checks, ["genesis"], "{bad}");
    }
}
