//! Files that are each whole and do not belong together.

use evidence::layout;
use evidence::verify::{DamageKind, Verdict};
use tlog::{UnverifiedCheckpoint, leaf_hash};

use crate::forge::{AUTHORITY, Forge, LEDGER, SEALED, SIGNING, checkpoint, edit_register};
use crate::memory::verify;
use crate::{kind_of, only, told, told_without_keys};

fn entries(first: u64, end: u64) -> Option<(String, u64, u64)> {
    Some((LEDGER.to_owned(), first, end))
}

fn tile(path: &str) -> String {
    layout::resource(LEDGER, &format!("tile/{path}"))
}

#[test]
fn every_file_that_is_missing_is_named() {
    let (data, keys) = Forge::new().store();
    let may_be_missing = [layout::TOKENS, layout::RESERVE, layout::LOCK];
    for path in data.keys().filter(|path| !may_be_missing.contains(&path.as_str())) {
        let mut less = data.clone();
        less.remove(path);
        let kind = if path == layout::SETTINGS { DamageKind::Settings } else { DamageKind::Missing };
        assert_eq!(kind_of(&less, &keys, path), Some(kind), "{path}");
    }
}

#[test]
fn every_tree_file_that_is_changed_or_cut_is_named() {
    let (data, keys) = Forge::new().store();
    for path in data.keys().filter(|path| path.contains("/tile/")) {
        let mut other = data.clone();
        other.get_mut(path).unwrap()[20] ^= 1;
        assert_eq!(kind_of(&other, &keys, path), Some(DamageKind::Hash), "{path}");
        // By a hash, or by an entry with its length.
        let last = if path.contains("/entries/") { 60 } else { 32 };
        let less = other[path].len() - last;
        other.get_mut(path).unwrap().truncate(less);
        assert_eq!(kind_of(&other, &keys, path), Some(DamageKind::Format), "{path}");
    }
}

/// What a power cut may leave undone lies above what is sealed.
#[test]
fn only_young_tree_files_may_be_missing_and_only_after_a_cut() {
    // The log may still hold what is sealed; that makes up for none of its files.
    let mut forge = Forge::new();
    (forge.stopped, forge.log_from) = (false, 0);
    let (data, keys) = forge.store();
    assert_eq!(verify(&data, Some(&keys)).verdict(), Verdict::Proven);
    for (path, may) in [
        ("0/000", false),
        ("entries/000", false),
        ("0/001.p/22", true),
        ("1/000.p/1", true),
        ("entries/001.p/22", true),
    ] {
        let mut other = data.clone();
        other.get_mut(&tile(path)).unwrap().pop();
        let expected = (!may).then_some(DamageKind::Format);
        assert_eq!(kind_of(&other, &keys, &tile(path)), expected, "{path} cut");
        other.remove(&tile(path));
        let expected = (!may).then_some(DamageKind::Missing);
        assert_eq!(kind_of(&other, &keys, &tile(path)), expected, "{path} missing");
    }
    // Of an older size one may be left that is a prefix, and none that is not.
    let whole = &data[&tile("0/001.p/22")];
    for (bytes, expected) in [(&whole[..32], None), (&whole[32..64], Some(DamageKind::Hash))] {
        let mut more = data.clone();
        more.insert(tile("0/001.p/1"), bytes.to_vec());
        assert_eq!(kind_of(&more, &keys, &tile("0/001.p/1")), expected);
    }
    // Nor is one that is torn damage, if it is that young.
    for (path, expected) in [
        ("0/001.p/1", None),
        ("entries/001.p/1", None),
        ("0/000.p/1", Some(DamageKind::Hash)),
        ("entries/000.p/1", Some(DamageKind::Hash)),
    ] {
        let mut more = data.clone();
        more.insert(tile(path), vec![7; 31]);
        assert_eq!(kind_of(&more, &keys, &tile(path)), expected, "{path}");
    }
}

