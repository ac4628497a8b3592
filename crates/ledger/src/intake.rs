use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::request::{Refusal, Request};

/// The bounded queue before the writer. Requests of the ledger itself always get in; others are refused once
/// too much is waiting, with a time to retry. Sources take turns, so that whoever sends little does not wait behind all
/// that another one sends; what is of one source stays in order.
pub(crate) struct Intake {
    queue: Mutex<Queue>,
    changed: Condvar,
    limit: usize,
}

struct Queue {
    waiting: Waiting,
    bytes: usize,
    gate: Gate,
    throttle: Throttle,
}

/// What is kept out while sealing lags behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Throttle {
    /// Nothing.
    None,
    /// Whatever weighs more than [`SMALL`]: whoever sends little is not refused for what others send.
    Large,
    /// Everything.
    All,
}

impl Throttle {
    /// What to keep out with so many entries unsealed, of which `limit` are no reason to.
    pub(crate) fn of(unsealed: u64, limit: u64) -> Self {
        match unsealed {
            most if most > 2 * limit => Self::All,
            most if most > limit => Self::Large,
            _ => Self::None,
        }
    }
}

/// Bytes up to which a request gets in while sealing lags behind a little.
const SMALL: usize = 64 << 10;

/// Whether requests are taken.
#[derive(Clone, Debug)]
pub(crate) enum Gate {
    Open,
    /// Not at present: this is the answer.
    Suspended(Refusal),
    /// Never again.
    Closed,
}

/// What the writer found.
pub(crate) enum Taken {
    Requests(Vec<Request>),
    /// Nothing came within the time.
    Idle,
    /// The gate is not open and nothing is waiting.
    Closed,
}

/// Whose requests stay in order among themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    /// The ledger's own.
    Ledger(usize),
    /// Those of a source of a ledger.
    Source(usize, u32),
    /// Of no ledger.
    Log,
}

impl Lane {
    fn of(request: &Request) -> Lane {
        match request {
            Request::Append { ledger, batch, .. } => Lane::Source(*ledger, batch.source),
            Request::Open { ledger, source: Some(source), .. } => Lane::Source(*ledger, *source),
            Request::Open { ledger, .. }
            | Request::Control { ledger, .. }
            | Request::Sources { ledger, .. } => Lane::Ledger(*ledger),
            Request::Carry(_) => Lane::Log,
        }
    }
}

/// What waits, lane by lane, and whose turn it is.
#[derive(Default)]
struct Waiting {
    lanes: BTreeMap<Lane, VecDeque<Request>>,
    /// Each lane in which something waits, once.
    turns: VecDeque<Lane>,
}

impl Waiting {
    fn push(&mut self, request: Request) {
        let lane = Lane::of(&request);
        let waiting = self.lanes.entry(lane).or_default();
        if waiting.is_empty() {
            self.turns.push_back(lane);
        }
        waiting.push_back(request);
    }

    fn pop(&mut self) -> Option<Request> {
        let lane = self.turns.pop_front()?;
        let waiting = self.lanes.get_mut(&lane)?;
        let request = waiting.pop_front();
        match waiting.is_empty() {
            true => drop(self.lanes.remove(&lane)),
            false => self.turns.push_back(lane),
        }
        request
    }

    fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }
}

impl Queue {
    fn keeps_out(&self, weight: usize) -> bool {
        match self.throttle {
            Throttle::None => false,
            Throttle::Large => weight > SMALL,
            Throttle::All => true,
        }
    }
}

impl Intake {
    pub(crate) fn new(limit: usize) -> Self {
        let gate =
            Gate::Suspended(Refusal::Unavailable { reason: "starting".to_owned(), retry_after_ms: 500 });
        let queue = Queue { waiting: Waiting::default(), bytes: 0, gate, throttle: Throttle::None };
        Self { queue: Mutex::new(queue), changed: Condvar::new(), limit }
    }

    pub(crate) fn submit(&self, request: Request) {
        let weight = request.weight();
        let mut queue = self.lock();
        let refusal = match &queue.gate {
            Gate::Suspended(refusal) => Some(refusal.clone()),
            Gate::Closed => Some(Refusal::Stopping),
            // One request of any size gets in when nothing waits, so that the largest event can be recorded.
            Gate::Open
                if queue.keeps_out(weight) || (queue.bytes > 0 && queue.bytes + weight > self.limit) =>
            {
                match request {
                    Request::Control { .. } | Request::Carry(_) => None,
                    _ => Some(Refusal::Busy { retry_after_ms: 200 }),
                }
            }
            Gate::Open => None,
        };
        if let Some(refusal) = refusal {
            drop(queue);
            return request.refuse(refusal);
        }
        queue.bytes += weight;
        queue.waiting.push(request);
        self.changed.notify_one();
    }

