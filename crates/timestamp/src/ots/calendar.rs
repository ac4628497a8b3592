//! What is said to a calendar and what it answers. Carrying it is the caller's.

use super::attestation::Attestation;
use super::codec::Reader;
use super::error::OtsError;
use super::tree::Tree;
use crate::error::hex;

/// Longer answers are not read, bytes. The reference implementation has the same limit.
pub const MAX_ANSWER_LEN: usize = 10_000;
/// Media type of an answer; sent as `Accept`.
pub const MEDIA_TYPE: &str = "application/vnd.opentimestamps.v1";

/// A request, without the calendar's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// What follows the calendar's address.
    pub path: String,
    /// The body of a `POST`.
    pub body: Vec<u8>,
}

/// Returns the request that asks the calendar at `uri` to attest a commitment; its answer is for [`answer`].
///
/// Fails if the address can't stand in a file, since then the answer could not be kept.
pub fn submit(uri: &str, commitment: &[u8]) -> Result<Request, OtsError> {
    Attestation::pending(uri)?;
    Ok(Request { method: "POST", path: "/digest".to_owned(), body: commitment.to_vec() })
}

/// Returns the request that asks what has become of a promise; 404 means that there is no block yet.
pub fn upgrade(message: &[u8]) -> Request {
    Request { method: "GET", path: format!("/timestamp/{}", hex(message)), body: Vec::new() }
}

/// Reads the body of an answer with status 200 about `message`.
pub fn answer(message: &[u8], body: &[u8]) -> Result<Tree, OtsError> {
    if body.len() > MAX_ANSWER_LEN {
        return Err(OtsError::TooLarge { what: "bytes of a calendar's answer", max: MAX_ANSWER_LEN });
    }
    let mut reader = Reader::new(body);
    let tree = Tree::read(message, &mut reader)?;
    reader.end()?;
    Ok(tree)
}

/// Returns the answer of a calendar: what it makes of `message`, for whoever runs one.
pub fn to_answer(tree: &Tree) -> Result<Vec<u8>, OtsError> {
    let mut out = Vec::new();
    tree.write(&mut out)?;
    Ok(out)
}
