//! The engine on a real directory: what goes in comes out, over restarts and sealing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use env::SystemEnv;
use evidence::layout;
use evidence::register::Registered;
use evidence::segment::Class;
use ledger::{
    Batch, Core, Engine, Fault, Options, Outcome, Pending, Prepared, Recorded, Refusal, Request, SigningGates,
};
use record::commit::Seed;
use record::control::Numbering;
use record::entry::{Entry, Kind};
use record::facet::split;
use record::json;
use storage::{Disk, LocalDisk};

fn options() -> Options {
    Options { seal_entries: 512, wal_file_bytes: 64 << 10, reserve_bytes: 4096, ..Options::default() }
}

fn disks(dir: &Path) -> (Arc<dyn Disk>, Arc<dyn Disk>) {
    let open = |name: &str| Arc::new(LocalDisk::open(&dir.join(name)).unwrap());
    (open("data"), open("keys"))
}

fn open(dir: &Path) -> Result<Core, Fault> {
    let (data, keys) = disks(dir);
    Core::open(data, keys, Arc::new(SystemEnv::new()), options())
}

fn event(number: u64) -> Prepared {
    let text = format!(
        r#"{{"class_uid":6003,"time":{number},"actor":{{"user":{{"name":"u{number}"}}}},"message":"m"}}"#
    );
    let draft = split(&json::parse(text.as_bytes()).unwrap());
    Prepared::new(Kind::Event, draft, text.as_bytes(), Seed([number as u8; 16]))
}

fn append(source: u32, numbered: Option<(u32, u64)>, records: Vec<Prepared>) -> (Request, Receiver<Outcome>) {
    let (answer, answered) = channel();
    let pending = Pending::new(move |outcome| drop(answer.send(outcome)));
    (Request::Append { ledger: 0, batch: Batch { source, numbered, records }, pending }, answered)
}

fn durable(answered: &Receiver<Outcome>) -> Vec<Recorded> {
    match answered.recv_timeout(Duration::from_secs(60)).unwrap() {
        Outcome::Durable(recorded) => recorded,
        other => panic!("{other:?}"),
    }
}

#[test]
fn records_survive_sealing_and_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorded = Vec::new();
    let mut core = open(dir.path()).unwrap();
    for round in 0..40 {
        let (request, answered) = append(1, None, (0..50).map(|n| event(round * 50 + n)).collect());
        core.commit(vec![request]).unwrap();
        recorded.extend(durable(&answered));
        core.publish().unwrap();
        while core.seal(false).unwrap() {}
        match round % 10 {
            3 => {
                core.publish().unwrap();
                core.stop().unwrap();
                core = open(dir.path()).unwrap();
            }
            7 => {
                drop(core);
                core = open(dir.path()).unwrap();
            }
            _ => {}
        }
    }
    assert_eq!(recorded.len(), 2000);
    let reads = core.reads();
    assert!(reads.progress(0).sealed >= 1536, "{:?}", reads.progress(0));
    for (number, recorded) in recorded.iter().enumerate() {
        let stored = reads.record(0, recorded.index).unwrap().unwrap();
        assert_eq!(stored.entry, recorded.entry);
        let raw = String::from_utf8(stored.facets[5].clone()).unwrap();
        assert!(raw.contains(&format!(r#""time":{number},"#)), "{raw}");
        let entry = Entry::decode(&stored.entry).unwrap();
        let facets = std::array::from_fn(|facet| &stored.facets[facet][..]);
        record::stored::check(&entry, &reads.ledgers()[0].id, &stored.opening, &facets).unwrap();
    }
    let published = reads.published(0).unwrap();
    for recorded in recorded.iter().step_by(97) {
        let proof = reads.inclusion(0, recorded.index, &published).unwrap();
        let leaf = tlog::hash::leaf_hash(&recorded.entry);
        let (size, root) = (published.checkpoint.size, published.checkpoint.root);
        tlog::proof::verify_inclusion(recorded.index, size, &leaf, &proof, &root).unwrap();
    }
}

#[test]
fn a_source_that_numbers_its_events_is_held_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut core = open(dir.path()).unwrap();
    let (answer, opened) = channel();
    let pending = Pending::new(move |result| drop(answer.send(result)));
    let numbering = Numbering::Source;
    core.commit(vec![Request::Open { ledger: 0, source: None, numbering, previous_last: None, pending }])
        .unwrap();
    let source = opened.recv().unwrap().unwrap().source;
    let send = |core: &mut Core, numbered, records| {
        let (request, answered) = append(source, numbered, records);
        core.commit(vec![request]).unwrap();
        answered.recv().unwrap()
    };
    assert!(matches!(send(&mut core, Some((1, 1)), vec![event(1), event(2)]), Outcome::Durable(_)));
    let gap = Outcome::Refused(Refusal::Sequence { epoch: 1, expected: 3 });
    assert_eq!(format!("{:?}", send(&mut core, Some((1, 4)), vec![event(4)])), format!("{gap:?}"));
    drop(core);
    let mut core = open(dir.path()).unwrap();
    match send(&mut core, Some((1, 2)), vec![event(2), event(3)]) {
        Outcome::Duplicate { count: 1, recorded } => assert_eq!(recorded.len(), 1),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        send(&mut core, Some((2, 1)), vec![event(4)]),
        Outcome::Refused(Refusal::Epoch { current: 1 })
    ));
    assert!(matches!(
        send(&mut core, None, vec![event(4)]),
        Outcome::Refused(Refusal::Numbering { by_source: true })
    ));
}

