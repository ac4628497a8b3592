//! What goes wrong is told with what to do next, and with the exit code that scripts rely on.

use crate::rig::{Rig, example};

#[test]
fn no_server_and_no_token() {
    let rig = Rig::new();
    rig.run(&["status"]).code_is(2).says("there is no token").says("ledgerstone up");
    let token =
        rig.write("token", "lst_0000000000000000000000000000000000000000000000000000000000000000_00000000");
    let file = token.display().to_string();
    let args = ["status", "--server", "http://127.0.0.1:1", "--token-file", &file];
    rig.run(&args).code_is(2).says("no server answers at http://127.0.0.1:1").says("`ledgerstone up`");
    let args = ["status", "--server", "https://127.0.0.1:1", "--token-file", &file, "--ca", "token"];
    rig.run(&args).code_is(2).says("there is no certificate (PEM) in token");
    let args = ["status", "--server", "http://192.0.2.1:1", "--token-file", &file];
    rig.run(&args).code_is(2).says("in the clear");
}

#[test]
fn a_wrong_token_is_named_by_where_it_came_from() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    rig.write("wrong", "lst_wrong\n");
    rig.ask(&server, &["status", "--token-file", "wrong"])
        .code_is(2)
        .says("does not know the token from wrong");
    rig.ask(&server, &["append", &example("native.ndjson"), "--token-file", "wrong"])
        .code_is(2)
        .says("nothing of")
        .says("--token-file");
    // The variable goes before the file of the store, and the flag before both.
    let token = String::from_utf8(rig.read("ledgerstone-data/admin.token")).unwrap();
    let run = |token: &str, flags: &[&str]| {
        let args = [&["status"][..], flags].concat();
        let mut command = rig.command(&args);
        command.env("LEDGERSTONE_SERVER", &server.url).env("LEDGERSTONE_TOKEN", token);
        command.output().unwrap().status.code()
    };
    assert_eq!(run("lst_wrong", &[]), Some(2));
    assert_eq!(run("lst_wrong", &["--token-file", "ledgerstone-data/admin.token"]), Some(0));
    assert_eq!(run(token.trim(), &["--data", "nowhere"]), Some(0));
}

#[test]
fn what_is_not_there_is_a_no() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    for verb in [&["show", "999999"][..], &["prove", "999999", "-o", "x"], &["receipt", "999999", "-o", "x"]]
    {
        rig.ask(&server, verb).code_is(1);
    }
    assert!(!rig.path("x").exists());
    rig.ask(&server, &["append", "--ledger", "nowhere", &example("native.ndjson")]).code_is(2).says("ledger");
    rig.ask(&server, &["append", "no-such-file"]).code_is(2).says("no-such-file");
    rig.ask(&server, &["append", "--format", "nonsense", &example("native.ndjson")])
        .code_is(2)
        .says("format");
    rig.run(&["verify", "no-such-file"]).code_is(2).says("nothing to verify");
}

#[test]
fn a_damaged_proof_or_receipt_is_disproven_or_refused() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    rig.ask(&server, &["append", &example("native.ndjson"), "--wait", "committed"]).ok();
    let key = server.vkey();
    rig.ask(&server, &["prove", "2", "-o", "p", "--key", &key]).ok();
    rig.run(&["verify", "p", "--key", &key]).ok();
    rig.run(&["verify", "p"]).code_is(2).says("--key");
    // Another event's number: the way to the root is another one.
    let text = String::from_utf8(rig.read("p")).unwrap();
    rig.write("p2", text.replace("\nindex 2\n", "\nindex 3\n"));
    let code = rig.run(&["verify", "p2", "--key", &key]).code;
    assert!(matches!(code, Some(1 | 2)), "{code:?}");
    // Another ledger's key.
    let other = Rig::new();
    let foreign = other.up(&[]).vkey();
    rig.ask(&server, &["prove", "2", "-o", "p3", "--key", &foreign]).code_is(1).says("does not hold");
    assert!(!rig.path("p3").exists());
    rig.run(&["verify", "p", "--key", &foreign]).code_is(1);
    rig.ask(&server, &["prove", "2", "-o", "p3", "--key", "nonsense"])
        .code_is(2)
        .says("not a verification key");
}

#[test]
fn every_verb_has_help_with_exit_codes_or_examples() {
    let rig = Rig::new();
    for verb in ["up", "serve", "append", "search", "show", "prove", "receipt", "verify", "status"] {
        let help = rig.run(&[verb, "--help"]).ok();
        assert!(help.out.contains("Example") || help.out.contains("Exit codes"), "{help:?}");
    }
    rig.run(&["sources", "add", "--help"]).ok().says("Example");
    assert_eq!(rig.run(&["--version"]).ok().out, format!("ledgerstone {}\n", env!("CARGO_PKG_VERSION")));
    rig.run(&["no-such-verb"]).code_is(2);
    rig.run(&["append"]).code_is(2);
}
