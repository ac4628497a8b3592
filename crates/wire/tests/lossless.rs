//! Whatever a record says is in some facet, in whatever place and of whatever type, and no input makes a mapping panic.

mod common;

use common::{aks, example, facets, gke, records};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use serde_json::{Value, json};
use wire::{Format, Mapped, map};

const FILES: [(&str, Format); 3] = [
    ("cloudtrail.json", Format::CloudTrail),
    ("kubernetes-audit.ndjson", Format::KubernetesAudit),
    ("native.ndjson", Format::Native),
];

const MARK: &str = "kilroy-was-here";

/// Puts a mark in the place of every value of every example in turn, as a text, in an array and in an object, and adds
/// it to every object; then looks for it.
#[test]
fn a_mark_put_anywhere_is_found_again() {
    let mut tried = 0;
    let wrapped = [aks(), gke()].map(|record| (record.to_string().into_bytes(), Format::KubernetesAudit));
    let plain = FILES
        .into_iter()
        .flat_map(|(file, format)| records(&example(file)).into_iter().map(move |record| (record, format)));
    for (record, format) in plain.chain(wrapped) {
        let record: Value = serde_json::from_slice(&record).expect("an example is json");
        for place in places(&record) {
            for mark in [json!(MARK), json!([MARK]), json!({ "mark": MARK }), json!([{ "mark": [1, MARK] }])]
            {
                let mut marked = record.clone();
                *marked.pointer_mut(&place).expect("the place is there") = mark.clone();
                look(&marked, format, &place);
                if let Some(object) = marked.pointer_mut(parent(&place)).and_then(Value::as_object_mut) {
                    object.insert("added".to_owned(), mark);
                    *marked.pointer_mut(&place).expect("the place is there") = Value::Null;
                    look(&marked, format, &place);
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 4_000, "only {tried} places");
}

#[track_caller]
fn look(record: &Value, format: Format, place: &str) {
    match map(record.to_string().as_bytes(), Some(format)) {
        Mapped::Event { draft, .. } => {
            let found = facets(&draft).iter().any(|facet| String::from_utf8_lossy(facet).contains(MARK));
            assert!(found, "{place} is lost in {record}");
        }
        // Then the raw bytes are all there is, and they are kept.
        Mapped::Quarantine { reason, .. } => {
            let telling = [
                "/kind",
                "/eventVersion",
                "/category",
                "/properties",
                "/properties/log",
                "/protoPayload",
                "/protoPayload/methodName",
                "/protoPayload/serviceName",
            ];
            assert!(telling.contains(&place), "{place}: {reason}");
        }
    }
}

/// JSON pointers to all values below the root.
fn places(value: &Value) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(object) => {
            object.iter().map(|(key, child)| (key.replace('~', "~0").replace('/', "~1"), child)).collect()
        }
        Value::Array(array) => {
            array.iter().enumerate().map(|(index, child)| (index.to_string(), child)).collect()
        }
        _ => Vec::new(),
    };
    let below = |(key, child): (String, &Value)| {
        let deeper: Vec<String> = places(child).into_iter().map(|place| format!("/{key}{place}")).collect();
        std::iter::once(format!("/{key}")).chain(deeper)
    };
    children.into_iter().flat_map(below).collect()
}

fn parent(place: &str) -> &str {
    place.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// As for the properties of the crate: always the same inputs unless asked otherwise.
fn cases(count: u32) -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = count;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(0x1ed6_e757);
    }
    config
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn arbitrary_bytes_never_panic(raw in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in formats() {
            check_mapped(&raw, format);
        }
    }

    /// Records with some bytes changed reach further than noise does.
    #[test]
    fn damaged_records_never_panic(
        file in 0usize..3,
        index in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let records = records(&example(FILES[file].0));
        let mut raw = index.get(&records).clone();
        for (place, byte) in changes {
            let place = place.index(raw.len());
            raw[place] = byte;
        }
        if cut {
            raw.truncate(end.index(raw.len()));
        }
        for format in formats() {
            check_mapped(&raw, format);
        }
    }
}

fn formats() -> impl Iterator<Item = Option<Format>> {
    Format::ALL.into_iter().map(Some).chain([None])
}

/// Whatever comes out is canonical, and a reason is in the quarantine record as well.
fn check_mapped(raw: &[u8], format: Option<Format>) {
    match map(raw, format) {
        Mapped::Event { draft, .. } => drop(facets(&draft)),
        Mapped::Quarantine { draft, reason } => {
            let content: Value = serde_json::from_slice(&facets(&draft)[3]).expect("a facet is json");
            assert_eq!(content["quarantine"]["reason"], reason.as_str());
        }
    }
}
