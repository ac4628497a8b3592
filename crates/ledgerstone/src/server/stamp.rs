//! Connects the ledgers to the time-stamp authorities and calendars of the settings.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use env::Env;
use ledger::{Engine, Entered, Pending, Request};
use net::{HttpNet, Plain, TlsSettings, Url};
use record::entry::Kind;
use stamper::{Attested, Entry, File, Head, Ledger, News, Options, Rounds, Stamper};
use timestamp::Authorities;
use timestamp::ots::Attestation;

use super::directory;
use super::log::log;
use crate::failure::{About, Failure};
use crate::settings::Settings;
use crate::terminal::escape;

/// Most calendars that are asked: one that is slow keeps the others waiting.
const CALENDARS_MAX: usize = 16;
/// Time from one round to the next unless it is set otherwise.
const INTERVAL_S: u64 = 3600;
/// How long an authority may take to answer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How long a token may take to be durable.
const DURABLE: Duration = Duration::from_secs(10);

/// Whom to ask, as the settings say; `None` if they name nobody.
///
/// # Errors
/// An address or the file of certificates can't be used, or one is there without the other.
pub(super) fn options(data: &Path, settings: &Settings) -> Result<Option<Options>, Failure> {
    let (authorities, trusted) = match (&settings.timestamp_authorities, &settings.timestamp_ca) {
        (None, None) => (Vec::new(), None),
        (Some(urls), Some(ca)) => (urls.clone(), Some(trusted(data, &data.join(ca))?)),
        (None, _) => {
            return Err(Failure::trouble("the settings name timestamp.ca, and no timestamp.authorities"));
        }
        (Some(_), None) => {
            let why = "the settings name timestamp.authorities, and no timestamp.ca";
            return Err(Failure::trouble(why)
                .hint("nobody's token is believed without a certificate: see docs/time.md"));
        }
    };
    let calendars = calendars(settings.timestamp_calendars.as_deref().unwrap_or_default())?;
    if authorities.is_empty() && calendars.is_empty() {
        return Ok(None);
    }
    for url in &authorities {
        Url::parse(url)
            .map_err(|what| Failure::trouble(format!("timestamp.authorities: {what}: {}", escape(url))))?;
    }
    let interval = Duration::from_secs(settings.timestamp_interval_s.unwrap_or(INTERVAL_S));
    Ok(Some(Options { authorities, trusted, calendars, interval, timeout: TIMEOUT }))
}

fn trusted(data: &Path, ca: &Path) -> Result<Authorities, Failure> {
    directory::check_outside(data, ca)?;
    let bytes = fs::read(ca).about("read", ca)?;
    Authorities::parse(&bytes)
        .map_err(|error| Failure::trouble(format!("timestamp.ca: {}: {error}", ca.display())))
}

/// Addresses of calendars, as they stand in the files that they write into.
fn calendars(urls: &[String]) -> Result<Vec<String>, Failure> {
    let wrong = |what: String| Failure::trouble(format!("timestamp.calendars: {what}"));
    if urls.len() > CALENDARS_MAX {
        return Err(wrong(format!("at most {CALENDARS_MAX} are asked: {}", urls.len())));
    }
    let mut calendars: Vec<String> = Vec::new();
    for url in urls {
        let url = url.trim_end_matches('/').to_owned();
        Attestation::pending(&url).map_err(|error| wrong(format!("{error}: {}", escape(&url))))?;
        if calendars.contains(&url) {
            return Err(wrong(format!("named twice: {}", escape(&url))));
        }
        calendars.push(url);
    }
    Ok(calendars)
}

/// Starts to ask. That it can't is told and leaves a server that records all the same.
pub(super) fn start(options: Option<Options>, engine: &Arc<Engine>, env: &Arc<dyn Env>) -> Option<Stamper> {
    let options = options?;
    let failed = |why: String| log(env.as_ref(), &format!("error: no checkpoint is time-stamped: {why}"));
    // Requests hold a digest, answers prove themselves: both may go in the clear.
    let net = match HttpNet::new(&TlsSettings::default(), Plain::Anywhere) {
        Ok(net) => Arc::new(net),
        Err(error) => {
            failed(error.to_string());
            return None;
        }
    };
    let ledgers = engine.reads().ledgers().into_iter().enumerate();
    let ledgers = ledgers.map(|(number, info)| {
        Arc::new(Stampable { engine: Arc::downgrade(engine), number, name: info.name }) as Arc<dyn Ledger>
    });
    let rounds = Rounds::new(ledgers.collect(), options, net, env.clone());
    let (env, mut good) = (env.clone(), BTreeSet::new());
    let teller = env.clone();
    let started = Stamper::start(rounds, move |ledger, authority, news| {
        if let Some(sentence) = sentence(ledger, authority, news, &mut good) {
            log(teller.as_ref(), &sentence);
        }
    });
    started
        .inspect_err(|error| log(env.as_ref(), &format!("error: no checkpoint is time-stamped: {error}")))
        .ok()
}

