//! Holding kept receipts, proofs and the checkpoints of evidence files against what a server shows now. If they can't both be true, that is kept as proof.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use ::monitor::{
    Finding, Found, HttpSource, Kept, Promise, Source, State, Tree, contradiction, discover, finding_of,
};
use env::{Clock as _, SystemEnv};
use evidence::verify::Verdict;
use net::{HttpNet, Plain};
use record::receipt::{Receipt, ReceiptError};
use serde_json::{Value, json};
use storage::LocalDisk;
use tlog::{Checkpoint, TlogProof, UnverifiedCheckpoint, VerifierKey};

use super::heirs::{self, Heir, Worth};
use super::verify::{PROOF_HEADER, anchored, evidence_report, show};
use super::{Client, find, prove, receipts, tls_settings};
use crate::cli::Verify;
use crate::failure::{About, Failure};
use crate::terminal;

/// How many of those that do not hold are told one by one.
const SHOWN: usize = 20;

/// What came of all of them.
#[derive(Default)]
struct Summary {
    /// Origin, size and root, in base64, of what they were held against.
    against: Vec<(String, u64, String)>,
    held: u64,
    not_yet: u64,
    /// Those that do not hold: of what, which entry of it, why, and where that is kept.
    broken: Vec<(String, Option<u64>, String, Option<String>)>,
    /// Those of a ledger that another continues, whose entries lie beyond what is continued: of what, and which entry.
    lost: Vec<(String, u64)>,
    /// What continues it, and from where.
    heirs: Vec<(String, String, u64)>,
    undecided: Vec<String>,
}

/// What was kept of one log.
#[derive(Default)]
struct Papers {
    promises: Vec<(String, Promise)>,
    /// Checkpoints of evidence files whose signatures hold.
    notes: Vec<Noted>,
}

/// A checkpoint of an evidence file.
struct Noted {
    label: String,
    /// The keys of the log that the file knows.
    keys: Vec<VerifierKey>,
    checkpoint: Checkpoint,
    note: String,
}

pub(super) fn run(args: &Verify, key: Option<VerifierKey>) -> Result<(), Failure> {
    let mut summary = Summary::default();
    let all = read_all(args, key.as_ref(), &mut summary)?;
    let net = Arc::new(HttpNet::new(&tls_settings(&args.server), Plain::Anywhere)?);
    let base = find::server(&args.server)?;
    let ledgers = discover(net.as_ref(), &base).map_err(Failure::trouble)?;
    // Hash tiles may be open or not. A token goes where nobody else reads it, and not at all if there is none.
    let safe =
        find::is_tls(&base) || net::is_loopback(&base) || args.server.channel.danger_send_token_without_tls;
    let token = match find::token(&args.server) {
        Ok((token, _)) if safe => Some(token),
        Err(failure) if args.server.token_file.is_some() => return Err(failure),
        _ => None,
    };
    let source = |ledger: &Found| HttpSource::new(net.clone(), &ledger.prefix, token.clone());
    let missing = all.keys().any(|origin| ledgers.iter().all(|ledger| ledger.origin != *origin));
    let heirs = match (missing, &token) {
        (true, Some(_)) => heirs::heirs(&Client::new(&args.server)?, &ledgers, key.as_ref(), &source)?,
        _ => Vec::new(),
    };
    for (origin, papers) in all {
        if let Some(heir) = heirs.iter().find(|heir| heir.old.origin == origin) {
            summary.recovered(heir, &papers);
            continue;
        }
        let Some(ledger) = ledgers.iter().find(|ledger| ledger.origin == origin) else {
            summary.undecided.push(format!("the server at {base} has no ledger {origin}"));
            continue;
        };
        hold(args, ledger, key.as_ref(), &source(ledger), &papers, &mut summary)?;
    }
    let verdict = anchored(args, summary.verdict(), key.is_some());
    if key.is_none() && verdict == Verdict::Proven {
        terminal::tell(
            "warning: key not pinned: the server itself named the key; give the one you got elsewhere with --key",
        );
    }
    show(args, verdict, summary.json(verdict), &summary.text(verdict))
}

