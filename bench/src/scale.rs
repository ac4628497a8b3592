use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use env::SystemEnv;
use ledger::{Batch, Engine, Options, Outcome, Pending, Request};
use storage::{Disk, LocalDisk};

use crate::Plan;
use crate::engine;
use crate::events::Generator;
use crate::figures::Figures;
use crate::host;

type Failure = Box<dyn std::error::Error>;

/// The same figures at growing sizes: append, restart after a crash, inclusion proof, verification, bytes.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub fn run(plan: &Plan, figures: &mut Figures) -> Result<(), Failure> {
    let sizes: &[u64] = if plan.quick { &[100_000] } else { &[100_000, 1_000_000, 10_000_000] };
    for &size in sizes {
        let label = match size {
            100_000 => "0.1M",
            1_000_000 => "1M",
            _ => "10M",
        };
        let name = |what: &str| format!("scale.{label}.{what}");
        let (dir, engine) = engine::start(&plan.dir)?;
        let start = Instant::now();
        fill(&engine, size)?;
        figures.row(&name("append"), size as f64 / start.elapsed().as_secs_f64(), "events/s", "");

        let reads = engine.reads();
        let published = reads.published(0).ok_or("nothing is published")?;
        let mut generator = Generator::new(3);
        let mut slowest = Duration::ZERO;
        for _ in 0..200 {
            let index = generator.next() % published.checkpoint.size;
            let proving = Instant::now();
            reads.inclusion(0, index, &published).map_err(|fault| fault.to_string())?;
            slowest = slowest.max(proving.elapsed());
        }
        figures.row(&name("inclusion_proof.slowest_of_200"), slowest.as_secs_f64() * 1e3, "ms", "< 5");
        drop(reads);

        // A crash as the disk sees it: a copy of the store while it runs, of which nothing was stopped.
        let crashed = dir.path().join("crashed");
        snapshot(dir.path(), &crashed)?;
        let opening = Instant::now();
        let again = open(&crashed)?;
        figures.row(&name("restart_after_crash"), opening.elapsed().as_secs_f64(), "s", "< 3");
        drop(again);
        std::fs::remove_dir_all(&crashed)?;

        let progress = engine.reads().progress(0);
        engine.stop();
        let data = dir.path().join("data");
        if progress.sealed > 0 {
            let stored = host::stored_per_event(&data, progress.durable, progress.sealed)?;
            figures.row(&name("stored"), stored, "B/event", "<= 230 (30 % of 400 + 110)");
        }
        let all = host::size_of(&data)? as f64 / size as f64;
        figures.row(&name("directory"), all, "B/event", "");
        let verifying = Instant::now();
        let keys = dir.path().join("data-keys");
        let report = verifier::verify_dir(&dir.path().join("data"), Some(&keys), None, &|_, _| {});
        let rate = size as f64 / verifying.elapsed().as_secs_f64();
        figures.row(&name("verify"), rate, "events/s", ">= 500000");
        if report.verdict() != verifier::Verdict::Proven {
            return Err(
                format!("the store does not verify: {:?} {:?}", report.damage, report.undecided).into()
            );
        }
        figures.row(&name("memory.peak"), host::peak_memory() as f64 / (1 << 20) as f64, "MiB", "<= 512");
    }
    Ok(())
}

/// Appends `size` native events with their raw bytes and waits until they are committed.
fn fill(engine: &Engine, size: u64) -> Result<(), Failure> {
    let mut generator = Generator::new(11);
    let (durable, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut submitted = 0;
    while durable.load(Ordering::Acquire) < size {
        let waiting = submitted - durable.load(Ordering::Acquire) - failed.load(Ordering::Acquire);
        let left = size - durable.load(Ordering::Acquire);
        if waiting >= left.min(64 * 256) {
            std::thread::sleep(Duration::from_micros(200));
            continue;
        }
        let count = 256.min(left - waiting);
        let records = (0..count).map(|_| generator.native_event()).collect();
        let (counted, lost) = (durable.clone(), failed.clone());
        let pending = Pending::new(move |outcome| match outcome {
            Outcome::Durable(recorded) => drop(counted.fetch_add(recorded.len() as u64, Ordering::AcqRel)),
            _ => {
                lost.fetch_add(count, Ordering::AcqRel);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        engine.submit(Request::Append {
            ledger: 0,
            batch: Batch { source: 1, numbered: None, records },
            pending,
        });
        submitted += count;
    }
    while engine.reads().progress(0).committed < size {
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn open(dir: &Path) -> Result<Engine, Failure> {
    let disk =
        |name: &str| -> Result<Arc<dyn Disk>, Failure> { Ok(Arc::new(LocalDisk::open(&dir.join(name))?)) };
    let engine =
        Engine::start(disk("data")?, disk("data-keys")?, Arc::new(SystemEnv::new()), Options::default());
    Ok(engine.map_err(|fault| fault.to_string())?)
}

/// Copies a running store as a power cut would find it: at one moment, told by a register that did not change.
fn snapshot(from: &Path, to: &Path) -> Result<(), Failure> {
    for _ in 0..50 {
        let register = std::fs::read(from.join("data/register"))?;
        copy(&from.join("data"), &to.join("data"))?;
        copy(&from.join("data-keys"), &to.join("data-keys"))?;
        if std::fs::read(from.join("data/register"))? == register {
            return Ok(());
        }
        std::fs::remove_dir_all(to)?;
        std::thread::sleep(Duration::from_millis(500));
    }
    Err("the store did not hold still long enough to be copied".into())
}

/// Copies a store that is being written: the register first, so that nothing in the copy is behind it. What is
/// missing or torn after that is what recovery is for.
fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(to)?;
    let mut entries: Vec<_> = std::fs::read_dir(from)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(|entry| (entry.file_name() != "register", entry.file_name()));
    for entry in entries {
        let target = to.join(entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => copy(&entry.path(), &target)?,
            // Links cost nothing and files here are never changed in place, but for the log that is appended to.
            _ if entry.path().extension().is_some_and(|end| end == "wal")
                || entry.file_name() == "register" =>
            {
                std::fs::copy(entry.path(), &target)?;
            }
            _ => drop(std::fs::hard_link(entry.path(), &target)),
        }
    }
    Ok(())
}
