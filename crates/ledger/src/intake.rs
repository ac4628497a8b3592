use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::request::{Refusal, Request};

/// The bounded queue before the writer. Requests of the ledger itself always get in; others are refused once
/// too much is waiting, with a time to retry.
pub(crate) struct Intake {
    queue: Mutex<Queue>,
    changed: Condvar,
    limit: usize,
}

struct Queue {
    requests: VecDeque<Request>,
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
        let queue = Queue { requests: VecDeque::new(), bytes: 0, gate, throttle: Throttle::None };
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
        queue.requests.push_back(request);
        self.changed.notify_one();
    }

    /// Takes requests until their weight reaches `bytes`, waiting up to `timeout` for the first.
    pub(crate) fn take(&self, bytes: usize, timeout: Duration) -> Taken {
        let mut queue = self.lock();
        if queue.requests.is_empty() {
            if !matches!(queue.gate, Gate::Open) {
                return Taken::Closed;
            }
            let waited = self.changed.wait_timeout(queue, timeout);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let (mut taken, mut weight) = (Vec::new(), 0);
        while weight < bytes
            && let Some(request) = queue.requests.pop_front()
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
        let waiting = {
            let mut queue = self.lock();
            queue.bytes = 0;
            std::mem::take(&mut queue.requests)
        };
        waiting.into_iter().for_each(|request| request.refuse(refusal.clone()));
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
