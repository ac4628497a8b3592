//! Records that end where their structure does.

use super::scan::Stop;
use super::{Framing, Piece, Scanner, Splitter, State};
use memchr::memchr;

impl Splitter {
    pub(super) fn value(
        &mut self,
        input: &[u8],
        from: usize,
        mut scanner: Scanner,
        mut list: bool,
        first: bool,
        out: &mut impl FnMut(Piece<'_>),
    ) -> usize {
        if list && self.fills_head(&input[from..]) {
            if self.is_list(&input[from..]) {
                self.enter_list(first, out);
                return from;
            }
            list = false;
        }
        let mut at = from;
        let stop = loop {
            match scanner.scan(input, at, self.framing == Framing::Undecided) {
                Stop::Line(line_end) => {
                    self.framing = Framing::Values;
                    at = line_end + 1;
                }
                stop => break stop,
            }
        };
        let end = match stop {
            Stop::End(end) | Stop::Damage(end) => end,
            Stop::More | Stop::Line(_) => {
                self.hold.add(&input[from..]);
                self.state = State::Value { scanner, list, first };
                return input.len();
            }
        };
        if list && self.is_list(&input[from..end]) {
            self.enter_list(first, out);
            return from;
        }
        match (stop, self.framing) {
            (Stop::End(_), Framing::Undecided) => {
                self.hold.add(&input[from..end]);
                self.state = State::AfterValue { blanks: Vec::new() };
            }
            (Stop::End(_), _) => self.hold.emit(&input[from..end], out),
            _ => {
                self.hold.add(&input[from..end]);
                self.state = self.broken();
            }
        }
        end
    }

    /// Where to go from a byte that cannot stand in a value: to the end of what is then one broken record.
    pub(super) fn broken(&mut self) -> State {
        match self.framing {
            Framing::Values => State::Damaged { line_end: false },
            Framing::Undecided | Framing::Lines => {
                self.framing = Framing::Lines;
                State::Line { list: false }
            }
        }
    }

    /// Goes to the next line that begins like a value.
    pub(super) fn damaged(
        &mut self,
        input: &[u8],
        from: usize,
        line_end: bool,
        out: &mut impl FnMut(Piece<'_>),
    ) -> usize {
        if line_end {
            if matches!(input[from], b'{' | b'[') {
                self.skipped += 1;
                self.hold.emit(&[], out);
                return from;
            }
            self.hold.add(b"\n");
        }
        let line_end = memchr(b'\n', &input[from..]).map(|length| from + length);
        self.hold.add(&input[from..line_end.unwrap_or(input.len())]);
        self.state = State::Damaged { line_end: line_end.is_some() };
        line_end.map_or(input.len(), |line_end| line_end + 1)
    }
}
