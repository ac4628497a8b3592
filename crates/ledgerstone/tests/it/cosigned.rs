//! A server and a witness, both of ours and each a process of its own; and everything that `verify --policy` is asked about.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::fake::{pass_on, serve};
use crate::rig::{Done, Rig, Server};
use crate::witness::Witness;

/// Somebody who has cosigned nothing here.
fn stranger() -> String {
    tlog::CosigningKey::from_seed("stranger.example/w", [9; 32]).unwrap().verifying_key().to_string()
}

fn get(url: &str) -> String {
    ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap()
}

fn ledgers(server: &Server) -> Vec<Value> {
    let known = get(&format!("{}/.well-known/ledgerstone", server.url));
    serde_json::from_str::<Value>(&known).unwrap()["ledgers"].as_array().unwrap().clone()
}

/// Where the C2SP resources of the ledger `main` are.
fn prefix(server: &Server) -> String {
    let key = server.vkey();
    let ledger = ledgers(server).into_iter().find(|ledger| ledger["vkey"] == key.as_str()).unwrap();
    format!("{}{}", server.url, ledger["prefix"].as_str().unwrap())
}

/// A server whose ledgers are cosigned by a witness.
struct Site {
    rig: Rig,
    witness: Option<Witness>,
    server: Option<Server>,
    flags: Vec<String>,
}

impl Site {
    fn new() -> Site {
        let rig = Rig::new();
        // A first start without witnesses makes the ledgers, so that their keys can be told to one.
        let server = rig.up(&[]);
        let keys: Vec<String> =
            ledgers(&server).iter().map(|ledger| ledger["vkey"].as_str().unwrap().to_owned()).collect();
        assert_eq!(server.terminate().0, Some(0));
        let mut flags = vec!["--name".to_owned(), "alice.example/w".to_owned()];
        flags.extend(keys.iter().flat_map(|key| ["--log".to_owned(), key.clone()]));
        let mut site = Site { rig, witness: None, server: None, flags };
        site.meet();
        site.start();
        site
    }

    /// Starts the witness; the policy asks for it at its new address, and settings say that it is our own.
    fn meet(&mut self) {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        let witness = Witness::start(&self.rig, &flags);
        let policy = self.rig.write("policy", witness.policy());
        let own = "own = [\"alice.example/w\"]\n[commit]\nheartbeat_s = 3600\n";
        self.rig.write("given.toml", format!("[witness]\npolicy = \"{}\"\n{own}", policy.display()));
        self.witness = Some(witness);
    }

    fn start(&mut self) {
        self.server = Some(self.rig.up(&["--settings", "given.toml"]));
        self.until("it signs", |standing| standing["signing_held"].is_null());
    }

    fn stop(&mut self) {
        assert_eq!(self.server.take().unwrap().terminate().0, Some(0));
    }

    fn ask(&self, args: &[&str]) -> Done {
        self.rig.ask(self.server(), args)
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    fn append(&self, count: usize, level: &str) -> Done {
        let line = "{\"actor\":{\"user\":{\"name\":\"alice\"}},\"api\":{\"operation\":\"read\"}}\n";
        self.rig.write("events.ndjson", line.repeat(count));
        self.ask(&["append", "events.ndjson", "--wait", level])
    }

    /// How the ledger `main` stands with its witnesses.
    fn standing(&self) -> Value {
        let token = String::from_utf8(self.rig.read("ledgerstone-data/admin.token")).unwrap();
        let asked = ureq::get(format!("{}/v1/witnesses", self.server().url))
            .header("authorization", format!("Bearer {}", token.trim()));
        let all: Value =
            serde_json::from_str(&asked.call().unwrap().body_mut().read_to_string().unwrap()).unwrap();
        let all = all.as_array().unwrap();
        all.iter().find(|ledger| ledger["ledger"] == "main").unwrap().clone()
    }

    fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) {
        for _ in 0..600 {
            if holds(&self.standing()) {
                return;
            }
            sleep(Duration::from_millis(50));
        }
        panic!("it never came to this: {what}: {}", self.standing());
    }

    fn policy(&self, name: &str, text: &str) {
        let real = String::from_utf8(self.rig.read("policy")).unwrap();
        let witness = real.lines().find(|line| line.starts_with("witness ")).unwrap();
        let stranger = stranger();
        self.rig.write(
            name,
            text.replace("ALICE", witness).replace("STRANGER", &format!("witness s {stranger}")),
        );
    }

