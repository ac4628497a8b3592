//! `append`: sends a file or stream and says where it was recorded, or exactly what was not.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use record::receipt::Receipt;
use serde_json::{Value, json};

use super::feed::{Body, Fed, Feed};
use super::{Answer, Client, Silence, encode, json};
use crate::cli::Append;
use crate::failure::{About, Failure};
use crate::terminal::{self, escape};

/// The wait before asking again when the server names none.
const RETRY: Duration = Duration::from_secs(1);

pub(crate) fn run(args: Append) -> Result<(), Failure> {
    let client = Client::new(&args.server)?;
    let (input, length) = open(&args.file)?;
    let bar = progress(length);
    let mut appending = Appending::new(&client, &args)?;
    let ended = appending.all(&mut Feed::new(input, args.skip), &bar);
    bar.finish_and_clear();
    let ended = ended.and_then(|()| appending.flush_receipts());
    if args.server.json {
        json::print(&appending.tally.json(&args, ended.as_ref().err()))?;
    } else if appending.tally.count > 0 {
        terminal::print(&appending.tally.text(&args))?;
    }
    appending.tally.warn();
    let tally = &appending.tally;
    match ended {
        Ok(()) if tally.count == 0 => {
            Err(Failure::trouble(format!("nothing to append in {}", name(&args.file))))
        }
        Ok(()) => Ok(()),
        Err(Failure::Trouble(_)) if tally.count > 0 && tally.in_doubt == 0 && !args.is_stream() => ended
            .map_err(|failure| {
                let next = args.skip + tally.count;
                failure.hint(format!("append the rest, from record {} on, with --skip {next}", next + 1))
            }),
        Err(failure) => Err(failure),
    }
}

impl Append {
    fn is_stream(&self) -> bool {
        self.file == Path::new("-")
    }
}

/// What has been recorded so far.
#[derive(Debug, Default)]
struct Tally {
    origin: Option<String>,
    source: Option<u64>,
    count: u64,
    quarantined: u64,
    duplicates: u64,
    incomplete: u64,
    /// Runs of indexes, first and last, in the order in which they were answered.
    ranges: Vec<(u64, u64)>,
    /// The newest checkpoint, if it was waited for.
    checkpoint: Option<String>,
    /// Records of which nobody can say whether they were recorded.
    in_doubt: u64,
}

impl Tally {
    fn add_range(&mut self, first: u64, last: u64) {
        match self.ranges.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(first) => *end = last,
            _ => self.ranges.push((first, last)),
        }
    }

    fn first(&self) -> Option<u64> {
        self.ranges.iter().map(|range| range.0).min()
    }

    fn last(&self) -> Option<u64> {
        self.ranges.iter().map(|range| range.1).max()
    }

    fn json(&self, args: &Append, failure: Option<&Failure>) -> Value {
        json!({
            "ledger": args.ledger,
            "origin": self.origin,
            "source": self.source,
            "level": args.wait.name(),
            "complete": failure.is_none(),
            "count": self.count,
            "first": self.first(),
            "last": self.last(),
            "ranges": self.ranges,
            "quarantined": self.quarantined,
            "duplicates": self.duplicates,
            "incomplete": self.incomplete,
            "in_doubt": self.in_doubt,
            "checkpoint": self.checkpoint,
            "error": failure.map(Failure::message),
        })
    }

    fn text(&self, args: &Append) -> String {
        let records =
            |count: u64| if count == 1 { "1 record".to_owned() } else { format!("{count} records") };
        let place = match (self.first(), self.last()) {
            (Some(first), Some(last)) if first == last => format!("index {first}"),
            (Some(first), Some(last)) => {
                let between = if self.ranges.len() > 1 { ", with others between" } else { "" };
                format!("first index {first}, last index {last}{between}")
            }
            _ => "no index".to_owned(),
        };
        format!("{} {} in ledger {}: {place}\n", records(self.count), args.wait.name(), args.ledger)
    }

    fn warn(&self) {
        if self.quarantined > 0 {
            terminal::tell(&format!(
                "warning: {} not understood and kept whole in quarantine; find with: ledgerstone search kind:quarantine",
                were(self.quarantined)
            ));
        }
        if self.incomplete > 0 {
            terminal::tell(&format!(
                "note: {} accepted without a field that should be there",
                were(self.incomplete)
            ));
        }
        if self.duplicates > 0 {
            terminal::tell(&format!(
                "note: {} recorded before and not recorded again",
                were(self.duplicates)
            ));
        }
    }
}

