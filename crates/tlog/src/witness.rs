//! What logs and witnesses say to each other: C2SP tlog-witness, "add-checkpoint".
//!
//! A log sends [`AddCheckpoint`]. A 200 answer goes through [`check_cosignatures`], a 409 answer through
//! [`parse_size`], which says from where to prove.

use core::fmt;

use sha2::{Digest as _, Sha256};

use crate::checkpoint::VerifiedCheckpoint;
use crate::hash::Hash;
use crate::note::{
    Algorithm, MAX_NOTE_LEN, MAX_SIGNATURES, Note, NoteError, Signature, VerifiedSignature, VerifierKey,
};
use crate::text::parse_decimal;

/// The most consistency proof lines a request may have.
pub const MAX_PROOF_LINES: usize = 63;

/// The longest request body, in bytes, that is read.
pub const MAX_REQUEST_LEN: usize = 32 + MAX_PROOF_LINES * 45 + MAX_NOTE_LEN;

/// The content type of a 409 answer.
pub const SIZE_CONTENT_TYPE: &str = "text/x.tlog.size";

/// Returns the path component under which a witness serves its latest checkpoint of a log: lower-case hex of
/// SHA-256(origin), as in `GET <monitoring prefix>/<origin hash>/checkpoint`.
pub fn origin_hash(origin: &str) -> String {
    Hash::from_bytes(Sha256::digest(origin).into()).to_string()
}

/// The body of `POST <submission prefix>/add-checkpoint`; well formed, nothing verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the checkpoint the witness cosigned last, 0 if none.
    pub old: u64,
    /// RFC 6962 consistency proof from `old`, at most [`MAX_PROOF_LINES`]; empty if `old` is 0.
    pub proof: Vec<Hash>,
    /// The signed checkpoint, byte for byte.
    pub checkpoint_note: String,
}

impl AddCheckpoint {
    /// Parses what [`fmt::Display`] writes. Whether the rest is a checkpoint is for
    /// [`crate::UnverifiedCheckpoint::parse_with_extensions`].
    pub fn parse(bytes: &[u8]) -> Result<Self, WitnessError> {
        let bad = |line, what| WitnessError::Malformed { line, what };
        if bytes.len() > MAX_REQUEST_LEN {
            return Err(bad(1, "longer than a request can be"));
        }
        let text = str::from_utf8(bytes).map_err(|_| bad(1, "not UTF-8"))?;
        let (head, checkpoint) =
            text.split_once("\n\n").ok_or(bad(1, "no empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines
            .next()
            .and_then(|line| line.strip_prefix("old "))
            .and_then(parse_decimal)
            .ok_or(bad(1, "not `old` and a decimal below 2^64"))?;
        let mut proof = Vec::new();
        for (n, line) in lines.enumerate() {
            if proof.len() == MAX_PROOF_LINES {
                return Err(bad(n + 2, "more than 63 proof lines"));
            }
            proof.push(Hash::from_base64(line).map_err(|_| bad(n + 2, "not the base64 of 32 bytes"))?);
        }
        Ok(Self { old, proof, checkpoint_note: checkpoint.to_owned() })
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.checkpoint_note)
    }
}

/// Returns the body of a 409 answer: the size of the checkpoint cosigned last.
pub fn format_size(size: u64) -> String {
    format!("{size}\n")
}

/// Parses the body of a 409 answer, exactly as [`format_size`] writes it.
pub fn parse_size(body: &[u8]) -> Result<u64, WitnessError> {
    str::from_utf8(body)
        .ok()
        .and_then(|text| text.strip_suffix('\n'))
        .and_then(parse_decimal)
        .ok_or(WitnessError::Malformed { line: 1, what: "not a decimal below 2^64 and a newline" })
}

/// Returns the body of a 200 answer.
pub fn format_cosignatures(cosignatures: &[Signature]) -> String {
    cosignatures.iter().map(|signature| format!("{signature}\n")).collect()
}

/// Parses the body of a 200 answer: one or more signature lines, of which nothing is known.
pub fn parse_cosignatures(body: &[u8]) -> Result<Vec<Signature>, WitnessError> {
    let bad = |line, what| WitnessError::Malformed { line, what };
    if body.len() > MAX_NOTE_LEN {
        return Err(bad(1, "longer than the signatures of a note can be"));
    }
    let text = str::from_utf8(body).map_err(|_| bad(1, "not UTF-8"))?;
    let lines = text.strip_suffix('\n').ok_or(bad(1, "no signature line that ends in a newline"))?;
    let mut cosignatures = Vec::new();
    for (n, line) in lines.split('\n').enumerate() {
        if n == MAX_SIGNATURES {
            return Err(bad(n + 1, "more than 100 signatures"));
        }
        cosignatures.push(Signature::parse(line).map_err(|what| bad(n + 1, what))?);
    }
    Ok(cosignatures)
}

/// Does with a 200 answer what a client must: returns the cosignatures on `checkpoint` by the `witness` keys.
///
/// Lines by other keys are ignored. One that claims to be by a `witness` key and does not verify over this very
/// checkpoint, or carries no time, makes the answer bad. So does an answer in which none of them signed. What is
/// returned is worth storing beside the checkpoint; nothing else of the answer is.
pub fn check_cosignatures(
    checkpoint: &VerifiedCheckpoint,
    body: &[u8],
    witness: &[VerifierKey],
) -> Result<Vec<VerifiedSignature>, WitnessError> {
    let keys: Vec<VerifierKey> =
        witness.iter().filter(|key| key.algorithm() == Algorithm::CosignatureV1).cloned().collect();
    let answered =
        Note::new(checkpoint.note().text(), parse_cosignatures(body)?).map_err(WitnessError::Note)?;
    let verified = answered.verify(&keys).map_err(WitnessError::Note)?;
    if let Some(untimed) =
        verified.signatures().iter().find(|cosignature| cosignature.timestamp().is_none_or(|time| time == 0))
    {
        return Err(WitnessError::NoTime { name: untimed.key().name().to_owned() });
    }
    Ok(verified.signatures().to_vec())
}

/// Why a request or an answer was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WitnessError {
    /// Not in the one spelling there is.
    Malformed {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// No witness key signed, or a signature by one does not hold.
    Note(NoteError),
    /// The cosignature says that it is of the time 0, which stands for none.
    NoTime {
        /// Name of the key.
        name: String,
    },
}

impl fmt::Display for WitnessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { line, what } => write!(f, "malformed: {what}, line {line}"),
            Self::Note(error) => error.fmt(f),
            Self::NoTime { name } => write!(f, "cosignature carries no time: {name}"),
        }
    }
}

impl core::error::Error for WitnessError {}
