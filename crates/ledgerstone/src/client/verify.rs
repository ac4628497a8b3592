//! `verify`: hands a directory, an address, an evidence file, a receipt or a proof to what verifies it, and shows the verdict.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::Path;

use evidence::verify::{Anchor, Report, Verdict};
use indicatif::{ProgressBar, ProgressStyle};
use record::receipt::ReceiptError;
use tlog::{Policy, TlogProof, TlogProofError, VerifierKey};
use verifier::{ReceiptReport, TimeStampAuthorities};

use super::{compare, kept, mirror, prove, receipts, remote};
use crate::cli::{self, Verify};
use crate::failure::{About, Failure};
use crate::terminal::{self, Paint, escape};

/// Proofs begin with this; receipts are JSON.
pub(super) const PROOF_HEADER: &[u8] = b"c2sp.org/tlog-proof@";

pub(crate) fn run(args: Verify) -> Result<(), Failure> {
    let key = args.key.as_deref().map(prove::parse_key).transpose()?;
    let path = Path::new(&args.what);
    if args.kept.is_some() && !path.is_dir() {
        return Err(Failure::trouble("only a data directory is held against what was kept: --kept"));
    }
    if cli::Server::is_named_here() && !path.is_dir() && !args.what.contains("://") {
        return kept::run(&args, key);
    }
    if !args.more.is_empty() {
        return compare::run(&args, key.as_ref());
    }
    if args.write_timestamps.is_some() && (!path.is_dir() || mirror::is_mirror(path)) {
        return Err(Failure::trouble("timestamps are written from a data directory: --write-timestamps"));
    }
    let authorities = args.tsa_ca.as_deref().map(authorities).transpose()?;
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    if args.what.contains("://") {
        let mut report = remote::verify(&args, key.as_ref(), policy.as_ref(), &bar("entries"))?;
        hold_predecessor(&args, &mut report)?;
        verifier::judge_timestamps(&mut report, authorities.as_ref());
        return show_report(&args, report);
    }
    if args.predecessor.is_some() && (!path.is_dir() || mirror::is_mirror(path)) {
        return Err(Failure::trouble(
            "only a data directory or a server is held against what it continues: --predecessor",
        ));
    }
    if !path.exists() {
        return Err(Failure::trouble(format!("there is nothing to verify at {}", args.what)).hint(
            "give a data directory, http://HOST:PORT of a server, an evidence file, a receipt or a proof",
        ));
    }
    if mirror::is_mirror(path) {
        let mut report = mirror::verify(path, key.as_ref(), policy.as_ref(), &bar("entries"))?;
        if authorities.is_some() {
            let why = "a mirror holds no records, and so no timestamps that --tsa-ca could judge";
            report.undecided.push(why.to_owned());
        }
        return show_report(&args, report);
    }
    if path.is_dir() {
        directory(&args, path, key.as_ref(), policy.as_ref(), authorities.as_ref())
    } else {
        file(&args, path, key.as_ref(), policy.as_ref(), authorities.as_ref())
    }
}

/// Reads the certificates of time-stamp authorities.
fn authorities(file: &Path) -> Result<TimeStampAuthorities, Failure> {
    let bytes = fs::read(file).about("read", file)?;
    TimeStampAuthorities::parse(&bytes)
        .map_err(|error| Failure::trouble(format!("{}: {error}", file.display())))
}

/// Reads a C2SP tlog-policy.
fn read_policy(file: &Path) -> Result<Policy, Failure> {
    let bytes = fs::read(file).about("read", file)?;
    Policy::parse_bytes(&bytes).map_err(|error| Failure::trouble(format!("{}: {error}", file.display())))
}

