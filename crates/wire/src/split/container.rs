//! Values that hold a list, whose elements are records: handed out one by one, while the rest of the value is put
//! together as its envelope.

use super::list::{Named, begins_list, names_list};
use super::scan::Stop;
use super::{Framing, Piece, Scanner, Splitter, State};
use record::json::{self, Value};

/// What has been read of a container.
#[derive(Default)]
pub(super) struct Container {
    /// The bytes outside of lists. Read by `scanner`, but for the brackets of the lists.
    envelope: Vec<u8>,
    scanner: Scanner,
    /// An array called `items` has come too late to be a list.
    past_items: bool,
    part: Part,
}

/// Where in the container the next byte stands.
#[derive(Default)]
enum Part {
    /// Outside of lists.
    #[default]
    Envelope,
    /// In a list, between elements.
    List,
    /// In an element that has an end of its own.
    Element(Scanner),
    /// In an element that ends where something else begins: a number, a word, or nonsense.
    Bare,
}

/// What one byte of the envelope did.
enum Step {
    Next,
    List,
    End,
    Damage,
}

impl Container {
    fn envelope_byte(&mut self, byte: u8) -> Step {
        if byte == b'[' && self.is_list_next() {
            self.envelope.push(byte);
            return Step::List;
        }
        match self.scanner.scan(&[byte], 0, false) {
            Stop::Damage(_) => return Step::Damage,
            Stop::End(_) => {
                self.envelope.push(byte);
                return Step::End;
            }
            Stop::More | Stop::Line(_) => self.envelope.push(byte),
        }
        Step::Next
    }

    /// Whether the array that begins behind the envelope is a list, or the whole container is one.
    fn is_list_next(&mut self) -> bool {
        if self.envelope.is_empty() {
            return true;
        }
        if !self.scanner.is_in_outer() {
            return false;
        }
        let named = names_list(&self.envelope, !self.past_items);
        self.past_items |= matches!(named, Named::TooLate);
        matches!(named, Named::List)
    }

    /// Whether the envelope, read whole, says nothing that its elements do not: kind, apiVersion, and metadata without
    /// anything in it.
    fn is_silent(&self) -> bool {
        if self.envelope == b"[]" {
            return true;
        }
        let Ok(Value::Object(members)) = json::parse(&self.envelope) else { return false };
        members.iter().all(|(key, value)| match (key, value) {
            ("kind" | "apiVersion", Value::String(_)) => true,
            ("metadata", Value::Object(metadata)) => {
                metadata.iter().all(|(_, value)| value.is_null() || value.str() == Some(""))
            }
            ("metadata", Value::Null) => true,
            ("Records" | "items", Value::Array(elements)) => elements.is_empty(),
            _ => false,
        })
    }
}

impl Splitter {
    /// Whether what is held and `more` are as much as is searched for a list.
    pub(super) fn fills_head(&self, more: &[u8]) -> bool {
        self.hold.bytes().len() + more.len() >= self.limits.envelope
    }

    /// Whether the value that consists of what is held and `more` holds a list.
    pub(super) fn is_list(&self, more: &[u8]) -> bool {
        let held = self.hold.bytes();
        let more = &more[..more.len().min(self.limits.envelope.saturating_sub(held.len()))];
        if held.is_empty() { begins_list(more) } else { begins_list(&[held, more].concat()) }
    }

