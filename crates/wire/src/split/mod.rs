//! Cutting a stream of bytes into records, each with the exact bytes it arrived in.
//!
//! | input | records |
//! |---|---|
//! | lines (NDJSON, or text that is no JSON at all) | each line that is not blank, without its line end; a bad line does not touch the next |
//! | pretty-printed or concatenated JSON values | each value |
//! | an array of objects | each element |
//! | an object whose member `Records` (CloudTrail) or `items` (Kubernetes EventList) is an array | each element of that array |
//!
//! The first line that is not blank decides: if a value goes on behind it, or another begins on it, values are told
//! apart by their structure to the end of the stream; else by lines. A list is cut wherever it stands, one element at
//! a time, so that a file of any size needs the memory of one record. What stands around its elements is handed out
//! behind them as [`Piece::Envelope`] unless it says nothing.
//!
//! Nothing is lost: every byte is in exactly one piece or among [`Splitter::skipped`], which counts white space, commas
//! between elements and envelopes that say nothing. A value whose structure is broken is handed out up to the end of its
//! line, or up to the next line that begins with `{` or `[` where values span lines; it will be quarantined. How the
//! input was cut into chunks makes no difference.

mod container;
mod hold;
mod lines;
mod list;
mod scan;
mod values;

#[cfg(test)]
mod tests;

use container::Container;
use hold::Hold;
use scan::Scanner;

/// The largest record that is kept as it is, in bytes: 64 MiB (DESIGN section 4).
pub const MAX_EVENT: u64 = 64 << 20;

/// What a splitter may hold in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest record in bytes; a larger one comes out as [`Piece::Oversize`].
    pub record: u64,
    /// How many bytes of a value are searched for the list it may hold, and how much may stand around that list. More
    /// of either, and the value is one record.
    pub envelope: usize,
}

impl Default for Limits {
    /// [`MAX_EVENT`] and 64 KiB.
    fn default() -> Limits {
        Limits { record: MAX_EVENT, envelope: 64 << 10 }
    }
}

/// What came out of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The bytes of one record.
    Record(&'a [u8]),
    /// What stood around the elements of a list, such as `{"kind":"EventList","metadata":{"continue":"c"},"items":[]}`.
    /// Comes after the elements and only if it says more than kind, apiVersion and empty metadata, or if the list was cut
    /// off, when it is no JSON. To be kept like a record.
    Envelope(&'a [u8]),
    /// A record beyond [`Limits::record`], of which only this was kept.
    Oversize {
        /// Its length in bytes.
        size: u64,
        /// SHA-256 over its bytes.
        sha256: [u8; 32],
    },
}

/// Takes chunks in, hands pieces out. Holds at most one record and one envelope.
pub struct Splitter {
    limits: Limits,
    framing: Framing,
    state: State,
    hold: Hold,
    /// How much of a byte order mark has been seen at the start of the stream; 3 when that is decided.
    mark: usize,
    skipped: u64,
}

/// How records are told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    Undecided,
    Lines,
    Values,
}

enum State {
    /// Ahead of a record.
    Between,
    /// In a line. `list`: it may still turn out to hold a list.
    Line { list: bool },
    /// In a value. `list`: it may still turn out to hold a list. `first`: how records are told apart was undecided
    /// when it began.
    Value { scanner: Scanner, list: bool, first: bool },
    /// Behind the first value of the stream, which is held, and blanks, with its line not yet at an end.
    AfterValue { blanks: Vec<u8> },
    /// In a value that holds a list.
    Container(Container),
    /// In a broken value. `line_end`: a line break has been seen that belongs to it if it goes on.
    Damaged { line_end: bool },
}

const BYTE_ORDER_MARK: &[u8; 3] = b"\xEF\xBB\xBF";

impl Splitter {
    /// A splitter at the start of a stream.
    pub fn new(limits: Limits) -> Splitter {
        Splitter {
            limits,
            framing: Framing::Undecided,
            state: State::Between,
            hold: Hold::new(&limits),
            mark: 0,
            skipped: 0,
        }
    }

