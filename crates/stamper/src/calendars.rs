//! What calendars of OpenTimestamps are asked: first for a promise about the newest checkpoint, then, until one has kept it,
//! for the way from there to a Bitcoin block.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use env::{Env, random};
use net::{Net, Request};
use timestamp::ots::{Attestation, DetachedFile, Tree, calendar};

use crate::rounds::{RETRY, host};
use crate::state::{Attested, CalendarStatus, News};
use crate::{File, Head, Ledger, Options};

/// Promises about so many of the newest checkpoints are followed up.
const FOLLOWED: usize = 256;

/// Asks calendars.
pub(crate) struct Calendars {
    urls: Vec<String>,
    interval: Duration,
    timeout: Duration,
    tracks: Vec<Track>,
    net: Arc<dyn Net>,
    env: Arc<dyn Env>,
    /// By ledger, then by calendar.
    shown: Arc<Mutex<Vec<CalendarStatus>>>,
}

/// One ledger.
struct Track {
    ledger: Arc<dyn Ledger>,
    /// The next submission, by the monotonic clock.
    due: Duration,
    /// After the next failure.
    pause: Duration,
    submitted: Option<u64>,
    /// When promises are followed up again.
    ask_due: Duration,
    /// Sizes of checkpoints in no block yet; `None` before the first look at what an earlier run left.
    pending: Option<BTreeSet<u64>>,
}

impl Calendars {
    pub fn new(ledgers: &[Arc<dyn Ledger>], options: &Options, net: Arc<dyn Net>, env: Arc<dyn Env>) -> Self {
        let now = env.monotonic();
        let (mut tracks, mut shown) = (Vec::new(), Vec::new());
        for ledger in ledgers {
            shown.extend(options.calendars.iter().map(|url| CalendarStatus {
                ledger: ledger.name().to_owned(),
                calendar: host(url),
                promises: 0,
                pending: 0,
                newest: None,
                errors: 0,
                error: None,
            }));
            let ledger = ledger.clone();
            tracks.push(Track {
                ledger,
                due: now,
                pause: RETRY,
                submitted: None,
                ask_due: now,
                pending: None,
            });
        }
        let urls = options.calendars.clone();
        let shown = Arc::new(Mutex::new(shown));
        Self { urls, interval: options.interval, timeout: options.timeout, tracks, net, env, shown }
    }

    pub fn shown(&self) -> Arc<Mutex<Vec<CalendarStatus>>> {
        self.shown.clone()
    }

    /// Asks whatever is due, until `enough` says so.
    pub fn run_due(&mut self, enough: &dyn Fn() -> bool, tell: &mut dyn FnMut(&str, &str, &News)) {
        if self.urls.is_empty() {
            return;
        }
        for at in 0..self.tracks.len() {
            if enough() {
                return;
            }
            self.take_up(at);
            if self.env.monotonic() >= self.tracks[at].due {
                self.submit(at, self.timeout, tell);
            }
            if self.env.monotonic() >= self.tracks[at].ask_due {
                self.follow_up(at, enough, tell);
            }
        }
    }

    /// Submits what is newest once more, until `end` by the monotonic clock.
    pub fn run_last(&mut self, end: Duration, tell: &mut dyn FnMut(&str, &str, &News)) {
        for at in 0..self.tracks.len() {
            let left = end.saturating_sub(self.env.monotonic());
            let each = left / u32::try_from(self.urls.len()).unwrap_or(u32::MAX).max(1);
            if !each.is_zero() && self.tracks[at].pause == RETRY {
                self.submit(at, each.min(self.timeout), tell);
            }
        }
    }

    /// Looks at what earlier runs left, once.
    fn take_up(&mut self, at: usize) {
        let track = &mut self.tracks[at];
        if track.pending.is_some() {
            return;
        }
        let (mut pending, mut newest) = (BTreeSet::new(), None);
        for size in track.ledger.ots(FOLLOWED) {
            let file = track.ledger.read_ots(size).and_then(|bytes| DetachedFile::parse(&bytes).ok());
            // What can't be read is told by whoever verifies the store.
            let Some(file) = file else { continue };
            match block(&file) {
                Some(height) => newest = newest.max(Some((size, height))),
                None => drop(pending.insert(size)),
            }
        }
        track.pending = Some(pending);
        self.show(at, newest.map(|(size, height)| Attested { size, height }));
    }

