use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// The machine and its disk, as measured before anything else runs.
pub struct Host {
    pub cpu: String,
    pub cores: usize,
    pub memory_gib: u64,
    /// Median time of appending 4 KiB and `fdatasync`: f in the targets.
    pub fdatasync: Duration,
}

impl Host {
    pub fn measure(dir: &Path) -> io::Result<Self> {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let memory =
            memory.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0);
        Ok(Self {
            cpu: cpu.trim_start_matches([' ', '\t', ':']).to_owned(),
            cores: std::thread::available_parallelism()?.get(),
            memory_gib: memory >> 20,
            fdatasync: fdatasync(dir)?,
        })
    }

    pub fn line(&self) -> String {
        format!(
            "{} ({} cores, {} GiB), real fdatasync, f = {:.0} µs for 4 KiB",
            self.cpu,
            self.cores,
            self.memory_gib,
            self.fdatasync.as_secs_f64() * 1e6
        )
    }
}

/// Median latency of one 4 KiB append with `fdatasync`.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub fn fdatasync(dir: &Path) -> io::Result<Duration> {
    let path = dir.join("fdatasync.probe");
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    let mut times = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    std::fs::remove_file(path)?;
    times.sort();
    Ok(times[times.len() / 2])
}

/// Peak resident memory of this process in bytes.
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) << 10
}

/// Processor seconds that this process has used, in user mode and in the kernel.
pub fn cpu_seconds() -> f64 {
    let usage = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = usage.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    // Fields 14 and 15 of proc(5), in hundredths of a second.
    (ticks(11) + ticks(12)) / 100.0
}

/// Bytes a sealed event takes: tiles and bundles over all entries, segments over those that are sealed.
pub fn stored_per_event(data: &Path, entries: u64, sealed: u64) -> io::Result<f64> {
    let ledger = data.join("ledgers/main");
    let (tiles, segments) = (size_of(&ledger.join("tile"))?, size_of(&ledger.join("segment"))?);
    let segments = if sealed == 0 { f64::NAN } else { segments as f64 / sealed as f64 };
    Ok(tiles as f64 / entries.max(1) as f64 + segments)
}

/// Bytes of all files below a directory.
pub fn size_of(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() { size_of(&entry.path())? } else { meta.len() };
    }
    Ok(bytes)
}
