//! The verbs `key`: a ledger's signing key is replaced, on one machine and on two, and whoever knew the old one still
//! knows the ledger.

use std::fs;

use crate::rig::{Rig, Server};

const DATA: &str = "ledgerstone-data";
const KEYS: &str = "ledgerstone-data-keys";

fn append(rig: &Rig, server: &Server) {
    let event = br#"{"class_uid":6003,"time":1,"actor":{"user":{"name":"u1"}},"message":"m"}"#;
    rig.feed(server, &["append", "--wait", "committed", "-"], event).ok();
}

/// Verifies the store with a key from outside.
#[track_caller]
fn verify(rig: &Rig, key: &str, code: i32) -> serde_json::Value {
    rig.run(&["verify", DATA, "--key", key, "--json"]).code_is(code).json()
}

#[test]
fn a_key_is_replaced_where_the_authority_key_is_at_hand() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    append(&rig, &server);
    rig.ask(&server, &["receipt", "2", "-o", "old.receipt.json"]).ok();
    let mut known = vec![server.vkey()];
    let stranger = tlog::SigningKey::from_seed(known[0].split('+').next().unwrap(), [7; 32]).unwrap();
    let stranger = stranger.verifying_key().to_string();
    // The server runs meanwhile, and signs with the old key until it is started again.
    rig.run(&["key", "rotate"]).ok().says("restart the server");
    rig.run(&["key", "rotate"]).code_is(2).says("waits already").says("restart the server");
    rig.run(&["key", "show"]).ok().says("a signed change waits").says("in force");
    append(&rig, &server);
    assert_eq!(verify(&rig, &known[0], 0)["ledgers"][0]["keys"].as_array().unwrap().len(), 1);
    server.terminate();

    let server = rig.up(&[]);
    known.push(server.vkey());
    assert_ne!(known[0], known[1]);
    append(&rig, &server);
    // A second time, from a kill.
    rig.run(&["key", "rotate", "--json"]).ok();
    server.kill();
    let server = rig.up(&[]);
    known.push(server.vkey());
    append(&rig, &server);
    rig.run(&["key", "rotate", "--ledger", "system"]).ok();
    server.terminate();

    for key in &known {
        let report = verify(&rig, key, 0);
        let ledger = &report["ledgers"][0];
        assert_eq!((report["verdict"].as_str(), report["anchor"].as_str()), (Some("proven"), Some("key")));
        let keys = ledger["keys"].as_array().unwrap();
        assert!(keys.iter().map(|key| key["vkey"].as_str().unwrap()).eq(known.iter().map(String::as_str)));
        let index = keys[1]["index"].as_u64().unwrap();
        let note = format!("main: key changed at index {index} by the authority: {}", known[1]);
        assert!(report["notes"].as_array().unwrap().iter().any(|said| said == &note), "{report}");
    }
    verify(&rig, &stranger, 1);
    // A receipt stays good under the key that signed it.
    rig.run(&["verify", "old.receipt.json", "--key", &known[0]]).ok().says("proven");
    rig.run(&["verify", "old.receipt.json", "--key", &known[2]]).code_is(1);
    rig.run(&["verify", DATA, "--kept", "old.receipt.json"]).ok();
    let shown = rig.run(&["key", "show", "--json"]).ok().json();
    assert_eq!((shown["keys"].as_array().unwrap().len(), shown["vkey"].as_str()), (3, Some(&*known[2])));
    assert_eq!(shown["change_waits"], false);
    assert!(shown["next"].is_null() && !rig.path(KEYS).join("main.key-change").exists());
    let server = rig.up(&[]);
    append(&rig, &server);
    // Over HTTP as well, for whoever may open the ledger's own records; without them nobody can tell.
    let over_http =
        |key: &str, flags: &[&str]| rig.run(&[&["verify", &server.url, "--key", key][..], flags].concat());
    for key in &known {
        over_http(key, &[]).ok().says("key changed at index");
    }
    over_http(&stranger, &[]).code_is(1);
    let nobody = ["--data", "nowhere"];
    over_http(&known[2], &nobody).code_is(2).says("signed by the key you gave");
    over_http(&known[0], &nobody).code_is(2).says("may be an earlier one");
    server.terminate();
    assert_eq!(verify(&rig, &known[0], 0)["ledgers"][1]["keys"].as_array().unwrap().len(), 2);
}

