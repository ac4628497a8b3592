//! Tokens, roles, accesses on record, live tail, doctor, manual.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::rig::{Rig, example};

#[test]
fn a_token_is_given_out_used_seen_and_revoked() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    rig.ask(&server, &["append", &example("cloudtrail.json")]).ok();
    let add = ["token", "add", "alice\u{202e}", "--role", "reader", "--ledger", "main", "--days", "2"];
    let added = rig.ask(&server, &add).ok().says("alice\\u{202e}");
    rig.write("alice.token", &added.out);
    let as_alice = |args: &[&str]| rig.ask(&server, &[args, &["--token-file", "alice.token"]].concat());
    as_alice(&["search", "GetObject"]).ok();
    let shown = as_alice(&["show", "2", "--json"]).ok();
    assert!(shown.out.contains("withheld") && !shown.out.contains("eventVersion"), "{shown:?}");
    as_alice(&["append", &example("cloudtrail.json")]).code_is(2).says("does not allow: append");
    as_alice(&["access"]).code_is(2).says("for auditors");
    as_alice(&["token", "list"]).code_is(2).says("does not allow: tokens");
    let list = rig.ask_json(&server, &["token", "list"]);
    let alice = &list.as_array().unwrap()[1];
    assert_eq!(alice["roles"][0], "reader");
    let id = alice["id"].as_str().unwrap();
    let accesses = rig.ask(&server, &["access", &format!("actor.user.uid:{id}")]).ok();
    for word in ["search", "GetObject", "show", "main 2", "denied", "403", "127.0.0.1"] {
        assert!(accesses.out.contains(word), "{word}: {}", accesses.out);
    }
    assert!(!accesses.out.contains('\u{202e}'));
    rig.ask(&server, &["token", "revoke", id]).ok().says("revoked");
    as_alice(&["search", "GetObject"]).code_is(2).says("does not know the token");
    rig.ask(&server, &["token", "revoke", id]).code_is(1);
    rig.ask(&server, &["token", "add", "x", "--role", "root"]).code_is(2).says("no such role");
}

#[test]
fn an_investigator_says_what_for() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    rig.ask(&server, &["append", &example("cloudtrail.json")]).ok();
    let token = rig.ask(&server, &["token", "add", "eve", "--role", "investigator"]).ok().out;
    rig.write("eve.token", token);
    let as_eve = |args: &[&str]| rig.ask(&server, &[args, &["--token-file", "eve.token"]].concat());
    as_eve(&["show", "2"]).code_is(2).says("--purpose");
    as_eve(&["show", "2", "--purpose", "case 4711"]).ok();
    rig.ask(&server, &["access", "4711"]).ok().says("case 4711");
}

/// Start, stop and the hashes of settings and program are on record, over a restart.
#[test]
fn starts_and_stops_are_on_record() {
    let rig = Rig::new();
    rig.up(&[]).terminate();
    let server = rig.up(&[]);
    let accesses = rig.ask(&server, &["access", "server.", "--json"]).ok().out;
    assert_eq!(accesses.matches("\"server.start\"").count(), 2, "{accesses}");
    assert_eq!(accesses.matches("\"server.stop\"").count(), 1, "{accesses}");
    assert!(accesses.contains("settings_sha256") && accesses.contains("program_sha256"));
}

#[test]
fn tail_shows_what_is_recorded_as_it_comes() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    let mut command = rig.command(&["tail", "kind:event", "--json"]);
    command.env("LEDGERSTONE_SERVER", &server.url).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut tail = command.spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    // It follows from when it asks: what is appended before that is not shown, so there must be more to come.
    let feeding = std::sync::atomic::AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while feeding.load(std::sync::atomic::Ordering::Relaxed) {
                rig.feed(&server, &["append", "-"], b"{\"actor\":{\"user\":{\"name\":\"bob\"}}}").ok();
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
        });
        let line = lines.next().unwrap().unwrap();
        feeding.store(false, std::sync::atomic::Ordering::Relaxed);
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(event["event"]["actor"]["user"]["name"], "bob");
    });
    // It ends in order with the server.
    let (code, _) = server.terminate();
    assert_eq!(code, Some(0));
    assert_eq!(tail.wait().unwrap().code(), Some(0));
}

#[test]
fn the_doctor_says_what_is_proven_and_what_to_mend() {
    let rig = Rig::new();
    rig.run(&["doctor"]).code_is(1).says("there is no store");
    let server = rig.up(&[]);
    let report = rig.ask_json(&server, &["doctor"]);
    assert_eq!(report["tier"], "local only");
    let findings = report["findings"].as_array().unwrap();
    let level = |what: &str| {
        findings.iter().find(|finding| finding["what"] == what).map(|finding| finding["level"].clone())
    };
    for what in ["rollback", "stolen key", "lost host", "first token", "authority key", "keys beside data"] {
        assert_eq!(level(what).unwrap(), "risk", "{what}");
    }
    assert_eq!(level("server").unwrap(), "good");
    use std::os::unix::fs::PermissionsExt;
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(rig.path("ledgerstone-data-keys"), open).unwrap();
    rig.ask(&server, &["doctor"]).code_is(1).says("chmod 700");
    server.kill();
    rig.run(&["doctor", "--server", "http://127.0.0.1:9"]).code_is(1).says("no server answers");
}

#[test]
fn completions_and_manual_know_every_verb() {
    let rig = Rig::new();
    let man = rig.run(&["man"]).ok().out;
    for shell in ["bash", "zsh", "fish"] {
        let completions = rig.run(&["completions", shell]).ok().out;
        for verb in ["append", "search", "tail", "access", "token", "doctor", "verify"] {
            assert!(completions.contains(verb), "{shell} {verb}");
            assert!(man.contains(&format!(".SH \"{}\"", verb.to_uppercase())), "{verb}");
        }
    }
}
