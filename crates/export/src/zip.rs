//! The container: the one way of writing a ZIP archive that `docs/evidence-file.md` section 1 allows. What is read must
//! be, byte for byte, what is written here, so that no two programs can see different members in one file.

use std::io::{self, Write};

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use sha2::{Digest, Sha256};

/// Length of a local header without its name.
pub(crate) const LOCAL_LEN: u64 = 30;
/// Length of a row of the central directory without its name.
const CENTRAL_LEN: usize = 46;
/// Length of the end record.
const END_LEN: u64 = 22;
/// Most bytes of a file.
pub const MAX_FILE: u64 = u32::MAX as u64;
/// Most members of a file.
pub const MAX_MEMBERS: usize = u16::MAX as usize;
/// The longest name: `events/` with eight digits, and room.
const MAX_NAME: usize = 32;

/// How a member's data is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// As it is.
    Stored = 0,
    /// Deflated (RFC 1951).
    Deflated = 8,
}

/// One member, as its row in the central directory has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// How it is stored.
    pub method: Method,
    /// CRC-32 of the text.
    pub crc: u32,
    /// Bytes of the data as it lies in the file.
    pub stored: u32,
    /// Bytes of the text.
    pub length: u32,
    /// Where its local header begins.
    pub offset: u32,
}

impl Row {
    /// Where its data begins.
    pub fn data(&self) -> u64 {
        u64::from(self.offset) + LOCAL_LEN + self.name.len() as u64
    }

    /// Where its data ends.
    pub fn end(&self) -> u64 {
        self.data() + u64::from(self.stored)
    }

    /// What both headers say alike: version needed to the length of the extra field.
    fn common(&self, out: &mut Vec<u8>) {
        for field in [20_u16, 0x0800, self.method as u16, 0, 0x0021] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        for field in [self.crc, self.stored, self.length] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&(self.name.len() as u16).to_le_bytes());
        out.extend_from_slice(&[0; 2]);
    }

    /// The local header.
    pub fn local(&self) -> Vec<u8> {
        let mut out = b"PK\x03\x04".to_vec();
        self.common(&mut out);
        out.extend_from_slice(self.name.as_bytes());
        out
    }

    fn central(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"PK\x01\x02\x14\x00");
        self.common(out);
        // Comment, disk, attributes.
        out.extend_from_slice(&[0; 10]);
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(self.name.as_bytes());
    }
}

fn end_record(members: u16, length: u32, offset: u32) -> Vec<u8> {
    let mut out = b"PK\x05\x06\x00\x00\x00\x00".to_vec();
    out.extend_from_slice(&members.to_le_bytes());
    out.extend_from_slice(&members.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&offset.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    out
}

/// A member whose text is being taken in; what is held is its compressed form.
pub struct Packing {
    encoder: Encoder,
    crc: Crc,
    length: u64,
}

enum Encoder {
    Stored(Vec<u8>),
    Deflated(DeflateEncoder<Vec<u8>>),
}

impl Packing {
    /// An empty text.
    pub fn new(method: Method) -> Self {
        let encoder = match method {
            Method::Stored => Encoder::Stored(Vec::new()),
            // Level 4: a tenth larger than the default for audit records, at twice the speed.
            Method::Deflated => Encoder::Deflated(DeflateEncoder::new(Vec::new(), Compression::new(4))),
        };
        Self { encoder, crc: Crc::new(), length: 0 }
    }

    /// Bytes of text so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    fn finish(self) -> io::Result<(Method, Vec<u8>, u32, u64)> {
        let (method, data) = match self.encoder {
            Encoder::Stored(data) => (Method::Stored, data),
            Encoder::Deflated(encoder) => (Method::Deflated, encoder.finish()?),
        };
        Ok((method, data, self.crc.sum(), self.length))
    }
}

impl Write for Packing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.encoder {
            Encoder::Stored(data) => data.extend_from_slice(bytes),
            Encoder::Deflated(encoder) => encoder.write_all(bytes)?,
        }
        self.crc.update(bytes);
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the manifest says of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Bytes of its text.
    pub length: u64,
    /// Bytes of its data as it lies in the file.
    pub stored: u64,
    /// SHA-256 of that data.
    pub sha256: [u8; 32],
}

/// Writes an archive, member by member.
pub struct Archiver<W> {
    out: W,
    at: u64,
    rows: Vec<Row>,
    /// Bytes that the central directory will have.
    central: u64,
}

