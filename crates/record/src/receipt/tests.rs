use super::*;
use crate::commit::{Seed, facet_digest, salts};
use crate::entry::Kind;
use crate::testing::cases;
use proptest::prelude::*;
use tlog::{Checkpoint, Frontier, Origin, SigningKey, node_hash, sign_checkpoint};

const ORIGIN: &str = "log.example.org/receipts";
const RAW: &[u8] = b"the exact bytes";

fn key() -> SigningKey {
    SigningKey::from_seed(ORIGIN, [1; 32]).unwrap()
}

/// A receipt for entry 1 of a ledger with two entries.
fn receipt() -> Receipt {
    let salts = salts(&Seed([3; 16]));
    let facets: [&[u8]; FACETS] = [b"{}", b"{}", b"{}", b"{}", b"{}", RAW];
    let digests = Facet::ALL.map(|facet| facet_digest(facet, &salts[facet as usize], facets[facet as usize]));
    let commitment = commitment(&[8; 32], TABLE_VERSION, &digests);
    let entry = Entry { kind: Kind::Event, received_ms: 5, source: 1, epoch: 1, sequence: 1, commitment };
    let (first, second) = (tlog::leaf_hash(b"genesis"), entry.leaf_hash());
    let mut tree = Frontier::new();
    tree.push(first);
    tree.push(second);
    assert_eq!(tree.root(), node_hash(&first, &second));
    let checkpoint = Checkpoint { origin: Origin::new(ORIGIN).unwrap(), size: 2, root: tree.root() };
    Receipt {
        origin: ORIGIN.to_owned(),
        ledger_id: [8; 32],
        index: 1,
        level: Level::Committed,
        entry: entry.encode(),
        table_version: TABLE_VERSION,
        salt_5: salts[5].clone(),
        digests: std::array::from_fn(|at| digests[at]),
        proof: Some(ReceiptProof { checkpoint: sign_checkpoint(&checkpoint, &key()), hashes: vec![first] }),
    }
}

#[test]
fn the_producer_recomputes_its_entry() {
    let receipt = receipt();
    assert_eq!(receipt.check_raw(RAW), Ok(()));
    assert_eq!(receipt.check_raw(b"the exact byteS"), Err(ReceiptError::RawMismatch));
    assert_eq!(receipt.check_raw(b""), Err(ReceiptError::RawMismatch));
    let checkpoint = receipt.check_proof(key().verifying_key()).unwrap();
    assert_eq!(checkpoint.checkpoint().size, 2);
    let mut hasher = receipt.raw_hasher();
    RAW.chunks(4).for_each(|piece| hasher.update(piece));
    assert_eq!(receipt.check_raw_digest(hasher.finish()), Ok(()));
}

#[test]
fn every_forged_field_is_found() {
    let raw = |change: fn(&mut Receipt)| {
        let mut receipt = receipt();
        change(&mut receipt);
        receipt.check_raw(RAW).expect_err("forged")
    };
    assert_eq!(raw(|r| r.ledger_id[0] ^= 1), ReceiptError::RawMismatch);
    assert_eq!(raw(|r| r.salt_5.0[0] ^= 1), ReceiptError::RawMismatch);
    assert_eq!(raw(|r| r.digests[4][31] ^= 1), ReceiptError::RawMismatch);
    assert_eq!(raw(|r| r.entry[57] ^= 1), ReceiptError::RawMismatch);
    assert_eq!(raw(|r| r.table_version = 2), ReceiptError::TableVersion(2));
    assert!(matches!(raw(|r| r.entry[0] = 2), ReceiptError::Entry(EntryError::Undecidable { .. })));

    let proof = |change: fn(&mut Receipt)| {
        let mut receipt = receipt();
        change(&mut receipt);
        receipt.check_proof(key().verifying_key()).expect_err("forged")
    };
    assert_eq!(proof(|r| r.proof = None), ReceiptError::NoProof);
    assert!(matches!(proof(|r| r.origin.push('x')), ReceiptError::Checkpoint(_)));
    assert!(matches!(proof(|r| r.index = 0), ReceiptError::Inclusion(_)));
    assert!(matches!(proof(|r| r.index = 2), ReceiptError::Inclusion(_)));
    assert!(matches!(proof(|r| r.entry[9] ^= 1), ReceiptError::Inclusion(_)));
    assert!(matches!(proof(|r| hashes(r).clear()), ReceiptError::Inclusion(_)));
    assert!(matches!(proof(|r| hashes(r)[0] = tlog::empty_root()), ReceiptError::Inclusion(_)));
    let other = SigningKey::from_seed(ORIGIN, [2; 32]).unwrap();
    assert!(matches!(receipt().check_proof(other.verifying_key()), Err(ReceiptError::Checkpoint(_))));
}

