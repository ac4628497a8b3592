//! Courses against witnesses that keep to the specification, that lie, and that are not there.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use env::{Clock as _, Random, SystemEnv};
use net::{Answer, NetError, Request};
use record::control::{Clock, Refusal};
use testkit::ScriptedNet;
use tlog::{
    AddCheckpoint, Checkpoint, CosigningKey, Hash, Origin, Policy, SigningKey, UnverifiedCheckpoint,
    VerifierKey, empty_root, leaf_hash, node_hash, sign_checkpoint, verify_consistency,
};

mod objections;

use crate::{AlarmKind, Anchor, Head, Ledger, Pace, Phase, Rules};

const ORIGIN: &str = "log.example/a";

/// Root of the leaves, as RFC 6962 section 2.1 writes it.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&root(left), &root(right))
        }
    }
}

/// RFC 6962 section 2.1.2.
fn proof(old: usize, leaves: &[Hash]) -> Vec<Hash> {
    fn part(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if old == leaves.len() {
            return if whole { Vec::new() } else { vec![root(leaves)] };
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        if old <= left.len() {
            let mut hashes = part(old, left, whole);
            hashes.push(root(right));
            return hashes;
        }
        let mut hashes = part(old - left.len(), right, false);
        hashes.push(root(left));
        hashes
    }
    if old == 0 { Vec::new() } else { part(old, leaves, true) }
}

fn leaves(of: &str, count: usize) -> Vec<Hash> {
    (0..count).map(|n| leaf_hash(format!("{of}{n}").as_bytes())).collect()
}

fn key() -> SigningKey {
    SigningKey::from_seed(ORIGIN, [7; 32]).unwrap()
}

fn signed(leaves: &[Hash]) -> Head {
    let checkpoint =
        Checkpoint { origin: Origin::new(ORIGIN).unwrap(), size: leaves.len() as u64, root: root(leaves) };
    Head { note: sign_checkpoint(&checkpoint, &key()), checkpoint }
}

/// A ledger in memory. While it is held its head does not grow.
struct Book {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    all: Vec<Hash>,
    published: usize,
    held: Option<String>,
    kept: Vec<Head>,
    records: Vec<Refusal>,
    clocks: Vec<(String, Clock)>,
}

impl Book {
    fn new(all: Vec<Hash>) -> Arc<Self> {
        let held = Some("start".to_owned());
        Arc::new(Self { state: Mutex::new(State { published: all.len(), all, held, ..State::default() }) })
    }

    fn append(&self, count: usize) {
        let mut state = self.state.lock().unwrap();
        let end = state.all.len();
        state.all.extend((end..end + count).map(|n| leaf_hash(format!("a{n}").as_bytes())));
        if state.held.is_none() {
            state.published = state.all.len();
        }
    }

    fn held(&self) -> Option<String> {
        self.state.lock().unwrap().held.clone()
    }
}

impl Ledger for Book {
    fn name(&self) -> &str {
        "main"
    }
    fn head(&self) -> Result<Head, String> {
        let state = self.state.lock().unwrap();
        Ok(signed(&state.all[..state.published]))
    }
    fn proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, String> {
        Ok(proof(old as usize, &self.state.lock().unwrap().all[..new as usize]))
    }
    fn root(&self, size: u64) -> Result<Option<Hash>, String> {
        let state = self.state.lock().unwrap();
        Ok((size as usize <= state.published).then(|| root(&state.all[..size as usize])))
    }
    fn release(&self) {
        let mut state = self.state.lock().unwrap();
        (state.held, state.published) = (None, state.all.len());
    }
    fn hold(&self, reason: &str) {
        self.state.lock().unwrap().held = Some(reason.to_owned());
    }
    fn witnessed(&self) -> Option<String> {
        Some(self.state.lock().unwrap().kept.last()?.note.clone())
    }
    fn keep(&self, witnessed: Head) -> Result<(), String> {
        self.state.lock().unwrap().kept.push(witnessed);
        Ok(())
    }
    fn record(&self, refusal: &Refusal) {
        self.state.lock().unwrap().records.push(refusal.clone());
    }
    fn record_clock(&self, witness: &str, clock: &Clock) {
        self.state.lock().unwrap().clocks.push((witness.to_owned(), clock.clone()));
    }
}

/// How a witness behaves.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Honest,
    /// Honest, and shows nothing on the monitoring path.
    Silent,
    /// Not there.
    Gone,
    /// Says that it has seen a million entries.
    Boasts,
    /// Cosigns something else than what it was sent.
    Forges,
    /// Answers with a text.
    Babbles,
    /// Takes no signature.
    Distrusts,
    /// Says that nothing extends what it has cosigned, and shows nothing.
    Objects,
}

