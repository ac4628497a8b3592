//! The tokens: where a run of plain string bytes, a number or an escape ends.

use super::{JsonError, JsonErrorKind as Kind};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Returns the index of the first byte at or after `from`, looked for eight at a time, that ends a run of plain string bytes: a quote, a
/// backslash or a control character; the length if there is none.
#[inline]
pub(crate) fn find_special(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let hits = special_lanes(u64::from_le_bytes(*chunk));
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|&byte| byte != b'"' && byte != b'\\' && byte >= 0x20) {
        at += 1;
    }
    at
}

/// The high bit of each lane that holds a quote, a backslash or a control character. A borrow can also mark lanes
/// above a true hit, so only the lowest mark is meaningful.
#[inline]
fn special_lanes(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote.wrapping_sub(ONES) & !quote | backslash.wrapping_sub(ONES) & !backslash | control) & HIGH
}

/// Returns the end of the number that starts at `start`: `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`.
#[inline]
pub(crate) fn scan_number(bytes: &[u8], start: usize) -> Result<usize, JsonError> {
    let mut at = start;
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    if bytes.get(at) == Some(&b'0') {
        at += 1;
        if bytes.get(at).is_some_and(u8::is_ascii_digit) {
            return Err(JsonError::new(Kind::InvalidNumber, at));
        }
    } else {
        at = scan_digits(bytes, at)?;
    }
    if bytes.get(at) == Some(&b'.') {
        at = scan_digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = bytes.get(at) {
            at += 1;
        }
        at = scan_digits(bytes, at)?;
    }
    Ok(at)
}

#[inline]
fn scan_digits(bytes: &[u8], start: usize) -> Result<usize, JsonError> {
    let mut at = start;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    if at == start {
        let kind = if at == bytes.len() { Kind::UnexpectedEnd } else { Kind::InvalidNumber };
        return Err(JsonError::new(kind, at));
    }
    Ok(at)
}

/// Decodes the escape at `at` (a backslash) and says where it ends.
pub(crate) fn read_escape(bytes: &[u8], at: usize) -> Result<(char, usize), JsonError> {
    let char = match bytes.get(at + 1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return read_unicode_escape(bytes, at),
        Some(_) => return Err(JsonError::new(Kind::InvalidEscape, at)),
        None => return Err(JsonError::new(Kind::UnexpectedEnd, at + 1)),
    };
    Ok((char, at + 2))
}

fn read_unicode_escape(bytes: &[u8], at: usize) -> Result<(char, usize), JsonError> {
    let high = read_hex4(bytes, at)?;
    if let Some(char) = char::from_u32(high) {
        return Ok((char, at + 6));
    }
    let lone = JsonError::new(Kind::LoneSurrogate, at);
    if high >= 0xDC00 || bytes.get(at + 6) != Some(&b'\\') || bytes.get(at + 7) != Some(&b'u') {
        return Err(lone);
    }
    let low = read_hex4(bytes, at + 6)?;
    if !(0xDC00..0xE000).contains(&low) {
        return Err(lone);
    }
    let char = char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)).ok_or(lone)?;
    Ok((char, at + 12))
}

/// The four hexadecimal digits of the `\u` escape at `at`.
fn read_hex4(bytes: &[u8], at: usize) -> Result<u32, JsonError> {
    let mut value = 0;
    for index in at + 2..at + 6 {
        let Some(&byte) = bytes.get(index) else {
            return Err(JsonError::new(Kind::UnexpectedEnd, index));
        };
        let digit = (byte as char).to_digit(16).ok_or(JsonError::new(Kind::InvalidEscape, at))?;
        value = value << 4 | digit;
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(crate::testing::cases(1000))]

        #[test]
        fn finds_what_a_byte_loop_finds(bytes in prop::collection::vec(any::<u8>(), 0..40), from in 0usize..40) {
            let from = from.min(bytes.len());
            let naive = (from..bytes.len())
                .find(|&at| bytes[at] == b'"' || bytes[at] == b'\\' || bytes[at] < 0x20)
                .unwrap_or(bytes.len());
            prop_assert_eq!(find_special(&bytes, from), naive);
        }
    }
}
