//! Blocks of records: the payloads of several entries, column by column, compressed together
//! (docs/format.md, "Blocks"). Columns put like beside like, which compresses better and faster than rows.

use record::commit::{Salt, Seed};
use record::facet::FACETS;
use record::stored::{Known, Opening};

use crate::reader::{DecodeError, Reader};

/// Most bytes of a block before compression.
pub const PLAIN_MAX: usize = 512 << 20;
/// Most records of a block.
pub const RECORDS_MAX: usize = 1 << 20;

const VERSION: u8 = 1;
const FORM_SEED: u8 = 0;
const FORM_PARTIAL: u8 = 1;

/// A record as a block holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockRecord<'a> {
    /// Its index in the ledger.
    pub index: u64,
    /// What opens its digests.
    pub opening: Opening,
    /// Its facets; one that was erased or withheld is empty and its digest is in the opening.
    pub facets: [&'a [u8]; FACETS],
}

/// Collects records into a block.
#[derive(Default)]
pub struct BlockBuilder {
    indexes: Vec<u64>,
    forms: Vec<u8>,
    lengths: [Vec<u32>; FACETS],
    openings: Vec<u8>,
    columns: [Vec<u8>; FACETS],
}

impl BlockBuilder {
    /// Starts an empty block.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a record; indexes must rise.
    pub fn push(&mut self, record: &BlockRecord<'_>) {
        debug_assert!(self.indexes.last().is_none_or(|last| *last < record.index), "indexes rise");
        self.indexes.push(record.index);
        match &record.opening {
            Opening::Seed(seed) => {
                self.forms.push(FORM_SEED);
                self.openings.extend_from_slice(&seed.0);
            }
            Opening::Partial(known) => {
                self.forms.push(FORM_PARTIAL);
                for known in known {
                    let (tag, bytes) = match known {
                        Known::Salt(salt) => (0, salt.0.as_slice()),
                        Known::Digest(digest) => (1, digest.as_slice()),
                    };
                    self.openings.push(tag);
                    self.openings.extend_from_slice(bytes);
                }
            }
        }
        for (facet, bytes) in record.facets.iter().enumerate() {
            self.lengths[facet].push(bytes.len() as u32);
            self.columns[facet].extend_from_slice(bytes);
        }
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.indexes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.indexes.is_empty()
    }

    /// Index of the first record, 0 if there is none.
    pub fn first(&self) -> u64 {
        self.indexes.first().copied().unwrap_or_default()
    }

    /// Index after the last record, 0 if there is none.
    pub fn end(&self) -> u64 {
        self.indexes.last().map_or(0, |last| last + 1)
    }

    /// Payload bytes so far.
    pub fn plain_len(&self) -> usize {
        self.openings.len() + self.columns.iter().map(Vec::len).sum::<usize>()
    }

    /// Encodes and compresses the block: u32 length before compression ‖ zstd frame.
    pub fn pack(&self, level: i32) -> Vec<u8> {
        let fixed = 1 + 2 + 1 + 4 + 8 + self.len() * (4 + 1 + 4 * FACETS);
        let mut plain = Vec::with_capacity(fixed + self.plain_len());
        plain.push(VERSION);
        plain.extend_from_slice(&record::facet::TABLE_VERSION.to_be_bytes());
        plain.push(FACETS as u8);
        plain.extend_from_slice(&(self.len() as u32).to_be_bytes());
        plain.extend_from_slice(&self.first().to_be_bytes());
        for index in &self.indexes {
            plain.extend_from_slice(&((index - self.first()) as u32).to_be_bytes());
        }
        plain.extend_from_slice(&self.forms);
        for length in self.lengths.iter().flatten() {
            plain.extend_from_slice(&length.to_be_bytes());
        }
        plain.extend_from_slice(&self.openings);
        for column in &self.columns {
            plain.extend_from_slice(column);
        }
        let mut packed = vec![0; 4 + zstd::zstd_safe::compress_bound(plain.len())];
        packed[..4].copy_from_slice(&(plain.len() as u32).to_be_bytes());
        // Compression into a buffer of the bound's size cannot fail; an empty frame would never unpack.
        let len = zstd::bulk::compress_to_buffer(&plain, &mut packed[4..], level).unwrap_or_default();
        packed.truncate(4 + len);
        packed
    }
}

/// A block unpacked and checked.
pub struct Unpacked {
    plain: Vec<u8>,
    base: u64,
    indexes: Vec<u32>,
    openings: Vec<Opening>,
    /// End of each record's bytes within each column, as offsets into `plain`.
    ends: [Vec<usize>; FACETS],
    starts: [usize; FACETS],
}

impl Unpacked {
    /// Unpacks what [`BlockBuilder::pack`] made.
    pub fn unpack(packed: &[u8]) -> Result<Self, DecodeError> {
        let len = Reader::new(packed).u32()? as usize;
        if len > PLAIN_MAX {
            return Err(DecodeError::new(0, "the block is longer than the limit"));
        }
        // One frame and nothing else: a second or a skippable one would be bytes that nobody reads.
        if zstd::zstd_safe::find_frame_compressed_size(&packed[4..]) != Ok(packed.len() - 4) {
            return Err(DecodeError::new(4, "the block is not one compressed frame"));
        }
        // zstd writes a frame's content size into it: a frame that lies about it fails, and none allocates more.
        let plain = zstd::bulk::decompress(&packed[4..], len)
            .map_err(|_| DecodeError::new(4, "the block does not decompress"))?;
        if plain.len() != len {
            return Err(DecodeError::new(0, "the block's length does not fit"));
        }
        Self::decode(plain)
    }