/// What news mean for the people in charge. Of tokens the first is told, and each after a failure.
fn sentence(
    ledger: &str,
    authority: &str,
    news: &News,
    good: &mut BTreeSet<(String, String)>,
) -> Option<String> {
    let pair = (ledger.to_owned(), authority.to_owned());
    match news {
        News::Stamped(record) => good.insert(pair).then(|| {
            format!("info: {ledger}: {authority} has time-stamped the checkpoint of {} entries", record.size)
        }),
        News::Promised(size) => good.insert(pair).then(|| {
            format!("info: {ledger}: {authority} will bring the checkpoint of {size} entries into a block")
        }),
        News::Attested(Attested { size, height }) => Some(format!(
            "info: {ledger}: the checkpoint of {size} entries is in Bitcoin block {height}, says {authority}"
        )),
        News::Failed(why) => {
            good.remove(&pair);
            Some(format!("warning: {ledger}: no timestamp by {authority}: {why}"))
        }
        News::Clock(clock) => Some(format!(
            "warning: {ledger}: the clock of this machine is {} ms {} that of {authority}; that is on record",
            clock.wall_ms.abs_diff(clock.expected_ms),
            if clock.wall_ms > clock.expected_ms { "ahead of" } else { "behind" }
        )),
    }
}

/// A ledger, as whoever stamps it sees it. It does not keep the engine: a request to an authority may outlive it.
struct Stampable {
    engine: Weak<Engine>,
    number: usize,
    name: String,
}

impl Ledger for Stampable {
    fn name(&self) -> &str {
        &self.name
    }

    fn head(&self) -> Option<Head> {
        let published = self.engine.upgrade()?.reads().published(self.number)?;
        Some(Head { checkpoint: published.checkpoint.clone(), note: published.note.clone() })
    }

    fn enter(&self, record: Entry) -> bool {
        let Some(engine) = self.engine.upgrade() else { return false };
        let (done, entered) = mpsc::channel();
        let draft = match record {
            Entry::Timestamp(record) => record.to_draft(),
            Entry::Clock(record) => record.to_draft(),
        };
        engine.submit(Request::Control {
            ledger: self.number,
            records: vec![(Kind::Cut, draft)],
            pending: Some(Pending::new(move |entered: Entered| {
                // Whoever waited may have given up.
                let _ = done.send(entered);
            })),
        });
        drop(engine);
        entered.recv_timeout(DURABLE).is_ok_and(|entered| entered.0)
    }
    fn keep(&self, size: u64, file: File<'_>) -> bool {
        let Some(engine) = self.engine.upgrade() else { return false };
        let (what, bytes) = match file {
            File::Checkpoint(note) => (ledger::Stamped::Checkpoint, note.as_bytes()),
            File::Token(token) => (ledger::Stamped::Token(timestamp::digest(token)), token),
            File::Ots(ots) => (ledger::Stamped::Ots, ots),
        };
        engine.keep_stamped(self.number, size, what, bytes).is_ok()
    }

    fn ots(&self, most: usize) -> Vec<u64> {
        let Some(engine) = self.engine.upgrade() else { return Vec::new() };
        let stamped = engine.reads().stamped(self.number).unwrap_or_default();
        let ots = stamped.into_iter().rev().filter(|(_, what)| *what == ledger::Stamped::Ots);
        ots.map(|(size, _)| size).take(most).collect()
    }

    fn read_ots(&self, size: u64) -> Option<Vec<u8>> {
        let reads = self.engine.upgrade()?.reads();
        reads.read_stamped(self.number, size, ledger::Stamped::Ots).ok().flatten()
    }
}
