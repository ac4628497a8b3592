//! What the property tests of several modules share: values to try, and a second opinion about them.

use crate::json::{Number, Object, Value};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use std::path::PathBuf;

/// Runs a property this often, always on the same inputs; PROPTEST_RNG_SEED and PROPTEST_CASES ask for others.
pub(crate) fn cases(count: u32) -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = count;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(0x1ed6_e757);
    }
    config
}

/// Keys and texts that are likely to be spelt or sorted wrong.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z_]{0,12}",
        2 => any::<String>(),
        1 => "[\"\\\\/\u{0}-\u{1f}\u{7f}\u{80}é\u{20ac}\u{d7ff}\u{e000}\u{fb33}\u{ffff}\u{10000}\u{1f602}]{0,6}",
    ]
}

/// Number tokens of every shape that RFC 8259 allows.
pub(crate) fn number() -> impl Strategy<Value = Number<'static>> {
    let token = prop_oneof![
        3 => any::<i32>().prop_map(|n| n.to_string()),
        1 => any::<u64>().prop_map(|n| n.to_string()),
        1 => (-3i64..4).prop_map(|n| ((1i64 << 53) + n).to_string()),
        2 => any::<f64>().prop_filter("no number", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
        2 => "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?",
        1 => Just("-0".to_owned()),
    ];
    token.prop_map(|token| Number::new(token).expect("the strategy makes valid tokens"))
}

/// Any value, with the keys of its objects made by `key`.
pub(crate) fn value(key: BoxedStrategy<String>) -> impl Strategy<Value = Value<'static>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number().prop_map(Value::Number),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((key.clone(), inner), 0..10)
                .prop_map(|members| Value::Object(Object::from_iter(members))),
        ]
    })
}

/// JSON text of a value with whitespace strewn in and characters needlessly escaped, as `noise` decides.
pub(crate) fn spell(value: &Value<'_>, noise: &mut impl Iterator<Item = u8>, out: &mut String) {
    let mut space = |out: &mut String| out.push_str([" ", "\n", "\t\r", "", "", "", "", ""][next(noise) % 8]);
    space(out);
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => out.push_str(number.as_str()),
        Value::String(text) => spell_text(text, noise, out),
        Value::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                spell(element, noise, out);
            }
            out.push(']');
        }
        Value::Object(object) => {
            out.push('{');
            for (index, (key, member)) in object.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                spell_text(key, noise, out);
                out.push(':');
                spell(member, noise, out);
            }
            out.push('}');
        }
    }
}

fn spell_text(text: &str, noise: &mut impl Iterator<Item = u8>, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        if char < ' ' || char == '"' || char == '\\' || next(noise).is_multiple_of(8) {
            for unit in char.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04X}"));
            }
        } else {
            out.push(char);
        }
    }
    out.push('"');
}

fn next(noise: &mut impl Iterator<Item = u8>) -> usize {
    usize::from(noise.next().unwrap_or(7))
}

/// The folder of real records, if this machine has it; says so when it has not.
pub(crate) fn samples() -> Option<PathBuf> {
    let folder = match std::env::var_os("LEDGERSTONE_SAMPLES") {
        Some(folder) => Some(PathBuf::from(folder)),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|folder| folder.join("shared/samples"))
            .find(|folder| folder.is_dir()),
    };
    if folder.is_none() {
        println!("SKIPPED: no samples; set LEDGERSTONE_SAMPLES to their folder");
    }
    folder
}

/// The lines and whole documents of the samples that are JSON by the judgement of another reader.
pub(crate) fn sample_documents() -> Vec<(String, Vec<u8>)> {
    let mut folders: Vec<PathBuf> = samples().into_iter().collect();
    let mut documents = Vec::new();
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(folder).expect("samples can be listed").flatten() {
            let path = file.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).expect("samples can be read");
            let name = path.display().to_string();
            if serde_json::from_slice::<serde_json::Value>(&bytes).is_ok() {
                documents.push((name, bytes));
                continue;
            }
            let lines = bytes.split(|&byte| byte == b'\n').enumerate();
            let json = lines.filter(|(_, line)| serde_json::from_slice::<serde_json::Value>(line).is_ok());
            documents.extend(json.map(|(number, line)| (format!("{name}:{}", number + 1), line.to_vec())));
        }
    }
    documents
}
