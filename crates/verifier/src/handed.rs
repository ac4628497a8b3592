//! An evidence file that was handed over: the file around `export::verify`, and the report for people and programs.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use export::manifest::word;
use export::text::{hex, tame};
use export::verify::{Times, Tokens, papers};
use export::{Manifest, Options, Report, Source, is_evidence, utc};
use record::canonical;
use record::json::{Object, Value};
use tlog::note::VerifierKey;
use tlog::policy::Policy;

use crate::stamps::TimeStampAuthorities;

/// Most places told in the text for people; the JSON has all.
const SHOWN: usize = 20;

/// What is said of every query, green or not.
const SELECTION: &str = "a selection; completeness of the match is not provable";

pub(crate) struct Handed(pub(crate) File);

impl Source for Handed {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(bytes, offset)
    }
}

/// Whether a file begins as an evidence file does.
///
/// # Errors
/// It can't be read.
pub fn is_evidence_file(path: &Path) -> io::Result<bool> {
    let mut beginning = Vec::new();
    File::open(path)?.take(40).read_to_end(&mut beginning)?;
    Ok(is_evidence(&beginning))
}

/// Verifies an evidence file, with as many threads as the machine has processors. `progress` is told done and total
/// records.
///
/// # Errors
/// The file can't be opened; what is wrong with it is in the report.
pub fn verify_evidence(
    path: &Path,
    key: Option<&VerifierKey>,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> io::Result<Report> {
    verify_evidence_with(path, key, None, progress)
}

/// [`verify_evidence`], and whether a quorum of a policy has cosigned what the file selects.
///
/// # Errors
/// The file can't be opened; what is wrong with it is in the report.
pub fn verify_evidence_with(
    path: &Path,
    key: Option<&VerifierKey>,
    policy: Option<&Policy>,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> io::Result<Report> {
    verify_evidence_by(path, key, policy, None, progress)
}

/// [`verify_evidence_with`] and the certificates of time-stamp authorities, if there are any.
///
/// # Errors
/// The file can't be opened.
pub fn verify_evidence_by(
    path: &Path,
    key: Option<&VerifierKey>,
    policy: Option<&Policy>,
    authorities: Option<&TimeStampAuthorities>,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> io::Result<Report> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let tokens = authorities.map(|authorities| authorities as &dyn Tokens);
    let options = Options { key, policy, tokens, threads, progress };
    Ok(export::verify(&Handed(File::open(path)?), &options))
}

/// The checkpoints in an evidence file that was verified, each as its note.
///
/// # Errors
/// The file can't be read, or is none.
pub fn evidence_notes(path: &Path) -> io::Result<Vec<String>> {
    let (_, papers) = papers(&Handed(File::open(path)?), "")?.map_err(io::Error::other)?;
    Ok(papers.into_iter().map(|paper| paper.note).collect())
}

/// The report for people. Its first line is the verdict.
pub fn evidence_text(report: &Report) -> String {
    let mut out = report.verdict().word().to_owned();
    if report.manifest.as_ref().is_some_and(|manifest| manifest.selection.query.is_some()) {
        out += &format!(": {SELECTION}");
    }
    out.push('\n');
    if let Some(manifest) = &report.manifest {
        about(&mut out, manifest, report);
    }
    if report.damaged > 0 {
        out += &format!("\ndamage ({})\n", report.damaged);
        for damage in report.damage.iter().take(SHOWN) {
            out += &format!("  {damage}\n");
        }
        if report.damaged > SHOWN as u64 {
            out += &format!("  and {} more; --json tells up to a thousand\n", report.damaged - SHOWN as u64);
        }
    }
    for unchecked in &report.unchecked {
        out += &format!("\nnot checked: {}\n", tame(unchecked));
    }
    for undecided in &report.undecided {
        out += &format!("\nundecided: {}\n", tame(undecided));
    }
    out
}

fn about(out: &mut String, manifest: &Manifest, report: &Report) {
    let mut line = |name: &str, text: String| *out += &format!("  {name:<11}{}\n", tame(&text));
    let selection = &manifest.selection;
    line("case", manifest.case.clone());
    line("purpose", manifest.purpose.clone());
    let by = format!("{} (token {})", manifest.exporter_label, manifest.exporter_id);
    line("exported", format!("{} by {by}", utc(manifest.exported_ms)));
    line("ledger", manifest.origin.clone());
    if let Some(old) = &report.predecessor {
        line("continues", format!("{} at {} entries", old.origin, old.size));
    }
    let last = selection.end.saturating_sub(1);
    match &selection.query {
        None => line("records", format!("every index from {} to {last}", selection.from)),
        Some(query) => {
            line("records", format!("what {query} took of {} to {last}: {SELECTION}", selection.from))
        }
    }
    if let Some(ms) = selection.from_ms {
        line("", format!("received from {} on", utc(ms)));
    }
    if let Some(ms) = selection.to_ms {
        line("", format!("received before {}", utc(ms)));
    }
    let counts = manifest.counts.named();
    let counts: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    line("counts", if counts.is_empty() { "none".to_owned() } else { counts.join(", ") });
    let names: Vec<&str> = manifest.withheld.iter().map(|facet| facet.name()).collect();
    if !names.is_empty() {
        line("withheld", format!("{}: here as salted hashes only", names.join(", ")));
    }
    for source in manifest.sources.iter().take(SHOWN) {
        let by = source
            .numbering
            .map_or("the ledger itself".to_owned(), |by| format!("numbered by the {}", word(by)));
        line(
            &format!("source {}", source.source),
            format!(
                "epoch {}, {by}: {} records, numbers {} to {}",
                source.epoch, source.count, source.first, source.last
            ),
        );
    }
    if manifest.sources.len() > SHOWN {
        line("", format!("and {} more sources or epochs", manifest.sources.len() - SHOWN));
    }
    let gaps: Vec<String> = manifest.gaps.iter().take(SHOWN).map(u64::to_string).collect();
    match manifest.gaps.len() {
        0 => line("gaps", "none on record".to_owned()),
        count => line("gaps", format!("{count} on record, at {}", gaps.join(", "))),
    }
    line("checkpoint", format!("{} entries, root {}", manifest.size, manifest.root.to_base64()));
    line("manifest", format!("sha256 {}", hex(&manifest.sha256())));
    let changes = report
        .history
        .iter()
        .flat_map(|history| history.changes().iter().map(move |change| (history, change)));
    for (history, change) in changes {
        let before = history.in_force(change.index);
        line("key before", format!("{before}, up to the record at index {}", change.index));
    }
    line(
        "anchor",
        match report.pinned {
            true => "signed by the key you gave, or by one that took over from it on record".to_owned(),
            false if report.witnessed.is_some() => "cosigned as your policy asks; give --key too".to_owned(),
            false => {
                "none: self-consistent, key not pinned; give --key with a key you got elsewhere".to_owned()
            }
        },
    );
    line(
        "tier",
        match report.cosignatures {
            _ if report.witnessed.is_some() => format!(
                "cosigned: a quorum of your policy, {}, has seen the first {} entries",
                report.witnesses.join(", "),
                report.witnessed.unwrap_or_default()
            ),
            0 => {
                "local only: a history written anew by whoever holds the ledger's key can't be told from this"
                    .to_owned()
            }
            count => {
                format!("{count} signatures beside the ledger's own; give --policy to see whose they are")
            }
        },
    );
    if report.anchors > 0 {
        line("", format!("{} earlier checkpoints that fit", report.anchors));
    }
    match (&report.times, report.timestamps) {
        (None, 0) => {}
        (None, count) => line("time", format!("{count} timestamps that were not judged: give --tsa-ca")),
        (Some(times), _) => of_times(&mut line, times),
    }
}

/// What timestamps prove of the selection.
fn of_times(line: &mut dyn FnMut(&str, String), times: &Times) {
    line(
        "time",
        match (&times.covers, &times.newest) {
            (Some(covers), _) => format!(
                "every record here existed at {}, says an authority whose certificate you gave, over {} entries",
                utc(covers.gen_time_ms),
                covers.size
            ),
            (None, Some(newest)) => format!(
                "the first {} entries existed at {}, says an authority whose certificate you gave; not all of this",
                newest.size,
                utc(newest.gen_time_ms)
            ),
            (None, None) => "no timestamp proves anything of these records".to_owned(),
        },
    );
    line("", format!("{} timestamps verified", times.good));
    if times.loose > 0 {
        line(
            "",
            format!("of which {} are over checkpoints that this file does not lead to the tree", times.loose),
        );
    }
    if times.unknown > 0 {
        line("", format!("{} timestamps by nobody that leads to the certificates you gave", times.unknown));
    }
}

/// The report for programs, one JSON object.
pub fn evidence_json(report: &Report) -> String {
    let mut object = Object::new();
    object.insert("verdict", report.verdict().word().to_owned());
    let anchor = match (report.pinned, report.witnessed) {
        (true, _) => "key",
        (false, Some(_)) => "witnessed",
        (false, None) => "none",
    };
    object.insert("anchor", anchor);
    if let Some(manifest) = &report.manifest {
        object.insert("manifest_sha256", hex(&manifest.sha256()));
        let text = manifest.to_text();
        if let Ok(value) = record::json::parse(text.trim_ascii_end()) {
            object.insert("manifest", value.into_owned());
        }
        object.insert("complete", Value::Bool(manifest.selection.query.is_none()));
    }
    object.insert("records", report.records);
    object.insert("cosignatures", report.cosignatures as u64);
    let names = report.witnesses.iter().map(|name| Value::from(name.clone()));
    object.insert("witnesses", Value::Array(names.collect()));
    object.insert("witnessed", report.witnessed.map_or(Value::Null, Value::from));
    object.insert("anchors", report.anchors as u64);
    object.insert("timestamps", report.timestamps as u64);
    if let Some(old) = &report.predecessor {
        object.insert("continues", crate::output::continues(old));
    }
    if let Some(times) = &report.times {
        object.insert("times", json_times(times));
    }
    object.insert("damaged", report.damaged);
    object.insert("damage", Value::Array(report.damage.iter().map(damage).collect()));
    let undecided = report.undecided.iter().map(|text| Value::from(text.clone()));
    object.insert("undecided", Value::Array(undecided.collect()));
    let unchecked = report.unchecked.iter().map(|text| Value::from(text.clone()));
    object.insert("unchecked", Value::Array(unchecked.collect()));
    object.insert("bytes_read", report.bytes);
    let mut out = Vec::new();
    canonical::write(&Value::Object(object), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn json_times(times: &Times) -> Value<'static> {
    let mut object = Object::new();
    object.insert("good", times.good);
    object.insert("loose", times.loose);
    object.insert("unknown", times.unknown);
    for (name, stamped) in [("covers", times.covers), ("newest", times.newest)] {
        if let Some(stamped) = stamped {
            let mut inner = Object::new();
            inner.insert("size", stamped.size);
            inner.insert("gen_time_ms", stamped.gen_time_ms);
            object.insert(name, inner);
        }
    }
    Value::Object(object)
}

fn damage(damage: &export::verify::Damage) -> Value<'static> {
    let mut object = Object::new();
    object.insert("check", format!("E{}", damage.check as u8));
    object.insert("kind", damage.check.name());
    object.insert("member", damage.member.clone());
    object.insert("detail", damage.detail.clone());
    if let Some(line) = damage.line {
        object.insert("line", line);
    }
    if let Some(index) = damage.index {
        object.insert("index", index);
    }
    Value::Object(object)
}
