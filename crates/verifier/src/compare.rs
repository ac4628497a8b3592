//! Several files of one log held against each other: the I/O around `export::compare`, and the report.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use evidence::verify::Verdict;
use export::compare::{Comparison, Paper, compare};
use export::text::tame;
use export::verify::papers;
use record::canonical;
use record::json::{self, Object, Value};
use record::receipt::Receipt;
use tlog::{Hash, TlogProof, UnverifiedCheckpoint, VerifierKey, verify_consistency};

use crate::handed::{Handed, verify_evidence};
use crate::is_evidence_file;

/// Proofs begin with this; receipts are JSON.
const PROOF_HEADER: &[u8] = b"c2sp.org/tlog-proof@";

/// So does what shows that two checkpoints of different sizes are of two trees (docs/monitor.md).
const FORK_HEADER: &[u8] = b"ledgerstone/fork/v1\n";

/// A proof in a tree of 2^64 entries has no more hashes.
const MAX_PROOF: usize = 64 + 64;

/// Files that were verified one by one, then held against each other.
#[derive(Debug, Default)]
pub struct Compared {
    /// Each evidence file with what came of it alone.
    pub files: Vec<(String, Verdict)>,
    /// What they are together.
    pub together: Comparison,
    /// Whether a key was brought from outside.
    pub pinned: bool,
}

impl Compared {
    /// The answer in one word.
    pub fn verdict(&self) -> Verdict {
        let all = self.files.iter().map(|(_, verdict)| *verdict).chain([self.together.verdict()]);
        let worst = |one: Verdict, other: Verdict| match (one, other) {
            (Verdict::Disproven, _) | (_, Verdict::Disproven) => Verdict::Disproven,
            (Verdict::Undecidable, _) | (_, Verdict::Undecidable) => Verdict::Undecidable,
            (Verdict::Proven, Verdict::Proven) => Verdict::Proven,
        };
        all.fold(Verdict::Proven, worst)
    }
}

