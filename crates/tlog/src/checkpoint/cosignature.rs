//! Ed25519 cosignatures with a time, type 0x04: C2SP tlog-cosignature.

use core::fmt;

use super::{Checkpoint, VerifiedCheckpoint};
use crate::note::{Algorithm, KeyError, NamedSecret, Signature, VerifierKey};

/// The last time, in POSIX seconds, that a cosignature may carry.
pub const MAX_TIMESTAMP: u64 = i64::MAX as u64;

/// Returns what an Ed25519 cosigner signs: header, time in POSIX seconds, and the whole checkpoint body.
pub fn cosignature_message(timestamp: u64, body: &str) -> String {
    format!("cosignature/v1\ntime {timestamp}\n{body}")
}

/// A cosigner's key with its name. One per cosigner: the signed message does not say who signs.
pub struct CosigningKey(NamedSecret);

impl CosigningKey {
    /// Makes the key from its 32-byte seed, the RFC 8032 private key.
    pub fn from_seed(name: &str, seed: [u8; 32]) -> Result<Self, KeyError> {
        NamedSecret::new(name, Algorithm::CosignatureV1, seed).map(Self)
    }

    /// States that as of `timestamp` (POSIX seconds, at most [`MAX_TIMESTAMP`]; later times count as that one)
    /// this is the largest tree the cosigner has seen for the origin, consistent with all before it.
    pub fn cosign(&self, checkpoint: &Checkpoint, timestamp: u64) -> Signature {
        self.cosign_body(&checkpoint.to_text(), timestamp)
    }

    /// Like [`CosigningKey::cosign`], of a checkpoint that may carry extension lines: they are signed too, as the
    /// specification asks, and nothing is stated about them.
    pub fn cosign_verified(&self, checkpoint: &VerifiedCheckpoint, timestamp: u64) -> Signature {
        self.cosign_body(checkpoint.note().text(), timestamp)
    }

    fn cosign_body(&self, body: &str, timestamp: u64) -> Signature {
        let timestamp = timestamp.min(MAX_TIMESTAMP);
        self.0.sign(cosignature_message(timestamp, body).as_bytes(), &timestamp.to_be_bytes())
    }

    /// Returns the public half.
    pub fn verifying_key(&self) -> &VerifierKey {
        &self.0.verifier
    }
}

impl fmt::Debug for CosigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CosigningKey({}+{}, secret withheld)", self.0.verifier.name(), self.0.verifier.id())
    }
}
