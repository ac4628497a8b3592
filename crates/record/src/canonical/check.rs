//! The check a verifier makes on every facet: one pass over the bytes, no allocation, nothing built.

use super::number;
use super::{compare_keys, short_escape};
use crate::json::{MAX_DEPTH, find_special, read_escape, scan_number};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// Whether `bytes` are exactly what [`super::write`] makes of some value: no whitespace, keys sorted and unique, fewest
/// escapes, canonical numbers within ±(2^53 - 1), at most [`MAX_DEPTH`] levels.
///
/// # Errors
/// The first place where they are not.
pub fn check(bytes: &[u8]) -> Result<(), CanonicalError> {
    let mut scanner = Scanner::new(bytes)?;
    scanner.skip_value(0)?;
    scanner.finish()
}

/// Where bytes stop being canonical JSON. A facet with this error is disproven, whatever its digest says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanonicalError {
    /// Start of the byte, token, string or key that is wrong.
    pub offset: usize,
    what: &'static str,
}

impl CanonicalError {
    pub(crate) fn new(what: &'static str, offset: usize) -> CanonicalError {
        CanonicalError { offset, what }
    }
}

impl fmt::Display for CanonicalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not canonical json: {} at offset {}", self.what, self.offset)
    }
}

impl std::error::Error for CanonicalError {}

