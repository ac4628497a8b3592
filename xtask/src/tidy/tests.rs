//! Goal: every rule fires on the smallest tree that breaks it, and none on one that breaks none.
//! Method: a clean workspace of a few files, with one of them replaced or added per row.

use super::tree::Tree;
use super::{Finding, check};

const ROOT: &str = "\
[workspace.lints.rust]
unsafe_code = \"forbid\"
missing_docs = \"warn\"
unused_must_use = \"deny\"
[workspace.lints.clippy]
unwrap_used = \"warn\"
[workspace.dependencies]
sha2 = \"0.11\"
";

fn manifest(name: &str, rest: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nedition.workspace = true\nlicense.workspace = true\n\
         publish.workspace = true\n[lints]\nworkspace = true\n{rest}"
    )
}

fn clean() -> Vec<(String, String)> {
    let mut files = vec![
        ("Cargo.toml".to_owned(), ROOT.to_owned()),
        ("Cargo.lock".to_owned(), "version = 4\n".to_owned()),
        ("README.md".to_owned(), "# Hello, you\nsee [there](docs/a.md#two-words)\n".to_owned()),
        ("docs/a.md".to_owned(), "# One\n## Two words\n[back](../README.md) [up](#one)\n".to_owned()),
        ("fuzz/Cargo.toml".to_owned(), "[workspace]\n".to_owned()),
    ];
    let crates = [
        ("tlog", "[dependencies]\nsha2.workspace = true\n[dev-dependencies]\ntestkit.workspace = true\n"),
        ("evidence", "[dependencies]\ntlog.workspace = true\n"),
        ("wire", "[dependencies]\ntlog.workspace = true\n"),
        (
            "verifier",
            "[dependencies]\nevidence.workspace = true\n[dev-dependencies]\nledger.workspace = true\n",
        ),
        ("storage", ""),
        ("ledger", "[dependencies]\nstorage.workspace = true\nevidence.workspace = true\n"),
        ("testkit", "[dependencies]\nledger.workspace = true\n"),
    ];
    for (name, dependencies) in crates {
        files.push((format!("crates/{name}/Cargo.toml"), manifest(name, dependencies)));
        files.push((format!("crates/{name}/src/lib.rs"), "//! A crate.\n".to_owned()));
    }
    files
}

fn findings(files: Vec<(String, String)>) -> Vec<Finding> {
    check(&Tree::new(files.into_iter().map(|(path, text)| (path, text.into_bytes())))).findings
}

fn changed(path: &str, text: &str) -> Vec<Finding> {
    let mut files = clean();
    files.retain(|(old, _)| old != path);
    files.push((path.to_owned(), text.to_owned()));
    findings(files)
}

/// Says that putting `text` at `path` is found once, by this rule, on this line, with these words.
#[track_caller]
fn breaks(path: &str, text: &str, rule: &str, line: usize, words: &str) {
    let found = changed(path, text);
    let shown = Vec::from_iter(found.iter().map(ToString::to_string)).join("\n");
    assert_eq!(found.len(), 1, "{path}: {text}\n{shown}");
    assert_eq!((found[0].rule, found[0].line), (rule, line), "{shown}");
    assert!(found[0].message.contains(words), "{shown}");
}

/// Says that putting `text` at `path` breaks nothing.
#[track_caller]
fn passes(path: &str, text: &str) {
    let shown = Vec::from_iter(changed(path, text).iter().map(ToString::to_string)).join("\n");
    assert_eq!(shown, "", "{path}: {text}");
}

#[test]
fn a_clean_tree_has_no_findings() {
    assert!(findings(clean()).is_empty());
}

