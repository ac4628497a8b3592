//! Goal: the campaign's checker finds each kind of loss; a check that cannot fail proves nothing.
//! Method: a ledger in memory that answers like the server, and can be made to lie.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use record::commit::{Seed, commitment, salts};
use record::entry::{Entry, Kind};
use record::facet::TABLE_VERSION;
use record::receipt::{Level, Receipt};
use record::stored::{Opening, digests};
use serde_json::json;
use tlog::{Checkpoint, Frontier, Origin, SigningKey, leaf_hash, sign_checkpoint};

use super::super::clients::Kept;
use super::{Answers, Memory};
use crate::program::Response;

const ORIGIN: &str = "example.com/log";

#[derive(Clone)]
struct Fake {
    seed: u8,
    /// Entry and raw bytes of each record.
    records: Vec<([u8; 58], String)>,
    /// How many of them the checkpoint covers.
    signed: usize,
}

impl Fake {
    fn new(events: u64) -> Self {
        let mut fake = Self { seed: 7, records: Vec::new(), signed: 0 };
        (0..events).for_each(|n| fake.append(&format!("event {n}")));
        fake.signed = fake.records.len();
        fake
    }

    fn append(&mut self, message: &str) {
        let raw = json!({ "message": message }).to_string();
        let sequence = self.records.len() as u64 + 1;
        let (_, commitment) = commit(&raw);
        let kind = Kind::Event;
        let entry = Entry { kind, received_ms: 5, source: 1, epoch: 1, sequence, commitment }.encode();
        self.records.push((entry, raw));
    }

    fn key(&self) -> SigningKey {
        SigningKey::from_seed(ORIGIN, [self.seed; 32]).unwrap()
    }

    fn checkpoint(&self) -> String {
        let frontier: Frontier =
            self.records[..self.signed].iter().map(|(entry, _)| leaf_hash(entry)).collect();
        let origin = Origin::new(ORIGIN).unwrap();
        let checkpoint = Checkpoint { origin, size: frontier.size(), root: frontier.root() };
        sign_checkpoint(&checkpoint, &self.key())
    }

    fn receipt(&self, index: usize, level: Level) -> Kept {
        let (entry, raw) = self.records[index].clone();
        let receipt = Receipt {
            origin: ORIGIN.to_owned(),
            ledger_id: [1; 32],
            index: index as u64,
            level,
            entry,
            table_version: TABLE_VERSION,
            salt_5: salts(&Seed([2; 16]))[5].clone(),
            digests: commit(&raw).0[..5].try_into().unwrap(),
            proof: None,
        };
        Kept { receipt, raw }
    }
}

impl Answers for Fake {
    fn get(&self, path: &str) -> Result<Response, String> {
        let body = match path.split_once("from=") {
            None if path.ends_with("/checkpoint") => self.checkpoint(),
            None => {
                let vkey = self.key().verifying_key().to_string();
                json!({"ledgers": [{"origin": ORIGIN, "vkey": vkey, "prefix": "/log"}]}).to_string()
            }
            Some((_, from)) => {
                let from: usize = from.parse().unwrap();
                let line = |(at, (entry, raw)): (usize, &([u8; 58], String))| {
                    let facets = ["", "", "", "", "", raw].map(|facet| STANDARD.encode(facet));
                    let entry = STANDARD.encode(entry);
                    json!({"index": at.to_string(), "entry": entry, "facets": facets}).to_string() + "\n"
                };
                self.records.iter().enumerate().skip(from).map(line).collect()
            }
        };
        Ok(Response { status: 200, body: body.into_bytes() })
    }
}

fn commit(raw: &str) -> ([[u8; 32]; 6], [u8; 32]) {
    let facets: [&[u8]; 6] = [b"{}", b"{}", b"{}", b"{}", b"{}", raw.as_bytes()];
    let digests = digests(&Opening::Seed(Seed([2; 16])), &facets).unwrap();
    (digests, commitment(&[1; 32], TABLE_VERSION, &digests))
}

/// A memory of five events with receipts for the last three, all checked once.
fn remembered(fake: &Fake) -> Memory {
    let mut memory = Memory::default();
    memory.check(fake, false).unwrap();
    let kept = (2..5).map(|index| fake.receipt(index, Level::Committed)).collect();
    memory.remember(kept, vec![fake.checkpoint()]).unwrap();
    memory.check(fake, false).unwrap();
    memory
}

#[test]
fn a_ledger_that_grows_is_as_it_was() {
    let mut fake = Fake::new(5);
    let mut memory = remembered(&fake);
    fake.append("more");
    memory.check(&fake, true).unwrap();
    fake.signed = 6;
    memory.check(&fake, true).unwrap();
    assert_eq!(memory.to_string(), "3 receipts, 6 entries, 2 checkpoints");
}

/// Says that after this lie the check fails with these words.
#[track_caller]
fn finds(lie: impl Fn(&mut Fake), words: &str) {
    let mut fake = Fake::new(5);
    let mut memory = remembered(&fake);
    lie(&mut fake);
    let why = memory.check(&fake, true).expect_err(words);
    assert!(why.contains(words), "{why}");
}

#[test]
fn every_kind_of_loss_is_found() {
    finds(|fake| fake.seed = 8, "another key");
    finds(|fake| fake.signed = 4, "5 were promised");
    finds(|fake| fake.records[1].0[20] ^= 1, "two checkpoints of size 5");
    let grow = |fake: &mut Fake| {
        fake.append("more");
        fake.signed = 6;
    };
    finds(
        |fake| {
            fake.records[1].0[20] ^= 1;
            grow(fake);
        },
        "entry 1 has changed",
    );
    finds(
        |fake| {
            fake.records.swap(3, 4);
            grow(fake);
        },
        "entry 3 has changed",
    );
    finds(|fake| fake.records[4].1 = fake.records[4].1.replace('4', "5"), "record 4 holds other bytes");
    finds(|fake| fake.append("event 1"), "recorded twice: 1 and 5");
    finds(|fake| fake.records[2].1.clear(), "record 2 holds other bytes");
}

#[test]
fn checkpoints_must_be_of_the_entries() {
    let fake = Fake::new(5);
    let mut other = fake.clone();
    other.append("other");
    other.signed = 6;
    let mut memory = remembered(&fake);
    memory.remember(Vec::new(), vec![other.checkpoint()]).unwrap();
    assert!(memory.check(&fake, false).expect_err("a checkpoint ahead").contains("ahead of the entries"));

    let mut grown = fake.clone();
    grown.append("more");
    assert!(memory.check(&grown, false).expect_err("another tree").contains("of another tree"));

    grown.signed = 6;
    let why = memory.remember(Vec::new(), vec![grown.checkpoint()]).expect_err("a split view");
    assert!(why.contains("two checkpoints of size 6"), "{why}");
}

#[test]
fn what_was_promised_must_be_there() {
    let mut fake = Fake::new(5);
    let mut memory = remembered(&fake);
    fake.append("durable");
    memory.remember(vec![fake.receipt(5, Level::Durable)], Vec::new()).unwrap();
    let lost = Fake { records: fake.records[..5].to_vec(), ..fake.clone() };
    assert!(
        memory.check(&lost, false).expect_err("a lost event").contains("entry 5 was promised and is gone")
    );

    let mut twice = fake.receipt(5, Level::Durable);
    twice.raw = "{}".to_owned();
    assert!(memory.remember(vec![twice], Vec::new()).expect_err("two").contains("two receipts for entry 5"));
}