struct Witness {
    key: CosigningKey,
    manner: Mutex<Manner>,
    seen: Mutex<Option<Head>>,
    /// How far its clock is ahead, in seconds.
    ahead_s: AtomicI64,
}

impl Witness {
    fn new(name: &str, seed: u8, manner: Manner) -> Arc<Self> {
        let key = CosigningKey::from_seed(name, [seed; 32]).unwrap();
        Arc::new(Self { key, manner: Mutex::new(manner), seen: Mutex::default(), ahead_s: AtomicI64::new(0) })
    }

    fn vkey(&self) -> VerifierKey {
        self.key.verifying_key().clone()
    }

    fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    fn saw(&self, leaves: &[Hash]) {
        *self.seen.lock().unwrap() = Some(signed(leaves));
    }

    /// C2SP tlog-witness, "add-checkpoint", in the order of its checks.
    fn add(&self, body: &[u8]) -> (u16, String) {
        let request = AddCheckpoint::parse(body).unwrap();
        let note = UnverifiedCheckpoint::parse(request.checkpoint_note.as_bytes()).unwrap();
        let verified = note.verify(ORIGIN, &[key().verifying_key().clone()], &[]).unwrap();
        let new = verified.checkpoint().clone();
        let mut seen = self.seen.lock().unwrap();
        let old = seen.as_ref().map_or(0, |seen| seen.checkpoint.size);
        if request.old > new.size {
            return (400, String::new());
        }
        if request.old != old {
            return (409, format!("{old}\n"));
        }
        let before = seen.as_ref().map_or_else(empty_root, |seen| seen.checkpoint.root);
        let good = match (old, old == new.size) {
            (_, true) => request.proof.is_empty() && before == new.root,
            (0, false) => request.proof.is_empty(),
            _ => verify_consistency(old, new.size, &before, &new.root, &request.proof).is_ok(),
        };
        if !good {
            return (422, String::new());
        }
        *seen = Some(Head { note: request.checkpoint_note, checkpoint: new.clone() });
        let now_s =
            (SystemEnv::new().now_ms() / 1000).saturating_add_signed(self.ahead_s.load(Ordering::Relaxed));
        (200, format!("{}\n", self.key.cosign(&new, now_s)))
    }

    fn answer(&self, request: &Request) -> Result<Answer, NetError> {
        let manner = *self.manner.lock().unwrap();
        let gone = || NetError::Unreachable { url: request.url.clone(), why: "gone".to_owned() };
        let (status, body) = match (manner, request.url.ends_with("/add-checkpoint")) {
            (Manner::Gone, _) => return Err(gone()),
            (Manner::Boasts, true) => (409, "1000000\n".to_owned()),
            (Manner::Babbles, _) => (200, "yes\n".to_owned()),
            (Manner::Distrusts, true) => (403, String::new()),
            (Manner::Objects, true) => match self.add(&request.body) {
                (200, _) => (422, String::new()),
                other => other,
            },
            (Manner::Forges, true) => {
                let other = signed(&leaves("z", 3)).checkpoint;
                (200, format!("{}\n", self.key.cosign(&other, 1_700_000_000)))
            }
            (_, true) => self.add(&request.body),
            (Manner::Honest, false) => match &*self.seen.lock().unwrap() {
                Some(head) => (200, head.note.clone()),
                None => (404, String::new()),
            },
            (_, false) => (404, String::new()),
        };
        Ok(Answer { status, headers: Vec::new(), body: body.into_bytes() })
    }
}

/// A clock that runs a hundred times as fast.
struct Fast(SystemEnv);

impl env::Clock for Fast {
    fn now_ms(&self) -> u64 {
        self.0.now_ms()
    }
    fn monotonic(&self) -> Duration {
        self.0.monotonic() * 100
    }
}

impl Random for Fast {
    fn fill(&self, out: &mut [u8]) {
        self.0.fill(out);
    }
}

