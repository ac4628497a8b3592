//! A client and an operator in one: drives the engine step by step from a seed, and remembers what it was told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use env::{Clock, Env};
use evidence::keys::{CHANGE, format_change};
use evidence::layout;
use ledger::{
    Batch, Core, Fault, KeyStore, Options, Outcome, Pending, Prepared, Refusal, Request, SigningGates,
};
use record::commit::Seed;
use record::control::{Heartbeat, KeyChange, Numbering};
use record::entry::{ENTRY_LEN, Kind};
use record::facet::Facet;
use storage::{Disk, DiskObjects, Objects};
use tlog::KeyStatement;
use tlog::hash::leaf_hash;
use tlog::proof::verify_inclusion;

use crate::check::{Violation, broken};
use crate::disk::{Disks, SimHost};
use crate::expected::{Event, Expected, Happened, OpenedSource, Told};
use crate::rng::Rng;
use crate::sim_env::SimEnv;

/// Names of the two ledgers of every run.
pub const LEDGERS: [&str; 2] = ["alpha", "beta"];

/// What happened, in which ledger, after how many operations of the host.
pub type Journal = Vec<(usize, &'static str, Happened)>;

/// What the clock had shown after some operations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Time {
    /// How many operations.
    pub at: usize,
    /// The latest time, unix milliseconds.
    pub latest_ms: u64,
    /// The latest at which the engine could record.
    pub up_ms: u64,
}

/// Drives one store on one host.
pub struct Driver {
    data: Arc<dyn Disk>,
    keys: Arc<dyn Disk>,
    host: SimHost,
    env: Arc<SimEnv>,
    core: Option<Core>,
    rng: Rng,
    next_event: u64,
    /// How many of [`LEDGERS`] the next [`Driver::open`] asks for.
    pub ledgers: usize,
    /// The gates of the next [`Driver::open`].
    pub gates: SigningGates,
    /// What must be true now.
    pub expected: Expected,
    /// What happened since the driver started.
    pub journal: Journal,
    /// Answers that came while a call was running.
    answers: Arc<Mutex<Journal>>,
    /// What the clock has shown, by operations.
    pub times: Vec<Time>,
}

/// Limits small enough that a short run rolls over every file, for so many ledgers.
pub fn options(ledgers: usize) -> Options {
    Options {
        ledgers: LEDGERS.iter().take(ledgers).map(|name| (*name).to_owned()).collect(),
        seal_entries: 256,
        seal_age: Duration::from_secs(1 << 30),
        wal_file_bytes: 12 << 10,
        ..Options::default()
    }
}

impl Driver {
    /// Uses the disks, which lie on `host`, from `time` on. `expected` is what must be true of them.
    pub fn new(host: &SimHost, disks: Disks, seed: u64, time: Time, expected: Expected) -> Self {
        let mut rng = Rng::new(seed);
        let env = Arc::new(SimEnv::new(rng.next(), time.latest_ms));
        Self {
            data: disks.0,
            keys: disks.1,
            host: host.clone(),
            env,
            core: None,
            // Numbers of different drivers of one run must not meet.
            next_event: rng.next() >> 20 << 10,
            ledgers: LEDGERS.len(),
            gates: SigningGates::default(),
            rng,
            expected,
            journal: Vec::new(),
            answers: Arc::default(),
            times: vec![Time { at: 0, ..time }],
        }
    }

    /// Opens the store. A ledger that has entries was down since the latest time the driver knows of.
    pub fn open(&mut self) -> Result<(), Fault> {
        self.core = None;
        let down = self.time().up_ms;
        let pause = self.rng.between(1, 5000);
        self.env.advance(pause);
        let now = self.env.now_ms();
        self.tick(down);
        let env: Arc<dyn Env> = self.env.clone();
        let options = Options { gates: self.gates.clone(), ..options(self.ledgers) };
        let core = Core::open(self.data.clone(), self.keys.clone(), env, options)?;
        for name in LEDGERS.into_iter().take(core.reads().ledgers().len()) {
            let known = self.expected.0.get(name);
            let begun = known.is_some_and(|ledger| !ledger.notes.is_empty() || !ledger.opened.is_empty());
            if begun {
                self.happened(name, Happened::Down(down, now));
            } else {
                // Every ledger is born with a source that the server numbers.
                let first = OpenedSource { source: 1, epoch: 1, numbered: false, last: 0 };
                self.happened(name, Happened::Opened(1, first));
            }
        }
        for (ledger, name) in LEDGERS.iter().enumerate().take(core.reads().ledgers().len()) {
            if let Some(published) = core.reads().published(ledger) {
                let checkpoint = &published.checkpoint;
                self.happened(name, Happened::Signed(checkpoint.size, checkpoint.root));
            }
        }
        self.core = Some(core);
        self.tick(now);
        Ok(())
    }

