//! Stores held against what somebody kept of them.

use evidence::layout;
use evidence::verify::{Anchor, DamageKind, Report, Verdict, hold_against};
use record::commit::Salt;
use record::receipt::{Level, Receipt};
use tlog::{Frontier, Hash, VerifierKey, decode_bundle, leaf_hash};

use crate::forge::{AUTHORITY, Forge, LEDGER, SEALED, SIGNING, checkpoint, genesis};
use crate::memory::{Memory, verify, verify_with};
use crate::only;

fn held(forge: &Forge, kept: &[u8]) -> Report {
    let (data, keys) = forge.store();
    let mut report = verify(&data, Some(&keys));
    assert_eq!(report.verdict(), Verdict::Proven);
    hold_against(&Memory(&data), kept, &mut report).unwrap();
    report
}

fn root(forge: &Forge, size: usize) -> Hash {
    let bundle = &forge.store().0[&layout::resource(LEDGER, "tile/entries/000")];
    decode_bundle(bundle).unwrap().into_iter().take(size).map(leaf_hash).collect::<Frontier>().root()
}

#[test]
fn a_store_begins_with_the_tree_of_a_checkpoint_that_it_signed() {
    let forge = Forge::new();
    let good = held(&forge, &checkpoint(200, root(&forge, 200), SIGNING));
    assert_eq!((&good.damage, good.ledgers[0].anchor), (&vec![], Anchor::Kept));
    let told = |size, root, seed, kind, detail| {
        let report = held(&forge, &checkpoint(size, root, seed));
        only(&report, kind, detail);
        assert_eq!(report.ledgers[0].anchor, Anchor::None);
    };
    let contradiction = DamageKind::Contradiction;
    told(200, root(&forge, 199), SIGNING, contradiction, "does not begin with the tree");
    told(SEALED + 90, root(&forge, 200), SIGNING, contradiction, "the store ends before the kept checkpoint");
    told(200, root(&forge, 200), AUTHORITY, DamageKind::Signature, "not the one that signed");
}

#[test]
fn a_store_holds_the_entry_of_a_receipt() {
    let forge = Forge::new();
    let bundle = &forge.store().0[&layout::resource(LEDGER, "tile/entries/000")];
    let entry = decode_bundle(bundle).unwrap()[7].try_into().unwrap();
    let receipt = |index: u64, origin: String| Receipt {
        origin,
        ledger_id: genesis().ledger_id,
        index,
        level: Level::Durable,
        entry,
        table_version: record::facet::TABLE_VERSION,
        salt_5: Salt([0; 16]),
        digests: [[0; 32]; 5],
        proof: None,
    };
    let held = |receipt: Receipt| held(&forge, receipt.to_json().as_bytes());
    assert_eq!(held(receipt(7, genesis().origin)).damage, []);
    let contradiction = DamageKind::Contradiction;
    only(&held(receipt(8, genesis().origin)), contradiction, "another entry than the kept receipt");
    only(&held(receipt(900, genesis().origin)), contradiction, "is not in the store");
    let other = "ledgerstone.example/other".to_owned();
    only(&held(receipt(7, other)), contradiction, "no ledger of the origin that was kept");
}

#[test]
fn a_key_from_outside_is_that_of_a_ledger() {
    let (data, keys) = Forge::new().store();
    let with = |vkey: &str| verify_with(&data, Some(&keys), Some(&VerifierKey::parse(vkey).unwrap()));
    assert_eq!(with(&genesis().log_vkey).ledgers[0].anchor, Anchor::Key);
    let wrong = with(&genesis().authority_vkey);
    only(&wrong, DamageKind::Signature, "no ledger of this store is signed by the key that was given");
}
