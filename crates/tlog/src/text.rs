//! Spellings shared by several formats. Each value has exactly one.

use core::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::tile::TILE_WIDTH;

/// Appends `<N>` in groups of three digits, all but the last prefixed with `x`, and `.p/<W>` unless full.
pub(crate) fn format_index_path(path: &mut String, index: u64, width: u16) {
    let digits = index.to_string();
    let padded = format!("{:0>1$}", digits, digits.len().next_multiple_of(3));
    for (position, digit) in padded.char_indices() {
        if position % 3 == 0 {
            if position > 0 {
                path.push('/');
            }
            if position + 3 < padded.len() {
                path.push('x');
            }
        }
        path.push(digit);
    }
    if width != TILE_WIDTH {
        let _ = write!(path, ".p/{width}"); // writing to a String cannot fail
    }
}

/// Reads index and width. Lenient about spelling: the caller formats the result again and compares.
pub(crate) fn parse_index_path(path: &str) -> Option<(u64, u16)> {
    let (groups, width) = match path.split_once(".p/") {
        None => (path, TILE_WIDTH),
        Some((groups, width)) => (groups, width.parse().ok().filter(|w| (1..TILE_WIDTH).contains(w))?),
    };
    let mut index: u64 = 0;
    for group in groups.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        if digits.len() != 3 {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(digits.parse::<u16>().ok()?.into())?;
    }
    Some((index, width))
}

/// Parses a decimal without sign or leading zero.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

/// Returns standard base64 with padding.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Parses standard base64 with padding and without spare bits.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