/// Verifies evidence files and holds them, receipts, proofs and checkpoints against each other. `key` is a verification
/// key from outside; without one the keys that evidence files name are taken. `progress` is told done and total records of
/// the file at hand.
///
/// # Errors
/// A file can't be read.
pub fn compare_files(
    files: &[PathBuf],
    key: Option<&VerifierKey>,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> io::Result<Compared> {
    let mut compared = Compared { pinned: key.is_some(), ..Compared::default() };
    let (mut all, mut keys) = (Vec::new(), Vec::from_iter(key.cloned()));
    let (mut broken, mut undecided, mut links) = (Vec::new(), Vec::new(), Vec::new());
    for file in files {
        let label = file.display().to_string();
        let told = |error: io::Error| io::Error::new(error.kind(), format!("{label}: {error}"));
        if is_evidence_file(file).map_err(told)? {
            let report = verify_evidence(file, key, progress).map_err(told)?;
            compared.files.push((label.clone(), report.verdict()));
            match papers(&Handed(File::open(file).map_err(told)?), &label).map_err(told)? {
                Ok((vkey, papers)) => {
                    all.extend(papers);
                    // A file whose own signature does not hold has no say in whose key it is.
                    if key.is_none() && report.verdict() != Verdict::Disproven {
                        keys.extend(VerifierKey::parse(&vkey));
                    }
                }
                Err(why) => broken.push(format!("{label}: {why}")),
            }
            continue;
        }
        let bytes = fs::read(file).map_err(told)?;
        if bytes.starts_with(FORK_HEADER) {
            links.push((label, parse_fork(&bytes)));
            continue;
        }
        match read(&bytes, &label) {
            Ok((papers, without)) => {
                all.extend(papers);
                if without > 0 {
                    undecided.push(format!(
                        "{label}: receipts without a signed checkpoint, which bind nobody: {without} (append --wait committed)"
                    ));
                }
            }
            Err(why) => broken.push(format!("{label}: {why}")),
        }
    }
    for (label, link) in links {
        match link.and_then(|link| leading(&all, link)) {
            Some(paper) => all.push(paper),
            None => broken.push(format!("{label}: it leads to none of the checkpoints given")),
        }
    }
    keys.dedup();
    compared.together = compare(all, &keys);
    compared.together.broken.splice(0..0, broken);
    compared.together.undecided.extend(undecided);
    let origins = compared.together.checkpoints.iter().map(|(_, checkpoint)| checkpoint.origin.as_str());
    if origins.collect::<std::collections::BTreeSet<_>>().len() > 1 {
        let why = "they are of more than one ledger, and only those of one say something about each other";
        compared.together.undecided.push(why.to_owned());
    }
    Ok(compared)
}

/// Whether a path can be held against others: a file.
pub fn is_comparable(path: &Path) -> bool {
    path.is_file()
}

/// Size, root and consistency proof to a tree of another size.
type Link = (u64, u64, Hash, Vec<Hash>);

fn parse_fork(bytes: &[u8]) -> Option<Link> {
    let mut lines = std::str::from_utf8(bytes).ok()?.lines().skip(1);
    let old = lines.next()?.strip_prefix("old ")?.parse().ok()?;
    let new = lines.next()?.strip_prefix("new ")?.parse().ok()?;
    let root = Hash::from_base64(lines.next()?.strip_prefix("root ")?).ok()?;
    let proof = lines.map(|line| Hash::from_base64(line).ok()).collect::<Option<Vec<_>>>()?;
    (proof.len() <= MAX_PROOF).then_some((old, new, root, proof))
}

/// The paper whose checkpoint the link leads to, with it.
fn leading(papers: &[Paper], (old, new, root, proof): Link) -> Option<Paper> {
    let leads = |paper: &&Paper| {
        UnverifiedCheckpoint::parse_with_extensions(paper.note.as_bytes()).is_ok_and(|note| {
            let top = note.claimed();
            top.size == new && verify_consistency(old, new, &root, &top.root, &proof).is_ok()
        })
    };
    let Paper { label, note, .. } = papers.iter().find(leads)?.clone();
    Some(Paper { label, note, links: vec![(old, root, proof)], ..Paper::default() })
}

/// The papers in a file, and how many receipts in it carry no checkpoint.
fn read(bytes: &[u8], label: &str) -> Result<(Vec<Paper>, usize), String> {
    if bytes.starts_with(PROOF_HEADER) {
        let proof = TlogProof::parse(bytes).map_err(|error| error.to_string())?;
        // Without the receipt inside nobody can tell which entry it is of; the checkpoint is one all the same.
        let inside = proof.extra.as_deref().and_then(|extra| Receipt::parse(extra).ok());
        let leaf = inside.filter(|receipt| receipt.index == proof.index).map(|receipt| receipt.leaf_hash());
        let leaves = leaf.map(|leaf| (proof.index, leaf, proof.hashes)).into_iter().collect();
        let paper = Paper { label: label.to_owned(), note: proof.checkpoint, leaves, ..Paper::default() };
        return Ok((vec![paper], 0));
    }
    if !bytes.trim_ascii_start().starts_with(b"{") {
        let note = String::from_utf8(bytes.to_vec()).map_err(|_| "not a file that can be compared")?;
        return Ok((vec![Paper { label: label.to_owned(), note, ..Paper::default() }], 0));
    }
    if let Ok(receipt) = Receipt::parse(bytes.trim_ascii()) {
        let paper = of_receipt(&receipt, label.to_owned());
        return Ok((Vec::from_iter(paper), usize::from(receipt.proof.is_none())));
    }
    let (mut papers, mut without) = (Vec::new(), 0);
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        let at = at + 1;
        let value = json::parse(line).map_err(|error| format!("line {at}: {error}"))?;
        let receipt = value.as_object().and_then(|object| object.get("receipt"));
        let receipt = receipt.ok_or_else(|| format!("line {at}: no receipt"))?;
        let mut text = Vec::new();
        canonical::write(receipt, &mut text);
        let receipt = Receipt::parse(&text).map_err(|error| format!("line {at}: {error}"))?;
        let paper = of_receipt(&receipt, format!("{label} line {at}"));
        without += usize::from(paper.is_none());
        papers.extend(paper);
    }
    Ok((papers, without))
}

