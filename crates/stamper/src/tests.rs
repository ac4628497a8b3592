//! Rounds against an authority that is OpenSSL's.

#[path = "../../timestamp/tests/it/authority.rs"]
#[expect(dead_code, reason = "the other tests use the rest of it")]
mod authority;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use env::{Clock as _, Env, SystemEnv};
use net::{Answer, Request};
use testkit::{ScriptedNet, SimEnv};
use timestamp::{Expected, Token};
use tlog::{Checkpoint, Hash, Origin};

use super::*;
use authority::{EC, Folder, Settings};

const URL: &str = "https://tsa.example:444/stamp?a=b";

mod calendars;

#[derive(Default)]
struct Memory {
    size: Mutex<u64>,
    entered: Mutex<Vec<Entry>>,
    full: Mutex<bool>,
    files: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Memory {
    fn grow(&self) {
        *self.size.lock().unwrap() += 1;
    }

    fn taken(&self) -> Vec<Entry> {
        std::mem::take(&mut self.entered.lock().unwrap())
    }
}

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint {
        origin: Origin::new("example.com/log").unwrap(),
        size,
        root: Hash::from_base64("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=").unwrap(),
    }
}

impl Ledger for Memory {
    fn name(&self) -> &str {
        "main"
    }

    fn head(&self) -> Option<Head> {
        let checkpoint = checkpoint(*self.size.lock().unwrap());
        let note = format!("{}\n— example.com/log AAAA\n", checkpoint.to_text());
        Some(Head { checkpoint, note })
    }

    fn enter(&self, record: Entry) -> bool {
        let full = *self.full.lock().unwrap();
        if !full {
            self.entered.lock().unwrap().push(record);
        }
        !full
    }

    fn keep(&self, size: u64, file: File<'_>) -> bool {
        let (name, bytes) = match file {
            File::Checkpoint(note) => (format!("{size}.checkpoint"), note.as_bytes()),
            File::Token(token) => (format!("{size}.der"), token),
            File::Ots(ots) => (format!("{size}.ots"), ots),
        };
        let full = *self.full.lock().unwrap();
        if !full {
            self.files.lock().unwrap().insert(name, bytes.to_vec());
        }
        !full
    }

    fn ots(&self, most: usize) -> Vec<u64> {
        let files = self.files.lock().unwrap();
        let sizes = files.keys().filter_map(|name| name.strip_suffix(".ots")?.parse().ok());
        let mut sizes: Vec<u64> = sizes.collect();
        sizes.sort_unstable();
        sizes.split_off(sizes.len().saturating_sub(most))
    }

    fn read_ots(&self, size: u64) -> Option<Vec<u8>> {
        self.files.lock().unwrap().get(&format!("{size}.ots")).cloned()
    }
}

struct Scene {
    memory: Arc<Memory>,
    env: Arc<SimEnv>,
    net: Arc<ScriptedNet>,
    rounds: Rounds,
    news: Vec<News>,
    folder: Arc<Folder>,
}

impl Scene {
    /// An hour between rounds, five seconds of patience, the clock as it is.
    fn new() -> Self {
        let folder = Arc::new(Folder::with_signer(EC, EC));
        let tsa = folder.clone();
        let net = Arc::new(ScriptedNet::with(move |request: &Request| {
            assert!(
                request
                    .headers
                    .contains(&("content-type".to_owned(), "application/timestamp-query".to_owned()))
            );
            Ok(Answer::new(200, tsa.reply(&request.body, &Settings::new("tsa"))))
        }));
        let options = Options {
            authorities: vec![URL.to_owned()],
            trusted: Some(folder.authorities("ca.pem")),
            calendars: Vec::new(),
            interval: Duration::from_secs(3600),
            timeout: Duration::from_secs(5),
        };
        let env = Arc::new(SimEnv::new(7, SystemEnv::new().now_ms()));
        let memory = Arc::new(Memory::default());
        let ledgers: Vec<Arc<dyn Ledger>> = vec![memory.clone()];
        let rounds = Rounds::new(ledgers, options, net.clone(), env.clone() as Arc<dyn Env>);
        Self { memory, env, net, rounds, news: Vec::new(), folder }
    }

    fn run(&mut self) -> Vec<Entry> {
        let news = &mut self.news;
        self.rounds.run_due(&|| false, &mut |ledger, authority, heard| {
            assert_eq!((ledger, authority), ("main", "tsa.example:444"));
            news.push(heard.clone());
        });
        self.memory.taken()
    }
}

#[test]
fn the_newest_checkpoint_is_stamped_every_hour_and_once_more_at_the_end() {
    let mut scene = Scene::new();
    assert_eq!(scene.run(), [], "there is nothing to stamp");
    scene.memory.grow();
    let entered = scene.run();
    let [Entry::Timestamp(record)] = &entered[..] else { panic!("{entered:?}") };
    assert_eq!((record.size, record.authority.as_str(), record.accuracy_ms), (1, "tsa.example:444", None));
    let token = Token::parse(&record.token).unwrap();
    let digest = timestamp::digest(checkpoint(1).to_text().as_bytes());
    let verified = token
        .verify(&Expected { digest: &digest, nonce: None }, &scene.folder.authorities("ca.pem"))
        .unwrap();
    assert_eq!(verified.info.gen_time_ms, record.gen_time_ms);
    assert_eq!(scene.memory.files.lock().unwrap()["1.der"], record.token);
    assert!(scene.memory.files.lock().unwrap()["1.checkpoint"].starts_with(b"example.com/log\n1\n"));

    scene.memory.grow();
    assert_eq!(scene.run(), [], "the hour is not over");
    scene.env.advance(3_600_000);
    // Now the authority is an hour behind: that is told, and its token kept all the same.
    let entered = scene.run();
    let [Entry::Clock(clock), Entry::Timestamp(record)] = &entered[..] else { panic!("{entered:?}") };
    assert_eq!(record.size, 2);
    assert_eq!((clock.expected_ms, clock.wall_ms), (record.gen_time_ms, scene.env.now_ms()));
    let status = &scene.rounds.status()[0];
    assert_eq!((status.tokens, status.errors, &status.error), (2, 0, &None));
    assert!((3_590_000..3_610_000).contains(&status.clock_off_ms.unwrap()), "{status:?}");
    assert!(status.newest.as_ref().unwrap().valid_until_ms > scene.env.now_ms());

    scene.rounds.run_last(Duration::from_secs(1), &mut |_, _, _| {});
    assert_eq!(scene.memory.taken(), [], "nothing is new");
    scene.memory.grow();
    scene.rounds.run_last(Duration::from_secs(1), &mut |_, _, _| {});
    assert_eq!(scene.memory.taken().len(), 2);
}

