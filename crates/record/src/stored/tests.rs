use super::*;
use crate::commit::salts;
use crate::entry::Kind;
use crate::facet::split;
use crate::json::parse;
use crate::testing::{cases, text, value};
use proptest::prelude::*;

const LEDGER: [u8; 32] = [0x1D; 32];
const STAMP: Stamp = Stamp { received_ms: 1000, source: 1, epoch: 1, sequence: 7 };

struct Record {
    entry: Entry,
    opening: Opening,
    facets: [Vec<u8>; FACETS],
}

impl Record {
    fn new(event: &str) -> Record {
        let draft = split(&parse(event.as_bytes()).unwrap());
        let mut when = Vec::new();
        draft.when.write_stamped(&STAMP, &mut when);
        let raw = event.as_bytes().to_vec();
        Record::of([when, draft.who, draft.what, draft.content, draft.where_, raw])
    }

    /// A record whose entry commits to these facets, whatever they are.
    fn of(facets: [Vec<u8>; FACETS]) -> Record {
        let opening = Opening::Seed(Seed([5; 16]));
        let mut record = Record { entry: entry([0; 32]), opening, facets };
        record.entry = entry(commitment(&LEDGER, TABLE_VERSION, &record.digests().unwrap()));
        record
    }

    fn slices(&self) -> [&[u8]; FACETS] {
        std::array::from_fn(|at| self.facets[at].as_slice())
    }

    fn digests(&self) -> Result<[[u8; 32]; FACETS], RecordError> {
        digests(&self.opening, &self.slices())
    }

    fn check(&self) -> Result<(), RecordError> {
        check(&self.entry, &LEDGER, &self.opening, &self.slices())
    }

    fn erase(&mut self, erased: &[Facet]) {
        self.opening = self.opening.without(erased, &self.digests().unwrap());
        for facet in Facet::ALL {
            if !self.opening.has(facet) {
                self.facets[facet as usize].clear();
            }
        }
    }
}

fn entry(commitment: [u8; 32]) -> Entry {
    let Stamp { received_ms, source, epoch, sequence } = STAMP;
    Entry { kind: Kind::Event, received_ms, source, epoch, sequence, commitment }
}

const EVENT: &str =
    r#"{"time":5,"actor":{"user":{"uid":"u"}},"message":"hello","src_endpoint":{"ip":"192.0.2.1"}}"#;

#[test]
fn a_record_is_checked_whole_and_in_part() {
    for erased in (0..64u8).map(|mask| Facet::ALL.into_iter().filter(move |&f| mask >> f as u8 & 1 == 1)) {
        let erased: Vec<Facet> = erased.collect();
        let mut record = Record::new(EVENT);
        record.erase(&erased);
        assert_eq!(record.check(), Ok(()), "erased {erased:?}");
        assert_eq!(record.opening.has(Facet::Raw), erased.is_empty(), "raw goes with any other");
        for facet in Facet::ALL {
            assert_eq!(record.opening.salt(facet).is_some(), record.opening.has(facet));
            if facet != Facet::Raw {
                assert_eq!(record.opening.has(facet), !erased.contains(&facet));
            }
        }
    }
}

#[test]
fn erasing_twice_is_erasing_both() {
    let mut record = Record::new(EVENT);
    record.erase(&[Facet::Who]);
    record.erase(&[Facet::Content]);
    assert_eq!(record.check(), Ok(()));
    assert!(!record.opening.has(Facet::Who) && !record.opening.has(Facet::Content));
    assert!(record.opening.has(Facet::Where) && matches!(record.opening, Opening::Partial(_)));
}

/// The form of an event whose agent chose the salt of its raw bytes.
#[test]
fn six_salts_are_as_good_as_a_seed() {
    let mut record = Record::new(EVENT);
    record.opening = Opening::Partial(salts(&Seed([5; 16])).map(Known::Salt));
    assert_eq!(record.check(), Ok(()));
}

#[test]
fn bytes_of_an_erased_facet_are_refused() {
    let mut record = Record::new(EVENT);
    record.erase(&[Facet::Who]);
    record.facets[1] = b"{}".to_vec();
    assert_eq!(record.check(), Err(RecordError::Unopened(Facet::Who)));
}

#[test]
fn every_changed_bit_is_found() {
    for erased in [&[][..], &[Facet::Who]] {
        let mut record = Record::new(EVENT);
        record.erase(erased);
        for facet in 0..FACETS {
            for at in 0..record.facets[facet].len() {
                record.facets[facet][at] ^= 1;
                assert_eq!(record.check(), Err(RecordError::Commitment), "facet {facet}, byte {at}");
                record.facets[facet][at] ^= 1;
            }
        }
        assert_eq!(record.check(), Ok(()));
        assert_eq!(
            check(&record.entry, &[0; 32], &record.opening, &record.slices()),
            Err(RecordError::Commitment)
        );
    }
    let mut record = Record::new(EVENT);
    record.opening = Opening::Seed(Seed([6; 16]));
    assert_eq!(record.check(), Err(RecordError::Commitment));
}

/// What a ledger should never have written, although the commitment is right.
#[test]
fn well_committed_nonsense_is_refused() {
    let stamped = Record::new(EVENT).facets;
    let with = |facet: usize, bytes: &[u8]| {
        let mut facets = stamped.clone();
        facets[facet] = bytes.to_vec();
        Record::of(facets).check()
    };
    assert!(matches!(with(1, b"{ }"), Err(RecordError::NotCanonical(Facet::Who, _))));
    assert!(matches!(with(2, b"{\"a\":1,\"a\":1}"), Err(RecordError::NotCanonical(Facet::What, _))));
    assert!(matches!(with(3, b""), Err(RecordError::NotCanonical(Facet::Content, _))));
    assert_eq!(with(4, b"[]"), Err(RecordError::NotAnObject(Facet::Where)));
    assert_eq!(with(0, b"{}"), Err(RecordError::Stamp));
    assert_eq!(with(5, b""), Ok(()), "raw may be anything");
    for change in ["received_ms", "source", "epoch", "sequence"] {
        let mut record = Record::new(EVENT);
        match change {
            "received_ms" => record.entry.received_ms += 1,
            "source" => record.entry.source += 1,
            "epoch" => record.entry.epoch += 1,
            _ => record.entry.sequence += 1,
        }
        assert_eq!(record.check(), Err(RecordError::Stamp), "{change}");
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn any_event_makes_a_record_that_checks(event in value(text().boxed())) {
        let mut out = Vec::new();
        crate::canonical::write(&event, &mut out);
        prop_assert_eq!(Record::new(std::str::from_utf8(&out).unwrap()).check(), Ok(()));
    }
}
