//! A line of `events/…` and of `control.ndjson`: written here, read by [`parse`], which takes nothing else.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use record::canonical::write_string;
use record::commit::{Salt, Seed};
use record::entry::ENTRY_LEN;
use record::facet::{FACETS, Facet, TABLE_VERSION};
use record::stored::{Known, Opening};
use tlog::Hash;

use crate::scan::{Place, Scan};
use crate::text::hex;

/// The longest line, in bytes, its newline included.
pub const MAX_LINE: u64 = 512 << 20;

/// Why facets of a record are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Whoever exported left them out.
    Withheld,
    /// The record at this index says that they were erased.
    Erased(u64),
    /// The record at this index says that their time was over.
    Expired(u64),
}

/// A record to be written: as it is stored, or as much of it as may be shown.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its index.
    pub index: u64,
    /// Its entry.
    pub entry: &'a [u8; ENTRY_LEN],
    /// What opens its digests.
    pub opening: &'a Opening,
    /// Its facets; empty where missing.
    pub facets: [&'a [u8]; FACETS],
}

/// Bytes that are gathered before they go to the compressor.
const PIECE: usize = 64 << 10;

/// Writes a line. The facets must be UTF-8, which they are once the record was checked.
pub(crate) fn write(
    record: &Record<'_>,
    reason: Option<Reason>,
    proof: Option<&[Hash]>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut line = Vec::with_capacity(PIECE + 4096);
    line.extend_from_slice(b"{\"entry\":\"");
    line.extend_from_slice(STANDARD.encode(record.entry).as_bytes());
    line.extend_from_slice(format!("\",\"index\":\"{}\",\"payload\":{{", record.index).as_bytes());
    if let Some(Reason::Erased(by) | Reason::Expired(by)) = reason {
        line.extend_from_slice(format!("\"by\":\"{by}\",").as_bytes());
    }
    if let Opening::Partial(all) = record.opening {
        line.extend_from_slice(b"\"digests\":");
        each(all, &mut line, |known| match known {
            Known::Digest(digest) => Some(hex(digest)),
            Known::Salt(_) => None,
        });
        line.push(b',');
    }
    line.extend_from_slice(b"\"facets\":[");
    for facet in Facet::JSON {
        if facet != Facet::When {
            line.push(b',');
        }
        match record.opening.has(facet) {
            true => write_text(record.facets[facet as usize], &mut line, out)?,
            false => line.extend_from_slice(b"null"),
        }
    }
    line.extend_from_slice(match record.opening {
        Opening::Seed(_) => b"],\"form\":0",
        Opening::Partial(_) => b"],\"form\":1",
    });
    if record.opening.has(Facet::Raw) {
        line.extend_from_slice(b",\"raw\":\"");
        for piece in record.facets[Facet::Raw as usize].chunks(PIECE / 4 * 3) {
            line.extend_from_slice(STANDARD.encode(piece).as_bytes());
            drain(&mut line, out)?;
        }
        line.push(b'"');
    }
    match reason {
        None => {}
        Some(Reason::Withheld) => line.extend_from_slice(b",\"reason\":\"withheld\""),
        Some(Reason::Erased(_)) => line.extend_from_slice(b",\"reason\":\"erased\""),
        Some(Reason::Expired(_)) => line.extend_from_slice(b",\"reason\":\"expired\""),
    }
    match record.opening {
        Opening::Seed(seed) => {
            line.extend_from_slice(format!(",\"seed\":\"{}\"", hex(seed.as_bytes())).as_bytes());
        }
        Opening::Partial(all) => {
            line.extend_from_slice(b",\"salts\":");
            each(all, &mut line, |known| match known {
                Known::Salt(salt) => Some(hex(salt.as_bytes())),
                Known::Digest(_) => None,
            });
        }
    }
    line.extend_from_slice(format!(",\"table_version\":{TABLE_VERSION}}}").as_bytes());
    if let Some(proof) = proof {
        line.extend_from_slice(b",\"proof\":[");
        for (at, hash) in proof.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            line.extend_from_slice(format!("{comma}\"{}\"", hash.to_base64()).as_bytes());
        }
        line.push(b']');
    }
    line.extend_from_slice(b"}\n");
    out.write_all(&line)
}

fn each(all: &[Known; FACETS], line: &mut Vec<u8>, value: impl Fn(&Known) -> Option<String>) {
    for (at, known) in all.iter().enumerate() {
        line.push(if at == 0 { b'[' } else { b',' });
        match value(known) {
            Some(text) => line.extend_from_slice(format!("\"{text}\"").as_bytes()),
            None => line.extend_from_slice(b"null"),
        }
    }
    line.push(b']');
}

/// Writes a facet as a string, piece by piece, so that a large one is not held twice.
fn write_text(facet: &[u8], line: &mut Vec<u8>, out: &mut impl Write) -> io::Result<()> {
    let invalid = |_| io::Error::new(io::ErrorKind::InvalidData, "a facet is not UTF-8");
    let mut rest = std::str::from_utf8(facet).map_err(invalid)?;
    line.push(b'"');
    while !rest.is_empty() {
        let piece;
        (piece, rest) = rest.split_at(rest.floor_char_boundary(PIECE));
        let from = line.len();
        write_string(piece, line);
        // The quotes around the piece.
        line.remove(from);
        line.pop();
        drain(line, out)?;
    }
    line.push(b'"');
    Ok(())
}

