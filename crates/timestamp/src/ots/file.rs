use super::attestation::{Attestation, BlockHeader, BlockTime};
use super::codec::{Reader, put_number};
use super::error::OtsError;
use super::op::Op;
use super::tree::Tree;

/// Larger files are not read, bytes.
pub const MAX_FILE_LEN: usize = 1024 * 1024;

const MAGIC: &[u8; 31] = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94";
const VERSION: u64 = 1;
/// The digest of the file is a SHA-256.
const SHA256: u8 = 0x08;

/// What stands in a file `NAME.ots` about the file `NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetachedFile {
    tree: Tree,
}

impl DetachedFile {
    /// Begins one over data with this SHA-256. A calendar sees the digest only with `nonce` mixed in, so that nobody
    /// can tell there what is stamped.
    pub fn start(digest: [u8; 32], nonce: [u8; 16]) -> Self {
        let mut tree = Tree::over(digest.to_vec());
        // Neither can fail: the messages are of 48 and 32 bytes.
        let _ = tree.then(Op::Append(nonce.to_vec())).and_then(|tree| tree.then(Op::Sha256).map(drop));
        Self { tree }
    }

    /// Reads a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, OtsError> {
        if bytes.len() > MAX_FILE_LEN {
            return Err(OtsError::TooLarge { what: "bytes of a file", max: MAX_FILE_LEN });
        }
        let mut reader = Reader::new(bytes);
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(OtsError::Malformed { what: "no OpenTimestamps proof", at: 0 });
        }
        if reader.number()? != VERSION {
            return Err(OtsError::Malformed { what: "version is not 1", at: MAGIC.len() });
        }
        match reader.byte()? {
            SHA256 => {}
            tag => return Err(OtsError::Unsupported { tag, at: reader.at() - 1 }),
        }
        let digest = reader.take(32)?;
        let tree = Tree::read(digest, &mut reader)?;
        reader.end()?;
        Ok(Self { tree })
    }

    /// Writes the file; fails while a branch has no attestation.
    pub fn to_bytes(&self) -> Result<Vec<u8>, OtsError> {
        let mut out = MAGIC.to_vec();
        put_number(&mut out, VERSION);
        out.push(SHA256);
        out.extend_from_slice(self.tree.message());
        self.tree.write(&mut out)?;
        match out.len() {
            0..=MAX_FILE_LEN => Ok(out),
            _ => Err(OtsError::TooLarge { what: "bytes of a file", max: MAX_FILE_LEN }),
        }
    }

    /// Returns the SHA-256 of the file it is about.
    pub fn digest(&self) -> &[u8] {
        self.tree.message()
    }

    /// Returns what a calendar is asked to attest: the end that nothing is attested about yet.
    pub fn commitment(&self) -> Option<Vec<u8>> {
        self.tree.open_end().map(<[u8]>::to_vec)
    }

    /// Returns every attestation with the message it is about.
    pub fn attestations(&self) -> Vec<(&[u8], &Attestation)> {
        self.tree.attestations()
    }

    /// Returns what calendars promised and no block has kept yet: the message to ask about, and the calendar's address.
    pub fn promises(&self) -> Vec<(&[u8], &str)> {
        self.tree.promises()
    }

    /// Returns the heights of the Bitcoin blocks that it says it leads to. Whether it does, each block's header tells:
    /// [`DetachedFile::verify`].
    pub fn blocks(&self) -> Vec<u64> {
        let height = |(message, attestation): (&[u8], &Attestation)| match attestation {
            // No header holds a root of another length.
            Attestation::Bitcoin { height } if message.len() == 32 => Some(*height),
            _ => None,
        };
        self.attestations().into_iter().filter_map(height).collect()
    }

    /// Takes in a calendar's answer about `message`, one of those the tree has.
    pub fn add(&mut self, message: &[u8], answer: &Tree) -> Result<(), OtsError> {
        let found = self.tree.find(message);
        let tree = found.ok_or_else(|| OtsError::OtherData {
            expected: message.to_vec(),
            found: answer.message().to_vec(),
        })?;
        tree.merge(answer)
    }

    /// Takes in everything another file about the same data has.
    pub fn merge(&mut self, other: &DetachedFile) -> Result<(), OtsError> {
        self.tree.merge(&other.tree)
    }

    /// Checks that data with this SHA-256 existed before a block, given the block's height and header.
    ///
    /// That the header is in the chain at that height is the caller's to know.
    pub fn verify(
        &self,
        digest: &[u8; 32],
        height: u64,
        header: &BlockHeader,
    ) -> Result<BlockTime, OtsError> {
        if self.digest() != digest {
            return Err(OtsError::OtherData { expected: digest.to_vec(), found: self.digest().to_vec() });
        }
        let root = header.merkle_root();
        let mut other = None;
        for (message, attestation) in self.attestations() {
            match attestation {
                Attestation::Bitcoin { height: found } if *found == height => match message == root {
                    true => return Ok(BlockTime { height, block: header.hash(), time: header.time() }),
                    false => other = <[u8; 32]>::try_from(message).ok().or(other),
                },
                _ => {}
            }
        }
        match other {
            Some(expected) => Err(OtsError::OtherBlock { height, expected, found: root }),
            None => Err(OtsError::NoSuchBlock { height }),
        }
    }
}
