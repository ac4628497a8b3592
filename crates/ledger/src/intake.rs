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
