//! What an authority is asked: TimeStampReq of RFC 3161 section 2.4.1.

use crate::der::{element, integer, tag};
use crate::token::SHA256;

/// Media type of a request (RFC 3161 section 3.4).
pub const REQUEST_TYPE: &str = "application/timestamp-query";

/// Returns the DER of a request for a token over data with this SHA-256, to be sent with POST.
///
/// `nonce` comes back in the token and shows that it was made after the request: take a random one each time. The
/// authority is asked to put its certificate into the token.
pub fn request(digest: &[u8; 32], nonce: u64) -> Vec<u8> {
    let algorithm = element(tag::SEQUENCE, &[&element(tag::OID, &[SHA256]), &element(tag::NULL, &[])]);
    let imprint = element(tag::SEQUENCE, &[&algorithm, &element(tag::OCTETS, &[digest])]);
    let certificates = element(tag::BOOLEAN, &[&[0xff]]);
    element(tag::SEQUENCE, &[&integer(1), &imprint, &integer(nonce), &certificates])
}
