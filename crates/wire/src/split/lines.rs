//! Records that end with their line.

use super::{Framing, Piece, Splitter, State};
use memchr::memchr;

/// How many blanks may stand between two values on one line; behind more, the line is one record.
const MAX_BLANKS: usize = 1024;

impl Splitter {
    pub(super) fn line(
        &mut self,
        input: &[u8],
        from: usize,
        mut list: bool,
        out: &mut impl FnMut(Piece<'_>),
    ) -> usize {
        let line_end = memchr(b'\n', &input[from..]).map(|length| from + length);
        let part = &input[from..line_end.unwrap_or(input.len())];
        if list && (line_end.is_some() || self.fills_head(part)) {
            if self.is_list(part) {
                self.enter_list(false, out);
                return from;
            }
            list = false;
        }
        let Some(line_end) = line_end else {
            self.hold.add(part);
            self.state = State::Line { list };
            return input.len();
        };
        self.end_line(part, out);
        self.skipped += 1;
        line_end + 1
    }

    /// Hands out what is held and `tail` as one line; a carriage return at its end belongs to the line end.
    pub(super) fn end_line(&mut self, tail: &[u8], out: &mut impl FnMut(Piece<'_>)) {
        let mut line = tail;
        if let Some(stripped) = tail.strip_suffix(b"\r") {
            line = stripped;
            self.skipped += 1;
        } else if tail.is_empty() && self.hold.strip_return() {
            self.skipped += 1;
        }
        self.hold.emit(line, out);
    }

    /// Behind the first value of the stream: what follows on its line tells how the others are told apart.
    pub(super) fn after_value(
        &mut self,
        input: &[u8],
        from: usize,
        mut blanks: Vec<u8>,
        out: &mut impl FnMut(Piece<'_>),
    ) -> usize {
        match input[from] {
            byte @ (b' ' | b'\t' | b'\r') if blanks.len() < MAX_BLANKS => {
                blanks.push(byte);
                self.state = State::AfterValue { blanks };
                return from + 1;
            }
            b'{' | b'[' => {
                self.framing = Framing::Values;
                self.skipped += blanks.len() as u64;
                self.hold.emit(&[], out);
            }
            _ => {
                self.framing = Framing::Lines;
                self.hold.add(&blanks);
                self.state = State::Line { list: false };
            }
        }
        from
    }
}
