//! Segments: the sealed payloads of an index range, the evidence itself (docs/format.md, "Segments").
//!
//! header ‖ blocks ‖ footer ‖ trailer. The footer lists every block with its hash, so that one changed byte is
//! located to a block without any key; the trailer is the hash of all before it.

use sha2::{Digest, Sha256};

use crate::block::{BlockBuilder, BlockRecord, Unpacked};
use crate::reader::{DecodeError, Reader};
use crate::seal::{FileType, Place, Sealer};

/// Length of the header in bytes.
pub const HEADER_LEN: usize = 8 + 32 + 1 + 4 + 8 + 8 + 16 + 32;
/// Length of the trailer in bytes: offset of the footer, then the hash.
pub const TRAILER_LEN: usize = 8 + 32;
/// Payload bytes after which a block is closed. Large enough to compress well, small enough to fetch one row.
pub const BLOCK_TARGET: usize = 256 << 10;
/// Index ranges of segments begin and end at multiples of this.
pub const ALIGN: u64 = 256;

const MAGIC: &[u8; 8] = b"LSTNSEG1";
const FOOTER_MAGIC: &[u8; 8] = b"LSTNFTR1";
const FOOTER_ROW: usize = 8 + 4 + 8 + 8 + 4 + 32;

/// Which records a segment holds (DESIGN section 3: control records live in segments of their own).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// Events, quarantined input and accesses: encrypted.
    Events = 1,
    /// All other kinds: in clear, since they hold no personal data and must be readable without a key.
    Control = 2,
}

impl Class {
    /// The name used in paths and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Control => "control",
        }
    }
}

/// The head of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The ledger's id.
    pub ledger: [u8; 32],
    /// Which of the range's records it holds.
    pub class: Class,
    /// Generation; erasing writes the next one.
    pub generation: u32,
    /// First index of the range.
    pub first: u64,
    /// Index after the range.
    pub end: u64,
    /// Data key of the blocks; zero for a segment in clear.
    pub key_id: [u8; 16],
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_LEN);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.ledger);
        out.push(self.class as u8);
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.extend_from_slice(&self.first.to_be_bytes());
        out.extend_from_slice(&self.end.to_be_bytes());
        out.extend_from_slice(&self.key_id);
        let hash: [u8; 32] = Sha256::digest(&out).into();
        out.extend_from_slice(&hash);
        out
    }

    /// Decodes the header at the start of a segment.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes.get(..HEADER_LEN).unwrap_or(bytes));
        r.expect(MAGIC, "not a segment")?;
        let ledger = r.array()?;
        let class = match r.u8()? {
            1 => Class::Events,
            2 => Class::Control,
            _ => return Err(r.error("unknown class of segment")),
        };
        let header =
            Self { ledger, class, generation: r.u32()?, first: r.u64()?, end: r.u64()?, key_id: r.array()? };
        let hash: [u8; 32] = Sha256::digest(&bytes[..r.at()]).into();
        r.expect(&hash, "the header's hash does not fit")?;
        if !header.first.is_multiple_of(ALIGN)
            || !header.end.is_multiple_of(ALIGN)
            || header.first >= header.end
        {
            return Err(DecodeError::new(0, "the index range is not a run of whole bundles"));
        }
        Ok(header)
    }

    fn place(&self, block: u64, row: &BlockRow, last: bool) -> Place {
        Place {
            ledger: self.ledger,
            file_type: FileType::Segment,
            file: self.first,
            generation: self.generation,
            block,
            first: row.first,
            count: row.count,
            last,
        }
    }
}

/// What the footer says of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockRow {
    /// Offset in the file.
    pub offset: u64,
    /// Length in bytes.
    pub len: u32,
    /// Index of the first record.
    pub first: u64,
    /// Index after the last record.
    pub end: u64,
    /// How many records it holds.
    pub count: u32,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

/// Header and footer of a segment: enough to fetch any block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// The header.
    pub header: Header,
    /// The blocks in index order.
    pub blocks: Vec<BlockRow>,
}

impl Directory {
    /// Reads the offset of the footer from the trailer, the last [`TRAILER_LEN`] bytes of a file of `len` bytes.
    pub fn footer_offset(trailer: &[u8], len: u64) -> Result<u64, DecodeError> {
        let offset = Reader::new(trailer).u64()?;
        let limit = len.saturating_sub((TRAILER_LEN + FOOTER_MAGIC.len() + 4) as u64);
        if offset < HEADER_LEN as u64 || offset > limit {
            return Err(DecodeError::new(0, "the trailer points outside the file"));
        }
        Ok(offset)
    }

