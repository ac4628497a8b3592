use core::fmt;

use crate::error::hex;

/// What is wrong with an OpenTimestamps file or with a calendar's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtsError {
    /// The bytes are not what they should be.
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where, counted from the first byte.
        at: usize,
    },
    /// It uses an operation that is not accepted; nothing that is made over SHA-256 needs it.
    Unsupported {
        /// The operation's tag.
        tag: u8,
        /// Where, counted from the first byte.
        at: usize,
    },
    /// It is larger or deeper than any needs to be.
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much is accepted.
        max: usize,
    },
    /// It attests nothing, and so can't be written.
    Empty,
    /// It is over something else.
    OtherData {
        /// What it should be over.
        expected: Vec<u8>,
        /// What it is over.
        found: Vec<u8>,
    },
    /// No attestation is by the block of this height.
    NoSuchBlock {
        /// The height.
        height: u64,
    },
    /// The block at hand does not hold what the file leads to: another block, or a false file.
    OtherBlock {
        /// The height both claim.
        height: u64,
        /// What the file leads to.
        expected: [u8; 32],
        /// The Merkle root of the block at hand.
        found: [u8; 32],
    },
    /// A calendar's address can't stand in a file.
    Address,
}

impl fmt::Display for OtsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { what, at } => write!(f, "malformed OpenTimestamps data: {what}, byte {at}"),
            Self::Unsupported { tag, at } => {
                let name = match tag {
                    0x02 => "SHA-1",
                    0x03 => "RIPEMD-160",
                    0x67 => "Keccak-256",
                    _ => "an unknown operation",
                };
                write!(f, "OpenTimestamps data uses {name}, which is not accepted: tag {tag:#04x}, byte {at}")
            }
            Self::TooLarge { what, max } => {
                write!(f, "OpenTimestamps data has too much: {what}, at most {max}")
            }
            Self::Empty => f.write_str("OpenTimestamps data attests nothing"),
            Self::OtherData { expected, found } => {
                write!(
                    f,
                    "OpenTimestamps data is over something else: expected {}, found {}",
                    hex(expected),
                    hex(found)
                )
            }
            Self::NoSuchBlock { height } => write!(f, "no attestation is by Bitcoin block {height}"),
            Self::OtherBlock { height, expected, found } => write!(
                f,
                "Bitcoin block {height} does not hold what the file leads to: expected {}, found {}",
                hex(expected),
                hex(found)
            ),
            Self::Address => {
                f.write_str("address of a calendar has characters that can't stand in an OpenTimestamps file")
            }
        }
    }
}

impl core::error::Error for OtsError {}
