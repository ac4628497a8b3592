//! Somebody who holds the ledger's key changes a file and signs it again. What the tree fixes he can't change; what the
//! manifest says besides is counted again.

use export::manifest::Manifest;
use export::{Options, verify};
use record::control::Numbering;
use record::facet::Facet;
use testkit::sample::{Sample, golden, repack, unpack};

use crate::golden::files;

pub type Members = Vec<(String, Vec<u8>)>;

pub const EVENTS: &str = "events/00000000.ndjson";

/// Checks of the damage that is found after `edit` and `change`.
pub fn found(
    kind: usize,
    edit: impl FnOnce(&mut Members),
    change: impl FnOnce(&mut Manifest),
) -> Vec<String> {
    let sample = golden();
    let (_, file) = &files()[kind];
    let mut members = unpack(file);
    edit(&mut members);
    let file = repack(&members, &sample.key, change);
    let report = verify(&file[..], &Options::default());
    assert_eq!(report.verdict().exit_code() == 0, report.damage.is_empty());
    report.damage.iter().map(|damage| format!("{} | {damage}", damage.check)).collect()
}

pub fn text<'a>(members: &'a mut Members, name: &str) -> &'a mut Vec<u8> {
    &mut members.iter_mut().find(|(other, _)| other == name).expect("such a member").1
}

pub fn lines(members: &mut Members, edit: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let text = text(members, EVENTS);
    let mut lines: Vec<Vec<u8>> = text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    edit(&mut lines);
    *text = lines.concat();
}

pub fn replace(text: &mut Vec<u8>, from: &str, to: &str) {
    let whole = String::from_utf8(text.clone()).expect("a text");
    assert!(whole.contains(from), "{from} is not there");
    *text = whole.replacen(from, to, 1).into_bytes();
}

/// Asserts that a check found something.
fn assert_found(damage: &[String], check: &str) {
    assert!(damage.iter().any(|damage| damage.starts_with(check)), "{check} in {damage:#?}");
}

#[test]
fn signing_again_changes_nothing_by_itself() {
    for kind in 0..3 {
        assert_eq!(found(kind, |_| {}, |_| {}), Vec::<String>::new());
    }
}

#[test]
fn rows_that_are_removed_added_moved_or_swapped() {
    for kind in [0, 1] {
        let remove = |at: usize| {
            found(
                kind,
                |members| lines(members, |lines| drop(lines.remove(at))),
                |manifest| {
                    manifest.counts.events -= 1;
                },
            )
        };
        for at in [5, 6] {
            let damage = remove(at);
            assert_found(&damage, "E7");
            assert!(damage.iter().any(|damage| damage.contains(EVENTS)), "located: {damage:#?}");
        }
        let twice = |members: &mut Members| lines(members, |lines| lines.insert(7, lines[7].clone()));
        assert_found(&found(kind, twice, |_| {}), "E7");
        let swapped = |members: &mut Members| lines(members, |lines| lines.swap(8, 9));
        assert_found(&found(kind, swapped, |_| {}), "E7");
        let reversed = |members: &mut Members| lines(members, |lines| lines.reverse());
        assert_found(&found(kind, reversed, |_| {}), "E7");
    }
    let swapped = |members: &mut Members| lines(members, |lines| lines.swap(2, 3));
    assert_found(&found(2, swapped, |_| {}), "E7");
}

#[test]
fn a_removed_row_with_all_else_made_to_fit() {
    // The range ends one earlier: everything is consistent but the root.
    let last = |members: &mut Members| {
        lines(members, |lines| drop(lines.pop()));
        let range = text(members, "range.json");
        replace(range, "\"end\":\"33\"", "\"end\":\"32\"");
    };
    let damage = found(0, last, |manifest| {
        manifest.selection.end = 32;
        manifest.counts.events -= 1;
        manifest.sources.iter_mut().filter(|source| source.source == 1).for_each(|source| source.count -= 1);
    });
    assert_found(&damage, "E7");
}

#[test]
fn a_row_left_out_and_the_range_proven_over_a_ledger_without_it() {
    // A second ledger of the same key without one event: its checkpoint is another, and the old anchors don't fit.
    let (whole, mut without) = (golden(), Sample::new());
    for stored in whole.records.iter().skip(2).filter(|stored| stored.entry != whole.records[10].entry) {
        without.push(stored.clone());
    }
    let selection = export::Selection { from: 5, end: 33, ..Default::default() };
    let anchors = [whole.anchor(30, Vec::new())];
    let (file, _) = without.export(Vec::new(), without.about(selection, &[]), &anchors, &|_| true);
    let report = verify(&file[..], &Options::default());
    let damage: Vec<String> = report.damage.iter().map(ToString::to_string).collect();
    assert_found(&damage, "E9");
    assert_found(&damage, "E11");
}