fn directory(
    args: &Verify,
    path: &Path,
    key: Option<&VerifierKey>,
    policy: Option<&Policy>,
    authorities: Option<&TimeStampAuthorities>,
) -> Result<(), Failure> {
    let keys = args.keys.clone().unwrap_or_else(|| verifier::default_keys(path));
    if args.keys.is_some() && !keys.is_dir() {
        return Err(Failure::trouble(format!("there is no key directory at {}", keys.display())));
    }
    let bar = bar("entries");
    let mut report = verifier::verify_dir(path, Some(&keys), key, &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    if let Some(file) = &args.kept {
        let kept = fs::read(file).about("read", file)?;
        verifier::hold_against(&verifier::Directory::new(path), &kept, &mut report)
            .map_err(|error| Failure::trouble(format!("{}: {error}", file.display())))?;
    }
    if let Some(policy) = policy {
        verifier::hold_against_policy(&verifier::Directory::new(path), policy, &mut report);
    }
    hold_predecessor(args, &mut report)?;
    verifier::judge_timestamps(&mut report, authorities);
    if let Some(folder) = &args.write_timestamps {
        verifier::write_timestamps(&report, folder).about("write to", folder)?;
    }
    show_report(args, report)
}

/// Holds what is verified against what is left of the ledger that it continues.
fn hold_predecessor(args: &Verify, report: &mut Report) -> Result<(), Failure> {
    let Some(old) = &args.predecessor else { return Ok(()) };
    let key = args.predecessor_key.as_deref().map(prove::parse_key).transpose()?;
    let bar = bar("entries of the old ledger");
    let held = verifier::hold_predecessor(report, old, key.as_ref(), &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    held.map_err(Failure::trouble)
}

fn file(
    args: &Verify,
    path: &Path,
    key: Option<&VerifierKey>,
    policy: Option<&Policy>,
    authorities: Option<&TimeStampAuthorities>,
) -> Result<(), Failure> {
    if verifier::is_evidence_file(path).about("read", path)? {
        return handed(args, path, key, policy, authorities);
    }
    if authorities.is_some() {
        return Err(Failure::trouble("timestamps are in data directories and evidence files: --tsa-ca"));
    }
    let bytes = fs::read(path).about("read", path)?;
    if verifier::is_ots_file(&bytes) {
        return ots(args, path, &bytes, key);
    }
    if receipts::is_receipts_file(&bytes) {
        let Some(raw) = &args.raw else {
            return Err(Failure::trouble(
                "a file of receipts is verified against the file that was appended",
            )
            .hint(format!("give that file: ledgerstone verify {} --raw FILE", args.what)));
        };
        if policy.is_some() {
            return Err(Failure::trouble("a policy is for one receipt at a time: --policy"));
        }
        let summary = receipts::verify(&bytes, raw, key)?;
        let verdict = anchored(args, summary.verdict(), key.is_some());
        return show(args, verdict, summary.json(verdict), &summary.text(verdict));
    }
    let raw = match &args.raw {
        Some(raw) => Some(fs::read(raw).about("read", raw)?),
        None => None,
    };
    let (whole, bytes) = (&bytes, bytes.trim_ascii_end());
    let report = match (bytes.starts_with(PROOF_HEADER), policy) {
        (true, policy) => proof(whole, raw.as_deref(), key, policy),
        (false, None) => verifier::verify_receipt(bytes, raw.as_deref(), key),
        (false, Some(policy)) => verifier::verify_receipt_with(bytes, raw.as_deref(), key, policy),
    };
    let verdict = anchored(args, report.verdict(), report.proven_in.is_some());
    show(args, verdict, verifier::receipt_json(&report), &verifier::receipt_text(&report))
}

/// Verifies an OpenTimestamps file, over the file that its name tells.
fn ots(args: &Verify, path: &Path, file: &[u8], key: Option<&VerifierKey>) -> Result<(), Failure> {
    let data = args.raw.clone().unwrap_or_else(|| path.with_extension(""));
    let bytes = fs::read(&data).about("read", &data)?;
    let header = args.block_header.as_deref().map(verifier::parse_header).transpose();
    let header = header.map_err(|why| Failure::trouble(format!("--block-header: {why}")))?;
    let report = verifier::verify_ots(file, &bytes, key, header);
    let verdict = anchored(args, report.verdict(), report.pinned);
    show(args, verdict, verifier::ots_json(&report), &verifier::ots_text(&report))
}

/// Verifies an evidence file.
fn handed(
    args: &Verify,
    path: &Path,
    key: Option<&VerifierKey>,
    policy: Option<&Policy>,
    authorities: Option<&TimeStampAuthorities>,
) -> Result<(), Failure> {
    let report = evidence_report(path, key, policy, authorities)?;
    let verdict = anchored(args, report.verdict(), report.pinned || report.witnessed.is_some());
    // Its texts are from outside, and spelt out already.
    show_spelt(args, verdict, &verifier::evidence_json(&report), &verifier::evidence_text(&report))
}

/// Verifies an evidence file, and shows how far it is.
pub(crate) fn evidence_report(
    path: &Path,
    key: Option<&VerifierKey>,
    policy: Option<&Policy>,
    authorities: Option<&TimeStampAuthorities>,
) -> Result<export::Report, Failure> {
    let bar = bar("records");
    let report = verifier::verify_evidence_by(path, key, policy, authorities, &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    report.about("read", path)
}

/// Verifies a proof, which holds the receipt of its entry if `prove` wrote it.
fn proof(
    bytes: &[u8],
    raw: Option<&[u8]>,
    key: Option<&VerifierKey>,
    policy: Option<&Policy>,
) -> ReceiptReport {
    let mut report = ReceiptReport::default();
    let proof = match TlogProof::parse(bytes) {
        Ok(proof) => proof,
        Err(error) => {
            report.damage.push(error.to_string());
            return report;
        }
    };
    report.index = proof.index;
    let receipt = match prove::receipt_inside(&proof) {
        Ok(receipt) => receipt,
        Err(ReceiptError::NoProof) => {
            report.undecided.push("the proof does not hold the entry that it is of".to_owned());
            return report;
        }
        Err(error) => {
            report.damage.push(error.to_string());
            return report;
        }
    };
    report.origin.clone_from(&receipt.origin);
    match raw.map(|raw| receipt.check_raw(raw)) {
        None => {}
        Some(Ok(())) => report.raw_checked = true,
        Some(Err(error)) if error.is_undecidable() => report.undecided.push(error.to_string()),
        Some(Err(error)) => report.damage.push(error.to_string()),
    }
    let Some(key) = key else {
        report
            .undecided
            .push("no verification key was given, so the signature was not checked: use --key".to_owned());
        return report;
    };
    match proof.verify(&receipt.leaf_hash(), key.name(), std::slice::from_ref(key), &[]) {
        Ok(checkpoint) => report.proven_in = Some(checkpoint.checkpoint().size),
        Err(error @ (TlogProofError::Checkpoint(_) | TlogProofError::Inclusion(_))) => {
            report.damage.push(error.to_string());
        }
        Err(error) => report.undecided.push(error.to_string()),
    }
    if let Some(policy) = policy {
        report.hold_against_policy(Some(&proof.checkpoint), Some(key), policy);
    }
    report
}

fn show_report(args: &Verify, report: Report) -> Result<(), Failure> {
    let held = report.ledgers.iter().any(|ledger| ledger.anchor != Anchor::None);
    let verdict = anchored(args, report.verdict(), held);
    show(args, verdict, verifier::json(&report), &verifier::text(&report))
}

/// The verdict, given what the person insists on.
pub(super) fn anchored(args: &Verify, verdict: Verdict, held: bool) -> Verdict {
    match verdict {
        Verdict::Proven if args.require_anchor && !held => Verdict::Undecidable,
        verdict => verdict,
    }
}

/// Shows a report whose first line is its own verdict, and ends with the exit code of the final one.
pub(super) fn show(args: &Verify, verdict: Verdict, json: String, text: &str) -> Result<(), Failure> {
    let lines: String = text.lines().map(|line| format!("{}\n", escape(line))).collect();
    show_spelt(args, verdict, &json, &lines)
}

/// [`show`] for a text that can steer no terminal.
pub(super) fn show_spelt(args: &Verify, verdict: Verdict, json: &str, text: &str) -> Result<(), Failure> {
    if args.server.json {
        let mut value = super::json::parse(json.as_bytes())?;
        if let Some(members) = value.as_object_mut() {
            members.insert("verdict".to_owned(), verdict.word().into());
        }
        super::json::print(&value)?;
    } else {
        let paint = Paint::for_stdout();
        // A verdict may carry a label, which goes wherever it goes.
        let line = text
            .lines()
            .next()
            .and_then(|line| line.split_once(": "))
            .map_or_else(|| verdict.word().to_owned(), |(_, label)| format!("{}: {label}", verdict.word()));
        let word = match verdict {
            Verdict::Proven => paint.green(&line),
            Verdict::Disproven => paint.red(&line),
            Verdict::Undecidable => paint.amber(&line),
        };
        let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
        terminal::print(&format!("{word}\n{rest}"))?;
    }
    match verdict {
        Verdict::Proven => Ok(()),
        Verdict::Disproven => Err(Failure::no("disproven: what was checked is not what was recorded")),
        Verdict::Undecidable if args.require_anchor && args.key.is_none() => {
            Err(Failure::trouble("undecidable: nothing from outside was given to hold the key against")
                .hint("give a verification key that you got elsewhere, with --key"))
        }
        Verdict::Undecidable => Err(Failure::trouble("undecidable: something that is needed was not there")),
    }
}

/// A progress bar on a terminal.
pub(crate) fn bar(what: &'static str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0).with_message(what);
    match ProgressStyle::with_template("{bar:30} {percent:>3} %  {pos} of {len} {msg}  {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
