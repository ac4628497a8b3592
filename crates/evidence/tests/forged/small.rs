//! The small files, the keys, and what may not lie in a store at all.

use evidence::keys::{WrappedKey, format_signing, format_wrapping, parse_signing};
use evidence::layout;
use evidence::predecessor::Succession;
use evidence::seal::Key;
use evidence::verify::{DamageKind, Verdict};
use tlog::SigningKey;

use crate::forge::Forge;
use crate::kind_of;
use crate::memory::{Files, verify};

fn with(files: &Files, path: &str, bytes: &[u8]) -> Files {
    files.clone().into_iter().chain([(path.to_owned(), bytes.to_vec())]).collect()
}

#[test]
fn what_no_store_has_is_unexpected() {
    let (data, keys) = Forge::new().store();
    let torn = layout::set_aside(9, 160);
    for (path, blamed) in [
        ("stray", "stray"),
        ("wal/stray", "wal/stray"),
        ("wal/1.wal", "wal/1.wal"),
        ("ledgers/other/checkpoint", "ledgers/other"),
        ("ledgers/main/stray", "ledgers/main/stray"),
        ("ledgers/main/tile/0/stray", "ledgers/main/tile/0/stray"),
        ("ledgers/main/tile/0/007", "ledgers/main/tile/0/007"),
        ("ledgers/main/tile/0/001.p/1", "ledgers/main/tile/0/001.p/1"),
        ("ledgers/main/segment/events/stray", "ledgers/main/segment/events/stray"),
        (torn.as_str(), torn.as_str()),
    ] {
        assert_eq!(
            kind_of(&with(&data, path, b"anything"), &keys, blamed),
            Some(DamageKind::Unexpected),
            "{path}"
        );
    }
    assert_eq!(
        kind_of(&data, &with(&keys, "stray", b"anything"), "keys:stray"),
        Some(DamageKind::Unexpected)
    );
}

#[test]
fn a_ledger_that_is_about_to_be_made_says_what_it_continues() {
    let (data, keys) = Forge::new().store();
    let whole = Succession { checkpoint: "a note".to_owned(), reason: "the disk is gone".to_owned() };
    let file = "next.predecessor";
    let there = verify(&data, Some(&with(&keys, file, &whole.format())));
    assert_eq!((there.verdict(), &there.damage), (Verdict::Proven, &Vec::new()));
    assert!(there.notes.iter().any(|note| note.contains("keys:next.predecessor")), "{:?}", there.notes);
    let broken = with(&keys, file, b"anything");
    assert_eq!(kind_of(&data, &broken, "keys:next.predecessor"), Some(DamageKind::Format));
    let stray = with(&keys, "Next.predecessor", &whole.format());
    assert_eq!(kind_of(&data, &stray, "keys:Next.predecessor"), Some(DamageKind::Unexpected));
}

#[test]
fn a_small_file_holds_what_it_should_and_nothing_else() {
    let (data, keys) = Forge::new().store();
    let torn = data.keys().find(|path| path.starts_with(layout::SET_ASIDE)).unwrap().clone();
    for (path, bytes, kind) in [
        (layout::LOCK, &b"1"[..], DamageKind::Format),
        (layout::RESERVE, b"\0\0\x01", DamageKind::Format),
        (layout::TOKENS, b"ledgerstone/tokens/v1\n{}\n", DamageKind::Format),
        (layout::SCRUB, b"anything", DamageKind::Format),
        (layout::SETTINGS, b"", DamageKind::Settings),
        (&torn, b"LSGR other", DamageKind::Hash),
    ] {
        assert_eq!(kind_of(&with(&data, path, bytes), &keys, path), Some(kind), "{path}");
    }
}

/// The file is whole, its hash fits, and it is not the key that signs this store.
#[test]
fn another_signing_key_is_told_by_register_and_key() {
    let (data, mut keys) = Forge::new().store();
    let path = layout::keys::signing("main");
    let (origin, seed, vkey) = parse_signing(&keys[&path]).unwrap();
    let other = SigningKey::from_seed(&origin, [7; 32]).unwrap().verifying_key().to_string();
    keys.insert(path.clone(), format_signing(&origin, &[7; 32], &other));
    assert_eq!(kind_of(&data, &keys, "keys:main.signing.key"), Some(DamageKind::Settings));
    assert_eq!(kind_of(&data, &keys, layout::REGISTER), Some(DamageKind::Contradiction));
    // A seed that is not of the key beside it.
    keys.insert(path.clone(), format_signing(&origin, &[7; 32], &vkey));
    assert_eq!(kind_of(&data, &keys, "keys:main.signing.key"), Some(DamageKind::Settings));
    keys.insert(path, format_signing(&origin, &seed, &vkey));
    assert_eq!(verify(&data, Some(&keys)).verdict(), Verdict::Proven);
}

#[test]
fn a_data_key_lies_under_its_own_name_and_opens_with_the_wrapping_key() {
    let (data, keys) = Forge::new().store();
    let path = keys.keys().find(|path| path.starts_with(layout::keys::DATA)).unwrap().clone();
    let copy = layout::keys::data(&[7; 16]);
    let twice = with(&keys, &copy, &keys[&path]);
    assert_eq!(kind_of(&data, &twice, &format!("keys:{copy}")), Some(DamageKind::Format));
    let foreign = with(&keys, layout::keys::WRAPPING, &format_wrapping(&Key::new([7; 32])));
    assert_eq!(kind_of(&data, &foreign, &format!("keys:{path}")), Some(DamageKind::Format));
    let broken = with(&keys, layout::keys::WRAPPING, b"anything");
    assert_eq!(kind_of(&data, &broken, "keys:wrapping.key"), Some(DamageKind::Format));

    // Wrapped as it should be, and not the key that the blocks are under.
    let wrapping = evidence::keys::parse_wrapping(&keys[layout::keys::WRAPPING]).unwrap();
    let old = WrappedKey::parse(&keys[&path]).unwrap();
    let other = WrappedKey::wrap(&wrapping, &Key::new([7; 32]), old.id, &old.file, [7; 24]);
    let other = with(&keys, &path, &other.format());
    for file in [Forge::new().segments[0].path(), layout::wal_file(1)] {
        assert_eq!(kind_of(&data, &other, &file), Some(DamageKind::Payload), "{file}");
    }
}

/// What is missing outside the store leaves the verdict open.
#[test]
fn without_a_key_that_should_be_there_nothing_is_proven() {
    let (data, keys) = Forge::new().store();
    for path in keys.keys().filter(|path| !path.contains("authority")) {
        let mut less = keys.clone();
        less.remove(path);
        let report = verify(&data, Some(&less));
        assert_eq!((report.verdict(), &report.damage), (Verdict::Undecidable, &vec![]), "{path}");
    }
}
