//! Following a server from outside: an honest one, one that was set back, one that leads two lives, one that lies in
//! a single answer. All of them are real ones.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::fake::{pass_on, serve};
use crate::rig::{Done, Rig, Server};
use crate::witness::Witness;

const LINE: &str = "{\"actor\":{\"user\":{\"name\":\"alice\"}},\"api\":{\"operation\":\"read\"}}\n";

/// Appends events by somebody, and waits for the checkpoint.
fn append(rig: &Rig, server: &Server, who: &str, count: usize) {
    rig.write("events.ndjson", LINE.replace("alice", who).repeat(count));
    rig.ask(server, &["append", "events.ndjson", "--wait", "committed"]).ok();
}

fn monitor(rig: &Rig, url: &str, key: &str, more: &[&str]) -> Done {
    rig.run(&[&["monitor", url, "--key", key, "--once", "--json"], more].concat())
}

fn step(done: &Done) -> (&'static str, u64) {
    let told = done.json();
    let word = ["first", "same", "grown", "refused", "none"].into_iter().find(|word| told["step"] == *word);
    (word.unwrap(), told["size"].as_u64().unwrap_or(0))
}

fn kinds(done: &Done) -> Vec<String> {
    let told = done.json();
    let list = told["findings"].as_array().unwrap();
    list.iter().map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect()
}

/// Copies a directory as a backup does.
fn copy(rig: &Rig, from: &str, to: &str) {
    let copied = Command::new("cp").arg("-a").args([rig.path(from), rig.path(to)]).status().unwrap();
    assert!(copied.success());
}

fn get(url: &str) -> String {
    ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap()
}

/// Where the C2SP resources of the ledger `main` are.
fn prefix(server: &Server) -> String {
    let known: Value =
        serde_json::from_str(&get(&format!("{}/.well-known/ledgerstone", server.url))).unwrap();
    let key = server.vkey();
    let ledgers = known["ledgers"].as_array().unwrap();
    let ledger = ledgers.iter().find(|ledger| ledger["vkey"] == key.as_str()).unwrap();
    format!("{}{}", server.url, ledger["prefix"].as_str().unwrap())
}

#[test]
fn a_server_is_followed_as_it_grows_by_its_root_and_by_the_prefix_of_the_log() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    let key = server.vkey();
    append(&rig, &server, "alice", 10);
    let first = monitor(&rig, &server.url, &key, &[]).ok();
    assert_eq!(step(&first).0, "first");
    append(&rig, &server, "bob", 600);
    let second = monitor(&rig, &prefix(&server), &key, &[]).ok();
    assert_eq!(step(&second).0, "grown");
    assert_eq!(second.json()["from"].as_u64(), Some(step(&first).1));
    assert!(step(&second).1 >= step(&first).1 + 600);
    // Another key, no key, a key of another name.
    rig.run(&["monitor", &server.url, "--once"]).code_is(2);
    let other = rig.run(&["monitor", &server.url, "--key", "x.example/log+00000000+AAAA", "--once"]);
    other.code_is(2);
}

#[test]
fn it_follows_until_something_is_wrong() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    let key = server.vkey();
    append(&rig, &server, "alice", 3);
    let mut following =
        rig.command(&["monitor", &server.url, "--key", &key, "--every", "1s", "--silence", "20s", "--json"]);
    let mut child = following.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["step"], "first");
    append(&rig, &server, "bob", 3);
    while next()["step"] != "grown" {}
    // Its state is its own.
    monitor(&rig, &server.url, &key, &[]).code_is(2).says("another monitor");
    // Nobody is there any more: told at once, and the end after twenty seconds.
    server.kill();
    loop {
        let told = next();
        let silent = told["findings"].as_array().unwrap().iter().any(|finding| finding["kind"] == "silence");
        assert!(silent || told["step"] == "none" || told["step"] == "same", "{told}");
        if silent {
            break;
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(3));
    monitor(&rig, "http://127.0.0.1:9", &key, &[]).code_is(2);
}

