//! When a checkpoint existed, said by someone who is not the log: RFC 3161 tokens and OpenTimestamps files.
//!
//! What is stamped is the *body* of a checkpoint, the three lines that are signed (see [`body`]). Signatures are left
//! out since cosignatures come later and would make it another file; the body already commits to every entry, and
//! whoever holds it can hand it to `openssl ts -verify -data` as it is.
//!
//! Bytes in, bytes out: requests and answers are made and read here, carried elsewhere. Nonces and times are
//! arguments.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let note = "example.com/log\n1\nsJtqtEGULgRbEJjuyQhUScdO9b6t9B8dc82aNwJPbNk=\n\n\
//!     — example.com/log kk8qoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";
//! let body = timestamp::body(note.as_bytes())?;
//! assert!(body.ends_with("dc82aNwJPbNk=\n"));
//! let digest = timestamp::digest(body.as_bytes());
//! let request = timestamp::request(&digest, 0x1234); // POST it as application/timestamp-query
//! # let _ = request;
//! # Ok(())
//! # }
//! ```
//!
//! Sources: RFC 3161 and RFC 5816 (time-stamp protocol), RFC 5652 (CMS), RFC 5035 (signing certificate), RFC 5280
//! (certificates); for OpenTimestamps the format as its reference implementation writes it.

mod authorities;
mod certificate;
mod der;
mod error;
pub mod ots;
mod request;
mod response;
mod signature;
mod time;
mod token;
mod tst_info;
mod verify;

pub use authorities::{Authorities, AuthoritiesError};
pub use certificate::CertificateFault;
pub use error::{Malformed, VerifyError};
pub use request::{REQUEST_TYPE, request};
pub use response::{RESPONSE_TYPE, Refused, ResponseError, response};
pub use token::{MAX_TOKEN_LEN, Token};
pub use tst_info::{Accuracy, TstInfo};
pub use verify::{Expected, Verified};

use sha2::{Digest as _, Sha256};

/// Returns what of a checkpoint is stamped: its signed text, up to and including the last newline before the empty line.
///
/// The signatures are not checked.
pub fn body(note: &[u8]) -> Result<String, tlog::NoteError> {
    Ok(tlog::Note::parse(note)?.text().to_owned())
}

/// Returns the SHA-256 that tokens and OpenTimestamps files are made over.
pub fn digest(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}
