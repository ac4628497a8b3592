//! The commands of the documents, run as they stand, beside a server of their own.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::rig::{Rig, Server};

/// The blocks of a page that are marked as shell commands.
fn blocks(page: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
    let text = fs::read_to_string(path).unwrap();
    let parts = text.split("```sh\n").skip(1);
    parts.map(|part| part.split("```").next().unwrap().to_owned()).collect()
}

/// Runs a page from top to bottom in one shell.
fn run(page: &str, before: impl Fn(&str) -> String) {
    let rig = Rig::new();
    let server = rig.up(&[]);
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").canonicalize().unwrap();
    std::os::unix::fs::symlink(examples, rig.path("examples")).unwrap();
    let blocks = blocks(page);
    assert!(!blocks.is_empty(), "{page} has no commands");
    let script = format!("set -eu\n{}", before(&blocks.join("\n")));
    let done = shell(&rig, &server, &script);
    assert!(
        done.status.success(),
        "{page}: {}\n{}\n{}",
        done.status,
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}

fn shell(rig: &Rig, server: &Server, script: &str) -> std::process::Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_ledgerstone")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.args(["-xc", script]).current_dir(rig.path("")).env("PATH", path);
    for name in ["LEDGERSTONE_TOKEN", "LEDGERSTONE_PURPOSE", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.env("LEDGERSTONE_SERVER", &server.url).output().unwrap()
}

#[test]
fn the_guide_holds() {
    run("guide.md", str::to_owned);
}

#[test]
fn the_page_on_evidence_holds() {
    run("evidence.md", str::to_owned);
}

/// Beside a backup, a folder with what was kept, and a witness that has seen more than the backup.
#[test]
fn the_page_on_recovery_holds() {
    let rig = Rig::new();
    let _lost = crate::succeed::Lost::new(&rig);
    fs::rename(rig.path("backup"), rig.path("old-data")).unwrap();
    fs::create_dir(rig.path("kept")).unwrap();
    fs::rename(rig.path("receipts.ndjson"), rig.path("kept/receipts.ndjson")).unwrap();
    let script = format!("set -eu\n{}", blocks("recovery.md").join("\n"));
    let server = rig.up(&["--data", "beside"]);
    let done = shell(&rig, &server, &script);
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{}: {text}", done.status);
    for told in ["are lost", "quorum: ", "begun", "continues"] {
        assert!(text.contains(told), "{told}: {text}");
    }
}

#[test]
fn the_examples_with_curl_hold() {
    run("api.md", |script| script.replace("BASE=http://127.0.0.1:4780", "BASE=$LEDGERSTONE_SERVER"));
}

#[test]
fn the_page_on_access_holds() {
    // The id of a token is nobody's here: take that of the one that was made first.
    let id = "$(ledgerstone token list --json | grep -o '\"id\":\"[0-9a-f]*\"' | sed -n 2p | cut -d'\"' -f4)";
    run("access.md", |script| {
        let script = script.replace("token revoke 0123456789abcdef", &format!("token revoke \"{id}\""));
        let script = script.replace("'actor.user.uid:0123456789abcdef'", "'api.operation:token.list'");
        // Somebody must have been denied, and have searched, for there to be something to show.
        let script = script.replacen(
            "ledgerstone access ",
            "echo lst_bad > bad.token; ledgerstone token add r --role reader > r.token; \
             ledgerstone access --token-file r.token || true; ledgerstone search 4711 || true; ledgerstone access ",
            1,
        );
        script.replace("echo lst_bad > bad.token; ", "")
    });
}