    /// Has the newest checkpoint promised.
    fn submit(&mut self, at: usize, timeout: Duration, tell: &mut dyn FnMut(&str, &str, &News)) {
        let (ledger, submitted) = (self.tracks[at].ledger.clone(), self.tracks[at].submitted);
        let is_new = |head: &Head| head.checkpoint.size > 0 && Some(head.checkpoint.size) != submitted;
        let Some(Head { checkpoint, note }) = ledger.head().filter(is_new) else { return };
        if ledger.read_ots(checkpoint.size).is_some() {
            // An earlier run has done so, and may have more by now than a promise.
            let track = &mut self.tracks[at];
            (track.due, track.submitted) = (self.env.monotonic() + self.interval, Some(checkpoint.size));
            return;
        }
        let digest = timestamp::digest(checkpoint.to_text().as_bytes());
        let mut file = DetachedFile::start(digest, random(self.env.as_ref()));
        let commitment = file.commitment().unwrap_or_default();
        let mut promised = Vec::new();
        for number in 0..self.urls.len() {
            let answer =
                self.promise(number, &commitment, timeout).and_then(|tree| taken(&file, &commitment, &tree));
            match answer {
                Ok(more) => {
                    (file, promised) = (more, [&promised[..], &[number]].concat());
                }
                Err(why) => self.failed(at, number, why, tell),
            }
        }
        let size = checkpoint.size;
        let bytes = file.to_bytes().ok().filter(|_| !promised.is_empty());
        let kept = bytes.is_some_and(|bytes| {
            ledger.keep(size, File::Checkpoint(&note)) && ledger.keep(size, File::Ots(&bytes))
        });
        let (now, interval) = (self.env.monotonic(), self.interval);
        let track = &mut self.tracks[at];
        if !kept {
            track.due = now + track.pause.min(interval);
            track.pause = (track.pause * 2).min(interval.max(RETRY * 2));
            for number in promised {
                let why = "what it promised could not be stored beside the checkpoint".to_owned();
                self.failed(at, number, why, tell);
            }
            return;
        }
        (track.due, track.pause, track.submitted) = (now + interval, RETRY, Some(size));
        let pending = track.pending.get_or_insert_default();
        if pending.is_empty() {
            // No calendar has a block within the minute.
            track.ask_due = now + RETRY.min(interval);
        }
        pending.insert(size);
        while pending.len() > FOLLOWED {
            pending.pop_first();
        }
        self.show(at, None);
        for number in promised {
            self.good(at, number, true);
            tell(ledger.name(), &host(&self.urls[number]), &News::Promised(size));
        }
    }

    fn promise(&self, number: usize, commitment: &[u8], timeout: Duration) -> Result<Tree, String> {
        let url = &self.urls[number];
        let asked = calendar::submit(url, commitment).map_err(|error| error.to_string())?;
        let request = Request::post(format!("{url}{}", asked.path), "application/octet-stream", asked.body);
        let tree =
            self.call(request, commitment, timeout)?.ok_or("no calendar answers there: HTTP status 404")?;
        // Only whom the settings name is asked later.
        let own = |attestation: &Attestation| match attestation {
            Attestation::Pending { uri } => uri.trim_end_matches('/') == url,
            Attestation::Bitcoin { .. } => true,
            Attestation::Unknown { .. } => false,
        };
        let attestations = tree.attestations();
        match attestations.iter().any(|(_, attestation)| own(attestation)) {
            true => Ok(tree),
            false => {
                let other = attestations.iter().find_map(|(_, attestation)| match attestation {
                    Attestation::Pending { uri } => Some(format!(": name {uri} instead")),
                    _ => None,
                });
                Err(format!(
                    "it promises nothing under the address it was asked at{}",
                    other.unwrap_or_default()
                ))
            }
        }
    }