#[test]
fn the_checkpoint_is_signed_by_the_ledger_alone_and_over_its_entries() {
    let (mut data, keys) = Forge::new().store();
    let path = layout::checkpoint(LEDGER);
    let head = UnverifiedCheckpoint::parse(&data[&path]).unwrap().claimed().clone();
    let good = checkpoint(head.size, head.root, SIGNING);
    let other = checkpoint(head.size, leaf_hash(b"other"), SIGNING);
    let forged = checkpoint(head.size, head.root, AUTHORITY);
    let line = |note: &[u8]| note[note.windows(2).position(|two| two == b"\n\n").unwrap() + 2..].to_vec();
    for (note, kind) in [
        (other, DamageKind::Contradiction),
        (forged.clone(), DamageKind::Signature),
        ([&good[..], &line(&forged)].concat(), DamageKind::Unexpected),
    ] {
        data.insert(path.clone(), note);
        assert_eq!(kind_of(&data, &keys, &path), Some(kind));
    }
}

#[test]
fn an_older_checkpoint_covers_at_least_what_is_sealed_and_all_after_a_stop() {
    let mut forge = Forge::new();
    forge.signed = Some(SEALED + 4);
    let damage = told(&forge, DamageKind::Contradiction, "the checkpoint is older than the last one");
    assert_eq!(damage.entries.unwrap().1, SEALED + 4);
    forge.stopped = false;
    let (data, keys) = forge.store();
    assert_eq!(verify(&data, Some(&keys)).verdict(), Verdict::Proven);

    let (mut data, keys) = Forge { signed: None, ..forge }.store();
    let (older, _) = Forge { signed: Some(200), stopped: false, ..Forge::new() }.store();
    data.extend(
        older.into_iter().filter(|(path, _)| path.contains("/tile/") || path.ends_with("/checkpoint")),
    );
    only(&verify(&data, Some(&keys)), DamageKind::Contradiction, "more is sealed than the checkpoint covers");
}

#[test]
fn the_register_names_the_tree_that_checkpoint_and_log_hold() {
    let (data, keys) = Forge::new().store();
    let edited = |edit: &dyn Fn(&mut evidence::register::LedgerState), detail: &str| {
        let mut other = data.clone();
        edit_register(&mut other, |register| edit(&mut register.ledgers[0]));
        for keys in [Some(&keys), None] {
            let damage = only(&verify(&other, keys), DamageKind::Contradiction, detail);
            assert_eq!(damage.file, layout::REGISTER);
        }
    };
    edited(
        &|state| state.root = leaf_hash(b"other"),
        "names another tree than checkpoint and write-ahead log",
    );
    edited(&|state| state.size -= 1, "the checkpoint is ahead of the register");
    edited(&|state| state.sealed_frontier[0] = leaf_hash(b"other"), "another tree for the sealed range");
    let mut other = data.clone();
    edit_register(&mut other, |register| register.wal.chain = [0; 32]);
    assert_eq!(kind_of(&other, &keys, &layout::wal_file(1)), Some(DamageKind::Format));
}

/// From what is sealed on the log holds every entry, with its payload.
#[test]
fn the_log_begins_where_the_segments_end() {
    let detail = "the log does not hold the entries ahead of this group";
    let mut forge = Forge::new();
    forge.log_from = SEALED + 4;
    let damage = told(&forge, DamageKind::Contradiction, detail);
    assert_eq!(damage.entries, entries(SEALED, SEALED + 4));
    told_without_keys(&forge, DamageKind::Contradiction, detail);
    forge.stopped = false;
    forge.signed = Some(SEALED + 2);
    told(&forge, DamageKind::Contradiction, detail);
}

/// Also one that holds nothing that is not elsewhere.
#[test]
fn every_log_file_from_the_floor_on_is_there() {
    let (mut data, keys) = Forge::new().store();
    edit_register(&mut data, |register| register.wal_floor = 0);
    let damage = only(&verify(&data, Some(&keys)), DamageKind::Missing, "the write-ahead file is missing");
    assert_eq!(damage.file, layout::wal_file(0));
}

#[test]
fn the_log_holds_the_entries_of_the_tree() {
    let mut forge = Forge::new();
    forge.altered = Some(SEALED + 5);
    let detail = "the group holds other entries than the tree";
    told_without_keys(&forge, DamageKind::Contradiction, detail);
}