#[test]
fn a_crate_uses_only_the_rows_below_its_own() {
    let needs = |name: &str, to: &str| manifest(name, &format!("[dependencies]\n{to}.workspace = true\n"));
    let tests =
        |name: &str, to: &str| manifest(name, &format!("[dev-dependencies]\n{to}.workspace = true\n"));
    let rows = [
        ("storage", needs("storage", "ledger"), "storage (ports) may not use ledger: "),
        ("tlog", needs("tlog", "evidence"), "those before it"),
        ("evidence", needs("evidence", "wire"), "the verifying crates know"),
        ("verifier", needs("verifier", "storage"), "the verifying crates know"),
        ("ledger", needs("ledger", "testkit"), "never shipped"),
        ("tlog", tests("tlog", "ledger"), "for tests"),
        ("storage", tests("storage", "ledger"), "for tests"),
    ];
    for (name, manifest, words) in rows {
        breaks(&format!("crates/{name}/Cargo.toml"), &manifest, "boundary", 9, words);
    }
    let mut files = clean();
    files.push(("crates/api/Cargo.toml".to_owned(), needs("api", "witness")));
    files.push(("crates/witness/Cargo.toml".to_owned(), manifest("witness", "")));
    let found = findings(files);
    assert_eq!(found.len(), 1);
    assert!(found[0].message.contains("none beside it"), "{}", found[0]);

    breaks("crates/stray/Cargo.toml", &manifest("stray", ""), "boundary", 0, "in no row");
    passes("crates/wire/Cargo.toml", &needs("wire", "tlog"));
    passes("bench/Cargo.toml", &needs("bench", "testkit"));
}

#[test]
fn the_verifying_crates_need_few_others() {
    let many = (0..11).map(|n| format!("d{n}.workspace = true\n")).collect::<String>();
    let manifest = manifest("evidence", &format!("[dependencies]\n{many}"));
    breaks("crates/evidence/Cargo.toml", &manifest, "boundary", 0, "at most 10");
}

#[test]
fn pure_crates_do_not_reach_the_world() {
    let path = "crates/tlog/src/lib.rs";
    let rows = [
        ("\nuse std::fs;\n", 2, "std::fs"),
        ("use std::{io, net::TcpStream};\n", 1, "sockets"),
        ("use std::{\n    collections::{BTreeMap, env},\n    process,\n};\n", 3, "std::process"),
        ("fn f() { std::env::var(\"A\"); }\n", 1, "std::env"),
        ("use std::time::SystemTime;\n", 1, "as an argument"),
        ("use std::time::{Duration, Instant};\n", 1, "as an argument"),
        ("use tokio::sync::Mutex;\n", 1, "edges"),
        ("async fn f() {}\n", 1, "edges"),
        ("fn f() { std::thread::spawn(g); }\n", 1, "thread::scope"),
        ("#[cfg(test)]\nmod tests {}\nfn f() { println!(\"\"); }\n", 3, "return what"),
    ];
    for (text, line, words) in rows {
        breaks(path, text, "pure", line, words);
        passes(&path.replace("tlog", "ledger"), text);
    }
    passes(
        path,
        "//! std::fs\nconst A: &str = \"std::fs\";\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n",
    );
    passes(path, "use std::{collections::{env, fs}, io, net::IpAddr};\nfn f() { std::thread::scope(g); }\n");
    passes("crates/tlog/tests/t.rs", "use std::fs;\n");
    breaks("crates/tlog/src/more.rs", "use std::fs;\n", "pure", 1, "std::fs");
    let manifest = manifest("tlog", "[dependencies]\ntokio.workspace = true\n");
    breaks("crates/tlog/Cargo.toml", &manifest, "pure", 9, "tokio");
}

#[test]
fn files_of_test_modules_may_reach_the_world() {
    let mut files = clean();
    let lib = "#[cfg(test)]\npub(crate) mod testing;\nmod note;\n";
    files.retain(|(path, _)| path != "crates/tlog/src/lib.rs");
    for (path, text) in [
        ("lib.rs", lib),
        ("testing.rs", "use std::fs;\n"),
        ("testing/deep.rs", "use std::fs;\n"),
        ("note.rs", "#[cfg(test)]\nmod tests;\n"),
        ("note/tests.rs", "use std::fs;\n"),
    ] {
        files.push((format!("crates/tlog/src/{path}"), text.to_owned()));
    }
    assert!(findings(files).is_empty());
}

