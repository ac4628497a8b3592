//! Evidence from a running server, handed over and checked.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::rig::{Rig, example};

#[test]
fn a_file_is_written_and_proven_and_a_changed_one_is_not() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    rig.ask(&server, &["append", &example("cloudtrail.json")]).ok();
    let ask = |more: &[&str]| {
        let args = ["evidence", "--case", "47\u{202e}11", "-o", "file.evidence"];
        rig.ask(&server, &[&args, more].concat())
    };
    // The first administrator's token carries a purpose of its own; others have to say it.
    let auditor = rig.ask(&server, &["token", "add", "eve", "--role", "auditor"]).ok().out;
    rig.write("eve.token", auditor);
    ask(&["--token-file", "eve.token"]).code_is(2).says("--purpose");
    ask(&["--purpose", "audit", "--from", "yesterday"]).code_is(2).says("neither an index nor a time");
    ask(&["--purpose", "audit", "--from", "90", "--to", "91"]).code_is(2).says("beyond the durable");
    ask(&["--purpose", "audit", "--withhold", "when"]).code_is(2).says("withhold");
    assert!(!rig.path("file.evidence").exists() && !rig.path("file.evidence.part").exists());

    let done = ask(&["--purpose", "audit", "--withhold", "who"])
        .ok()
        .says("every record")
        .says("ledgerstone-verify");
    let sha256 = done.out.split("sha256 ").nth(1).unwrap().trim().to_owned();
    rig.ask(&server, &["access", "evidence.end", "--json"]).ok().says(&sha256);
    rig.ask(&server, &["access", "evidence.begin", "--json"]).ok().says("audit");
    assert_eq!(fs::metadata(rig.path("file.evidence")).unwrap().permissions().mode() & 0o777, 0o600);

    // Without a server, with a key from elsewhere: that of the banner.
    drop(server);
    let told = rig.run(&["verify", "file.evidence"]).ok().says("key not pinned").says("47\\u{202e}11");
    assert!(told.out.starts_with("proven\n") && !told.out.contains('\u{202e}'), "{}", told.out);
    rig.run(&["verify", "file.evidence", "--require-anchor"]).code_is(2);
    let json = rig.run(&["verify", "file.evidence", "--json"]).ok().out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json["verdict"].as_str(), json["anchor"].as_str()), (Some("proven"), Some("none")));
    assert_eq!(json["manifest_sha256"], sha256);
    let key = json["manifest"]["vkey"].as_str().unwrap();
    let pinned = ["verify", "file.evidence", "--require-anchor", "--key", key];
    rig.run(&pinned).ok().says("signed by the key you gave");

    let mut bytes = rig.read("file.evidence");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    rig.write("changed.evidence", &bytes);
    rig.run(&["verify", "changed.evidence"]).code_is(1).says("disproven").says("E");
}

#[test]
fn a_query_says_that_it_is_a_selection() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    rig.ask(&server, &["append", &example("cloudtrail.json")]).ok();
    let args = ["evidence", "--query", "GetObject", "--case", "1", "--purpose", "p", "-o", "q.evidence"];
    rig.ask(&server, &args).ok().says("completeness of the match is not provable");
    let told = rig.run(&["verify", "q.evidence"]).ok();
    assert!(told.out.starts_with("proven: a selection; completeness of the match is not provable\n"));
}
