//! What a person does in the first five minutes, from the first start to a proof.

use serde_json::Value;

use crate::rig::{Rig, example};

#[test]
fn record_find_show_prove_and_verify() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    let key = server.vkey();
    assert!(server.banner.contains("admin.token, new"), "{}", server.banner);

    // The examples, in the formats they have, with receipts that the verb itself checks.
    let cloudtrail = example("cloudtrail.json");
    let kubernetes = example("kubernetes-audit.ndjson");
    let first = rig.ask_json(&server, &["append", &cloudtrail, "--receipts", "receipts.ndjson"]);
    assert_eq!(
        (first["complete"].as_bool(), first["quarantined"].as_u64()),
        (Some(true), Some(0)),
        "{first}"
    );
    assert_eq!(
        first["last"].as_u64().unwrap() - first["first"].as_u64().unwrap() + 1,
        first["count"].as_u64().unwrap()
    );
    let told = rig.ask(&server, &["append", &kubernetes, "--wait", "committed"]).ok();
    assert!(told.out.contains("13 records committed in ledger main: first index"), "{told:?}");

    // Find one of each.
    let found = rig.ask(&server, &["search", "actor.user.name:alice"]).ok();
    assert!(found.out.starts_with("index") && found.out.contains("ConsoleLogin"), "{found:?}");
    let hits = rig.ask_json(&server, &["search", "dana@example.com", "--limit", "1"]);
    assert_eq!(hits["hits"].as_array().unwrap().len(), 1);
    rig.ask(&server, &["search", "no-such-word-anywhere"]).code_is(1).says("nothing found");
    let all = rig.ask_json(&server, &["search"]);
    assert!(all["hits"].as_array().unwrap().len() > 13);

    // Show it, also as the bytes that were sent.
    let index = first["first"].as_u64().unwrap().to_string();
    rig.ask(&server, &["show", &index]).ok().says("actor.user.name").says("committed");
    let shown = rig.ask_json(&server, &["show", &index]);
    assert_eq!(shown["index"].as_u64(), first["first"].as_u64());
    let raw = rig.ask(&server, &["show", &index, "--raw"]).ok().raw_out;
    let sent: Value = serde_json::from_slice(&std::fs::read(&cloudtrail).unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&raw).unwrap(), sent["Records"][0]);
    rig.write("event.json", &raw);

    // Prove it, and check the proof and the receipts without the server.
    let proven = rig.ask(&server, &["prove", &index, "-o", "one.tlog-proof", "--key", &key]).ok();
    assert!(!proven.err.contains("warning"), "{proven:?}");
    rig.ask(&server, &["prove", &index, "-o", "two.tlog-proof"]).ok().says("key not pinned");
    rig.ask(&server, &["receipt", &index, "-o", "one.receipt.json"]).ok().says("committed");
    let (exit, log) = server.terminate();
    assert_eq!(exit, Some(0), "{log}");

    for file in ["one.tlog-proof", "one.receipt.json"] {
        rig.run(&["verify", file, "--key", &key, "--raw", "event.json", "--require-anchor"])
            .ok()
            .says("proven");
        rig.run(&["verify", file, "--key", &key, "--raw", &kubernetes]).code_is(1).says("disproven");
    }
    rig.run(&["verify", "receipts.ndjson", "--raw", &cloudtrail])
        .ok()
        .says("each recomputed from its record");
    rig.run(&["verify", "receipts.ndjson", "--raw", &kubernetes]).code_is(1);

    // The store itself.
    let report = rig.run(&["verify", "ledgerstone-data", "--key", &key, "--json"]).ok().json();
    assert_eq!(report["verdict"], "proven");
    assert_eq!(report["events"].as_u64(), Some(first["count"].as_u64().unwrap() + 13));
    assert_eq!((report["anchor"].as_str(), report["payloads_opened"].as_bool()), (Some("key"), Some(true)));
    rig.run(&["verify", "ledgerstone-data"]).ok().says("key not pinned");
    rig.run(&["verify", "ledgerstone-data", "--require-anchor"]).code_is(2).says("--key");
}

#[test]
fn a_running_server_is_verified_over_http() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    let key = server.vkey();
    rig.ask(&server, &["append", &example("cloudtrail.json"), "--wait", "committed"]).ok();
    // More than one full bundle and tile.
    let line = "{\"actor\":{\"user\":{\"name\":\"alice\"}},\"api\":{\"operation\":\"read\"}}\n";
    rig.write("many.ndjson", line.repeat(700));
    rig.ask(&server, &["append", "many.ndjson", "--wait", "committed"]).ok();

    let report = rig.run(&["verify", &server.url, "--key", &key, "--json"]).ok().json();
    assert_eq!((report["verdict"].as_str(), report["anchor"].as_str()), (Some("proven"), Some("key")));
    assert!(report["events"].as_u64() > Some(700) && report["tree_size"].as_u64() > Some(700), "{report}");
    assert_eq!(report["ledgers"][0]["payloads"], report["tree_size"]);
    // Another ledger's key signs nothing here.
    let other = Rig::new();
    let foreign = other.up(&[]).vkey();
    rig.run(&["verify", &server.url, "--key", &foreign])
        .code_is(1)
        .says("no ledger of this server is signed");
}

#[test]
fn standard_input_is_appended() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    let done = rig
        .feed(&server, &["append", "-", "--json"], b"{\"actor\":{\"user\":{\"name\":\"bob\"}}}\nnot json\n")
        .ok();
    let told = done.json();
    assert_eq!((told["count"].as_u64(), told["quarantined"].as_u64()), (Some(2), Some(1)));
    assert!(done.err.contains("kept whole in quarantine"), "{done:?}");
    rig.ask(&server, &["search", "kind:quarantine"]).ok().says("quarantine:");
    rig.feed(&server, &["append", "-"], b"").code_is(2).says("nothing to append");
}

#[test]
fn the_commands_in_the_banner_can_be_pasted() {
    let rig = Rig::new();
    let server = rig.up(&["--ledger", "first", "--data", "a dir"]);
    let binary = env!("CARGO_BIN_EXE_ledgerstone");
    let line = server.banner.lines().find(|line| line.contains("ledgerstone append")).unwrap();
    let line = line.replace("| ledgerstone", &format!("| {binary}"));
    let done =
        std::process::Command::new("sh").args(["-c", &line]).current_dir(rig.path("")).output().unwrap();
    let out = String::from_utf8_lossy(&done.stdout);
    assert!(out.contains("1 record durable in ledger first"), "{line}: {done:?}");
}

#[test]
fn status_tells_how_far_each_ledger_has_got() {
    let rig = Rig::new();
    let server = rig.up(&["--ledger", "main", "--ledger", "staging"]);
    rig.ask(&server, &["append", &example("native.ndjson"), "--ledger", "staging", "--wait", "committed"])
        .ok();
    rig.ask(&server, &["status"]).ok().says("recording").says("staging");
    let status = rig.ask_json(&server, &["status"]);
    assert_eq!(status["status"], "ok");
    let ledgers = status["ledgers"].as_array().unwrap();
    let staging = ledgers.iter().find(|ledger| ledger["name"] == "staging").unwrap();
    assert!(staging["committed"].as_u64() >= Some(6), "{status}");
}