/// What is in all files, by the origin of their log.
fn read_all(
    args: &Verify,
    key: Option<&VerifierKey>,
    summary: &mut Summary,
) -> Result<BTreeMap<String, Papers>, Failure> {
    let mut all: BTreeMap<String, Papers> = BTreeMap::new();
    let raw = match &args.raw {
        Some(raw) if args.more.is_empty() => Some(fs::read(raw).about("read", raw)?),
        Some(_) => return Err(Failure::trouble("--raw is of one receipt")),
        None => None,
    };
    for file in std::iter::once(&args.what).chain(&args.more) {
        if verifier::is_evidence_file(Path::new(file)).about("read", Path::new(file))? {
            if args.policy.is_some() {
                return Err(Failure::trouble(
                    "an evidence file is held against a policy without --server: --policy",
                ));
            }
            if let Some((origin, notes)) = of_evidence(file, key, summary)? {
                all.entry(origin).or_default().notes.extend(notes);
            }
            continue;
        }
        let bytes = fs::read(file).about("read", Path::new(file))?;
        let mut take = |label: String, read: Result<(String, Promise), ReceiptError>| match read {
            Ok((origin, promise)) => all.entry(origin).or_default().promises.push((label, promise)),
            Err(error @ ReceiptError::TableVersion(_)) => summary.undecided.push(format!("{label}: {error}")),
            Err(ReceiptError::NoProof) => {
                summary.undecided.push(format!("{label}: the proof does not hold the entry that it is of"));
            }
            Err(error) => summary.broken.push((label, None, error.to_string(), None)),
        };
        if receipts::is_receipts_file(&bytes) {
            if raw.is_some() {
                return Err(Failure::trouble("--raw is of one receipt"));
            }
            for (at, line) in
                bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty())
            {
                let value: Value = serde_json::from_slice(line).unwrap_or_default();
                let receipt = value.get("receipt").map(ToString::to_string).unwrap_or_default();
                take(format!("{file} line {}", at + 1), of_receipt(receipt.as_bytes(), None));
            }
        } else if bytes.starts_with(PROOF_HEADER) {
            take(file.clone(), of_proof(&bytes, raw.as_deref()));
        } else {
            take(file.clone(), of_receipt(bytes.trim_ascii_end(), raw.as_deref()));
        }
    }
    Ok(all)
}

/// The checkpoints of an evidence file, if it holds by itself; else it is told what is wrong with it.
fn of_evidence(
    file: &str,
    key: Option<&VerifierKey>,
    summary: &mut Summary,
) -> Result<Option<(String, Vec<Noted>)>, Failure> {
    let path = Path::new(file);
    let report = evidence_report(path, key, None, None)?;
    if let Some(damage) = report.damage.first() {
        let more = report.damaged.saturating_sub(1);
        let why = format!("{damage}; {more} more: ledgerstone verify {file}");
        summary.broken.push((file.to_owned(), None, why, None));
        return Ok(None);
    }
    summary.undecided.extend(report.undecided.iter().map(|why| format!("{file}: {why}")));
    let Some(manifest) = &report.manifest else { return Ok(None) };
    let mut keys = Vec::from_iter(VerifierKey::parse(&manifest.vkey).ok());
    keys.extend(report.history.iter().flat_map(|history| history.keys()).map(|(_, key)| key.clone()));
    let mut notes = Vec::new();
    for note in verifier::evidence_notes(path).about("read", path)? {
        let parsed = UnverifiedCheckpoint::parse(note.as_bytes());
        let verified = parsed.and_then(|parsed| parsed.verify(&manifest.origin, &keys, &[]));
        let checkpoint = verified.map_err(Failure::trouble)?.checkpoint().clone();
        let (size, root) = (checkpoint.size, checkpoint.root.to_base64());
        let label = format!("{file}, its checkpoint of {size} entries with root {root}");
        notes.push(Noted { label, keys: keys.clone(), checkpoint, note });
    }
    Ok(Some((manifest.origin.clone(), notes)))
}