fn were(count: u64) -> String {
    if count == 1 { "1 record was".to_owned() } else { format!("{count} records were") }
}

struct Appending<'a> {
    client: &'a Client,
    args: &'a Append,
    receipts: Option<BufWriter<File>>,
    tally: Tally,
}

impl<'a> Appending<'a> {
    fn new(client: &'a Client, args: &'a Append) -> Result<Appending<'a>, Failure> {
        let receipts = match &args.receipts {
            Some(path) => Some(BufWriter::new(File::create(path).about("write receipts to", path)?)),
            None => None,
        };
        Ok(Appending { client, args, receipts, tally: Tally::default() })
    }

    /// Sends everything. What was recorded when it fails is in the tally.
    fn all(&mut self, feed: &mut Feed<impl Read>, bar: &ProgressBar) -> Result<(), Failure> {
        loop {
            match feed.next().about("read", &self.args.file)? {
                Fed::Body(body, read) => {
                    self.send(body)?;
                    bar.set_position(read);
                    bar.set_message(format!("{} recorded", self.tally.count));
                }
                Fed::TooLong(size) => {
                    return Err(Failure::trouble(format!(
                        "record {} of {} is too long to be sent: {size} bytes",
                        self.position(),
                        name(&self.args.file)
                    )));
                }
                Fed::End => return Ok(()),
            }
        }
    }

    /// Number of the next record in the file, counted from 1.
    fn position(&self) -> u64 {
        self.args.skip + self.tally.count + 1
    }

    /// Sends one body until all of it is recorded or patience is at its end.
    fn send(&mut self, mut body: Body) -> Result<(), Failure> {
        let mut patience = Duration::from_secs(self.args.patience);
        while body.len() > 0 {
            let answer = match self.client.post(&self.path(), "application/x-ndjson", body.bytes()) {
                Ok(answer) => answer,
                Err(Silence::NotThere(message)) if self.tally.count > 0 && !patience.is_zero() => {
                    self.wait(&message, RETRY, &mut patience);
                    continue;
                }
                Err(silence @ (Silence::NotThere(_) | Silence::Distrusted(..))) => return Err(silence.into()),
                Err(Silence::Broken(message)) => {
                    // Under its own numbers a record is recorded once, however often it is sent.
                    if self.args.sequence.is_some() && !patience.is_zero() {
                        self.wait(&message, RETRY, &mut patience);
                        continue;
                    }
                    return Err(self.in_doubt(&body, &message));
                }
            };
            match answer.status {
                200 => {
                    self.recorded(&body, &answer)?;
                    return Ok(());
                }
                429 | 503 if answer.is_outcome_unknown() && self.args.sequence.is_none() => {
                    let (title, detail) = answer.problem();
                    return Err(self.in_doubt(&body, &detail.unwrap_or(title)));
                }
                429 | 503 if !patience.is_zero() => {
                    self.recorded_in_part(&mut body, &answer);
                    // Nothing is left to be sent again, and what was waited for has not come.
                    if body.len() == 0 {
                        return Err(self.not_reached(&answer));
                    }
                    let (title, detail) = answer.problem();
                    let why = detail.unwrap_or(title);
                    self.wait(&why, answer.retry_after.unwrap_or(RETRY), &mut patience);
                }
                _ => {
                    self.recorded_in_part(&mut body, &answer);
                    return Err(self.stopped(&answer));
                }
            }
        }
        Ok(())
    }

    fn path(&self) -> String {
        let args = self.args;
        let receipts = if self.receipts.is_some() { "full" } else { "none" };
        let mut path = format!(
            "/v1/ledgers/{}/events?wait={}&receipts={receipts}",
            encode(&args.ledger),
            args.wait.name()
        );
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={}", encode(&value)));
            }
        };
        add("format", args.format.clone());
        add("source", args.source.map(|source| source.to_string()));
        add("epoch", args.epoch.map(|epoch| epoch.to_string()));
        add("sequence", args.sequence.map(|sequence| sequence.saturating_add(self.tally.count).to_string()));
        path
    }

    /// Counts an answer that all of a body was recorded.
    fn recorded(&mut self, body: &Body, answer: &Answer) -> Result<(), Failure> {
        let value = json::parse(&answer.body)?;
        let number = |name: &str| json::number(&value, name).unwrap_or(0);
        let count = json::need(&value, "count")?;
        if count != body.len() as u64 {
            return Err(Failure::trouble(format!(
                "the server recorded another number of records than were sent, from record {} on: {count} instead of {}",
                self.position(),
                body.len()
            )));
        }
        let start = self.position();
        let tally = &mut self.tally;
        tally.count += count;
        tally.quarantined += number("quarantined");
        tally.duplicates += number("duplicates");
        tally.incomplete += number("incomplete");
        tally.origin = json::text(&value, "origin").map(str::to_owned).or(tally.origin.take());
        tally.source = json::number(&value, "source").or(tally.source);
        tally.checkpoint = json::text(&value, "checkpoint").map(str::to_owned).or(tally.checkpoint.take());
        let ranges = value.get("ranges").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for range in ranges {
            if let (Some(first), Some(last)) = (json::at_index(range, 0), json::at_index(range, 1)) {
                tally.add_range(first, last);
            }
        }
        if let (true, Some(first), Some(last)) =
            (ranges.is_empty(), json::number(&value, "first"), json::number(&value, "last"))
        {
            tally.add_range(first, last);
        }
        if self.receipts.is_some() {
            self.keep_receipts(body, value.get("receipts").unwrap_or(&Value::Null), start)?;
        }
        Ok(())
    }

    /// Counts what a refusal says was recorded all the same, so that it is not sent again.
    fn recorded_in_part(&mut self, body: &mut Body, answer: &Answer) {
        let Some(value) = answer.json() else { return };
        let Some(count) = json::number(&value, "recorded.count").filter(|count| *count > 0) else { return };
        let count = count.min(body.len() as u64);
        body.advance(usize::try_from(count).unwrap_or(usize::MAX));
        self.tally.count += count;
        if let (Some(first), Some(last)) =
            (json::number(&value, "recorded.first"), json::number(&value, "recorded.last"))
        {
            self.tally.add_range(first, last);
            if self.receipts.is_some() {
                terminal::tell(&format!(
                    "warning: no receipts came for indexes {first} to {last}; get them with: ledgerstone receipt INDEX -o FILE"
                ));
            }
        }
    }

    /// Checks each receipt against the bytes that were sent and writes it. `start` is the number of the first record.
    fn keep_receipts(&mut self, body: &Body, receipts: &Value, start: u64) -> Result<(), Failure> {
        let receipts = receipts.as_array().map_or(&[][..], Vec::as_slice);
        if receipts.len() != body.len() {
            return Err(Failure::trouble(format!(
                "the server gave another number of receipts than it recorded records, from record {start} on: {} instead of {}",
                receipts.len(),
                body.len()
            )));
        }
        for (at, (raw, value)) in body.records().zip(receipts).enumerate() {
            let record = start + at as u64;
            let bad = |error: &dyn std::fmt::Display| {
                Failure::no(format!("the receipt of record {record} does not hold: {error}"))
                    .hint("the server did not record what it was sent: keep the file and ask who runs it")
            };
            let receipt = Receipt::parse(value.to_string().as_bytes()).map_err(|error| bad(&error))?;
            receipt.check_raw(raw).map_err(|error| bad(&error))?;
            if let (Some(out), Some(path)) = (&mut self.receipts, &self.args.receipts) {
                let line = receipt_line(record, raw.len(), &receipt);
                out.write_all(line.as_bytes()).about("write receipts to", path)?;
            }
        }
        Ok(())
    }

    /// Receipts are evidence: they are on disk before success is told.
    fn flush_receipts(&mut self) -> Result<(), Failure> {
        let (Some(out), Some(path)) = (&mut self.receipts, &self.args.receipts) else { return Ok(()) };
        out.flush().and_then(|()| out.get_ref().sync_all()).about("write receipts to", path)
    }

    fn wait(&self, why: &str, time: Duration, patience: &mut Duration) {
        let time = time.clamp(RETRY, Duration::from_secs(60)).min((*patience).max(RETRY));
        terminal::tell(&format!("waiting {} s: {}", time.as_secs(), escape(why)));
        sleep(time);
        *patience = patience.saturating_sub(time);
    }

    /// The server refuses: what came before is recorded, the rest is not.
    fn stopped(&self, answer: &Answer) -> Failure {
        let why = match self.client.refused(answer) {
            Failure::No(told) => Failure::Trouble(told),
            trouble => trouble,
        };
        let (count, file) = (self.tally.count, name(&self.args.file));
        let what = match count {
            0 => format!("nothing of {file} was recorded"),
            _ => format!(
                "{} recorded, those from record {} of {file} on were not",
                were(count),
                self.position()
            ),
        };
        why.preceded_by(&what)
    }

    /// All that was sent is recorded, and has not come as far as was asked for.
    fn not_reached(&self, answer: &Answer) -> Failure {
        let why = match self.client.refused(answer) {
            Failure::No(told) => Failure::Trouble(told),
            trouble => trouble,
        };
        let level = self.args.wait.name();
        why.preceded_by(&format!(
            "{} recorded and durable, but not {level} yet; nothing after that was sent",
            were(self.tally.count)
        ))
    }

    /// The answer to a body was lost.
    fn in_doubt(&mut self, body: &Body, why: &str) -> Failure {
        self.tally.in_doubt = body.len() as u64;
        let from = self.position();
        let to = from + self.tally.in_doubt - 1;
        Failure::trouble(format!(
            "{why}\n{} recorded; whether records {from} to {to} of {} were is unknown, those behind were not sent",
            were(self.tally.count),
            name(&self.args.file)
        ))
        .hint(
            "look for them with `ledgerstone search` before appending them again; a source that numbers its events \
             (`ledgerstone sources add LABEL --numbering source`) can repeat them without a second record",
        )
    }
}

impl Answer {
    fn is_outcome_unknown(&self) -> bool {
        self.json().is_some_and(|value| json::text(&value, "type") == Some("ledgerstone:outcome-unknown"))
    }
}

/// A line of a receipts file: the receipt, which record of the file it is for, and how long that is.
fn receipt_line(record: u64, bytes: usize, receipt: &Receipt) -> String {
    format!("{{\"bytes\":{bytes},\"receipt\":{},\"record\":{record}}}\n", receipt.to_json())
}

/// Opens the input; also its length, if it has one.
fn open(path: &Path) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let file = File::open(path).about("read", path)?;
    let meta = file.metadata().about("read", path)?;
    if meta.is_dir() {
        return Err(Failure::trouble(format!("can't append a directory: {}", path.display())));
    }
    Ok((Box::new(file), meta.is_file().then_some(meta.len())))
}

fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// A progress bar on a terminal; of what is recorded, not of what is sent.
fn progress(length: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match length {
        Some(length) => (ProgressBar::new(length), "{bar:30} {percent:>3} %  {msg}  {eta}"),
        None => (ProgressBar::new_spinner(), "{spinner} {msg}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