fn of_receipt(receipt: &Receipt, label: String) -> Option<Paper> {
    let proof = receipt.proof.as_ref()?;
    let leaves = vec![(receipt.index, receipt.leaf_hash(), proof.hashes.clone())];
    Some(Paper { label, note: proof.checkpoint.clone(), leaves, ..Paper::default() })
}

/// The report for people. Its first line is the verdict.
pub fn compared_text(compared: &Compared) -> String {
    let together = &compared.together;
    let mut out = compared.verdict().word().to_owned();
    if !together.forks.is_empty() {
        out += ": equivocation, the ledger has signed two histories";
    }
    out.push('\n');
    for (file, verdict) in &compared.files {
        out += &format!("  {:<12}{} by itself\n", verdict.word(), tame(file));
    }
    for (label, checkpoint) in &together.checkpoints {
        let (size, root) = (checkpoint.size, checkpoint.root.to_base64());
        out += &format!("  checkpoint  {size} entries, root {root}: {}\n", tame(label));
    }
    if !compared.pinned {
        out += "  anchor      none: the files themselves name the key; give --key with a key you got elsewhere\n";
    }
    for fork in &together.forks {
        out += &format!("\nfork: {}: {}\n", tame(&fork.origin), tame(&fork.text));
    }
    together.broken.iter().for_each(|why| out += &format!("\nbroken: {}\n", tame(why)));
    together.undecided.iter().for_each(|why| out += &format!("\nundecided: {}\n", tame(why)));
    if compared.verdict() == Verdict::Proven {
        out += "\none history: each checkpoint was proven to be the beginning of the largest\n";
    }
    out
}

/// The report for programs, one JSON object.
pub fn compared_json(compared: &Compared) -> String {
    let together = &compared.together;
    let mut object = Object::new();
    object.insert("verdict", compared.verdict().word().to_owned());
    object.insert("anchor", if compared.pinned { "key" } else { "none" });
    object.insert("equivocation", Value::Bool(!together.forks.is_empty()));
    let files = compared.files.iter().map(|(file, verdict)| {
        let mut object = Object::new();
        object.insert("file", file.clone());
        object.insert("verdict", verdict.word().to_owned());
        Value::Object(object)
    });
    object.insert("files", Value::Array(files.collect()));
    let checkpoints = together.checkpoints.iter().map(|(label, checkpoint)| {
        let mut object = Object::new();
        object.insert("of", label.clone());
        object.insert("origin", checkpoint.origin.to_string());
        object.insert("size", checkpoint.size.to_string());
        object.insert("root", checkpoint.root.to_base64());
        Value::Object(object)
    });
    object.insert("checkpoints", Value::Array(checkpoints.collect()));
    let forks = together.forks.iter().map(|fork| {
        let mut object = Object::new();
        object.insert("origin", fork.origin.clone());
        object.insert("why", fork.text.clone());
        for (name, bytes) in &fork.files {
            object.insert(*name, String::from_utf8_lossy(bytes).into_owned());
        }
        Value::Object(object)
    });
    object.insert("forks", Value::Array(forks.collect()));
    let list = |all: &[String]| Value::Array(all.iter().map(|why| Value::from(why.clone())).collect());
    object.insert("broken", list(&together.broken));
    object.insert("undecided", list(&together.undecided));
    let mut out = Vec::new();
    canonical::write(&Value::Object(object), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