#[test]
fn the_log_ends_where_the_tree_ends() {
    let (mut data, keys) = Forge::new().store();
    let path = layout::wal_file(1);
    let header: [u8; 160] = data[&path][..160].try_into().unwrap();
    data.insert(path.clone(), header.to_vec());
    edit_register(&mut data, |register| {
        register.wal.offset = 160;
        register.wal.chain = header[128..].try_into().unwrap();
    });
    for keys in [Some(&keys), None] {
        let report = verify(&data, keys);
        let damage = report.damage.iter().find(|damage| damage.file == path).unwrap();
        assert_eq!(damage.kind, DamageKind::Missing);
        assert_eq!(damage.entries.as_ref().unwrap().1, SEALED);
    }
}

#[test]
fn the_log_holds_no_ledger_that_the_register_does_not_name() {
    let mut forge = Forge::new();
    forge.stranger = true;
    let detail = "a group is of a ledger that the register does not name";
    told(&forge, DamageKind::Contradiction, detail);
    told_without_keys(&forge, DamageKind::Contradiction, detail);
}

/// Sound in itself, with the same records, and not the file whose hash is on record.
#[test]
fn a_segment_is_the_one_that_was_put_on_record() {
    let (mut data, keys) = Forge::new().store();
    let mut again = Forge::new();
    again.segments[0].nonce = 9;
    let path = again.segments[0].path();
    data.insert(path.clone(), again.store().0[&path].clone());
    for keys in [Some(&keys), None] {
        let damage = only(&verify(&data, keys), DamageKind::Hash, "not the one that was put on record");
        assert_eq!((damage.file, damage.entries), (path.clone(), entries(0, SEALED)));
    }
}

/// Where the log that should say so is damaged too.
#[test]
fn entries_whose_segment_is_lost_with_its_record_are_told() {
    let mut forge = Forge::new();
    forge.segments.remove(0);
    let (mut data, keys) = forge.store();
    data.get_mut(&layout::wal_file(1)).unwrap()[300] ^= 1;
    let damage = verify(&data, Some(&keys)).damage;
    let dir = layout::segment_dir(LEDGER, evidence::segment::Class::Events);
    let lost = damage.iter().find(|damage| damage.file == dir).unwrap();
    assert_eq!((lost.kind, &lost.entries), (DamageKind::Missing, &entries(0, SEALED)));
}

#[test]
fn a_segment_lies_under_its_own_name() {
    let (mut data, keys) = Forge::new().store();
    let [events, control] = [0, 1].map(|at| Forge::new().segments[at].path());
    let (first, second) = (data[&events].clone(), data[&control].clone());
    data.insert(events.clone(), second);
    data.insert(control.clone(), first);
    for path in [&events, &control] {
        assert_eq!(kind_of(&data, &keys, path), Some(DamageKind::Contradiction));
    }
}

/// What witnesses cosigned last: no newer than the store, of its tree, and signed by it though the store be damaged.
#[test]
fn the_witnessed_checkpoint_is_one_of_this_store() {
    let (data, keys) = Forge::new().store();
    let head = UnverifiedCheckpoint::parse(&data[&layout::checkpoint(LEDGER)]).unwrap().claimed().clone();
    let path = layout::witnessed(LEDGER);
    let told = |note: Vec<u8>, lock: &[u8]| {
        let mut more = data.clone();
        more.insert(path.clone(), note);
        more.insert(layout::LOCK.to_owned(), lock.to_vec());
        kind_of(&more, &keys, &path)
    };
    let other = leaf_hash(b"other");
    assert_eq!(told(checkpoint(head.size, head.root, SIGNING), b""), None);
    assert_eq!(told(checkpoint(head.size + 1, other, SIGNING), b""), Some(DamageKind::Contradiction));
    assert_eq!(told(checkpoint(head.size, other, SIGNING), b""), Some(DamageKind::Contradiction));
    assert_eq!(told(checkpoint(head.size, head.root, AUTHORITY), b""), Some(DamageKind::Signature));
    assert_eq!(told(checkpoint(head.size, head.root, AUTHORITY), b"1"), Some(DamageKind::Signature));
    assert_eq!(told(b"anything".to_vec(), b""), Some(DamageKind::Format));
}