fn drain(line: &mut Vec<u8>, out: &mut impl Write) -> io::Result<()> {
    if line.len() >= PIECE {
        out.write_all(line)?;
        line.clear();
    }
    Ok(())
}

/// Reads a line, without its newline, and writes it again: there is one spelling of each. `None` if it is no line.
pub fn respell(line: &[u8]) -> Option<Vec<u8>> {
    let read = parse(line, Default::default()).ok()?;
    let entry: [u8; ENTRY_LEN] = read.entry.try_into().ok()?;
    let facets = std::array::from_fn(|facet| &read.facets[facet][..]);
    let record = Record { index: read.index, entry: &entry, opening: &read.opening, facets };
    let mut out = Vec::new();
    write(&record, read.reason, read.proof.as_deref(), &mut out).ok()?;
    (read.table_version == u64::from(TABLE_VERSION) && out.pop() == Some(b'\n')).then_some(out)
}

/// A line as it was read. Nothing of it is checked but its spelling.
#[derive(Debug)]
pub(crate) struct Read {
    pub index: u64,
    pub entry: Vec<u8>,
    pub opening: Opening,
    /// Empty where missing.
    pub facets: [Vec<u8>; FACETS],
    pub reason: Option<Reason>,
    pub proof: Option<Vec<Hash>>,
    pub table_version: u64,
}

/// Why a line was refused: where, and what was expected there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadLine {
    pub offset: usize,
    pub what: &'static str,
}

/// Reads a line without its newline. `facets` are buffers to be used again.
pub(crate) fn parse(line: &[u8], facets: [Vec<u8>; FACETS]) -> Result<Read, BadLine> {
    let mut scan = Scan::new(line);
    match row(&mut scan, facets) {
        Some(read) if scan.at_end() => Ok(read),
        _ => Err(BadLine { offset: scan.at(), what: scan.wanted().unwrap_or("the end of the line") }),
    }
}

fn row(scan: &mut Scan<'_>, mut facets: [Vec<u8>; FACETS]) -> Option<Read> {
    facets.iter_mut().for_each(Vec::clear);
    if !scan.is_utf8() {
        return None;
    }
    scan.word("{\"entry\":")?;
    let entry = scan.base64(Place::Entry)?;
    scan.word(",\"index\":")?;
    let index = scan.decimal()?;
    scan.word(",\"payload\":{")?;
    let by = match scan.maybe("\"by\":") {
        true => {
            let by = scan.decimal()?;
            scan.word(",")?;
            Some(by)
        }
        false => None,
    };
    let digests = match scan.maybe("\"digests\":") {
        true => {
            let digests: [Option<[u8; 32]>; FACETS] = scan.list(|scan| scan.hex_or_null())?;
            scan.word(",")?;
            Some(digests)
        }
        false => None,
    };
    scan.word("\"facets\":[")?;
    let mut here = [false; FACETS];
    for facet in 0..FACETS - 1 {
        if facet > 0 {
            scan.word(",")?;
        }
        here[facet] = scan.string_or_null(&mut facets[facet])?;
    }
    scan.word(if digests.is_some() { "],\"form\":1," } else { "],\"form\":0," })?;
    if scan.maybe("\"raw\":") {
        here[FACETS - 1] = true;
        scan.base64_into(&mut facets[FACETS - 1])?;
        scan.word(",")?;
    }
    let reason = match (scan.maybe("\"reason\":\""), by) {
        (false, None) => None,
        (true, None) => {
            scan.word("withheld\",")?;
            Some(Reason::Withheld)
        }
        (true, Some(by)) if scan.maybe("erased\",") => Some(Reason::Erased(by)),
        (true, Some(by)) => {
            scan.word("expired\",")?;
            Some(Reason::Expired(by))
        }
        (false, Some(_)) => return scan.want("a reason, since by is there"),
    };
    let opening = match digests {
        None => {
            scan.word("\"seed\":")?;
            let seed = scan.hex()?;
            if here != [true; FACETS] {
                return scan.want("all facets, in form 0");
            }
            Opening::Seed(Seed::from_bytes(seed))
        }
        Some(digests) => {
            scan.word("\"salts\":")?;
            let salts: [Option<[u8; 16]>; FACETS] = scan.list(|scan| scan.hex_or_null())?;
            let mut known = [const { Known::Digest([0; 32]) }; FACETS];
            for facet in 0..FACETS {
                known[facet] = match (here[facet], salts[facet], digests[facet]) {
                    (true, Some(salt), None) => Known::Salt(Salt::from_bytes(salt)),
                    (false, None, Some(digest)) => Known::Digest(digest),
                    _ => return scan.want("for each facet either itself and its salt, or its digest"),
                };
            }
            Opening::Partial(known)
        }
    };
    scan.word(",\"table_version\":")?;
    let table_version = scan.number()?;
    scan.word("}")?;
    let proof = match scan.maybe(",\"proof\":") {
        true => Some(scan.hashes()?),
        false => None,
    };
    scan.word("}")?;
    Some(Read { index, entry, opening, facets, reason, proof, table_version })
}
