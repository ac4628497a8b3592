//! Changes of the signing key, each of which breaks one rule (docs/format.md, section 10, K1 to K4).

use evidence::keys::{CHANGE, format_change, format_signing};
use evidence::layout;
use evidence::verify::{Anchor, DamageKind, Verdict, hold_against};
use record::control::KeyChange;
use record::entry::Kind;
use tlog::{Frontier, Hash, KeyStatement, Origin, decode_bundle, leaf_hash};

use crate::forge::{AUTHORITY, Forge, LEDGER, ORIGIN, SEALED, SIGNING, Told, checkpoint, key};
use crate::memory::{Memory, verify, verify_with};
use crate::{only, told, told_without_keys};

const SECOND: [u8; 32] = [21; 32];
const THIRD: [u8; 32] = [22; 32];

/// Index of the change that every test makes: among the sealed ones.
const CHANGED: u64 = 210;

/// The root of the first entries; they are the same in every story here.
fn root(forge: &Forge, size: u64) -> Hash {
    let bundle = &forge.store().0[&layout::resource(LEDGER, "tile/entries/000")];
    decode_bundle(bundle).unwrap().into_iter().take(size as usize).map(leaf_hash).collect::<Frontier>().root()
}

fn statement(size: u64, root: Hash, new: [u8; 32]) -> KeyStatement {
    let key = key(new).verifying_key().clone();
    KeyStatement { origin: Origin::new(ORIGIN).unwrap(), size, root, key }
}

fn note(size: u64, root: Hash, signer: [u8; 32]) -> String {
    String::from_utf8(checkpoint(size, root, signer)).unwrap()
}

/// Enters a change at `index`, whatever it says.
fn enter(forge: &mut Forge, index: u64, statement: String, checkpoint: String) {
    let stamp = forge.story[index as usize].stamp;
    let change = KeyChange { statement, checkpoint };
    forge.story[index as usize] = Told { stamp, ..Told::control(Kind::Key, change.to_draft()) };
}

/// Enters a change from one key to another, bound to the tree of `size` entries.
fn change(forge: &mut Forge, index: u64, size: u64, (from, to): ([u8; 32], [u8; 32])) {
    let root = root(forge, size);
    enter(forge, index, statement(size, root, to).sign(&key(AUTHORITY)), note(size, root, from));
}

/// A sound store whose key has changed once.
fn changed() -> Forge {
    let mut forge = Forge { signer: SECOND, registered: SECOND, ..Forge::new() };
    change(&mut forge, CHANGED, 200, (SIGNING, SECOND));
    forge
}

#[test]
fn a_changed_key_is_proven_and_its_history_told() {
    let mut forge = changed();
    change(&mut forge, SEALED + 4, CHANGED + 2, (SECOND, THIRD));
    (forge.signer, forge.registered) = (THIRD, THIRD);
    let (data, keys) = forge.store();
    let vkey = |seed: [u8; 32]| key(seed).verifying_key().clone();
    for keys in [Some(&keys), None] {
        let report = verify(&data, keys);
        assert_eq!((report.verdict(), &report.damage), (Verdict::Proven, &vec![]), "{:?}", report.undecided);
        let known: Vec<_> = report.ledgers[0].keys.iter().map(|key| (key.index, key.vkey.clone())).collect();
        let expected = [(0, SIGNING), (CHANGED, SECOND), (SEALED + 4, THIRD)];
        assert_eq!(known, expected.map(|(index, seed)| (index, vkey(seed).to_string())));
        assert_eq!(report.ledgers[0].vkey, vkey(THIRD).to_string());
        let says = format!("key changed at index {CHANGED} by the authority");
        assert!(report.notes.iter().any(|note| note.contains(&says)), "{:?}", report.notes);
    }
    // Whoever knows any of the keys knows the ledger; nobody else does.
    for seed in [SIGNING, SECOND, THIRD] {
        let report = verify_with(&data, None, Some(&vkey(seed)));
        assert_eq!((report.verdict(), report.ledgers[0].anchor), (Verdict::Proven, Anchor::Key));
    }
    for seed in [AUTHORITY, [23; 32]] {
        let report = verify_with(&data, None, Some(&vkey(seed)));
        only(&report, DamageKind::Signature, "no ledger of this store is signed by the key that was given");
    }
}

