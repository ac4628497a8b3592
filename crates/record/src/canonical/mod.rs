//! Canonical JSON: RFC 8785 (JCS), with numbers that every reader agrees on.
//!
//! RFC 8785 passes numbers through IEEE doubles. So that nothing is lost on the way, a canonical document in our sense
//! holds no number beyond ±(2^53 - 1) and none that a double would change; such values are strings, spelt as they
//! were. Facets are stored in this form and never encoded again, and a verifier refuses any other with [`check`].

mod check;
mod number;

#[cfg(test)]
mod tests;

use crate::json::{MAX_DEPTH, Object, Value, find_special};
use std::borrow::Cow;
use std::cmp::Ordering;

pub(crate) use check::Scanner;
pub use check::{CanonicalError, check};
pub use number::MAX_INTEGER;

/// Appends the canonical form of `value` to `out`.
///
/// A number stays one if its token and the ECMAScript spelling of its double name exactly the same decimal value and
/// that is within ±(2^53 - 1): `1.0` and `1e0` become `1`, `0.10` becomes `0.1`. Any other becomes a string of its token:
/// `"9007199254740992"`, `"1e400"`, `"0.1000000000000000055"`, and `"-0"`, whose sign ECMAScript drops.
///
/// A container that would stand more than [`MAX_DEPTH`] levels deep becomes a string of its own canonical form, so that
/// whatever is written passes [`check`].
pub fn write(value: &Value<'_>, out: &mut Vec<u8>) {
    write_at(value, 0, out);
}

/// [`write`] for a value inside `depth` containers.
pub(crate) fn write_at(value: &Value<'_>, depth: usize, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(token) => number::write(token.as_str(), out),
        Value::String(text) => write_string(text, out),
        Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => write_as_text(value, out),
        Value::Array(elements) => {
            out.push(b'[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_at(element, depth + 1, out);
            }
            out.push(b']');
        }
        Value::Object(object) => write_object(object, depth, out),
    }
}

/// The canonical form of one object, as [`write`] makes it.
pub fn object(object: &Object<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    write_object(object, 0, &mut out);
    out
}

fn write_object(object: &Object<'_>, depth: usize, out: &mut Vec<u8>) {
    out.push(b'{');
    for_each_sorted(object, |index, key, member| {
        if index > 0 {
            out.push(b',');
        }
        write_string(key, out);
        out.push(b':');
        write_at(member, depth + 1, out);
    });
    out.push(b'}');
}

#[cold]
fn write_as_text(value: &Value<'_>, out: &mut Vec<u8>) {
    let mut text = Vec::new();
    write_at(value, 0, &mut text);
    write_string(&String::from_utf8_lossy(&text), out);
}

/// Calls `visit` with position, key and value of each member in canonical order, that of the UTF-16 code units of the
/// keys (RFC 8785 section 3.2.3).
pub(crate) fn for_each_sorted<'v, 'a>(
    object: &'v Object<'a>,
    mut visit: impl FnMut(usize, &'v str, &'v Value<'a>),
) {
    let members = &object.members;
    if members.windows(2).all(|pair| compare_keys(&pair[0].0, &pair[1].0) == Ordering::Less) {
        for (index, (key, value)) in members.iter().enumerate() {
            visit(index, key, value);
        }
        return;
    }
    let mut sorted: Vec<&(Cow<'a, str>, Value<'a>)> = members.iter().collect();
    sorted.sort_by(|a, b| compare_keys(&a.0, &b.0));
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        visit(index, key, value);
    }
}

/// Compares keys by their UTF-16 code units.
///
/// UTF-8 bytes sort by code point, which differs only where a character past U+FFFF (a surrogate pair from 0xD800
/// on) meets one of U+E000 to U+FFFF; both are led by a byte of 0xEE or more.
#[inline]
pub(crate) fn compare_keys(a: &str, b: &str) -> Ordering {
    let (x, y) = (a.as_bytes(), b.as_bytes());
    match x.iter().zip(y).position(|(x, y)| x != y) {
        Some(at) if x[at] >= 0xEE && y[at] >= 0xEE => a.encode_utf16().cmp(b.encode_utf16()),
        Some(at) => x[at].cmp(&y[at]),
        None => x.len().cmp(&y.len()),
    }
}

/// Appends `text` as a JSON string with the fewest escapes (RFC 8785 section 3.2.2.2).
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.push(b'"');
    let mut from = 0;
    loop {
        let at = find_special(bytes, from);
        out.extend_from_slice(&bytes[from..at]);
        let Some(&byte) = bytes.get(at) else { break };
        match short_escape(byte) {
            Some(letter) => out.extend_from_slice(&[b'\\', letter]),
            None => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&digits);
            }
        }
        from = at + 1;
    }
    out.push(b'"');
}

/// The letter that follows the backslash in the two-byte escape of `byte`, if it has one.
pub(crate) fn short_escape(byte: u8) -> Option<u8> {
    Some(match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x09 => b't',
        0x0A => b'n',
        0x0C => b'f',
        0x0D => b'r',
        _ => return None,
    })
}
