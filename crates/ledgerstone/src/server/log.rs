//! What the running server tells on standard error: sentences for people, or one JSON object a line for programs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use env::Env;
use serde_json::{Map, Value};

use crate::terminal::{self, escape};
use crate::time::rfc3339;

/// Set once at the start, before there are other threads.
static JSON: AtomicBool = AtomicBool::new(false);

/// Words at the beginning of a sentence that say how much it matters.
const LEVELS: [&str; 3] = ["error", "warning", "info"];

/// Chooses JSON, or sentences.
pub(crate) fn set_json(json: bool) {
    JSON.store(json, Ordering::Relaxed);
}

/// Logs a sentence, which begins with its level, with the time in front.
pub(crate) fn log(env: &dyn Env, sentence: &str) {
    log_with(env, sentence, &[]);
}

/// Logs a sentence, and beside it in JSON what it says, field by field.
pub(crate) fn log_with(env: &dyn Env, sentence: &str, fields: &[(&'static str, Value)]) {
    let time = rfc3339(env.now_ms());
    for line in sentence.lines() {
        terminal::tell(&match JSON.load(Ordering::Relaxed) {
            true => json(&time, line, fields),
            false => format!("{time} {}", escape(line)),
        });
    }
}

fn json(time: &str, line: &str, fields: &[(&'static str, Value)]) -> String {
    let (level, message) = match line.split_once(": ") {
        Some((level, message)) if LEVELS.contains(&level) => (level, message),
        _ => ("info", line),
    };
    let mut object = Map::new();
    object.insert("time".to_owned(), time.into());
    object.insert("level".to_owned(), level.into());
    object.insert("message".to_owned(), escape(message).into());
    for (name, value) in fields {
        let value = match value {
            Value::String(text) => Value::from(escape(text)),
            other => other.clone(),
        };
        object.insert((*name).to_owned(), value);
    }
    Value::Object(object).to_string()
}

/// Logs each answer: never a query, a token or a body, and of the path only which route it is.
pub(super) fn requests(env: Arc<dyn Env>) -> api::Teller {
    Box::new(move |answered| {
        let peer = answered.peer.map_or("-".to_owned(), |peer| peer.to_string());
        let took_ms = u64::try_from(answered.took.as_millis()).unwrap_or(u64::MAX);
        let sentence = format!(
            "info: request {} {} {} from {peer} in {took_ms} ms: {}",
            answered.request, answered.method, answered.route, answered.status
        );
        let fields = [
            ("request", answered.request.as_str().into()),
            ("method", answered.method.as_str().into()),
            ("route", answered.route.as_str().into()),
            ("status", answered.status.into()),
            ("took_ms", took_ms.into()),
            ("peer", peer.as_str().into()),
        ];
        log_with(env.as_ref(), &sentence, &fields);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_lines_are_objects_and_steer_no_terminal() {
        let fields = [("file", Value::from("a\u{202e}b\u{1b}[31m")), ("pid", Value::from(7))];
        let line = json("T", "error: damage: a\u{1b}[2J\u{202e}", &fields);
        assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line}");
        let read: Value = serde_json::from_str(&line).expect("it is JSON");
        assert_eq!((read["time"].as_str(), read["level"].as_str()), (Some("T"), Some("error")));
        assert_eq!(read["message"], "damage: a\\u{1b}[2J\\u{202e}");
        assert_eq!((read["file"].as_str(), read["pid"].as_u64()), (Some("a\\u{202e}b\\u{1b}[31m"), Some(7)));
        let read: Value = serde_json::from_str(&json("T", "certificate: reloaded", &[])).expect("it is JSON");
        assert_eq!(
            (read["level"].as_str(), read["message"].as_str()),
            (Some("info"), Some("certificate: reloaded"))
        );
    }
}
