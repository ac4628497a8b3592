//! Writes to the store by other processes are told; the server's own are not.

use std::process::{Command, Stdio};
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
    let standing = || rig.ask_json(&server, &["status"])["alarms"]["standing"].as_u64().unwrap();
    let until_told = |before: u64| {
        for _ in 0..600 {
            if standing() > before {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let token = String::from_utf8(rig.read("ledgerstone-data/admin.token")).unwrap();
    let metrics = ureq::get(format!("{}/metrics", server.url));
    let metrics = metrics.header("authorization", format!("Bearer {}", token.trim()));
    let metrics = metrics.call().unwrap().body_mut().read_to_string().unwrap();
    let by = |method: &str| metrics.contains(&format!("ledgerstone_watch_method{{method=\"{method}\"}} 1"));
    let watched = by("fanotify") || by("fanotify-with-pid");
    let pids: Vec<u32> = [
        "echo x >> ledgerstone-data/note",
        "rm ledgerstone-data/note",
        "chmod 700 ledgerstone-data-keys/data",
    ]
    .map(|command| {
        let before = standing();
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{command}; read end")).current_dir(rig.path(""));
        let mut child = shell.stdin(Stdio::piped()).spawn().unwrap();
        // It stays until it was noticed, so that it can be looked up.
        if watched {
            until_told(before);
        }
        drop(child.stdin.take());
        child.wait().unwrap();
        child.id()
    })
    .into();
    let mut recorded = rig.ask(&server, &["access", "api.operation:store.foreign-write"]);
    for _ in 0..if watched { 200 } else { 0 } {
        if recorded.code == Some(0) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
        recorded = rig.ask(&server, &["access", "api.operation:store.foreign-write"]);
    }
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

/// A start is no acknowledgement: whoever writes to a store could have it started as well.
#[test]
fn writes_by_others_stay_in_sight_over_restarts_until_somebody_acknowledges_them() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    let foreign = || {
        let file = rig.path("ledgerstone-data/ledgerstone.toml");
        assert!(Command::new("chmod").arg("600").arg(file).status().unwrap().success());
    };
    let alarms = |server: &crate::rig::Server| rig.ask_json(server, &["status"])["alarms"].clone();
    let standing = |server: &crate::rig::Server| alarms(server)["standing"].as_u64().unwrap();
    let wait = |server: &crate::rig::Server, wanted: &dyn Fn(u64) -> bool| {
        (0..1200).any(|_| {
            wanted(standing(server)) || {
                std::thread::sleep(Duration::from_millis(25));
                false
            }
        })
    };
    assert_eq!(standing(&server), 0);
    rig.ask(&server, &["doctor"]).says("good  alarms: none");
    foreign();
    if !wait(&server, &|standing| standing > 0) {
        println!("SKIPPED: neither fanotify nor inotify can be used here");
        return;
    }
    server.terminate();
    for _ in 0..2 {
        let server = rig.up(&[]);
        assert!(wait(&server, &|standing| standing > 0), "{}", alarms(&server));
        let told = alarms(&server)["foreign_writes"][0].clone();
        assert_eq!((&told["file"], &told["kind"]), (&"ledgerstone.toml".into(), &"attributes".into()));
        rig.ask(&server, &["status"]).ok().says("of writes from outside");
        server.terminate();
    }
    let server = rig.up(&[]);
    assert!(wait(&server, &|standing| standing > 0));
    rig.ask(&server, &["doctor"]).code_is(1).says("write from outside: attributes ledgerstone.toml");
    let reader = ["token", "add", "r", "--role", "auditor"];
    rig.write("auditor.token", rig.ask(&server, &reader).ok().out);
    let refused = ["doctor", "--acknowledge", "me", "--token-file", "auditor.token"];
    rig.ask(&server, &refused).code_is(2).says("acknowledge");
    assert!(standing(&server) > 0);
    rig.ask(&server, &["doctor", "--acknowledge", "the backup's chmod"]).says("acknowledged");
    assert_eq!(standing(&server), 0);
    rig.ask(&server, &["access", "api.operation:alarms.acknowledge"]).ok();
    rig.ask(&server, &["access", "the backup's chmod"]).ok().says("alarms.acknowledge");
    server.terminate();
    let server = rig.up(&[]);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(standing(&server), 0, "what was acknowledged does not come back");
    foreign();
    assert!(wait(&server, &|standing| standing > 0), "what is new is told");
}
