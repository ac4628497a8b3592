//! Asks witnesses: at the start whether anybody has seen more of a ledger than it holds, then for their cosignatures
//! on each checkpoint (DESIGN section 4; C2SP tlog-witness, tlog-policy).
//!
//! [`Course`] is what happens with one ledger, without I/O: it says what to ask whom and what follows from an answer.
//! [`Anchor`] runs the courses, with one thread for each witness, so that no witness ever has more than one request of
//! ours and a slow one keeps nobody else waiting. Ledgers are reached through the port [`Ledger`].
//!
//! What is safe comes first: a witness that says it has seen more than we hold stops signing whether or not it can show a
//! note that we signed, and so does any note of ours that contradicts this store. A witness that lies can so stop
//! signatures, never records; who runs the server takes it out of the policy. The other way round, going on would
//! contradict what an honest witness saw. One that says no to a proof and shows nothing is outvoted by a quorum that has
//! cosigned the tree in question; one that was set back is told of and fed again.

mod course;
mod run;
mod state;
mod words;

#[cfg(test)]
mod tests;

use tlog::{Checkpoint, Hash};

pub use course::{Ask, Course, Moment, Pace, Rules, Step};
pub use record::control::{Clock, Refusal};
pub use run::{Anchor, Handle, StartError};
pub use state::{AlarmKind, LedgerStatus, Phase, WitnessAlarm, WitnessStatus};

/// A checkpoint that the ledger has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Origin, size and root.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: String,
}

/// What a course needs of its ledger. Errors are texts for people; whatever failed is tried again later.
pub trait Ledger: Send + Sync {
    /// Its name on this server.
    fn name(&self) -> &str;
    /// The newest checkpoint that was published; that of no entries if none ever was.
    fn head(&self) -> Result<Head, String>;
    /// RFC 6962 consistency proof between two sizes, neither beyond [`Ledger::head`].
    fn proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, String>;
    /// Root of the first entries; `None` beyond [`Ledger::head`].
    fn root(&self, size: u64) -> Result<Option<Hash>, String>;
    /// Lets it sign.
    fn release(&self);
    /// Keeps it from signing; once this returns no more signature leaves.
    fn hold(&self, reason: &str);
    /// The note of the checkpoint that was kept last, with its cosignatures.
    fn witnessed(&self) -> Option<String>;
    /// Stores a checkpoint with the cosignatures of a quorum, durably.
    fn keep(&self, witnessed: Head) -> Result<(), String>;
    /// Puts a refusal on record.
    fn record(&self, refusal: &Refusal);
    /// Puts on record that a witness has another time than this machine; `expected_ms` is the time of the witness.
    fn record_clock(&self, witness: &str, clock: &Clock);
}
