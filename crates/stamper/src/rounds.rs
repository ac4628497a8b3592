//! Who is asked about what, and when.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::ask::{Answered, ask};
use crate::calendars::Calendars;
use crate::state::{CalendarStatus, News, Stamped, Status};
use crate::{Entry, File, Head, Ledger, Options, TOLERANCE};
use env::Env;
use net::{Net, Url};
use record::control::{Clock, Timestamp};

/// Pause after a first failure; it doubles up to the interval.
pub(crate) const RETRY: Duration = Duration::from_secs(60);

/// Asks every authority and every calendar about every ledger when it is time to.
pub struct Rounds {
    options: Options,
    ledgers: Vec<Arc<dyn Ledger>>,
    net: Arc<dyn Net>,
    env: Arc<dyn Env>,
    pairs: Vec<Pair>,
    shown: Arc<Mutex<Vec<Status>>>,
    calendars: Calendars,
}

/// One authority and one ledger.
struct Pair {
    ledger: usize,
    authority: usize,
    /// By the monotonic clock.
    due: Duration,
    /// After the next failure.
    pause: Duration,
    stamped: Option<u64>,
}

impl Rounds {
    /// Everything is due at once.
    pub fn new(
        ledgers: Vec<Arc<dyn Ledger>>,
        options: Options,
        net: Arc<dyn Net>,
        env: Arc<dyn Env>,
    ) -> Self {
        let now = env.monotonic();
        let (mut pairs, mut shown) = (Vec::new(), Vec::new());
        for (ledger, of) in ledgers.iter().enumerate() {
            for (authority, url) in options.authorities.iter().enumerate() {
                pairs.push(Pair { ledger, authority, due: now, pause: RETRY, stamped: None });
                shown.push(Status {
                    ledger: of.name().to_owned(),
                    authority: host(url),
                    newest: None,
                    tokens: 0,
                    errors: 0,
                    error: None,
                    clock_off_ms: None,
                });
            }
        }
        let calendars = Calendars::new(&ledgers, &options, net.clone(), env.clone());
        Self { options, ledgers, net, env, pairs, shown: Arc::new(Mutex::new(shown)), calendars }
    }

    /// What shows how things stand.
    pub(crate) fn shown(&self) -> Arc<Mutex<Vec<Status>>> {
        self.shown.clone()
    }

    /// How things stand with each authority and ledger.
    pub fn status(&self) -> Vec<Status> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How things stand with each calendar and ledger.
    pub fn calendars(&self) -> Vec<CalendarStatus> {
        self.calendars.shown().lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What shows how things stand with calendars.
    pub(crate) fn shown_calendars(&self) -> Arc<Mutex<Vec<CalendarStatus>>> {
        self.calendars.shown()
    }

    /// Asks whatever is due; `tell` hears of ledger, authority or calendar, and what came of it. Stops early if `enough` says so.
    pub fn run_due(&mut self, enough: &dyn Fn() -> bool, tell: &mut dyn FnMut(&str, &str, &News)) {
        for at in 0..self.pairs.len() {
            if enough() {
                return;
            }
            if self.env.monotonic() >= self.pairs[at].due {
                self.step(at, self.options.timeout, tell);
            }
        }
        self.calendars.run_due(enough, tell);
    }

    /// Asks about what is newest once more, for at most `patience` altogether: for when the server stops.
    pub fn run_last(&mut self, patience: Duration, tell: &mut dyn FnMut(&str, &str, &News)) {
        let end = self.env.monotonic() + patience;
        for at in 0..self.pairs.len() {
            let left = end.saturating_sub(self.env.monotonic());
            if left.is_zero() {
                return;
            }
            // Whoever did not answer last time will not be waited for now.
            if self.pairs[at].pause == RETRY {
                self.step(at, left.min(self.options.timeout), tell);
            }
        }
        self.calendars.run_last(end, tell);
    }

    fn step(&mut self, at: usize, timeout: Duration, tell: &mut dyn FnMut(&str, &str, &News)) {
        let Pair { ledger, authority, stamped, .. } = self.pairs[at];
        let ledger = self.ledgers[ledger].clone();
        let is_new = |head: &Head| head.checkpoint.size > 0 && Some(head.checkpoint.size) != stamped;
        let Some(head) = ledger.head().filter(is_new) else { return };
        let Some(trusted) = &self.options.trusted else { return };
        let url = &self.options.authorities[authority];
        let (net, env) = (self.net.as_ref(), self.env.as_ref());
        let answer = ask(url, &head.checkpoint, trusted, timeout, net, env);
        let authority = host(url);
        let outcome = match answer {
            Ok(answered) => self.enter(at, ledger.as_ref(), &authority, &head, &answered, tell),
            Err(error) => Err(error.to_string()),
        };
        let now = self.env.monotonic();
        let pair = &mut self.pairs[at];
        match outcome {
            Ok(()) => {
                (pair.due, pair.pause, pair.stamped) =
                    (now + self.options.interval, RETRY, Some(head.checkpoint.size));
            }
            Err(why) => {
                pair.due = now + pair.pause.min(self.options.interval);
                pair.pause = (pair.pause * 2).min(self.options.interval.max(RETRY * 2));
                {
                    let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
                    shown[at].errors += 1;
                    shown[at].error = Some(why.clone());
                }
                tell(ledger.name(), &authority, &News::Failed(why));
            }
        }
    }

    fn enter(
        &self,
        at: usize,
        ledger: &dyn Ledger,
        authority: &str,
        head: &Head,
        answered: &Answered,
        tell: &mut dyn FnMut(&str, &str, &News),
    ) -> Result<(), String> {
        let info = &answered.verified.info;
        let off = answered.clock_off(TOLERANCE.as_millis() as u64);
        if let Some(wall_ms) = off {
            let clock = Clock { expected_ms: info.gen_time_ms, wall_ms };
            ledger.enter(Entry::Clock(clock.clone()));
            tell(ledger.name(), authority, &News::Clock(clock));
        }
        let Head { checkpoint, note } = head;
        let record = Timestamp {
            size: checkpoint.size,
            root: *checkpoint.root.as_bytes(),
            authority: authority.to_owned(),
            gen_time_ms: info.gen_time_ms,
            accuracy_ms: info.accuracy.map(|accuracy| accuracy.ms()),
            token: answered.token.as_bytes().to_vec(),
        };
        if !ledger.enter(Entry::Timestamp(record.clone())) {
            return Err("the token could not be entered into the ledger".to_owned());
        }
        // After the record, so that no file is there without one.
        let files = [File::Checkpoint(note), File::Token(&record.token)];
        let error = match files.into_iter().all(|file| ledger.keep(checkpoint.size, file)) {
            true => None,
            false => Some("the token is on record, and could not be stored beside the checkpoint".to_owned()),
        };
        {
            let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            let status = &mut shown[at];
            status.newest = Some(Stamped {
                size: checkpoint.size,
                gen_time_ms: info.gen_time_ms,
                valid_until_ms: answered.verified.valid_until.saturating_mul(1000),
            });
            status.tokens += 1;
            status.error = error;
            let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
            status.clock_off_ms = off.map(|wall_ms| signed(wall_ms) - signed(info.gen_time_ms));
        }
        // Last: whoever hears of it may look at how things stand.
        tell(ledger.name(), authority, &News::Stamped(record));
        Ok(())
    }
}

/// What an authority is called: its host, without user, path or query.
pub(crate) fn host(url: &str) -> String {
    Url::parse(url).map_or_else(|_| "invalid address".to_owned(), |url| url.authority)
}
