use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use env::SystemEnv;
use ledger::{Batch, Engine, Options, Outcome, Pending, Prepared, Refusal, Request};
use storage::{Disk, LocalDisk};

use crate::Plan;
use crate::events::Generator;
use crate::figures::Figures;
use crate::host::{peak_memory, stored_per_event};

type Failure = Box<dyn std::error::Error>;

/// Records a batch of the load generator holds.
const BATCH: usize = 256;
/// Batches in flight.
const IN_FLIGHT: u64 = 48;

/// The engine alone: events of 400 bytes, prepared (salts, digests), written, synced, read back, signed, sealed.
pub fn run(plan: &Plan, figures: &mut Figures) -> Result<(), Failure> {
    let seconds = if plan.quick { 5 } else { 60 };
    let sustained = load(&plan.dir, seconds, Generator::gateway_event)?;
    figures.row("engine.sustained.durable", sustained.rate, "events/s", ">= 200000");
    figures.row("engine.sustained.backlog_at_end", sustained.backlog_seconds, "s", "<= 1");
    figures.row("engine.burst.1s", sustained.burst, "events/s", "");
    figures.row("engine.sustained.stored", sustained.stored_per_event, "B/event", "");
    figures.note(&format!(
        "{} events in {seconds} s; unsealed at the end: {}",
        sustained.events, sustained.unsealed
    ));
    let with_raw = load(&plan.dir, seconds.min(15), Generator::native_event)?;
    figures.row("engine.with_raw_and_mapping.durable", with_raw.rate, "events/s", "");
    figures.row("engine.memory.peak", peak_memory() as f64 / (1 << 20) as f64, "MiB", "<= 512");
    Ok(())
}

struct Sustained {
    events: u64,
    rate: f64,
    burst: f64,
    unsealed: u64,
    backlog_seconds: f64,
    stored_per_event: f64,
}

/// Opens a fresh store below `dir`.
pub fn start(dir: &Path) -> Result<(tempfile::TempDir, Engine), Failure> {
    // Kept until the end of the run: ext4 is slow to create files for minutes after many were removed.
    let dir = tempfile::Builder::new().disable_cleanup(true).tempdir_in(dir)?;
    let open = |name: &str| -> Result<Arc<dyn Disk>, Failure> {
        Ok(Arc::new(LocalDisk::open(&dir.path().join(name))?))
    };
    // As `up` has it: the ledger of accesses is always there.
    let ledgers = vec!["main".to_owned(), access::SYSTEM.to_owned()];
    let options = Options { ledgers, ..Options::default() };
    let engine = Engine::start(open("data")?, open("data-keys")?, Arc::new(SystemEnv::new()), options)
        .map_err(|fault| fault.to_string())?;
    Ok((dir, engine))
}

/// Keeps the engine full for `seconds`, then lets it catch up and tells how long that took.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn load(dir: &Path, seconds: u64, make: fn(&mut Generator) -> Prepared) -> Result<Sustained, Failure> {
    let (dir, engine) = start(dir)?;
    let (durable, in_flight, lost) =
        (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let refused = Arc::new(AtomicU64::new(0));
    let mut seen_refused = 0;
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let mut generator = Generator::new(42);
    let (mut second, mut at_second, mut burst) = (start, 0, 0);
    while Instant::now() < end {
        if in_flight.load(Ordering::Acquire) >= IN_FLIGHT {
            std::thread::sleep(Duration::from_micros(100));
            continue;
        }
        if refused.load(Ordering::Acquire) > seen_refused {
            seen_refused = refused.load(Ordering::Acquire);
            std::thread::sleep(Duration::from_millis(5));
        }
        let records = (0..BATCH).map(|_| make(&mut generator)).collect();
        in_flight.fetch_add(1, Ordering::AcqRel);
        let (counted, flying, missing, busy) =
            (durable.clone(), in_flight.clone(), lost.clone(), refused.clone());
        let pending = Pending::new(move |outcome| {
            match outcome {
                Outcome::Durable(recorded) => counted.fetch_add(recorded.len() as u64, Ordering::AcqRel),
                Outcome::Refused(Refusal::Busy { .. }) => busy.fetch_add(1, Ordering::AcqRel),
                _ => missing.fetch_add(BATCH as u64, Ordering::AcqRel),
            };
            flying.fetch_sub(1, Ordering::AcqRel);
        });
        engine.submit(Request::Append {
            ledger: 0,
            batch: Batch { source: 1, numbered: None, records },
            pending,
        });
        if second.elapsed() >= Duration::from_secs(1) {
            let now = durable.load(Ordering::Acquire);
            burst = burst.max(now - at_second);
            (second, at_second) = (Instant::now(), now);
        }
    }
    let events = durable.load(Ordering::Acquire);
    let rate = events as f64 / start.elapsed().as_secs_f64();
    let reads = engine.reads();
    let left = Instant::now();
    let sealed_lag = |reads: &ledger::Reads| reads.progress(0).committed - reads.progress(0).sealed;
    let target = reads.progress(0).durable;
    let unsealed = sealed_lag(&reads);
    // Caught up: everything durable at the end is in a checkpoint, and only what is not yet due is unsealed.
    while reads.progress(0).committed < target || sealed_lag(&reads) > 2 * Options::default().seal_entries {
        std::thread::sleep(Duration::from_millis(5));
        if left.elapsed() > Duration::from_secs(120) {
            break;
        }
    }
    let backlog_seconds = left.elapsed().as_secs_f64();
    if lost.load(Ordering::Acquire) > 0 {
        return Err("the engine refused or lost events".into());
    }
    let progress = reads.progress(0);
    drop(reads);
    engine.stop();
    let stored = stored_per_event(&dir.path().join("data"), progress.durable, progress.sealed)?;
    Ok(Sustained { events, rate, burst: burst as f64, unsealed, backlog_seconds, stored_per_event: stored })
}
