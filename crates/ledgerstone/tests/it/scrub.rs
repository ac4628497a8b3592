//! The running server verifies itself: damage is found and named, concurrent appends are no damage.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use crate::rig::{Rig, Server};

const SETTINGS: &str = "[seal]\nentries = 256\nage_s = 1\n[scrub]\nmib_per_s = 64\npause_s = 1\n";

/// What the server logs, line by line as it comes.
fn log(server: &mut Server) -> Receiver<String> {
    let (send, lines) = mpsc::channel();
    let err = BufReader::new(server.stderr());
    std::thread::spawn(move || err.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
    lines
}

/// Waits for a line with all of `words`.
#[track_caller]
fn line_with(lines: &Receiver<String>, words: &[&str]) -> String {
    let mut seen = Vec::new();
    while let Ok(line) = lines.recv_timeout(Duration::from_secs(120)) {
        if words.iter().all(|word| line.contains(word)) {
            return line;
        }
        seen.push(line);
    }
    panic!("no line with {words:?} in {seen:#?}");
}

fn events(count: usize) -> Vec<u8> {
    let event = r#"{"class_uid":6003,"activity_id":1,"time":1700000000000,"actor":{"user":{"name":"alice"}},"api":{"operation":"read"}}"#;
    format!("{event}\n").repeat(count).into_bytes()
}

/// Waits until events are sealed, and gives their segment.
fn segment(rig: &Rig, server: &Server) -> PathBuf {
    let dir = rig.path("ledgerstone-data/ledgers/main/segment/events");
    for _ in 0..600 {
        let sealed = rig.ask_json(server, &["status"])["ledgers"][0]["sealed"].as_u64().unwrap();
        if sealed == 0 {
            std::thread::sleep(Duration::from_millis(50));
            continue;
        }
        let names = fs::read_dir(&dir).into_iter().flatten().flatten().map(|entry| entry.path());
        // The first: others may have been moved into place and not yet be on record.
        let first = |path: &PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.starts_with("00000000000000000000-") && !name.ends_with(".tmp")
        };
        if let Some(path) = names.into_iter().find(first) {
            return path;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nothing was sealed");
}

#[test]
fn damage_in_a_running_server_is_found_named_and_not_forgotten() {
    let rig = Rig::new();
    rig.write("given.toml", SETTINGS);
    let mut server = rig.up(&["--settings", "given.toml"]);
    rig.feed(&server, &["append", "-"], &events(700)).ok();
    let segment = segment(&rig, &server);
    let lines = log(&mut server);
    line_with(&lines, &["info: the whole store was verified"]);

    let flip = |at: u64| {
        let file = fs::OpenOptions::new().read(true).write(true).open(&segment).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    };
    let at = fs::metadata(&segment).unwrap().len() / 2;
    flip(at);
    let name = segment.file_name().unwrap().to_str().unwrap();
    line_with(&lines, &["error: damage", name, "main entries"]);
    line_with(&lines, &["error: the store is not as it was written"]);
    // Recording goes on.
    rig.feed(&server, &["append", "-"], &events(3)).ok();

    // Undone and found good, it stays in sight until the next start.
    flip(at);
    line_with(&lines, &["info: the store verifies again"]);
    server.terminate_quietly();
    let kept = String::from_utf8(rig.read("ledgerstone-data/scrub")).unwrap();
    assert!(kept.contains(name) && kept.contains("good_ms"), "{kept}");

    let mut server = rig.up(&["--settings", "given.toml"]);
    line_with(&log(&mut server), &["info: the whole store was verified"]);
    server.terminate_quietly();
    let kept = String::from_utf8(rig.read("ledgerstone-data/scrub")).unwrap();
    assert!(!kept.contains(name) && kept.contains("\"proven\""), "{kept}");
    rig.run(&["verify", "ledgerstone-data"]).ok();
}

#[test]
fn concurrent_appends_are_no_damage_and_cycles_complete() {
    let rig = Rig::new();
    rig.write("given.toml", SETTINGS);
    let mut server = rig.up(&["--settings", "given.toml"]);
    let lines = log(&mut server);
    let scrub =
        || String::from_utf8(fs::read(rig.path("ledgerstone-data/scrub")).unwrap_or_default()).unwrap();
    let mut ends = std::collections::BTreeSet::new();
    let batch = events(400);
    for _ in 0..2000 {
        rig.feed(&server, &["append", "-"], &batch).ok();
        let kept = scrub();
        if let Some((_, rest)) = kept.split_once("\"ended_ms\":") {
            ends.insert(rest.split(',').next().unwrap().to_owned());
            assert!(kept.contains("\"alarms\":[]") && kept.contains("\"proven\""), "{kept}");
        }
        if ends.len() >= 3 {
            break;
        }
    }
    assert!(ends.len() >= 3, "{ends:?}");
    server.terminate_quietly();
    let log: Vec<String> = lines.iter().collect();
    assert!(!log.iter().any(|line| line.contains("error") || line.contains("damage")), "{log:#?}");
    rig.run(&["verify", "ledgerstone-data"]).ok();
}

#[test]
fn switched_off_is_said() {
    let rig = Rig::new();
    rig.write("given.toml", "[scrub]\nmib_per_s = 0\n");
    let (_, log) = rig.up(&["--settings", "given.toml"]).terminate();
    assert!(log.contains("the store is not verified while it runs"), "{log}");
    assert!(!rig.path("ledgerstone-data/scrub").exists());
}

#[test]
fn a_stop_does_not_wait_for_a_slow_cycle() {
    let rig = Rig::new();
    rig.write("given.toml", "[seal]\nentries = 256\nage_s = 1\n[scrub]\nmib_per_s = 1\npause_s = 1\n");
    let server = rig.up(&["--settings", "given.toml"]);
    // Random words, so that they stay some mebibytes.
    let mut seed = 1_u64;
    let word = |_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{seed:016x}")
    };
    let text: Vec<String> = (0..(1 << 19)).map(word).collect();
    let lines: String =
        text.chunks(512).map(|words| format!("{{\"message\":\"{}\"}}\n", words.join(" "))).collect();
    rig.feed(&server, &["append", "-"], lines.as_bytes()).ok();
    segment(&rig, &server);
    std::thread::sleep(Duration::from_millis(1500));
    let ended = || {
        let kept = String::from_utf8(rig.read("ledgerstone-data/scrub")).unwrap();
        kept.split_once("\"ended_ms\":").map(|(_, rest)| rest.split(',').next().unwrap().to_owned())
    };
    let before = ended();
    let pid = server.pid();
    let waiting = std::thread::spawn(move || server.terminate());
    for _ in 0..100 {
        if waiting.is_finished() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    // A busy machine may take longer, but not because of the cycle.
    let in_time = waiting.is_finished();
    assert_eq!(waiting.join().unwrap().0, Some(0));
    assert!(in_time || ended() == before, "process {pid} ran for more than 10 s after it was asked to stop");
    rig.run(&["verify", "ledgerstone-data"]).ok();
}
