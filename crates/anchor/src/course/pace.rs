use std::sync::Arc;
use std::time::Duration;

use tlog::{Policy, VerifierKey};

/// What never changes about a course.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The ledger's name on this server.
    pub ledger: String,
    /// Its origin.
    pub origin: String,
    /// The keys that sign its checkpoints, or did before a change.
    pub keys: Vec<VerifierKey>,
    /// Whose cosignatures are wanted, and how many.
    pub policy: Arc<Policy>,
    /// Names of those witnesses of the policy that the owner of this server runs.
    pub own: Vec<String>,
    /// How fast.
    pub pace: Pace,
}

/// Times and limits of the questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From looking up the name to the last byte of an answer.
    pub timeout: Duration,
    /// Shortest time between two checkpoints that are sent out.
    pub interval: Duration,
    /// How long the slower witnesses are waited for once a quorum has answered at the start: one of them may know more.
    pub grace: Duration,
    /// The first wait after a failure; each further one doubles it.
    pub retry: Duration,
    /// The longest wait after a failure.
    pub retry_max: Duration,
    /// The same while nothing is signed.
    pub retry_start: Duration,
    /// An answer counts at the start for so long, and is renewed after half of it.
    pub fresh: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            timeout: seconds(10),
            interval: Duration::from_millis(500),
            grace: seconds(5),
            retry: seconds(1),
            retry_max: seconds(60),
            retry_start: seconds(5),
            fresh: seconds(60),
        }
    }
}