fn of_receipt(bytes: &[u8], raw: Option<&[u8]>) -> Result<(String, Promise), ReceiptError> {
    let receipt = Receipt::parse(bytes)?;
    if let Some(raw) = raw {
        receipt.check_raw(raw)?;
    }
    let proof = receipt.proof.as_ref().map(|proof| (proof.checkpoint.clone(), proof.hashes.clone()));
    let promise = Promise { index: receipt.index, leaf: receipt.leaf_hash(), proof, paper: bytes.to_vec() };
    Ok((receipt.origin, promise))
}

fn of_proof(bytes: &[u8], raw: Option<&[u8]>) -> Result<(String, Promise), ReceiptError> {
    let proof = TlogProof::parse(bytes).map_err(|_| ReceiptError::Malformed("not a proof"))?;
    let receipt = prove::receipt_inside(&proof)?;
    if let Some(raw) = raw {
        receipt.check_raw(raw)?;
    }
    let leaf = receipt.leaf_hash();
    let promise = Promise {
        index: proof.index,
        leaf,
        proof: Some((proof.checkpoint, proof.hashes)),
        paper: bytes.to_vec(),
    };
    Ok((receipt.origin, promise))
}

/// Holds what was kept of one log against its newest checkpoint.
fn hold(
    args: &Verify,
    ledger: &Found,
    key: Option<&VerifierKey>,
    source: &HttpSource,
    papers: &Papers,
    summary: &mut Summary,
) -> Result<(), Failure> {
    let keys = match key {
        Some(key) if key.name() == ledger.origin => [key.clone()],
        Some(key) => {
            let why = format!("the key is of {}, what was kept is of {}", key.name(), ledger.origin);
            summary.undecided.push(why);
            return Ok(());
        }
        None => [prove::parse_key(&ledger.vkey)?],
    };
    let note = source.get("checkpoint", tlog::note::MAX_NOTE_LEN as u64).map_err(Failure::trouble)?;
    let note = note.unwrap_or_default();
    let newest = UnverifiedCheckpoint::parse_with_extensions(&note)
        .and_then(|newest| newest.verify(&ledger.origin, &keys, &[]));
    let newest = match newest {
        Ok(newest) => newest.checkpoint().clone(),
        Err(error) => {
            let why = format!("what the server shows as its checkpoint is not signed by the ledger: {error}");
            summary.broken.push((ledger.origin.clone(), None, why, None));
            return Ok(());
        }
    };
    summary.against.push((ledger.origin.clone(), newest.size, newest.root.to_base64()));
    let tree = match Tree::open(source, None, newest.size, newest.root) {
        Ok(tree) => tree,
        Err(error) => {
            let Some(finding) = finding_of(&error) else { return Err(Failure::trouble(error)) };
            summary.broken.push((ledger.origin.clone(), None, finding.text, None));
            return Ok(());
        }
    };
    for (label, promise) in &papers.promises {
        let finding = match promise.hold(&keys, &note, &tree) {
            Ok(Kept::Holds) => {
                summary.held += 1;
                continue;
            }
            Ok(Kept::NotYet) => {
                summary.not_yet += 1;
                continue;
            }
            Ok(Kept::Broken(finding)) => finding,
            Err(error) => finding_of(&error).ok_or_else(|| Failure::trouble(&error))?,
        };
        summary.broke(args, &ledger.origin, (label, Some(promise.index)), &finding)?;
    }
    for noted in &papers.notes {
        if !noted.keys.contains(&keys[0]) {
            let why = format!("{}: signed by another key than the one of the server", noted.label);
            summary.undecided.push(why);
            continue;
        }
        let finding = match contradiction(&noted.checkpoint, &noted.note, &note, &tree) {
            Ok(None) => {
                summary.held += 1;
                continue;
            }
            Ok(Some(finding)) => finding,
            Err(error) => finding_of(&error).ok_or_else(|| Failure::trouble(&error))?,
        };
        summary.broke(args, &ledger.origin, (&noted.label, None), &finding)?;
    }
    Ok(())
}

/// Keeps what shows that a promise is broken; says where.
fn keep(state: &Path, origin: &str, finding: &Finding) -> Result<String, Failure> {
    let disk = LocalDisk::open(state).about("keep what shows it in", state)?;
    let place = State::open(&disk, origin)
        .and_then(|state| state.keep_finding(finding, SystemEnv::new().now_ms()))
        .about("keep what shows it in", state)?;
    Ok(state.join(place).display().to_string())
}