#[test]
fn a_kept_checkpoint_is_signed_by_the_key_of_its_time() {
    let forge = changed();
    let (data, keys) = forge.store();
    let held = |size: u64, signer: [u8; 32]| {
        let mut report = verify(&data, Some(&keys));
        hold_against(&Memory(&data), &checkpoint(size, root(&forge, size), signer), &mut report).unwrap();
        report
    };
    for (size, signer) in [(200, SIGNING), (CHANGED, SIGNING), (CHANGED + 1, SECOND), (240, SECOND)] {
        assert_eq!(held(size, signer).damage, [], "{size}");
    }
    for (size, signer) in [(CHANGED, SECOND), (CHANGED + 1, SIGNING), (240, SIGNING)] {
        only(&held(size, signer), DamageKind::Signature, "not the one that signed");
    }
}

#[test]
fn the_key_before_signs_nothing_that_covers_the_change() {
    let forge = Forge { signer: SIGNING, ..changed() };
    told(&forge, DamageKind::Signature, "none of the signatures is by a known key");
    // Nor does a register help that does not know of it.
    let forge = Forge { registered: SIGNING, ..forge };
    let (data, keys) = forge.store();
    let damage = verify(&data, Some(&keys)).damage;
    assert!(
        damage.iter().any(|damage| damage.detail.contains("records name another signing key")),
        "{damage:?}"
    );
    assert!(damage.iter().any(|damage| damage.kind == DamageKind::Signature), "{damage:?}");
    // The new key before the change was covered: not yet.
    let mut forge = changed();
    forge.signed = Some(SEALED);
    change(&mut forge, SEALED + 4, SEALED - 10, (SECOND, THIRD));
    (forge.stopped, forge.registered) = (false, THIRD);
    let (data, keys) = forge.store();
    assert_eq!(verify(&data, Some(&keys)).damage, []);
    forge.signer = THIRD;
    let (data, keys) = forge.store();
    only(&verify(&data, Some(&keys)), DamageKind::Signature, "none of the signatures is by a known key");
}

#[test]
fn a_register_names_the_key_that_is_on_record() {
    let mut forge = Forge { registered: THIRD, ..changed() };
    told_without_keys(&forge, DamageKind::Contradiction, "records name another signing key");
    // Without any change the first key stays in force.
    forge = Forge { registered: SECOND, signer: SECOND, ..Forge::new() };
    told_without_keys(&forge, DamageKind::Contradiction, "the genesis entry names another ledger");
}

/// What is told of a store in which this was entered in the place of the change.
fn refused(statement: String, checkpoint: String, rule: &str) {
    let mut forge = Forge::new();
    enter(&mut forge, CHANGED, statement, checkpoint);
    let (data, keys) = forge.store();
    for keys in [Some(&keys), None] {
        only(&verify(&data, keys), DamageKind::Signature, rule);
    }
}

#[test]
fn k1_statement_and_checkpoint_are_signed_by_whom_they_must_be() {
    let root = root(&Forge::new(), 200);
    let (good, by) = (statement(200, root, SECOND), |seed: [u8; 32]| key(seed));
    let checkpoint = note(200, root, SIGNING);
    refused(good.sign(&by(SIGNING)), checkpoint.clone(), "K1");
    refused(good.sign(&by(SECOND)), checkpoint.clone(), "K1");
    refused(good.sign(&by(AUTHORITY)), note(200, root, SECOND), "K1");
    refused(good.sign(&by(AUTHORITY)), note(200, root, AUTHORITY), "K1");
    refused(good.sign(&by(AUTHORITY)), "no note".to_owned(), "K1");
    refused("no note".to_owned(), checkpoint.clone(), "K1");
    let twice = format!("{}{}\n", good.sign(&by(AUTHORITY)), by(SECOND).sign(&good.to_text()));
    refused(twice, checkpoint.clone(), "K1: statement does not have one signature");
    let twice = format!("{checkpoint}{}\n", by(SECOND).sign("anything"));
    refused(good.sign(&by(AUTHORITY)), twice, "K1: checkpoint does not have one signature");
    let origin = Origin::new("ledgerstone.example/other").unwrap();
    let other = KeyStatement { origin: origin.clone(), ..good };
    refused(other.sign(&by(AUTHORITY)), checkpoint, "K1");
}