    /// Asks what has become of promises.
    fn follow_up(&mut self, at: usize, enough: &dyn Fn() -> bool, tell: &mut dyn FnMut(&str, &str, &News)) {
        let pending: Vec<u64> = self.tracks[at].pending.iter().flatten().rev().copied().collect();
        let (ledger, mut silent) = (self.tracks[at].ledger.clone(), BTreeSet::new());
        for size in pending {
            let file = ledger.read_ots(size).and_then(|bytes| DetachedFile::parse(&bytes).ok());
            let Some(mut file) = file else {
                self.tracks[at].pending.get_or_insert_default().remove(&size);
                continue;
            };
            let promises = file.promises().into_iter().filter_map(|(message, uri)| {
                let number = self.urls.iter().position(|url| url == uri.trim_end_matches('/'))?;
                Some((message.to_vec(), number))
            });
            for (message, number) in promises.collect::<Vec<_>>() {
                if enough() {
                    return;
                }
                if silent.contains(&number) || block(&file).is_some() {
                    continue;
                }
                let request =
                    Request::get(format!("{}{}", self.urls[number], calendar::upgrade(&message).path));
                let answer = self.call(request, &message, self.timeout);
                match answer.and_then(|tree| tree.map(|tree| taken(&file, &message, &tree)).transpose()) {
                    Ok(more) => {
                        file = more.unwrap_or(file);
                        self.good(at, number, false);
                    }
                    Err(why) => {
                        silent.insert(number);
                        self.failed(at, number, why, tell);
                    }
                }
                let Some(height) = block(&file) else { continue };
                let kept = file.to_bytes().is_ok_and(|bytes| ledger.keep(size, File::Ots(&bytes)));
                if !kept {
                    let why = "what it attests could not be stored beside the checkpoint".to_owned();
                    self.failed(at, number, why, tell);
                    continue;
                }
                self.tracks[at].pending.get_or_insert_default().remove(&size);
                let attested = Attested { size, height };
                self.show(at, Some(attested));
                tell(ledger.name(), &host(&self.urls[number]), &News::Attested(attested));
            }
        }
        self.tracks[at].ask_due = self.env.monotonic() + self.interval;
    }

    /// What a calendar makes of a message; `None` if it has nothing for it.
    fn call(&self, request: Request, message: &[u8], timeout: Duration) -> Result<Option<Tree>, String> {
        let request = request.header("accept", calendar::MEDIA_TYPE).within(timeout);
        let request = request.at_most(calendar::MAX_ANSWER_LEN as u64);
        let answer = self.net.call(&request).map_err(|error| error.to_string())?;
        match answer.status {
            200 => calendar::answer(message, &answer.body).map(Some).map_err(|error| error.to_string()),
            404 => Ok(None),
            status => Err(format!("no calendar answers there: HTTP status {status}")),
        }
    }

    /// Shows how many checkpoints of a ledger wait, and which is the newest that does not.
    fn show(&self, at: usize, attested: Option<Attested>) {
        let pending = self.tracks[at].pending.as_ref().map_or(0, BTreeSet::len) as u64;
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for status in shown.iter_mut().skip(at * self.urls.len()).take(self.urls.len()) {
            status.pending = pending;
            status.newest = status.newest.into_iter().chain(attested).max_by_key(|attested| attested.size);
        }
    }

    fn good(&self, at: usize, number: usize, promised: bool) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let status = &mut shown[at * self.urls.len() + number];
        status.promises += u64::from(promised);
        status.error = None;
    }

    fn failed(&self, at: usize, number: usize, why: String, tell: &mut dyn FnMut(&str, &str, &News)) {
        {
            let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            let status = &mut shown[at * self.urls.len() + number];
            status.errors += 1;
            status.error = Some(why.clone());
        }
        tell(self.tracks[at].ledger.name(), &host(&self.urls[number]), &News::Failed(why));
    }
}

/// A file with what a calendar answered about `message`, if it can be written with that.
fn taken(file: &DetachedFile, message: &[u8], answer: &Tree) -> Result<DetachedFile, String> {
    let mut more = file.clone();
    more.add(message, answer).map_err(|error| error.to_string())?;
    more.to_bytes().map_err(|error| error.to_string())?;
    Ok(more)
}

/// Height of the lowest block that a file leads to.
fn block(file: &DetachedFile) -> Option<u64> {
    file.blocks().into_iter().min()
}
