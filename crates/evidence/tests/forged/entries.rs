//! Entries, records and segments that somebody who has all keys may write, and the verifier must not take.

use evidence::segment::Class;
use evidence::verify::{DamageKind, Verdict};
use record::control::Genesis;
use record::entry::Kind;
use record::facet::{Facet, FacetDraft};
use tlog::{Checkpoint, Origin, SigningKey, leaf_hash, sign_checkpoint};

use crate::forge::{Forge, LEDGER, SEALED, Segment, Told, genesis};
use crate::memory::verify;
use crate::{told, told_without_keys};

fn entries(first: u64, end: u64) -> Option<(String, u64, u64)> {
    Some((LEDGER.to_owned(), first, end))
}

#[test]
fn a_forged_store_that_breaks_no_rule_is_proven() {
    let (data, keys) = Forge::new().store();
    for keys in [Some(&keys), None] {
        let report = verify(&data, keys);
        assert_eq!((report.verdict(), &report.damage), (Verdict::Proven, &vec![]), "{:?}", report.undecided);
    }
}

/// What a control record says must be understood, since nothing else tells what it vouches for.
#[test]
fn a_control_record_says_what_its_kind_says() {
    let mut forge = Forge::new();
    let what = br#"{"size":"many","type":"heartbeat"}"#.to_vec();
    forge.story[6].draft = FacetDraft { what, ..forge.story[6].draft.clone() };
    let damage = told(&forge, DamageKind::Payload, "malformed control record");
    assert_eq!(damage.entries, entries(6, 7));
}

#[test]
fn the_genesis_is_there_once_and_is_of_this_ledger() {
    let with = |genesis: Genesis| {
        let mut forge = Forge::new();
        forge.story[0].draft = genesis.to_draft();
        forge
    };
    let other = "the genesis entry names another ledger";
    for genesis in [
        Genesis { ledger_id: [0; 32], ..genesis() },
        Genesis { origin: "ledgerstone.example/other".to_owned(), ..genesis() },
        Genesis { log_vkey: genesis().authority_vkey, ..genesis() },
        Genesis { table_hash: [0; 32], ..genesis() },
    ] {
        told(&with(genesis.clone()), DamageKind::Contradiction, other);
        told_without_keys(&with(genesis), DamageKind::Contradiction, other);
    }
    let swapped = with(Genesis { authority_vkey: genesis().log_vkey, ..genesis() });
    told(&swapped, DamageKind::Settings, "the authority key is not the one that the genesis entry names");

    let mut without = Forge::new();
    without.story[0] = Told { stamp: without.story[0].stamp, ..Told::heartbeat() };
    told(&without, DamageKind::Missing, "the genesis record is not there");

    let mut twice = Forge::new();
    twice.story[4] = Told { stamp: twice.story[4].stamp, ..twice.story[0].clone() };
    let damage = told(&twice, DamageKind::Payload, "a genesis record is not the first entry");
    assert_eq!(damage.entries, entries(4, 5));
}

#[test]
fn what_a_ledger_continues_is_a_signed_checkpoint_of_another() {
    let with = |predecessor: String| {
        let mut forge = Forge::new();
        forge.story[0].draft = Genesis { predecessor: Some(predecessor), ..genesis() }.to_draft();
        forge
    };
    let note = |name: &str, size: u64| {
        let key = SigningKey::from_seed(name, [9; 32]).unwrap();
        let origin = Origin::new(name).unwrap();
        sign_checkpoint(&Checkpoint { origin, size, root: leaf_hash(b"old") }, &key)
    };
    let (data, keys) = with(note("log.example/old", 640)).store();
    let report = verify(&data, Some(&keys));
    assert_eq!((report.verdict(), &report.damage), (Verdict::Proven, &Vec::new()));
    let old = report.ledgers[0].predecessor.clone().unwrap();
    assert_eq!((old.origin.as_str(), old.size), ("log.example/old", 640));
    for (bad, detail) in [
        ("".to_owned(), "what this ledger continues is not told by a checkpoint"),
        (
            note("log.example/old", 0),
            "what this ledger continues is not told by a checkpoint: it is of no entries",
        ),
        (note(&genesis().origin, 7), "the ledger says that it continues itself"),
    ] {
        let (data, keys) = with(bad).store();
        let report = verify(&data, Some(&keys));
        assert_eq!(report.damage.len(), 1, "{:?}", report.damage);
        let damage = &report.damage[0];
        assert_eq!((damage.kind, &damage.entries), (DamageKind::Contradiction, &entries(0, 1)));
        assert!(damage.detail.starts_with(detail), "{damage}");
        assert_eq!(report.ledgers[0].predecessor, None);
    }
}

/// Within a bundle, where two bundles meet, and in what only the log holds beside the partial bundle.
#[test]
fn time_does_not_go_back() {
    for at in [100, SEALED, SEALED + 9] {
        let mut forge = Forge::new();
        forge.story[at as usize].stamp.received_ms = 7;
        let damage = told(&forge, DamageKind::Order, "an entry was received before the one ahead of it");
        assert_eq!(damage.entries, entries(at, at + 1));
    }
}