#[test]
fn manifests_take_lints_and_versions_from_the_workspace() {
    let path = "crates/storage/Cargo.toml";
    breaks(path, &manifest("storage", "").replace("[lints]\nworkspace = true\n", ""), "lint", 0, "[lints]");
    breaks(path, &manifest("storage", "[lints.rust]\nunsafe_code = \"warn\"\n"), "lint", 0, "and no more");
    breaks(path, "[package\n", "manifest", 0, "is not TOML");
    breaks(path, &manifest("storage", "[dependencies]\nsha2 = \"0.11\"\n"), "manifest", 9, "sha2.workspace");
    let target = "[target.'cfg(unix)'.dependencies]\nsha2 = \"0.11\"\n";
    breaks(path, &manifest("storage", target), "manifest", 9, "sha2.workspace");
    let renamed = changed(path, &manifest("store", ""));
    assert!(renamed.iter().any(|finding| finding.message.contains("after its folder")));
    breaks(
        path,
        &manifest("storage", "").replace("license.workspace", "license-file.workspace"),
        "manifest",
        0,
        "license",
    );
    breaks(
        "Cargo.toml",
        &ROOT.replace("\"forbid\"", "\"deny\""),
        "lint",
        0,
        "unsafe_code must be \"forbid\"",
    );
    breaks("Cargo.toml", &ROOT.replace("missing_docs = \"warn\"\n", ""), "lint", 0, "missing_docs");
    breaks("Cargo.toml", &ROOT.replace("0.11", "*"), "manifest", 0, "wildcard");
    let git = ROOT.replace("\"0.11\"", "{ git = \"https://example.com/sha2\" }");
    breaks("Cargo.toml", &git, "manifest", 0, "no registry");
    let unlocked = clean().into_iter().filter(|(path, _)| path != "Cargo.lock").collect();
    assert_eq!(findings(unlocked)[0].rule, "lockfile");
}

#[test]
fn exceptions_to_lints_have_reasons() {
    let path = "crates/ledger/src/lib.rs";
    breaks(path, "#[allow(dead_code)]\nfn f() {}\n", "lint", 1, "expect(dead_code, reason");
    breaks(path, "\n#![expect(\n    clippy::print_stdout\n)]\n", "lint", 2, "without a reason");
    breaks(path, "#[cfg_attr(not(test), allow(dead_code))]\nfn f() {}\n", "lint", 1, "without a reason");
    breaks(path, "#[allow(unsafe_code, reason = \"fast\")]\nfn f() {}\n", "lint", 1, "no reason excuses");
    breaks(path, "#![warn(unsafe_code)]\n", "lint", 1, "no reason excuses");
    breaks(path, "fn f() { unsafe { g() } }\n", "lint", 1, "forbidden");
    passes(
        path,
        "#[expect(dead_code, reason = \"why\")]\nfn f() { x.expect(1); allow(2); }\n// unsafe #[allow(a)]\n",
    );
}

#[test]
fn nothing_is_left_over() {
    let path = "crates/ledger/src/lib.rs";
    for call in ["todo!()", "unimplemented!()", "dbg!(1)"] {
        breaks(path, &format!("fn f() {{ {call} }}\n"), "leftover", 1, &call[..4]);
    }
    breaks(path, "#[ignore]\nfn f() {}\n", "leftover", 1, "proves nothing");
    breaks(path, "#[ignore = \"slow\"]\nfn f() {}\n", "leftover", 1, "proves nothing");
    for mark in super::leftovers::marks() {
        breaks(path, &format!("fn f() {{}} // {mark}: later\n"), "leftover", 1, mark);
        breaks("scripts/a.sh", &format!("#!/bin/sh\n# {mark}\n"), "leftover", 2, mark);
        passes(path, &format!("const A: &str = \"{mark}\"; // {mark}S a{mark}\n"));
        passes("examples/a.json", &format!("{{\"a\": \"{mark}\"}}\n"));
    }
}

