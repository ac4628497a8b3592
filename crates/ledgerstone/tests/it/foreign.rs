//! Writes to the store by other processes are told; the server's own are not.

use std::process::Command;
use std::time::Duration;

use crate::rig::{Rig, example};

#[test]
fn what_another_process_does_is_told_and_what_the_server_does_is_not() {
    let rig = Rig::new();
    rig.write("given.toml", "[seal]\nentries = 256\nage_s = 1\n[scrub]\npause_s = 1\n");
    let server = rig.up(&["--settings", "given.toml"]);
    let event = r#"{"class_uid":6003,"activity_id":1,"time":1700000000000,"actor":{"user":{"name":"alice"}},"api":{"operation":"read"}}"#;
    let batch = format!("{event}\n").repeat(300).into_bytes();
    for _ in 0..30 {
        rig.feed(&server, &["append", "-"], &batch).ok();
        std::thread::sleep(Duration::from_millis(100));
    }
    rig.ask(&server, &["append", &example("native.ndjson")]).ok();
    let (_, log) = server.terminate();
    assert!(!log.contains("from outside"), "{log}");

    let server = rig.up(&["--settings", "given.toml"]);
    let pids: Vec<u32> = [
        "echo x >> ledgerstone-data/note",
        "rm ledgerstone-data/note",
        "chmod 700 ledgerstone-data-keys/data",
    ]
    .map(|command| {
        let mut shell = Command::new("sh");
        let mut child =
            shell.arg("-c").arg(format!("{command}; sleep 0.3")).current_dir(rig.path("")).spawn().unwrap();
        assert!(child.wait().unwrap().success());
        child.id()
    })
    .into();
    let recorded = rig.ask(&server, &["access", "store.foreign-write"]);
    let (_, log) = server.terminate();
    if log.contains("of writes to the store by other processes this is noticed") {
        println!("skipped: fanotify can't be used here");
        return;
    }
    let told: Vec<&str> = log.lines().filter(|line| line.contains("from outside")).collect();
    let names = |words: &[&str]| told.iter().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(names(&["was made", ": note by"]), "{log}");
    assert!(names(&["was removed", ": note by"]), "{log}");
    assert!(names(&["other attributes", "keys:data by"]), "{log}");
    assert!(recorded.out.contains("store.foreign-write"), "{recorded:?}");
    let named = names(&["was made", &format!("process {}", pids[0]), "echo x"]);
    assert!(named || names(&["does not name"]), "{log}");
}
