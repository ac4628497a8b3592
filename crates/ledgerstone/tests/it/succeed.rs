//! A ledger that can't go on, and the one that continues it: guard, ceremony, the new origin, and what is proven of both.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tlog::{
    Checkpoint, CosigningKey, Hash, Origin, SigningKey, UnverifiedCheckpoint, VerifierKey, leaf_hash,
    sign_checkpoint,
};

use crate::rig::{Rig, Server};
use crate::witness::Witness;

const SETTINGS: &str = "[witness]\npolicy = \"../witnesses.policy\"\nledgers = [\"main\"]\n";
const EVENT: &str = "{\"actor\":{\"user\":{\"name\":\"alice\"}},\"api\":{\"operation\":\"read\"}}\n";

/// A lost ledger: `lost` is its newest store, `backup` an older copy, the witness has seen the newest.
pub struct Lost {
    pub vkey: String,
    witness: Witness,
    /// Entries that the witness has cosigned at least.
    seen: u64,
}

fn copy(rig: &Rig, from: &str, to: &str) {
    for suffix in ["", "-keys"] {
        let (from, to) = (format!("{from}{suffix}"), format!("{to}{suffix}"));
        assert!(
            Command::new("cp").args(["-a", &from, &to]).current_dir(rig.path("")).status().unwrap().success()
        );
    }
}

fn witness(rig: &Rig, logs: &[&str]) -> Witness {
    let logs = logs.iter().flat_map(|vkey| ["--log", vkey]);
    let witness = Witness::start(rig, &["--name", "w.example/1"].into_iter().chain(logs).collect::<Vec<_>>());
    rig.write("witnesses.policy", witness.policy());
    witness
}

fn append(rig: &Rig, server: &Server, count: usize, flags: &[&str]) {
    rig.feed(server, &[&["append", "-"], flags].concat(), EVENT.repeat(count).as_bytes()).ok();
}

fn size(note: &str) -> u64 {
    note.lines().nth(1).unwrap().parse().unwrap()
}

impl Lost {
    pub fn new(rig: &Rig) -> Lost {
        let first = rig.up(&["--data", "lost"]);
        let vkey = first.vkey();
        first.terminate();
        let witness = witness(rig, &[&vkey]);
        rig.write("given.toml", SETTINGS);
        let data = ["--data", "lost"];
        let server = rig.up(&["--data", "lost", "--settings", "given.toml"]);
        append(rig, &server, 5, &[&data[..], &["--wait", "witnessed"]].concat());
        server.terminate();
        copy(rig, "lost", "backup");
        let server = rig.up(&data);
        let kept = ["--receipts", "receipts.ndjson", "--wait", "witnessed"];
        append(rig, &server, 7, &[&data[..], &kept[..]].concat());
        server.terminate();
        let note = fs::read_to_string(rig.path("lost/ledgers/main/checkpoint.witnessed")).unwrap();
        Lost { vkey, witness, seen: size(&note) }
    }
}

/// The origin and the size that a store says it continues.
fn continues(rig: &Rig, data: &str) -> Value {
    let report = rig.run(&["verify", data, "--json"]).ok().json();
    let ledgers = report["ledgers"].as_array().unwrap().clone();
    let main = ledgers.into_iter().find(|ledger| ledger["name"] == "main").unwrap();
    main["continues"].clone()
}