#[test]
fn names_of_machines_and_hosts_stay_out() {
    let machine = ["", "wo"].join("/") + "rk/";
    breaks("scripts/a.sh", &format!("cd {machine}main\n"), "machine-path", 1, &machine);
    breaks(
        "crates/ledger/src/lib.rs",
        &format!("const A: &str = \"{machine}\";\n"),
        "machine-path",
        1,
        "argument",
    );
    passes("scripts/a.sh", &format!("cd home{machine}main $x{machine}\n"));
    let jobs = ["", "tmp", "bash"].join("/") + "_jobs";
    breaks("docs/b.md", &format!("in {jobs}.1\n"), "machine-path", 1, &jobs);
    let host = ["crates", "io"].join(".");
    breaks("docs/b.md", &format!("from https://{host}/crates/sha2\n"), "registry", 1, &host);
    passes("Cargo.lock", &format!("source = \"{host}-index\"\n"));
    let claim = ["Tamper", "proof"].join("-");
    breaks("docs/b.md", &format!("{claim} logs\n"), "claim", 1, "tamper-evident");
}

#[test]
fn files_stay_small() {
    let path = "crates/ledger/src/long.rs";
    let lines = |n: usize| "//\n".repeat(n);
    passes(path, &lines(700));
    breaks(path, &lines(701), "long-file", 0, "at most 700");
    let listed = |text: &str, lines: usize| {
        let mut files = clean();
        files.push(("xtask/long-files.txt".to_owned(), text.to_owned()));
        files.push((path.to_owned(), "//\n".repeat(lines)));
        findings(files).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let row = format!("# why\n{path} 800 a table of one shape\n");
    assert_eq!(listed(&row, 800), [""; 0]);
    assert!(listed(&row, 801)[0].contains("the list only shrinks"));
    assert!(listed(&row, 700)[0].contains("xtask/long-files.txt:2: long-file"));
    assert!(listed("gone.rs 800 a table\n", 1)[0].contains("is gone"));
    assert!(listed(&format!("{path} 800\n"), 1)[0].contains("PATH LINES REASON"));
    breaks("docs/a.bin", &"a".repeat(1024 * 1024 + 1), "large-file", 0, "1048577");

    let notes = check(&Tree::new([(path.to_owned(), lines(501).into_bytes())])).notes;
    assert!(notes.iter().any(|note| note.contains("501 lines")));
}

#[test]
fn links_lead_somewhere() {
    let path = "docs/b.md";
    breaks(path, "\nsee [a](c.md)\n", "link", 2, "no docs/c.md");
    breaks(path, "[a](../../other/x.md)\n", "link", 1, "out of the project");
    breaks(path, "[a](a.md#three)\n", "link", 1, "no heading #three");
    breaks(path, "[a]: gone.md\n", "link", 1, "no docs/gone.md");
    breaks(path, "[a](#gone)\n", "link", 1, "no heading");
    passes(
        path,
        "[a](a.md) [b](../crates/tlog \"title\") [c](https://example.com/x) [d](./a.md#two-words)\n",
    );
    passes(path, "```text\n[a](gone.md)\n```\nand `[a](gone.md)` too\n");
}

#[test]
fn reads_what_git_tracks_or_would() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |args: &[&str]| {
        let done = std::process::Command::new("git").args(args).current_dir(folder.path()).status();
        assert!(done.expect("git runs").success());
    };
    run(&["init", "-q"]);
    for (path, bytes) in
        [(".gitignore", &b"/out\n"[..]), ("a.rs", b"fn f() {}\n"), ("b/c.bin", b"\xff\0"), ("out", b"")]
    {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, bytes).expect("files");
    }
    run(&["add", "a.rs"]);
    let tree = Tree::read(folder.path()).expect("a tree");
    assert_eq!(tree.files().keys().collect::<Vec<_>>(), [".gitignore", "a.rs", "b/c.bin"]);
    assert!(tree.files()["a.rs"].source.is_some() && tree.files()["b/c.bin"].text.is_none() && tree.has("b"));
    assert!(Tree::read(&folder.path().join("none")).is_err());
}
