//! One lie for each check, by somebody who holds the ledger's key, and what must be said of it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::io::Write as _;

use export::manifest::Manifest;
use export::zip::{Archiver, Method, Packing};
use export::{Options, verify};
use testkit::sample::{START_MS, unpack};

use crate::golden::files;
use crate::liar::{EVENTS, Members, found, lines, replace, text};

/// Asserts that what `edit` and `change` do to a file of this kind is found in these words.
fn says(kind: usize, what: &str, edit: impl FnOnce(&mut Members), change: impl FnOnce(&mut Manifest)) {
    let damage = found(kind, edit, change);
    assert!(damage.iter().any(|damage| damage.contains(what)), "{what}: {damage:#?}");
}

fn edited(kind: usize, what: &str, edit: impl FnOnce(&mut Members)) {
    says(kind, what, edit, |_| {});
}

fn changed(kind: usize, what: &str, change: impl FnOnce(&mut Manifest)) {
    says(kind, what, |_| {}, change);
}

/// Makes another character of the one after `mark`, where it is first.
fn spoil(text: &mut [u8], mark: &str) {
    let at =
        text.windows(mark.len()).position(|part| part == mark.as_bytes()).expect("the mark") + mark.len();
    text[at] = if text[at] == b'A' { b'B' } else { b'A' };
}

/// What is found if the file has another note over its manifest.
fn noted(change: impl Fn(&str) -> String) -> String {
    let mut archive = Archiver::new(Vec::new());
    for (name, text) in unpack(&files()[0].1) {
        let is_note = name == "manifest.note";
        let text = if is_note { change(std::str::from_utf8(&text).unwrap()).into_bytes() } else { text };
        let stored = is_note || name == "checkpoint" || name == "manifest.json";
        let mut packing = Packing::new(if stored { Method::Stored } else { Method::Deflated });
        packing.write_all(&text).unwrap();
        archive.add(&name, packing).unwrap();
    }
    let report = verify(&archive.finish().unwrap()[..], &Options::default());
    report.damage.iter().map(|damage| format!("{damage}\n")).collect()
}

#[test]
fn the_container() {
    edited(0, "the last line does not end in a newline", |members| {
        let text = text(members, EVENTS);
        text.truncate(text.len() - 1);
    });
    edited(0, "must not be here", |members| members.push(("more.txt".to_owned(), b"x".to_vec())));
    edited(0, "a part without records", |members| text(members, EVENTS).clear());
    changed(2, "a range has it, and a query does not", |manifest| manifest.selection.query = None);
}

#[test]
fn the_note_and_the_manifest() {
    assert_eq!(noted(str::to_owned), "");
    let twice = |note: &str| {
        let line = note.lines().last().unwrap().replace("\u{2014} ledgerstone", "\u{2014} other");
        format!("{note}{line}\n")
    };
    assert!(noted(twice).contains("signatures beside"), "{}", noted(twice));
    let other = |note: &str| note.replacen("ledgerstone/evidence/v1", "ledgerstone/evidence/v2", 1);
    assert!(noted(other).starts_with("E2"), "{}", noted(other));
    changed(0, "its data has another hash", |manifest| manifest.members[0].sha256[0] ^= 1);
    changed(0, "its members are not those of the archive", |manifest| drop(manifest.members.pop()));
    changed(0, "another size or root than the manifest says", |manifest| manifest.size -= 1);
    changed(0, "origin is not that of the genesis", |manifest| manifest.origin = "other.example".to_owned());
    changed(0, "vkey is not that of the genesis", |manifest| {
        let other = tlog::SigningKey::from_seed(&manifest.origin, [9; 32]).unwrap();
        manifest.vkey = other.verifying_key().to_string();
    });
}

#[test]
fn reasons_for_what_is_missing() {
    edited(1, "facets are missing without a reason", |members| {
        replace(text(members, EVENTS), ",\"reason\":\"withheld\"", "");
    });
    edited(0, "a reason for missing facets, and none is missing", |members| {
        replace(text(members, EVENTS), "\",\"seed\"", "\",\"reason\":\"withheld\",\"seed\"");
    });
    for reason in ["erased", "expired"] {
        for (by, named) in [("0", "index 0"), ("1", "index 1"), ("7", "index 7"), ("4000", "index 4000")] {
            edited(1, &format!("no erase record in this file has {named}"), |members| {
                let text = text(members, EVENTS);
                replace(
                    text,
                    "\"payload\":{\"digests\"",
                    &format!("\"payload\":{{\"by\":\"{by}\",\"digests\""),
                );
                replace(text, "\"reason\":\"withheld\"", &format!("\"reason\":\"{reason}\""));
            });
        }
    }
}

