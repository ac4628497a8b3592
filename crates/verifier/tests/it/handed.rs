//! The program on evidence files: what it says, and its exit codes.

use std::path::Path;
use std::process::{Command, Output};

use export::Manifest;

fn golden(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../export/tests/golden");
    std::fs::read(folder.join(format!("{name}.evidence"))).unwrap()
}

/// The key that a golden file is signed with, from its manifest.
fn key(file: &[u8]) -> String {
    let rows = export::zip::directory(file).unwrap();
    let row = rows.iter().find(|row| row.name == "manifest.json").unwrap();
    Manifest::parse(&file[row.data() as usize..row.end() as usize]).unwrap().vkey
}

fn run(bytes: &[u8], flags: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("case.evidence");
    std::fs::write(&file, bytes).unwrap();
    Command::new(env!("CARGO_BIN_EXE_ledgerstone-verify")).arg(&file).args(flags).output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8(output.stdout.clone()).unwrap())
}

#[test]
fn golden_files_are_proven_and_say_whose_they_are() {
    for name in ["range", "withheld", "query"] {
        let file = golden(name);
        let (code, text) = said(&run(&file, &["--key", &key(&file)]));
        assert_eq!(code, Some(0), "{text}");
        let first = text.lines().next().unwrap();
        match name {
            "query" => assert_eq!(first, "proven: a selection; completeness of the match is not provable"),
            _ => assert_eq!(first, "proven"),
        }
        assert!(text.contains("signed by the key you gave") && text.contains("eve, auditor"), "{text}");
        assert!(text.contains("2 on record, at 22, 24"), "{text}");
        // Nothing from outside steers the terminal.
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
        let (code, text) = said(&run(&file, &[]));
        assert_eq!(code, Some(0));
        assert!(text.contains("self-consistent, key not pinned"), "{text}");
        assert_eq!(said(&run(&file, &["--require-anchor"])).0, Some(2));
    }
}

#[test]
fn a_changed_file_or_another_key_is_disproven_and_where_is_told() {
    let file = golden("range");
    let other = tlog::note::SigningKey::from_seed("somebody.else", [1; 32]).unwrap();
    let (code, text) = said(&run(&file, &["--key", &other.verifying_key().to_string()]));
    assert_eq!(code, Some(1));
    assert!(text.starts_with("disproven\n") && text.contains("E13 key"), "{text}");
    let mut changed = file.clone();
    let at = changed.windows(7).position(|part| part == b"events/").unwrap() + 400;
    changed[at] ^= 1;
    let (code, text) = said(&run(&changed, &["--json"]));
    assert_eq!(code, Some(1));
    let json = record::json::parse(text.trim_end().as_bytes()).unwrap();
    assert_eq!(json.path(&["verdict"]).unwrap().str(), Some("disproven"));
    let damage = json.path(&["damage"]).unwrap().as_array().unwrap();
    assert!(
        damage.iter().any(|damage| damage.path(&["member"]).unwrap().str() == Some("events/00000000.ndjson"))
    );
    let (code, _) = said(&run(&file[..file.len() / 2], &[]));
    assert_eq!(code, Some(1));
}
