//! What can be wrong with a token, by what whoever checks it must do.

use core::fmt;

use crate::certificate::CertificateFault;

/// Bytes that are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong.
    pub what: &'static str,
    /// Where, counted from the first byte of the token, response, certificate or file.
    pub at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, byte {}", self.what, self.at)
    }
}

impl core::error::Error for Malformed {}

/// Why a token proves nothing about the data at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyError {
    /// It uses something this program does not know or does not accept: ask the authority for another kind of token.
    Unsupported {
        /// What that is.
        what: &'static str,
    },
    /// It is a token, over something else: look for the token or the checkpoint that belongs here.
    OtherData {
        /// SHA-256 of the data at hand.
        expected: [u8; 32],
        /// What the token is over.
        found: [u8; 32],
    },
    /// It answers another request, so it may be an old one: ask again.
    Nonce {
        /// The nonce that was sent.
        expected: u64,
        /// The one that came back, in hexadecimal; none if it has none.
        found: Option<String>,
    },
    /// Its parts contradict each other or the signature does not hold: it was changed after it was issued, or never was.
    Altered {
        /// Which part.
        what: &'static str,
    },
    /// The signer's certificate does not lead to a given authority: get the certificate that is missing, or distrust it.
    Untrusted {
        /// Why not, as the path validation says it.
        why: String,
    },
    /// A certificate of the path was not valid when the token says it was made.
    NotValidThen {
        /// Whose.
        which: &'static str,
        /// When it was valid, in Unix seconds: from, to.
        valid: (u64, u64),
        /// When the token was made, in Unix seconds.
        made: u64,
    },
    /// The signer's certificate is not one for time-stamping: whoever signed is not a time-stamp authority.
    NotForTime(CertificateFault),
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { what } => {
                write!(f, "timestamp token is of a kind that is not accepted: {what}")
            }
            Self::OtherData { expected, found } => {
                write!(
                    f,
                    "timestamp token is over other data: expected SHA-256 {}, found {}",
                    hex(expected),
                    hex(found)
                )
            }
            Self::Nonce { expected, found: Some(found) } => {
                write!(
                    f,
                    "timestamp token answers another request: nonce {expected:016x} was sent, {found} came back"
                )
            }
            Self::Nonce { expected, found: None } => {
                write!(f, "timestamp token has no nonce: {expected:016x} was sent")
            }
            Self::Altered { what } => write!(f, "timestamp token was altered: {what}"),
            Self::Untrusted { why } => {
                write!(f, "timestamp token is by nobody that leads to the given authorities: {why}")
            }
            Self::NotValidThen { which, valid: (from, to), made } => write!(
                f,
                "certificate of {which} was not valid when the token was made: valid {from} to {to}, made {made} (unix seconds)"
            ),
            Self::NotForTime(fault) => write!(f, "signer's certificate is not for time-stamping: {fault}"),
        }
    }
}

impl core::error::Error for VerifyError {}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}"); // writing to a String cannot fail
        out
    })
}
