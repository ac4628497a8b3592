//! The settings file, from its first writing to its mistakes.

use crate::rig::Rig;

#[test]
fn the_first_start_writes_a_commented_file_that_can_be_edited() {
    let rig = Rig::new();
    rig.up(&[]).terminate();
    let file = String::from_utf8(rig.read("ledgerstone-data/ledgerstone.toml")).unwrap();
    assert!(file.contains("# ledgers = [\"main\"]"), "{file}");
    rig.write(
        "ledgerstone-data/ledgerstone.toml",
        file.replace("# ledgers = [\"main\"]", "ledgers = [\"main\", \"audit\"]"),
    );
    // Until the server has started with it, the file is not the one that the ledger knows.
    rig.run(&["verify", "ledgerstone-data"]).code_is(1).says("settings");
    let server = rig.up(&[]);
    assert!(server.banner.contains("ledger audit"), "{}", server.banner);
    server.terminate();
    rig.run(&["verify", "ledgerstone-data"]).ok();
}

#[test]
fn all_mistakes_are_told_at_once_and_nothing_is_started() {
    let rig = Rig::new();
    rig.write("bad.toml", "lisen = \"127.0.0.1:1\"\nledgers = []\n[commit]\nheartbeat_s = 0\n");
    let refused = rig.run(&["up", "--settings", "bad.toml"]).code_is(2);
    for line in
        ["bad.toml: line 1: lisen", "bad.toml: line 2: ledgers", "bad.toml: line 4: commit.heartbeat_s"]
    {
        assert!(refused.err.contains(line), "{line}: {refused:?}");
    }
    assert!(!rig.path("ledgerstone-data").exists());
}

#[test]
fn given_settings_become_those_of_the_store() {
    let rig = Rig::new();
    rig.write("given.toml", "ledgers = [\"one\"]\n");
    rig.up(&["--settings", "given.toml"]).terminate();
    assert_eq!(rig.read("ledgerstone-data/ledgerstone.toml"), b"ledgers = [\"one\"]\n");
    rig.write("given.toml", "ledgers = [\"one\", \"two\"]\n");
    let (_, log) = rig.up(&["--settings", "given.toml"]).terminate();
    assert!(log.contains("is replaced by the settings that were given"), "{log}");
    rig.run(&["verify", "ledgerstone-data"]).ok();
    // Without the flag they stay.
    assert!(rig.up(&[]).banner.contains("ledger two"));
}

#[test]
fn clients_find_a_server_by_its_settings() {
    let rig = Rig::new();
    rig.up(&[]).terminate();
    // Below those that the system gives out by itself, so that only a server that was set up there is in the way: then
    // another is taken.
    let first = 20_000 + std::process::id() % 10_000;
    let found = (first..first + 20).any(|port| {
        rig.write("ledgerstone-data/ledgerstone.toml", format!("listen = \"127.0.0.1:{port}\"\n"));
        // The banner's helper asks for a free port, which goes before the settings; so the verb is run as it is.
        let mut command = rig.command(&["up"]);
        let mut child =
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        let mut found = false;
        while !found && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(50));
            found = rig.run(&["status"]).code == Some(0);
        }
        // It may have ended.
        let _ = child.kill();
        child.wait().unwrap();
        found
    });
    assert!(found);
}

#[test]
fn only_loopback_until_tls_exists() {
    let rig = Rig::new();
    rig.run(&["up", "--listen", "0.0.0.0:0"]).code_is(2).says("danger_listen_without_tls");
    rig.run(&["up", "--data", "a", "--keys", "a/keys"]).code_is(2).says("must not lie inside");
    rig.run(&["up", "--ledger", "Bad Name"]).code_is(2).says("small letters");
}
