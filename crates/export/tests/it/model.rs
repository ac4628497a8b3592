//! Random ranges of random ledgers: what is written verifies, says what a naive count says, and proves what RFC 6962 word
//! by word proves.

use export::range::{Fold, Subtree, cover};
use export::{Options, Selection, verify};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use record::entry::{Entry, Kind};
use record::facet::Facet;
use testkit::sample::Sample;
use tlog::{Hash, leaf_hash, node_hash};

fn cases(count: u32) -> Config {
    Config { cases: count, failure_persistence: None, rng_seed: RngSeed::Fixed(4711), ..Config::default() }
}

/// RFC 6962 section 2.1.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => tlog::empty_root(),
        [single] => *single,
        _ => {
            let (left, right) = leaves.split_at(1 << (leaves.len() - 1).ilog2());
            node_hash(&root(left), &root(right))
        }
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn any_cover_folds_to_the_root(size in 1_u64..700, a: prop::sample::Index, b: prop::sample::Index) {
        let leaves: Vec<Hash> = (0..size).map(|index| leaf_hash(&index.to_be_bytes())).collect();
        let (a, b) = (a.index(size as usize + 1), b.index(size as usize + 1));
        let (from, end) = (a.min(b), a.max(b));
        let part = |subtree: &Subtree| {
            let from = (subtree.number << subtree.level) as usize;
            root(&leaves[from..from + (1 << subtree.level)])
        };
        let mut fold = Fold::default();
        for subtree in cover(0..from as u64) {
            prop_assert!(fold.push(subtree, part(&subtree)));
        }
        leaves[from..end].iter().for_each(|leaf| fold.leaf(*leaf));
        for subtree in cover(end as u64..size) {
            prop_assert!(fold.push(subtree, part(&subtree)));
        }
        prop_assert_eq!((fold.size(), fold.root()), (size, Some(root(&leaves))));
        let elsewhere = Subtree { level: 0, number: size + 1 };
        prop_assert!(!fold.push(elsewhere, leaves[0]));
    }
}

fn ledger(length: u64, seed: u64) -> Sample {
    let mut sample = Sample::new();
    sample.source(2, 1, record::control::Numbering::Source);
    for number in 0..length {
        let draw = (number ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
        sample.wait(draw % 3 * 500);
        match draw % 11 {
            0 => {
                let beat = record::control::Heartbeat { size: sample.size(), system: None };
                sample.control(Kind::Heartbeat, &beat.to_draft());
            }
            1 => sample.event(2, 1, b"no json at all"),
            draw => {
                let event =
                    format!("{{\"actor\":{{\"user\":{{\"name\":\"u{draw}\"}}}},\"message\":\"{number}\"}}");
                sample.event(1 + (draw % 2) as u32, 1, event.as_bytes());
            }
        }
    }
    sample
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn any_range_is_proven_and_counted(
        length in 0_u64..600,
        seed: u64,
        a: prop::sample::Index,
        b: prop::sample::Index,
        withheld in prop::sample::subsequence(vec![Facet::Who, Facet::What, Facet::Content, Facet::Where], 0..4),
        by_time: bool,
        is_query: bool,
        old: prop::sample::Index,
    ) {
        let sample = ledger(length, seed);
        let size = sample.size();
        let (a, b) = (a.index(size as usize), b.index(size as usize));
        let (mut from, mut end) = (a.min(b) as u64, a.max(b) as u64 + 1);
        let entry = |index: u64| Entry::decode(&sample.records[index as usize].entry).unwrap();
        let mut selection = Selection::default();
        if by_time && !is_query {
            let (from_ms, to_ms) = (entry(from).received_ms, entry(end - 1).received_ms + 1);
            from = (0..size).find(|index| entry(*index).received_ms >= from_ms).unwrap();
            end = (0..size).find(|index| entry(*index).received_ms >= to_ms).unwrap_or(size);
            (selection.from_ms, selection.to_ms) = (Some(from_ms), Some(to_ms));
        }
        (selection.from, selection.end) = (from, end);
        selection.query = is_query.then(|| "every fifth".to_owned());
        let matches = |index: u64| index.is_multiple_of(5);
        let taken: Vec<Entry> =
            (from..end).filter(|index| !is_query || matches(*index)).map(entry).collect();
        let anchors = [sample.anchor(1 + old.index(size as usize) as u64, Vec::new())];
        let (file, finished) =
            sample.export(Vec::new(), sample.about(selection, &withheld), &anchors, &matches);
        let key = sample.key.verifying_key().clone();
        let report = verify(&file[..], &Options { key: Some(&key), threads: 2, ..Options::default() });
        prop_assert_eq!((report.damage, report.undecided), (vec![], vec![]));
        let manifest = report.manifest.unwrap();
        prop_assert_eq!(&manifest, &finished.manifest);
        let count = |kind: Kind| taken.iter().filter(|entry| entry.kind == kind).count() as u64;
        prop_assert_eq!(manifest.counts.total(), taken.len() as u64);
        prop_assert_eq!(manifest.counts.events, count(Kind::Event));
        prop_assert_eq!(manifest.counts.quarantined, count(Kind::Quarantine));
        let open = taken.iter().filter(|entry| !entry.kind.is_control()).count() as u64;
        prop_assert_eq!(manifest.counts.withheld, if withheld.is_empty() { 0 } else { open });
        let of = |source: u32| taken.iter().filter(|entry| entry.source == source).count() as u64;
        for source in &manifest.sources {
            prop_assert_eq!(source.count, of(source.source));
        }
    }
}

/// More than a part, in lines and in bytes.
#[test]
fn many_parts() {
    let mut sample = Sample::new();
    let large = format!("{{\"message\":\"{}\"}}", "x".repeat(6 << 20));
    for number in 0..9000 {
        sample.event(1, 1, format!("{{\"n\":{number}}}").as_bytes());
        if number == 4999 {
            (0..5).for_each(|_| sample.event(1, 1, large.as_bytes()));
        }
    }
    let selection = Selection { from: 0, end: sample.size(), ..Selection::default() };
    let (file, finished) = sample.export(Vec::new(), sample.about(selection, &[]), &[], &|_| true);
    let parts = finished.manifest.members.iter().filter(|member| member.name.starts_with("events/"));
    assert!(parts.count() > 3);
    for threads in [1, 2, 5] {
        let report = verify(&file[..], &Options { threads, ..Options::default() });
        assert_eq!((report.damage, report.undecided), (vec![], vec![]));
        assert_eq!(report.records, sample.size());
    }
}

/// The largest event there may be.
#[test]
fn an_event_of_64_mib() {
    let mut sample = Sample::new();
    let event = format!("{{\"message\":\"{}\"}}", "\\\"\\n<>".repeat((64 << 20) / 6 - 4));
    sample.event(1, 1, event.as_bytes());
    let selection = Selection { from: 1, end: 3, ..Selection::default() };
    let (file, finished) = sample.export(Vec::new(), sample.about(selection, &[]), &[], &|_| true);
    assert!(finished.manifest.members.iter().any(|member| member.length > 128 << 20));
    let report = verify(&file[..], &Options::default());
    assert_eq!((report.damage, report.undecided, report.records), (vec![], vec![], 3));
}
