//! E1 and the hashes of E3: members in their order, read line by line, with no more than a line held.

use flate2::{Crc, Decompress, FlushDecompress, Status};
use sha2::{Digest, Sha256};

use crate::row::MAX_LINE;
use crate::verify::Failed;
use crate::writer::part_name;
use crate::zip::{Method, Row, Source, ZipError, directory};

/// Most bytes of `checkpoint`, `range.json` and `manifest.note`.
const MAX_SMALL: u32 = 1_000_000;
/// Most bytes of any other member but records.
const MAX_MEMBER: u32 = 1 << 30;

/// Bytes read at once.
const CHUNK: usize = 128 << 10;

/// The members of a file, by what they are.
pub(super) struct Members {
    pub rows: Vec<Row>,
    pub range: Option<usize>,
    /// Positions of the parts with records.
    pub parts: std::ops::Range<usize>,
}

pub(super) const README: usize = 0;
pub(super) const CHECKPOINT: usize = 1;
pub(super) const ANCHORS: usize = 2;

impl Members {
    /// Reads the directory; what is not in its place is the error.
    pub(super) fn open<S: Source + ?Sized>(source: &S) -> Result<Self, ZipError> {
        let rows = directory(source)?;
        let mut at = 0;
        let wrong = |at: usize| {
            let offset = rows.get(at).map_or(0, |row| u64::from(row.offset));
            ZipError::Damaged("a member that must not be here, or not in this form", offset)
        };
        // Steps over the next member if it is this one, and says which it was.
        let mut take = |name: &str, method: Method, limit: u32| {
            let row = rows.get(at)?;
            let there = row.name == name && row.method == method && row.length <= limit;
            at += usize::from(there);
            there.then(|| at - 1)
        };
        for (name, method, limit) in [
            ("README.txt", Method::Deflated, MAX_MEMBER),
            ("checkpoint", Method::Stored, MAX_SMALL),
            ("anchors.ndjson", Method::Deflated, MAX_MEMBER),
        ] {
            take(name, method, limit).ok_or_else(|| wrong(0))?;
        }
        let range = take("range.json", Method::Deflated, MAX_SMALL);
        let first = range.map_or(ANCHORS, |range| range) + 1;
        let mut end = first;
        while take(&part_name((end - first) as u64), Method::Deflated, u32::MAX).is_some() {
            end += 1;
        }
        for (name, method, limit) in [
            ("control.ndjson", Method::Deflated, MAX_MEMBER),
            ("summary.html", Method::Deflated, MAX_MEMBER),
            ("manifest.json", Method::Stored, MAX_MEMBER),
            ("manifest.note", Method::Stored, MAX_SMALL),
        ] {
            take(name, method, limit).ok_or_else(|| wrong(end))?;
        }
        match rows.len() == end + 4 {
            true => Ok(Self { range, parts: first..end, rows }),
            false => Err(wrong(end + 4)),
        }
    }

    pub(super) fn control(&self) -> usize {
        self.parts.end
    }

    pub(super) fn summary(&self) -> usize {
        self.parts.end + 1
    }

    pub(super) fn manifest(&self) -> usize {
        self.parts.end + 2
    }

    pub(super) fn note(&self) -> usize {
        self.parts.end + 3
    }
}

/// Reads a member to its end and gives `each` every line, with its number from 1, where it begins, and without its
/// newline. Returns SHA-256 of the data as it lies in the file.
pub(super) fn lines<S: Source + ?Sized>(
    source: &S,
    row: &Row,
    each: &mut dyn FnMut(u64, u64, &[u8]),
) -> Result<[u8; 32], Failed> {
    let (mut line, mut number, mut begins) = (Vec::new(), 0, 0);
    let sha256 = pieces(source, row, &mut |mut piece| {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            number += 1;
            match line.is_empty() {
                true => each(number, begins, &piece[..end]),
                false => {
                    line.extend_from_slice(&piece[..end]);
                    each(number, begins, &line);
                }
            }
            begins += (if line.is_empty() { end } else { line.len() } + 1) as u64;
            line.clear();
            piece = &piece[end + 1..];
        }
        line.extend_from_slice(piece);
        match line.len() as u64 >= MAX_LINE {
            true => Err(Failed::Damaged("a line is longer than 512 MiB")),
            false => Ok(()),
        }
    })?;
    match line.is_empty() {
        true => Ok(sha256),
        false => Err(Failed::Damaged("the last line does not end in a newline")),
    }
}

