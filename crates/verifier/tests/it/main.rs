//! The verifier against stores that the engine wrote: sound ones, and ones with every single byte changed.

mod damage;
mod store;

use verifier::{Verdict, verify_dir};

#[test]
fn a_sound_store_is_proven_with_and_without_keys() {
    let store = store::build(700);
    let report = verify_dir(&store.data(), Some(&store.keys()), None, &|_, _| {});
    assert_eq!((report.verdict(), &report.damage), (Verdict::Proven, &Vec::new()), "{:?}", report.undecided);
    assert!(report.payloads_opened);
    assert_eq!(report.ledgers.len(), 2);
    assert_eq!(report.ledgers[0].events, 700);
    let keyless = verify_dir(&store.data(), None, None, &|_, _| {});
    assert_eq!(
        (keyless.verdict(), &keyless.damage),
        (Verdict::Proven, &Vec::new()),
        "{:?}",
        keyless.undecided
    );
    assert!(!keyless.payloads_opened);
}

#[test]
fn a_key_from_outside_anchors_and_a_wrong_one_disproves() {
    let store = store::build(10);
    let report = verify_dir(&store.data(), None, None, &|_, _| {});
    let vkey = tlog::note::VerifierKey::parse(&report.ledgers[0].vkey).unwrap();
    let anchored = verify_dir(&store.data(), None, Some(&vkey), &|_, _| {});
    assert_eq!(anchored.ledgers[0].anchor, verifier::Anchor::Key);
    let other = tlog::note::SigningKey::from_seed("somebody.else", [1; 32]).unwrap();
    let wrong = verify_dir(&store.data(), None, Some(other.verifying_key()), &|_, _| {});
    assert_eq!(wrong.verdict(), Verdict::Disproven);
}
