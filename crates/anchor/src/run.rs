use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use env::{Env, random};
use net::Net;

use crate::course::{Ask, Course, Moment, Rules, Step};
use crate::state::LedgerStatus;
use crate::{Head, Ledger};

/// Most witnesses of a policy: each has a thread.
const WITNESSES_MAX: usize = 64;
/// How often it is looked whether something was published, or has become due.
const LOOK: Duration = Duration::from_millis(200);

/// A ledger and its course.
struct Lane {
    ledger: Arc<dyn Ledger>,
    /// What the course decides about the gate is done before the lock is let go, so that no release overtakes a hold.
    course: Mutex<Course>,
}

impl Lane {
    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry_out(&self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Release => self.ledger.release(),
                Step::Hold(reason) => self.ledger.hold(&reason),
                // What could not be stored is cosigned again with the next checkpoint.
                Step::Keep(head) => drop(self.ledger.keep(head)),
                Step::Record(refusal) => self.ledger.record(&refusal),
                Step::Clock(witness, clock) => self.ledger.record_clock(&witness, &clock),
            }
        }
    }
}

/// Asks the witnesses of a policy about all ledgers that have one, on a thread for each witness.
pub struct Anchor {
    lanes: Arc<Vec<Lane>>,
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

/// Shows how things stand; cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Vec<Lane>>);

impl Handle {
    /// Every ledger with a policy.
    pub fn status(&self) -> Vec<LedgerStatus> {
        self.0.iter().map(|lane| lane.course().status()).collect()
    }

    /// One ledger, if it has a policy.
    pub fn of(&self, ledger: &str) -> Option<LedgerStatus> {
        self.0.iter().find(|lane| lane.ledger.name() == ledger).map(|lane| lane.course().status())
    }
}

#[derive(Default)]
struct Stop {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Waits; true if it is time to end.
    fn wait(&self, time: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(asked, time, |asked| !*asked);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Why it does not start.
#[derive(Debug)]
pub enum StartError {
    /// The policy names more witnesses than there may be.
    TooMany(usize),
    /// No thread can be started.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany(count) => {
                write!(f, "the policy names more than {WITNESSES_MAX} witnesses: {count}")
            }
            Self::Thread(error) => write!(f, "can't start a thread: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl Anchor {
    /// Starts to ask. All rules have the same policy.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(
        ledgers: Vec<(Arc<dyn Ledger>, Rules)>,
        net: Arc<dyn Net>,
        env: Arc<dyn Env>,
    ) -> Result<Self, StartError> {
        let count = ledgers.first().map_or(0, |(_, rules)| rules.policy.witnesses().len());
        if count > WITNESSES_MAX {
            return Err(StartError::TooMany(count));
        }
        let lane = |(ledger, rules): (Arc<dyn Ledger>, Rules)| {
            let mut course = Course::new(rules);
            ledger.witnessed().iter().for_each(|note| course.remember(note));
            Lane { ledger, course: Mutex::new(course) }
        };
        let lanes: Arc<Vec<Lane>> = Arc::new(ledgers.into_iter().map(lane).collect());
        let mut anchor = Self { lanes: lanes.clone(), stop: Arc::default(), threads: Vec::new() };
        for witness in 0..count {
            let asker = Asker {
                witness,
                lanes: lanes.clone(),
                net: net.clone(),
                env: env.clone(),
                stop: anchor.stop.clone(),
            };
            let thread = std::thread::Builder::new().name(format!("witness-{witness}"));
            anchor.threads.push(thread.spawn(move || asker.run()).map_err(StartError::Thread)?);
        }
        if count == 0 {
            // Nobody is asked, so nobody can object.
            let now = env.monotonic();
            lanes.iter().for_each(|lane| {
                let mut course = lane.course();
                let steps = course.tick(now);
                lane.carry_out(steps);
            });
        }
        Ok(anchor)
    }

    /// What shows how things stand.
    pub fn handle(&self) -> Handle {
        Handle(self.lanes.clone())
    }

    /// Stops asking. Requests that are under way are waited for, for at most `patience`: one that takes longer ends with the
    /// process, and what it brings is not heard.
    pub fn stop(mut self, patience: Duration) {
        *self.stop.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.changed.notify_all();
        let step = Duration::from_millis(5);
        let mut left = patience;
        while self.threads.iter().any(|thread| !thread.is_finished()) && left > Duration::ZERO {
            std::thread::sleep(step);
            left = left.saturating_sub(step);
        }
        self.threads.drain(..).filter(JoinHandle::is_finished).for_each(|thread| drop(thread.join()));
    }
}

/// Asks one witness about all ledgers, one after the other.
struct Asker {
    witness: usize,
    lanes: Arc<Vec<Lane>>,
    net: Arc<dyn Net>,
    env: Arc<dyn Env>,
    stop: Arc<Stop>,
}

impl Asker {
    fn run(&self) {
        loop {
            let asked = self.lanes.iter().filter(|lane| self.ask(lane)).count();
            let pause = if asked > 0 { Duration::ZERO } else { LOOK };
            if self.stop.wait(pause) {
                return;
            }
        }
    }

    /// Asks about one ledger if it is time to; whether it was.
    fn ask(&self, lane: &Lane) -> bool {
        let Ok(newest) = lane.ledger.head() else { return false };
        let (ask, url, origin, timeout) = {
            let mut course = lane.course();
            let now = self.env.monotonic();
            let steps = course.tick(now);
            lane.carry_out(steps);
            let Some(ask) = course.next(self.witness, &newest, now) else { return false };
            let rules = course.rules();
            let url = rules.policy.witnesses()[self.witness].url().unwrap_or_default().to_owned();
            (ask, url, rules.origin.clone(), rules.pace.timeout)
        };
        let proof = match &ask {
            Ask::Submit { old, head } if *old > 0 && *old < head.checkpoint.size => {
                lane.ledger.proof(*old, head.checkpoint.size)
            }
            _ => Ok(Vec::new()),
        };
        let answer = proof.map(|proof| self.net.call(&ask.request(&url, &origin, proof, timeout)));
        // What was published meanwhile is ours as well.
        let newest: Head = lane.ledger.head().unwrap_or(newest);
        let mut course = lane.course();
        let at = self.moment();
        let steps = match answer {
            Ok(answer) => {
                course.answered(self.witness, &ask, answer, &newest, |size| lane.ledger.root(size), at)
            }
            Err(why) => course.failed(self.witness, &format!("can't prove to it: {why}"), at),
        };
        lane.carry_out(steps);
        true
    }

    fn moment(&self) -> Moment {
        let chance = u32::from_be_bytes(random(self.env.as_ref()));
        let jitter = f64::from(chance) / f64::from(u32::MAX);
        Moment { now: self.env.monotonic(), now_ms: self.env.now_ms(), jitter }
    }
}