/// Steps over canonical JSON and refuses any other.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    pub(crate) at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Scanner<'a>, CanonicalError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Scanner { text, at: 0 }),
            Err(error) => Err(CanonicalError::new("invalid utf-8", error.valid_up_to())),
        }
    }

    /// Steps over the value that starts here, inside `depth` containers.
    pub(crate) fn skip_value(&mut self, depth: usize) -> Result<(), CanonicalError> {
        match self.peek() {
            Some(b'"') => self.spelt().map(|_| ()),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b't') => self.expect(b"true"),
            Some(b'f') => self.expect(b"false"),
            Some(b'n') => self.expect(b"null"),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), CanonicalError> {
        if self.open(depth, b'}')? {
            return Ok(());
        }
        let mut previous: Option<Spelt<'a>> = None;
        loop {
            let start = self.at;
            let key = self.spelt()?;
            self.expect(b":")?;
            if previous.is_some_and(|previous| previous.compare(key) != Ordering::Less) {
                return Err(CanonicalError::new("key repeated or out of order", start));
            }
            previous = Some(key);
            self.skip_value(depth + 1)?;
            if !self.another(b'}')? {
                return Ok(());
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), CanonicalError> {
        if self.open(depth, b']')? {
            return Ok(());
        }
        loop {
            self.skip_value(depth + 1)?;
            if !self.another(b']')? {
                return Ok(());
            }
        }
    }

    /// Steps into a container and says whether it is empty, in which case it is also left.
    #[inline]
    pub(crate) fn open(&mut self, depth: usize, close: u8) -> Result<bool, CanonicalError> {
        if depth >= MAX_DEPTH {
            return Err(CanonicalError::new("nested deeper than 64 levels", self.at));
        }
        self.at += 1;
        let empty = self.peek() == Some(close);
        self.at += usize::from(empty);
        Ok(empty)
    }

    /// After a member or element: steps over a comma and says true, or over `close` and says false.
    #[inline]
    pub(crate) fn another(&mut self, close: u8) -> Result<bool, CanonicalError> {
        match self.peek() {
            Some(byte) if byte == b',' || byte == close => {
                self.at += 1;
                Ok(byte == b',')
            }
            _ => Err(self.unexpected()),
        }
    }

    /// Steps over a key and its colon and returns the key as it is spelt, escapes and all.
    pub(crate) fn key(&mut self) -> Result<&'a str, CanonicalError> {
        let key = self.spelt()?;
        self.expect(b":")?;
        Ok(key.text)
    }

    /// Steps over a string.
    #[inline]
    fn spelt(&mut self) -> Result<Spelt<'a>, CanonicalError> {
        self.expect(b"\"")?;
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut at = start;
        let mut has_escapes = false;
        loop {
            at = find_special(bytes, at);
            match bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(Spelt { text: &self.text[start..at], has_escapes });
                }
                Some(b'\\') => {
                    has_escapes = true;
                    at = self.skip_escape(at)?;
                }
                Some(_) => return Err(CanonicalError::new("control character", at)),
                None => return Err(CanonicalError::new("unexpected end", at)),
            }
        }
    }

    /// Returns the end of the escape at `at`, which must be the only spelling of a character that needs one.
    fn skip_escape(&self, at: usize) -> Result<usize, CanonicalError> {
        let bytes = self.text.as_bytes();
        let needless = CanonicalError::new("escape that is invalid or not the shortest", at);
        let (char, end) = read_escape(bytes, at).map_err(|_| needless)?;
        let shortest = match u8::try_from(char).ok().map(|byte| (byte, short_escape(byte))) {
            Some((_, Some(letter))) => bytes[at + 1] == letter,
            Some((byte, None)) if byte < 0x20 => !bytes[at..end].iter().any(u8::is_ascii_uppercase),
            _ => false,
        };
        if shortest { Ok(end) } else { Err(needless) }
    }

    #[inline]
    fn number(&mut self) -> Result<(), CanonicalError> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let digits = start + usize::from(bytes.get(start) == Some(&b'-'));
        let end = digits + bytes[digits..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let leading_zero = bytes.get(digits) == Some(&b'0') && (digits > start || end > digits + 1);
        let goes_on = matches!(bytes.get(end), Some(b'.' | b'e' | b'E'));
        if end > digits && end - digits <= number::SAFE_DIGITS && !leading_zero && !goes_on {
            self.at = end;
            return Ok(());
        }
        self.unusual_number()
    }

    /// Any number but a short integer.
    fn unusual_number(&mut self) -> Result<(), CanonicalError> {
        let start = self.at;
        let end = scan_number(self.text.as_bytes(), start).map_err(|_| self.unexpected())?;
        if !number::is_canonical(&self.text[start..end]) {
            return Err(CanonicalError::new("number not in its only spelling or beyond 2^53 - 1", start));
        }
        self.at = end;
        Ok(())
    }

    /// Reads the decimal digits that stand here: no sign, no leading zero, no overflow.
    pub(crate) fn decimal(&mut self) -> Option<u64> {
        let rest = &self.text[self.at..];
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        if length > 1 && rest.starts_with('0') {
            return None;
        }
        let value = rest[..length].parse().ok()?;
        self.at += length;
        Some(value)
    }

    /// Checks that nothing is left.
    pub(crate) fn finish(&self) -> Result<(), CanonicalError> {
        if self.at == self.text.len() { Ok(()) } else { Err(CanonicalError::new("trailing bytes", self.at)) }
    }

    #[inline]
    pub(crate) fn expect(&mut self, word: &[u8]) -> Result<(), CanonicalError> {
        if !self.text.as_bytes()[self.at..].starts_with(word) {
            return Err(self.unexpected());
        }
        self.at += word.len();
        Ok(())
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[cold]
    pub(crate) fn unexpected(&self) -> CanonicalError {
        let what = if self.at < self.text.len() { "unexpected byte" } else { "unexpected end" };
        CanonicalError::new(what, self.at)
    }
}

/// What stands between the quotes of a string.
#[derive(Clone, Copy)]
struct Spelt<'a> {
    text: &'a str,
    has_escapes: bool,
}

impl Spelt<'_> {
    #[inline]
    fn compare(self, other: Spelt<'_>) -> Ordering {
        if self.has_escapes || other.has_escapes {
            return compare_keys(&unescape(self.text), &unescape(other.text));
        }
        compare_keys(self.text, other.text)
    }
}

/// Decodes a string whose escapes were checked.
#[cold]
fn unescape(text: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let Ok((char, end)) = read_escape(rest.as_bytes(), at) else { break };
        out.push(char);
        rest = &rest[end..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}
