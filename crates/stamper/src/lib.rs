//! Has the newest checkpoints stamped by time-stamp authorities, and holds the clock of this machine against theirs.
//!
//! Each authority is asked about each ledger at the start, then every interval, and once more when the server stops. A
//! token that verifies is entered into the ledger it is about, whole, as a `timestamp` record (docs/format.md); the next
//! checkpoint covers it. A token that does not is told and thrown away: it would prove nothing.
//!
//! [`Rounds`] is what happens, one call at a time; [`Stamper`] runs it on a thread. Ledgers are reached through the port
//! [`Ledger`]. Nothing waits for an authority: without it the ledger records and signs all the same.

mod ask;
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
pub use state::{News, Stamped, Status};

/// What is needed of a ledger.
pub trait Ledger: Send + Sync {
    /// Its name on this server.
    fn name(&self) -> &str;
    /// The newest checkpoint that was published; none if none ever was.
    fn head(&self) -> Option<Checkpoint>;
    /// Enters a record of the ledger itself; true once it is durable.
    fn enter(&self, record: Entry) -> bool;
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
    /// Whose tokens are accepted.
    pub trusted: Authorities,
    /// Time from one round to the next.
    pub interval: Duration,
    /// How long one authority may take to answer.
    pub timeout: Duration,
}

/// How far an authority and this machine may differ beyond accuracy and round trip: tokens may be to the second.
pub const TOLERANCE: Duration = Duration::from_secs(1);
