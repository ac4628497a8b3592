//! What an authority answers: TimeStampResp of RFC 3161 section 2.4.2.

use core::fmt;

use crate::der::{Element, Reader, tag};
use crate::error::Malformed;
use crate::token::Token;

/// Media type of an answer (RFC 3161 section 3.4).
pub const RESPONSE_TYPE: &str = "application/timestamp-reply";

/// Reads an answer and returns the token in it, of which nothing is checked yet.
///
/// Nothing but the token is worth keeping: the rest of the answer is signed by nobody.
pub fn response(bytes: &[u8]) -> Result<Token, ResponseError> {
    let mut outer = Reader::new(bytes);
    let answer = outer.take(tag::SEQUENCE, "response is no sequence")?;
    outer.end("bytes after the response")?;
    let mut answer = answer.inside();
    let refused = status(&answer.take(tag::SEQUENCE, "response has no status")?)?;
    if let Some(refused) = refused {
        return Err(ResponseError::Refused(refused));
    }
    let token = answer.take(tag::SEQUENCE, "response grants a token and has none")?;
    answer.end("bytes after the token")?;
    Ok(Token::parse(token.whole)?)
}

/// Why the authority gives no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// PKIStatus: 2 rejection, 3 waiting, 4 revocation warning, 5 revocation notification.
    pub status: u32,
    /// The reasons of PKIFailureInfo, in words.
    pub reasons: Vec<&'static str>,
    /// What the authority says for people to read, shortened, without control characters.
    pub text: String,
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseError {
    /// It is no answer of an authority: check the address.
    Malformed(Malformed),
    /// The authority gives none.
    Refused(Refused),
}

/// Texts of an authority are cut here.
const TEXT_CHARS: usize = 200;

/// PKIFailureInfo: bit and meaning.
const REASONS: [(u32, &str); 8] = [
    (0, "unrecognized or unsupported algorithm"),
    (2, "transaction not permitted or supported"),
    (5, "the data submitted has the wrong format"),
    (14, "its time source is not available"),
    (15, "the requested policy is not supported"),
    (16, "the requested extension is not supported"),
    (17, "the additional information requested could not be understood or is not available"),
    (25, "the request cannot be handled due to system failure"),
];

/// Reads PKIStatusInfo; none if a token was granted.
fn status(info: &Element<'_>) -> Result<Option<Refused>, Malformed> {
    let mut fields = info.inside();
    let status = fields.take(tag::INTEGER, "status has no number")?.small()?;
    let mut text = String::new();
    if let Some(texts) = fields.optional(tag::SEQUENCE)? {
        let mut texts = texts.inside();
        while !texts.is_empty() {
            let part = texts.take(tag::UTF8, "status text is not UTF8String")?;
            let part =
                core::str::from_utf8(part.value).map_err(|_| part.wrong("status text is not UTF-8"))?;
            text.extend(part.chars().filter(|c| !c.is_control()).take(TEXT_CHARS.saturating_sub(text.len())));
        }
    }
    let mut reasons = Vec::new();
    if let Some(bits) = fields.optional(tag::BITS)? {
        let (_unused, bits) =
            bits.value.split_first().ok_or(bits.wrong("failure information of no bytes"))?;
        let is_set =
            |bit: u32| bits.get(bit as usize / 8).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0);
        reasons.extend(REASONS.iter().filter(|(bit, _)| is_set(*bit)).map(|(_, reason)| *reason));
    }
    fields.end("bytes after the status")?;
    // 0 granted, 1 granted with modifications: none of which we asked for allows a token to mean less.
    Ok((status > 1).then_some(Refused { status, reasons, text }))
}

impl From<Malformed> for ResponseError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(malformed) => write!(f, "malformed timestamp response: {malformed}"),
            Self::Refused(Refused { status, reasons, text }) => {
                let status = match status {
                    2 => "rejection",
                    3 => "waiting",
                    4 => "revocation warning",
                    5 => "revocation notification",
                    _ => "unknown status",
                };
                write!(f, "authority gives no timestamp: {status}")?;
                if !reasons.is_empty() {
                    write!(f, ": {}", reasons.join(", "))?;
                }
                if !text.is_empty() {
                    write!(f, " ({text:?})")?;
                }
                Ok(())
            }
        }
    }
}

impl core::error::Error for ResponseError {}