#[test]
fn the_place_of_records() {
    edited(2, "no inclusion proof", |members| {
        lines(members, |lines| {
            let at = lines[0].windows(9).position(|part| part == b",\"proof\":").unwrap();
            lines[0].truncate(at);
            lines[0].extend_from_slice(b"}\n");
        });
    });
    edited(2, "not in the tree at this index", |members| spoil(text(members, EVENTS), "\"proof\":[\""));
    changed(0, "beyond the selection, which ends at 32", |manifest| manifest.selection.end = 32);
    changed(0, "another range than the manifest says", |manifest| manifest.selection.end = 32);
    edited(0, "do not make the root", |members| spoil(text(members, "range.json"), "\"right\":[\""));
    edited(0, "the records end before index 33, at 32", |members| lines(members, |lines| drop(lines.pop())));
    changed(0, "received outside the time", |manifest| manifest.selection.to_ms = Some(START_MS));
    changed(0, "before was received within the time", |manifest| manifest.selection.from_ms = Some(1));
    edited(0, "before is not in the tree", |members| {
        spoil(text(members, "range.json"), "\"before\":{\"entry\":\"A");
    });
}

#[test]
fn every_row_of_a_range() {
    let count = unpack(&files()[0].1).iter().find(|(name, _)| name == EVENTS).unwrap().1.len();
    assert!(count > 1000);
    let rows = 33 - 5;
    for at in 0..rows {
        let place = format!("index {}", 5 + at);
        let removed = found(0, |members| lines(members, |lines| drop(lines.remove(at))), |_| {});
        assert!(removed.iter().any(|damage| damage.starts_with("E7")), "{place}: {removed:#?}");
        let twice = |members: &mut Members| lines(members, |lines| lines.insert(at, lines[at].clone()));
        let twice = found(0, twice, |_| {});
        assert!(twice.iter().any(|damage| damage.starts_with("E7")), "{place}: {twice:#?}");
        let swapped = |members: &mut Members| lines(members, |lines| lines.swap(at, (at + 1) % rows));
        let swapped = found(0, swapped, |_| {});
        assert!(swapped.iter().any(|damage| damage.starts_with("E7")), "{place}: {swapped:#?}");
        let altered = |members: &mut Members| {
            // A bit of the commitment: still an entry, and another.
            lines(members, |lines| {
                let beginning = String::from_utf8(lines[at][..60].to_vec()).expect("base64");
                spoil(&mut lines[at], &beginning);
            });
        };
        let altered = found(0, altered, |_| {});
        assert!(
            altered.iter().any(|damage| damage.starts_with("E6") && damage.contains(&place)),
            "{altered:#?}"
        );
        assert!(altered.iter().any(|damage| damage.contains("do not make the root")), "{altered:#?}");
    }
}

#[test]
fn control_records_and_order() {
    let query = unpack(&files()[2].1);
    let events = &query.iter().find(|(name, _)| name == EVENTS).unwrap().1;
    let event = events.split_inclusive(|byte| *byte == b'\n').next().unwrap().to_vec();
    edited(0, "a kind of record that does not belong here", |members| {
        text(members, "control.ndjson").extend_from_slice(&event);
    });
    edited(0, "lines are not in rising order of index", |members| {
        let text = text(members, "control.ndjson");
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').rev().collect();
        *text = lines.concat();
    });
    edited(0, "received before the entry ahead of it", |members| lines(members, |lines| lines.reverse()));
    edited(0, "the tree of the checkpoint does not begin with it", |members| {
        spoil(text(members, "anchors.ndjson"), "\"consistency\":[\"");
    });
    let twice = |members: &mut Members| {
        let text = text(members, "anchors.ndjson");
        let first = text.split_inclusive(|byte| *byte == b'\n').next().unwrap().to_vec();
        text.splice(0..0, first);
    };
    edited(0, "sizes do not rise", twice);
}
