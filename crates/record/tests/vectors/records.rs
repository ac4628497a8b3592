//! Whole records: seed and facets to salts, digests, commitment, entry and leaf; and their stored forms.

use crate::splits::{EVENTS, STAMP, facets};
use crate::{case, hex, hexes, text};
use record::commit::{Salt, Seed, commitment, facet_digest, salts};
use record::control::{
    Clock, Cut, Gap, GapCause, Genesis, Heartbeat, Numbering, Sealed, SealedClass, SourceRecord,
};
use record::entry::{Entry, EntryError, Kind};
use record::facet::{FACETS, Facet, FacetDraft, TABLE_VERSION, table_hash};
use record::json::{Object, Value};
use record::stored::{self, Known, Opening};
use tlog::{Checkpoint, Origin, SigningKey, leaf_hash, sign_checkpoint};

const LEDGER_ID: [u8; 32] = *b"vectors of ledgerstone, ledger 1";

struct Record {
    name: String,
    kind: Kind,
    seed: Seed,
    facets: [Vec<u8>; FACETS],
}

pub fn cases() -> Vec<Object<'static>> {
    records().iter().enumerate().map(|(number, record)| record.case(number)).collect()
}

fn records() -> Vec<Record> {
    let mut records = Vec::new();
    for (number, (name, event)) in EVENTS.iter().enumerate() {
        let [when, who, what, content, where_] = facets(event);
        let raw = if number % 2 == 0 { event.as_bytes().to_vec() } else { Vec::new() };
        let name = format!("event: {name}{}", if raw.is_empty() { ", empty raw" } else { "" });
        records.push(Record::new(name, Kind::Event, [when, who, what, content, where_, raw]));
    }
    let quarantined: Vec<u8> = (0..=255).collect();
    records.push(Record::made(Kind::Quarantine, "every byte", FacetDraft::default(), quarantined));
    for (kind, name, draft) in controls() {
        records.push(Record::made(kind, name, draft, Vec::new()));
    }
    for kind in [Kind::BatchSignature, Kind::Erase, Kind::Key, Kind::Access] {
        records.push(Record::made(kind, "nothing but a stamp", FacetDraft::default(), Vec::new()));
    }
    records
}

impl Record {
    fn new(name: String, kind: Kind, facets: [Vec<u8>; FACETS]) -> Record {
        let mut seed = [0xA0; 16];
        for (seed, byte) in seed.iter_mut().zip(name.bytes()) {
            *seed ^= byte;
        }
        Record { name, kind, seed: Seed(seed), facets }
    }

    fn made(kind: Kind, name: &str, draft: FacetDraft, raw: Vec<u8>) -> Record {
        let mut when = Vec::new();
        draft.when.write_stamped(&STAMP, &mut when);
        let facets = [when, draft.who, draft.what, draft.content, draft.where_, raw];
        Record::new(format!("{kind:?}: {name}").to_lowercase(), kind, facets)
    }

    fn slices(&self) -> [&[u8]; FACETS] {
        std::array::from_fn(|at| self.facets[at].as_slice())
    }

    fn digests(&self) -> [[u8; 32]; FACETS] {
        let salts = salts(&self.seed);
        Facet::ALL.map(|facet| facet_digest(facet, &salts[facet as usize], &self.facets[facet as usize]))
    }

    fn entry(&self) -> Entry {
        Entry {
            kind: self.kind,
            received_ms: STAMP.received_ms,
            source: STAMP.source,
            epoch: STAMP.epoch,
            sequence: STAMP.sequence,
            commitment: commitment(&LEDGER_ID, TABLE_VERSION, &self.digests()),
        }
    }

    fn case(&self, number: usize) -> Object<'static> {
        let (entry, digests) = (self.entry(), self.digests());
        let opening = Opening::Seed(self.seed.clone());
        stored::check(&entry, &LEDGER_ID, &opening, &self.slices()).expect("records check");
        let mut case = case(&format!("{number} {}", self.name));
        case.push("ledger_id", hex(&LEDGER_ID));
        case.push("table_version", u32::from(TABLE_VERSION));
        case.push("seed", hex(&self.seed.0));
        case.push("facets", json_facets(&self.facets));
        case.push("raw", hex(&self.facets[5]));
        case.push("salts", hexes(salts(&self.seed).iter().map(|salt| salt.0.as_slice())));
        case.push("digests", hexes(digests.iter().map(|digest| digest.as_slice())));
        case.push("commitment", hex(&entry.commitment));
        case.push("kind", entry.kind as u32);
        case.push("received", entry.received_ms);
        case.push("source", entry.source);
        case.push("epoch", entry.epoch);
        case.push("sequence", entry.sequence.to_string());
        case.push("entry", hex(&entry.encode()));
        case.push("leaf", hex(entry.leaf_hash().as_bytes()));
        case
    }
}

