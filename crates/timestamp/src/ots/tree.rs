use std::collections::{BTreeMap, BTreeSet};

use super::attestation::Attestation;
use super::codec::Reader;
use super::error::OtsError;
use super::op::{MAX_MESSAGE_LEN, Op};

/// Longer chains of operations are not read. The reference implementation has the same limit.
pub(super) const MAX_DEPTH: usize = 256;
/// More operations and attestations in one tree are not read.
pub(super) const MAX_NODES: usize = 4096;
/// Bytes of messages in one tree: what it would take in memory.
const MAX_MESSAGES_LEN: usize = 4 * 1024 * 1024;

const ATTESTATION: u8 = 0x00;
const FORK: u8 = 0xff;

/// A message, what is attested about it, and what is made of it. One spelling for each tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    message: Vec<u8>,
    attestations: BTreeSet<Attestation>,
    ops: BTreeMap<Op, Tree>,
}

impl Tree {
    /// Makes a tree over a message of 1 to 4096 bytes, of which nothing is attested yet.
    pub fn new(message: Vec<u8>) -> Result<Self, OtsError> {
        match message.len() {
            1..=MAX_MESSAGE_LEN => Ok(Self::over(message)),
            _ => Err(OtsError::TooLarge { what: "bytes of a message", max: MAX_MESSAGE_LEN }),
        }
    }

    pub(super) fn over(message: Vec<u8>) -> Self {
        Self { message, attestations: BTreeSet::new(), ops: BTreeMap::new() }
    }

    /// Returns what it is over.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// Returns every attestation below, with the message it is about.
    pub fn attestations(&self) -> Vec<(&[u8], &Attestation)> {
        let own = self.attestations.iter().map(|attestation| (self.message(), attestation));
        own.chain(self.ops.values().flat_map(Tree::attestations)).collect()
    }

    /// Returns what calendars promised and no block below has kept: the message to ask about, and the address.
    pub(super) fn promises(&self) -> Vec<(&[u8], &str)> {
        let all = self.attestations();
        let is_kept = all.iter().any(|(_, attestation)| matches!(attestation, Attestation::Bitcoin { .. }));
        let own = self.attestations.iter().filter_map(|attestation| match attestation {
            Attestation::Pending { uri } if !is_kept => Some((self.message(), uri.as_str())),
            _ => None,
        });
        own.chain(self.ops.values().flat_map(Tree::promises)).collect()
    }

    /// Applies an operation and returns the tree over what it makes.
    pub fn then(&mut self, op: Op) -> Result<&mut Tree, OtsError> {
        let next = op.apply(&self.message)?;
        Ok(self.ops.entry(op).or_insert_with(|| Tree::over(next)))
    }

    /// Adds an attestation about its message.
    pub fn attest(&mut self, attestation: Attestation) {
        self.attestations.insert(attestation);
    }

    /// Finds what is over this message.
    pub(super) fn find(&mut self, message: &[u8]) -> Option<&mut Tree> {
        if self.message == message {
            return Some(self);
        }
        self.ops.values_mut().find_map(|tree| tree.find(message))
    }

    /// The only leaf that nothing is attested about, if there is exactly one way to go.
    pub(super) fn open_end(&self) -> Option<&[u8]> {
        match (self.attestations.is_empty(), self.ops.len()) {
            (true, 0) => Some(&self.message),
            (_, 1) => self.ops.values().next()?.open_end(),
            _ => None,
        }
    }

    /// Takes in everything another tree over the same message has.
    pub fn merge(&mut self, other: &Tree) -> Result<(), OtsError> {
        if self.message != other.message {
            return Err(OtsError::OtherData { expected: self.message.clone(), found: other.message.clone() });
        }
        self.attestations.extend(other.attestations.iter().cloned());
        for (op, theirs) in &other.ops {
            self.then(op.clone())?.merge(theirs)?;
        }
        Ok(())
    }

    /// Reads a tree over `message`.
    pub(super) fn read(message: &[u8], reader: &mut Reader<'_>) -> Result<Self, OtsError> {
        let message = Tree::new(message.to_vec())?.message;
        let mut left = Left { nodes: MAX_NODES, message_bytes: MAX_MESSAGES_LEN };
        Self::read_below(message, reader, MAX_DEPTH, &mut left)
    }

    fn read_below(
        message: Vec<u8>,
        reader: &mut Reader<'_>,
        depth: usize,
        left: &mut Left,
    ) -> Result<Self, OtsError> {
        if depth == 0 {
            return Err(OtsError::TooLarge { what: "operations in a row", max: MAX_DEPTH });
        }
        let mut tree = Tree::over(message);
        loop {
            let (forks, tag) = match reader.byte()? {
                FORK => (true, reader.byte()?),
                tag => (false, tag),
            };
            left.take(tree.message.len())?;
            if tag == ATTESTATION {
                tree.attestations.insert(Attestation::read(reader)?);
            } else {
                let op = Op::read(tag, reader)?;
                let next = op.apply(&tree.message)?;
                let below = Self::read_below(next, reader, depth - 1, left)?;
                match tree.ops.get_mut(&op) {
                    Some(known) => known.merge(&below)?,
                    None => drop(tree.ops.insert(op, below)),
                }
            }
            if !forks {
                return Ok(tree);
            }
        }
    }

    /// Writes what [`Tree::read`] reads, attestations first, in order; fails if there is an end without attestation,
    /// or more than would be read again.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), OtsError> {
        let mut left = Left { nodes: MAX_NODES, message_bytes: MAX_MESSAGES_LEN };
        self.write_below(out, MAX_DEPTH, &mut left)
    }

    fn write_below(&self, out: &mut Vec<u8>, depth: usize, left: &mut Left) -> Result<(), OtsError> {
        if depth == 0 {
            return Err(OtsError::TooLarge { what: "operations in a row", max: MAX_DEPTH });
        }
        let mut more = (self.attestations.len() + self.ops.len()).checked_sub(1).ok_or(OtsError::Empty)?;
        let mut fork = |out: &mut Vec<u8>| {
            if more > 0 {
                out.push(FORK);
                more -= 1;
            }
        };
        for attestation in &self.attestations {
            left.take(self.message.len())?;
            fork(out);
            out.push(ATTESTATION);
            attestation.write(out);
        }
        for (op, tree) in &self.ops {
            left.take(self.message.len())?;
            fork(out);
            op.write(out);
            tree.write_below(out, depth - 1, left)?;
        }
        Ok(())
    }
}

/// What a tree may still take.
struct Left {
    nodes: usize,
    message_bytes: usize,
}

impl Left {
    fn take(&mut self, message_len: usize) -> Result<(), OtsError> {
        let nodes = OtsError::TooLarge { what: "operations and attestations", max: MAX_NODES };
        self.nodes = self.nodes.checked_sub(1).ok_or(nodes)?;
        let bytes = OtsError::TooLarge { what: "bytes of all messages", max: MAX_MESSAGES_LEN };
        self.message_bytes = self.message_bytes.checked_sub(message_len).ok_or(bytes)?;
        Ok(())
    }
}