    fn decode(plain: Vec<u8>) -> Result<Self, DecodeError> {
        let mut r = Reader::new(&plain);
        if r.u8()? != VERSION {
            return Err(r.error("unknown version of block"));
        }
        if r.u16()? != record::facet::TABLE_VERSION || usize::from(r.u8()?) != FACETS {
            return Err(r.error("unknown version of the facet table"));
        }
        let (count, base) = (r.u32()? as usize, r.u64()?);
        if count == 0 || count > RECORDS_MAX || base.checked_add(u64::from(u32::MAX)).is_none() {
            return Err(r.error("the number of records is beyond its limit"));
        }
        let words = |bytes: &[u8]| -> Vec<u32> {
            bytes
                .chunks_exact(4)
                .map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
                .collect()
        };
        let indexes = words(r.take(count * 4)?);
        if indexes[0] != 0 || indexes.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(r.error("the indexes do not rise"));
        }
        let forms = r.take(count)?;
        let mut lengths: [Vec<u32>; FACETS] = Default::default();
        for column in &mut lengths {
            *column = words(r.take(count * 4)?);
        }
        let mut openings = Vec::with_capacity(count);
        for form in forms {
            openings.push(match *form {
                FORM_SEED => Opening::Seed(Seed(r.array()?)),
                FORM_PARTIAL => {
                    let mut known = [const { Known::Digest([0; 32]) }; FACETS];
                    for known in &mut known {
                        *known = match r.u8()? {
                            0 => Known::Salt(Salt(r.array()?)),
                            1 => Known::Digest(r.array()?),
                            _ => return Err(r.error("unknown tag in an opening")),
                        };
                    }
                    Opening::Partial(known)
                }
                _ => return Err(r.error("unknown stored form")),
            });
        }
        let (mut starts, mut ends): ([usize; FACETS], [Vec<usize>; FACETS]) = Default::default();
        for facet in 0..FACETS {
            starts[facet] = r.at();
            ends[facet].reserve_exact(count);
            for length in &lengths[facet] {
                r.take(*length as usize)?;
                ends[facet].push(r.at());
            }
        }
        r.finish()?;
        Ok(Self { base, indexes, openings, ends, starts, plain })
    }

    /// Number of records, at least one.
    pub fn len(&self) -> usize {
        self.indexes.len()
    }

    /// Never true: a block holds at least one record.
    pub fn is_empty(&self) -> bool {
        self.indexes.is_empty()
    }

    /// Index of the first record.
    pub fn first(&self) -> u64 {
        self.base
    }

    /// Index after the last record.
    pub fn end(&self) -> u64 {
        self.base + u64::from(self.indexes.last().copied().unwrap_or_default()) + 1
    }

    /// The records in index order.
    pub fn records(&self) -> impl Iterator<Item = BlockRecord<'_>> {
        (0..self.len()).map(|at| self.record(at))
    }

    /// The record of this index, if the block holds it.
    pub fn find(&self, index: u64) -> Option<BlockRecord<'_>> {
        let delta = u32::try_from(index.checked_sub(self.base)?).ok()?;
        self.indexes.binary_search(&delta).ok().map(|at| self.record(at))
    }

    fn record(&self, at: usize) -> BlockRecord<'_> {
        let facet = |facet: usize| {
            let start = if at == 0 { self.starts[facet] } else { self.ends[facet][at - 1] };
            &self.plain[start..self.ends[facet][at]]
        };
        BlockRecord {
            index: self.base + u64::from(self.indexes[at]),
            opening: self.openings[at].clone(),
            facets: std::array::from_fn(facet),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed() -> Vec<u8> {
        let mut builder = BlockBuilder::new();
        for index in [7, 9] {
            let opening = Opening::Seed(Seed([index as u8; 16]));
            builder.push(&BlockRecord { index, opening, facets: [b"{}"; FACETS] });
        }
        builder.pack(1)
    }

    /// The reason why a block is refused whose bytes before compression were changed.
    fn refused(change: impl FnOnce(&mut Vec<u8>)) -> Option<&'static str> {
        let packed = packed();
        let mut plain = zstd::bulk::decompress(&packed[4..], 1 << 20).unwrap();
        change(&mut plain);
        let mut out = (plain.len() as u32).to_be_bytes().to_vec();
        out.extend(zstd::bulk::compress(&plain, 1).unwrap());
        Unpacked::unpack(&out).err().map(|error| error.reason)
    }

    #[test]
    fn a_block_has_one_form() {
        assert_eq!(refused(|_| {}), None);
        assert_eq!(refused(|plain| plain[0] = 2), Some("unknown version of block"));
        assert_eq!(refused(|plain| plain[2] ^= 8), Some("unknown version of the facet table"));
        assert_eq!(refused(|plain| plain[3] = 5), Some("unknown version of the facet table"));
        // The second index, relative to the first: as the first, and the first not 0.
        assert_eq!(refused(|plain| plain[23] = 0), Some("the indexes do not rise"));
        assert_eq!(refused(|plain| plain[19] = 1), Some("the indexes do not rise"));
        assert_eq!(refused(|plain| plain.push(0)), Some("bytes follow the end of the frame"));
    }

    #[test]
    fn a_block_is_one_frame_of_the_length_that_it_says() {
        let reason = |bytes: &[u8]| Unpacked::unpack(bytes).err().map(|error| error.reason);
        let good = packed();
        assert_eq!(reason(&good), None);
        // A frame that says of itself that it may be skipped.
        let skipped = [&good[..], &0x184D_2A50_u32.to_le_bytes(), &[0; 4]].concat();
        assert_eq!(reason(&skipped), Some("the block is not one compressed frame"));
        let mut longer = good;
        longer[3] += 1;
        assert_eq!(reason(&longer), Some("the block's length does not fit"));
    }
}
