//! Finding where a JSON value ends without reading what is in it.

/// Follows brackets and strings through a value that arrives in chunks. Whether the rest of it is JSON is for the
/// parser to say; a bracket that closes the other kind, or a line break inside a string, is damage seen even here.
#[derive(Clone, Default)]
pub(super) struct Scanner {
    depth: u64,
    /// One bit for each of the outer [`TYPED`] levels, the innermost lowest: set for an object.
    kinds: u128,
    quoted: bool,
    escaped: bool,
}

/// Levels whose bracket is remembered; the parser refuses half as many.
const TYPED: u64 = 128;

/// Why a scan stopped.
#[derive(Debug, PartialEq)]
pub(super) enum Stop {
    /// The value is complete; it ends before this index.
    End(usize),
    /// A line break at this index, outside of strings. Scanning goes on behind it.
    Line(usize),
    /// This byte cannot stand here. The scan is over.
    Damage(usize),
    /// The input ends inside the value.
    More,
}

impl Scanner {
    /// Goes on from `from`. The first byte ever seen must be `{`, `[` or `"`. Stops at line breaks if `lines`.
    pub(super) fn scan(&mut self, input: &[u8], from: usize, lines: bool) -> Stop {
        let mut at = from;
        while let Some(&byte) = input.get(at) {
            if self.quoted {
                let escaped = std::mem::take(&mut self.escaped);
                if !escaped {
                    at = find_special(input, at);
                }
                match input.get(at) {
                    None => return Stop::More,
                    Some(b'\n') => return Stop::Damage(at),
                    Some(_) if escaped => {}
                    Some(b'\\') => self.escaped = true,
                    Some(b'"') => {
                        self.quoted = false;
                        if self.depth == 0 {
                            return Stop::End(at + 1);
                        }
                    }
                    Some(_) => {}
                }
                at += 1;
                continue;
            }
            match byte {
                b'"' => self.quoted = true,
                b'{' | b'[' => self.open(byte),
                b'}' | b']' if !self.close(byte) => return Stop::Damage(at),
                b'}' | b']' if self.depth == 0 => return Stop::End(at + 1),
                b'\n' if lines => return Stop::Line(at),
                _ => {}
            }
            at += 1;
        }
        Stop::More
    }

    /// Whether what comes next stands in the outermost container, and in no string.
    pub(super) fn is_in_outer(&self) -> bool {
        self.depth == 1 && !self.quoted
    }

    fn open(&mut self, byte: u8) {
        if self.depth < TYPED {
            self.kinds = self.kinds << 1 | u128::from(byte == b'{');
        }
        self.depth += 1;
    }

    fn close(&mut self, byte: u8) -> bool {
        if self.depth == 0 {
            return false;
        }
        if self.depth <= TYPED {
            if (self.kinds & 1 == 1) != (byte == b'}') {
                return false;
            }
            self.kinds >>= 1;
        }
        self.depth -= 1;
        true
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Returns the index of the first quote, backslash or control character at or after `from`; the length if there is
/// none. Eight bytes at a time: strings in audit records are too short for wider searches to pay.
#[inline]
fn find_special(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        // A borrow can mark lanes above a true hit as well, so only the lowest mark counts.
        let hits =
            (quote.wrapping_sub(ONES) & !quote | backslash.wrapping_sub(ONES) & !backslash | control) & HIGH;
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