/// Reads a member whole; its length was held against a limit.
pub(super) fn whole<S: Source + ?Sized>(source: &S, row: &Row) -> Result<(Vec<u8>, [u8; 32]), Failed> {
    let mut text = Vec::new();
    let sha256 = pieces(source, row, &mut |piece| {
        text.extend_from_slice(piece);
        Ok(())
    })?;
    Ok((text, sha256))
}

/// Reads a member to its end, piece by piece, and checks length and CRC-32 of its text.
pub(super) fn pieces<S: Source + ?Sized>(
    source: &S,
    row: &Row,
    each: &mut dyn FnMut(&[u8]) -> Result<(), Failed>,
) -> Result<[u8; 32], Failed> {
    let mut text = Text { crc: Crc::new(), left: u64::from(row.length), each };
    let (mut at, mut hasher) = (row.data(), Sha256::new());
    let mut inflater = Decompress::new(false);
    let (mut data, mut out) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut ended = row.method == Method::Stored;
    while at < row.end() {
        let length = (row.end() - at).min(CHUNK as u64) as usize;
        let data = &mut data[..length];
        source.read(at, data).map_err(Failed::Io)?;
        hasher.update(&*data);
        at += length as u64;
        match row.method {
            Method::Stored => text.take(data)?,
            Method::Deflated => inflate(&mut inflater, data, &mut out, &mut text, &mut ended)?,
        }
    }
    match (ended, text.left, text.crc.sum() == row.crc) {
        (false, ..) => Err(Failed::Damaged("the deflated data is cut off")),
        (_, 1.., _) => Err(Failed::Damaged("the text is shorter than its header says")),
        (.., false) => Err(Failed::Damaged("the CRC-32 does not fit")),
        _ => Ok(hasher.finalize().into()),
    }
}

fn inflate(
    inflater: &mut Decompress,
    mut data: &[u8],
    out: &mut [u8],
    text: &mut Text<'_>,
    ended: &mut bool,
) -> Result<(), Failed> {
    loop {
        if *ended {
            return match data.is_empty() {
                true => Ok(()),
                false => Err(Failed::Damaged("bytes after the end of the deflated data")),
            };
        }
        let (read, written) = (inflater.total_in(), inflater.total_out());
        let status = inflater
            .decompress(data, out, FlushDecompress::None)
            .map_err(|_| Failed::Damaged("the data is not deflated"))?;
        let read = (inflater.total_in() - read) as usize;
        let written = (inflater.total_out() - written) as usize;
        text.take(&out[..written])?;
        data = &data[read..];
        *ended = status == Status::StreamEnd;
        if !*ended && read == 0 && written == 0 {
            return match data.is_empty() {
                true => Ok(()),
                false => Err(Failed::Damaged("the data is not deflated")),
            };
        }
    }
}

/// Where the text of a member goes.
struct Text<'a> {
    crc: Crc,
    left: u64,
    each: &'a mut dyn FnMut(&[u8]) -> Result<(), Failed>,
}

impl Text<'_> {
    fn take(&mut self, piece: &[u8]) -> Result<(), Failed> {
        let left = self.left.checked_sub(piece.len() as u64);
        self.left = left.ok_or(Failed::Damaged("the text is longer than its header says"))?;
        self.crc.update(piece);
        (self.each)(piece)
    }
}
