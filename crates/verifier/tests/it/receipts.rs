//! Receipts against the published vectors: raw bytes, proof, both (docs/vectors/README.md, section 6).

use std::path::Path;

use record::json::{self, Value};
use tlog::note::VerifierKey;
use verifier::{Verdict, verify_receipt};

struct Case {
    name: String,
    receipt: String,
    raw: Vec<u8>,
    key: VerifierKey,
    /// Verdicts on raw bytes and proof; `None` if the receipt is none.
    expected: Option<(Verdict, Verdict)>,
}

fn cases() -> Vec<Case> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/vectors/record/receipts.json");
    let text = std::fs::read(file).unwrap();
    let parsed = json::parse(&text).unwrap();
    let case = |row: &Value<'_>| {
        let text = |name: &str| row.path(&[name]).unwrap().str().unwrap().to_owned();
        let verdict = |name: &str| match text(name).as_str() {
            "proven" => Verdict::Proven,
            "disproven" => Verdict::Disproven,
            "undecidable" => Verdict::Undecidable,
            other => panic!("{other}"),
        };
        let well_formed = matches!(row.path(&["well_formed"]), Some(Value::Bool(true)));
        Case {
            name: text("name"),
            receipt: text("receipt"),
            raw: unhex(&text("raw")),
            key: VerifierKey::parse(&text("vkey")).unwrap(),
            expected: well_formed.then(|| (verdict("raw_verdict"), verdict("proof_verdict"))),
        }
    };
    parsed.as_array().unwrap().iter().map(case).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(pair).collect()
}

#[test]
fn each_part_of_a_receipt_is_judged_by_itself_and_one_that_is_false_is_enough() {
    let cases = cases();
    assert!(cases.len() > 20);
    for Case { name, receipt, raw, key, expected } in &cases {
        let verdict = |raw, key| verify_receipt(receipt.as_bytes(), raw, key).verdict();
        let (raw, key) = (Some(raw.as_slice()), Some(key));
        let Some((by_raw, by_proof)) = *expected else {
            assert_eq!(verdict(raw, key), Verdict::Disproven, "{name}: no receipt");
            continue;
        };
        assert_eq!(verdict(None, None), Verdict::Undecidable, "{name}: with nothing");
        assert_eq!(verdict(raw, None), by_raw, "{name}: raw bytes");
        assert_eq!(verdict(None, key), by_proof, "{name}: proof");
        let both = match (by_raw, by_proof) {
            (Verdict::Disproven, _) | (_, Verdict::Disproven) => Verdict::Disproven,
            // Whoever gives the bytes wants to hear of them, not of the proof alone.
            (Verdict::Undecidable, _) => Verdict::Undecidable,
            _ => Verdict::Proven,
        };
        assert_eq!(verdict(raw, key), both, "{name}: both");
    }
}
