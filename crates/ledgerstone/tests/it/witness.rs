//! The verb `witness` as a process: its first start, its state over kills, forks that it lists.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use tlog::{
    AddCheckpoint, Checkpoint, Hash, Origin, SigningKey, Tile, TileSource, TileStack, UnverifiedCheckpoint,
    VerifierKey, check_cosignatures, consistency_proof, leaf_hash, origin_hash, sign_checkpoint,
};

use crate::rig::Rig;

const ORIGIN: &str = "example.com/log";

/// A log of fewer than 256 entries, so that one tile holds all of it.
struct Log {
    key: SigningKey,
    leaves: Vec<Hash>,
}

impl TileSource for Log {
    type Error = ();

    fn tile(&self, tile: Tile) -> Result<Vec<Hash>, ()> {
        let whole = tile.level == 0 && tile.index == 0;
        whole.then(|| self.leaves[..usize::from(tile.width)].to_vec()).ok_or(())
    }
}

impl Log {
    fn new(branch: u8) -> Log {
        let leaves = (0..250_u8).map(|n| leaf_hash(&[n, if n < 5 { 0 } else { branch }])).collect();
        Log { key: SigningKey::from_seed(ORIGIN, [1; 32]).unwrap(), leaves }
    }

    fn note(&self, size: u64) -> String {
        let mut tree = TileStack::new();
        self.leaves[..size as usize].iter().for_each(|leaf| tree.push(*leaf, &mut |_, _| {}));
        let origin = Origin::new(ORIGIN).unwrap();
        sign_checkpoint(&Checkpoint { origin, size, root: tree.root() }, &self.key)
    }

    fn request(&self, old: u64, new: u64) -> String {
        let proof = consistency_proof(old, new, self).unwrap();
        AddCheckpoint { old, proof, checkpoint_note: self.note(new) }.to_string()
    }

    fn vkey(&self) -> String {
        self.key.verifying_key().to_string()
    }
}

pub struct Witness {
    child: Child,
    url: String,
    banner: String,
}

impl Witness {
    pub fn start(rig: &Rig, flags: &[&str]) -> Witness {
        let mut command = rig.command(&["witness", "--listen", "127.0.0.1:0"]);
        let mut child = command.args(flags).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("\n  quorum ") {
            if out.read_line(&mut banner).unwrap() == 0 {
                let mut told = String::new();
                child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
                panic!("it did not start: {told}");
            }
        }
        let url = banner.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
        Witness { child, url, banner }
    }

    /// The lines of a policy that asks for it.
    pub fn policy(&self) -> String {
        let lines = self.banner.lines().map(str::trim);
        let policy = lines.filter(|line| line.starts_with("witness ") || line.starts_with("quorum "));
        policy.map(|line| format!("{line}\n")).collect()
    }

    fn vkey(&self) -> VerifierKey {
        let line = self.banner.lines().find_map(|line| line.strip_prefix("  verification key  ")).unwrap();
        VerifierKey::parse(line).unwrap()
    }

    /// Status and body; `None` if it went away before it answered.
    pub fn add(&self, body: &str) -> Option<(u16, String)> {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let mut answer = config.new_agent().post(format!("{}/add-checkpoint", self.url)).send(body).ok()?;
        Some((answer.status().as_u16(), answer.body_mut().read_to_string().ok()?))
    }

    fn latest(&self) -> String {
        let url = format!("{}/{}/checkpoint", self.url, origin_hash(ORIGIN));
        ureq::get(&url).call().unwrap().body_mut().read_to_string().unwrap()
    }