#[test]
fn k2_a_change_is_bound_to_a_tree_that_was_there() {
    let forge = Forge::new();
    for size in [0, CHANGED + 1, CHANGED + 20] {
        let root = root(&forge, size);
        refused(statement(size, root, SECOND).sign(&key(AUTHORITY)), note(size, root, SIGNING), "K2");
    }
    // The tree of the second change covers the first.
    for (size, holds) in [(200, false), (CHANGED, false), (CHANGED + 1, true)] {
        let mut forge = changed();
        change(&mut forge, SEALED + 4, size, (SECOND, THIRD));
        if holds {
            (forge.signer, forge.registered) = (THIRD, THIRD);
        }
        let (data, keys) = forge.store();
        let report = verify(&data, Some(&keys));
        match holds {
            true => assert_eq!(report.damage, []),
            false => drop(only(&report, DamageKind::Signature, "K2")),
        }
    }
}

#[test]
fn k3_a_change_is_bound_to_a_tree_of_this_ledger() {
    let forge = Forge::new();
    let (right, wrong) = (root(&forge, 200), root(&forge, 199));
    refused(statement(200, wrong, SECOND).sign(&key(AUTHORITY)), note(200, right, SIGNING), "K3");
    // Both signatures hold, and the ledger never had that tree.
    let mut forge = Forge { signer: SECOND, registered: SECOND, ..forge };
    let signed = statement(200, wrong, SECOND).sign(&key(AUTHORITY));
    enter(&mut forge, CHANGED, signed, note(200, wrong, SIGNING));
    let damage = told(&forge, DamageKind::Signature, "K3: it is bound to another tree");
    assert_eq!(damage.entries, Some((LEDGER.to_owned(), CHANGED, CHANGED + 1)));
}

#[test]
fn k4_no_key_comes_back() {
    let root_of = root(&Forge::new(), 200);
    for new in [SIGNING, AUTHORITY] {
        refused(statement(200, root_of, new).sign(&key(AUTHORITY)), note(200, root_of, SIGNING), "K4");
    }
    let mut forge = changed();
    change(&mut forge, SEALED + 4, CHANGED + 2, (SECOND, SIGNING));
    told(&forge, DamageKind::Signature, "K4");
}

/// What the verifier says of the key directory in the middle of a change.
#[test]
fn the_key_directory_may_hold_the_next_key_and_a_change() {
    let mut forge = changed();
    forge.stopped = false;
    let (data, mut keys) = forge.store();
    let file = |seed: [u8; 32]| format_signing(ORIGIN, &seed, &key(seed).verifying_key().to_string());
    let next = layout::keys::signing_next(LEDGER);
    keys.insert(next.clone(), file(THIRD));
    let change = KeyChange { statement: "s".to_owned(), checkpoint: "c".to_owned() };
    keys.insert(layout::keys::change(LEDGER), format_change(CHANGE, &change));
    let report = verify(&data, Some(&keys));
    assert_eq!(report.damage, []);
    assert!(report.notes.iter().any(|note| note.contains("the next start changes its signing key")));
    keys.insert(layout::keys::change(LEDGER), b"something else".to_vec());
    only(&verify(&data, Some(&keys)), DamageKind::Settings, "first line");
    keys.remove(&layout::keys::change(LEDGER));
    // Cut off between register and rename: the next key is the register's.
    keys.insert(layout::keys::signing(LEDGER), file(SIGNING));
    keys.insert(next, file(SECOND));
    assert_eq!(verify(&data, Some(&keys)).damage, []);
}