fn hashes(receipt: &mut Receipt) -> &mut Vec<Hash> {
    &mut receipt.proof.as_mut().unwrap().hashes
}

#[test]
fn a_proof_has_at_most_64_hashes() {
    let with = |count| {
        let mut receipt = receipt();
        hashes(&mut receipt).resize(count, tlog::empty_root());
        Receipt::parse(receipt.to_json().as_bytes())
    };
    assert_eq!(with(64).map(|receipt| receipt.proof.unwrap().hashes.len()), Ok(64));
    assert_eq!(with(65), Err(ReceiptError::Malformed("proof")));
}

#[test]
fn a_receipt_is_read_in_any_layout_and_nothing_else() {
    let receipt = receipt();
    let json = receipt.to_json();
    assert!(canonical::check(json.as_bytes()).is_ok());
    assert_eq!(Receipt::parse(json.as_bytes()), Ok(receipt.clone()));
    let pretty: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        Receipt::parse(serde_json::to_string_pretty(&pretty).unwrap().as_bytes()),
        Ok(receipt.clone())
    );
    let early = Receipt { proof: None, level: Level::Durable, ..receipt };
    assert_eq!(Receipt::parse(early.to_json().as_bytes()), Ok(early.clone()));

    let replace = |from: &str, to: &str| {
        assert!(json.contains(from), "{from}");
        Receipt::parse(json.replacen(from, to, 1).as_bytes()).expect_err(to)
    };
    assert_eq!(replace(r#""index":"1""#, r#""index":1"#), ReceiptError::Malformed("index"));
    let spelling = ReceiptError::Malformed("a member that is unknown or spelt in another way");
    assert_eq!(replace(r#""index":"1""#, r#""index":"01""#), spelling);
    assert_eq!(replace(r#""index":"1""#, r#""index":"+1""#), spelling);
    assert_eq!(replace(r#""index":"1""#, r#""extra":1,"index":"1""#), spelling);
    assert_eq!(replace("0808", "080G"), ReceiptError::Malformed("ledger_id"));
    assert_eq!(replace("committed", "certain"), ReceiptError::Malformed("level"));
    assert_eq!(replace("receipt/v1", "receipt/v2"), ReceiptError::Malformed("type"));
    assert_eq!(
        replace(r#""table_version":1"#, r#""table_version":65536"#),
        ReceiptError::Malformed("table_version")
    );
    assert_eq!(replace(r#""checkpoint":"#, r#""chequepoint":"#), ReceiptError::Malformed("checkpoint"));
    assert_eq!(replace(r#""proof":"#, r#""prove":"#), spelling);
    assert_eq!(replace(r#""digests":["#, r#""digests":[null,"#), ReceiptError::Malformed("digests"));
    assert_eq!(replace(r#""digests":["#, r#""digests":["AA==","#), ReceiptError::Malformed("digests"));
    assert_eq!(replace(r#""entry":"AQ"#, r#""entry":"A-"#), ReceiptError::Malformed("entry"));
    assert!(matches!(replace("{", "{\"index\":\"1\","), ReceiptError::Json(_)));
    let long = [json.as_bytes(), &vec![b' '; MAX_RECEIPT_LEN]].concat();
    assert_eq!(Receipt::parse(&long), Err(ReceiptError::Malformed("longer than a receipt can be")));
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn damaged_receipts_are_refused_or_differ(at in any::<prop::sample::Index>(), byte: u8) {
        let receipt = receipt();
        let mut json = receipt.to_json().into_bytes();
        let at = at.index(json.len());
        let old = std::mem::replace(&mut json[at], byte);
        match Receipt::parse(&json) {
            Ok(read) => prop_assert!((read == receipt) == (old == byte)),
            Err(_) => prop_assert!(old != byte),
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        prop_assert!(Receipt::parse(&bytes).is_err());
    }
}
