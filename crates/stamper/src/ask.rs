//! One question to one authority.

use std::fmt;
use std::time::Duration;

use env::{Env, random};
use net::{Net, NetError, Request};
use timestamp::{Authorities, Expected, REQUEST_TYPE, ResponseError, Token, Verified, VerifyError};
use tlog::Checkpoint;

/// Longer answers are not read, bytes.
const MAX_ANSWER: u64 = 64 * 1024;

/// A token that verified, and when this machine thinks that was.
#[derive(Debug)]
pub struct Answered {
    pub token: Token,
    pub verified: Verified,
    /// By this machine's clock, Unix milliseconds.
    pub sent_ms: u64,
    pub received_ms: u64,
}

/// Why there is no token to keep.
#[derive(Debug)]
pub enum AskError {
    /// There was no answer.
    Net(NetError),
    /// It was none of an authority.
    Status(u16),
    /// There is no token in it.
    Response(ResponseError),
    /// The token proves nothing about the checkpoint.
    Verify(VerifyError),
}

/// Has a checkpoint stamped.
pub fn ask(
    url: &str,
    checkpoint: &Checkpoint,
    trusted: &Authorities,
    timeout: Duration,
    net: &dyn Net,
    env: &dyn Env,
) -> Result<Answered, AskError> {
    let digest = timestamp::digest(checkpoint.to_text().as_bytes());
    // Positive as an ASN.1 INTEGER of eight bytes: some authorities store no more.
    let nonce = u64::from_be_bytes(random(env)) >> 1;
    let request = Request::post(url, REQUEST_TYPE, timestamp::request(&digest, nonce));
    let request = request.header("accept", timestamp::RESPONSE_TYPE).within(timeout).at_most(MAX_ANSWER);
    let sent_ms = env.now_ms();
    let answer = net.call(&request).map_err(AskError::Net)?;
    let received_ms = env.now_ms();
    if answer.status != 200 {
        return Err(AskError::Status(answer.status));
    }
    let token = timestamp::response(&answer.body).map_err(AskError::Response)?;
    let expected = Expected { digest: &digest, nonce: Some(nonce) };
    let verified = token.verify(&expected, trusted).map_err(AskError::Verify)?;
    Ok(Answered { token, verified, sent_ms, received_ms })
}

impl Answered {
    /// The time of this machine that is nearest to the authority's, if even that is too far off.
    pub fn clock_off(&self, tolerance_ms: u64) -> Option<u64> {
        // A clock that was set meanwhile may have gone back.
        let (from, to) = (self.sent_ms.min(self.received_ms), self.sent_ms.max(self.received_ms));
        let info = &self.verified.info;
        let nearest = info.gen_time_ms.clamp(from, to);
        let allowed = info.accuracy.map_or(0, |accuracy| accuracy.ms()) + tolerance_ms;
        (nearest.abs_diff(info.gen_time_ms) > allowed).then_some(nearest)
    }
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(error) => error.fmt(f),
            Self::Status(status) => write!(f, "no time-stamp authority answers there: HTTP status {status}"),
            Self::Response(error) => error.fmt(f),
            Self::Verify(error) => error.fmt(f),
        }
    }
}