fn start(book: &Arc<Book>, witnesses: &[Arc<Witness>], quorum: usize) -> (Anchor, Arc<ScriptedNet>) {
    let mut text = String::new();
    for (at, witness) in witnesses.iter().enumerate() {
        text.push_str(&format!("witness w{at} {} http://w{at}.example/sub\n", witness.vkey()));
    }
    let names: Vec<String> = (0..witnesses.len()).map(|at| format!("w{at}")).collect();
    text.push_str(&format!("group all-of-them {quorum} {}\nquorum all-of-them\n", names.join(" ")));
    let rules = Rules {
        ledger: "main".to_owned(),
        origin: ORIGIN.to_owned(),
        keys: vec![key().verifying_key().clone()],
        policy: Arc::new(Policy::parse(&text).unwrap()),
        own: vec!["w0".to_owned()],
        pace: Pace::default(),
    };
    let witnesses = witnesses.to_vec();
    let net = Arc::new(ScriptedNet::with(move |request| {
        let at: usize = request.url[8..9].parse().unwrap();
        witnesses[at].answer(request)
    }));
    let anchor = Anchor::start(vec![(book.clone(), rules)], net.clone(), Arc::new(Fast(SystemEnv::new())));
    (anchor.unwrap(), net)
}

/// Waits until something holds; the clocks of these tests run fast.
#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..12_000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it never came to this: {what}");
}

fn kept(book: &Book) -> u64 {
    book.state.lock().unwrap().kept.last().map_or(0, |head| head.checkpoint.size)
}

fn three(manners: [Manner; 3]) -> [Arc<Witness>; 3] {
    std::array::from_fn(|at| Witness::new(&format!("w.example/{at}"), at as u8 + 1, manners[at]))
}

#[test]
fn a_quorum_opens_the_gate_and_cosigns_what_follows() {
    let book = Book::new(leaves("a", 20));
    let witnesses = three([Manner::Honest, Manner::Silent, Manner::Gone]);
    witnesses[0].saw(&leaves("a", 20));
    witnesses[1].saw(&leaves("a", 3));
    let (anchor, _net) = start(&book, &witnesses, 2);
    until("the gate is open", || book.held().is_none());
    until("the quorum that opened the gate has cosigned what was there", || kept(&book) == 20);
    for round in 1..10 {
        book.append(round * 7);
        let size = book.head().unwrap().checkpoint.size;
        until("a quorum has cosigned", || kept(&book) == size);
    }
    // The one that is gone may not even have been asked until now.
    let gone = || anchor.handle().of("main").unwrap().witnesses[2].trouble.clone();
    until("nobody answers", || gone().is_some_and(|why| why.contains("nobody answers")));
    let state = book.state.lock().unwrap();
    let last = state.kept.last().unwrap();
    let keys = witnesses.iter().map(|witness| witness.vkey()).collect::<Vec<_>>();
    let note = UnverifiedCheckpoint::parse(last.note.as_bytes()).unwrap();
    assert_eq!(note.note().signatures().len(), 3, "the ledger and two witnesses");
    let verified = note.verify(ORIGIN, &[key().verifying_key().clone()], &keys).unwrap();
    assert_eq!(verified.cosignatures().len(), 2);
    assert!(state.records.is_empty());
    drop(state);
    let status = anchor.handle().of("main").unwrap();
    assert!(status.phase == Phase::Signing && !status.own_suffice && status.witnesses[0].own);
    anchor.stop(Duration::from_secs(5));
}

#[test]
fn a_new_ledger_shows_the_empty_tree_first() {
    let book = Book::new(Vec::new());
    let witnesses = three([Manner::Honest; 3]);
    let (anchor, _net) = start(&book, &witnesses, 3);
    until("the gate is open", || book.held().is_none());
    book.append(5);
    until("a quorum has cosigned", || kept(&book) == 5);
    anchor.stop(Duration::from_secs(5));
}

#[test]
fn without_a_quorum_nothing_is_signed_until_it_comes_back() {
    let book = Book::new(leaves("a", 9));
    let witnesses = three([Manner::Gone; 3]);
    witnesses.iter().for_each(|witness| witness.saw(&leaves("a", 9)));
    let (anchor, _net) = start(&book, &witnesses, 2);
    until("it says why", || book.held().is_some_and(|why| why.contains("0 of 3") && why.contains("nobody")));
    witnesses[1].set(Manner::Honest);
    until("one has answered", || book.held().is_some_and(|why| why.contains("1 of 3")));
    book.append(4);
    assert_eq!(book.head().unwrap().checkpoint.size, 9);
    witnesses[2].set(Manner::Silent);
    until("the gate is open", || book.held().is_none());
    until("a quorum has cosigned what was held", || kept(&book) == 13);
    anchor.stop(Duration::from_secs(5));
}

