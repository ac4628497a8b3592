//! Receipts with the raw bytes and the verification key that a producer would hold against them.

use crate::{case, hex};
use record::commit::{Seed, commitment, facet_digest, salts};
use record::entry::{Entry, Kind};
use record::facet::{FACETS, Facet, TABLE_VERSION};
use record::json::Object;
use record::receipt::{Level, Receipt, ReceiptError, ReceiptProof};
use tlog::{Checkpoint, Frontier, Hash, Origin, SigningKey, leaf_hash, node_hash, sign_checkpoint};

const ORIGIN: &str = "log.example.org/vectors";
const RAW: &[u8] = "the exact bytes, caf\u{e9}\0\n".as_bytes();

pub fn cases() -> Vec<Object<'static>> {
    let durable = Receipt { proof: None, level: Level::Durable, ..receipt() };
    let mut cases = vec![receipt_case("durable", &durable, RAW), receipt_case("committed", &receipt(), RAW)];
    cases.push(receipt_case("other raw bytes", &receipt(), b"the exact bytes"));
    cases.push(receipt_case("no raw bytes", &receipt(), b""));
    let mut forge = |name: &str, change: fn(&mut Receipt)| {
        let mut receipt = receipt();
        change(&mut receipt);
        cases.push(receipt_case(name, &receipt, RAW));
    };
    forge("another ledger id", |r| r.ledger_id[31] ^= 1);
    forge("another salt", |r| r.salt_5.0[0] ^= 1);
    forge("another digest", |r| r.digests[0][0] ^= 1);
    forge("another commitment", |r| r.entry[57] ^= 1);
    forge("another time", |r| r.entry[9] ^= 1);
    forge("later table", |r| r.table_version = 2);
    forge("later version of entries", |r| r.entry[0] = 2);
    forge("later kind", |r| r.entry[1] = 12);
    forge("another index", |r| r.index = 3);
    forge("index beyond the tree", |r| r.index = u64::MAX);
    forge("another origin", |r| r.origin = "log.example.org/other".into());
    forge("proof too short", |r| hashes(r).truncate(2));
    forge("proof too long", |r| {
        let last = hashes(r)[0];
        hashes(r).push(last);
    });
    forge("proof of something else", |r| hashes(r).swap(0, 1));
    forge("changed checkpoint", |r| {
        if let Some(proof) = &mut r.proof {
            proof.checkpoint = proof.checkpoint.replacen("\n5\n", "\n6\n", 1);
        }
    });
    forge("signed by another key", |r| {
        if let Some(proof) = &mut r.proof {
            proof.checkpoint = tree().1;
            let key = SigningKey::from_seed(ORIGIN, [9; 32]).expect("a key");
            let text =
                proof.checkpoint.split_once("\n\n").map(|(text, _)| text.to_owned()).unwrap_or_default();
            proof.checkpoint = format!("{text}\n\n{}\n", key.sign(&format!("{text}\n")));
        }
    });
    for (name, from, to) in [
        ("unknown member", "{", r#"{"extra":1,"#),
        ("index as a number", r#""index":"2""#, r#""index":2"#),
        ("index with a leading zero", r#""index":"2""#, r#""index":"02""#),
        ("level that is none", "committed", "certain"),
        ("base64 without padding", "==\"", "\""),
        ("later type", "receipt/v1", "receipt/v2"),
        ("repeated member", "{", r#"{"level":"durable","#),
        ("proof without checkpoint", "checkpoint", "checkpoin"),
        ("whitespace is fine", "{", "{ "),
    ] {
        let json = receipt().to_json();
        assert!(json.contains(from), "{from}");
        cases.push(json_case(name, &json.replacen(from, to, 1), RAW));
    }
    cases
}

fn receipt_case(name: &str, receipt: &Receipt, raw: &[u8]) -> Object<'static> {
    json_case(name, &receipt.to_json(), raw)
}

fn json_case(name: &str, json: &str, raw: &[u8]) -> Object<'static> {
    let key = key();
    let vkey = key.verifying_key();
    let mut case = case(name);
    case.push("receipt", json.to_owned());
    case.push("raw", hex(raw));
    case.push("vkey", vkey.to_string());
    match Receipt::parse(json.as_bytes()) {
        Err(_) => case.push("well_formed", false),
        Ok(receipt) => {
            case.push("well_formed", true);
            case.push("leaf", hex(receipt.leaf_hash().as_bytes()));
            case.push("raw_verdict", verdict(receipt.check_raw(raw)));
            case.push("proof_verdict", verdict(receipt.check_proof(vkey).map(drop)));
        }
    }
    case
}

fn verdict(result: Result<(), ReceiptError>) -> &'static str {
    match result {
        Ok(()) => "proven",
        Err(ReceiptError::RawMismatch | ReceiptError::Checkpoint(_) | ReceiptError::Inclusion(_)) => {
            "disproven"
        }
        Err(_) => "undecidable",
    }
}

fn key() -> SigningKey {
    SigningKey::from_seed(ORIGIN, [1; 32]).expect("a key")
}

fn receipt() -> Receipt {
    let (entry, checkpoint, hashes) = tree();
    let (salts, digests) = opening();
    Receipt {
        origin: ORIGIN.to_owned(),
        ledger_id: [0x1D; 32],
        index: 2,
        level: Level::Committed,
        entry: entry.encode(),
        table_version: TABLE_VERSION,
        salt_5: salts[5].clone(),
        digests: std::array::from_fn(|at| digests[at]),
        proof: Some(ReceiptProof { checkpoint, hashes }),
    }
}

fn opening() -> ([record::commit::Salt; FACETS], [[u8; 32]; FACETS]) {
    let salts = salts(&Seed([3; 16]));
    let facets: [&[u8]; FACETS] = [b"{}", b"{\"actor\":1}", b"{}", b"{}", b"{}", RAW];
    let digests = Facet::ALL.map(|facet| facet_digest(facet, &salts[facet as usize], facets[facet as usize]));
    (salts, digests)
}

/// Entry 2 of a tree of five, its checkpoint and its proof: ((0 1) (2 3)) 4.
fn tree() -> (Entry, String, Vec<Hash>) {
    let commitment = commitment(&[0x1D; 32], TABLE_VERSION, &opening().1);
    let entry = Entry { kind: Kind::Event, received_ms: 5, source: 1, epoch: 1, sequence: 1, commitment };
    let leaves = [leaf_hash(b"0"), leaf_hash(b"1"), entry.leaf_hash(), leaf_hash(b"3"), leaf_hash(b"4")];
    let mut tree = Frontier::new();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    let origin = Origin::new(ORIGIN).expect("an origin");
    let checkpoint = sign_checkpoint(&Checkpoint { origin, size: 5, root: tree.root() }, &key());
    (entry, checkpoint, vec![leaves[3], node_hash(&leaves[0], &leaves[1]), leaves[4]])
}

fn hashes(receipt: &mut Receipt) -> &mut Vec<Hash> {
    &mut receipt.proof.as_mut().expect("the receipt has a proof").hashes
}