impl Summary {
    /// Takes in receipts of a ledger that another continues.
    fn recovered(&mut self, heir: &Heir, papers: &Papers) {
        self.heirs.push((heir.origin.clone(), heir.old.origin.clone(), heir.old.size));
        for (label, promise) in &papers.promises {
            match heir.worth(promise) {
                Worth::Continued => self.held += 1,
                Worth::Lost => self.lost.push((label.clone(), promise.index)),
                Worth::Undecided(why) => self.undecided.push(format!("{label}: {why}")),
            }
        }
        for noted in &papers.notes {
            let why = "of a ledger that another continues; compare it with a file of that one";
            self.undecided.push(format!("{}: {why}", noted.label));
        }
    }

    /// Something does not hold. Of many the first are kept: those that follow show the same.
    fn broke(
        &mut self,
        args: &Verify,
        origin: &str,
        (label, index): (&str, Option<u64>),
        finding: &Finding,
    ) -> Result<(), Failure> {
        let place = match self.broken.len() < SHOWN {
            true => Some(keep(&args.state, origin, finding)?),
            false => None,
        };
        self.broken.push((label.to_owned(), index, finding.to_string(), place));
        Ok(())
    }

    fn verdict(&self) -> Verdict {
        match (
            self.broken.is_empty(),
            self.undecided.is_empty() && self.not_yet == 0 && self.lost.is_empty() && self.held > 0,
        ) {
            (false, _) => Verdict::Disproven,
            (true, true) => Verdict::Proven,
            (true, false) => Verdict::Undecidable,
        }
    }

    fn json(&self, verdict: Verdict) -> String {
        let against: Vec<Value> = self
            .against
            .iter()
            .map(|(origin, size, root)| json!({"origin": origin, "size": size, "root": root}))
            .collect();
        let broken: Vec<Value> = self
            .broken
            .iter()
            .map(|(of, index, why, kept)| json!({"receipt": of, "index": index, "why": why, "kept": kept}))
            .collect();
        let lost: Vec<Value> =
            self.lost.iter().map(|(of, index)| json!({"receipt": of, "index": index})).collect();
        let heirs: Vec<Value> = self
            .heirs
            .iter()
            .map(|(heir, old, size)| json!({"origin": heir, "continues": old, "size": size}))
            .collect();
        json!({
            "verdict": verdict.word(), "against": against, "held": self.held, "not_yet": self.not_yet,
            "broken": broken, "lost": lost, "continued_by": heirs, "undecided": self.undecided,
        })
        .to_string()
    }

    fn text(&self, verdict: Verdict) -> String {
        let mut out = format!("{}\n\n", verdict.word());
        for (origin, size, root) in &self.against {
            out.push_str(&format!("held against {size} entries of {origin}, root {root}\n"));
        }
        for (heir, old, size) in &self.heirs {
            out.push_str(&format!("{heir} continues {old} at {size} entries\n"));
        }
        out.push_str(&format!("  {} hold\n", self.held));
        if self.not_yet > 0 {
            out.push_str(&format!("  {} are of entries that no checkpoint covers yet\n", self.not_yet));
        }
        for (of, index) in self.lost.iter().take(SHOWN) {
            out.push_str(&format!("  lost: {of}, entry {index}: lost by the recovery, kept by you alone\n"));
        }
        for (of, index, why, kept) in self.broken.iter().take(SHOWN) {
            let entry = index.map_or(String::new(), |index| format!(", entry {index}"));
            out.push_str(&format!("  broken: {of}{entry}: {why}\n"));
            if let Some(kept) = kept {
                out.push_str(&format!("          what shows it is in {kept}\n"));
            }
        }
        self.undecided.iter().take(SHOWN).for_each(|why| out.push_str(&format!("  undecided: {why}\n")));
        let more = self.broken.len().saturating_sub(SHOWN)
            + self.lost.len().saturating_sub(SHOWN)
            + self.undecided.len().saturating_sub(SHOWN);
        if more > 0 {
            out.push_str(&format!("  and {more} more; --json tells all\n"));
        }
        out
    }
}