    /// The engine, between [`Driver::open`] and the first fault.
    pub fn core(&self) -> Option<&Core> {
        self.core.as_ref()
    }

    /// Forgets the engine, as a kill would.
    pub fn kill(&mut self) {
        self.core = None;
        self.drain();
    }

    /// Prepares a change of a ledger's signing key, beside the engine: the next [`Driver::open`] enters it. False if nothing
    /// was published yet that it could be bound to.
    pub fn change_key(&mut self, ledger: usize) -> Result<bool, Fault> {
        let name = LEDGERS[ledger];
        let Some(published) = self.engine()?.reads().published(ledger) else { return Ok(false) };
        let keys = KeyStore::open(self.keys.clone(), self.env.as_ref(), false)?;
        let head = published.checkpoint.clone();
        let origin = head.origin.to_string();
        let key = keys.create_signing_key(self.env.as_ref(), &layout::keys::signing_next(name), &origin)?;
        let authority = keys.signing_key(&layout::keys::authority(name))?;
        let key = key.verifying_key().clone();
        let statement = KeyStatement { origin: head.origin, size: head.size, root: head.root, key };
        let change = KeyChange { statement: statement.sign(&authority), checkpoint: published.note.clone() };
        let (path, bytes) = (layout::keys::change(name), format_change(CHANGE, &change));
        let put = DiskObjects::new(self.keys.clone()).put(&path, &bytes);
        put.map_err(|error| Fault::Storage {
            doing: "placing a change of a key",
            error: std::io::Error::other(error),
        })?;
        Ok(true)
    }

    /// What the clock has shown last.
    pub fn time(&self) -> Time {
        self.times.last().copied().unwrap_or_default()
    }

    /// Hands in again what was not answered, appends to each ledger and publishes: what every store must be able to
    /// do after recovery. `sealing` seals all it can as well.
    pub fn carry_on(&mut self, sealing: bool) -> Result<(), Fault> {
        self.retry()?;
        for ledger in 0..self.ledgers {
            let request = self.append(ledger, 3);
            self.commit(request.into_iter().collect())?;
        }
        self.publish()?;
        if sealing {
            while self.engine()?.seal(true)? {
                self.publish()?;
            }
        }
        Ok(())
    }

    /// Does something at random.
    pub fn step(&mut self) -> Result<(), Fault> {
        let pause = self.rng.between(0, 40);
        self.env.advance(pause);
        self.tick(self.env.now_ms());
        match self.rng.below(100) {
            0..45 => {
                let requests = self.rng.between(1, 3);
                let requests = (0..requests).filter_map(|_| {
                    let ledger = usize::from(self.rng.one_in(3)).min(self.ledgers - 1);
                    let most = [1, 3, 12, 60][self.rng.below(4) as usize];
                    let count = self.rng.between(1, most);
                    self.append(ledger, count)
                });
                let requests: Vec<Request> = requests.collect();
                self.commit(requests)
            }
            45..50 => self.engine()?.mark_synced(),
            50..70 => self.publish(),
            70..76 => self.seal(false),
            76..80 => {
                self.publish()?;
                self.seal(true)
            }
            80..86 => {
                let request = self.open_source();
                self.commit(vec![request])
            }
            86..89 => self.retry_known(),
            89..92 => self.append_out_of_order(),
            92..95 => {
                let ms = self.rng.between(0, 20_000) as i64 - 8_000;
                self.env.jump(ms);
                self.tick(self.env.now_ms());
                Ok(())
            }
            95..98 => {
                self.stop()?;
                self.open()
            }
            _ => {
                self.kill();
                self.open()
            }
        }
    }

    /// Publishes checkpoints.
    pub fn publish(&mut self) -> Result<(), Fault> {
        self.engine()?.publish()
    }

    /// Reads some acknowledged records back through the engine, and proves them.
    pub fn check_reads(&mut self) -> Result<(), Violation> {
        let Some(reads) = self.core.as_ref().map(Core::reads) else { return Ok(()) };
        for (ledger, name) in LEDGERS.iter().enumerate() {
            let Some(expected) = self.expected.0.get(*name) else { continue };
            let told = expected.events.values().filter_map(|(event, told)| match told {
                Told::At(index, entry) => Some((*index, *entry, event)),
                _ => None,
            });
            let told: Vec<_> = told.collect();
            for _ in 0..told.len().min(3) {
                let (index, entry, event) = &told[self.rng.below(told.len() as u64) as usize];
                let place = format!("reading ledger {name}, index {index}");
                let record = reads.record(ledger, *index).or_else(|fault| broken(&place, fault))?;
                let Some(record) = record else { return broken(place, "it is not there") };
                if record.entry != *entry || record.facets[Facet::Raw as usize] != *event.raw {
                    return broken(place, "it is another one");
                }
                let Some(published) = reads.published(ledger) else { return broken(place, "no checkpoint") };
                let proof = reads.inclusion(ledger, *index, &published).or_else(|f| broken(&place, f))?;
                let (size, root) = (published.checkpoint.size, published.checkpoint.root);
                verify_inclusion(*index, size, &leaf_hash(entry), &proof, &root)
                    .or_else(|error| broken(&place, error))?;
            }
        }
        Ok(())
    }