    /// Takes the next chunk and hands out what ended in it.
    pub fn push(&mut self, chunk: &[u8], out: &mut impl FnMut(Piece<'_>)) {
        let rest = if self.mark < BYTE_ORDER_MARK.len() { self.skip_mark(chunk) } else { chunk };
        self.run(rest, out);
    }

    /// The stream has ended: hands out what is held. The splitter is then at the start of another stream.
    pub fn finish(&mut self, out: &mut impl FnMut(Piece<'_>)) {
        if (1..BYTE_ORDER_MARK.len()).contains(&self.mark) {
            self.not_a_mark();
        }
        while !matches!(self.state, State::Between) {
            match std::mem::replace(&mut self.state, State::Between) {
                State::Line { list: true } if self.is_list(&[]) => self.enter_list(false, out),
                State::Value { list: true, first, .. } if self.is_list(&[]) => self.enter_list(first, out),
                State::Line { .. } => self.end_line(&[], out),
                State::AfterValue { blanks } => {
                    self.hold.add(&blanks);
                    self.end_line(&[], out);
                }
                State::Container(container) => self.cut_off(container, out),
                State::Damaged { line_end } => {
                    self.skipped += u64::from(line_end);
                    self.hold.emit(&[], out);
                }
                State::Value { .. } => self.hold.emit(&[], out),
                State::Between => {}
            }
        }
        self.framing = Framing::Undecided;
        self.mark = 0;
    }

    /// How many of the bytes taken in since [`Splitter::new`] are in no piece.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    fn run(&mut self, input: &[u8], out: &mut impl FnMut(Piece<'_>)) {
        let mut at = 0;
        while at < input.len() {
            // Each step either moves on or changes the state.
            at = match std::mem::replace(&mut self.state, State::Between) {
                State::Between => self.between(input, at),
                State::Line { list } => self.line(input, at, list, out),
                State::Value { scanner, list, first } => self.value(input, at, scanner, list, first, out),
                State::AfterValue { blanks } => self.after_value(input, at, blanks, out),
                State::Container(container) => self.container(input, at, container, out),
                State::Damaged { line_end } => self.damaged(input, at, line_end, out),
            };
        }
    }

    /// Skips to the next record and decides how it ends.
    fn between(&mut self, input: &[u8], from: usize) -> usize {
        let blank = |byte: &u8| match byte {
            b' ' | b'\t' | b'\r' | b'\n' => true,
            b',' => self.framing == Framing::Values,
            _ => false,
        };
        let at = input[from..].iter().position(|byte| !blank(byte)).map_or(input.len(), |skip| from + skip);
        self.skipped += (at - from) as u64;
        let Some(first) = input.get(at) else { return at };
        let opens = matches!(first, b'{' | b'[');
        self.state = match self.framing {
            Framing::Lines => State::Line { list: opens },
            Framing::Undecided | Framing::Values if opens => State::Value {
                scanner: Scanner::default(),
                list: true,
                first: self.framing == Framing::Undecided,
            },
            Framing::Undecided => {
                self.framing = Framing::Lines;
                State::Line { list: false }
            }
            Framing::Values => State::Damaged { line_end: false },
        };
        at
    }

    /// Some editors put a byte order mark ahead of UTF-8, where it says nothing.
    fn skip_mark<'c>(&mut self, chunk: &'c [u8]) -> &'c [u8] {
        let mut rest = chunk;
        while let Some((&byte, tail)) = rest.split_first()
            && self.mark < BYTE_ORDER_MARK.len()
        {
            if byte != BYTE_ORDER_MARK[self.mark] {
                self.not_a_mark();
                return rest;
            }
            rest = tail;
            self.mark += 1;
            if self.mark == BYTE_ORDER_MARK.len() {
                self.skipped += self.mark as u64;
            }
        }
        rest
    }

    /// The bytes that began like a mark are the first of a line.
    fn not_a_mark(&mut self) {
        if self.mark > 0 {
            self.hold.add(&BYTE_ORDER_MARK[..self.mark]);
            self.framing = Framing::Lines;
            self.state = State::Line { list: false };
        }
        self.mark = BYTE_ORDER_MARK.len();
    }
}
