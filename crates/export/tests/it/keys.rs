//! Changes of the ledger's key in evidence files: what holds, and what does not although everybody signs it who could.

use export::anchors::Anchor;
use export::{Options, Report, Selection, verify};
use record::control::KeyChange;
use testkit::sample::{Sample, repack, unpack};
use tlog::{
    Checkpoint, CosigningKey, KeyStatement, Note, SigningKey, VerifierKey, leaf_hash, sign_checkpoint,
};

use crate::golden::{files, handed_over};

fn check(file: &[u8]) -> Report {
    verify(file, &Options::default())
}

fn export(sample: &Sample, anchors: &[Anchor]) -> Vec<u8> {
    let selection = Selection { from: 0, end: sample.size(), ..Selection::default() };
    sample.export(Vec::new(), sample.about(selection, &[]), anchors, &|_| true).0
}

/// A file with the lines that its key records need.
fn whole(sample: &Sample, sizes: &[u64]) -> Vec<u8> {
    let anchors: Vec<Anchor> = sizes.iter().map(|size| sample.anchor(*size, Vec::new())).collect();
    export(sample, &anchors)
}

fn assert_red(file: &[u8], check_name: &str, what: &str) {
    let report = check(file);
    assert_eq!(report.verdict().word(), "disproven", "{what}");
    let checks: Vec<String> = report.damage.iter().map(ToString::to_string).collect();
    assert!(checks.iter().any(|damage| damage.starts_with(check_name)), "{what}: {checks:#?}");
}

#[test]
fn each_key_that_the_ledger_had_leads_to_the_one_in_force() {
    let sample = handed_over();
    let (_, file) = &files()[3];
    let keys = sample.keys_before.iter().map(|(_, key)| key).chain([&sample.key]);
    for key in keys {
        let report = verify(&file[..], &Options { key: Some(key.verifying_key()), ..Options::default() });
        assert!(report.pinned && report.verdict().word() == "proven", "{:?}", report.damage);
        assert_eq!(report.history.map(|history| history.changes().len()), Some(2));
    }
    for key in [sample.seeded(33), sample.authority()] {
        let report = verify(&file[..], &Options { key: Some(key.verifying_key()), ..Options::default() });
        assert_eq!((report.pinned, report.damage[0].check.to_string()), (false, "E13 key".to_owned()));
    }
}

#[test]
fn every_earlier_checkpoint_is_by_the_key_of_its_time() {
    let sample = handed_over();
    let sizes: Vec<u64> = (1..=sample.size()).collect();
    assert_eq!(check(&whole(&sample, &sizes)).damage, []);
    let mut anchors = [5, 12].map(|size| sample.anchor(size, Vec::new()));
    let witness = CosigningKey::from_seed("w.example/1", [9; 32]).unwrap();
    let mut note = Note::parse(anchors[0].checkpoint.as_bytes()).unwrap();
    note.push(witness.cosign(&sample.head(5), 1_763_715_700)).unwrap();
    anchors[0].checkpoint = note.to_string();
    assert_eq!(check(&export(&sample, &anchors)).damage, []);
    for size in [3, 5, 12, 15, sample.size()] {
        for key in sample.keys_before.iter().map(|(_, key)| key).chain([&sample.key]) {
            if key.verifying_key() == sample.key_for(size).verifying_key() {
                continue;
            }
            let mut sizes = vec![5, 12, size];
            sizes.sort_unstable();
            sizes.dedup();
            let anchors: Vec<Anchor> = sizes
                .iter()
                .map(|at| match *at == size {
                    true => Anchor {
                        checkpoint: sign_checkpoint(&sample.head(size), key),
                        ..sample.anchor(size, Vec::new())
                    },
                    false => sample.anchor(*at, Vec::new()),
                })
                .collect();
            assert_red(&export(&sample, &anchors), "E11", &format!("{size} by {}", key.verifying_key()));
        }
    }
}

#[test]
fn lines_and_records_that_are_left_out() {
    let sample = handed_over();
    for sizes in [&[][..], &[5], &[12], &[5, 13], &[5, 11]] {
        assert_red(&whole(&sample, sizes), "E11", &format!("{sizes:?}"));
    }
    // A selection without them: the records stand in `control.ndjson`, from where anybody can take them.
    let selection = Selection { from: 15, end: 18, ..Selection::default() };
    let anchors = [5, 12].map(|size| sample.anchor(size, Vec::new()));
    let (file, _) = sample.export(Vec::new(), sample.about(selection, &[]), &anchors, &|_| true);
    assert_eq!(check(&file).damage, []);
    for index in ["5", "14"] {
        let mut members = unpack(&file);
        let text = &mut members.iter_mut().find(|(name, _)| name == "control.ndjson").unwrap().1;
        let member = format!("\"index\":\"{index}\"");
        let kept: Vec<&[u8]> = text
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| !line.windows(member.len()).any(|part| part == member.as_bytes()))
            .collect();
        let without = kept.concat();
        assert!(without.len() < text.len());
        *text = without;
        assert_red(&repack(&members, &sample.key, |_| {}), "E5", index);
    }
}