    /// Proves a random entry of each published tree, and that the tiles served have its root: what readers get while
    /// nothing newer may be signed.
    pub fn check_reads_of_published(&mut self) -> Result<(), Violation> {
        let Some(reads) = self.core.as_ref().map(Core::reads) else { return Ok(()) };
        for (ledger, name) in LEDGERS.iter().enumerate().take(reads.ledgers().len()) {
            let place = format!("ledger {name}, published");
            let Some(published) = reads.published(ledger).filter(|at| at.checkpoint.size > 0) else {
                continue;
            };
            let (size, root) = (published.checkpoint.size, published.checkpoint.root);
            let index = self.rng.below(size);
            let record = reads.record(ledger, index).or_else(|fault| broken(&place, fault))?;
            let Some(record) = record else { return broken(place, "an entry is not there") };
            let proof = reads.inclusion(ledger, index, &published).or_else(|fault| broken(&place, fault))?;
            verify_inclusion(index, size, &leaf_hash(&record.entry), &proof, &root)
                .or_else(|error| broken(&place, error))?;
            let width = tlog::tile::partial_width(0, size);
            let last = size / u64::from(tlog::tile::TILE_WIDTH);
            let bundle = reads.bundle(ledger, last, width).or_else(|fault| broken(&place, fault))?;
            if width > 0 && bundle.is_none_or(|bytes| bytes.len() != usize::from(width) * (2 + ENTRY_LEN)) {
                return broken(place, "the partial bundle is not served whole");
            }
        }
        Ok(())
    }

    /// Seals a range if there is one.
    pub fn seal(&mut self, all: bool) -> Result<(), Fault> {
        self.engine()?.seal(all).map(drop)
    }

    /// Enters requests as one group.
    pub fn commit(&mut self, requests: Vec<Request>) -> Result<(), Fault> {
        let committed = self.engine()?.commit(requests);
        self.drain();
        committed
    }

    /// Enters records of the ledger itself: the quickest way to a large tree.
    pub fn enter_heartbeats(&mut self, ledger: usize, count: u64) -> Result<(), Fault> {
        let size = self.engine()?.reads().progress(ledger).durable;
        let heartbeat = |at| (Kind::Heartbeat, Heartbeat { size: size + at, system: None }.to_draft());
        let records = (0..count).map(heartbeat).collect();
        self.commit(vec![Request::Control { ledger, records, pending: None }])
    }

    /// A batch for a source of a ledger; none while a batch of the chosen source is still to be retried.
    pub fn append(&mut self, ledger: usize, count: u64) -> Option<Request> {
        let known = self.expected.0.get(LEDGERS[ledger])?;
        let sources = known.sources.clone();
        let source = sources.get(self.rng.below(sources.len().max(1) as u64) as usize)?;
        if source.numbered && known.unanswered.is_some() {
            return None;
        }
        let events: Vec<Arc<Event>> = (0..count).map(|_| self.event()).collect();
        let numbered = source.numbered.then_some((source.epoch, source.last + 1));
        Some(self.request(ledger, source.source, numbered, events))
    }

    /// Hands in the batches that were never answered again, under the same numbers.
    pub fn retry(&mut self) -> Result<(), Fault> {
        for (ledger, name) in LEDGERS.iter().enumerate() {
            let Some(known) = self.expected.0.get(*name) else { continue };
            let Some((source, epoch, first, events)) = known.unanswered.clone() else { continue };
            let request = self.request(ledger, source, Some((epoch, first)), events);
            self.commit(vec![request])?;
        }
        Ok(())
    }

    /// Stops the engine in order.
    pub fn stop(&mut self) -> Result<(), Fault> {
        match self.core.take() {
            Some(core) => core.stop(),
            None => Ok(()),
        }
    }

    /// Hands in again what was acknowledged: it must be known as a duplicate.
    pub fn retry_known(&mut self) -> Result<(), Fault> {
        let ledger = self.rng.below(self.ledgers as u64) as usize;
        let known = self.expected.0.get(LEDGERS[ledger]);
        let numbered = known.and_then(|known| known.last_numbered.clone());
        let Some((source, epoch, first, events)) = numbered else { return Ok(()) };
        let request = self.request(ledger, source, Some((epoch, first)), events);
        self.commit(vec![request])
    }

