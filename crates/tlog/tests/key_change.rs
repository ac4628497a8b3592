//! Changes of a log's key: one spelling, one signature each, bound to a tree, never back.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use proptest::prelude::*;
use tlog::{
    Checkpoint, CosigningKey, KeyChangeError, KeyHistory, KeyStatement, Note, Origin, SigningKey, leaf_hash,
    sign_checkpoint,
};

const ORIGIN: &str = "ledgerstone.local/3c1b31a54751736e";

/// What the authority of seed 9 says about a new key of seed 2 and the tree of one entry, `genesis`.
const GOLDEN: &str = include_str!("key_change.golden");

fn log_key(n: u8) -> SigningKey {
    SigningKey::from_seed(ORIGIN, [n; 32]).unwrap()
}

fn authority(n: u8) -> SigningKey {
    SigningKey::from_seed(&format!("{ORIGIN}/authority"), [n; 32]).unwrap()
}

fn head(size: u64) -> Checkpoint {
    Checkpoint { origin: Origin::new(ORIGIN).unwrap(), size, root: leaf_hash(&size.to_be_bytes()) }
}

fn statement(size: u64, key: u8) -> KeyStatement {
    let Checkpoint { origin, size, root } = head(size);
    KeyStatement { origin, size, root, key: log_key(key).verifying_key().clone() }
}

fn history() -> KeyHistory {
    let vkey = |key: &SigningKey| key.verifying_key().to_string();
    KeyHistory::new(ORIGIN, &vkey(&log_key(1)), &vkey(&authority(9))).unwrap()
}

/// Enters a change to key `to` by the key `from`, both of one tree.
fn change(
    history: &mut KeyHistory,
    index: u64,
    size: u64,
    (from, to): (u8, u8),
) -> Result<(), KeyChangeError> {
    let signed = statement(size, to).sign(&authority(9));
    let note = sign_checkpoint(&head(size), &log_key(from));
    history.push(index, signed.as_bytes(), note.as_bytes()).map(drop)
}

#[test]
fn a_statement_has_these_bytes() {
    let root = leaf_hash(b"genesis");
    let signed = KeyStatement { root, ..statement(1, 2) }.sign(&authority(9));
    assert_eq!(signed, GOLDEN);
    let read = KeyStatement::verify(GOLDEN.as_bytes(), authority(9).verifying_key()).unwrap();
    assert_eq!(
        (read.size, read.root, read.key.to_string()),
        (1, root, log_key(2).verifying_key().to_string())
    );
}

#[test]
fn the_key_in_force_is_the_one_that_the_last_change_below_named() {
    let mut history = history();
    let in_force = |history: &KeyHistory, size: u64| history.in_force(size).clone();
    assert_eq!(&in_force(&history, u64::MAX), log_key(1).verifying_key());
    change(&mut history, 5, 5, (1, 2)).unwrap();
    change(&mut history, 9, 6, (2, 3)).unwrap();
    change(&mut history, 10, 10, (3, 4)).unwrap();
    for (size, key) in [(0, 1), (1, 1), (5, 1), (6, 2), (9, 2), (10, 3), (11, 4), (u64::MAX, 4)] {
        assert_eq!(&in_force(&history, size), log_key(key).verifying_key(), "{size}");
    }
    let keys: Vec<_> = history.keys().map(|(index, key)| (index, key.clone())).collect();
    let of = |n: u8| log_key(n).verifying_key().clone();
    assert_eq!(keys, [(0, of(1)), (5, of(2)), (9, of(3)), (10, of(4))]);
    assert_eq!((history.newest(), history.changes().len()), (&of(4), 3));
    assert_eq!(history.changes()[1].statement.checkpoint(), head(6));
}

#[test]
fn k1_statement_and_checkpoint_have_the_one_signature_they_must_have() {
    let good = statement(5, 2);
    let note = sign_checkpoint(&head(5), &log_key(1));
    let push = |statement: &str, checkpoint: &str| {
        let mut history = history();
        let pushed = history.push(5, statement.as_bytes(), checkpoint.as_bytes()).map(drop);
        assert_eq!(history.changes().len(), usize::from(pushed.is_ok()));
        pushed.map_err(|error| error.to_string())
    };
    let refused = |statement: &str, checkpoint: &str, words: &str| {
        let error = push(statement, checkpoint).unwrap_err();
        assert!(error.starts_with("K1") && error.contains(words), "{error}");
    };
    let signed = good.sign(&authority(9));
    assert_eq!(push(&signed, &note), Ok(()));

    refused(&good.sign(&authority(8)), &note, "none of the signatures is by a known key");
    // The key that is replaced, and the new one, are no authority.
    for n in [1, 2] {
        refused(&good.sign(&log_key(n)), &note, "none of the signatures");
    }
    let with = |note: &str, more: tlog::Signature| {
        let mut note = Note::parse(note.as_bytes()).unwrap();
        note.push(more).unwrap();
        note.to_string()
    };
    let text = good.to_text();
    refused(&with(&signed, authority(8).sign(&text)), &note, "statement does not have one signature: 2");
    refused(&with(&signed, authority(9).sign(&text)), &note, "statement does not have one signature: 2");
    refused(&signed.replace("\n5\n", "\n6\n"), &note, "does not verify");
    refused(&text, &note, "malformed note");

    refused(&signed, &sign_checkpoint(&head(5), &log_key(2)), "none of the signatures");
    refused(&signed, &sign_checkpoint(&head(5), &authority(9)), "none of the signatures");
    let cosigned = CosigningKey::from_seed("w.example/1", [7; 32]).unwrap();
    let cosigned = cosigned.cosign(&head(5), 9);
    refused(&signed, &with(&note, cosigned), "checkpoint does not have one signature: 2");
    refused(&signed, &note.replace("\n5\n", "\n6\n"), "does not verify");
    refused(&signed, &signed, "malformed checkpoint");
    refused(&note, &note, "malformed statement");

    let foreign = "ledgerstone.local/ffffffffffffffff";
    let of_foreign = |key: &SigningKey| {
        let origin = Origin::new(foreign).unwrap();
        KeyStatement { origin, key: key.verifying_key().clone(), ..good.clone() }.sign(&authority(9))
    };
    let their_key = SigningKey::from_seed(foreign, [2; 32]).unwrap();
    refused(&of_foreign(&their_key), &note, "statement is of another log");
    refused(&of_foreign(&log_key(2)), &note, "not named like the origin");
    let head = Checkpoint { origin: Origin::new(foreign).unwrap(), ..head(5) };
    refused(&signed, &sign_checkpoint(&head, &log_key(1)), "checkpoint is of another log");

    let mut unknown = KeyHistory::new(ORIGIN, &log_key(1).verifying_key().to_string(), "nobody").unwrap();
    let error = unknown.push(5, signed.as_bytes(), note.as_bytes()).unwrap_err();
    assert!(matches!(error, KeyChangeError::Authority(_)));
}