#[test]
fn the_authority_key_may_lie_on_another_machine() {
    let (rig, other) = (Rig::new(), Rig::new());
    let server = rig.up(&[]);
    append(&rig, &server);
    let old = server.vkey();
    fs::rename(rig.path(KEYS).join("main.authority.key"), other.path("main.authority.key")).unwrap();
    rig.run(&["key", "rotate"]).code_is(2).says("there is no authority key").says("--authority FILE");
    let prepared = rig.run(&["key", "prepare", "--json"]).ok().json();
    let new = prepared["vkey"].as_str().unwrap();
    rig.run(&["key", "prepare"]).code_is(2).says("there is a file already");
    rig.run(&["key", "apply", "main.key-request"]).code_is(1).says("not signed yet");
    fs::copy(rig.path("main.key-request"), other.path("main.key-request")).unwrap();

    let sign = |more: &[&str]| {
        other.run(&[&["key", "sign", "main.key-request", "--authority", "main.authority.key"], more].concat())
    };
    sign(&["--key", new, "-o", "never"]).code_is(1).says("not signed");
    sign(&["--key", &old]).ok().says(new).says("key apply main.key-change");
    sign(&[]).code_is(2).says("there is a file already");
    fs::copy(other.path("main.key-change"), rig.path("main.key-change")).unwrap();

    // More was recorded meanwhile; the change is bound to what was there before.
    append(&rig, &server);
    rig.run(&["key", "apply", "main.key-change"]).ok().says("restart the server");
    // The same again changes nothing.
    rig.run(&["key", "apply", "main.key-change"]).ok();
    server.terminate();
    let server = rig.up(&[]);
    assert_eq!(server.vkey(), new);
    append(&rig, &server);
    server.terminate();
    verify(&rig, &old, 0);
    verify(&rig, new, 0);
    // What is through can't be entered again.
    rig.run(&["key", "apply", "main.key-change"]).code_is(1).says("does not hold");
}

#[test]
fn what_does_not_hold_is_refused_and_says_what_to_do() {
    let (rig, strangers) = (Rig::new(), Rig::new());
    let server = rig.up(&[]);
    append(&rig, &server);
    server.terminate();
    strangers.up(&[]).terminate();
    let theirs = strangers.path(KEYS).join("main.authority.key").display().to_string();
    rig.run(&["key", "prepare"]).ok();
    rig.run(&["key", "sign", "main.key-request", "--authority", &theirs])
        .code_is(1)
        .says("the authority key is of");
    rig.run(&["key", "prepare", "--ledger", "nobody", "-o", "x"]).code_is(2).says("choose one with --ledger");
    rig.run(&["key", "show", "--data", "nowhere"]).code_is(2).says("--data DIR");

    // Signed by a key that has the right name and is not the genesis' authority.
    let origin = String::from_utf8(rig.read(&format!("{DATA}/ledgers/main/checkpoint"))).unwrap();
    let name = format!("{}/authority", origin.lines().next().unwrap());
    let forged = tlog::SigningKey::from_seed(&name, [9; 32]).unwrap();
    let vkey = forged.verifying_key().to_string();
    rig.write("forged.key", evidence::keys::format_signing(&name, &[9; 32], &vkey));
    rig.run(&["key", "sign", "main.key-request", "--authority", "forged.key", "-o", "forged"]).ok();
    rig.run(&["key", "apply", "forged"]).code_is(1).says("K1");
    // Placed past the verb, the start refuses it and says which file.
    fs::copy(rig.path("forged"), rig.path(KEYS).join("main.key-change")).unwrap();
    let refused = rig.run(&["up", "--listen", "127.0.0.1:0"]);
    assert_ne!(refused.code, Some(0));
    refused.says("main.key-change").says("remove it");
    fs::remove_file(rig.path(KEYS).join("main.key-change")).unwrap();
    rig.up(&[]).terminate();

    // The prepared key is gone: the change is of no use here.
    let authority = rig.path(KEYS).join("main.authority.key").display().to_string();
    rig.run(&["key", "sign", "main.key-request", "--authority", &authority]).ok();
    fs::remove_file(rig.path(KEYS).join("main.signing.next.key")).unwrap();
    rig.run(&["key", "apply", "main.key-change"]).code_is(1).says("the new key is not here");
}
