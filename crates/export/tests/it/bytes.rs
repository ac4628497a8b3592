//! A change of any byte is found, and so is one cut off or added.

use export::{Options, Report, Selection, verify};
use record::entry::Kind;
use record::facet::FacetDraft;
use testkit::sample::{Sample, Stored};

use crate::golden::files;

fn check(file: &[u8]) -> Report {
    verify(file, &Options::default())
}

#[test]
fn golden_files_are_proven() {
    for (name, file) in files() {
        for threads in [1, 4] {
            let report = verify(&file[..], &Options { threads, ..Options::default() });
            assert_eq!((&report.damage, &report.undecided), (&vec![], &vec![]), "{name}");
            assert_eq!(report.verdict().word(), "proven");
            let total = report.manifest.as_ref().unwrap().counts.total();
            assert!(total > 11 && report.records >= total, "{name}");
        }
    }
}

/// `LEDGERSTONE_FLIP_STEP=n` looks at every n-th byte only.
fn step() -> usize {
    std::env::var("LEDGERSTONE_FLIP_STEP").ok().and_then(|step| step.parse().ok()).unwrap_or(1)
}

#[test]
fn every_changed_byte_is_found() {
    for (name, file) in files() {
        let mut changed = file.clone();
        for at in (0..file.len()).step_by(step()) {
            // One bit is the least change there is; the place decides which.
            changed[at] ^= 1 << (at % 8);
            let report = check(&changed);
            assert_eq!(report.verdict().word(), "disproven", "{name} byte {at}");
            changed[at] = file[at];
        }
        assert_eq!(check(&changed).verdict().word(), "proven");
    }
}

#[test]
fn what_is_cut_off_or_added_is_found() {
    for (name, file) in files() {
        for length in (0..file.len()).step_by(step()) {
            assert_eq!(check(&file[..length]).verdict().word(), "disproven", "{name} {length}");
        }
        for extra in [&b"\0"[..], b"PK\x05\x06", &[0; 22], &file] {
            assert_eq!(check(&[&file, extra].concat()).verdict().word(), "disproven", "{name}");
            assert_eq!(check(&[extra, &file].concat()).verdict().word(), "disproven", "{name}");
        }
    }
}

#[test]
fn what_a_later_version_wrote_is_undecidable() {
    let later = |kind: Kind| {
        let mut sample = Sample::new();
        let draft = FacetDraft { what: br#"{"type":"later"}"#.to_vec(), ..FacetDraft::default() };
        sample.control(kind, &draft);
        sample.event(1, 1, b"{}");
        sample
    };
    let export = |sample: &Sample, end: u64| {
        let selection = Selection { from: 1, end, ..Selection::default() };
        sample.export(Vec::new(), sample.about(selection, &[]), &[], &|_| true).0
    };
    for kind in [Kind::Key, Kind::Erase, Kind::BatchSignature, Kind::Cut] {
        let report = check(&export(&later(kind), 4));
        assert_eq!((report.verdict().exit_code(), report.damaged), (2, 0), "{kind:?}: {:?}", report.damage);
    }
    // An entry of another version, beside the range.
    let mut sample = Sample::new();
    let stored = sample.records[1].clone();
    sample.push(Stored { entry: [2; 58], ..stored });
    let report = check(&export(&sample, 2));
    assert_eq!((report.verdict().exit_code(), report.damaged), (2, 0), "{:?}", report.damage);
}

#[test]
fn a_key_from_outside_is_held_against_the_file() {
    let sample = testkit::sample::golden();
    let (_, file) = &files()[0];
    let key = sample.key.verifying_key().clone();
    let report = verify(&file[..], &Options { key: Some(&key), ..Options::default() });
    assert!(report.pinned && report.verdict().word() == "proven");
    let other = tlog::SigningKey::from_seed(key.name(), [9; 32]).unwrap();
    let report = verify(&file[..], &Options { key: Some(other.verifying_key()), ..Options::default() });
    assert_eq!(report.verdict().word(), "disproven");
    assert_eq!(report.damage[0].check.to_string(), "E13 key");
    assert!(!report.pinned && !check(file).pinned);
}