#[test]
fn k2_the_tree_lies_between_the_change_before_and_this_one() {
    for (index, size, fits) in
        [(5, 0, false), (5, 1, true), (5, 5, true), (5, 6, false), (5, u64::MAX, false)]
    {
        let changed = change(&mut history(), index, size, (1, 2));
        assert_eq!(changed.is_ok(), fits, "{index} {size}");
        assert!(fits || matches!(changed, Err(KeyChangeError::Size { .. })));
    }
    for (size, from, fits) in
        [(4, 1, false), (5, 1, false), (5, 2, false), (6, 2, true), (9, 2, true), (10, 2, false)]
    {
        let mut history = history();
        change(&mut history, 5, 3, (1, 2)).unwrap();
        assert_eq!(change(&mut history, 9, size, (from, 3)).is_ok(), fits, "{size}");
    }
}

#[test]
fn k3_statement_and_checkpoint_are_of_one_tree() {
    let signed = statement(5, 2).sign(&authority(9));
    let other = Checkpoint { root: leaf_hash(b"another"), ..head(5) };
    for other in [other, head(4)] {
        let note = sign_checkpoint(&other, &log_key(1));
        let error = history().push(5, signed.as_bytes(), note.as_bytes()).unwrap_err();
        assert!(matches!(error, KeyChangeError::OtherTree { .. }), "{error}");
    }
}

#[test]
fn k4_no_key_comes_back_and_the_authority_signs_no_trees() {
    let mut history = history();
    assert_eq!(change(&mut history, 5, 5, (1, 1)), Err(KeyChangeError::Returning));
    change(&mut history, 5, 5, (1, 2)).unwrap();
    assert_eq!(change(&mut history, 6, 6, (2, 1)), Err(KeyChangeError::Returning));
    assert_eq!(change(&mut history, 6, 6, (2, 2)), Err(KeyChangeError::Returning));
    // Under the log's name the authority's key is another vkey, and still the same key.
    assert_eq!(change(&mut history, 6, 6, (2, 9)), Err(KeyChangeError::IsAuthority));
    change(&mut history, 6, 6, (2, 3)).unwrap();
}

#[test]
fn a_log_begins_with_a_key_of_its_own() {
    let cosigner = CosigningKey::from_seed(ORIGIN, [1; 32]).unwrap().verifying_key().to_string();
    for vkey in [String::new(), authority(1).verifying_key().to_string(), cosigner] {
        let error = KeyHistory::new(ORIGIN, &vkey, "nobody").unwrap_err();
        assert!(matches!(error, KeyChangeError::FirstKey(_)));
    }
}

#[test]
fn a_statement_has_one_spelling() {
    let text = statement(5, 2).to_text();
    assert_eq!(KeyStatement::parse(&text), Ok(statement(5, 2)));
    let lines: Vec<&str> = text.lines().collect();
    for (line, spelling) in [
        (1, "ledgerstone/key-change/v2"),
        (1, ""),
        (2, ""),
        (3, "05"),
        (3, "+5"),
        (3, "18446744073709551616"),
        (4, "AAAA"),
        (5, ""),
    ] {
        let mut changed = lines.clone();
        changed[line - 1] = spelling;
        let error = KeyStatement::parse(&format!("{}\n", changed.join("\n"))).unwrap_err();
        assert!(matches!(error, KeyChangeError::Statement { line: found, .. } if found == line), "{error}");
    }
    for changed in
        [text.trim_end(), &format!("{text}\n"), &format!("{text}more\n"), &text.replace('\n', "\r\n")]
    {
        assert!(KeyStatement::parse(changed).is_err(), "{changed:?}");
    }
    assert!(Checkpoint::parse(&text).is_err(), "a statement is no checkpoint");
}

proptest! {
    #[test]
    fn no_other_byte_makes_another_change(at: prop::sample::Index, byte: u8) {
        let good = [statement(5, 2).sign(&authority(9)), sign_checkpoint(&head(5), &log_key(1))];
        let mut bytes = good.concat().into_bytes();
        let at = at.index(bytes.len());
        let same = std::mem::replace(&mut bytes[at], byte) == byte;
        let (statement, checkpoint) = bytes.split_at(good[0].len());
        prop_assert_eq!(history().push(5, statement, checkpoint).is_ok(), same);
    }
}
