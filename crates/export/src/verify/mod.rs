//! All checks over an evidence file: `docs/evidence-file.md` section 6, E1 to E13.
//!
//! Parts with records are read by several threads at once, and what is kept of them is taken in their order; so memory is
//! bounded by a part for each thread. After damage it goes on as far as it can, since where the damage is matters too.

mod members;
mod order;
mod report;
mod rows;

use std::io;

use record::control::{Control, Genesis};
use record::entry::{Entry, Kind};
use record::facet::Facet;
use sha2::{Digest, Sha256};
use tlog::{
    Checkpoint, Hash, UnverifiedCheckpoint, VerifierKey, leaf_hash, verify_consistency, verify_inclusion,
};

use crate::anchors::{Anchor, Neighbour, RangeProof};
use crate::manifest::Manifest;
use crate::note;
use crate::zip::{Source, ZipError};
use members::{ANCHORS, CHECKPOINT, Members, README, lines, pieces, whole};
use order::{Beside, Order};
use rows::{Class, Outcome};

pub use evidence::verify::Verdict;
pub use report::{Check, Damage, Report};

/// What a verification is given from outside the file.
pub struct Options<'a> {
    /// The ledger's key, from somebody who is trusted.
    pub key: Option<&'a VerifierKey>,
    /// Keys of witnesses.
    pub witnesses: &'a [VerifierKey],
    /// How many threads may work.
    pub threads: usize,
    /// Told records done and records in all.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { key: None, witnesses: &[], threads: 1, progress: &|_, _| {} }
    }
}

/// Why a member could not be read.
#[derive(Debug)]
enum Failed {
    Io(io::Error),
    Damaged(&'static str),
}

/// What records are checked against.
struct Given<'a> {
    ledger_id: &'a [u8; 32],
    size: u64,
    root: Hash,
    withheld: &'a [Facet],
}

/// Verifies a file.
pub fn verify<S: Source + ?Sized>(source: &S, options: &Options<'_>) -> Report {
    let mut report = Report { bytes: source.length().unwrap_or(0), ..Report::default() };
    let members = match Members::open(source) {
        Ok(members) => members,
        Err(ZipError::Io(error)) => {
            report.undecided(format!("the file can't be read: {error}"));
            return report;
        }
        Err(ZipError::Damaged(what, offset)) => {
            report.find(Damage::new(Check::Container, "archive", format!("{what}, byte {offset}")));
            return report;
        }
    };
    let mut run = Run { source, options, members, report, has_key_records: false };
    if let Some((manifest, vkey)) = run.manifest() {
        run.contents(&manifest, vkey.as_ref());
        run.report.manifest = Some(manifest);
    }
    run.report
}

struct Run<'a, S: ?Sized> {
    source: &'a S,
    options: &'a Options<'a>,
    members: Members,
    report: Report,
    /// Whether the ledger has key records, none of which this version can read.
    has_key_records: bool,
}