    /// Decodes header and footer; `footer` starts at the offset that the trailer names and ends before it.
    pub fn decode(header: &[u8], footer: &[u8], footer_offset: u64) -> Result<Self, DecodeError> {
        let header = Header::decode(header)?;
        let mut r = Reader::new(footer);
        r.expect(FOOTER_MAGIC, "no footer where the trailer says")?;
        let count = r.u32()? as usize;
        if count == 0 || footer.len() != FOOTER_MAGIC.len() + 4 + count * FOOTER_ROW {
            return Err(r.error("the footer's length does not fit its number of blocks"));
        }
        let mut blocks = Vec::with_capacity(count);
        let (mut offset, mut index) = (HEADER_LEN as u64, header.first);
        for _ in 0..count {
            let row = BlockRow {
                offset: r.u64()?,
                len: r.u32()?,
                first: r.u64()?,
                end: r.u64()?,
                count: r.u32()?,
                sha256: r.array()?,
            };
            let records = row.end.saturating_sub(row.first);
            let fits = row.offset == offset
                && row.first >= index
                && row.count > 0
                && u64::from(row.count) <= records;
            if !fits || row.end > header.end {
                return Err(r.error("the footer's blocks do not follow one another"));
            }
            (offset, index) = (row.offset + u64::from(row.len), row.end);
            blocks.push(row);
        }
        r.finish()?;
        if offset != footer_offset {
            return Err(DecodeError::new(0, "there are bytes between the last block and the footer"));
        }
        Ok(Self { header, blocks })
    }

    /// Position of the block that may hold `index`.
    pub fn find(&self, index: u64) -> Option<usize> {
        let at = self.blocks.partition_point(|row| row.end <= index);
        self.blocks.get(at).filter(|row| row.first <= index).map(|_| at)
    }

    /// Checks, opens and unpacks block `at` from its bytes. Without a sealer only segments in clear open.
    pub fn open_block(
        &self,
        at: usize,
        bytes: &[u8],
        sealer: Option<&Sealer>,
    ) -> Result<Unpacked, BlockError> {
        let row = &self.blocks[at];
        if <[u8; 32]>::from(Sha256::digest(bytes)) != row.sha256 {
            return Err(BlockError::Damaged("the block's hash does not fit"));
        }
        let place = self.header.place(at as u64, row, at + 1 == self.blocks.len());
        let unpacked = match (self.header.class, sealer) {
            (Class::Control, _) => Unpacked::unpack(bytes),
            (Class::Events, Some(sealer)) => {
                let packed = sealer.open(&place.aad(), bytes).map_err(|_| BlockError::NotAuthentic)?;
                Unpacked::unpack(&packed)
            }
            (Class::Events, None) => return Err(BlockError::NoKey),
        };
        let unpacked = unpacked.map_err(|error| BlockError::Damaged(error.reason))?;
        let held = (unpacked.first(), unpacked.end(), unpacked.len());
        if held != (row.first, row.end, row.count as usize) {
            return Err(BlockError::Damaged("the block does not hold the records that the footer says"));
        }
        Ok(unpacked)
    }
}

/// Why a block did not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockError {
    /// Its bytes are not what was written.
    Damaged(&'static str),
    /// Its hash fits but the key does not open it: written under another key, or for another place.
    NotAuthentic,
    /// It is encrypted and no key was given.
    NoKey,
}

/// Checks everything about a segment's bytes that needs no key. On damage the error's offset tells where: in
/// the header, a block, the footer or the trailer.
pub fn check(bytes: &[u8]) -> Result<Directory, DecodeError> {
    let body = bytes.len().checked_sub(TRAILER_LEN).ok_or(DecodeError::new(0, "the file is too short"))?;
    let footer_offset =
        Directory::footer_offset(&bytes[body..], bytes.len() as u64).map_err(|e| e.within(body))?;
    let at = footer_offset as usize;
    let directory = Directory::decode(bytes, &bytes[at..body], footer_offset)
        .map_err(|error| if Header::decode(bytes).is_ok() { error.within(at) } else { error })?;
    for row in &directory.blocks {
        let block = &bytes[row.offset as usize..][..row.len as usize];
        if <[u8; 32]>::from(Sha256::digest(block)) != row.sha256 {
            return Err(DecodeError { offset: row.offset, reason: "a block's hash does not fit" });
        }
    }
    let hash: [u8; 32] = Sha256::digest(&bytes[..body + 8]).into();
    if bytes[body + 8..] != hash {
        return Err(DecodeError::new(body + 8, "the file's hash does not fit"));
    }
    Ok(directory)
}

/// The entries that the block at `offset` of a damaged segment holds, as far as its footer still tells.
pub fn entries_at(bytes: &[u8], offset: u64) -> Option<(u64, u64)> {
    let body = bytes.len().checked_sub(TRAILER_LEN)?;
    let footer = Directory::footer_offset(&bytes[body..], bytes.len() as u64).ok()?;
    let directory = Directory::decode(bytes, bytes.get(footer as usize..body)?, footer).ok()?;
    let row = directory
        .blocks
        .iter()
        .find(|row| (row.offset..row.offset + u64::from(row.len)).contains(&offset))?;
    Some((row.first, row.end))
}