#[test]
fn a_clock_that_agrees_again_is_told_no_more() {
    let mut scene = Scene::new();
    scene.memory.grow();
    scene.env.jump(-20_000);
    assert!(matches!(scene.run()[..], [Entry::Clock(_), Entry::Timestamp(_)]));
    assert!(scene.rounds.status()[0].clock_off_ms.is_some_and(|off| (-21_000..-15_000).contains(&off)));
    scene.env.advance(3_600_000);
    scene.env.jump(20_000 - 3_600_000);
    scene.memory.grow();
    assert!(matches!(scene.run()[..], [Entry::Timestamp(_)]));
    assert_eq!(scene.rounds.status()[0].clock_off_ms, None);
}

#[test]
fn what_proves_nothing_is_not_entered_and_asked_for_again() {
    let mut scene = Scene::new();
    scene.memory.grow();
    let old = scene.folder.reply(&timestamp::request(&[1; 32], 1), &Settings::new("tsa"));
    let digest = timestamp::digest(checkpoint(1).to_text().as_bytes());
    let replayed = scene.folder.reply(&timestamp::request(&digest, 1), &Settings::new("tsa"));
    scene.net.once("tsa", Ok(Answer::new(503, "later")));
    scene.net.once("tsa", Ok(Answer::new(200, "<html>")));
    scene.net.once("tsa", Ok(Answer::new(200, old)));
    scene.net.once("tsa", Ok(Answer::new(200, replayed)));
    scene.net.once("tsa", Ok(Answer::new(200, vec![0; 70_000])));
    let mut waited = 0;
    for (errors, why) in [
        (1, "HTTP status 503"),
        (2, "malformed timestamp response"),
        (3, "over other data"),
        (4, "answers another request"),
        (5, "65536"),
    ] {
        assert_eq!(scene.run(), []);
        let status = &scene.rounds.status()[0];
        assert_eq!(status.errors, errors);
        let error = status.error.clone().unwrap();
        assert!(error.contains(why), "{error}");
        assert_eq!(scene.run(), [], "not at once");
        assert_eq!(scene.rounds.status()[0].errors, errors);
        let pause = 60_000 << (errors - 1);
        scene.env.advance(pause);
        waited += pause as i64;
    }
    scene.env.jump(-waited);
    assert!(matches!(scene.run()[..], [Entry::Timestamp(_)]));
    assert_eq!(scene.rounds.status()[0].error, None);
    assert_eq!(scene.news.len(), 6);
}

#[test]
fn a_stranger_is_not_believed_and_a_full_ledger_is_told() {
    let mut scene = Scene::new();
    let stranger = Folder::with_signer(EC, EC);
    scene.memory.grow();
    let asked = Arc::new(stranger);
    scene.rounds = Rounds::new(
        vec![scene.memory.clone()],
        Options {
            authorities: vec![URL.to_owned()],
            trusted: Some(asked.authorities("ca.pem")),
            calendars: Vec::new(),
            interval: Duration::from_secs(3600),
            timeout: Duration::from_secs(5),
        },
        scene.net.clone(),
        scene.env.clone(),
    );
    assert_eq!(scene.run(), []);
    let error = scene.rounds.status()[0].error.clone().unwrap();
    assert!(error.starts_with("timestamp token is by nobody that leads to the given authorities"), "{error}");

    let mut scene = Scene::new();
    scene.memory.grow();
    *scene.memory.full.lock().unwrap() = true;
    assert_eq!(scene.run(), []);
    assert_eq!(scene.rounds.status()[0].errors, 1);
    *scene.memory.full.lock().unwrap() = false;
    scene.env.advance(60_000);
    scene.env.jump(-60_000);
    assert!(matches!(scene.run()[..], [Entry::Timestamp(_)]));
}

#[test]
fn on_a_thread_it_stamps_at_the_start_and_at_the_end() {
    let scene = Scene::new();
    scene.memory.grow();
    let (told, heard) = std::sync::mpsc::channel();
    let stamper = Stamper::start(scene.rounds, move |_, _, news| drop(told.send(news.clone()))).unwrap();
    assert!(
        matches!(heard.recv_timeout(Duration::from_secs(20)).unwrap(), News::Stamped(record) if record.size == 1)
    );
    assert_eq!(stamper.handle().status()[0].tokens, 1);
    scene.memory.grow();
    stamper.stop();
    let sizes: Vec<u64> = heard
        .try_iter()
        .filter_map(|news| match news {
            News::Stamped(record) => Some(record.size),
            _ => None,
        })
        .collect();
    assert_eq!(sizes, [2]);
}
