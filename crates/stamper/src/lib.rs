//! Has the newest checkpoints stamped by time-stamp authorities and by calendars of OpenTimestamps, and holds the clock of
//! this machine against the authorities'.
//!
//! Each authority is asked about each ledger at the start, then every interval, and once more when the server stops. A
//! token that verifies is entered into the ledger it is about, whole, as a `timestamp` record (docs/format.md); the next
//! checkpoint covers it. A token that does not is told and thrown away: it would prove nothing.
//!
//! A calendar promises to bring a digest into a Bitcoin block and is asked until it has. What it says is kept as a file
//! beside the checkpoint, and replaced when there is more: it is about the ledger, and nothing of the ledger needs it.
//!
//! [`Rounds`] is what happens, one call at a time; [`Stamper`] runs it on a thread. Ledgers are reached through the port
//! [`Ledger`]. Nothing waits for an authority: without it the ledger records and signs all the same.

mod ask;
mod calendars;
mod rounds;
mod run;
mod state;

#[cfg(test)]
mod tests;

use std::time::Duration;

use record::control::{Clock, Timestamp};
use timestamp::Authorities;
use tlog::Checkpoint;

pub use rounds::Rounds;
pub use run::{Handle, Stamper};
pub use state::{Attested, CalendarStatus, News, Stamped, Status};

/// What is needed of a ledger.
pub trait Ledger: Send + Sync {
    /// Its name on this server.
    fn name(&self) -> &str;
    /// The newest checkpoint that was published; none if none ever was.
    fn head(&self) -> Option<Head>;
    /// Enters a record of the ledger itself; true once it is durable.
    fn enter(&self, record: Entry) -> bool;
    /// Keeps a file beside the checkpoint of this size, in place of an older one of its kind; true once it is durable.
    fn keep(&self, size: u64, file: File<'_>) -> bool;
    /// Sizes of the newest checkpoints, at most so many, beside which there is an OpenTimestamps file.
    fn ots(&self, most: usize) -> Vec<u64>;
    /// The OpenTimestamps file beside the checkpoint of this size.
    fn read_ots(&self, size: u64) -> Option<Vec<u8>>;
}

/// A checkpoint as it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Origin, size and root.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: String,
}

/// What is kept beside a checkpoint that was stamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File<'a> {
    /// Its signed note.
    Checkpoint(&'a str),
    /// A token, DER.
    Token(&'a [u8]),
    /// An OpenTimestamps file over its signed text.
    Ots(&'a [u8]),
}

/// What is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A token.
    Timestamp(Timestamp),
    /// This machine's clock and an authority's disagree. `expected_ms` is the authority's.
    Clock(Clock),
}

/// Whom to ask, and how often.
#[derive(Clone, Debug)]
pub struct Options {
    /// Addresses of time-stamp authorities that take requests over HTTP (RFC 3161 section 3.4).
    pub authorities: Vec<String>,
    /// Whose tokens are accepted; nobody's if there are no authorities.
    pub trusted: Option<Authorities>,
    /// Addresses of calendars (OpenTimestamps), without a slash at the end.
    pub calendars: Vec<String>,
    /// Time from one round to the next.
    pub interval: Duration,
    /// How long one authority or calendar may take to answer.
    pub timeout: Duration,
}

/// How far an authority and this machine may differ beyond accuracy and round trip: tokens may be to the second.
pub const TOLERANCE: Duration = Duration::from_secs(1);