#[test]
fn the_old_key_goes_on() {
    let sample = handed_over();
    let good = unpack(&whole(&sample, &[5, 12]));
    for (_, old) in &sample.keys_before {
        let vkey = old.verifying_key().to_string();
        let named = |manifest: &mut export::Manifest| manifest.vkey.clone_from(&vkey);
        assert_red(&repack(&good, old, |_| {}), "E2", "the manifest by the old key");
        assert_red(&repack(&good, old, named), "E4", "the manifest by the old key, and naming it");
        let mut members = good.clone();
        let checkpoint = &mut members.iter_mut().find(|(name, _)| name == "checkpoint").unwrap().1;
        *checkpoint = sign_checkpoint(&sample.head(sample.size()), old).into_bytes();
        assert_red(&repack(&members, &sample.key, |_| {}), "E4", "the checkpoint by the old key");
        assert_red(&repack(&members, old, named), "E5", "everything by the old key");
    }
}

type Edit<'a> = &'a dyn Fn(&mut KeyStatement);

/// A ledger whose second change is `change` of it; it names the key of seed 32.
fn with(change: impl FnOnce(&Sample) -> KeyChange) -> Sample {
    let mut sample = Sample::new();
    sample.event(1, 1, b"{}");
    sample.change_key(31, 3);
    sample.event(1, 1, b"{}");
    let change = change(&sample);
    sample.enter_key(32, &change);
    sample.event(1, 1, b"{}");
    sample
}

#[test]
fn records_that_do_not_hold() {
    let by = |key: &SigningKey, statement: &KeyStatement, head: &Checkpoint, old: &SigningKey| KeyChange {
        statement: statement.sign(key),
        checkpoint: sign_checkpoint(head, old),
    };
    let stated = |sample: &Sample, edit: Edit<'_>| {
        let mut statement = sample.statement(32, 5);
        edit(&mut statement);
        let head = Checkpoint { size: statement.size, root: statement.root, ..sample.head(5) };
        by(&sample.authority(), &statement, &head, &sample.key)
    };
    let good = with(|sample| stated(sample, &|_| {}));
    assert_eq!(check(&whole(&good, &[3, 5])).damage, []);

    let foreign = SigningKey::from_seed("other.example/1", [32; 32]).unwrap();
    let key = |seed: u8| good.seeded(seed).verifying_key().clone();
    let origin = tlog::Origin::new("other.example/1").unwrap();
    let edits: [(&str, Edit<'_>); 9] = [
        ("another origin", &|statement| {
            statement.origin = origin.clone();
            statement.key = foreign.verifying_key().clone();
        }),
        ("another root", &|statement| statement.root = leaf_hash(b"another")),
        ("no tree", &|statement| statement.size = 0),
        ("a tree beyond the record", &|statement| statement.size = 6),
        ("a tree before the last change", &|statement| {
            let head = good.head(3);
            (statement.size, statement.root) = (head.size, head.root);
        }),
        ("the first key again", &|statement| statement.key = key(7)),
        ("the same key again", &|statement| statement.key = key(31)),
        ("the authority's key", &|statement| statement.key = key(8)),
        ("a key of another name", &|statement| statement.key = foreign.verifying_key().clone()),
    ];
    for (what, edit) in edits {
        // A tree that the ledger never had is only seen by the line that must be there.
        let check = if what == "another root" { "E11" } else { "E5" };
        assert_red(&whole(&with(|sample| stated(sample, edit)), &[3, 5]), check, what);
    }
    let statement = |sample: &Sample| sample.statement(32, 5);
    for seed in [7, 31, 32, 9] {
        let sample =
            with(|sample| by(&sample.seeded(seed), &statement(sample), &sample.head(5), &sample.key));
        assert_red(&whole(&sample, &[3, 5]), "E5", &format!("stated by {seed}"));
    }
    for seed in [7, 8, 32] {
        let sample =
            with(|sample| by(&sample.authority(), &statement(sample), &sample.head(5), &sample.seeded(seed)));
        assert_red(&whole(&sample, &[3, 5]), "E5", &format!("checkpoint by {seed}"));
    }
    let sample = with(|sample| by(&sample.authority(), &statement(sample), &sample.head(4), &sample.key));
    assert_red(&whole(&sample, &[3, 5]), "E5", "a checkpoint of another tree");
    for text in ["", "nothing"] {
        let sample = with(|sample| KeyChange { statement: text.to_owned(), ..stated(sample, &|_| {}) });
        assert_red(&whole(&sample, &[3, 5]), "E5", "no statement");
        let sample = with(|sample| KeyChange { checkpoint: text.to_owned(), ..stated(sample, &|_| {}) });
        assert_red(&whole(&sample, &[3, 5]), "E5", "no checkpoint");
    }
}

#[test]
fn the_summary_tells_the_keys() {
    let sample = handed_over();
    let members = unpack(&files()[3].1);
    let page = &members.iter().find(|(name, _)| name == "summary.html").unwrap().1;
    let page = String::from_utf8(page.clone()).unwrap();
    let vkey = |key: &VerifierKey| key.to_string();
    for key in sample.keys_before.iter().map(|(_, key)| key).chain([&sample.key]) {
        assert!(page.contains(&vkey(key.verifying_key())));
    }
}