    /// Hands in a batch that leaves a gap: it must be refused.
    fn append_out_of_order(&mut self) -> Result<(), Fault> {
        let ledger = self.rng.below(self.ledgers as u64) as usize;
        let Some(known) = self.expected.0.get(LEDGERS[ledger]) else { return Ok(()) };
        let Some(source) = known.sources.iter().find(|source| source.numbered).copied() else {
            return Ok(());
        };
        if known.unanswered.is_some() {
            return Ok(());
        }
        let events = vec![self.event(), self.event()];
        let request = self.request(ledger, source.source, Some((source.epoch, source.last + 3)), events);
        self.commit(vec![request])
    }

    /// Opens a new source, or the next epoch of one once there are three.
    pub fn open_source(&mut self) -> Request {
        let ledger = self.rng.below(self.ledgers as u64) as usize;
        let known = self.expected.0.get(LEDGERS[ledger]).cloned().unwrap_or_default();
        let numbered = self.rng.one_in(2) || known.sources.len() < 3;
        let again = known.sources.len() >= 3;
        let source = known.sources.get(self.rng.below(known.sources.len().max(1) as u64) as usize);
        let source = source.filter(|_| again && known.unanswered.is_none());
        let said = source.filter(|_| self.rng.one_in(2)).map(|source| source.last);
        let (answers, host, name) = (self.answers.clone(), self.host.clone(), LEDGERS[ledger]);
        let pending = Pending::new(move |opened: Result<ledger::Opened, Refusal>| {
            if let Ok(opened) = opened {
                let (source, epoch) = (opened.source, opened.epoch);
                let state = OpenedSource { source, epoch, numbered, last: 0 };
                tell(&answers, (host.ops(), name, Happened::Opened(opened.index, state)));
            }
        });
        let numbering = if numbered { Numbering::Source } else { Numbering::Server };
        let source = source.map(|source| source.source);
        let previous_last = said.filter(|_| source.is_some());
        Request::Open { ledger, source, numbering, previous_last, pending }
    }

    fn request(
        &mut self,
        ledger: usize,
        source: u32,
        numbered: Option<(u32, u64)>,
        events: Vec<Arc<Event>>,
    ) -> Request {
        let name = LEDGERS[ledger];
        let ours = numbered.map(|(epoch, first)| (source, epoch, first));
        self.happened(name, Happened::Submitted(events.clone(), ours));
        let mut records = Vec::new();
        for event in &events {
            let mut seed = [0; 16];
            self.rng.fill(&mut seed);
            records.push(Prepared::new(Kind::Event, event.draft.clone(), &event.raw, Seed(seed)));
        }
        let (answers, host) = (self.answers.clone(), self.host.clone());
        let pending = Pending::new(move |outcome| {
            let acked = |count: usize, recorded: Vec<ledger::Recorded>| {
                let (known, new) = events.split_at(count.min(events.len()));
                let recorded = new.iter().cloned().zip(recorded).collect();
                Happened::Acked { source, duplicates: known.to_vec(), recorded, numbered: ours }
            };
            let happened = match outcome {
                Outcome::Durable(recorded) => acked(0, recorded),
                Outcome::Duplicate { count, recorded } => acked(count, recorded),
                Outcome::Refused(_) => Happened::Refused(events),
                Outcome::Unknown => return,
            };
            tell(&answers, (host.ops(), name, happened));
        });
        Request::Append { ledger, batch: Batch { source, numbered, records }, pending }
    }

    fn event(&mut self) -> Arc<Event> {
        self.next_event += 1;
        let size = if self.rng.one_in(10) { 900 } else { self.rng.between(10, 120) };
        Arc::new(Event::make(self.next_event, size as usize, &mut self.rng))
    }

    /// The engine; without one, the fault of a store that was left.
    pub fn engine(&mut self) -> Result<&mut Core, Fault> {
        self.core.as_mut().ok_or(Fault::Fenced)
    }

    /// Takes note of the clock; the engine could record at `up_ms`.
    fn tick(&mut self, up_ms: u64) {
        let before = self.time();
        let latest_ms = before.latest_ms.max(self.env.now_ms());
        self.times.push(Time { at: self.host.ops(), latest_ms, up_ms: before.up_ms.max(up_ms) });
    }

    fn happened(&mut self, ledger: &'static str, happened: Happened) {
        self.expected.note(ledger, &happened);
        self.journal.push((self.host.ops(), ledger, happened));
    }

    /// Takes note of the answers.
    fn drain(&mut self) {
        let answers = std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner));
        for (at, ledger, happened) in answers {
            self.expected.note(ledger, &happened);
            self.journal.push((at, ledger, happened));
        }
    }
}

fn tell(answers: &Mutex<Journal>, answer: (usize, &'static str, Happened)) {
    answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
}