/// Writes a segment into memory.
pub struct SegmentWriter<'k> {
    header: Header,
    sealer: Option<&'k Sealer>,
    out: Vec<u8>,
    rows: Vec<BlockRow>,
    builder: BlockBuilder,
    /// The newest block: not yet written, since only the file's last one is marked as such.
    held: Option<PackedBlock>,
    level: i32,
}

/// A block packed by [`BlockBuilder::pack`] and what it holds.
pub struct PackedBlock {
    /// Index of the first record.
    pub first: u64,
    /// Index after the last record.
    pub end: u64,
    /// How many records.
    pub count: u32,
    /// The packed bytes.
    pub bytes: Vec<u8>,
}

impl<'k> SegmentWriter<'k> {
    /// Starts a segment. `sealer` is given exactly for [`Class::Events`]; `level` is zstd's.
    pub fn new(header: Header, sealer: Option<&'k Sealer>, level: i32) -> Self {
        let out = header.encode();
        Self { header, sealer, out, rows: Vec::new(), builder: BlockBuilder::new(), held: None, level }
    }

    /// Adds a record, in index order. A nonce is drawn for each block that gets written.
    pub fn push(&mut self, record: &BlockRecord<'_>, nonce: impl FnMut() -> [u8; 24]) {
        if self.builder.plain_len() >= BLOCK_TARGET {
            self.close(nonce);
        }
        self.builder.push(record);
    }

    /// Adds a block that is packed already, whose records follow all others.
    pub fn push_packed(&mut self, block: PackedBlock, mut nonce: impl FnMut() -> [u8; 24]) {
        self.close(&mut nonce);
        self.write_held(nonce, false);
        self.held = Some(block);
    }

    /// Closes the last block and returns the file's bytes, or `None` if it holds no record.
    pub fn finish(mut self, mut nonce: impl FnMut() -> [u8; 24]) -> Option<Vec<u8>> {
        self.close(&mut nonce);
        self.write_held(nonce, true);
        if self.rows.is_empty() {
            return None;
        }
        let footer_offset = self.out.len() as u64;
        self.out.extend_from_slice(FOOTER_MAGIC);
        self.out.extend_from_slice(&(self.rows.len() as u32).to_be_bytes());
        for row in &self.rows {
            self.out.extend_from_slice(&row.offset.to_be_bytes());
            self.out.extend_from_slice(&row.len.to_be_bytes());
            self.out.extend_from_slice(&row.first.to_be_bytes());
            self.out.extend_from_slice(&row.end.to_be_bytes());
            self.out.extend_from_slice(&row.count.to_be_bytes());
            self.out.extend_from_slice(&row.sha256);
        }
        self.out.extend_from_slice(&footer_offset.to_be_bytes());
        let hash: [u8; 32] = Sha256::digest(&self.out).into();
        self.out.extend_from_slice(&hash);
        Some(self.out)
    }

    /// Packs the block being filled, if there is one, and holds it.
    fn close(&mut self, nonce: impl FnMut() -> [u8; 24]) {
        if self.builder.is_empty() {
            return;
        }
        let builder = std::mem::take(&mut self.builder);
        let (first, end, count) = (builder.first(), builder.end(), builder.len() as u32);
        self.write_held(nonce, false);
        self.held = Some(PackedBlock { first, end, count, bytes: builder.pack(self.level) });
    }

