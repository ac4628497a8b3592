//! The reader: recursive descent, at most [`MAX_DEPTH`] deep, over input that was checked as UTF-8 once.

use super::scan::{find_special, read_escape, scan_number};
use super::{JsonError, JsonErrorKind as Kind, MAX_DEPTH, MAX_VALUES, Number, Object, Value};
use std::borrow::Cow;

/// Reads exactly one JSON value with nothing but whitespace around it.
///
/// # Errors
/// The first thing that is wrong. Bytes that are not UTF-8 are reported before anything that stands ahead of them.
pub fn parse(input: &[u8]) -> Result<Value<'_>, JsonError> {
    let text = as_text(input)?;
    let mut parser = Parser::new(text);
    parser.skip_space();
    let value = parser.value(0)?;
    parser.finish()?;
    Ok(value)
}

/// The input as text: UTF-8 without a byte order mark.
pub(super) fn as_text(input: &[u8]) -> Result<&str, JsonError> {
    let text =
        std::str::from_utf8(input).map_err(|error| JsonError::new(Kind::InvalidUtf8, error.valid_up_to()))?;
    if text.starts_with('\u{feff}') {
        return Err(JsonError::new(Kind::ByteOrderMark, 0));
    }
    Ok(text)
}

/// Up to this many members, a key is compared with those before it; beyond, keys are sorted once at the end.
const FEW: usize = 32;

/// Room for the members of a usual event.
const USUAL: usize = 24;

/// Members and elements are collected on shared stacks and copied out at their exact number, so each container
/// costs one allocation and wastes none.
pub(super) struct Parser<'a> {
    text: &'a str,
    pub(super) at: usize,
    members: Vec<(Cow<'a, str>, Value<'a>)>,
    key_offsets: Vec<usize>,
    elements: Vec<Value<'a>>,
    pub(super) values: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Parser<'a> {
        Parser {
            text,
            at: 0,
            members: Vec::with_capacity(USUAL),
            key_offsets: Vec::with_capacity(USUAL),
            elements: Vec::new(),
            values: 0,
        }
    }

    /// Reads the value that starts here, inside `depth` containers.
    pub(super) fn value(&mut self, depth: usize) -> Result<Value<'a>, JsonError> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(self.error(Kind::TooManyValues));
        }
        match self.peek() {
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => {
                let start = self.at;
                self.at = scan_number(self.text.as_bytes(), start)?;
                Ok(Value::Number(Number(Cow::Borrowed(&self.text[start..self.at]))))
            }
            _ => Err(self.unexpected()),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, JsonError> {
        let first = self.members.len();
        self.open(depth)?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(Object::new()));
        }
        let mut seen = 0u64;
        loop {
            let offset = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected());
            }
            let key = self.string()?;
            // A key whose bit is new cannot be a repetition; only the others are compared one by one.
            let bit = key_bit(&key);
            let few = self.members.len() - first < FEW;
            if few && seen & bit != 0 && self.members[first..].iter().any(|(other, _)| *other == key) {
                return Err(JsonError::new(Kind::DuplicateKey, offset));
            }
            seen |= bit;
            self.skip_space();
            self.expect(b':')?;
            self.skip_space();
            let value = self.value(depth + 1)?;
            self.members.push((key, value));
            self.key_offsets.push(offset);
            if !self.another(b'}')? {
                break;
            }
        }
        if self.members.len() - first > FEW {
            self.refuse_duplicates(first)?;
        }
        self.key_offsets.truncate(first);
        let members = match depth {
            0 => std::mem::take(&mut self.members),
            _ => self.members.drain(first..).collect(),
        };
        Ok(Value::Object(Object { members }))
    }

    fn array(&mut self, depth: usize) -> Result<Value<'a>, JsonError> {
        let first = self.elements.len();
        self.open(depth)?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(Vec::new()));
        }
        loop {
            let value = self.value(depth + 1)?;
            self.elements.push(value);
            if !self.another(b']')? {
                break;
            }
        }
        Ok(Value::Array(match depth {
            0 => std::mem::take(&mut self.elements),
            _ => self.elements.drain(first..).collect(),
        }))
    }

    /// Steps into a container.
    pub(super) fn open(&mut self, depth: usize) -> Result<(), JsonError> {
        if depth >= MAX_DEPTH {
            return Err(self.error(Kind::TooDeep));
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    /// After a member or element: steps over a comma and says true, or over `close` and says false.
    #[inline]
    pub(super) fn another(&mut self, close: u8) -> Result<bool, JsonError> {
        self.skip_space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.skip_space();
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// Sorting keeps this O(n log n) on input made to collide.
    #[cold]
    fn refuse_duplicates(&self, first: usize) -> Result<(), JsonError> {
        let mut order: Vec<usize> = (first..self.members.len()).collect();
        order.sort_unstable_by(|&a, &b| self.members[a].0.cmp(&self.members[b].0).then(a.cmp(&b)));
        let repeated = order.windows(2).filter(|pair| self.members[pair[0]].0 == self.members[pair[1]].0);
        match repeated.map(|pair| self.key_offsets[pair[1]]).min() {
            Some(offset) => Err(JsonError::new(Kind::DuplicateKey, offset)),
            None => Ok(()),
        }
    }

    /// Reads the string whose opening quote is here.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        let start = self.at + 1;
        let end = find_special(self.text.as_bytes(), start);
        if self.text.as_bytes().get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(Cow::Borrowed(&self.text[start..end]));
        }
        self.string_with_escapes(start, end).map(Cow::Owned)
    }

    fn string_with_escapes(&mut self, start: usize, special: usize) -> Result<String, JsonError> {
        let mut out = String::new();
        let mut from = start;
        let mut at = special;
        loop {
            out.push_str(&self.text[from..at]);
            match self.text.as_bytes().get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    let (char, end) = read_escape(self.text.as_bytes(), at)?;
                    out.push(char);
                    from = end;
                }
                Some(_) => return Err(JsonError::new(Kind::ControlCharacter, at)),
                None => return Err(JsonError::new(Kind::UnexpectedEnd, at)),
            }
            at = find_special(self.text.as_bytes(), from);
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, JsonError> {
        for &byte in word.as_bytes() {
            self.expect(byte)?;
        }
        Ok(value)
    }

    #[inline]
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    pub(super) fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    #[cold]
    pub(super) fn unexpected(&self) -> JsonError {
        self.error(if self.peek().is_some() { Kind::UnexpectedByte } else { Kind::UnexpectedEnd })
    }

    pub(super) fn error(&self, kind: Kind) -> JsonError {
        JsonError::new(kind, self.at)
    }
}

/// One bit of 64, chosen by length and outer bytes: what differs most between the keys of one object.
#[inline]
fn key_bit(key: &str) -> u64 {
    let bytes = key.as_bytes();
    let first = bytes.first().copied().unwrap_or(0) as u32;
    let last = bytes.last().copied().unwrap_or(0) as u32;
    let mix = (bytes.len() as u32).wrapping_mul(7) ^ first.wrapping_mul(3) ^ last.wrapping_mul(5);
    1 << (mix % 64)
}
