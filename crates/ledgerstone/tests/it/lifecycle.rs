//! Starting, stopping, being killed and starting again.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::rig::{Rig, example, signal};

#[test]
fn everything_is_kept_over_a_stop_and_a_kill() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    let (key, token) = (server.vkey(), rig.read("ledgerstone-data/admin.token"));
    let first = rig.ask_json(&server, &["append", &example("cloudtrail.json")]);
    let index = first["first"].to_string();
    let shown = rig.ask_json(&server, &["show", &index]);
    let (exit, log) = server.terminate();
    assert_eq!(exit, Some(0), "{log}");
    assert!(log.contains("info: stopped"), "{log}");
    rig.run(&["verify", "ledgerstone-data", "--key", &key]).ok();

    let server = rig.up(&[]);
    assert_eq!(server.vkey(), key);
    assert!(!server.banner.contains(", new"), "{}", server.banner);
    let second = rig.ask_json(&server, &["append", &example("kubernetes-audit.ndjson")]);
    // Nothing is waited for: what was acknowledged must be there.
    server.kill();
    rig.run(&["verify", "ledgerstone-data", "--key", &key]).ok();

    let server = rig.up(&[]);
    assert_eq!((server.vkey(), rig.read("ledgerstone-data/admin.token")), (key.clone(), token));
    for told in [&first, &second] {
        for index in told["first"].as_u64().unwrap()..=told["last"].as_u64().unwrap() {
            let record = rig.ask_json(&server, &["show", &index.to_string()]);
            assert_eq!(record["kind"], "event", "{record}");
        }
    }
    let again = rig.ask_json(&server, &["show", &index]);
    assert_eq!((&again["event"], &again["raw"]), (&shown["event"], &shown["raw"]));
    // Both absences are on record, and told apart.
    let gaps = rig.ask(&server, &["search", "kind:gap"]).ok();
    assert_eq!(gaps.out.lines().count(), 3, "{gaps:?}");
    server.terminate();
    rig.run(&["verify", "ledgerstone-data", "--key", &key]).ok();
}

#[test]
fn a_store_has_one_server() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    let refused = rig.run(&["up", "--listen", "127.0.0.1:0"]).code_is(2);
    assert!(refused.err.contains(&format!("process {} serves this store", server.pid())), "{refused:?}");
    assert!(refused.err.contains("hint:"), "{refused:?}");
    rig.ask(&server, &["status"]).ok();
}

#[test]
fn an_address_in_use_is_told_and_leaves_the_store_as_it_was() {
    let (rig, other) = (Rig::new(), Rig::new());
    rig.up(&[]).terminate();
    let server = other.up(&[]);
    let address = server.url.strip_prefix("http://").unwrap();
    rig.run(&["up", "--listen", address]).code_is(2).says("something listens there already");
    rig.run(&["verify", "ledgerstone-data"]).ok();
}

#[test]
fn a_second_signal_stops_at_once_and_nothing_acknowledged_is_lost() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    let told = rig.ask_json(&server, &["append", &example("native.ndjson")]);
    let pid = server.pid();
    signal("INT", pid);
    // It may have ended before the second one comes.
    let _ = std::process::Command::new("kill").args(["-INT", &pid.to_string()]).output();
    std::thread::sleep(Duration::from_millis(500));
    drop(server);
    let server = rig.up(&[]);
    rig.ask(&server, &["show", &told["last"].to_string()]).ok();
}

#[test]
fn directories_and_secrets_are_closed_to_others() {
    let rig = Rig::new();
    rig.up(&[]).terminate();
    let mode = |name: &str| std::fs::metadata(rig.path(name)).unwrap().permissions().mode() & 0o777;
    for dir in ["ledgerstone-data", "ledgerstone-data-keys"] {
        assert_eq!(mode(dir), 0o700, "{dir}");
    }
    for file in ["ledgerstone-data/admin.token", "ledgerstone-data-keys/wrapping.key"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    assert_eq!(rig.read("ledgerstone-data/lock"), b"");
    std::fs::set_permissions(rig.path("ledgerstone-data"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (_, log) = rig.up(&[]).terminate();
    assert!(log.contains("chmod 700"), "{log}");
}

#[test]
fn damage_is_told_with_what_to_do_and_without_keys_nothing_starts() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    rig.ask(&server, &["append", &example("cloudtrail.json"), "--wait", "committed"]).ok();
    server.terminate();

    std::fs::rename(rig.path("ledgerstone-data-keys"), rig.path("elsewhere")).unwrap();
    rig.run(&["up", "--listen", "127.0.0.1:0"]).code_is(1).says("--keys DIR");
    rig.up(&["--keys", "elsewhere"]).terminate();

    let mut register = rig.read("ledgerstone-data/register");
    let middle = register.len() / 2;
    register[middle] ^= 1;
    rig.write("ledgerstone-data/register", &register);
    let args = ["up", "--listen", "127.0.0.1:0", "--keys", "elsewhere"];
    rig.run(&args).code_is(1).says("register").says("ledgerstone verify");
    let report = rig.run(&["verify", "ledgerstone-data", "--keys", "elsewhere", "--json"]).code_is(1).json();
    assert_eq!(
        (report["verdict"].as_str(), report["damage"][0]["file"].as_str()),
        (Some("disproven"), Some("register"))
    );
}

#[test]
fn a_first_start_that_was_cut_off_gives_a_token_all_the_same() {
    let rig = Rig::new();
    rig.up(&[]).terminate();
    // As if the power had gone after the tokens were written and before anything else was.
    let tokens = rig.read("ledgerstone-data/tokens");
    std::fs::remove_dir_all(rig.path("ledgerstone-data")).unwrap();
    std::fs::remove_dir_all(rig.path("ledgerstone-data-keys")).unwrap();
    std::fs::create_dir(rig.path("ledgerstone-data")).unwrap();
    rig.write("ledgerstone-data/tokens", tokens);
    let server = rig.up(&[]);
    rig.ask(&server, &["status"]).ok();
}