#[test]
fn the_running_engine_acknowledges_commits_and_seals() {
    let dir = tempfile::tempdir().unwrap();
    let (data, keys) = disks(dir.path());
    let engine = Arc::new(Engine::start(data, keys, Arc::new(SystemEnv::new()), options()).unwrap());
    let recorded = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (engine, recorded) = (&engine, &recorded);
            scope.spawn(move || {
                for round in 0..50 {
                    let (request, answered) =
                        append(1, None, (0..10).map(|n| event(thread * 1000 + round * 10 + n)).collect());
                    engine.submit(request);
                    recorded.lock().unwrap().extend(durable(&answered));
                }
            });
        }
    });
    let recorded = recorded.into_inner().unwrap();
    assert_eq!(recorded.len(), 2000);
    let (answer, committed) = channel();
    let size = recorded.iter().map(|recorded| recorded.index).max().unwrap() + 1;
    engine.reads().when_committed(0, size, move |published| answer.send(published.checkpoint.size).unwrap());
    assert!(committed.recv_timeout(Duration::from_secs(60)).unwrap() >= size);
    Arc::into_inner(engine).unwrap().stop();
    let core = open(dir.path()).unwrap();
    let mut indexes: Vec<u64> = recorded.iter().map(|recorded| recorded.index).collect();
    indexes.sort_unstable();
    indexes.dedup();
    assert_eq!(indexes.len(), 2000);
    for recorded in &recorded {
        assert_eq!(core.reads().record(0, recorded.index).unwrap().unwrap().entry, recorded.entry);
    }
}

