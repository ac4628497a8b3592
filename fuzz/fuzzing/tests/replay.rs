//! Goal: what fuzzing found once stays found, on a stable compiler and on every run.
//! Method: each target gets every file of its corpus and every seed our encoders make today, whole, cut short and with
//! single bytes changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, panic};

use fuzzing::TARGETS;

/// Changed copies of one input; a larger one is sampled evenly.
const CHANGES_MAX: usize = 512;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("a listing").file_name().into_string().expect("a name")).collect()
}

#[test]
fn every_target_has_a_corpus_and_a_fuzzer() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&fuzz().join("corpus")), targets);
    let files = names(&fuzz().join("fuzz_targets"));
    assert_eq!(files, targets.iter().map(|name| format!("{name}.rs")).collect());
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in &targets {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        let source = fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(source.contains(&format!("run(\"{name}\", input)")), "{name}");
        let seeds: Vec<_> = fuzzing::seeds::all().into_iter().filter(|seed| seed.target == name).collect();
        assert!(!seeds.is_empty(), "{name}");
        for seed in seeds {
            let file = fuzz().join("corpus").join(name).join(seed.name);
            assert!(file.exists(), "{}: run `cargo run -p fuzzing --example seeds`", file.display());
        }
    }
}

#[test]
fn the_corpus_is_replayed() {
    let mut inputs = 0;
    for (name, target) in TARGETS {
        let folder = fuzz().join("corpus").join(name);
        let mut corpus: Vec<(String, Vec<u8>)> = Vec::new();
        for file in names(&folder) {
            let bytes = fs::read(folder.join(&file)).unwrap();
            corpus.push((file, bytes));
        }
        for seed in fuzzing::seeds::all().into_iter().filter(|seed| seed.target == name) {
            corpus.push((format!("{} as of today", seed.name), seed.bytes));
        }
        for (file, bytes) in corpus {
            for (change, input) in changes(&bytes) {
                let outcome = panic::catch_unwind(|| target(&input));
                assert!(outcome.is_ok(), "{name}: {file}, {change}: {:?}", String::from_utf8_lossy(&input));
                inputs += 1;
            }
        }
    }
    println!("{inputs} inputs to {} targets", TARGETS.len());
}

/// The input, its prefixes, and copies with one byte changed.
fn changes(bytes: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    let step = (3 * bytes.len()).div_ceil(CHANGES_MAX).max(1);
    let whole = std::iter::once(("whole".to_owned(), bytes.to_vec()));
    let changed = (0..bytes.len()).step_by(step).flat_map(move |at| {
        let with = |byte: u8| {
            let mut changed = bytes.to_vec();
            changed[at] = byte;
            (format!("byte {at} set to {byte}"), changed)
        };
        [
            (format!("cut at {at}"), bytes[..at].to_vec()),
            with(bytes[at] ^ 1),
            with(bytes[at].wrapping_add(0x7f)),
        ]
    });
    whole.chain(changed)
}
