//! `ledgerstone-verify`: checks a store, an evidence file or a receipt without any network code.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use tlog::note::VerifierKey;
use tlog::policy::Policy;
use verifier::{
    Directory, TimeStampAuthorities, Verdict, compare_files, compared_json, compared_text, default_keys,
    evidence_json, evidence_text, hold_against, hold_against_policy, hold_predecessor, is_comparable,
    is_evidence_file, json, judge_timestamps, ots_json, ots_text, parse_header, text, verify_dir,
    verify_evidence_by, verify_ots, verify_receipt, verify_receipt_with,
};

const HELP: &str = "\
Verify a Ledgerstone store, evidence file, receipt or OpenTimestamps file, offline.

Usage: ledgerstone-verify [OPTIONS] PATH

  PATH          data directory of a store, an evidence file, or a receipt (JSON); of several evidence files,
                receipts, proofs and checkpoints, whether they can all be true
  --key VKEY    verification key you got elsewhere, such as from the first start's output
  --keys DIR    key directory, to open payloads (default: PATH-keys, if it exists)
  --no-keys     do not open payloads
  --kept FILE   checkpoint or receipt kept from before, which the store must still hold
  --policy FILE C2SP tlog-policy: witnesses that must have cosigned the store's witnessed checkpoints,
                what an evidence file selects, or the tree that a receipt is in
  --predecessor PATH  what is left of the ledger that this one continues: its store, an evidence file, a checkpoint
  --predecessor-key VKEY  verification key of that ledger, known from elsewhere
  --raw FILE    the bytes that were sent, to recompute a receipt's entry
  --tsa-ca FILE certificates of time-stamp authorities, PEM, to check the timestamps of a store or evidence file
  --data FILE   the checkpoint that an OpenTimestamps file is over (default: its name without .ots)
  --block-header HEX  80 bytes, as a node or several explorers give them, of the block that it leads to
  --require-anchor  undecidable unless --key, --kept or --policy is given and holds
  --json        one JSON object instead of text

Exit code: 0 proven, 1 disproven, 2 undecidable.

Examples:
  ledgerstone-verify ./ledgerstone-data
  ledgerstone-verify ./ledgerstone-data --key ledgerstone.local/0123456789abcdef+1a2b3c4d+AQ...
  ledgerstone-verify case-4711.evidence --key ledgerstone.local/0123456789abcdef+1a2b3c4d+AQ...
  ledgerstone-verify receipt.json --raw event.json
  ledgerstone-verify main-700.body.ots
";

#[derive(Default)]
struct Args {
    path: Option<PathBuf>,
    more: Vec<PathBuf>,
    key: Option<VerifierKey>,
    keys: Option<PathBuf>,
    no_keys: bool,
    kept: Option<PathBuf>,
    policy: Option<PathBuf>,
    predecessor: Option<PathBuf>,
    predecessor_key: Option<VerifierKey>,
    raw: Option<PathBuf>,
    tsa_ca: Option<TimeStampAuthorities>,
    data: Option<PathBuf>,
    header: Option<[u8; 80]>,
    require_anchor: bool,
    json: bool,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(|args| args.map_or(Ok(Verdict::Proven), run)) {
        Ok(verdict) => ExitCode::from(verdict.exit_code()),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}\nsee ledgerstone-verify --help");
            ExitCode::from(2)
        }
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Args>, String> {
    let mut parsed = Args::default();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "-h" | "--help" => {
                print(HELP);
                return Ok(None);
            }
            "--key" => {
                parsed.key = Some(VerifierKey::parse(&value()?).map_err(|error| format!("--key: {error}"))?)
            }
            "--keys" => parsed.keys = Some(value()?.into()),
            "--no-keys" => parsed.no_keys = true,
            "--kept" => parsed.kept = Some(value()?.into()),
            "--policy" => parsed.policy = Some(value()?.into()),
            "--predecessor" => parsed.predecessor = Some(value()?.into()),
            "--predecessor-key" => {
                let key = VerifierKey::parse(&value()?);
                parsed.predecessor_key = Some(key.map_err(|error| format!("--predecessor-key: {error}"))?);
            }
            "--raw" => parsed.raw = Some(value()?.into()),
            "--tsa-ca" => parsed.tsa_ca = Some(authorities(value()?.as_ref())?),
            "--data" => parsed.data = Some(value()?.into()),
            "--block-header" => parsed.header = Some(parse_header(&value()?)?),
            "--require-anchor" => parsed.require_anchor = true,
            "--json" => parsed.json = true,
            _ if arg.starts_with('-') => return Err(format!("unknown option: {arg}")),
            _ if parsed.path.is_some() => parsed.more.push(arg.into()),
            _ => parsed.path = Some(arg.into()),
        }
    }
    match parsed.path {
        None => Err("give the path of a store, an evidence file or a receipt".to_owned()),
        Some(_) => Ok(Some(parsed)),
    }
}

fn run(args: Args) -> Result<Verdict, String> {
    let path = args.path.clone().unwrap_or_default();
    if !args.more.is_empty() {
        return run_several(&path, &args);
    }
    match path.is_dir() {
        true => run_store(&path, &args),
        false if is_evidence_file(&path).map_err(|error| format!("{}: {error}", path.display()))? => {
            run_evidence(&path, &args)
        }
        false if path.extension().is_some_and(|end| end == "ots") => run_ots(&path, &args),
        false => run_receipt(&path, &args),
    }
}