/// A restored backup, an older snapshot, a tail that was cut: the store is a prefix of what was witnessed.
#[test]
fn a_store_that_was_set_back_does_not_sign() {
    for (shows, quorum) in [(Manner::Honest, 1), (Manner::Silent, 1), (Manner::Honest, 3)] {
        let book = Book::new(leaves("a", 12));
        let witnesses = three([Manner::Honest, shows, Manner::Honest]);
        witnesses[0].saw(&leaves("a", 12));
        witnesses[1].saw(&leaves("a", 40));
        witnesses[2].saw(&leaves("a", 5));
        let (anchor, _net) = start(&book, &witnesses, quorum);
        until("the alarm is told", || {
            book.held().is_some_and(|why| why.contains("w1 has cosigned 40 entries"))
        });
        std::thread::sleep(Duration::from_millis(300));
        let held = book.held().unwrap();
        assert!(held.contains("this store has 12") && held.contains("restored backup"), "{held}");
        let status = anchor.handle().of("main").unwrap();
        let alarm = status.witnesses[1].alarm.clone().unwrap();
        assert_eq!(
            (alarm.kind, alarm.claimed, alarm.note.is_some()),
            (AlarmKind::Ahead, Some(40), shows == Manner::Honest)
        );
        let records = book.state.lock().unwrap().records.clone();
        assert!(records.len() == 1 && records[0].stopped && records[0].claimed == Some(40), "{records:?}");
        anchor.stop(Duration::from_secs(5));
    }
}

/// Cut and continued, or edited and signed anew with the stolen key: another tree than the witnessed one.
#[test]
fn a_store_that_was_rewritten_does_not_sign() {
    for size in [12, 30, 40] {
        let mut other = leaves("a", 10);
        other.extend(leaves("b", size - 10));
        let book = Book::new(other);
        let witnesses = three([Manner::Honest; 3]);
        witnesses.iter().for_each(|witness| witness.saw(&leaves("a", 30)));
        let (anchor, _net) = start(&book, &witnesses, 2);
        until("all alarms are told", || {
            anchor.handle().of("main").unwrap().witnesses.iter().all(|witness| witness.alarm.is_some())
        });
        let status = anchor.handle().of("main").unwrap();
        let kind = if size < 30 { AlarmKind::Ahead } else { AlarmKind::Conflict };
        for witness in &status.witnesses {
            let alarm = witness.alarm.clone().unwrap();
            assert_eq!((alarm.kind, alarm.note.is_some()), (kind, true), "{size}");
        }
        assert!(book.held().is_some() && status.phase == Phase::Starting);
        anchor.stop(Duration::from_secs(5));
    }
}

/// A copy of the store runs elsewhere and was faster.
#[test]
fn a_witness_that_gets_ahead_stops_signing_for_good() {
    let book = Book::new(leaves("a", 8));
    let witnesses = three([Manner::Honest; 3]);
    let (anchor, _net) = start(&book, &witnesses, 2);
    until("the gate is open", || book.held().is_none());
    let mut copy = leaves("a", 8);
    copy.extend(leaves("copy", 9));
    witnesses[1].saw(&copy);
    book.append(3);
    until("it stops", || book.held().is_some_and(|why| why.contains("w1 has cosigned 17 entries")));
    let signed = book.head().unwrap().checkpoint.size;
    book.append(100);
    let shown = || anchor.handle().of("main").unwrap().witnesses[1].alarm.clone();
    until("the copy's checkpoint is kept", || shown().is_some_and(|alarm| alarm.note.is_some()));
    // Later on the copy is smaller than this ledger, and the witness would take what follows: too late.
    witnesses[1].saw(&leaves("a", signed as usize));
    std::thread::sleep(Duration::from_millis(500));
    assert!(book.held().is_some() && book.head().unwrap().checkpoint.size == signed);
    let status = anchor.handle().of("main").unwrap();
    assert_eq!(status.phase, Phase::Stopped);
    assert!(status.witnesses[1].alarm.as_ref().unwrap().note.is_some(), "the copy's checkpoint is kept");
    assert_eq!(book.state.lock().unwrap().records.len(), 1);
    anchor.stop(Duration::from_secs(5));
}