    fn stop(mut self) -> (Option<i32>, String) {
        crate::rig::signal("TERM", self.child.id());
        let mut told = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        (self.child.wait().unwrap().code(), told)
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn assert_cosigned(log: &Log, size: u64, body: &str, witness: &VerifierKey) {
    let note = log.note(size);
    let parsed = UnverifiedCheckpoint::parse(note.as_bytes()).unwrap();
    let checkpoint = parsed.verify(ORIGIN, &[log.key.verifying_key().clone()], &[]).unwrap();
    check_cosignatures(&checkpoint, body.as_bytes(), std::slice::from_ref(witness)).unwrap();
}

#[test]
fn it_starts_cosigns_stops_and_goes_on() {
    let (rig, log) = (Rig::new(), Log::new(0));
    let flags = ["--log", &log.vkey()];
    let refused = rig.run(&["witness", "--listen", "127.0.0.1:0", "--log", &log.vkey()]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("--name"), "{}", refused.err);
    let witness = Witness::start(&rig, &[&flags[..], &["--name", "alice.example/w", "--json"]].concat());
    let vkey = witness.vkey();
    assert!(witness.banner.contains("nothing cosigned yet"), "{}", witness.banner);
    let policy: String = witness
        .banner
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .skip_while(|l| !l.starts_with("witness "))
        .fold(String::new(), |all, line| all + line + "\n");
    let policy = tlog::Policy::parse(&policy).unwrap();
    assert_eq!(
        (policy.witnesses()[0].key(), policy.witnesses()[0].url()),
        (&vkey, Some(witness.url.as_str()))
    );
    let dir = rig.path("ledgerstone-witness");
    let mode = |path: &str| fs::metadata(dir.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("key"), mode("witness")), (0o700, 0o600, 0o600));

    let (status, body) = witness.add(&log.request(0, 9)).unwrap();
    assert_eq!(status, 200, "{body}");
    assert_cosigned(&log, 9, &body, &vkey);
    let second = rig.run(&["witness", "--listen", "127.0.0.1:0", "--log", &log.vkey()]);
    assert_eq!(second.code, Some(2));
    assert!(
        second.err.contains(&format!("process {} runs this witness", witness.child.id())),
        "{}",
        second.err
    );
    let (code, told) = witness.stop();
    assert_eq!(code, Some(0), "{told}");
    for line in told.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(line["time"].is_string() && line["level"].is_string() && line["message"].is_string());
    }
    assert!(told.contains(r#""event":"cosigned""#) && told.contains(r#""size":9"#), "{told}");

    // The file in the directory is read if no other is named, and the name need not be given again.
    fs::write(dir.join("logs"), format!("# logs\nlog {}\n", log.vkey())).unwrap();
    let witness = Witness::start(&rig, &[]);
    assert_eq!(witness.vkey(), vkey);
    assert!(witness.banner.contains("9 entries, cosigned 20"), "{}", witness.banner);
    assert_eq!(witness.add(&log.request(0, 20)), Some((409, "9\n".to_owned())));
    assert_eq!(witness.add(&log.request(9, 20)).unwrap().0, 200);
    assert!(witness.latest().starts_with("example.com/log\n20\n"));
    witness.stop();
}

#[test]
fn forks_are_listed_and_are_a_no() {
    let (rig, log) = (Rig::new(), Log::new(0));
    let witness = Witness::start(&rig, &["--name", "w.example", "--log", &log.vkey()]);
    assert_eq!(witness.add(&log.request(0, 9)).unwrap().0, 200);
    let none = rig.run(&["witness", "--forks"]);
    assert_eq!((none.code, none.out.as_str()), (Some(0), "no fork was refused\n"));
    assert_eq!(witness.add(&Log::new(7).request(9, 9)).unwrap().0, 422);
    let listed = rig.run(&["witness", "--forks"]);
    assert_eq!(listed.code, Some(1), "{listed:?}");
    assert!(listed.out.contains("two trees of 9 entries") && listed.out.contains(ORIGIN), "{}", listed.out);
    let path = listed.out.split(".*").next().unwrap();
    let refused = fs::read_to_string(rig.path(&format!("{path}.refused"))).unwrap();
    assert_eq!(refused, Log::new(7).request(9, 9));
    let (_, told) = witness.stop();
    assert!(told.contains("error: example.com/log: the log signed two trees of 9 entries"), "{told}");
    assert_eq!(rig.run(&["witness", "--forks", "--dir", "elsewhere"]).code, Some(2));
}

#[test]
fn a_damaged_state_is_not_started_from() {
    let (rig, log) = (Rig::new(), Log::new(0));
    let flags = ["--log", &log.vkey(), "--name", "w.example"];
    let witness = Witness::start(&rig, &flags);
    assert_eq!(witness.add(&log.request(0, 9)).unwrap().0, 200);
    witness.kill();
    let dir = rig.path("ledgerstone-witness");
    let state = dir.join(format!("log-{}", origin_hash(ORIGIN)));
    let good = fs::read(&state).unwrap();
    let start = || rig.run(&[&["witness", "--listen", "127.0.0.1:0"], &flags[..]].concat());
    let mut changed = good.clone();
    changed[100] ^= 1;
    fs::write(&state, changed).unwrap();
    let refused = start();
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("damaged") && refused.err.contains("hint:"), "{}", refused.err);
    fs::remove_file(&state).unwrap();
    assert_eq!(start().code, Some(1));
    fs::write(&state, good).unwrap();
    let witness = Witness::start(&rig, &flags);
    assert_eq!(witness.add(&log.request(0, 9)), Some((409, "9\n".to_owned())));
    witness.stop();
}

/// Ends at each step of persisting as if killed; what was answered is there again, and no fork of it is cosigned.
#[test]
fn kills_at_each_step_of_persisting_lose_no_answer() {
    let (log, other) = (Log::new(0), Log::new(7));
    for step in ["create", "append", "sync", "rename", "sync_dir"] {
        for when in ["before", "during", "after"] {
            if when == "during" && step != "append" {
                continue;
            }
            let rig = Rig::new();
            let flags = ["--log", &log.vkey(), "--name", "w.example"];
            let witness = Witness::start(&rig, &flags);
            assert_eq!(witness.add(&log.request(0, 9)).unwrap().0, 200);
            witness.kill();
            // The second of what touches the state of a log: the directory is synced when it is read, too.
            let path = if step == "sync_dir" { "" } else { "log-" };
            let nth = if step == "sync_dir" { 4 } else { 1 };
            let point = format!("{when}-{step}:{path}:{nth}");
            let witness = Witness::start(&rig, &[&flags[..], &["--danger-kill-at", &point]].concat());
            let first = witness.add(&log.request(9, 20));
            assert_eq!(first, None, "{point}: it was to end before the answer");
            witness.kill();
            let witness = Witness::start(&rig, &flags);
            let (status, body) = witness.add(&other.request(9, 20)).unwrap();
            let size = match (status, body.as_str()) {
                (422, _) => 9,
                (409, "20\n") => 20,
                other => panic!("{point}: {other:?}"),
            };
            let (status, body) = witness.add(&log.request(size, 30)).unwrap();
            assert_eq!(status, 200, "{point}");
            assert_cosigned(&log, 30, &body, &witness.vkey());
            witness.kill();
        }
    }
}

/// Killed again and again while a log is in a hurry: sizes that were answered are never forgotten.
#[test]
fn kills_at_any_time_lose_no_answer() {
    let (rig, log) = (Rig::new(), Log::new(0));
    let flags = ["--log", &log.vkey(), "--name", "w.example"];
    let (mut answered, mut vkey) = (0_u64, None);
    for round in 0_u64..12 {
        let witness = Witness::start(&rig, &flags);
        assert_eq!(*vkey.get_or_insert(witness.vkey()), witness.vkey());
        if answered > 0 {
            let (status, told) = witness.add(&log.request(0, 240)).unwrap();
            let size: u64 = told.trim().parse().unwrap();
            assert!(status == 409 && (answered..=answered + 1).contains(&size), "{size} after {answered}");
            answered = size;
        }
        // Some rounds begin with an answer, however slow the machine is.
        if round % 3 == 0 && answered < 230 {
            match witness.add(&log.request(answered, answered + 1)) {
                Some((200, _)) => answered += 1,
                other => panic!("{other:?}"),
            }
        }
        let pid = witness.child.id();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(5 + 7 * (round % 5)));
            crate::rig::signal("KILL", pid);
        });
        while answered < 230 {
            match witness.add(&log.request(answered, answered + 1)) {
                Some((200, _)) => answered += 1,
                // Killed before its very first answer, it may have kept what it was asked.
                Some((409, told)) if answered == 0 && told.trim() == "1" => answered = 1,
                Some(other) => panic!("{other:?}"),
                None => break,
            }
        }
        killer.join().unwrap();
        witness.kill();
    }
    assert!(answered > 0);
}
