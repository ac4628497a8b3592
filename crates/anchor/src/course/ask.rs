use std::time::Duration;

use net::Request;
use record::control::{Clock, Refusal};
use tlog::witness::origin_hash;
use tlog::{AddCheckpoint, Hash};

use crate::Head;

/// Longest answer that is read: a few cosignatures, or a checkpoint with many.
const MAX_ANSWER: u64 = 256 << 10;

/// A question to a witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Cosign this checkpoint, which extends what you cosigned at size `old`.
    Submit {
        /// The size.
        old: u64,
        /// The checkpoint.
        head: Head,
    },
    /// Show what you cosigned last, since you say that it is not ours.
    Look {
        /// Our newest checkpoint.
        head: Head,
    },
}

impl Ask {
    /// The request for it. `proof` is from `old` to the size of the checkpoint.
    pub fn request(&self, url: &str, origin: &str, proof: Vec<Hash>, timeout: Duration) -> Request {
        let url = url.trim_end_matches('/');
        let mut request = match self {
            Self::Submit { old, head } => {
                let body = AddCheckpoint { old: *old, proof, checkpoint_note: head.note.clone() };
                Request::post(
                    format!("{url}/add-checkpoint"),
                    "text/plain; charset=utf-8",
                    body.to_string().into_bytes(),
                )
            }
            Self::Look { .. } => Request::get(format!("{url}/{}/checkpoint", origin_hash(origin))),
        };
        request.timeout = timeout;
        request.max_answer = MAX_ANSWER;
        request
    }
}

/// What follows from an answer, in the order in which it must be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Let the ledger sign.
    Release,
    /// Keep it from signing, and why.
    Hold(String),
    /// Store this checkpoint: a quorum cosigned it.
    Keep(Head),
    /// Put this on record.
    Record(Refusal),
    /// Put on record that this witness has another time than this machine.
    Clock(String, Clock),
}

/// When something happened, and how much of the wait after a failure is left to chance.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// By the steady clock.
    pub now: Duration,
    /// Unix milliseconds.
    pub now_ms: u64,
    /// From 0 to 1, at random.
    pub jitter: f64,
}