#[test]
fn what_was_rolled_back_is_continued_under_a_new_origin() {
    let rig = Rig::new();
    let lost = Lost::new(&rig);
    let origin = lost.vkey.split('+').next().unwrap().to_owned();

    // The newest store is gone, and a backup was put in its place: the guard holds, and says what to do.
    copy(&rig, "backup", "old");
    let server = rig.up(&["--data", "old"]);
    let mut told = String::new();
    for _ in 0..600 {
        told = rig.ask(&server, &["status", "--data", "old"]).out;
        if told.contains("ledgerstone succeed") {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(told.contains("nothing is signed") && told.contains("docs/recovery.md"), "{told}");
    rig.ask(&server, &["doctor", "--data", "old"]).code_is(1).says("docs/recovery.md");
    server.terminate();

    let from = ["succeed", "old", "--policy", "witnesses.policy", "--key", &lost.vkey, "--data", "new"];
    let looked = rig.run(&[&from[..], &["--look"]].concat()).ok().says("quorum: ").says("are lost");
    assert!(
        looked.out.contains("witness ") && looked.out.contains("old/ledgers/main/checkpoint"),
        "{looked:?}"
    );
    rig.run(&from).code_is(2).says("--reason");
    assert!(!rig.path("new").exists());
    let begun = [&from[..], &["--reason", "the disk of host a is lost", "--json"]].concat();
    let begun = rig.run(&begun).ok().json();
    let old_size = begun["continues"]["tree_size"].as_u64().unwrap();
    assert!(old_size >= lost.seen && begun["held"] == true, "{begun}");
    let note = begun["continues"]["checkpoint"].as_str().unwrap();
    assert_eq!(
        note.lines().filter(|line| line.starts_with('\u{2014}')).count(),
        2,
        "log and witness: {note}"
    );
    let vkey = begun["vkey"].as_str().unwrap().to_owned();
    assert!(!vkey.starts_with(&origin));

    // Again, it is the same.
    let again = [&from[..], &["--reason", "the disk of host a is lost", "--json"]].concat();
    assert_eq!(rig.run(&again).ok().json()["vkey"], begun["vkey"]);
    let other = [&from[..], &["--reason", "x", "--choose"]].concat();
    let backup = fs::read_to_string(rig.path("backup/ledgers/main/checkpoint")).unwrap();
    let head = UnverifiedCheckpoint::parse(backup.as_bytes()).unwrap().claimed().clone();
    let id = format!("{}-{}", head.size, &evidence::hex::encode(head.root.as_bytes())[..8]);
    rig.run(&[&other[..], &[&id]].concat()).code_is(2).says("stays as it is");

    // The witness is told of the new origin; then it signs.
    lost.witness.kill();
    let witness = witness(&rig, &[&lost.vkey, &vkey]);
    let server = rig.up(&["--data", "new"]);
    append(&rig, &server, 3, &["--data", "new", "--wait", "witnessed"]);
    rig.ask(&server, &["search", "kind:gap", "--data", "new", "--json"])
        .ok()
        .says("the disk of host a is lost");
    let by_url = ["verify", &server.url, "--data", "new", "--predecessor", "lost", "--key", &vkey];
    rig.run(&by_url).ok().says(&format!("continues  {origin} at {old_size} entries"));
    server.terminate();
    assert_eq!(continues(&rig, "new")["origin"], origin.as_str());

    // Whoever kept receipts of the old one is told what became of them.
    let bring = |data: &str, flags: &[&str]| {
        let server = rig.up(&[&["--data", data], flags].concat());
        let args = ["verify", "receipts.ndjson", "--server", &server.url, "--data", data, "--state", "found"];
        let done = rig.run(&args);
        server.terminate();
        done
    };
    let among = bring("new", &[]).says(&format!("continues {origin} at {old_size} entries"));
    // Those whose proofs lead to the very checkpoint that is continued hold; of others only the old store can tell.
    let told = among.code == Some(0) && among.out.contains("7 hold") || among.out.contains("--kept RECEIPT");
    assert!(told && !among.out.contains("lost:"), "{among:?}");
    rig.write("plain.toml", "");
    let only = ["succeed", "backup", "--key", &lost.vkey, "--data", "older", "--settings", "plain.toml"];
    rig.run(&[&only[..], &["--reason", "only the backup is left"]].concat()).ok();
    let gone = bring("older", &[]).code_is(2).says("lost by the recovery, kept by you alone");
    assert_eq!(gone.out.matches("lost:").count(), 7, "{gone:?}");

    // What is left of the old one is held against it.
    let verify = |old: &str| rig.run(&["verify", "new", "--key", &vkey, "--predecessor", old]);
    let kept = fs::read_dir(rig.path("ledgerstone-succession")).unwrap();
    let kept: Vec<String> = kept.map(|entry| entry.unwrap().path().display().to_string()).collect();
    let of = |size: u64| kept.iter().find(|path| path.contains(&format!("/{size}-"))).unwrap().clone();
    verify(&of(old_size)).ok().says("exactly what");
    verify("lost").ok().says("lost");
    verify("backup").code_is(2).says("are lost from it");
    verify(&of(head.size)).code_is(2).says("are lost from it");
    verify("new").code_is(2).says("is of no ledger that is continued here");
    witness.kill();
}

#[test]
fn a_forged_predecessor_is_disproven() {
    let rig = Rig::new();
    let server = rig.up(&["--data", "lost"]);
    append(&rig, &server, 5, &["--data", "lost", "--wait", "committed"]);
    let vkey = server.vkey();
    server.terminate();
    let note = fs::read_to_string(rig.path("lost/ledgers/main/checkpoint")).unwrap();
    let head = UnverifiedCheckpoint::parse(note.as_bytes()).unwrap().claimed().clone();
    let forger = SigningKey::from_seed(head.origin.as_str(), [1; 32]).unwrap();
    let forge = |name: &str, size: u64, root: Hash| {
        let note = sign_checkpoint(&Checkpoint { size, root, ..head.clone() }, &forger);
        let name = format!("{name}.checkpoint");
        rig.write(&name, note);
        name
    };
    let key = forger.verifying_key().to_string();
    for (name, size, root) in [
        ("other-tree", head.size, leaf_hash(b"x")),
        ("smaller-tree", head.size - 1, leaf_hash(b"x")),
        ("other-key", head.size, head.root),
    ] {
        let note = forge(name, size, root);
        rig.run(&["succeed", &note, "--key", &key, "--data", name, "--reason", "a forgery"]).ok();
        rig.run(&["verify", name]).ok().says("continues");
        rig.run(&["verify", name, "--predecessor", "lost"]).code_is(1).says("has not signed");
    }
    // The real key, and what was kept of the real ledger.
    rig.write("kept.checkpoint", &note);
    rig.run(&["verify", "other-tree", "--predecessor", "kept.checkpoint"]).code_is(1).says("two histories");
    let pinned = ["--predecessor", "kept.checkpoint", "--predecessor-key", &vkey];
    rig.run(&[&["verify", "other-key"], &pinned[..]].concat()).code_is(1).says("has not signed");
    rig.run(&["verify", "lost", "--predecessor", "kept.checkpoint"]).code_is(2).says("continues another");
    // Without the key, a note of the same tree says that it is the same, and no more.
    rig.run(&["verify", "other-key", "--predecessor", "kept.checkpoint"]).ok().says("exactly what");
    // Who signs for the old ledger is said by the old store, unless the person says it: never by the note.
    rig.run(&["succeed", "other-key.checkpoint", "lost", "--data", "honest", "--reason", "x"])
        .ok()
        .says("does not count");
    rig.run(&["verify", "honest", "--predecessor", "lost"]).ok().says("exactly what");
    // Not where the old one would go on; and what else is there signs nothing meanwhile.
    rig.run(&["succeed", "lost", "--data", "lost", "--as", "next", "--reason", "x"])
        .code_is(2)
        .says("holds the old ledger");
    let before = fs::read(rig.path("honest/ledgers/main/checkpoint")).unwrap();
    rig.run(&["succeed", "lost", "--data", "honest", "--as", "next", "--reason", "x"]).ok();
    assert_eq!(fs::read(rig.path("honest/ledgers/main/checkpoint")).unwrap(), before);
    rig.run(&["verify", "honest", "--predecessor", "lost"]).ok().says("next: continues");
    // Nothing tells whose it is.
    let done = rig.run(&["succeed", "kept.checkpoint", "--data", "nobody", "--reason", "x"]);
    done.code_is(2).says("--key");
    let unfit = ["succeed", "lost", "--data", "bad", "--reason"];
    rig.run(&[&unfit[..], &["two\nlines"]].concat()).code_is(2).says("one line");
    assert!(!rig.path("nobody").exists() && !rig.path("bad").exists());
}

/// Notes of a log of which everything is known.
fn notes() -> (String, impl Fn(u64, u8) -> String) {
    let key = SigningKey::from_seed("log.example/old", [3; 32]).unwrap();
    let vkey = key.verifying_key().to_string();
    let note = move |size: u64, branch: u8| {
        let origin = Origin::new(key.name()).unwrap();
        sign_checkpoint(&Checkpoint { origin, size, root: leaf_hash(&[size as u8, branch]) }, &key)
    };
    (vkey, note)
}

#[test]
fn two_histories_are_kept_and_a_person_chooses() {
    let rig = Rig::new();
    let (vkey, note) = notes();
    fs::create_dir(rig.path("found")).unwrap();
    rig.write("found/one", note(9, 0));
    rig.write("found/other", note(9, 1));
    let witness = CosigningKey::from_seed("w.example", [5; 32]).unwrap();
    let key: &VerifierKey = witness.verifying_key();
    rig.write("w.policy", format!("witness w {key}\nquorum w\n"));
    let from = ["succeed", "found", "--key", &vkey, "--policy", "w.policy", "--data", "new"];
    let refused = rig.run(&[&from[..], &["--reason", "forked"]].concat()).code_is(1);
    let refused = refused.says("two trees of 9 entries").says("--choose");
    assert!(!rig.path("new").exists());
    let kept: Vec<_> = fs::read_dir(rig.path("ledgerstone-succession")).unwrap().flatten().collect();
    assert_eq!(kept.len(), 2);
    for path in &kept {
        let path = path.path();
        assert!(
            refused.err.contains(&format!("ledgerstone-succession/{}", path.file_name().unwrap().display()))
        );
    }
    let id = format!("9-{}", &evidence::hex::encode(leaf_hash(&[9, 1]).as_bytes())[..8]);
    let chosen = rig.run(&[&from[..], &["--reason", "forked", "--choose", &id, "--json"]].concat()).ok();
    assert_eq!(chosen.json()["continues"]["checkpoint"], note(9, 1));
    rig.run(&["verify", "new", "--predecessor", "found/one"]).code_is(1).says("two histories");
    rig.run(&["verify", "new", "--predecessor", "found/other"]).ok();
}

/// Ends at each step as if killed. Said again, the same ledger is begun, once, and its genesis holds the checkpoint.
#[test]
fn cut_off_at_any_step_it_is_finished_by_saying_it_again() {
    let (vkey, note) = notes();
    let mut killed = 0;
    for operation in ["create", "append", "sync", "rename", "sync_dir", "remove"] {
        for when in ["before", "during", "after"] {
            if when == "during" && operation != "append" {
                continue;
            }
            for nth in [1, 2, 3, 5, 8, 14, 24] {
                let rig = Rig::new();
                rig.write("old.checkpoint", note(9, 0));
                let args = [
                    "succeed",
                    "old.checkpoint",
                    "--key",
                    &vkey,
                    "--data",
                    "new",
                    "--reason",
                    "the disk is lost",
                ];
                let point = format!("{when}-{operation}::{nth}");
                let first = rig.run(&[&args[..], &["--danger-kill-at", &point]].concat());
                if first.code.is_some() {
                    first.ok();
                    break;
                }
                killed += 1;
                // A server that is started meanwhile finishes it too, if it is to have this ledger.
                if nth % 2 == 0 {
                    rig.up(&["--data", "new"]).terminate();
                    let there = continues(&rig, "new");
                    if rig.path("new-keys/main.predecessor").exists() || there.is_null() {
                        // It was cut off before anything was written down: this is a store of its own now.
                        rig.run(&args).code_is(2);
                        continue;
                    }
                } else {
                    rig.run(&args).ok().says("begun");
                }
                assert_eq!(continues(&rig, "new")["tree_size"], 9, "{point}");
                assert!(!rig.path("new-keys/main.predecessor").exists(), "{point}");
                let server = rig.up(&["--data", "new"]);
                let gaps = rig.ask(&server, &["search", "kind:gap", "--data", "new", "--json"]).ok();
                assert_eq!(gaps.out.matches("the disk is lost").count(), 1, "{point}: {gaps:?}");
                server.terminate();
            }
        }
    }
    assert!(killed > 20, "{killed}");
}