fn json_facets(facets: &[Vec<u8>; FACETS]) -> Value<'static> {
    Value::Array(facets[..5].iter().map(|facet| Value::from(text(facet))).collect())
}

/// The last checkpoint of another ledger, for a genesis that continues it.
fn predecessor() -> String {
    let old = SigningKey::from_seed("log.example.org/old", [9; 32]).expect("a good name");
    let origin = Origin::new(old.name()).expect("a good origin");
    sign_checkpoint(&Checkpoint { origin, size: 640, root: leaf_hash(b"the old one") }, &old)
}

fn controls() -> Vec<(Kind, &'static str, FacetDraft)> {
    let genesis = Genesis {
        ledger_id: LEDGER_ID,
        origin: "log.example.org/vectors".into(),
        log_vkey: "log.example.org/vectors+00000000+AAAA".into(),
        authority_vkey: "authority.example.org+00000000+AAAA".into(),
        table_version: TABLE_VERSION,
        table_hash: table_hash(),
        predecessor: None,
        created_ms: 1_767_225_600_000,
    };
    let heir = Genesis { predecessor: Some(predecessor()), ..genesis.clone() };
    let downtime = Gap {
        cause: GapCause::Downtime,
        source: None,
        epoch: None,
        from_sequence: None,
        to_sequence: None,
        from_ms: Some(1_767_225_600_000),
        to_ms: Some(1_767_225_660_000),
        clean: Some(false),
        detail: "the ledger was not running".into(),
    };
    let sequence = Gap {
        cause: GapCause::Sequence,
        source: Some(u32::MAX),
        epoch: Some(1),
        from_sequence: Some(1 << 53),
        to_sequence: Some(u64::MAX),
        from_ms: None,
        to_ms: None,
        clean: None,
        detail: "numbers do not continue".into(),
    };
    let suspended = Gap { cause: GapCause::Suspended, to_ms: None, clean: None, ..downtime.clone() };
    let source =
        SourceRecord { source: 1, epoch: 1, numbering: Numbering::Server, previous_last_sequence: None };
    let next = SourceRecord {
        epoch: 2,
        numbering: Numbering::Source,
        previous_last_sequence: Some(u64::MAX),
        ..source.clone()
    };
    let sealed = Sealed {
        file: "segments/00000000/000.0.events".into(),
        class: SealedClass::Events,
        generation: 0,
        first: 0,
        end: 256,
        length: 70_001,
        sha256: [0x5E; 32],
        supersedes: None,
    };
    let again = Sealed { class: SealedClass::Control, generation: 1, supersedes: Some(0), ..sealed.clone() };
    let cut = Cut { file: "wal/7".into(), offset: 4096, length: 17, sha256: [0xC7; 32] };
    let clock = Clock { expected_ms: 1_767_225_600_000, wall_ms: 1_767_229_200_000 };
    vec![
        (Kind::Genesis, "first of its line", genesis.to_draft()),
        (Kind::Genesis, "with a predecessor", heir.to_draft()),
        (Kind::Gap, "downtime", downtime.to_draft()),
        (Kind::Gap, "suspended", suspended.to_draft()),
        (Kind::Gap, "sequence", sequence.to_draft()),
        (Kind::Heartbeat, "size", Heartbeat { size: u64::MAX, system: None }.to_draft()),
        (Kind::Source, "new", source.to_draft()),
        (Kind::Source, "next epoch", next.to_draft()),
        (Kind::Sealed, "events", sealed.to_draft()),
        (Kind::Sealed, "control, again", again.to_draft()),
        (Kind::Cut, "torn tail", cut.to_draft()),
        (Kind::Cut, "clock", clock.to_draft()),
    ]
}