    /// Takes requests until their weight reaches `bytes`, waiting up to `timeout` for the first.
    pub(crate) fn take(&self, bytes: usize, timeout: Duration) -> Taken {
        let mut queue = self.lock();
        if queue.waiting.is_empty() {
            if !matches!(queue.gate, Gate::Open) {
                return Taken::Closed;
            }
            let waited = self.changed.wait_timeout(queue, timeout);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let (mut taken, mut weight) = (Vec::new(), 0);
        while weight < bytes
            && let Some(request) = queue.waiting.pop()
        {
            weight += request.weight();
            taken.push(request);
        }
        queue.bytes = queue.bytes.saturating_sub(weight);
        match (taken.is_empty(), &queue.gate) {
            (false, _) => Taken::Requests(taken),
            (true, Gate::Open) => Taken::Idle,
            (true, _) => Taken::Closed,
        }
    }

    /// Opens or shuts the gate. What is waiting stays, for the writer to finish.
    pub(crate) fn set(&self, gate: Gate) {
        self.lock().gate = gate;
        self.changed.notify_all();
    }

    /// Lets requests in again, or keeps them out, as sealing keeps up.
    pub(crate) fn throttle(&self, throttle: Throttle) {
        self.lock().throttle = throttle;
    }

    /// Refuses everything that is waiting.
    pub(crate) fn refuse_waiting(&self, refusal: &Refusal) {
        let mut waiting = {
            let mut queue = self.lock();
            queue.bytes = 0;
            std::mem::take(&mut queue.waiting)
        };
        while let Some(request) = waiting.pop() {
            request.refuse(refusal.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use record::commit::Seed;
    use record::entry::Kind;
    use record::facet::FacetDraft;

    use super::*;
    use crate::request::{Batch, Outcome, Pending, Prepared};

    /// Whether a batch of one record with `raw` bytes gets in.
    fn gets_in(intake: &Intake, raw: usize) -> bool {
        let seed = Seed([0; 16]);
        let record = Prepared::new(Kind::Event, FacetDraft::default(), &vec![0; raw], seed);
        let (answer, answered) = mpsc::channel();
        let pending = Pending::new(move |outcome| {
            // Whoever got in is answered after the test has looked.
            let _ = answer.send(outcome);
        });
        let batch = Batch { source: 1, numbered: None, records: vec![record] };
        intake.submit(Request::Append { ledger: 0, batch, pending });
        match answered.try_recv() {
            Ok(Outcome::Refused(Refusal::Busy { .. })) => false,
            Ok(other) => panic!("{other:?}"),
            Err(_) => true,
        }
    }

    #[test]
    fn sources_take_turns_and_each_keeps_its_order() {
        let intake = open(1 << 30);
        let append = |ledger, source: u32, first: u64| {
            let batch = Batch { source, numbered: Some((1, first)), records: Vec::new() };
            intake.submit(Request::Append { ledger, batch, pending: Pending::new(|_| {}) });
        };
        (1..=100).for_each(|first| append(0, 1, first));
        append(0, 2, 1);
        append(1, 1, 1);
        append(0, 2, 2);
        intake.submit(control());
        let Taken::Requests(taken) = intake.take(usize::MAX, Duration::ZERO) else { panic!("nothing") };
        let told: Vec<(usize, u32, u64)> = taken
            .iter()
            .map(|request| match request {
                Request::Append { ledger, batch, .. } => {
                    (*ledger, batch.source, batch.numbered.map_or(0, |(_, first)| first))
                }
                Request::Control { ledger, .. } => (*ledger, 0, 0),
                _ => panic!("something else"),
            })
            .collect();
        assert_eq!(told[..6], [(0, 1, 1), (0, 2, 1), (1, 1, 1), (0, 0, 0), (0, 1, 2), (0, 2, 2)]);
        assert_eq!(told.len(), 104, "nothing is lost");
        let of_greedy = told.iter().filter(|(ledger, source, _)| (*ledger, *source) == (0, 1));
        assert!(of_greedy.map(|(.., first)| *first).eq(1..=100));
        assert!(matches!(intake.take(1, Duration::ZERO), Taken::Idle));
    }

    fn control() -> Request {
        Request::Control { ledger: 0, records: Vec::new(), pending: None }
    }

    fn open(limit: usize) -> Intake {
        let intake = Intake::new(limit);
        intake.set(Gate::Open);
        intake
    }

    fn waiting(intake: &Intake) -> usize {
        match intake.take(usize::MAX, Duration::ZERO) {
            Taken::Requests(requests) => requests.len(),
            Taken::Idle | Taken::Closed => 0,
        }
    }

    #[test]
    fn while_sealing_lags_a_little_whoever_sends_little_gets_in() {
        let intake = open(64 << 20);
        assert!(gets_in(&intake, 1) && gets_in(&intake, SMALL));
        intake.throttle(Throttle::Large);
        assert!(gets_in(&intake, 1));
        assert!(!gets_in(&intake, SMALL));
        intake.throttle(Throttle::None);
        assert!(gets_in(&intake, SMALL));
        assert_eq!(waiting(&intake), 4);
    }

    #[test]
    fn while_sealing_lags_far_only_the_ledger_itself_gets_in() {
        let intake = open(64 << 20);
        intake.throttle(Throttle::All);
        assert!(!gets_in(&intake, 1));
        intake.submit(control());
        assert_eq!(waiting(&intake), 1);
    }

    #[test]
    fn the_more_is_unsealed_the_less_gets_in() {
        let at = |unsealed| Throttle::of(unsealed, 100);
        assert_eq!([at(0), at(100)], [Throttle::None; 2]);
        assert_eq!([at(101), at(200)], [Throttle::Large; 2]);
        assert_eq!(at(201), Throttle::All);
    }

    #[test]
    fn a_full_queue_refuses_but_for_the_ledger_itself_and_the_first() {
        let intake = open(1000);
        assert!(gets_in(&intake, 100_000), "anything gets in when nothing waits");
        assert!(!gets_in(&intake, 1));
        intake.submit(control());
        assert_eq!(waiting(&intake), 2);
    }
}
