use std::time::Duration;

use tlog::VerifiedSignature;

/// What a course is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is signed until a quorum has answered.
    Starting,
    /// Checkpoints are signed and go to the witnesses.
    Signing,
    /// Signing was stopped and stays so until the next start.
    Stopped,
}

/// What a witness refused for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmKind {
    /// It has cosigned a larger tree than this store holds.
    Ahead,
    /// It has cosigned another tree.
    Conflict,
    /// It does not take the ledger's signature.
    Key,
    /// It says that it has cosigned less than it has: it was set back.
    Behind,
}

impl AlarmKind {
    /// Its name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Conflict => "conflict",
            Self::Key => "key",
            Self::Behind => "behind",
        }
    }
}

/// Why a witness refused, for as long as it must stay in sight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessAlarm {
    /// What for.
    pub kind: AlarmKind,
    /// Our size when it refused.
    pub held: u64,
    /// The size it says it has cosigned.
    pub claimed: Option<u64>,
    /// The size it had cosigned before, if that is more.
    pub before: Option<u64>,
    /// A note signed by this ledger that contradicts this store, if the witness could show one.
    pub note: Option<String>,
    /// Whether it keeps the ledger from signing.
    pub stops: bool,
    /// Since when, unix milliseconds.
    pub since_ms: u64,
}

/// One witness, as far as one ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessStatus {
    /// Its name in the policy.
    pub name: String,
    /// Its key.
    pub vkey: String,
    /// Where it is.
    pub url: Option<String>,
    /// Whether the owner of this server runs it.
    pub own: bool,
    /// The largest checkpoint it cosigned in this run, in entries.
    pub size: Option<u64>,
    /// The time in its newest cosignature, unix seconds.
    pub cosigned_s: Option<u64>,
    /// How far this machine's clock is from the one of the witness, in milliseconds, if more than can be explained.
    pub clock_off_ms: Option<i64>,
    /// What is wrong at present, if anything is.
    pub trouble: Option<String>,
    /// What it refused.
    pub alarm: Option<WitnessAlarm>,
}

/// How a ledger stands with its witnesses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerStatus {
    /// Its name.
    pub ledger: String,
    /// What is going on.
    pub phase: Phase,
    /// Entries in its newest checkpoint.
    pub size: u64,
    /// Entries in the newest checkpoint that a quorum cosigned in this run.
    pub witnessed: Option<u64>,
    /// The witnesses in the order of the policy.
    pub witnesses: Vec<WitnessStatus>,
    /// Whether the owner's own witnesses are enough for the quorum: then it proves nothing against the owner.
    pub own_suffice: bool,
    /// Refusals since the start.
    pub refusals: u64,
}

/// What a course knows of a witness.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    /// Whether a request is under way.
    pub busy: bool,
    /// The size it cosigned last, as far as it is known.
    pub known: Option<u64>,
    /// The most it is known to have cosigned, in earlier runs too.
    pub largest: Option<u64>,
    /// The smaller size that it has told since.
    pub set_back: Option<u64>,
    /// The cosignature it gave last, and on which size, and when.
    pub last: Option<(u64, VerifiedSignature, Duration)>,
    /// Whether it was asked to the end at least once.
    pub tried: bool,
    /// Failures in a row.
    pub failures: u32,
    /// 409 answers in a row.
    pub moves: u32,
    /// Not asked before.
    pub due: Duration,
    pub trouble: Option<String>,
    /// How far our clock is from its, when it cosigned last, if that was too far.
    pub clock_off_ms: Option<i64>,
    /// What it said that is still to be looked up.
    pub claim: Option<(AlarmKind, Option<u64>)>,
    pub alarm: Option<WitnessAlarm>,
}