    /// Policies that are met, that are not, and one of others.
    fn policies(&self) {
        self.policy("met", "ALICE\nSTRANGER\ngroup any-of-them any alice.example/w s\nquorum any-of-them\n");
        self.policy("unmet", "ALICE\nSTRANGER\ngroup both all alice.example/w s\nquorum both\n");
        self.policy("others", "STRANGER\nquorum s\n");
    }

    fn verify(&self, what: &str, policy: &str, more: &[&str]) -> Done {
        self.rig.run(&[&["verify", what, "--policy", policy, "--json"], more].concat())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(witness) = self.witness.take() {
            witness.kill();
        }
    }
}

fn copy(rig: &Rig, from: &str, to: &str) {
    let copied = Command::new("cp").arg("-a").args([rig.path(from), rig.path(to)]).status().unwrap();
    assert!(copied.success());
}

#[test]
fn our_server_is_cosigned_by_our_witness() {
    let mut site = Site::new();
    site.append(5, "witnessed").ok();
    let note = get(&format!("{}/checkpoint.witnessed", prefix(site.server())));
    assert!(note.contains("— alice.example/w "), "{note}");
    // It is ours, so it proves nothing against us, and everything that shows it says so.
    let standing = site.standing();
    assert!(standing["own_suffice"] == true && standing["witnesses"][0]["own"] == true, "{standing}");
    site.ask(&["status"]).ok().says("your own").says("good");
    site.ask(&["doctor"]).says("own witnesses");
    site.until("it is told how far it is", |standing| standing["witnesses"][0]["lag"] == 0);

    // Away, it is waited for by who wants it and holds up nobody else.
    site.witness.take().unwrap().kill();
    site.append(5, "committed").ok();
    site.until("it is missed", |standing| {
        standing["witnesses"][0]["trouble"].is_string() && standing["witnesses"][0]["lag"] == 5
    });
    copy(&site.rig, "ledgerstone-witness", "backup");
    site.stop();
    site.meet();
    site.start();
    site.append(5, "witnessed").ok();

    // Restored from its backup, it is told of, and fed again.
    site.stop();
    site.witness.take().unwrap().kill();
    fs::remove_dir_all(site.rig.path("ledgerstone-witness")).unwrap();
    copy(&site.rig, "backup", "ledgerstone-witness");
    site.meet();
    site.start();
    site.append(5, "witnessed").ok();
    let alarm = site.standing()["witnesses"][0]["alarm"].clone();
    assert!(alarm["reason"] == "behind" && alarm["stops"] == false, "{alarm}");
    site.ask(&["status"]).ok().says("was set back");
    site.ask(&["doctor"]).says("was set back from");
    site.ask(&["search", "kind:cut", "--json"]).ok().says("behind");

    // A store that is set back is refused by it, and signs nothing.
    site.stop();
    copy(&site.rig, "ledgerstone-data", "older");
    copy(&site.rig, "ledgerstone-data-keys", "older-keys");
    site.start();
    site.append(9, "witnessed").ok();
    site.stop();
    for (older, place) in [("older", "ledgerstone-data"), ("older-keys", "ledgerstone-data-keys")] {
        fs::remove_dir_all(site.rig.path(place)).unwrap();
        copy(&site.rig, older, place);
    }
    site.server = Some(site.rig.up(&["--settings", "given.toml"]));
    site.until("it is refused", |standing| standing["witnesses"][0]["alarm"]["reason"] == "ahead");
    assert!(site.standing()["signing_held"].as_str().unwrap().contains("restored backup"));
    let checkpoint = get(&format!("{}/checkpoint", prefix(site.server())));
    site.append(1, "durable").ok();
    sleep(Duration::from_secs(2));
    assert_eq!(get(&format!("{}/checkpoint", prefix(site.server()))), checkpoint, "it signed");
    assert!(site.standing()["signing_held"].is_string());
    site.append(1, "committed").code_is(2).says("1 record was recorded and durable, but not committed yet");
    site.ask(&["status"]).says("refuses: ahead");
}