/// Stopping while segments are being written leaves none that the register does not know.
#[test]
fn an_engine_stopped_while_sealing_leaves_no_stray_segments() {
    let dir = tempfile::tempdir().unwrap();
    let mut strays = 0;
    for round in 0..25 {
        let (data, keys) = disks(dir.path());
        let options = Options { checkpoint_interval: Duration::from_millis(1), ..options() };
        let engine = Engine::start(data, keys, Arc::new(SystemEnv::new()), options).unwrap();
        let (request, answered) = append(1, None, (0..600).map(event).collect());
        engine.submit(request);
        durable(&answered);
        // From the middle of preparing to after it has been entered, depending on the round.
        std::thread::sleep(Duration::from_millis(round * 2));
        engine.stop();
        let register = std::fs::read(dir.path().join("data/register")).unwrap();
        let register = Registered::parse(&register).unwrap();
        assert!(register.stopped);
        for class in [Class::Events, Class::Control] {
            let segments = dir.path().join("data").join(layout::segment_dir("main", class));
            for file in std::fs::read_dir(segments).unwrap() {
                let name = file.unwrap().file_name().into_string().unwrap();
                let (_, end, _) = layout::parse_segment_name(class, &name).unwrap();
                strays += usize::from(end > register.ledgers[0].sealed);
            }
        }
    }
    assert_eq!(strays, 0);
}

/// A ledger with little in it must not keep every write-ahead file since its last whole bundle, and must be there
/// after a crash although its entries lie behind newer ones.
#[test]
fn a_quiet_ledger_does_not_pin_the_log_of_a_busy_one() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let (data, keys) = disks(dir.path());
        let ledgers = vec!["main".to_owned(), "quiet".to_owned()];
        let options = Options { ledgers, wal_file_bytes: 16 << 10, ..options() };
        Core::open(data, keys, Arc::new(SystemEnv::new()), options).unwrap()
    };
    let files = || std::fs::read_dir(dir.path().join("data/wal")).unwrap().count();
    let mut core = open();
    let mut quiet = Vec::new();
    for round in 0..60 {
        let (request, answered) = append(1, None, (0..64).map(|n| event(round * 64 + n)).collect());
        core.commit(vec![request]).unwrap();
        durable(&answered);
        if round % 10 == 0 {
            let (answer, answered) = channel();
            let pending = Pending::new(move |outcome| answer.send(outcome).unwrap());
            let batch = Batch { source: 1, numbered: None, records: vec![event(round)] };
            core.commit(vec![Request::Append { ledger: 1, batch, pending }]).unwrap();
            quiet.extend(durable(&answered));
        }
        core.publish().unwrap();
        while core.seal(false).unwrap() {}
        core.publish().unwrap();
        if round % 13 == 12 {
            drop(core);
            core = open();
        }
    }
    assert!(files() <= 8, "{} write-ahead files are kept", files());
    core.stop().unwrap();
    let core = open();
    for recorded in &quiet {
        assert_eq!(core.reads().record(1, recorded.index).unwrap().unwrap().entry, recorded.entry);
    }
}

/// While its gate is held a running ledger records and says at once that no checkpoint will come; once released it signs
/// without being asked.
#[test]
fn a_running_ledger_signs_once_its_gate_is_released() {
    let dir = tempfile::tempdir().unwrap();
    let gates = SigningGates::held(["main".to_owned()], 1, "no witness has answered");
    let start = || {
        let (data, keys) = disks(dir.path());
        let options = Options { gates: gates.clone(), ..options() };
        Engine::start(data, keys, Arc::new(SystemEnv::new()), options).unwrap()
    };
    let engine = start();
    let (request, answered) = append(1, None, vec![event(1)]);
    engine.submit(request);
    let index = durable(&answered)[0].index;
    let (answer, committed) = channel();
    engine
        .reads()
        .when_committed(0, index + 1, move |published| answer.send(published.checkpoint.size).unwrap());
    assert!(committed.recv_timeout(Duration::from_secs(60)).is_err(), "nobody waits for what will not come");
    assert!(engine.reads().published(0).is_none());
    assert_eq!(engine.reads().signing(0).reason(), Some("no witness has answered"));
    engine.stop();

    let engine = start();
    std::thread::sleep(Duration::from_secs(1));
    gates.release("main");
    let (answer, committed) = channel();
    engine
        .reads()
        .when_committed(0, index + 1, move |published| answer.send(published.checkpoint.size).unwrap());
    assert!(committed.recv_timeout(Duration::from_secs(60)).unwrap() > index);
    engine.stop();
}
