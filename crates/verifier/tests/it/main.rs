//! The verifier against stores that the engine wrote: sound ones, and ones with every single byte changed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod damage;
mod drilled;
mod handed;
mod kept;
mod predecessor;
mod receipts;
mod stamped;
mod stamps;
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

#[test]
fn a_killed_store_is_proven_without_its_partial_tiles_and_not_with_wrong_ones() {
    let store = store::build_killed(300);
    let verify = || verify_dir(&store.data(), Some(&store.keys()), None, &|_, _| {});
    assert_eq!((verify().verdict(), verify().damage), (Verdict::Proven, Vec::new()));
    let tile = store.data().join("ledgers/main/tile/0/001.p/46");
    let bytes = std::fs::read(&tile).unwrap();
    std::fs::remove_file(&tile).unwrap();
    assert_eq!((verify().verdict(), verify().damage), (Verdict::Proven, Vec::new()));
    // An older checkpoint's partial tile may still lie there, if it is a prefix.
    let older = store.data().join("ledgers/main/tile/0/001.p/40");
    std::fs::write(&older, &bytes[..40 * 32]).unwrap();
    assert_eq!((verify().verdict(), verify().damage), (Verdict::Proven, Vec::new()));
    let mut wrong = bytes[..40 * 32].to_vec();
    wrong[700] ^= 1;
    std::fs::write(&older, wrong).unwrap();
    let report = verify();
    assert_eq!(report.damage.len(), 1, "{:?}", report.damage);
    assert_eq!(report.damage[0].file, "ledgers/main/tile/0/001.p/40");
}