#[test]
fn a_server_and_its_store_against_a_policy() {
    let mut site = Site::new();
    site.policies();
    site.append(5, "witnessed").ok();
    site.until("all is cosigned", |standing| standing["witnesses"][0]["lag"] == 0);
    let (url, key) = (site.server().url.clone(), site.server().vkey());
    let met = site.verify(&url, "met", &["--key", &key]).ok();
    assert!(met.out.contains("cosigned by a quorum of the policy: alice.example/w"), "{met:?}");
    // The policy alone is from elsewhere as well.
    let met = site.verify(&url, "met", &["--require-anchor"]).ok();
    assert!(met.out.contains(r#""anchor":"witnessed""#), "{met:?}");
    site.verify(&url, "unmet", &[]).code_is(2).says("1 of the policy's witnesses have cosigned");
    site.verify(&url, "others", &[]).code_is(2).says("0 of the policy's witnesses have cosigned");
    site.rig.write("broken", "quorum w\n");
    site.verify(&url, "broken", &[]).code_is(2).says("policy line 1");

    // Between the server and us sits one that shows a checkpoint with another's cosignature under our witness's name.
    let real = url.clone();
    let (liar, _requests) = serve(move |_, request| {
        let (status, mut body) = pass_on(&real, request, "");
        if request.target.ends_with("/checkpoint.witnessed") {
            let end = body.len() - 4;
            body[end] = if body[end] == b'A' { b'B' } else { b'A' };
        }
        Some((status, "", body))
    });
    site.verify(&liar, "met", &["--key", &key]).code_is(1).says("signature");

    // One that shows the entries of yesterday and what witnesses have cosigned since.
    let of = prefix(site.server());
    let path = of.strip_prefix(&url).unwrap().to_owned();
    let old = get(&format!("{of}/checkpoint"));
    site.append(300, "witnessed").ok();
    let real = url.clone();
    let (older, _requests) = serve(move |_, request| match request.target.as_str() {
        target if target == format!("{path}/checkpoint") => Some((200, "", old.clone().into_bytes())),
        _ => Some(pass_on(&real, request, "")).map(|(status, body)| (status, "", body)),
    });
    let done = site.verify(&older, "met", &["--key", &key]);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(done.out.contains("witnesses have cosigned more than was verified"), "{done:?}");

    site.stop();
    site.verify("ledgerstone-data", "met", &[]).ok().says("cosigned by a quorum");
    site.verify("ledgerstone-data", "unmet", &[]).code_is(2);
    site.verify("ledgerstone-data", "others", &[]).code_is(2);
}

#[test]
fn receipts_proofs_evidence_and_mirrors_against_a_policy() {
    let site = Site::new();
    site.policies();
    site.append(5, "witnessed").ok();
    site.until("all is cosigned", |standing| standing["witnesses"][0]["lag"] == 0);
    let key = site.server().vkey();
    site.ask(&["receipt", "3", "-o", "3.json"]).ok();
    site.ask(&["prove", "3", "-o", "3.tlog-proof"]).ok();
    site.ask(&["evidence", "--case", "1", "--purpose", "p", "--from", "0", "--to", "4", "-o", "r.evidence"])
        .ok();
    let mirror = ["monitor", &prefix(site.server()), "--key", &key, "--once", "--mirror", "mirror"];
    let token = ["--token-file", "ledgerstone-data/admin.token"];
    site.rig.run(&[&mirror[..], &token, &["--policy", "met"]].concat()).ok();
    for what in ["3.json", "3.tlog-proof", "r.evidence", "mirror"] {
        let pinned: &[&str] = &["--key", &key];
        site.verify(what, "met", pinned).ok().says("alice.example/w");
        site.verify(what, "unmet", pinned).code_is(2).says("quorum");
        site.verify(what, "others", pinned).code_is(2).says("quorum");
    }
    // Without a key nothing is said of a receipt's signatures; an evidence file brings its own.
    for what in ["3.json", "3.tlog-proof", "mirror"] {
        site.verify(what, "met", &[]).code_is(2).says("use --key");
    }
    site.verify("r.evidence", "met", &["--require-anchor"]).ok().says(r#""anchor":"witnessed""#);
    site.verify("r.evidence", "others", &["--require-anchor"]).code_is(2);
    let told = site.rig.run(&["verify", "r.evidence", "--policy", "met"]).ok();
    assert!(told.out.contains("a quorum of your policy, alice.example/w"), "{told:?}");
    site.rig.run(&["verify", "r.evidence"]).ok().says("give --policy to see whose they are");
}