    fn write_held(&mut self, mut nonce: impl FnMut() -> [u8; 24], last: bool) {
        let Some(PackedBlock { first, end, count, bytes }) = self.held.take() else { return };
        let mut row = BlockRow { offset: self.out.len() as u64, len: 0, first, end, count, sha256: [0; 32] };
        let bytes = match self.sealer {
            Some(sealer) => {
                sealer.seal(nonce(), &self.header.place(self.rows.len() as u64, &row, last).aad(), &bytes)
            }
            None => bytes,
        };
        row.len = bytes.len() as u32;
        row.sha256 = Sha256::digest(&bytes).into();
        self.out.extend_from_slice(&bytes);
        self.rows.push(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A segment in clear of three blocks.
    fn segment() -> Vec<u8> {
        let header = Header {
            ledger: [9; 32],
            class: Class::Control,
            generation: 0,
            first: 256,
            end: 512,
            key_id: [0; 16],
        };
        let mut writer = SegmentWriter::new(header, None, 1);
        for first in [256, 300, 400] {
            let bytes = vec![first as u8; 50];
            writer.push_packed(PackedBlock { first, end: first + 10, count: 10, bytes }, || [0; 24]);
        }
        writer.finish(|| [0; 24]).unwrap()
    }

    /// Goal: a changed byte is told where it is, so that what else is in the file stays trustworthy. The file's hash alone
    /// would find it as well, and tell nothing.
    #[test]
    fn every_flipped_byte_is_told_in_its_header_block_footer_or_trailer() {
        let bytes = segment();
        let blocks = check(&bytes).unwrap().blocks;
        let (footer, trailer) =
            (blocks[2].offset + u64::from(blocks[2].len), (bytes.len() - TRAILER_LEN) as u64);
        for at in 0..bytes.len() as u64 {
            let mut bad = bytes.clone();
            bad[at as usize] ^= 1;
            let error = check(&bad).unwrap_err();
            let block = blocks.iter().find(|row| (row.offset..row.offset + u64::from(row.len)).contains(&at));
            match block {
                _ if at < HEADER_LEN as u64 => {
                    assert!(error.offset < HEADER_LEN as u64, "byte {at}: {error}")
                }
                Some(row) => assert_eq!(error.offset, row.offset, "byte {at}: {error}"),
                // The hash of a block that is written down wrong is told as the block's.
                None if at < trailer => {
                    assert!(
                        error.offset >= footer || blocks.iter().any(|row| row.offset == error.offset),
                        "byte {at}: {error}"
                    );
                }
                // The pointer to the footer is told where it leads.
                None if at < trailer + 8 => {}
                None => assert_eq!(error.offset, trailer + 8, "byte {at}: {error}"),
            }
        }
    }

    /// The segment with header and rows changed and every hash made to fit: the form alone must tell.
    fn edited(edit: impl FnOnce(&mut Header, &mut Vec<BlockRow>, &mut Vec<u8>)) -> Vec<u8> {
        let bytes = segment();
        let Directory { mut header, mut blocks } = check(&bytes).unwrap();
        let mut body = bytes[HEADER_LEN..blocks[2].offset as usize + blocks[2].len as usize].to_vec();
        edit(&mut header, &mut blocks, &mut body);
        let mut writer = SegmentWriter::new(header, None, 1);
        writer.out.extend_from_slice(&body);
        writer.rows = blocks;
        writer.finish(|| [0; 24]).unwrap()
    }

    #[test]
    fn a_segment_whose_blocks_or_range_cannot_be_is_refused() {
        assert!(check(&edited(|_, _, _| {})).is_ok());
        let rows = "the footer's blocks do not follow one another";
        let range = "the index range is not a run of whole bundles";
        let between = "there are bytes between the last block and the footer";
        let refused = |bytes: Vec<u8>, reason| assert_eq!(check(&bytes).unwrap_err().reason, reason);
        refused(edited(|_, rows, _| rows[1].offset += 1), rows);
        refused(edited(|_, rows, _| rows[1].first = 265), rows);
        refused(edited(|_, rows, _| rows[1].count = 0), rows);
        refused(edited(|_, rows, _| rows[1].count = 11), rows);
        refused(edited(|_, rows, _| rows[2].end = 513), rows);
        refused(edited(|header, _, _| header.first = 255), range);
        refused(edited(|header, _, _| header.end = 511), range);
        refused(edited(|header, _, _| header.end = 256), range);
        refused(edited(|_, _, body| body.extend_from_slice(b"between")), between);
        let mut more = segment();
        let at = more.len() - TRAILER_LEN;
        more.insert(at, 0);
        let end = more.len() - 32;
        let hash: [u8; 32] = Sha256::digest(&more[..end]).into();
        more[end..].copy_from_slice(&hash);
        refused(more, "the footer's length does not fit its number of blocks");
    }

    #[test]
    fn a_block_holds_the_records_that_the_footer_says() {
        let header = check(&segment()).unwrap().header;
        let mut writer = SegmentWriter::new(header, None, 1);
        for index in [256, 258] {
            let opening = record::stored::Opening::Seed(record::commit::Seed([0; 16]));
            writer.push(&BlockRecord { index, opening, facets: [b"{}"; 6] }, || [0; 24]);
        }
        let bytes = writer.finish(|| [0; 24]).unwrap();
        let directory = check(&bytes).unwrap();
        let row = directory.blocks[0].clone();
        let block = &bytes[row.offset as usize..][..row.len as usize];
        let opened = |row| Directory { blocks: vec![row], ..directory.clone() }.open_block(0, block, None);
        assert!(opened(row.clone()).is_ok());
        for other in [
            BlockRow { first: 257, ..row.clone() },
            BlockRow { end: 260, ..row.clone() },
            BlockRow { count: 1, ..row },
        ] {
            let said = "the block does not hold the records that the footer says";
            assert!(matches!(opened(other), Err(BlockError::Damaged(reason)) if reason == said));
        }
    }
}
