//! Writes an evidence file in one pass: records go in, bytes come out, and no more than one part is held.

use std::fmt;
use std::io::{self, Write};

use record::control::Control;
use record::entry::{Entry, Kind};
use record::facet::Facet;
use record::stored::{self, Opening};
use sha2::{Digest, Sha256};
use tlog::{Checkpoint, Hash, UnverifiedCheckpoint, VerifierKey};

use crate::anchors::{Anchor, RangeProof};
use crate::manifest::{MAX_TEXT, Manifest, Selection, in_order};
use crate::note;
use crate::people::{self, Told};
use crate::row::{self, Reason, Record};
use crate::tally::Tally;
use crate::zip::{Archiver, Member, Method, Packing};

/// Most lines of a part.
pub const PART_LINES: u64 = 4096;
/// No line begins past this many bytes of a part.
pub const PART_TEXT: u64 = 16 << 20;
/// Gaps and clock jumps that the summary shows.
const TOLD: usize = 1000;

/// What a file is for, before its records are known.
#[derive(Clone, Debug)]
pub struct About {
    /// The case it is for.
    pub case: String,
    /// Why it is made.
    pub purpose: String,
    /// When, in Unix milliseconds.
    pub exported_ms: u64,
    /// Id of the token of whoever makes it.
    pub exporter_id: String,
    /// Label of that token.
    pub exporter_label: String,
    /// Name and version of the program.
    pub program: String,
    /// The ledger's key.
    pub vkey: String,
    /// The ledger's random id.
    pub ledger_id: [u8; 32],
    /// What was asked for.
    pub selection: Selection,
    /// Facets to leave out, in any order; `raw` goes with any of them.
    pub withheld: Vec<Facet>,
    /// The signed checkpoint that every proof leads to.
    pub checkpoint: String,
}

/// A file that was written.
#[derive(Clone, Debug)]
pub struct Finished {
    /// SHA-256 of `manifest.json`: what is signed, and what is put on record.
    pub manifest_sha256: [u8; 32],
    /// The manifest.
    pub manifest: Manifest,
}

