//! The 58 bytes of one event in the Merkle tree. They hold no content: whoever sees a bundle learns pseudonymous
//! timing and nothing else.

use std::fmt;

/// Length of an encoded entry in bytes.
pub const ENTRY_LEN: usize = 58;

/// First byte of an entry in the only version there is.
pub const ENTRY_VERSION: u8 = 1;

/// What an entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Entry 0 of a ledger: its identity, keys and facet table.
    Genesis = 0,
    /// An audit event.
    Event = 1,
    /// Input that could not be understood, kept whole.
    Quarantine = 2,
    /// Something is missing here.
    Gap = 3,
    /// Nothing happened, and the ledger is alive.
    Heartbeat = 4,
    /// A source or a new epoch of one.
    Source = 5,
    /// An agent's signature over a batch of its events.
    BatchSignature = 6,
    /// A file of evidence was finished.
    Sealed = 7,
    /// Payloads were erased or purged.
    Erase = 8,
    /// A key was introduced, changed or withdrawn.
    Key = 9,
    /// Someone used the ledger itself.
    Access = 10,
    /// A torn tail was set aside, or the clock was not where it should be.
    Cut = 11,
}

impl Kind {
    /// All kinds in the order of their numbers.
    pub const ALL: [Kind; 12] = [
        Kind::Genesis,
        Kind::Event,
        Kind::Quarantine,
        Kind::Gap,
        Kind::Heartbeat,
        Kind::Source,
        Kind::BatchSignature,
        Kind::Sealed,
        Kind::Erase,
        Kind::Key,
        Kind::Access,
        Kind::Cut,
    ];

    /// The kind with number `number`, if this version knows it.
    pub fn from_u8(number: u8) -> Option<Kind> {
        Kind::ALL.get(usize::from(number)).copied()
    }

    /// Whether records of this kind live in segments of their own, are kept for ever and hold no personal data.
    pub fn is_control(self) -> bool {
        !matches!(self, Kind::Event | Kind::Quarantine | Kind::Access)
    }
}

/// One leaf of the tree before hashing. All integers are big-endian in its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it stands for.
    pub kind: Kind,
    /// When the ledger received it, in Unix milliseconds; never decreases within a ledger.
    pub received_ms: u64,
    /// Who sent it; 0 is the ledger itself.
    pub source: u32,
    /// The source's epoch.
    pub epoch: u32,
    /// The number within the epoch.
    pub sequence: u64,
    /// The salted digest over the facets, see [`crate::commit::commitment`].
    pub commitment: [u8; 32],
}

impl Entry {
    /// The bytes that stand in bundles and are hashed into the tree.
    pub fn encode(&self) -> [u8; ENTRY_LEN] {
        let mut out = [0; ENTRY_LEN];
        out[0] = ENTRY_VERSION;
        out[1] = self.kind as u8;
        out[2..10].copy_from_slice(&self.received_ms.to_be_bytes());
        out[10..14].copy_from_slice(&self.source.to_be_bytes());
        out[14..18].copy_from_slice(&self.epoch.to_be_bytes());
        out[18..26].copy_from_slice(&self.sequence.to_be_bytes());
        out[26..58].copy_from_slice(&self.commitment);
        out
    }

    /// Reads an entry from exactly its own bytes.
    ///
    /// # Errors
    /// [`EntryError::Undecidable`] for a version or kind this code does not know: such an entry may be fine and must
    /// never be skipped. [`EntryError::Length`] otherwise.
    pub fn decode(bytes: &[u8]) -> Result<Entry, EntryError> {
        if let Some(&version) = bytes.first().filter(|&&version| version != ENTRY_VERSION) {
            return Err(EntryError::Undecidable { version, kind: bytes.get(1).copied() });
        }
        let bytes: &[u8; ENTRY_LEN] = bytes.try_into().map_err(|_| EntryError::Length(bytes.len()))?;
        let kind = Kind::from_u8(bytes[1])
            .ok_or(EntryError::Undecidable { version: ENTRY_VERSION, kind: Some(bytes[1]) })?;
        Ok(Entry {
            kind,
            received_ms: u64::from_be_bytes(field(bytes, 2)),
            source: u32::from_be_bytes(field(bytes, 10)),
            epoch: u32::from_be_bytes(field(bytes, 14)),
            sequence: u64::from_be_bytes(field(bytes, 18)),
            commitment: field(bytes, 26),
        })
    }

