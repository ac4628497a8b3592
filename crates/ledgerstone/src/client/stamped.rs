//! `timestamps`: a checkpoint with all that stamps it, as files for others to verify; and what `status` says of timestamps.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use timestamp::Token;
use timestamp::ots::{Attestation, DetachedFile};

use super::{Client, encode, json};
use crate::cli;
use crate::failure::{About, Failure};
use crate::terminal::{self, Paint};
use crate::time::rfc3339;

pub(crate) fn run(args: cli::Timestamps) -> Result<(), Failure> {
    let client = Client::new(&args.server)?;
    let least = args.index.map_or(String::new(), |index| format!("?size={}", index.saturating_add(1)));
    let answer = client.get(&format!("/v1/ledgers/{}/timestamps{least}", encode(&args.ledger)))?;
    let answer = match answer.status {
        200 => answer.json().ok_or_else(|| Failure::trouble("the server's answer is not JSON"))?,
        404 => return Err(Failure::no("no such checkpoint was time-stamped")),
        _ => return Err(client.refused(&answer)),
    };
    let bad = |what: String| Failure::no(format!("nothing was written: {what}"));
    let note = json::text(&answer, "checkpoint").unwrap_or_default();
    let body = timestamp::body(note.as_bytes()).map_err(|error| bad(error.to_string()))?;
    let checkpoint = tlog::Checkpoint::parse(&body).map_err(|error| bad(error.to_string()))?;
    let digest = timestamp::digest(body.as_bytes());
    let name = format!("{}-{}", args.ledger, checkpoint.size);
    let mut files = vec![(format!("{name}.body"), body.clone().into_bytes())];
    files.push((format!("{name}.checkpoint"), note.as_bytes().to_vec()));
    let mut said = Vec::new();
    let tokens = answer.get("tokens").and_then(Value::as_array).cloned().unwrap_or_default();
    for (number, token) in (1..).zip(&tokens) {
        let bytes = decode(token).ok_or_else(|| bad(format!("token {number} is not base64")))?;
        let token = Token::parse(&bytes).map_err(|error| bad(format!("token {number}: {error}")))?;
        let info = token.claimed();
        if info.digest != digest {
            return Err(bad(format!("token {number} is over other data")));
        }
        said.push(format!("a token of {}, not verified here", rfc3339(info.gen_time_ms)));
        files.push((format!("{name}.{number}.der"), bytes));
    }
    if let Some(ots) = answer.get("ots").filter(|ots| !ots.is_null()) {
        let bytes = decode(ots).ok_or_else(|| bad("the OpenTimestamps file is not base64".to_owned()))?;
        let file = DetachedFile::parse(&bytes).map_err(|error| bad(error.to_string()))?;
        if file.digest() != digest {
            return Err(bad("the OpenTimestamps file is over other data".to_owned()));
        }
        said.push(of_ots(&file));
        files.push((format!("{name}.body.ots"), bytes));
    }
    fs::create_dir_all(&args.output).about("make", &args.output)?;
    let mut paths = Vec::new();
    for (name, bytes) in files {
        let path = args.output.join(name);
        fs::write(&path, bytes).about("write", &path)?;
        paths.push(path);
    }
    if args.server.json {
        return json::print(&json!({
            "ledger": args.ledger, "size": checkpoint.size, "root": checkpoint.root.to_base64(), "files": paths,
        }));
    }
    let mut text =
        format!("checkpoint of {} entries of {}\n", checkpoint.size, terminal::escape(&args.ledger));
    text.extend(said.iter().map(|line| format!("  {}\n", terminal::escape(line))));
    text.extend(paths.iter().map(|path| format!("{}\n", path.display())));
    Ok(terminal::print(&text)?)
}

fn of_ots(file: &DetachedFile) -> String {
    match file.blocks().into_iter().min() {
        Some(height) => format!("OpenTimestamps: in Bitcoin block {height}, whose header must be looked up"),
        None => {
            let uris = file.attestations().into_iter().filter_map(|(_, attestation)| match attestation {
                Attestation::Pending { uri } => Some(uri.clone()),
                _ => None,
            });
            format!("OpenTimestamps: promised by {}, in no block yet", uris.collect::<Vec<_>>().join(", "))
        }
    }
}

fn decode(value: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(value.as_str()?).ok()
}

/// A length of time for people, from milliseconds.
pub(crate) fn span(ms: u64) -> String {
    match ms / 1000 {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7200 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// A line for each authority and calendar of each ledger; nothing where nobody is asked.
pub(super) fn table(all: &Value, paint: Paint) -> String {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let mut rows = Vec::new();
    for ledger in list(Some(all)) {
        let name = json::text(&ledger, "ledger").unwrap_or_default().to_owned();
        let state = |one: &Value, good: String| match json::text(one, "error") {
            Some(why) => why.to_owned(),
            None => good,
        };
        for one in list(ledger.get("authorities")) {
            let member = |name: &str| {
                one.get(name).filter(|value| !value.is_null()).map(json::plain).unwrap_or_default()
            };
            let age = json::number(&one, "age_ms")
                .map_or("none yet".to_owned(), |age| format!("{} old", span(age)));
            rows.push(vec![
                name.clone(),
                member("authority"),
                member("size"),
                age,
                state(&one, "good".to_owned()),
            ]);
        }
        for one in list(ledger.get("calendars")) {
            let member = |name: &str| {
                one.get(name).filter(|value| !value.is_null()).map(json::plain).unwrap_or_default()
            };
            let block =
                json::number(&one, "block").map_or("none yet".to_owned(), |block| format!("block {block}"));
            let pending = format!("{} wait for a block", member("pending"));
            rows.push(vec![name.clone(), member("calendar"), member("size"), block, state(&one, pending)]);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let columns = ["ledger", "stamped by", "entries", "newest", "state"];
    format!("\n{}", terminal::table(&columns, &rows, paint))
}
