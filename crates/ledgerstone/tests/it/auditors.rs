//! Two auditors who hold what they were given against each other.

use std::process::Command;

use crate::rig::{Rig, Server};

fn append(rig: &Rig, server: &Server, who: &str, count: u32) {
    let events: String =
        (0..count).map(|n| format!("{{\"actor\":{{\"user\":{{\"name\":\"{who}{n}\"}}}}}}\n")).collect();
    let receipts = format!("{who}.receipts");
    let args = ["append", "-", "--wait", "committed", "--receipts", &receipts];
    rig.feed(server, &args, events.as_bytes()).ok();
}

fn export(rig: &Rig, server: &Server, file: &str, more: &[&str]) {
    let args = ["evidence", "--case", "1", "--purpose", "audit", "-o", file];
    rig.ask(server, &[&args, more].concat()).ok();
}

fn copy(rig: &Rig, from: &str, to: &str) {
    for end in ["", "-keys"] {
        let names = [format!("{from}{end}"), format!("{to}{end}")];
        assert!(
            Command::new("cp").arg("-r").args(names).current_dir(rig.path("")).status().unwrap().success()
        );
    }
}

/// Each branch is signed by the ledger's own key: alone each auditor sees a whole and well-signed history.
#[test]
fn a_split_view_is_green_for_each_auditor_and_disproven_for_both() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    append(&rig, &server, "common", 20);
    export(&rig, &server, "early.evidence", &[]);
    assert_eq!(server.terminate().0, Some(0));
    copy(&rig, "ledgerstone-data", "other");

    let server = rig.up(&[]);
    append(&rig, &server, "ann", 30);
    export(&rig, &server, "ann.evidence", &[]);
    // Others may be told of a part only.
    export(&rig, &server, "part.evidence", &["--from", "30", "--to", "40"]);
    assert_eq!(server.terminate().0, Some(0));
    let server = rig.up(&["--data", "other"]);
    append(&rig, &server, "bob", 40);
    let token = ["--token-file", "other/admin.token"];
    export(&rig, &server, "bob.evidence", &token);
    export(&rig, &server, "part-of-bob.evidence", &[&token[..], &["--from", "35", "--to", "45"]].concat());
    assert_eq!(server.terminate().0, Some(0));

    let json = rig.run(&["verify", "ann.evidence", "--json"]).ok().json();
    let key = json["manifest"]["vkey"].as_str().unwrap().to_owned();
    for file in ["early.evidence", "ann.evidence", "bob.evidence", "part.evidence", "part-of-bob.evidence"] {
        rig.run(&["verify", file, "--key", &key, "--require-anchor"]).ok();
    }
    let verify = |files: &[&str]| rig.run(&[&["verify", "--key", &key, "--require-anchor"], files].concat());
    verify(&["early.evidence", "ann.evidence"]).ok().says("one history");
    verify(&["bob.evidence", "early.evidence"]).ok().says("one history");
    verify(&["ann.evidence", "ann.receipts", "part.evidence"]).ok();
    for pair in [
        ["ann.evidence", "bob.evidence"],
        ["part.evidence", "part-of-bob.evidence"],
        ["ann.receipts", "bob.evidence"],
        ["ann.receipts", "bob.receipts"],
    ] {
        verify(&pair).code_is(1).says("equivocation").says("what shows it to anybody is in");
    }
    // Nothing in common that would tell is not green.
    verify(&["early.evidence", "part.evidence"]).code_is(2).says("nothing here proves");

    // What is kept convinces whoever has the key and nothing else.
    let json = rig.run(&["verify", "ann.evidence", "bob.evidence", "--json"]).code_is(1).json();
    assert_eq!((json["equivocation"].as_bool(), json["anchor"].as_str()), (Some(true), Some("none")));
    for name in ["one", "other"] {
        let note = json["forks"][0][format!("{name}.checkpoint")].as_str().unwrap();
        rig.write(&format!("{name}.checkpoint"), note);
    }
    rig.write("proof", json["forks"][0]["proof"].as_str().unwrap());
    verify(&["one.checkpoint", "other.checkpoint", "proof"]).code_is(1).says("equivocation");
    verify(&["one.checkpoint", "other.checkpoint"]).code_is(2);
    verify(&["one.checkpoint", "ann.evidence", "proof"]).code_is(1).says("broken: proof");
    verify(&["one.checkpoint", "bob.evidence"]).code_is(1);
    verify(&["one.checkpoint", "ann.evidence"]).ok();
    rig.run(&["verify", "ann.evidence", "ledgerstone-data"]).code_is(2).says("--kept");
}

/// What an auditor was given once is held against what the server shows now.
#[test]
fn the_checkpoints_of_an_evidence_file_are_held_against_a_server() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    append(&rig, &server, "common", 20);
    export(&rig, &server, "early.evidence", &[]);
    assert_eq!(server.terminate().0, Some(0));
    copy(&rig, "ledgerstone-data", "other");
    let server = rig.up(&[]);
    append(&rig, &server, "ann", 30);
    export(&rig, &server, "ann.evidence", &[]);
    let json = rig.run(&["verify", "ann.evidence", "--json"]).ok().json();
    let key = json["manifest"]["vkey"].as_str().unwrap().to_owned();
    let against = |server: &Server, files: &[&str]| {
        rig.run(&[&["verify", "--key", &key, "--server", &server.url], files].concat())
    };
    against(&server, &["early.evidence", "ann.evidence"]).ok().says("held against");
    let mut bytes = std::fs::read(rig.path("early.evidence")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(rig.path("changed.evidence"), bytes).unwrap();
    against(&server, &["changed.evidence"]).code_is(1).says("broken: changed.evidence");
    assert_eq!(server.terminate().0, Some(0));
    // Another history, signed by the same key: longer than what Ann was given, then shorter.
    let server = rig.up(&["--data", "other"]);
    against(&server, &["early.evidence"]).ok();
    against(&server, &["ann.evidence"]).code_is(1).says("its checkpoint of");
    let token = ["append", "-", "--token-file", "other/admin.token", "--wait", "committed"];
    let events: String =
        (0..60).map(|n| format!("{{\"actor\":{{\"user\":{{\"name\":\"bob{n}\"}}}}}}\n")).collect();
    rig.feed(&server, &token, events.as_bytes()).ok();
    against(&server, &["early.evidence"]).ok();
    against(&server, &["ann.evidence"])
        .code_is(1)
        .says("does not begin with the tree")
        .says("what shows it is in");
    assert_eq!(server.terminate().0, Some(0));
}
