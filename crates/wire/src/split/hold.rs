//! The bytes of the record that is still arriving.

use super::{Limits, Piece};
use sha2::{Digest, Sha256};

/// Memory that is kept between records; a larger buffer is given back.
const KEEP: usize = 1 << 20;

/// Holds the bytes of one record; of a record that is too large, their count and hash.
pub(super) struct Hold {
    /// Largest record that is handed out as it is.
    record: u64,
    /// Bytes held at most. Never less than the search for a list needs to see, and one more than a record, for the
    /// carriage return that may turn out to belong to the line end.
    most: u64,
    bytes: Vec<u8>,
    counted: Option<Counted>,
}

struct Counted {
    hasher: Sha256,
    size: u64,
    /// A carriage return that is the last byte so far. It is not in the hash, nor in the size.
    ends_in_return: bool,
}

impl Hold {
    pub(super) fn new(limits: &Limits) -> Hold {
        let most = limits.record.max(limits.envelope as u64).saturating_add(1);
        Hold { record: limits.record, most, bytes: Vec::new(), counted: None }
    }

    /// Whether nothing has arrived.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.counted.is_none()
    }

    /// What is held; empty if it was too much.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes out what is held.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    pub(super) fn add(&mut self, more: &[u8]) {
        if self.counted.is_none() {
            if self.bytes.len() as u64 + more.len() as u64 <= self.most {
                self.bytes.extend_from_slice(more);
                return;
            }
            let held = std::mem::take(&mut self.bytes);
            let mut counted = Counted { hasher: Sha256::new(), size: 0, ends_in_return: false };
            counted.add(&held);
            self.counted = Some(counted);
        }
        if let Some(counted) = &mut self.counted {
            counted.add(more);
        }
    }

    /// Removes a carriage return that is the last byte held, and says whether there was one.
    pub(super) fn strip_return(&mut self) -> bool {
        match &mut self.counted {
            Some(counted) => std::mem::take(&mut counted.ends_in_return),
            None => self.bytes.pop_if(|byte| *byte == b'\r').is_some(),
        }
    }

    /// Hands out what is held with `tail` behind it as one record, and is empty again.
    pub(super) fn emit(&mut self, tail: &[u8], out: &mut impl FnMut(Piece<'_>)) {
        if self.is_empty() && tail.len() as u64 <= self.record {
            return out(Piece::Record(tail));
        }
        if !tail.is_empty() {
            self.add(tail);
        }
        match self.counted.take() {
            Some(counted) => out(counted.finish()),
            None if self.bytes.len() as u64 > self.record => {
                let sha256 = Sha256::digest(&self.bytes).into();
                out(Piece::Oversize { size: self.bytes.len() as u64, sha256 });
            }
            None => out(Piece::Record(&self.bytes)),
        }
        self.bytes.clear();
        self.bytes.shrink_to(KEEP);
    }
}

impl Counted {
    fn add(&mut self, more: &[u8]) {
        let Some((last, ahead)) = more.split_last() else { return };
        self.settle_return();
        self.ends_in_return = *last == b'\r';
        let sure = if self.ends_in_return { ahead } else { more };
        self.hasher.update(sure);
        self.size += sure.len() as u64;
    }

    fn settle_return(&mut self) {
        if std::mem::take(&mut self.ends_in_return) {
            self.hasher.update(b"\r");
            self.size += 1;
        }
    }

    fn finish(mut self) -> Piece<'static> {
        self.settle_return();
        Piece::Oversize { size: self.size, sha256: self.hasher.finalize().into() }
    }
}
