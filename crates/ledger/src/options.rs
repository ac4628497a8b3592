use std::time::Duration;

use crate::signing::SigningGates;

/// Limits and intervals of an engine; [`Options::default`] is what `up` runs with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Names of the ledgers that must exist; missing ones are created.
    pub ledgers: Vec<String>,
    /// First part of the origin of new ledgers, a schema-less URL; origins are public.
    pub origin_host: String,
    /// SHA-256 of the settings file, kept in the register; `None` if there is none.
    pub settings: Option<[u8; 32]>,
    /// Shortest time between two checkpoints of one ledger.
    pub checkpoint_interval: Duration,
    /// A heartbeat is entered after this long without an entry.
    pub heartbeat: Duration,
    /// A sync marker follows the last group after this long without another.
    pub sync_marker: Duration,
    /// A segment is sealed at this many entries, or at [`Options::seal_age`].
    pub seal_entries: u64,
    /// Entries are sealed at this age, in whole bundles.
    pub seal_age: Duration,
    /// A write-ahead file is closed at this many bytes.
    pub wal_file_bytes: u64,
    /// A group takes requests until their payload reaches this many bytes.
    pub group_bytes: usize,
    /// Most payload bytes waiting to be written; beyond it appends are refused with a time to retry.
    pub queue_bytes: usize,
    /// Most entries written but not yet in a checkpoint; beyond it the writer waits.
    pub backlog_entries: usize,
    /// Most entries of one ledger waiting to be sealed; beyond it large appends are refused with a time to retry, beyond
    /// twice as many all are. Bounds the write-ahead log, and so the time a start after a crash takes.
    pub unsealed_entries: u64,
    /// Bytes kept back so that a full disk can still be recorded.
    pub reserve_bytes: usize,
    /// zstd level of write-ahead groups.
    pub wal_level: i32,
    /// zstd level of segments.
    pub segment_level: i32,
    /// A difference between the wall clock and the monotonic clock beyond this is recorded as a jump.
    pub clock_tolerance: Duration,
    /// Which ledgers may sign only once whoever holds these gates lets them.
    pub gates: SigningGates,
    /// Whether a change of a signing key that waits is entered. [`crate::Engine`] does so when it starts and not when it
    /// opens the store again after a fault: until it starts again, whoever asked it what its keys are may rely on that.
    pub enter_key_changes: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ledgers: vec!["main".to_owned()],
            origin_host: "ledgerstone.local".to_owned(),
            settings: None,
            checkpoint_interval: Duration::from_millis(400),
            heartbeat: Duration::from_secs(60),
            sync_marker: Duration::from_millis(10),
            seal_entries: 1 << 17,
            seal_age: Duration::from_secs(600),
            wal_file_bytes: 64 << 20,
            group_bytes: 1 << 20,
            queue_bytes: 64 << 20,
            backlog_entries: 1 << 20,
            unsealed_entries: 3 << 17,
            reserve_bytes: 4 << 20,
            wal_level: 1,
            segment_level: 1,
            clock_tolerance: Duration::from_secs(1),
            gates: SigningGates::default(),
            enter_key_changes: true,
        }
    }
}