fn run_several(path: &Path, args: &Args) -> Result<Verdict, String> {
    let files: Vec<PathBuf> = std::iter::once(path.to_owned()).chain(args.more.iter().cloned()).collect();
    if let Some(other) = files.iter().find(|file| !is_comparable(file)) {
        return Err(format!("only files are held against each other: {}", other.display()));
    }
    let bar = Bar::default();
    let compared = compare_files(&files, args.key.as_ref(), &|done, total| bar.show(done, total));
    let compared = compared.map_err(|error| error.to_string())?;
    bar.clear();
    print(&if args.json { compared_json(&compared) + "\n" } else { compared_text(&compared) });
    Ok(match compared.verdict() {
        Verdict::Proven if args.require_anchor && !compared.pinned => Verdict::Undecidable,
        verdict => verdict,
    })
}

fn run_store(path: &Path, args: &Args) -> Result<Verdict, String> {
    let keys = args.keys.clone().unwrap_or_else(|| default_keys(path));
    let keys = (!args.no_keys).then_some(keys.as_path());
    let bar = Bar::default();
    let mut report = verify_dir(path, keys, args.key.as_ref(), &|done, total| bar.show(done, total));
    bar.clear();
    if let Some(file) = &args.kept {
        let told = |error: String| format!("{}: {error}", file.display());
        let kept = std::fs::read(file).map_err(|error| told(error.to_string()))?;
        hold_against(&Directory::new(path), &kept, &mut report).map_err(told)?;
    }
    if let Some(policy) = policy(args)? {
        hold_against_policy(&Directory::new(path), &policy, &mut report);
    }
    if let Some(old) = &args.predecessor {
        hold_predecessor(&mut report, old, args.predecessor_key.as_ref(), &|_, _| {})?;
    }
    judge_timestamps(&mut report, args.tsa_ca.as_ref());
    print(&if args.json { json(&report) + "\n" } else { text(&report) });
    let anchored = report.ledgers.iter().any(|ledger| ledger.anchor != verifier::Anchor::None);
    Ok(match report.verdict() {
        Verdict::Proven if args.require_anchor && !anchored => Verdict::Undecidable,
        verdict => verdict,
    })
}

fn run_evidence(path: &Path, args: &Args) -> Result<Verdict, String> {
    let bar = Bar::default();
    let policy = policy(args)?;
    let progress = |done, total| bar.show(done, total);
    let (key, authorities) = (args.key.as_ref(), args.tsa_ca.as_ref());
    let report = verify_evidence_by(path, key, policy.as_ref(), authorities, &progress);
    let report = report.map_err(|error| format!("{}: {error}", path.display()))?;
    bar.clear();
    print(&if args.json { evidence_json(&report) + "\n" } else { evidence_text(&report) });
    Ok(match report.verdict() {
        Verdict::Proven if args.require_anchor && !report.pinned && report.witnessed.is_none() => {
            Verdict::Undecidable
        }
        verdict => verdict,
    })
}

fn run_ots(path: &Path, args: &Args) -> Result<Verdict, String> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let data = args.data.clone().unwrap_or_else(|| path.with_extension(""));
    let report = verify_ots(&read(path)?, &read(&data)?, args.key.as_ref(), args.header);
    print(&if args.json { ots_json(&report) + "\n" } else { ots_text(&report) });
    Ok(match report.verdict() {
        Verdict::Proven if args.require_anchor && !report.pinned => Verdict::Undecidable,
        verdict => verdict,
    })
}

fn authorities(file: &Path) -> Result<TimeStampAuthorities, String> {
    let told = |error: &dyn std::fmt::Display| format!("--tsa-ca: {}: {error}", file.display());
    TimeStampAuthorities::parse(&std::fs::read(file).map_err(|error| told(&error))?)
        .map_err(|error| told(&error))
}

fn run_receipt(path: &Path, args: &Args) -> Result<Verdict, String> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let receipt = read(path)?;
    let raw = args.raw.as_deref().map(read).transpose()?;
    let report = match policy(args)? {
        None => verify_receipt(&receipt, raw.as_deref(), args.key.as_ref()),
        Some(policy) => verify_receipt_with(&receipt, raw.as_deref(), args.key.as_ref(), &policy),
    };
    print(&if args.json { verifier::receipt_json(&report) + "\n" } else { verifier::receipt_text(&report) });
    Ok(report.verdict())
}

/// The policy that was given.
fn policy(args: &Args) -> Result<Option<Policy>, String> {
    let Some(file) = &args.policy else { return Ok(None) };
    let told = |error: String| format!("{}: {error}", file.display());
    let policy = std::fs::read(file).map_err(|error| told(error.to_string()))?;
    Policy::parse_bytes(&policy).map(Some).map_err(|error| told(error.to_string()))
}

fn print(text: &str) {
    // A closed pipe is the reader's choice; the exit code still tells.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// One line on a terminal that tells how far it is.
#[derive(Default)]
struct Bar(AtomicU64);

impl Bar {
    fn show(&self, done: u64, total: u64) {
        let percent = done * 100 / total.max(1);
        if self.0.swap(percent, Ordering::Relaxed) != percent && std::io::stderr().is_terminal() {
            let filled = "#".repeat((percent / 4) as usize);
            let _ = write!(std::io::stderr(), "\r[{filled:<25}] {percent:>3} % of {total} entries");
        }
    }

    fn clear(&self) {
        if std::io::stderr().is_terminal() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
