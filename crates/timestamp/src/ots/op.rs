use sha2::{Digest as _, Sha256};

use super::codec::{Reader, put_string};
use super::error::OtsError;

/// Longer messages are not worked on, bytes. The reference implementation has the same limit.
pub(super) const MAX_MESSAGE_LEN: usize = 4096;

const SHA256: u8 = 0x08;
const APPEND: u8 = 0xf0;
const PREPEND: u8 = 0xf1;
const REVERSE: u8 = 0xf2;
const HEXLIFY: u8 = 0xf3;

/// One step from a message to the next. Ordered as they are written: by tag, then by operand.
///
/// SHA-1, RIPEMD-160 and Keccak exist in the format; proofs that begin with a SHA-256 have no need for them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// Its SHA-256.
    Sha256,
    /// The message, then these bytes: 1 to 4096.
    Append(Vec<u8>),
    /// These bytes, then the message: 1 to 4096.
    Prepend(Vec<u8>),
    /// The bytes in reverse.
    Reverse,
    /// The message in lower-case hexadecimal.
    Hexlify,
}

impl Op {
    /// Returns the next message; fails where it would be longer than 4096 bytes.
    pub fn apply(&self, message: &[u8]) -> Result<Vec<u8>, OtsError> {
        let next = match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Append(more) => [message, more].concat(),
            Self::Prepend(more) => [more, message].concat(),
            Self::Reverse => message.iter().rev().copied().collect(),
            Self::Hexlify => crate::error::hex(message).into_bytes(),
        };
        match next.len() {
            1..=MAX_MESSAGE_LEN => Ok(next),
            0 => Err(OtsError::Empty),
            _ => Err(OtsError::TooLarge { what: "bytes of a message", max: MAX_MESSAGE_LEN }),
        }
    }

    pub(super) fn read(tag: u8, reader: &mut Reader<'_>) -> Result<Self, OtsError> {
        match tag {
            SHA256 => Ok(Self::Sha256),
            APPEND => Ok(Self::Append(reader.string(1, MAX_MESSAGE_LEN)?.to_vec())),
            PREPEND => Ok(Self::Prepend(reader.string(1, MAX_MESSAGE_LEN)?.to_vec())),
            REVERSE => Ok(Self::Reverse),
            HEXLIFY => Ok(Self::Hexlify),
            _ => Err(OtsError::Unsupported { tag, at: reader.at() - 1 }),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Sha256 => out.push(SHA256),
            Self::Append(more) => {
                out.push(APPEND);
                put_string(out, more);
            }
            Self::Prepend(more) => {
                out.push(PREPEND);
                put_string(out, more);
            }
            Self::Reverse => out.push(REVERSE),
            Self::Hexlify => out.push(HEXLIFY),
        }
    }
}