/// Why a file could not be written.
#[derive(Debug)]
pub enum WriteError {
    /// Whoever takes the bytes failed, or the file would be beyond 4 GiB ([`io::ErrorKind::FileTooLarge`]).
    Io(io::Error),
    /// The record at this index is not what its entry commits to, or can't be put into a file.
    Unsound(u64, String),
    /// What was asked for can't be a file.
    Request(String),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Unsound(index, why) => write!(f, "the record at index {index} can't be exported: {why}"),
            Self::Request(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for WriteError {}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A file being written.
pub struct Writer<W> {
    archive: Archiver<W>,
    about: About,
    checkpoint: Checkpoint,
    members: Vec<Member>,
    tally: Tally,
    told: Vec<Told>,
    /// Keys that the ledger has had, by the index of the record that names them.
    keys: Vec<(u64, String)>,
    anchors: usize,
    parts: u64,
    part: Option<Part>,
    control: Option<Packing>,
    next: u64,
    next_control: u64,
}

struct Part {
    packing: Packing,
    lines: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a file; `range` is there exactly if the selection has no query.
    ///
    /// # Errors
    /// As for [`WriteError`].
    pub fn begin(
        out: W,
        mut about: About,
        anchors: &[Anchor],
        range: Option<&RangeProof>,
    ) -> Result<Self, WriteError> {
        let request = |why: &str| Err(WriteError::Request(why.to_owned()));
        about.withheld.sort_unstable_by_key(|facet| *facet as u8);
        about.withheld.dedup();
        if !about.withheld.is_empty() && !about.withheld.contains(&Facet::Raw) {
            about.withheld.push(Facet::Raw);
        }
        if !in_order(&about.withheld) {
            return request("facet when can't be withheld: it holds time and number of the record");
        }
        let texts = [&about.case, &about.purpose, &about.exporter_id, &about.exporter_label];
        if texts.into_iter().chain(&about.selection.query).any(|text| text.len() > MAX_TEXT) {
            return request("case, purpose, query and labels have at most 1,024 bytes");
        }
        let checkpoint = UnverifiedCheckpoint::parse(about.checkpoint.as_bytes());
        let checkpoint =
            checkpoint.map_err(|error| WriteError::Request(error.to_string()))?.claimed().clone();
        let Selection { from, end, ref query, .. } = about.selection;
        if from > end || end > checkpoint.size || from == end && query.is_none() {
            return request("the selection is empty or reaches beyond the checkpoint");
        }
        if range.map(|range| (range.from, range.end)) != query.is_none().then_some((from, end)) {
            return request("a range needs the proof of its own place, a query has none");
        }
        let archive = Archiver::new(out);
        let mut writer = Self {
            archive,
            checkpoint,
            members: Vec::new(),
            tally: Tally::default(),
            told: Vec::new(),
            keys: Vec::new(),
            anchors: anchors.len(),
            parts: 0,
            part: None,
            control: None,
            next: from,
            next_control: 0,
            about,
        };
        writer.add("README.txt", Method::Deflated, people::readme(&writer.about).as_bytes())?;
        let note = writer.about.checkpoint.clone();
        writer.add("checkpoint", Method::Stored, note.as_bytes())?;
        let lines: Vec<u8> = anchors.iter().flat_map(Anchor::to_text).collect();
        writer.add("anchors.ndjson", Method::Deflated, &lines)?;
        if let Some(range) = range {
            writer.add("range.json", Method::Deflated, &range.to_text())?;
        }
        Ok(writer)
    }

    /// Adds a record of the selection, as it is stored; what is to be withheld is left out here. `proof` of a query's
    /// record only.
    ///
    /// # Errors
    /// As for [`WriteError`]; a record that is not what its entry commits to is never written.
    pub fn record(&mut self, record: &Record<'_>, proof: Option<&[Hash]>) -> Result<(), WriteError> {
        let unsound = |why: &str| WriteError::Unsound(record.index, why.to_owned());
        let (first, last) = (self.next, self.about.selection.end);
        let is_query = self.about.selection.query.is_some();
        if record.index < first || record.index >= last || !is_query && record.index != first {
            return Err(unsound("it is not the next of the selection"));
        }
        if proof.is_some() != is_query || self.control.is_some() {
            return Err(unsound("records of a query have proofs, and control records come after"));
        }
        let entry = self.check(record)?;
        let control = entry.kind.is_control();
        if part_is_full(self.part.as_ref()) {
            self.close_part()?;
        }
        let part =
            self.part.get_or_insert_with(|| Part { packing: Packing::new(Method::Deflated), lines: 0 });
        let from = part.packing.length();
        let reason = match control || self.about.withheld.is_empty() {
            true => {
                row::write(record, None, proof, &mut part.packing)?;
                None
            }
            false => {
                let digests = stored::digests(record.opening, &record.facets);
                let digests = digests.map_err(|error| unsound(&error.to_string()))?;
                let opening = record.opening.without(&self.about.withheld, &digests);
                let shown = Record { opening: &opening, ..*record };
                row::write(&shown, Some(Reason::Withheld), proof, &mut part.packing)?;
                Some(Reason::Withheld)
            }
        };
        if part.packing.length() - from > row::MAX_LINE {
            return Err(unsound("its line would be longer than 512 MiB"));
        }
        part.lines += 1;
        self.next = record.index + 1;
        self.tally.add(&entry, reason);
        if control {
            self.hear(record, &entry)?;
        }
        Ok(())
    }

    /// Adds a control record that is not in the selection, after all records of it, with its proof.
    ///
    /// # Errors
    /// As for [`Writer::record`].
    pub fn control(&mut self, record: &Record<'_>, proof: &[Hash]) -> Result<(), WriteError> {
        let entry = self.check(record)?;
        if !is_kept(entry.kind) || record.index < self.next_control {
            let why = "it is no control record that is kept, or not the next one";
            return Err(WriteError::Unsound(record.index, why.to_owned()));
        }
        let packing = self.control.get_or_insert_with(|| Packing::new(Method::Deflated));
        row::write(record, None, Some(proof), packing)?;
        self.next_control = record.index + 1;
        self.hear(record, &entry)
    }

    /// Writes what comes after the records. `sign` makes the note of a manifest with this SHA-256, see
    /// [`crate::note::sign`].
    ///
    /// # Errors
    /// As for [`WriteError`].
    pub fn finish(
        mut self,
        sign: impl FnOnce(&[u8; 32]) -> Result<String, String>,
    ) -> Result<(W, Finished), WriteError> {
        self.close_part()?;
        let selection = &self.about.selection;
        if selection.query.is_none() && self.next != selection.end {
            let why = "the store does not hold it".to_owned();
            return Err(WriteError::Unsound(self.next, why));
        }
        let control = self.control.take().unwrap_or_else(|| Packing::new(Method::Deflated));
        self.members.push(self.archive.add("control.ndjson", control)?);
        let sources = self.tally.sources().map_err(|(source, epoch)| {
            WriteError::Request(format!("epoch {epoch} of source {source} was never admitted"))
        })?;
        let mut manifest = Manifest {
            case: self.about.case.clone(),
            purpose: self.about.purpose.clone(),
            exported_ms: self.about.exported_ms,
            exporter_id: self.about.exporter_id.clone(),
            exporter_label: self.about.exporter_label.clone(),
            program: self.about.program.clone(),
            origin: self.checkpoint.origin.to_string(),
            vkey: self.about.vkey.clone(),
            ledger_id: self.about.ledger_id,
            size: self.checkpoint.size,
            root: self.checkpoint.root,
            selection: self.about.selection.clone(),
            withheld: self.about.withheld.clone(),
            counts: self.tally.counts,
            sources,
            gaps: self.tally.gaps(),
            members: Vec::new(),
        };
        self.keys.sort_by_key(|(index, _)| *index);
        let summary =
            people::summary(&manifest, &self.told, &self.keys, &self.about.checkpoint, self.anchors);
        self.add("summary.html", Method::Deflated, summary.as_bytes())?;
        manifest.members = std::mem::take(&mut self.members);
        let text = manifest.to_text();
        let manifest_sha256: [u8; 32] = Sha256::digest(&text).into();
        self.add("manifest.json", Method::Stored, &text)?;
        let note = sign(&manifest_sha256).map_err(WriteError::Request)?;
        // A key that was changed meanwhile has signed it: nobody would take such a file.
        let vkey =
            VerifierKey::parse(&manifest.vkey).map_err(|error| WriteError::Request(error.to_string()))?;
        note::check(note.as_bytes(), &manifest.origin, &manifest_sha256, &vkey)
            .map_err(WriteError::Request)?;
        self.add("manifest.note", Method::Stored, note.as_bytes())?;
        Ok((self.archive.finish()?, Finished { manifest_sha256, manifest }))
    }

    /// The record is what its entry commits to, and nothing of it is missing.
    fn check(&self, record: &Record<'_>) -> Result<Entry, WriteError> {
        let unsound = |why: String| WriteError::Unsound(record.index, why);
        let entry = Entry::decode(record.entry).map_err(|error| unsound(error.to_string()))?;
        if !Facet::ALL.into_iter().all(|facet| record.opening.has(facet)) {
            return Err(unsound("part of it was erased, and no record that says so is known".to_owned()));
        }
        stored::check(&entry, &self.about.ledger_id, record.opening, &record.facets)
            .map_err(|error| unsound(error.to_string()))?;
        Ok(entry)
    }

    fn hear(&mut self, record: &Record<'_>, entry: &Entry) -> Result<(), WriteError> {
        let what = record.facets[Facet::What as usize];
        // A payload that this version does not know is written like any other: a verifier says so.
        let Ok(control) = Control::parse(entry.kind, what) else { return Ok(()) };
        self.tally.hear(record.index, &control);
        self.keys.extend(people::key_named(&control).map(|vkey| (record.index, vkey)));
        if self.told.len() < TOLD
            && let Some(told) = Told::of(record.index, entry.received_ms, &control)
        {
            self.told.push(told);
        }
        Ok(())
    }

    fn close_part(&mut self) -> Result<(), WriteError> {
        if let Some(part) = self.part.take() {
            let name = part_name(self.parts);
            self.members.push(self.archive.add(&name, part.packing)?);
            self.parts += 1;
        }
        Ok(())
    }

    fn add(&mut self, name: &str, method: Method, text: &[u8]) -> Result<(), WriteError> {
        let mut packing = Packing::new(method);
        packing.write_all(text)?;
        self.members.push(self.archive.add(name, packing)?);
        Ok(())
    }
}

fn part_is_full(part: Option<&Part>) -> bool {
    part.is_some_and(|part| part.lines >= PART_LINES || part.packing.length() > PART_TEXT)
}

/// Name of a part of the records.
pub(crate) fn part_name(number: u64) -> String {
    format!("events/{number:08}.ndjson")
}

/// Whether a record of this kind stands in `control.ndjson` if it is outside the selection.
pub fn is_kept(kind: Kind) -> bool {
    kind.is_control() && !matches!(kind, Kind::Heartbeat | Kind::Sealed)
}

/// Whether the record lies there in whole.
pub(crate) fn is_whole(opening: &Opening) -> bool {
    Facet::ALL.into_iter().all(|facet| opening.has(facet))
}