#[test]
fn texts_and_digests_that_are_altered() {
    let message =
        |members: &mut Members| replace(text(members, EVENTS), "row 3 of payroll", "row 4 of payroll");
    assert_found(&found(0, message, |_| {}), "E6");
    let digest = |members: &mut Members| {
        lines(members, |lines| {
            let at = lines[5].windows(11).position(|part| part == b"\"digests\":[").unwrap() + 17;
            lines[5][at] = if lines[5][at] == b'0' { b'1' } else { b'0' };
        });
    };
    assert_found(&found(1, digest, |_| {}), "E6");
    let reason = |members: &mut Members| {
        replace(text(members, EVENTS), "\"reason\":\"withheld\"", "\"reason\":\"erased\"");
    };
    assert_found(&found(1, reason, |_| {}), "E6");
}

#[test]
fn withheld_facets_are_named() {
    let unnamed = |manifest: &mut Manifest| manifest.withheld.retain(|facet| *facet != Facet::Who);
    assert_found(&found(1, |_| {}, unnamed), "E6");
}

#[test]
fn counts_sources_and_gaps_that_are_lies() {
    assert_found(&found(0, |_| {}, |manifest| manifest.counts.events += 1), "E10");
    assert_found(&found(1, |_| {}, |manifest| manifest.counts.withheld -= 1), "E10");
    assert_found(&found(0, |_| {}, |manifest| manifest.gaps.clear()), "E10");
    assert_found(&found(2, |_| {}, |manifest| manifest.gaps.push(39)), "E10");
    assert_found(&found(0, |_| {}, |manifest| manifest.sources.truncate(1)), "E10");
    assert_found(&found(0, |_| {}, |manifest| manifest.sources[1].last += 1), "E10");
    let numbering = |manifest: &mut Manifest| {
        let source = manifest.sources.iter_mut().find(|source| source.source == 1).unwrap();
        source.numbering = Some(Numbering::Source);
    };
    assert_found(&found(0, |_| {}, numbering), "E10");
    // The record that admits source 2 is left out.
    let admitted = |members: &mut Members| {
        let text = text(members, "control.ndjson");
        let kept: Vec<&[u8]> = text
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| !line.windows(11).any(|part| part == b"\"index\":\"2\""))
            .collect();
        assert!(kept.len() < 5);
        *text = kept.concat();
    };
    assert_found(&found(0, admitted, |_| {}), "E10");
}

#[test]
fn another_key_ledger_or_place() {
    assert_found(&found(0, |_| {}, |manifest| manifest.ledger_id[0] ^= 1), "E5");
    assert_found(&found(0, |_| {}, |manifest| manifest.size -= 1), "E4");
    assert_found(&found(0, |_| {}, |manifest| manifest.selection.from_ms = Some(u64::MAX >> 12)), "E7");
    assert_found(&found(0, |_| {}, |manifest| manifest.selection.end = 32), "E7");
    let genesis = |members: &mut Members| text(members, "control.ndjson").clear();
    assert_found(&found(0, genesis, |_| {}), "E5");
    let sample = golden();
    let other = tlog::SigningKey::from_seed(sample.key.name(), [9; 32]).unwrap();
    let file = repack(&unpack(&files()[0].1), &other, |manifest| {
        manifest.vkey = other.verifying_key().to_string();
    });
    let damage: Vec<_> = verify(&file[..], &Options::default()).damage;
    let checks: Vec<String> = damage.iter().map(|damage| damage.check.to_string()).collect();
    assert!(checks.contains(&"E4 checkpoint".to_owned()) && checks.contains(&"E5 genesis".to_owned()));
}

#[test]
fn anchors_that_are_no_beginning_of_the_tree() {
    let swapped = |members: &mut Members| {
        let text = text(members, "anchors.ndjson");
        let mut lines: Vec<Vec<u8>> =
            text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        lines.swap(0, 1);
        *text = lines.concat();
    };
    assert_found(&found(0, swapped, |_| {}), "E11");
}

#[test]
fn a_query_is_never_all() {
    let sample = golden();
    let (_, file) = &files()[2];
    // A query that says it is a range has no proof of one.
    let damage = found(2, |_| {}, |manifest| manifest.selection.query = None);
    assert!(!damage.is_empty());
    // Whatever matches, a row can be left out of it: that is what its label says.
    let members = {
        let mut members = unpack(file);
        lines(&mut members, |lines| drop(lines.remove(1)));
        members
    };
    let file = repack(&members, &sample.key, |manifest| {
        let (counts, sources) = (&mut manifest.counts, &mut manifest.sources);
        counts.events -= 1;
        sources.iter_mut().filter(|source| source.source == 2 && source.epoch == 1).for_each(|source| {
            source.count -= 1;
        });
    });
    let report = verify(&file[..], &Options::default());
    assert!(report.manifest.is_some_and(|manifest| manifest.selection.query.is_some()));
}
