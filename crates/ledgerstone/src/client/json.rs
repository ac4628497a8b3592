//! JSON from a server, and to programs.

use serde_json::Value;

use crate::failure::Failure;
use crate::terminal;

/// Reads an answer.
pub(super) fn parse(body: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(body)
        .map_err(|error| Failure::trouble(format!("the server's answer is not JSON: {error}")))
}

/// The value at a path of member names, such as `actor.user.name`.
pub(super) fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, name| value.get(name))
}

/// The text at a path.
pub(super) fn text<'v>(value: &'v Value, path: &str) -> Option<&'v str> {
    at(value, path).and_then(Value::as_str)
}

/// The whole number at a path: indexes may come as decimal strings, which all JSON readers leave alone.
pub(super) fn number(value: &Value, path: &str) -> Option<u64> {
    at(value, path).and_then(whole)
}

/// A value as a whole number.
pub(super) fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The whole number at a place in an array.
pub(super) fn at_index(value: &Value, at: usize) -> Option<u64> {
    value.get(at).and_then(whole)
}

/// The whole number at a path that the server must have given.
pub(super) fn need(value: &Value, path: &str) -> Result<u64, Failure> {
    number(value, path).ok_or_else(|| Failure::trouble(format!("the server's answer lacks a number: {path}")))
}

/// A value as text for a person: strings without quotes, the rest as JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Prints a value as one line of JSON.
pub(crate) fn print(value: &Value) -> Result<(), Failure> {
    Ok(terminal::print(&format!("{}\n", guard(&value.to_string())))?)
}

/// Spells characters that could deceive a terminal as JSON escapes. In JSON they stand only in strings, so the
/// value stays the same.
fn guard(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if terminal::is_deceptive(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guarded_json_is_the_same_value_without_deceptive_characters() {
        let text: String = (0..=0x2100_u32).chain(0xe0000..0xe0080).filter_map(char::from_u32).collect();
        let value = Value::from(vec![text]);
        let guarded = guard(&value.to_string());
        assert!(!guarded.chars().any(terminal::is_deceptive));
        assert_eq!(serde_json::from_str::<Value>(&guarded).ok(), Some(value));
    }

    #[test]
    fn paths_lead_into_objects() {
        let value = serde_json::json!({"a": {"b": "c", "n": "18446744073709551615", "m": 7}});
        assert_eq!(text(&value, "a.b"), Some("c"));
        assert_eq!((number(&value, "a.n"), number(&value, "a.m")), (Some(u64::MAX), Some(7)));
        assert_eq!((text(&value, "a.x"), number(&value, "a.b")), (None, None));
    }
}
