//! `evidence`: asks for an evidence file, verifies it, and only then gives it its name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::{Client, encode, json, prove, verify};
use crate::cli;
use crate::failure::{About, Failure};
use crate::terminal::{self, escape};

/// Bytes taken over at once.
const PIECE: usize = 128 << 10;

pub(crate) fn run(args: cli::Evidence) -> Result<(), Failure> {
    let key = args.key.as_deref().map(prove::parse_key).transpose()?;
    let body = request(&args)?;
    let client = Client::new(&args.server)?;
    let mut answer = client.post_stream(&format!("/v1/ledgers/{}/evidence", encode(&args.ledger)), &body)?;
    let unfinished = Unfinished::beside(&args.output);
    fetch(&mut answer, &unfinished.0)?;
    let report = verify::evidence_report(&unfinished.0, key.as_ref(), None, None)?;
    if report.verdict() != verifier::Verdict::Proven {
        terminal::tell(&verifier::evidence_text(&report));
        return Err(Failure::no("what the server sent does not verify, so it was not written"));
    }
    fs::rename(&unfinished.0, &args.output).about("write", &args.output)?;
    drop(unfinished);
    let Some(manifest) = &report.manifest else { return Err(Failure::no("the file has no manifest")) };
    let sha256 = export::text::hex(&manifest.sha256());
    if args.server.json {
        return json::print(&json!({
            "file": args.output, "bytes": report.bytes, "records": manifest.counts.total(),
            "manifest_sha256": sha256, "origin": manifest.origin, "vkey": manifest.vkey, "tree_size": manifest.size,
            "from": manifest.selection.from, "end": manifest.selection.end,
            "complete": manifest.selection.query.is_none(),
            "withheld": manifest.withheld.iter().map(|facet| facet.name()).collect::<Vec<_>>(),
        }));
    }
    let what = match manifest.selection.query {
        None => "every record",
        Some(_) => "a selection (completeness of the match is not provable) of the records",
    };
    terminal::print(&format!(
        "{} records written to {}: {what} from index {} to {}\nmanifest sha256 {sha256}\n",
        manifest.counts.total(),
        args.output.display(),
        manifest.selection.from,
        manifest.selection.end.saturating_sub(1),
    ))?;
    terminal::tell(&format!(
        "hint: whoever gets it verifies it with: ledgerstone-verify {} --key '{}'\n\
         hint: give the key another way than the file; the manifest's hash is on record in the ledger system",
        args.output.display(),
        escape(&manifest.vkey),
    ));
    Ok(())
}

/// What to ask for.
fn request(args: &cli::Evidence) -> Result<Value, Failure> {
    let mut body = Map::new();
    body.insert("case".to_owned(), args.case.clone().into());
    for (end, text) in [("from", &args.from), ("to", &args.to)] {
        let Some(text) = text else { continue };
        let (name, number) = place(end, text)?;
        body.insert(name, number.into());
    }
    if let Some(purpose) = &args.server.purpose {
        body.insert("purpose".to_owned(), purpose.clone().into());
    }
    if let Some(query) = &args.query {
        body.insert("query".to_owned(), query.clone().into());
    }
    if !args.withhold.is_empty() {
        body.insert("withhold".to_owned(), args.withhold.clone().into());
    }
    Ok(Value::Object(body))
}

/// An end of the range: an index, or a time.
fn place(end: &str, text: &str) -> Result<(String, u64), Failure> {
    if let Ok(index) = text.parse::<u64>() {
        return Ok((end.to_owned(), index));
    }
    match wire::rfc3339_ms(text).and_then(|ms| u64::try_from(ms).ok()) {
        Some(ms) => Ok((format!("{end}_ms"), ms)),
        None => Err(Failure::trouble(format!("--{end} is neither an index nor a time: {}", escape(text)))
            .hint("give an index such as 4711, or a time such as 2026-11-21T10:00:00Z")),
    }
}

/// Takes over what is sent, to its very end: a file that was cut off is an error of the connection.
fn fetch(answer: &mut impl Read, path: &Path) -> Result<(), Failure> {
    let mut file = create(path).about("write", path)?;
    let bar = match io::stderr().is_terminal() {
        true => ProgressBar::new_spinner(),
        false => ProgressBar::hidden(),
    };
    let bar = match ProgressStyle::with_template("{spinner} {bytes} received  {bytes_per_sec}  {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    };
    let mut piece = vec![0; PIECE];
    loop {
        let length = answer.read(&mut piece).map_err(|error| {
            Failure::trouble(format!("the file broke off: {error}")).hint("ask again; nothing was written")
        })?;
        if length == 0 {
            break;
        }
        file.write_all(&piece[..length]).about("write", path)?;
        bar.inc(length as u64);
    }
    bar.finish_and_clear();
    file.sync_all().about("write", path)
}

/// A new file that only its owner can read: it may hold what only he may see.
fn create(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// A file under another name until it is whole and verified; removed if that never happens.
struct Unfinished(PathBuf);

impl Unfinished {
    fn beside(path: &Path) -> Self {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        Self(path.with_file_name(name))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Renamed, it is no longer there.
        drop(fs::remove_file(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn an_end_is_an_index_or_a_time() {
        assert_eq!(place("from", "4711").ok(), Some(("from".to_owned(), 4711)));
        let time = place("to", "2026-11-21T10:00:00.250+01:00").ok();
        assert_eq!(time, Some(("to_ms".to_owned(), 1_795_251_600_250)));
        for bad in ["", "-1", "yesterday", "1969-01-01T00:00:00Z", "18446744073709551616"] {
            assert!(place("from", bad).is_err(), "{bad}");
        }
    }
}