#[test]
fn a_restored_backup_is_a_rollback_and_a_fork_once_it_has_gone_on() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    let key = server.vkey();
    append(&rig, &server, "alice", 20);
    assert_eq!(server.terminate().0, Some(0));
    copy(&rig, "ledgerstone-data", "backup");
    copy(&rig, "ledgerstone-data-keys", "backup-keys");
    let server = rig.up(&[]);
    rig.write("events.ndjson", LINE.repeat(400));
    rig.ask(&server, &["append", "events.ndjson", "--receipts", "receipts.ndjson"]).ok();
    rig.ask(&server, &["receipt", "300", "-o", "300.json"]).ok();
    rig.ask(&server, &["prove", "301", "-o", "301.tlog-proof", "--key", &key]).ok();
    let before = monitor(&rig, &server.url, &key, &[]).ok();
    // What was kept holds now.
    let verify = |server: &Server, more: &[&str]| {
        let args =
            ["verify", "300.json", "301.tlog-proof", "receipts.ndjson", "--server", &server.url, "--json"];
        rig.run(&[&args, more].concat())
    };
    let held = verify(&server, &["--key", &key]).ok();
    assert_eq!(held.json()["held"].as_u64(), Some(402), "{held:?}");
    verify(&server, &["--require-anchor"]).code_is(2);
    assert_eq!(server.terminate().0, Some(0));

    for part in ["ledgerstone-data", "ledgerstone-data-keys"] {
        fs::rename(rig.path(part), rig.path(&format!("{part}.gone"))).unwrap();
    }
    copy(&rig, "backup", "ledgerstone-data");
    copy(&rig, "backup-keys", "ledgerstone-data-keys");
    let server = rig.up(&[]);
    let back = monitor(&rig, &server.url, &key, &[]).code_is(1);
    assert_eq!((step(&back).0, kinds(&back)), ("refused", vec!["rollback".to_owned()]));
    assert_eq!(step(&back).1, step(&before).1);
    let broken = verify(&server, &["--key", &key]).code_is(1);
    assert!(broken.json()["broken"][0]["why"].as_str().unwrap().starts_with("rollback"), "{broken:?}");

    append(&rig, &server, "mallory", 600);
    let fork = monitor(&rig, &server.url, &key, &[]).code_is(1);
    assert_eq!(kinds(&fork), ["fork"]);
    let kept = fork.json()["findings"][0]["kept"].as_str().unwrap().to_owned();
    for file in ["text", "kept.checkpoint", "shown.checkpoint", "proof"] {
        assert!(rig.path(&kept).join(file).is_file(), "{file}");
    }
    let broken = verify(&server, &["--key", &key]).code_is(1);
    let told = broken.json();
    assert_eq!((told["held"].as_u64(), told["verdict"].as_str()), (Some(0), Some("disproven")));
    let why = |at: usize| told["broken"][at]["why"].as_str().unwrap();
    // Two with a signed checkpoint; the others, given at once, for their own entries.
    assert!(
        why(0).starts_with("fork") && why(1).starts_with("fork") && why(2).starts_with("promise"),
        "{told}"
    );
    let place = told["broken"][2]["kept"].as_str().unwrap();
    assert!(rig.path(place).join("shown.tlog-proof").is_file());
    // A fork stays on record, whatever is shown later.
    assert_eq!(server.terminate().0, Some(0));
    for part in ["ledgerstone-data", "ledgerstone-data-keys"] {
        fs::remove_dir_all(rig.path(part)).unwrap();
        fs::rename(rig.path(&format!("{part}.gone")), rig.path(part)).unwrap();
    }
    let server = rig.up(&[]);
    let again = monitor(&rig, &server.url, &key, &[]).code_is(1).says("on record since before");
    assert!(kinds(&again).is_empty());
}

/// A server and its copy, which have the same past and run side by side; their verification key.
fn two_lives() -> (Rig, String, Server, Server) {
    let rig = Rig::new();
    let server = rig.up(&[]);
    let key = server.vkey();
    append(&rig, &server, "alice", 20);
    assert_eq!(server.terminate().0, Some(0));
    copy(&rig, "ledgerstone-data", "other");
    copy(&rig, "ledgerstone-data-keys", "other-keys");
    let (one, other) = (rig.up(&[]), rig.up(&["--data", "other"]));
    (rig, key, one, other)
}

#[test]
fn a_server_with_two_lives_is_found_out_by_two_monitors_that_compare() {
    let (rig, key, one, other) = two_lives();
    append(&rig, &one, "alice", 30);
    rig.write("events.ndjson", LINE.replace("alice", "eve").repeat(40));
    let token = ["--data", "other"];
    rig.ask(&other, &[&["append", "events.ndjson", "--wait", "committed"][..], &token].concat()).ok();
    // Neither sees anything wrong by itself.
    monitor(&rig, &one.url, &key, &["--state", "a"]).ok();
    monitor(&rig, &other.url, &key, &["--state", "b"]).ok();
    let a = monitor(&rig, &one.url, &key, &["--state", "a", "--against", "b"]).code_is(1);
    let b = monitor(&rig, &other.url, &key, &["--state", "b", "--against", "a"]).code_is(1);
    assert!(kinds(&a).iter().chain(&kinds(&b)).any(|kind| kind == "fork"), "{a:?} {b:?}");
    monitor(&rig, &one.url, &key, &["--state", "c", "--against", "missing"]).code_is(2);
}

