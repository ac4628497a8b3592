//! The three threads of a running store. Each owns its part; they meet in the intake, the backlog and the view.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use record::control::{Clock, Heartbeat};
use record::entry::Kind;
use record::facet::FacetDraft;

use crate::core::Core;
use crate::fault::Fault;
use crate::intake::{Gate, Intake, Taken, Throttle};
use crate::publisher::Publisher;
use crate::request::{Carry, Entered, Pending, Refusal, Request};
use crate::sealer::Sealer;
use crate::shared::Shared;
use crate::signing::Signing;
use crate::writer::{Writer, WrittenGroup};

/// Under load, partial tiles are written this often.
const SETTLE: Duration = Duration::from_secs(5);

/// Runs the parts of `core` until the engine is stopped (then they are put together again) or one of them fails.
pub(crate) fn run(core: Core, intake: &Intake, stopping: &AtomicBool) -> Result<Core, Fault> {
    let Core { shared, writer, publisher, sealer, inbox } = core;
    let run =
        Run { shared: &shared, intake, stopping, backlog: Backlog::new(inbox), fault: Mutex::new(None) };
    let (writer, publisher, sealer) = std::thread::scope(|scope| {
        let writing = scope.spawn(|| run.guard(writer, |writer| run.write(writer)));
        let publishing = scope.spawn(|| run.guard(publisher, |publisher| run.publish(publisher)));
        let sealing = scope.spawn(|| run.guard(sealer, |sealer| run.seal(sealer)));
        (writing.join(), publishing.join(), sealing.join())
    });
    shared.view.abandon_waiters();
    let (backlog, fault) = (run.backlog, run.fault);
    if let Some(fault) = fault.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(fault);
    }
    match (writer, publisher, sealer) {
        (Ok(writer), Ok(publisher), Ok(sealer)) => {
            Ok(Core { shared, writer, publisher, sealer, inbox: backlog.into_groups() })
        }
        _ => Err(Fault::damaged("a thread", "it panicked; the store is opened again as after a crash")),
    }
}

struct Run<'a> {
    shared: &'a Arc<Shared>,
    intake: &'a Intake,
    stopping: &'a AtomicBool,
    backlog: Backlog,
    fault: Mutex<Option<Fault>>,
}

impl Run<'_> {
    /// Runs a thread's loop on the part it owns and gives the part back; a fault stops the others too.
    fn guard<T>(&self, mut part: T, work: impl FnOnce(&mut T) -> Result<(), Fault>) -> T {
        if let Err(fault) = work(&mut part) {
            let reason = fault.to_string();
            self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
            let refusal = Refusal::Unavailable { reason, retry_after_ms: 1000 };
            self.intake.set(Gate::Suspended(refusal.clone()));
            self.intake.refuse_waiting(&refusal);
            self.backlog.close();
        }
        part
    }

    fn failed(&self) -> bool {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Group commit: whatever is waiting becomes the next group.
    fn write(&self, writer: &mut Writer) -> Result<(), Fault> {
        let options = &self.shared.options;
        let mut watch = Watch::new(self.shared);
        let mut unmarked = false;
        loop {
            let timeout = if unmarked { options.sync_marker } else { watch.until_heartbeat() };
            let mut requests = match self.intake.take(options.group_bytes, timeout) {
                Taken::Requests(requests) => requests,
                Taken::Idle => Vec::new(),
                Taken::Closed => break,
            };
            if self.failed() {
                return Ok(());
            }
            requests.extend(watch.due());
            if !requests.is_empty() {
                for group in writer.commit(requests)? {
                    self.backlog.push(group, options.backlog_entries);
                    unmarked = true;
                }
            } else if unmarked {
                self.backlog.push(writer.mark_synced()?, options.backlog_entries);
                unmarked = false;
            }
        }
        self.backlog.close();
        Ok(())
    }

    /// Publishes what is durable, at most once in the checkpoint interval. Partial tiles go to disk when it gets
    /// quiet, and under load every few seconds.
    fn publish(&self, publisher: &mut Publisher) -> Result<(), Fault> {
        let interval = self.shared.options.checkpoint_interval;
        let mut settled = self.shared.env.monotonic();
        while let Some(groups) = self.backlog.take(interval, publisher.withholds()) {
            publisher.publish(&groups)?;
            publisher.publish_withheld()?;
            self.throttle();
            let now = self.shared.env.monotonic();
            if groups.is_empty() || now.saturating_sub(settled) >= SETTLE {
                publisher.settle()?;
                settled = now;
            }
            self.backlog.rest(interval);
        }
        publisher.settle()
    }

    /// Seals what is due.
    fn seal(&self, sealer: &mut Sealer) -> Result<(), Fault> {
        while !self.stopping.load(Ordering::SeqCst) && !self.failed() {
            let Some(mut prepared) = sealer.prepare(false)? else {
                if let Some(parts) = sealer.carry_due() {
                    self.enter(|pending| Request::Carry(Carry { parts, pending }));
                }
                sealer.release_wal()?;
                self.shared.view.wait_published(Duration::from_millis(500));
                continue;
            };
            let (records, ledger) = (std::mem::take(&mut prepared.records), prepared.ledger());
            // Not entered: the engine is stopping and drops the segments, or failing, and the next start drops them or
            // takes them over.
            if !self.enter(|pending| Request::Control { ledger, records, pending }) {
                sealer.keep_unentered(prepared);
                return Ok(());
            }
            sealer.finish(prepared)?;
            self.throttle();
        }
        Ok(())
    }

    /// Hands a request to the writer and waits until it is durable; false if it was not entered.
    fn enter(&self, request: impl FnOnce(Option<Pending<Entered>>) -> Request) -> bool {
        let (answer, entered) = channel();
        let pending = Pending::new(move |entered: Entered| {
            // The receiver waits below; nothing is lost if it does not.
            let _ = answer.send(entered);
        });
        self.intake.submit(request(Some(pending)));
        entered.recv() == Ok(Entered(true))
    }

    /// Keeps appends out while sealing lags too far behind.
    fn throttle(&self) {
        let unsealed = |ledger: usize| {
            let view = self.shared.view.ledger(ledger);
            // What may not be signed can't be sealed, and is no reason to refuse.
            let end = match self.shared.options.gates.state(&self.shared.ledgers[ledger].name) {
                Signing::Allowed => view.end,
                Signing::Held { .. } => view.published.as_ref().map_or(0, |at| at.checkpoint.size),
            };
            end.saturating_sub(view.sealed)
        };
        let most = (0..self.shared.ledgers.len()).map(unsealed).max().unwrap_or(0);
        let limit = self.shared.options.unsealed_entries;
        self.intake.throttle(Throttle::of(most, limit));
    }
}

