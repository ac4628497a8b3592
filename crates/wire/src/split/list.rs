//! Does a value hold a list of records? Answered from its first bytes, since it may be too large to hold.

use super::Scanner;
use super::scan::Stop;
use memchr::memmem::{self, Finder};
use record::json::{self, Value};
use std::sync::LazyLock;

/// What a list of `Records` is called in its container.
static RECORDS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"Records\""));

/// Whether the value that begins with `head` holds a list that begins there.
///
/// An array does if it begins with an object or is empty: a log line may begin with `[` as well. An object does if it
/// has a member `Records`, or `items` with nothing but kind, apiVersion and metadata ahead of it, that is an array.
pub(super) fn begins_list(head: &[u8]) -> bool {
    if let Some(rest) = head.strip_prefix(b"[") {
        return matches!(rest.trim_ascii_start().first(), Some(b'{' | b']'));
    }
    let first_key = head.get(1..).unwrap_or_default().trim_ascii_start();
    let may_have_items = ENVELOPE_KEYS.iter().any(|key| first_key.starts_with(key.as_bytes()));
    list_opens_at(head, RECORDS.find_iter(head))
        || may_have_items && list_opens_at(head, memmem::find_iter(head, b"\"items\""))
}

/// Keys that may stand ahead of `items`, and that itself.
const ENVELOPE_KEYS: [&str; 4] = ["\"kind\"", "\"apiVersion\"", "\"metadata\"", "\"items\""];

/// Whether one of the places where a name was found is a member of the outermost object, with an array for its value.
/// Takes time in proportion to the head, whatever is in it.
fn list_opens_at(head: &[u8], places: impl Iterator<Item = usize>) -> bool {
    let mut scanner = Scanner::default();
    let mut scanned = 0;
    for place in places {
        // Both names end with their second quote.
        let Some(quote) = memchr::memchr(b'"', &head[place + 1..]) else { return false };
        let behind = head[place + quote + 2..].trim_ascii_start();
        let Some(value) = behind.strip_prefix(b":").map(<[u8]>::trim_ascii_start) else { continue };
        if value.first() != Some(&b'[') {
            continue;
        }
        let opening = head.len() - value.len();
        if scanner.scan(&head[..opening], scanned, false) != Stop::More {
            return false;
        }
        scanned = opening;
        if scanner.is_in_outer() {
            match names_list(&head[..opening], true) {
                Named::List => return true,
                Named::TooLate => return false,
                Named::No => {}
            }
        }
    }
    false
}

/// Whether an array is a list.
pub(super) enum Named {
    List,
    No,
    /// It is called `items`, but other members stand ahead of it: neither is any behind it.
    TooLate,
}

/// Looks at `ahead`, all of an object ahead of an array in it, which may be called `items` if `may_be_items`.
pub(super) fn names_list(ahead: &[u8], may_be_items: bool) -> Named {
    let Some(name) = ahead.trim_ascii_end().strip_suffix(b":") else { return Named::No };
    let name = name.trim_ascii_end();
    if let Some(ahead) = name.strip_suffix(b"\"Records\"") {
        return if is_member_start(ahead) { Named::List } else { Named::No };
    }
    let ahead = match name.strip_suffix(b"\"items\"") {
        Some(ahead) if may_be_items && is_member_start(ahead) => ahead.trim_ascii_end(),
        _ => return Named::No,
    };
    let mut ahead = ahead.strip_suffix(b",").unwrap_or(ahead).to_vec();
    ahead.push(b'}');
    let known = |key: &str| matches!(key, "kind" | "apiVersion" | "metadata");
    match json::parse(&ahead) {
        Ok(Value::Object(members)) if members.iter().all(|(key, _)| known(key)) => Named::List,
        _ => Named::TooLate,
    }
}

/// Whether a member may begin behind `ahead`; else what looked like a key was the end of a string.
fn is_member_start(ahead: &[u8]) -> bool {
    matches!(ahead.trim_ascii_end().last(), Some(b'{' | b','))
}