    /// Reads what is held once more, as a container. If it is the `first` value, it is for the container to find out
    /// anew whether it spans lines: it may be broken ahead of a line break that was seen already.
    pub(super) fn enter_list(&mut self, first: bool, out: &mut impl FnMut(Piece<'_>)) {
        if first {
            self.framing = Framing::Undecided;
        }
        self.state = State::Container(Container::default());
        let held = self.hold.take();
        self.run(&held, out);
    }

    pub(super) fn container(
        &mut self,
        input: &[u8],
        from: usize,
        mut container: Container,
        out: &mut impl FnMut(Piece<'_>),
    ) -> usize {
        match &mut container.part {
            Part::Envelope => return self.envelope_byte(input, from, container, out),
            Part::List => match input[from] {
                b'\n' if self.framing == Framing::Lines => {
                    self.cut_off(container, out);
                    return from;
                }
                byte @ (b' ' | b'\t' | b'\r' | b'\n' | b',') => {
                    if byte == b'\n' {
                        self.framing = Framing::Values;
                    }
                    self.skipped += 1;
                    self.state = State::Container(container);
                    return from + 1;
                }
                b']' => {
                    container.part = Part::Envelope;
                    container.envelope.push(b']');
                    if container.envelope.first() == Some(&b'[') {
                        self.end_container(container, out);
                    } else {
                        self.state = State::Container(container);
                    }
                    return from + 1;
                }
                b'{' | b'[' | b'"' => container.part = Part::Element(Scanner::default()),
                b'}' | b':' => {
                    self.break_container(container, out);
                    return from;
                }
                _ => container.part = Part::Bare,
            },
            Part::Element(scanner) => return self.element(input, from, scanner.clone(), container, out),
            Part::Bare => {
                let ends = |byte: &u8| b" \t\r\n,]}".contains(byte);
                let length = input[from..].iter().position(ends);
                let end = length.map_or(input.len(), |length| from + length);
                if length.is_some() {
                    self.hold.emit(&input[from..end], out);
                    container.part = Part::List;
                } else {
                    self.hold.add(&input[from..]);
                }
                self.state = State::Container(container);
                return end;
            }
        }
        self.state = State::Container(container);
        from
    }

    fn element(
        &mut self,
        input: &[u8],
        from: usize,
        mut scanner: Scanner,
        mut container: Container,
        out: &mut impl FnMut(Piece<'_>),
    ) -> usize {
        let mut at = from;
        loop {
            match scanner.scan(input, at, self.framing != Framing::Values) {
                Stop::End(end) => {
                    self.hold.emit(&input[from..end], out);
                    container.part = Part::List;
                    self.state = State::Container(container);
                    return end;
                }
                Stop::Line(line_end) if self.framing == Framing::Undecided => {
                    self.framing = Framing::Values;
                    at = line_end + 1;
                }
                Stop::Line(bad) | Stop::Damage(bad) => {
                    self.hold.add(&input[from..bad]);
                    self.break_container(container, out);
                    return bad;
                }
                Stop::More => {
                    self.hold.add(&input[from..]);
                    container.part = Part::Element(scanner);
                    self.state = State::Container(container);
                    return input.len();
                }
            }
        }
    }

    fn envelope_byte(
        &mut self,
        input: &[u8],
        from: usize,
        mut container: Container,
        out: &mut impl FnMut(Piece<'_>),
    ) -> usize {
        let byte = input[from];
        if byte == b'\n' && self.framing == Framing::Lines {
            self.cut_off(container, out);
            return from;
        }
        match container.envelope_byte(byte) {
            Step::End => {
                self.end_container(container, out);
                return from + 1;
            }
            Step::Damage => {
                self.break_container(container, out);
                return from;
            }
            Step::List => container.part = Part::List,
            Step::Next if container.envelope.len() > self.limits.envelope => {
                self.break_container(container, out);
                return from + 1;
            }
            Step::Next => {}
        }
        if byte == b'\n' && self.framing == Framing::Undecided {
            self.framing = Framing::Values;
        }
        self.state = State::Container(container);
        from + 1
    }

    fn end_container(&mut self, container: Container, out: &mut impl FnMut(Piece<'_>)) {
        if container.is_silent() {
            self.skipped += container.envelope.len() as u64;
        } else {
            out(Piece::Envelope(&container.envelope));
        }
    }

    /// The container ends here, too early: what there is of its envelope and of an element is handed out.
    pub(super) fn cut_off(&mut self, container: Container, out: &mut impl FnMut(Piece<'_>)) {
        if !self.hold.is_empty() {
            self.hold.emit(&[], out);
        }
        out(Piece::Envelope(&container.envelope));
    }

    /// The next byte cannot stand here. The rest, with what is held of an element, becomes one broken record.
    fn break_container(&mut self, container: Container, out: &mut impl FnMut(Piece<'_>)) {
        out(Piece::Envelope(&container.envelope));
        self.state = self.broken();
    }
}