impl<S: Source + ?Sized> Run<'_, S> {
    /// E2 and what of E3 is in the manifest itself.
    fn manifest(&mut self) -> Option<(Manifest, Option<VerifierKey>)> {
        let text = self.whole(self.members.manifest())?.0;
        let note = self.whole(self.members.note())?.0;
        let manifest = match Manifest::parse(&text) {
            Ok(manifest) => manifest,
            Err(error) => {
                self.find(Check::Manifest, "manifest.json", error);
                return None;
            }
        };
        let vkey = match VerifierKey::parse(&manifest.vkey) {
            Ok(vkey) => Some(vkey),
            Err(error) => {
                self.find(Check::Note, "manifest.json", format!("vkey: {error}"));
                None
            }
        };
        let sha256 = Sha256::digest(&text).into();
        let signed = vkey.as_ref().map(|vkey| note::check(&note, &manifest.origin, &sha256, vkey));
        if let Some(Err(error)) = signed {
            self.find(Check::Note, "manifest.note", error);
        }
        let rows = &self.members.rows[..self.members.manifest()];
        let fits = rows.len() == manifest.members.len()
            && rows.iter().zip(&manifest.members).all(|(row, member)| {
                row.name == member.name
                    && u64::from(row.length) == member.length
                    && u64::from(row.stored) == member.stored
            });
        if !fits {
            self.find(Check::Manifest, "manifest.json", "its members are not those of the archive");
        }
        let selection = &manifest.selection;
        let (from, end) = (selection.from, selection.end);
        let is_query = selection.query.is_some();
        if from > end || end > manifest.size || from == end && !is_query {
            self.find(
                Check::Place,
                "manifest.json",
                "the selection is empty or reaches beyond the checkpoint",
            );
        }
        if is_query == self.members.range.is_some() {
            self.find(Check::Container, "range.json", "a range has it, and a query does not");
            return None;
        }
        Some((manifest, vkey))
    }

    /// Everything that the manifest names.
    fn contents(&mut self, manifest: &Manifest, vkey: Option<&VerifierKey>) {
        for at in [README, self.members.summary()] {
            let row = self.members.rows[at].clone();
            let read = pieces(self.source, &row, &mut |_| Ok(()));
            self.hashed(at, read, manifest);
        }
        let checkpoint = self.checkpoint(manifest, vkey);
        let range = self.range(manifest);
        let given = Given {
            ledger_id: &manifest.ledger_id,
            size: manifest.size,
            root: manifest.root,
            withheld: &manifest.withheld,
        };
        let control_at = self.members.control();
        let control = rows::check(self.source, &self.members.rows[control_at], Class::Control, &given);
        let mut beside = self.neighbours(manifest, range.as_ref());
        beside.extend(control.heads.iter().map(|head| Beside {
            index: head.index,
            received_ms: head.entry.map(|entry| entry.received_ms),
            neighbour: false,
        }));
        if control.heads.windows(2).any(|pair| pair[0].index >= pair[1].index) {
            self.find(Check::Control, "control.ndjson", "lines are not in rising order of index");
        }
        let mut order = Order::new(manifest, range.as_ref(), beside, &mut self.report);
        let erases = |entry: &Entry| entry.kind == Kind::Erase;
        let heads = control.heads.iter().filter(|head| head.entry.as_ref().is_some_and(erases));
        order.erasers.extend(heads.map(|head| head.index));
        let mut genesis = None;
        order.has_unknown |= control.heads.iter().any(|head| head.is_unknown);
        self.took(control_at, control, manifest, &mut order, &mut genesis, false);
        let class = if manifest.selection.query.is_some() { Class::Query } else { Class::Range };
        self.parts(manifest, &given, class, &mut order, &mut genesis);
        order.finish(range.as_ref(), &mut self.report);
        self.genesis(manifest, genesis.as_ref(), vkey);
        self.anchors(manifest, checkpoint.as_ref(), genesis.as_ref(), vkey);
    }

    /// E6 for all parts, some at a time.
    fn parts(
        &mut self,
        manifest: &Manifest,
        given: &Given<'_>,
        class: Class,
        order: &mut Order<'_>,
        genesis: &mut Option<Genesis>,
    ) {
        let total = manifest.counts.total();
        let (source, threads) = (self.source, self.options.threads.max(1));
        let parts: Vec<usize> = self.members.parts.clone().collect();
        let mut done = 0;
        for some in parts.chunks(threads) {
            let rows = &self.members.rows;
            let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
                let (first, others) = (some[0], &some[1..]);
                let work = |at: usize| rows::check(source, &rows[at], class, given);
                let running: Vec<_> = others.iter().map(|at| (*at, scope.spawn(move || work(*at)))).collect();
                let mut outcomes = vec![work(first)];
                // A thread that could not finish is one part read again: nothing is passed over.
                outcomes.extend(running.into_iter().map(|(at, run)| run.join().unwrap_or_else(|_| work(at))));
                outcomes
            });
            for (at, outcome) in some.iter().zip(outcomes) {
                done += outcome.heads.len() as u64;
                self.took(*at, outcome, manifest, order, genesis, true);
                (self.options.progress)(done, total);
            }
        }
    }

    /// Takes in what was found in a member, in its order.
    fn took(
        &mut self,
        at: usize,
        outcome: Outcome,
        manifest: &Manifest,
        order: &mut Order<'_>,
        genesis: &mut Option<Genesis>,
        selected: bool,
    ) {
        if let Some(sha256) = outcome.sha256 {
            self.hashed(at, Ok(sha256), manifest);
        }
        let name = &self.members.rows[at].name;
        self.report.records += outcome.good;
        let changes_key = |entry: &Entry| entry.kind == Kind::Key;
        self.has_key_records |= outcome.heads.iter().any(|head| head.entry.as_ref().is_some_and(changes_key));
        for head in outcome.heads.iter().filter(|_| selected) {
            order.take(head, name, &mut self.report);
        }
        for (index, control) in outcome.controls {
            order.tally.hear(index, &control);
            match control {
                Control::Genesis(found) if index == 0 => *genesis = Some(found),
                Control::Timestamp(_) => self.report.timestamps += 1,
                _ => {}
            }
        }
        self.report.merge(outcome.damaged, outcome.damage, outcome.undecided);
    }

    /// E4.
    fn checkpoint(&mut self, manifest: &Manifest, vkey: Option<&VerifierKey>) -> Option<Checkpoint> {
        let (note, sha256) = self.whole(CHECKPOINT)?;
        self.hashed(CHECKPOINT, Ok(sha256), manifest);
        let keys = Vec::from_iter(vkey.cloned());
        let parsed = UnverifiedCheckpoint::parse(&note);
        let signatures = parsed.as_ref().map_or(0, |parsed| parsed.note().signatures().len());
        let checked = parsed.clone().and_then(|parsed| parsed.verify(&manifest.origin, &keys, &[]));
        let checkpoint = match checked {
            Ok(verified) => verified.checkpoint().clone(),
            Err(error) => {
                self.find(Check::Checkpoint, "checkpoint", error);
                return None;
            }
        };
        if (checkpoint.size, checkpoint.root) != (manifest.size, manifest.root) {
            self.find(Check::Checkpoint, "checkpoint", "another size or root than the manifest says");
        }
        self.report.cosignatures = signatures.saturating_sub(1);
        if !self.options.witnesses.is_empty() {
            match parsed.and_then(|parsed| parsed.verify(&manifest.origin, &keys, self.options.witnesses)) {
                Ok(verified) => {
                    let names =
                        verified.cosignatures().iter().map(|signature| signature.key().name().to_owned());
                    self.report.witnesses = names.collect();
                }
                Err(error) => self.find(Check::Witnesses, "checkpoint", error),
            }
        }
        Some(checkpoint)
    }

    fn range(&mut self, manifest: &Manifest) -> Option<RangeProof> {
        let at = self.members.range?;
        let (text, sha256) = self.whole(at)?;
        self.hashed(at, Ok(sha256), manifest);
        match RangeProof::parse(&text) {
            Ok(range) if (range.from, range.end) == (manifest.selection.from, manifest.selection.end) => {
                Some(range)
            }
            Ok(_) => {
                self.find(Check::Place, "range.json", "another range than the manifest says");
                None
            }
            Err(error) => {
                self.find(Check::Place, "range.json", error);
                None
            }
        }
    }

    /// The entries beside a range: there, in the tree, and not of the time that was asked for.
    fn neighbours(&mut self, manifest: &Manifest, range: Option<&RangeProof>) -> Vec<Beside> {
        let Some(range) = range else { return Vec::new() };
        let selection = &manifest.selection;
        let mut found = Vec::new();
        let sides: [(&str, Option<u64>, &Option<Neighbour>); 2] = [
            ("before", range.from.checked_sub(1), &range.before),
            ("after", (range.end < manifest.size).then_some(range.end), &range.after),
        ];
        for (name, index, neighbour) in sides {
            let (index, neighbour) = match (index, neighbour) {
                (None, None) => continue,
                (Some(index), Some(neighbour)) => (index, neighbour),
                _ => {
                    self.find(
                        Check::Place,
                        "range.json",
                        format!("{name} is missing, or should not be here"),
                    );
                    continue;
                }
            };
            let leaf = leaf_hash(&neighbour.entry);
            if let Err(error) =
                verify_inclusion(index, manifest.size, &leaf, &neighbour.proof, &manifest.root)
            {
                self.find(
                    Check::Place,
                    "range.json",
                    format!("{name} is not in the tree at its index: {error}"),
                );
                continue;
            }
            let Ok(entry) = Entry::decode(&neighbour.entry) else {
                self.report
                    .undecided(format!("range.json: {name} is an entry of an unknown version or kind"));
                continue;
            };
            let received = entry.received_ms;
            let within = match name {
                "before" => selection.from_ms.is_some_and(|from| received >= from),
                _ => selection.to_ms.is_some_and(|to| received < to),
            };
            if within {
                let what = format!("{name} was received within the time of the selection, and is not in it");
                self.find(Check::Place, "range.json", what);
            }
            found.push(Beside { index, received_ms: Some(received), neighbour: true });
        }
        found
    }

    /// E5 and E13.
    fn genesis(&mut self, manifest: &Manifest, genesis: Option<&Genesis>, vkey: Option<&VerifierKey>) {
        match genesis {
            None => {
                self.find(Check::Genesis, "control.ndjson", "the genesis is not in the file, or not readable")
            }
            Some(genesis) => {
                let wrong = [
                    ("ledger_id", genesis.ledger_id != manifest.ledger_id),
                    ("origin", genesis.origin != manifest.origin),
                    ("vkey", genesis.log_vkey != manifest.vkey && !self.has_key_records),
                ];
                for (name, _) in wrong.into_iter().filter(|(_, wrong)| *wrong) {
                    self.find(Check::Genesis, "manifest.json", format!("{name} is not that of the genesis"));
                }
            }
        }
        match self.options.key {
            None => {}
            Some(key) if vkey == Some(key) => self.report.pinned = true,
            Some(_) => {
                self.find(
                    Check::Key,
                    "manifest.json",
                    "the file is signed by another key than the one you gave",
                );
            }
        }
    }

    /// E11.
    fn anchors(
        &mut self,
        manifest: &Manifest,
        checkpoint: Option<&Checkpoint>,
        genesis: Option<&Genesis>,
        vkey: Option<&VerifierKey>,
    ) {
        let mut keys = Vec::from_iter(vkey.cloned());
        keys.extend(genesis.and_then(|genesis| VerifierKey::parse(&genesis.log_vkey).ok()));
        keys.dedup();
        let (mut size, mut found, mut good, mut timestamps) = (None, Vec::new(), 0, 0);
        let row = self.members.rows[ANCHORS].clone();
        let read = lines(self.source, &row, &mut |line, _, text| {
            let checked = anchor(text, &keys, manifest, checkpoint, &mut size);
            match checked {
                Ok(tokens) => (good, timestamps) = (good + 1, timestamps + tokens),
                Err(error) => found.push(Damage::new(Check::Anchors, &row.name, error).line(line)),
            }
        });
        self.hashed(ANCHORS, read, manifest);
        found.into_iter().for_each(|damage| self.report.find(damage));
        self.report.anchors = good;
        self.report.timestamps += timestamps;
    }

    /// The data of a member has the hash that the manifest says.
    fn hashed(&mut self, at: usize, read: Result<[u8; 32], Failed>, manifest: &Manifest) {
        let name = self.members.rows[at].name.clone();
        match read {
            Ok(sha256) => {
                if manifest.members.get(at).is_none_or(|member| member.sha256 != sha256) {
                    self.find(Check::Manifest, &name, "its data has another hash than the manifest says");
                }
            }
            Err(Failed::Damaged(what)) => self.find(Check::Container, &name, what),
            Err(Failed::Io(error)) => self.report.undecided(format!("{name} can't be read: {error}")),
        }
    }

    fn whole(&mut self, at: usize) -> Option<(Vec<u8>, [u8; 32])> {
        let row = self.members.rows[at].clone();
        match whole(self.source, &row) {
            Ok(found) => Some(found),
            Err(Failed::Damaged(what)) => {
                self.find(Check::Container, &row.name, what);
                None
            }
            Err(Failed::Io(error)) => {
                self.report.undecided(format!("{} can't be read: {error}", row.name));
                None
            }
        }
    }

    fn find(&mut self, check: Check, member: &str, what: impl std::fmt::Display) {
        self.report.find(Damage::new(check, member, what));
    }
}

/// One line of `anchors.ndjson`. Returns how many timestamps it has.
fn anchor(
    text: &[u8],
    keys: &[VerifierKey],
    manifest: &Manifest,
    checkpoint: Option<&Checkpoint>,
    size: &mut Option<u64>,
) -> Result<usize, String> {
    let anchor = Anchor::parse(&[text, b"\n"].concat())?;
    let parsed = UnverifiedCheckpoint::parse(anchor.checkpoint.as_bytes());
    let verified = parsed.and_then(|parsed| parsed.verify(&manifest.origin, keys, &[]));
    let verified = verified.map_err(|error| error.to_string())?;
    let earlier = verified.checkpoint();
    if size.replace(earlier.size).is_some_and(|before| before >= earlier.size) {
        return Err("sizes do not rise".to_owned());
    }
    if earlier.size == manifest.size && checkpoint.is_some_and(|checkpoint| checkpoint != earlier) {
        return Err("another root for the size of the checkpoint".to_owned());
    }
    verify_consistency(earlier.size, manifest.size, &earlier.root, &manifest.root, &anchor.consistency)
        .map_err(|error| format!("the tree of the checkpoint does not begin with it: {error}"))?;
    Ok(anchor.timestamps.len())
}
