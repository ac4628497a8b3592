//! Authenticated encryption of blocks and wrapping of data keys: XAES-256-GCM (C2SP XAES-256-GCM), whose
//! 192-bit nonces may be drawn at random for every block of every file.

use xaes_256_gcm::Xaes256Gcm;
use xaes_256_gcm::aead::{Aead, KeyInit, Payload};
use zeroize::Zeroizing;

/// Bytes that sealing adds to a block: nonce and tag.
pub const OVERHEAD: usize = NONCE + 16;
const NONCE: usize = 24;

/// A 256-bit key: a data key of one file, or the wrapping key above them. Never printed, wiped when dropped.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// Uses `bytes` as the key.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for writing the wrapping key to its file.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Prepares the key schedule once for many blocks.
    pub fn sealer(&self) -> Sealer {
        Sealer(Box::new(Xaes256Gcm::new(&(*self.0).into())))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// A key ready for use.
pub struct Sealer(Box<Xaes256Gcm>);

/// A sealed block that does not open: another key, another place, or changed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAuthentic;

impl Sealer {
    /// Seals `plain` for the place that `aad` names: nonce ‖ ciphertext ‖ tag.
    pub fn seal(&self, nonce: [u8; NONCE], aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(plain.len() + OVERHEAD);
        out.extend_from_slice(&nonce);
        // Encrypting fails only past 2^36 bytes, which GROUP_MAX excludes; an empty block never opens again.
        let sealed = self.0.encrypt(&nonce.into(), Payload { msg: plain, aad }).unwrap_or_default();
        out.extend_from_slice(&sealed);
        out
    }

    /// Opens a sealed block.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, NotAuthentic> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or(NotAuthentic)?;
        self.0.decrypt(&(*nonce).into(), Payload { msg: sealed, aad }).map_err(|_| NotAuthentic)
    }
}

/// Which kind of file a block lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FileType {
    /// A write-ahead file.
    Wal = 1,
    /// A segment.
    Segment = 2,
}

/// The place of a block, bound to it as associated data (DESIGN section 4, "Encryption").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The ledger's id.
    pub ledger: [u8; 32],
    /// Kind of file.
    pub file_type: FileType,
    /// Number of the write-ahead file, or first index of the segment.
    pub file: u64,
    /// Generation of the segment; 0 in a write-ahead file.
    pub generation: u32,
    /// Number of the block in the file: the group's number in a write-ahead file.
    pub block: u64,
    /// Index of the first entry that the block may hold.
    pub first: u64,
    /// How many records the block holds.
    pub count: u32,
    /// Whether it is the file's last block.
    pub last: bool,
}

impl Place {
    /// The associated data: fixed width, so that no two places read the same.
    pub fn aad(&self) -> [u8; 98] {
        let mut aad = [0; 98];
        aad[..20].copy_from_slice(b"ledgerstone/block/v1");
        aad[32..64].copy_from_slice(&self.ledger);
        aad[64] = self.file_type as u8;
        aad[65..73].copy_from_slice(&self.file.to_be_bytes());
        aad[73..77].copy_from_slice(&self.generation.to_be_bytes());
        aad[77..85].copy_from_slice(&self.block.to_be_bytes());
        aad[85..93].copy_from_slice(&self.first.to_be_bytes());
        aad[93..97].copy_from_slice(&self.count.to_be_bytes());
        aad[97] = u8::from(self.last);
        aad
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The accumulated test vector of the C2SP specification fixes the construction, not our wrapper of it:
    /// a key, a nonce and a text from XAES-256-GCM.md, "Test vectors".
    #[test]
    fn the_specifications_vector_opens() {
        let key = Key::new([1; 32]);
        let nonce = *b"ABCDEFGHIJKLMNOPQRSTUVWX";
        let sealed = key.sealer().seal(nonce, b"", b"XAES-256-GCM");
        let hex: String = sealed[24..].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
    }

    #[test]
    fn a_block_opens_only_in_its_place() {
        let place = Place {
            ledger: [1; 32],
            file_type: FileType::Segment,
            file: 256,
            generation: 0,
            block: 3,
            first: 300,
            count: 4,
            last: false,
        };
        let sealer = Key::new([2; 32]).sealer();
        let sealed = sealer.seal([3; 24], &place.aad(), b"payload");
        assert_eq!(sealer.open(&place.aad(), &sealed).unwrap(), b"payload");
        for other in [
            Place { ledger: [2; 32], ..place },
            Place { file_type: FileType::Wal, ..place },
            Place { file: 512, ..place },
            Place { generation: 1, ..place },
            Place { block: 4, ..place },
            Place { first: 301, ..place },
            Place { count: 5, ..place },
            Place { last: true, ..place },
        ] {
            assert_eq!(sealer.open(&other.aad(), &sealed), Err(NotAuthentic));
        }
    }
}
