use core::cmp::Ordering;

use sha2::{Digest as _, Sha256};

use super::codec::{Reader, put_number, put_string};
use super::error::OtsError;

const BITCOIN: [u8; 8] = [0x05, 0x88, 0x96, 0x0d, 0x73, 0xd7, 0x19, 0x01];
const PENDING: [u8; 8] = [0x83, 0xdf, 0xe3, 0x0d, 0x2e, 0xf9, 0x0c, 0x8e];
/// Longer payloads are not read, bytes.
const MAX_PAYLOAD_LEN: usize = 8192;
/// Longer addresses are not read, bytes.
const MAX_ADDRESS_LEN: usize = 1000;

/// Who says that a message existed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attestation {
    /// A Bitcoin block whose header has the message as its Merkle root.
    Bitcoin {
        /// Which block.
        height: u64,
    },
    /// A calendar that promises more for later; proves nothing.
    Pending {
        /// Its address, of letters, digits and `-._/:`.
        uri: String,
    },
    /// Something else, kept as it is.
    Unknown {
        /// Its kind.
        tag: [u8; 8],
        /// What it says.
        payload: Vec<u8>,
    },
}

impl Attestation {
    /// Makes that of a calendar; fails if its address can't stand in a file.
    pub fn pending(uri: &str) -> Result<Self, OtsError> {
        match uri.len() <= MAX_ADDRESS_LEN && uri.bytes().all(is_address) {
            true => Ok(Self::Pending { uri: uri.to_owned() }),
            false => Err(OtsError::Address),
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, OtsError> {
        let start = reader.at();
        let mut tag = [0; 8];
        tag.copy_from_slice(reader.take(8)?);
        let payload = reader.string(0, MAX_PAYLOAD_LEN)?;
        let mut inside = Reader::new(payload);
        // Places inside a payload would be counted from its own start.
        let wrong = |_| OtsError::Malformed { what: "attestation is malformed", at: start };
        let read = match tag {
            BITCOIN => Self::Bitcoin { height: inside.number().map_err(wrong)? },
            PENDING => {
                let uri = core::str::from_utf8(inside.string(0, MAX_ADDRESS_LEN).map_err(wrong)?).ok();
                let read = uri.and_then(|uri| Self::pending(uri).ok());
                read.ok_or(OtsError::Malformed { what: "address of a calendar is malformed", at: start })?
            }
            _ => return Ok(Self::Unknown { tag, payload: payload.to_vec() }),
        };
        inside.end().map_err(wrong)?;
        Ok(read)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let (tag, payload) = self.parts();
        out.extend_from_slice(&tag);
        put_string(out, &payload);
    }

    fn parts(&self) -> ([u8; 8], Vec<u8>) {
        let mut payload = Vec::new();
        match self {
            Self::Bitcoin { height } => put_number(&mut payload, *height),
            Self::Pending { uri } => put_string(&mut payload, uri.as_bytes()),
            Self::Unknown { tag, payload } => return (*tag, payload.clone()),
        }
        (if matches!(self, Self::Bitcoin { .. }) { BITCOIN } else { PENDING }, payload)
    }
}

/// As they are written: by tag, then by what they say; heights as numbers, addresses as text.
impl Ord for Attestation {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bitcoin { height }, Self::Bitcoin { height: other }) => height.cmp(other),
            (Self::Pending { uri }, Self::Pending { uri: other }) => uri.cmp(other),
            _ => self.parts().cmp(&other.parts()),
        }
    }
}

impl PartialOrd for Attestation {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn is_address(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._/:".contains(&byte)
}

/// The header of a Bitcoin block: 80 bytes. Whether it is in the chain is for a node, or several explorers, to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHeader([u8; 80]);

impl BlockHeader {
    /// Takes the bytes as they are hashed.
    pub fn new(bytes: [u8; 80]) -> Self {
        Self(bytes)
    }

    /// Returns the Merkle root as it stands in the header (people write it in reverse).
    pub fn merkle_root(&self) -> [u8; 32] {
        let mut root = [0; 32];
        root.copy_from_slice(&self.0[36..68]);
        root
    }

    /// Returns the time that the miner claims, Unix seconds; the network lets it be wrong by about two hours.
    pub fn time(&self) -> u32 {
        u32::from_le_bytes([self.0[68], self.0[69], self.0[70], self.0[71]])
    }

    /// Returns the hash of the block as people write it, to be compared with what a node says about that height.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::digest(Sha256::digest(self.0)).to_vec();
        hash.reverse();
        crate::error::hex(&hash)
    }
}

/// What a Bitcoin block proves: the data existed before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockTime {
    /// Which block.
    pub height: u64,
    /// Its hash as people write it.
    pub block: String,
    /// Its time, Unix seconds.
    pub time: u32,
}
