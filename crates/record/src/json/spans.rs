//! Cutting long lists before they are read: each element comes out with its exact bytes, which is what a
//! collector keeps as the `raw` facet of a record that arrived inside an envelope.

use super::parser::{Parser, as_text};
use super::scan::{find_special, read_escape, scan_number};
use super::{JsonError, JsonErrorKind as Kind, Value};
use std::ops::Range;

/// The elements of the array that `input` consists of, one after the other. Memory holds one element at a time, and
/// [`super::MAX_VALUES`] counts anew for each.
///
/// # Errors
/// If the input is not UTF-8 or does not start with `[`. What is wrong further on comes out of the iterator, after
/// the elements that stand before it; bytes after the array are such an error.
pub fn elements(input: &[u8]) -> Result<Elements<'_>, JsonError> {
    let mut parser = Parser::new(as_text(input)?);
    parser.skip_space();
    parser.expect(b'[')?;
    parser.skip_space();
    let more = parser.peek() != Some(b']');
    if !more {
        parser.at += 1;
    }
    Ok(Elements { parser, state: if more { State::Element } else { State::Close } })
}

/// Where the value of `key` lies in the object that `input` consists of, such as `Records` of a CloudTrail file; None
/// if there is no such key. Values are checked for their grammar only, not for keys repeated further inside.
///
/// # Errors
/// The first thing that is wrong with the object, a repeated key of its own and trailing bytes included.
pub fn member(input: &[u8], key: &str) -> Result<Option<Range<usize>>, JsonError> {
    let mut parser = Parser::new(as_text(input)?);
    parser.skip_space();
    parser.expect(b'{')?;
    parser.skip_space();
    let mut keys = std::collections::BTreeSet::new();
    let mut found = None;
    let mut more = parser.peek() != Some(b'}');
    if !more {
        parser.at += 1;
    }
    while more {
        let offset = parser.at;
        if parser.peek() != Some(b'"') {
            return Err(parser.unexpected());
        }
        let name = parser.string()?;
        parser.skip_space();
        parser.expect(b':')?;
        parser.skip_space();
        let start = parser.at;
        parser.skip_value(1)?;
        if name == key {
            found = Some(start..parser.at);
        }
        if !keys.insert(name) {
            return Err(JsonError::new(Kind::DuplicateKey, offset));
        }
        more = parser.another(b'}')?;
    }
    parser.finish()?;
    Ok(found)
}

/// Iterator over elements with the place of their bytes, made by [`elements`]. After an error it ends.
pub struct Elements<'a> {
    parser: Parser<'a>,
    state: State,
}

enum State {
    /// An element starts here.
    Element,
    /// The closing bracket was read; only whitespace may follow.
    Close,
    Done,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<(Range<usize>, Value<'a>), JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Element => Some(self.element()),
            State::Close => self.parser.finish().err().map(Err),
            State::Done => None,
        }
    }
}

impl<'a> Elements<'a> {
    fn element(&mut self) -> Result<(Range<usize>, Value<'a>), JsonError> {
        let start = self.parser.at;
        self.parser.values = 0;
        let value = self.parser.value(1)?;
        let end = self.parser.at;
        self.state = if self.parser.another(b']')? { State::Element } else { State::Close };
        Ok((start..end, value))
    }
}

impl Parser<'_> {
    /// Checks that nothing but whitespace is left.
    pub(super) fn finish(&mut self) -> Result<(), JsonError> {
        self.skip_space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.error(Kind::TrailingBytes)),
        }
    }

    /// Steps over the value that starts here, inside `depth` containers, building nothing.
    fn skip_value(&mut self, depth: usize) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'"') => self.skip_string(),
            Some(open @ (b'{' | b'[')) => self.skip_container(open, depth),
            Some(b'-' | b'0'..=b'9') => {
                self.at = scan_number(self.bytes(), self.at)?;
                Ok(())
            }
            _ => self.value(depth).map(drop),
        }
    }

    fn skip_container(&mut self, open: u8, depth: usize) -> Result<(), JsonError> {
        self.open(depth)?;
        // ASCII puts each closing bracket two after its opening one.
        let close = open + 2;
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(());
        }
        loop {
            if open == b'{' {
                if self.peek() != Some(b'"') {
                    return Err(self.unexpected());
                }
                self.skip_string()?;
                self.skip_space();
                self.expect(b':')?;
                self.skip_space();
            }
            self.skip_value(depth + 1)?;
            if !self.another(close)? {
                return Ok(());
            }
        }
    }

    fn skip_string(&mut self) -> Result<(), JsonError> {
        let mut at = self.at + 1;
        loop {
            at = find_special(self.bytes(), at);
            match self.bytes().get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(());
                }
                Some(b'\\') => at = read_escape(self.bytes(), at)?.1,
                Some(_) => return Err(JsonError::new(Kind::ControlCharacter, at)),
                None => return Err(JsonError::new(Kind::UnexpectedEnd, at)),
            }
        }
    }
}
