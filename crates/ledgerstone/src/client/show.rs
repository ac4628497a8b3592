//! `show`: one event, readable or as its original bytes.

use std::io::{self, IsTerminal, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Client, encode, json};
use crate::cli::Show;
use crate::failure::Failure;
use crate::terminal::{self, Paint, escape};

pub(crate) fn run(args: Show) -> Result<(), Failure> {
    if args.raw && !args.force && io::stdout().is_terminal() {
        return Err(Failure::trouble(
            "the original bytes could steer your terminal, so they are not written to it",
        )
        .hint("write them to a file, as in `ledgerstone show 12 --raw > event`, or give --force"));
    }
    let client = Client::new(&args.server)?;
    let record = client.get_json(&format!("/v1/ledgers/{}/events/{}", encode(&args.ledger), args.index))?;
    if args.raw {
        let raw = raw(&record)?;
        return match io::stdout().lock().write_all(&raw) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => Ok(other?),
        };
    }
    if args.server.json {
        return json::print(&record);
    }
    Ok(terminal::print(&readable(&record, Paint::for_stdout()))?)
}

/// The original bytes of a record.
///
/// # Errors
/// The answer has none: they were erased, or the ledger wrote the record itself.
pub(super) fn raw(record: &Value) -> Result<Vec<u8>, Failure> {
    if let Some(text) = json::text(record, "raw") {
        return Ok(text.as_bytes().to_vec());
    }
    match json::text(record, "raw_base64") {
        Some(text) => STANDARD
            .decode(text)
            .map_err(|error| Failure::trouble(format!("the server's answer is not base64: {error}"))),
        None => Err(Failure::no("this record has no original bytes")),
    }
}

/// The entry, then every attribute of the event on a line of its own, then the original text.
fn readable(record: &Value, paint: Paint) -> String {
    let mut lines = Vec::new();
    for name in ["index", "kind", "received", "source", "epoch", "sequence", "committed"] {
        if let Some(value) = record.get(name).filter(|value| !value.is_null()) {
            lines.push((name.to_owned(), json::plain(value)));
        }
    }
    let mut out = paint.bold("entry");
    out.push('\n');
    out.push_str(&aligned(&lines));
    if let Some(event) = record.get("event") {
        let mut lines = Vec::new();
        flatten(String::new(), event, &mut lines);
        out.push_str(&format!("\n{}\n{}", paint.bold("event"), aligned(&lines)));
    }
    if let Ok(raw) = raw(record)
        && !raw.is_empty()
    {
        out.push_str(&format!("\n{}\n", paint.bold(&format!("original ({} bytes)", raw.len()))));
        match String::from_utf8(raw) {
            Ok(text) => text.lines().for_each(|line| out.push_str(&format!("  {}\n", escape(line)))),
            Err(_) => out.push_str("  not text; write it to a file with --raw\n"),
        }
    }
    out
}

fn aligned(lines: &[(String, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(48);
    let line = |(name, value): &(String, String)| format!("  {:<width$}  {}\n", escape(name), escape(value));
    lines.iter().map(line).collect()
}

/// Lists what a value holds by path, such as `actor.user.name` or `resources[0].uid`.
///
/// JSON readers bound how deep a value is nested, and so this.
fn flatten(path: String, value: &Value, lines: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let dot = if path.is_empty() { "" } else { "." };
            for (name, value) in members {
                flatten(format!("{path}{dot}{name}"), value, lines);
            }
        }
        Value::Array(elements) if !elements.is_empty() => {
            for (at, value) in elements.iter().enumerate() {
                flatten(format!("{path}[{at}]"), value, lines);
            }
        }
        leaf => lines.push((path, json::plain(leaf))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_shown_by_path_and_nothing_raw_reaches_the_terminal() {
        let record = json!({
            "index": 3, "kind": "event", "committed": true,
            "event": {"actor": {"user": {"name": "mal\u{1b}[31mlory"}}, "resources": [{"uid": "a\u{202e}b"}], "k\u{7}": []},
            "raw": "line one\r\nline \u{9b}two",
        });
        let text = readable(&record, Paint::plain());
        assert!(text.contains("  actor.user.name   mal\\u{1b}[31mlory\n"), "{text}");
        assert!(text.contains("resources[0].uid  a\\u{202e}b\n"), "{text}");
        assert!(text.contains("original (20 bytes)\n  line one\n  line \\u{9b}two\n"), "{text}");
        assert!(!text.chars().any(|c| c != '\n' && terminal::is_deceptive(c)), "{text}");
    }

    #[test]
    fn original_bytes_come_back_as_they_were() {
        assert_eq!(raw(&json!({"raw": "a\u{0}b"})).ok(), Some(b"a\0b".to_vec()));
        assert_eq!(raw(&json!({"raw_base64": "/wA="})).ok(), Some(vec![0xff, 0]));
        assert!(raw(&json!({"raw_base64": "%"})).is_err());
        assert!(raw(&json!({})).is_err());
    }
}