    /// The leaf of the tree: SHA-256(0x00 ‖ entry), RFC 6962 section 2.1.
    pub fn leaf_hash(&self) -> tlog::Hash {
        tlog::leaf_hash(&self.encode())
    }
}

/// Copies the `N` bytes at `at`; every call above stays within the entry.
fn field<const N: usize>(bytes: &[u8; ENTRY_LEN], at: usize) -> [u8; N] {
    std::array::from_fn(|index| bytes[at + index])
}

/// Why bytes are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryError {
    /// Written by a later version: the verdict is "undecidable", not "damaged".
    Undecidable {
        /// First byte.
        version: u8,
        /// Second byte, if there is one.
        kind: Option<u8>,
    },
    /// A version 1 entry of this many bytes, which cannot be.
    Length(usize),
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EntryError::Undecidable { version, kind: Some(kind) } => {
                write!(f, "entry of an unknown version or kind, version {version}, kind {kind}")
            }
            EntryError::Undecidable { version, kind: None } => {
                write!(f, "entry of an unknown version, version {version}")
            }
            EntryError::Length(length) => write!(f, "entry is not {ENTRY_LEN} bytes long but {length}"),
        }
    }
}

impl std::error::Error for EntryError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::cases;
    use proptest::prelude::*;

    const ENTRY: Entry = Entry {
        kind: Kind::Access,
        received_ms: 0x0102030405060708,
        source: 0x11121314,
        epoch: 0x21222324,
        sequence: 0x3132333435363738,
        commitment: [0xCC; 32],
    };

    #[test]
    fn fields_stand_in_the_order_of_the_format() {
        let expected = [
            &[1, 10][..],
            &[1, 2, 3, 4, 5, 6, 7, 8],
            &[0x11, 0x12, 0x13, 0x14],
            &[0x21, 0x22, 0x23, 0x24],
            &[0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38],
            &[0xCC; 32],
        ]
        .concat();
        assert_eq!(ENTRY.encode(), *expected);
        assert_eq!(ENTRY.leaf_hash(), tlog::leaf_hash(&expected));
    }

    #[test]
    fn kinds_have_the_numbers_of_the_format() {
        for (number, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
            assert_eq!(Kind::from_u8(number as u8), Some(kind));
            assert_eq!(kind.is_control(), ![1, 2, 10].contains(&number));
        }
        assert!((12..=255).all(|number| Kind::from_u8(number).is_none()));
    }

    #[test]
    fn later_versions_and_kinds_are_undecidable() {
        let mut bytes = ENTRY.encode();
        bytes[1] = 12;
        let later = EntryError::Undecidable { version: 1, kind: Some(12) };
        assert_eq!(Entry::decode(&bytes), Err(later));
        bytes[0] = 2;
        let later = EntryError::Undecidable { version: 2, kind: Some(12) };
        assert_eq!(Entry::decode(&bytes), Err(later));
        assert_eq!(Entry::decode(&[bytes.as_slice(), b"longer"].concat()), Err(later));
        assert_eq!(Entry::decode(&[0]), Err(EntryError::Undecidable { version: 0, kind: None }));
    }

    #[test]
    fn every_other_length_is_refused() {
        let bytes = [ENTRY.encode().as_slice(), &[0]].concat();
        for length in (0..=59).filter(|&length| length != ENTRY_LEN) {
            assert_eq!(Entry::decode(&bytes[..length]), Err(EntryError::Length(length)));
        }
    }

    proptest! {
        #![proptest_config(cases(1000))]

        #[test]
        fn what_decodes_encodes_to_itself(mut bytes in prop::collection::vec(any::<u8>(), 58), kind in 0u8..14) {
            bytes[0] = 1;
            bytes[1] = kind;
            match Entry::decode(&bytes) {
                Ok(entry) => prop_assert_eq!(entry.encode().to_vec(), bytes),
                Err(error) => prop_assert_eq!(error, EntryError::Undecidable { version: 1, kind: Some(kind) }),
            }
        }
    }
}