#[test]
fn a_witness_that_was_shown_the_other_life_finds_it_out_for_a_monitor_that_asks_it() {
    let (rig, key, one, other) = two_lives();
    rig.write("events.ndjson", LINE.replace("alice", "eve").repeat(10));
    rig.ask(&other, &["append", "events.ndjson", "--wait", "committed", "--data", "other"]).ok();
    append(&rig, &one, "alice", 30);
    let witness = Witness::start(&rig, &["--name", "witness.example/w", "--log", &key]);
    rig.write("policy", witness.policy());
    let shown = get(&format!("{}/checkpoint", prefix(&other)));
    assert_eq!(witness.add(&format!("old 0\n\n{shown}")).unwrap().0, 200);
    let done = monitor(&rig, &one.url, &key, &["--policy", "policy"]).code_is(1);
    assert_eq!(kinds(&done), ["fork"]);
    witness.kill();
    // That nobody answers there is told, and is no fault of the log.
    let done = monitor(&rig, &one.url, &key, &["--policy", "policy", "--state", "another"]).ok();
    assert_eq!(done.json()["silent_witnesses"].as_array().unwrap().len(), 1);
}

#[test]
fn several_ledgers_of_a_server_are_followed_by_their_keys() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    append(&rig, &server, "alice", 3);
    let known: Value =
        serde_json::from_str(&get(&format!("{}/.well-known/ledgerstone", server.url))).unwrap();
    let keys: Vec<&str> =
        known["ledgers"].as_array().unwrap().iter().map(|l| l["vkey"].as_str().unwrap()).collect();
    assert_eq!(keys.len(), 2);
    let both = ["monitor", &server.url, "--key", keys[0], "--key", keys[1], "--once", "--json"];
    let done = rig.run(&both).ok();
    assert_eq!(done.out.lines().count(), 2, "{done:?}");
    rig.run(&[&both[..], &["--mirror", "mirror"]].concat()).code_is(2).says("one log");
    // Whoever only has a server in the environment asks nobody about a receipt.
    rig.ask(&server, &["receipt", "2", "-o", "2.json"]).ok();
    let mut offline = rig.command(&["verify", "2.json", "--key", keys[0]]);
    offline.env("LEDGERSTONE_SERVER", "http://127.0.0.1:9");
    let out = offline.output().unwrap();
    assert!(!String::from_utf8_lossy(&out.stderr).contains("nobody answers"), "{out:?}");
}

#[test]
fn a_mirror_is_kept_checked_and_verified_and_one_changed_byte_in_it_is_named() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    let key = server.vkey();
    append(&rig, &server, "alice", 300);
    let token = "ledgerstone-data/admin.token";
    rig.ask(&server, &["token", "add", "mirror", "--role", "auditor"]).ok();
    let auditor = rig.ask_json(&server, &["token", "add", "mirror 2", "--role", "auditor"]);
    rig.write("auditor.token", auditor["token"].as_str().unwrap());
    assert!(rig.path(token).is_file());
    let mirror = ["--mirror", "mirror", "--token-file", "auditor.token"];
    let no_token = monitor(&rig, &server.url, &key, &["--mirror", "mirror"]).code_is(2);
    no_token.says("--token-file");
    let done = monitor(&rig, &server.url, &key, &mirror).ok();
    assert_eq!(done.json()["mirrored"].as_u64(), Some(step(&done).1));
    append(&rig, &server, "bob", 400);
    let done = monitor(&rig, &server.url, &key, &mirror).ok();
    assert_eq!((step(&done).0, done.json()["mirrored"].as_u64()), ("grown", Some(step(&done).1)));
    drop(server);

    let good = rig.run(&["verify", "mirror", "--key", &key, "--json"]).ok().json();
    assert_eq!(good["tree_size"].as_u64(), Some(step(&done).1));
    rig.run(&["verify", "mirror"]).code_is(2);
    let url = format!("file://{}", rig.path("mirror").display());
    monitor(&rig, &url, &key, &["--state", "of-mirror"]).ok();

    let bundle = rig.path("mirror/tile/entries/001");
    let mut bytes = fs::read(&bundle).unwrap();
    bytes[60 * 5 + 40] ^= 1;
    fs::write(&bundle, bytes).unwrap();
    let bad = rig.run(&["verify", "mirror", "--key", &key, "--json"]).code_is(1).json();
    let damage = &bad["damage"][0];
    assert_eq!(damage["file"], "tile/entries/001");
    assert!(damage["detail"].as_str().unwrap().contains("entry 261"), "{bad}");
}

