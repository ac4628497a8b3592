//! Connects the ledgers to the time-stamp authorities of the settings.

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
use stamper::{Entry, Ledger, News, Options, Rounds, Stamper};
use timestamp::Authorities;
use tlog::Checkpoint;

use super::directory;
use super::log::log;
use crate::failure::{About, Failure};
use crate::settings::Settings;
use crate::terminal::escape;

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
    let (urls, ca) = match (&settings.timestamp_authorities, &settings.timestamp_ca) {
        (None, None) => return Ok(None),
        (Some(urls), Some(ca)) => (urls, data.join(ca)),
        (None, _) => {
            return Err(Failure::trouble("the settings name timestamp.ca, and no timestamp.authorities"));
        }
        (Some(_), None) => {
            let why = "the settings name timestamp.authorities, and no timestamp.ca";
            return Err(Failure::trouble(why)
                .hint("nobody's token is believed without a certificate: see docs/time.md"));
        }
    };
    for url in urls {
        Url::parse(url)
            .map_err(|what| Failure::trouble(format!("timestamp.authorities: {what}: {}", escape(url))))?;
    }
    directory::check_outside(data, &ca)?;
    let bytes = fs::read(&ca).about("read", &ca)?;
    let trusted = Authorities::parse(&bytes)
        .map_err(|error| Failure::trouble(format!("timestamp.ca: {}: {error}", ca.display())))?;
    let interval = Duration::from_secs(settings.timestamp_interval_s.unwrap_or(INTERVAL_S));
    Ok(Some(Options { authorities: urls.clone(), trusted, interval, timeout: TIMEOUT }))
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

    fn head(&self) -> Option<Checkpoint> {
        Some(self.engine.upgrade()?.reads().published(self.number)?.checkpoint.clone())
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
}