/// Durable groups on their way to the publisher.
struct Backlog {
    state: Mutex<BacklogState>,
    changed: Condvar,
}

#[derive(Default)]
struct BacklogState {
    groups: Vec<WrittenGroup>,
    entries: usize,
    closed: bool,
    /// Whether [`Backlog::take`] has told of the present silence.
    told_quiet: bool,
}

impl Backlog {
    fn new(groups: Vec<WrittenGroup>) -> Self {
        Self {
            state: Mutex::new(BacklogState { groups, ..BacklogState::default() }),
            changed: Condvar::new(),
        }
    }

    /// Adds a group, waiting while more than `limit` entries are in the backlog.
    fn push(&self, group: WrittenGroup, limit: usize) {
        let mut state = self.lock();
        while state.entries > limit && !state.closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.entries += group.parts.iter().map(|part| part.leaves.len()).sum::<usize>();
        state.groups.push(group);
        self.changed.notify_all();
    }

    /// Takes all groups, waiting for the first; after `quiet` without one, none: once, or with `again` each time. `None`
    /// once closed and empty.
    fn take(&self, quiet: Duration, again: bool) -> Option<Vec<WrittenGroup>> {
        let mut state = self.lock();
        while state.groups.is_empty() {
            if state.closed {
                return None;
            }
            let told = state.told_quiet && !again;
            state = match told {
                true => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                false => {
                    let (mut state, wait) =
                        self.changed.wait_timeout(state, quiet).unwrap_or_else(PoisonError::into_inner);
                    if wait.timed_out() && state.groups.is_empty() && !state.closed {
                        state.told_quiet = true;
                        return Some(Vec::new());
                    }
                    state
                }
            };
        }
        (state.entries, state.told_quiet) = (0, false);
        self.changed.notify_all();
        Some(std::mem::take(&mut state.groups))
    }

    /// Waits, unless closed.
    fn rest(&self, time: Duration) {
        let open = |state: &mut BacklogState| !state.closed;
        drop(self.changed.wait_timeout_while(self.lock(), time, open));
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn into_groups(self) -> Vec<WrittenGroup> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).groups
    }

    fn lock(&self) -> MutexGuard<'_, BacklogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches the clocks and the silence of each ledger.
struct Watch<'a> {
    shared: &'a Shared,
    /// Per ledger: durable entries when last looked, and since when.
    last: Vec<(u64, Duration)>,
    wall_ms: u64,
    monotonic: Duration,
}

impl<'a> Watch<'a> {
    fn new(shared: &'a Shared) -> Self {
        let monotonic = shared.env.monotonic();
        let last =
            (0..shared.ledgers.len()).map(|ledger| (shared.view.ledger(ledger).end, monotonic)).collect();
        Self { shared, last, wall_ms: shared.env.now_ms(), monotonic }
    }

    fn until_heartbeat(&self) -> Duration {
        let now = self.shared.env.monotonic();
        let left =
            |(_, since): &(u64, Duration)| (*since + self.shared.options.heartbeat).saturating_sub(now);
        // Looks at the clock every second even in silence, so that a jump is found near to when it happened.
        self.last.iter().map(left).min().unwrap_or(Duration::MAX).min(Duration::from_secs(1))
    }

    /// The records that are due: a heartbeat of each silent ledger, a clock record if the clock has jumped.
    fn due(&mut self) -> Vec<Request> {
        let (monotonic, wall_ms) = (self.shared.env.monotonic(), self.shared.env.now_ms());
        let expected_ms = self.wall_ms + (monotonic - self.monotonic).as_millis() as u64;
        let jumped =
            u128::from(expected_ms.abs_diff(wall_ms)) > self.shared.options.clock_tolerance.as_millis();
        (self.wall_ms, self.monotonic) = (wall_ms, monotonic);
        let mut due = Vec::new();
        for (ledger, (end, since)) in self.last.iter_mut().enumerate() {
            let now_end = self.shared.view.ledger(ledger).end;
            if now_end != *end {
                (*end, *since) = (now_end, monotonic);
            }
            let mut records: Vec<(Kind, FacetDraft)> = Vec::new();
            if jumped {
                records.push((Kind::Cut, Clock { expected_ms, wall_ms }.to_draft()));
            }
            if monotonic.saturating_sub(*since) >= self.shared.options.heartbeat {
                records.push((Kind::Heartbeat, Heartbeat { size: now_end, system: None }.to_draft()));
            }
            if !records.is_empty() {
                due.push(Request::Control { ledger, records, pending: None });
            }
        }
        due
    }
}