/// The first event in every stored form worth telling apart, and forms that must be refused.
pub fn openings() -> Vec<Object<'static>> {
    let records = records();
    let record = &records[0];
    let (entry, digests) = (record.entry(), record.digests());
    let seed = Opening::Seed(record.seed.clone());
    let mut cases = vec![opening_case("seed", &entry, &seed, &record.facets)];
    let salts = Opening::Partial(salts(&record.seed).map(Known::Salt));
    cases.push(opening_case("six salts", &entry, &salts, &record.facets));
    for erased in [
        &[Facet::Raw][..],
        &[Facet::When],
        &[Facet::Who],
        &[Facet::Content, Facet::Where],
        &[Facet::When, Facet::Who, Facet::What, Facet::Content, Facet::Where],
    ] {
        let opening = seed.without(erased, &digests);
        let facets = std::array::from_fn(|at| match opening.has(Facet::ALL[at]) {
            true => record.facets[at].clone(),
            false => Vec::new(),
        });
        let names: Vec<_> = erased.iter().map(|facet| facet.name()).collect();
        cases.push(opening_case(&format!("erased: {}", names.join(" ")), &entry, &opening, &facets));
        if erased == [Facet::Who] {
            let mut forged = facets.clone();
            forged[1] = b"{}".to_vec();
            cases.push(opening_case("erased facet with bytes", &entry, &opening, &forged));
            forged[1].clear();
            forged[2] = b"{}".to_vec();
            cases.push(opening_case("surviving facet changed", &entry, &opening, &forged));
        }
    }
    let wrong = Opening::Seed(Seed([0; 16]));
    cases.push(opening_case("another seed", &entry, &wrong, &record.facets));
    let later = Entry { sequence: 0, ..entry };
    cases.push(opening_case("another sequence in the entry", &later, &seed, &record.facets));
    for (name, facet, bytes) in [
        ("committed with whitespace", 1, &b"{ }"[..]),
        ("committed with a repeated key", 2, b"{\"a\":1,\"a\":2}"),
        ("committed as an array", 3, b"[]"),
        ("committed without a stamp", 0, b"{}"),
    ] {
        let mut facets = record.facets.clone();
        facets[facet] = bytes.to_vec();
        let record = Record::new(record.name.clone(), record.kind, facets);
        cases.push(opening_case(name, &record.entry(), &seed, &record.facets));
    }
    cases
}

fn opening_case(name: &str, entry: &Entry, opening: &Opening, facets: &[Vec<u8>; FACETS]) -> Object<'static> {
    let slices: [&[u8]; FACETS] = std::array::from_fn(|at| facets[at].as_slice());
    let mut case = case(name);
    case.push("ledger_id", hex(&LEDGER_ID));
    case.push("table_version", u32::from(TABLE_VERSION));
    case.push("entry", hex(&entry.encode()));
    match opening {
        Opening::Seed(seed) => case.push("seed", hex(&seed.0)),
        Opening::Partial(known) => case.push("known", Value::Array(known.iter().map(known_value).collect())),
    }
    case.push("facets", json_facets(facets));
    case.push("raw", hex(&facets[5]));
    if let Ok(digests) = stored::digests(opening, &slices) {
        case.push("digests", hexes(digests.iter().map(|digest| digest.as_slice())));
    }
    case.push("valid", stored::check(entry, &LEDGER_ID, opening, &slices).is_ok());
    case
}

fn known_value(known: &Known) -> Value<'static> {
    Value::Object(Object::from_iter([match known {
        Known::Salt(Salt(salt)) => ("salt", hex(salt)),
        Known::Digest(digest) => ("digest", hex(digest)),
    }]))
}

/// Bytes that are no entry of this version, with the verdict a verifier must give.
pub fn entries() -> Vec<Object<'static>> {
    let good = records()[0].entry().encode();
    let with = |at: usize, byte: u8| {
        let mut bytes = good.to_vec();
        bytes[at] = byte;
        bytes
    };
    let cases = [
        ("good", good.to_vec()),
        ("one byte short", good[..57].to_vec()),
        ("one byte long", [&good[..], &[0]].concat()),
        ("empty", Vec::new()),
        ("version 0", with(0, 0)),
        ("version 2", with(0, 2)),
        ("version 2 of another length", with(0, 2)[..20].to_vec()),
        ("kind 11", with(1, 11)),
        ("kind 12", with(1, 12)),
        ("kind 255", with(1, 255)),
    ];
    let verdict = |bytes: &[u8]| match Entry::decode(bytes) {
        Ok(_) => "entry",
        Err(EntryError::Undecidable { .. }) => "undecidable",
        Err(EntryError::Length(_)) => "damaged",
    };
    let case = |(name, bytes): (&str, Vec<u8>)| {
        let mut case = case(name);
        case.push("entry", hex(&bytes));
        case.push("verdict", verdict(&bytes));
        case
    };
    cases.into_iter().map(case).collect()
}