impl<W: Write> Archiver<W> {
    /// An empty archive that goes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, at: 0, rows: Vec::new(), central: 0 }
    }

    /// Writes one member.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] if the file would be beyond its limits; nothing of the member was written then.
    pub fn add(&mut self, name: &str, packing: Packing) -> io::Result<Member> {
        let (method, data, crc, length) = packing.finish()?;
        let (stored, central) = (data.len() as u64, self.central + (CENTRAL_LEN + name.len()) as u64);
        let end = self.at + LOCAL_LEN + name.len() as u64 + stored;
        if end + central + END_LEN > MAX_FILE || length > MAX_FILE || self.rows.len() >= MAX_MEMBERS {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "an evidence file is below 4 GiB"));
        }
        let row = Row {
            name: name.to_owned(),
            method,
            crc,
            stored: stored as u32,
            length: length as u32,
            offset: self.at as u32,
        };
        self.out.write_all(&row.local())?;
        self.out.write_all(&data)?;
        (self.at, self.central) = (end, central);
        self.rows.push(row);
        Ok(Member { name: name.to_owned(), length, stored, sha256: Sha256::digest(&data).into() })
    }

    /// Writes the central directory and the end record.
    ///
    /// # Errors
    /// Of whoever takes the bytes.
    pub fn finish(mut self) -> io::Result<W> {
        let mut central = Vec::with_capacity(self.central as usize);
        self.rows.iter().for_each(|row| row.central(&mut central));
        let end = end_record(self.rows.len() as u16, central.len() as u32, self.at as u32);
        self.out.write_all(&central)?;
        self.out.write_all(&end)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Where the bytes of a file come from; read at any place, from several threads.
pub trait Source: Sync {
    /// Length of the file in bytes.
    ///
    /// # Errors
    /// What the medium says.
    fn length(&self) -> io::Result<u64>;

    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    /// What the medium says; [`io::ErrorKind::UnexpectedEof`] past the end.
    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;
}

impl Source for [u8] {
    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).ok().and_then(|from| self.get(from..));
        match from.and_then(|from| from.get(..bytes.len())) {
            Some(found) => bytes.copy_from_slice(found),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }
}

/// Why bytes are no such archive.
#[derive(Debug)]
pub enum ZipError {
    /// The medium failed.
    Io(io::Error),
    /// What is wrong, at which byte of the file.
    Damaged(&'static str, u64),
}

impl From<io::Error> for ZipError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads the directory of an archive: every byte of the file but the members' data is compared with what
/// [`Archiver`] writes for these members.
///
/// # Errors
/// The first place that is not as it must be.
pub fn directory<S: Source + ?Sized>(source: &S) -> Result<Vec<Row>, ZipError> {
    let length = source.length()?;
    let damaged = ZipError::Damaged;
    if length > MAX_FILE {
        return Err(damaged("longer than 4 GiB", MAX_FILE));
    }
    let at = length.checked_sub(END_LEN).ok_or(damaged("too short for an archive", 0))?;
    let end = bytes(source, at, END_LEN)?;
    let (members, size, offset) = (u16_at(&end, 10), u32_at(&end, 12), u32_at(&end, 16));
    if end != end_record(members, size, offset) {
        return Err(damaged("the end record is not as it must be", at));
    }
    if u64::from(offset) + u64::from(size) != at {
        return Err(damaged("the central directory is not where the end record says", at));
    }
    if u64::from(size) > u64::from(members) * (CENTRAL_LEN + MAX_NAME) as u64 {
        return Err(damaged("the central directory is too long for its members", u64::from(offset)));
    }
    let central = bytes(source, u64::from(offset), u64::from(size))?;
    let mut rows: Vec<Row> = Vec::with_capacity(usize::from(members));
    let (mut from, mut next) = (0, 0);
    for _ in 0..members {
        let place = u64::from(offset) + from as u64;
        let row =
            read_row(&central[from..]).ok_or(damaged("a row of the central directory is cut off", place))?;
        let mut written = Vec::with_capacity(CENTRAL_LEN + MAX_NAME);
        row.central(&mut written);
        if !central[from..].starts_with(&written) {
            return Err(damaged("a row of the central directory is not as it must be", place));
        }
        if u64::from(row.offset) != next || row.end() > u64::from(offset) {
            return Err(damaged("a member is not where it must be", place));
        }
        let local = row.local();
        if bytes(source, next, local.len() as u64)? != local {
            return Err(damaged("a local header is not that of the central directory", next));
        }
        from += written.len();
        next = row.end();
        rows.push(row);
    }
    if from != central.len() || next != u64::from(offset) {
        return Err(damaged("bytes that belong to no member", next));
    }
    Ok(rows)
}

/// The fields of a row that vary; the caller compares the rest.
fn read_row(bytes: &[u8]) -> Option<Row> {
    let fixed = bytes.get(..CENTRAL_LEN)?;
    let name = bytes.get(CENTRAL_LEN..)?.get(..usize::from(u16_at(fixed, 28)))?;
    let method = match u16_at(fixed, 10) {
        0 => Method::Stored,
        8 => Method::Deflated,
        _ => return None,
    };
    Some(Row {
        name: std::str::from_utf8(name).ok().filter(|name| name.len() <= MAX_NAME)?.to_owned(),
        method,
        crc: u32_at(fixed, 16),
        stored: u32_at(fixed, 20),
        length: u32_at(fixed, 24),
        offset: u32_at(fixed, 42),
    })
}

fn bytes<S: Source + ?Sized>(source: &S, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length as usize];
    source.read(offset, &mut bytes)?;
    Ok(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
