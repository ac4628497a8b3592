use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use evidence::layout;
use evidence::verify::{Damage, Medium, Report, Settings, TRIES, Verdict, verify_store_once};
use storage::Disk;

use crate::budget::{Budget, Stop};
use crate::medium::{Plain, Slow, moves};

/// What one cycle reads and how.
pub(crate) struct Cycle<'a> {
    pub data: Arc<dyn Disk>,
    pub keys: Option<Arc<dyn Disk>>,
    pub budget: &'a Budget,
    pub stop: &'a Stop,
    /// Bytes read so far, for whoever asks how far it is.
    pub read: &'a AtomicU64,
}

impl Cycle<'_> {
    /// Verifies everything. `found` is told what is certainly damaged as soon as it is known, more than once for the
    /// same. `None` if asked to stop.
    pub(crate) fn run(&self, found: &mut dyn FnMut(&[Damage])) -> Option<Report> {
        let data = Slow { disk: self.data.clone(), budget: self.budget, read: self.read };
        let keys = self.keys.clone().map(Plain);
        let keys = keys.as_ref().map(|keys| keys as &dyn Medium);
        let mut before: Vec<Damage> = Vec::new();
        for attempt in 1.. {
            // One thread: the budget is the limit, not the processors.
            let settings = Settings { key: None, threads: 1, progress: &|_, _| {} };
            let (report, settled) = verify_store_once(&data, keys, &settings);
            if self.stop.is_asked() {
                return None;
            }
            let settled = settled || attempt >= TRIES || is_certain(&report);
            // The register moves all the time, so what lies in files that move must be seen twice.
            let certain: Vec<Damage> = match settled {
                true => report.damage.clone(),
                false => report.damage.iter().filter(|damage| seen(&before, damage)).cloned().collect(),
            };
            if !certain.is_empty() {
                found(&certain);
            }
            if settled || certain.len() == report.damage.len() && report.verdict() == Verdict::Disproven {
                return Some(report);
            }
            before = report.damage;
        }
        None
    }
}

fn seen(before: &[Damage], damage: &Damage) -> bool {
    before.iter().any(|known| known.file == damage.file && known.kind == damage.kind)
}

/// Whether all damage lies in files that no server touches again: then it is no moment between two writes.
fn is_certain(report: &Report) -> bool {
    report.undecided.is_empty() && report.damage.iter().all(|damage| !moves(&damage.file))
}

/// Bytes of the files below the ledgers and the write-ahead log.
pub(crate) fn stored_bytes(disk: &Arc<dyn Disk>, stop: &Stop) -> u64 {
    let mut dirs = vec![layout::LEDGERS.to_owned(), layout::WAL.to_owned()];
    let mut bytes = 0;
    while let (Some(dir), false) = (dirs.pop(), stop.is_asked()) {
        for entry in disk.list(&dir).unwrap_or_default() {
            match entry.dir {
                true => dirs.push(format!("{dir}/{}", entry.name)),
                false => bytes += entry.len,
            }
        }
    }
    bytes
}

/// About how far a cycle is: each byte is read about `factor` times, as the last full cycle told.
pub(crate) fn percent(read: &AtomicU64, stored: u64, factor: f64) -> u8 {
    let whole = (stored as f64 * factor).max(1.0);
    (read.load(Ordering::Relaxed) as f64 * 100.0 / whole).min(99.0) as u8
}