/// A minority that lies can't pass anything off as witnessed; the one lie that stops signatures is named as without proof.
#[test]
fn a_minority_of_liars() {
    for lie in [Manner::Forges, Manner::Babbles, Manner::Distrusts, Manner::Gone] {
        let book = Book::new(leaves("a", 8));
        let witnesses = three([Manner::Honest, lie, Manner::Honest]);
        let (anchor, net) = start(&book, &witnesses, 2);
        until("the gate is open", || book.held().is_none());
        book.append(3);
        until("the honest ones suffice", || kept(&book) == 11);
        let liar = || anchor.handle().of("main").unwrap().witnesses[1].clone();
        until("the liar has been asked", || liar().trouble.is_some());
        let status = anchor.handle().of("main").unwrap();
        assert!(status.witnesses[1].trouble.is_some() && status.witnesses[1].size.is_none());
        assert_eq!(status.witnesses[1].alarm.is_some(), lie == Manner::Distrusts);
        assert!(net.calls().len() < 200, "those who fail are not asked all the time");
        anchor.stop(Duration::from_secs(5));
    }
    let book = Book::new(leaves("a", 8));
    let witnesses = three([Manner::Honest, Manner::Boasts, Manner::Honest]);
    let (anchor, _net) = start(&book, &witnesses, 2);
    until("it says that there is no proof", || book.held().is_some_and(|why| why.contains("take it out")));
    std::thread::sleep(Duration::from_millis(200));
    assert!(book.held().is_some() && book.state.lock().unwrap().records.len() == 1);
    // At the start it may still think better of it.
    witnesses[1].set(Manner::Honest);
    until("the gate is open", || book.held().is_none());
    anchor.stop(Duration::from_secs(5));
}

#[test]
fn no_quorum_and_no_witnesses() {
    let book = Book::new(leaves("a", 8));
    let rules = Rules {
        ledger: "main".to_owned(),
        origin: ORIGIN.to_owned(),
        keys: vec![key().verifying_key().clone()],
        policy: Arc::new(Policy::parse("quorum none\n").unwrap()),
        own: Vec::new(),
        pace: Pace::default(),
    };
    let anchor =
        Anchor::start(vec![(book.clone(), rules)], Arc::new(ScriptedNet::new()), Arc::new(SystemEnv::new()));
    assert!(book.held().is_none());
    assert!(anchor.unwrap().handle().of("main").unwrap().own_suffice);
}

#[test]
fn a_witness_with_another_time_is_told_once_until_it_agrees() {
    let book = Book::new(leaves("a", 20));
    let witnesses = three([Manner::Honest; 3]);
    witnesses[1].ahead_s.store(3600, Ordering::Relaxed);
    witnesses[2].ahead_s.store(-3600, Ordering::Relaxed);
    let (anchor, _net) = start(&book, &witnesses, 3);
    let off = |at: usize| anchor.handle().of("main").unwrap().witnesses[at].clock_off_ms;
    let grow = || {
        book.append(3);
        let size = book.head().unwrap().checkpoint.size;
        until("all have cosigned", || kept(&book) == size);
    };
    until("the gate is open", || book.held().is_none());
    (0..3).for_each(|_| grow());
    let told = || {
        let mut told = book.state.lock().unwrap().clocks.clone();
        told.sort_by(|one, other| one.0.cmp(&other.0));
        told
    };
    let first = told();
    assert_eq!(first.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["w1", "w2"]);
    // Ours lies as near to theirs as waiting for the answer allows, so the hour is not quite whole.
    let hour = 3_500_000..=3_700_000;
    assert!(hour.contains(&(first[0].1.expected_ms - first[0].1.wall_ms)), "{first:?}");
    assert!(hour.contains(&(first[1].1.wall_ms - first[1].1.expected_ms)), "{first:?}");
    assert!(off(0).is_none() && off(1).is_some_and(|ms| ms < 0) && off(2).is_some_and(|ms| ms > 0));

    witnesses[1].ahead_s.store(0, Ordering::Relaxed);
    grow();
    until("it agrees again", || off(1).is_none());
    assert_eq!(told(), first);
    witnesses[1].ahead_s.store(60, Ordering::Relaxed);
    grow();
    assert_eq!(told().len(), 3);
    assert!(book.state.lock().unwrap().records.is_empty(), "no witness has refused");
    anchor.stop(Duration::from_secs(5));
}