#[test]
fn a_mirror_that_was_killed_at_any_time_goes_on_and_ends_whole() {
    let rig = Rig::new();
    rig.write("given.toml", "[open]\nbundles = true\n");
    let server = rig.up(&["--settings", "given.toml"]);
    let key = server.vkey();
    append(&rig, &server, "alice", 20_000);
    let args = ["monitor", &server.url, "--key", &key, "--once", "--mirror", "mirror"];
    for pause in [5, 20, 40, 80, 160] {
        let mut child = rig.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(pause));
        child.kill().unwrap();
        child.wait().unwrap();
        if rig.path("mirror/checkpoint").exists() {
            rig.run(&["verify", "mirror", "--key", &key]).ok();
        }
    }
    let done = monitor(&rig, &server.url, &key, &["--mirror", "mirror"]).ok();
    assert!(done.json()["mirrored"].as_u64() >= Some(20_000));
    rig.run(&["verify", "mirror", "--key", &key]).ok();
}

/// What a monitor with a mirror says of a server of which one answer is changed.
#[track_caller]
fn check_liar(path: &'static str, change: fn(&mut Vec<u8>), kind: &str) {
    let rig = Rig::new();
    rig.write("given.toml", "[open]\nbundles = true\n");
    let server = rig.up(&["--settings", "given.toml"]);
    append(&rig, &server, "alice", 600);
    let real = server.url.clone();
    let (url, _requests) = serve(move |_, request| {
        let (status, mut body) = pass_on(&real, request, "");
        if request.target.contains(path) {
            change(&mut body);
        }
        Some((status, "", body))
    });
    let done = monitor(&rig, &url, &server.vkey(), &["--mirror", "mirror"]).code_is(1);
    assert_eq!(kinds(&done), [kind], "{path}: {done:?}");
    let text = done.json()["findings"][0]["text"].as_str().unwrap().to_owned();
    assert!(kind == "signature" || text.contains(path.trim_start_matches('/')), "{path}: {text}");
    assert!(!rig.path("mirror/checkpoint").exists(), "{path}");
}

#[test]
fn an_altered_truncated_or_huge_answer_is_told_and_not_mirrored() {
    check_liar("/tile/0/001", |body| body[77] ^= 1, "damage");
    check_liar("/tile/1/000", |body| body[3] ^= 1, "damage");
    check_liar("/tile/entries/000", |body| body[50] ^= 1, "damage");
    check_liar("/tile/entries/001", |body| body.truncate(body.len() / 2), "damage");
    check_liar("/tile/0/000", |body| body.extend_from_slice(&[0; 1 << 20]), "damage");
    check_liar("/checkpoint", |body| body.extend_from_slice(&[b'x'; 2 << 20]), "signature");
    check_liar("/checkpoint", |body| body.truncate(body.len() - 10), "signature");
}

#[test]
fn an_idle_log_is_silent_after_the_time_that_was_given() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    let key = server.vkey();
    append(&rig, &server, "alice", 3);
    // A heartbeat may come in between, once a minute.
    let silent = (0..5).any(|_| {
        monitor(&rig, &server.url, &key, &[]).ok();
        sleep(Duration::from_millis(1500));
        let done = monitor(&rig, &server.url, &key, &["--silence", "1s"]);
        done.code == Some(3) && kinds(&done) == ["silence"]
    });
    assert!(silent);
}

#[test]
fn a_quorum_of_witnesses_that_is_wanting_is_late() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    append(&rig, &server, "alice", 3);
    // The test key of the page on cosignatures; nobody signs with it here.
    let witness = tlog::CosigningKey::from_seed("witness.example/w", [8; 32]).unwrap();
    rig.write("policy", format!("witness w {}\nquorum w\n", witness.verifying_key()));
    let done = monitor(&rig, &prefix(&server), &server.vkey(), &["--policy", "policy"]).code_is(3);
    assert_eq!(kinds(&done), ["quorum"]);
    rig.write("policy", "quorum w\n");
    monitor(&rig, &prefix(&server), &server.vkey(), &["--policy", "policy"]).code_is(2).says("policy line 1");
}
