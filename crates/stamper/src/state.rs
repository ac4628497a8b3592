//! How things stand with one authority or calendar and one ledger.

use record::control::{Clock, Timestamp};

/// The newest token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// Entries in the checkpoint it is over.
    pub size: u64,
    /// When it was made, by the authority's clock, Unix milliseconds.
    pub gen_time_ms: u64,
    /// Until when the certificate that signed it is valid, Unix milliseconds.
    pub valid_until_ms: u64,
}

/// One authority and one ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Name of the ledger.
    pub ledger: String,
    /// Host of the authority.
    pub authority: String,
    /// The newest token since the server started.
    pub newest: Option<Stamped>,
    /// Tokens since the server started.
    pub tokens: u64,
    /// Questions that led to none.
    pub errors: u64,
    /// Why the last question led to none; gone with the next token.
    pub error: Option<String>,
    /// How far this machine's clock is from the authority's, in milliseconds, beyond what can be explained; gone with
    /// the next token that agrees.
    pub clock_off_ms: Option<i64>,
}

/// A checkpoint that leads to a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attested {
    /// Entries in the checkpoint.
    pub size: u64,
    /// Height of the lowest Bitcoin block that it is said to lead to; whether it does, the block's header shows.
    pub height: u64,
}

/// One calendar and one ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarStatus {
    /// Name of the ledger.
    pub ledger: String,
    /// Host of the calendar.
    pub calendar: String,
    /// Checkpoints that it has promised to bring into a block, since the server started.
    pub promises: u64,
    /// Checkpoints of the ledger that no calendar has brought into a block yet; of the newest, as many as are followed up.
    pub pending: u64,
    /// The largest checkpoint of the ledger that is in a block.
    pub newest: Option<Attested>,
    /// Questions that it did not answer as it should.
    pub errors: u64,
    /// Why the last question led to nothing; gone with the next good answer.
    pub error: Option<String>,
}

/// What somebody should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A calendar has promised to bring the checkpoint of this size into a block.
    Promised(u64),
    /// A checkpoint is in a block, says a calendar.
    Attested(Attested),
    /// The ledger has a new token.
    Stamped(Timestamp),
    /// There is none, for this reason.
    Failed(String),
    /// This machine's clock and the authority's disagree.
    Clock(Clock),
}
