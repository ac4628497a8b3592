//! How things stand with one authority and one ledger.

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

/// What somebody should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The ledger has a new token.
    Stamped(Timestamp),
    /// There is none, for this reason.
    Failed(String),
    /// This machine's clock and the authority's disagree.
    Clock(Clock),
}