/// The first number of a source, one in a bundle, one where two bundles meet.
#[test]
fn a_sequence_has_no_hole() {
    for at in [1, 101, SEALED + 1] {
        let mut forge = Forge::new();
        for told in forge.story[at as usize..].iter_mut().filter(|told| told.kind == Kind::Event) {
            told.stamp.sequence += 1;
        }
        let damage = told(&forge, DamageKind::Order, "a source's sequence has a hole");
        assert_eq!(damage.entries, entries(at, at + 1));
    }
}

/// In segment and log, encrypted and in clear.
#[test]
fn a_record_is_what_its_entry_commits_to() {
    for at in [5, 6, SEALED + 5, SEALED + 6] {
        let mut forge = Forge::new();
        forge.story[at as usize].replaced = Some(br#"{"message":"nothing happened"}"#.to_vec());
        let damage = told(&forge, DamageKind::Payload, "facets do not match the commitment");
        assert_eq!(damage.entries, entries(at, at + 1));
    }
}

#[test]
fn a_facet_is_absent_only_where_a_record_says_so() {
    for at in [5, 6, SEALED + 5, SEALED + 6] {
        let mut forge = Forge::new();
        forge.story[at as usize].absent = vec![Facet::Content];
        let damage = told(&forge, DamageKind::Payload, "a facet is absent and no record says");
        assert_eq!(damage.entries, entries(at, at + 1));
    }
}

#[test]
fn every_sealed_entry_has_its_payload() {
    for segment in [0, 1] {
        let mut forge = Forge::new();
        forge.segments[segment].records.remove(7);
        told(&forge, DamageKind::Missing, "the segments hold 255 payloads for 256 sealed entries");
        told_without_keys(
            &forge,
            DamageKind::Missing,
            "the segments hold 255 payloads for 256 sealed entries",
        );
    }
}

/// What one segment lacks must not be made up for by what another holds twice.
#[test]
fn no_two_segments_hold_the_same_entries() {
    let mut forge = Forge::new();
    let again = forge.segments[0].records[3];
    forge.segments[0].records.remove(7);
    let second =
        Segment { class: Class::Events, generation: 1, records: vec![again], on_record: true, nonce: 7 };
    forge.segments.push(second);
    let damage = told(&forge, DamageKind::Contradiction, "another segment holds entries of the same range");
    assert_eq!(damage.file, forge.segments[2].path());
    told_without_keys(&forge, DamageKind::Contradiction, "another segment holds entries of the same range");
}

#[test]
fn every_segment_is_on_record() {
    let mut forge = Forge::new();
    forge.segments[1].on_record = false;
    let damage = told(&forge, DamageKind::Unexpected, "no record vouches for this segment");
    assert_eq!(damage.file, forge.segments[1].path());
}

#[test]
fn records_lie_where_records_of_their_kind_belong() {
    let mut forge = Forge::new();
    let event = forge.segments[0].records.remove(7);
    forge.segments[1].records.push(event);
    forge.segments[1].records.sort_unstable();
    let damage =
        told(&forge, DamageKind::Contradiction, "the record belongs into a segment of the other class");
    assert_eq!(damage.entries, entries(event, event + 1));

    for at in [SEALED + 5, SEALED + 6] {
        let mut forge = Forge::new();
        forge.misplaced = vec![at];
        told(&forge, DamageKind::Contradiction, "an event lies in clear, or a control record encrypted");
    }
}

#[test]
fn the_log_holds_a_payload_for_each_entry() {
    for at in [SEALED + 5, SEALED + 6] {
        let mut forge = Forge::new();
        forge.left_out = vec![at];
        told(&forge, DamageKind::Contradiction, "the group does not hold a payload for each entry");
    }
    // As many as are due, and one of them of an entry that is not there.
    let mut forge = Forge::new();
    forge.renumbered = Some((SEALED + 19, SEALED + 900));
    told(&forge, DamageKind::Contradiction, "a record has no entry");
    // A control record lies in clear, and is missed without keys too.
    let mut forge = Forge::new();
    forge.left_out = vec![SEALED + 6];
    let detail = "the group does not hold a payload for each entry";
    told_without_keys(&forge, DamageKind::Contradiction, detail);
}

/// It may be right: a later version wrote it. It is never skipped.
#[test]
fn an_entry_of_an_unknown_kind_is_undecidable() {
    for at in [5, 6, SEALED + 5, SEALED + 6] {
        let mut forge = Forge::new();
        forge.story[at as usize].unknown = true;
        let (data, keys) = forge.store();
        for keys in [Some(&keys), None] {
            let report = verify(&data, keys);
            assert_eq!((report.verdict(), &report.damage), (Verdict::Undecidable, &vec![]), "entry {at}");
            assert!(report.undecided[0].contains(&format!("entry {at} is of a version or kind")));
        }
    }
}
