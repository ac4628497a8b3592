//! Values that hold a list, whose elements are records: handed out one by one, while the rest of the value is put
//! together as its envelope.

use super::scan::Stop;
use super::{Framing, Piece, Scanner, Splitter, State};
use memchr::memmem::{self, Finder};
use record::json::{self, Value};
use std::sync::LazyLock;

/// What has been read of a container.
#[derive(Default)]
pub(super) struct Container {
    /// The bytes outside of lists. Read by `scanner`, but for the brackets of the lists.
    envelope: Vec<u8>,
    scanner: Scanner,
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

/// What a list of `Records` is called in its container.
static RECORDS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"Records\""));

/// Whether the value that begins with `head` holds a list that begins there.
///
/// An array does if it begins with an object or is empty: a log line may begin with `[` as well. An object does if it
/// has a member `Records`, or `items` with nothing but kind, apiVersion and metadata ahead of it, that is an array.
fn begins_list(head: &[u8]) -> bool {
    if let Some(rest) = head.strip_prefix(b"[") {
        return matches!(rest.trim_ascii_start().first(), Some(b'{' | b']'));
    }
    let first_key = head.get(1..).unwrap_or_default().trim_ascii_start();
    let may_have_items = ENVELOPE_KEYS.iter().any(|key| first_key.starts_with(key.as_bytes()));
    list_opens_at(head, RECORDS.find_iter(head))
        || may_have_items && list_opens_at(head, memmem::find_iter(head, b"\"items\""))
}

/// Keys that may stand ahead of `items`, and that itself.
const ENVELOPE_KEYS: [&str; 4] = ["\"kind\"", "\"apiVersion\"", "\"metadata\"", "\"items\""];

/// Whether one of the places where a name was found is a member of the outermost object, with an array for its value.
fn list_opens_at(head: &[u8], places: impl Iterator<Item = usize>) -> bool {
    let mut scanner = Scanner::default();
    let mut scanned = 0;
    for place in places {
        let Some(colon) = memchr::memchr(b':', &head[place..]) else { return false };
        let after = &head[place + colon + 1..];
        let space = after.len() - after.trim_ascii_start().len();
        let opening = place + colon + 1 + space;
        if head.get(opening) != Some(&b'[') || opening < scanned || !names_list(&head[..opening]) {
            continue;
        }
        if scanner.scan(&head[..opening], scanned, false) != Stop::More {
            return false;
        }
        if scanner.is_in_outer() {
            return true;
        }
        scanned = opening;
    }
    false
}

/// Whether `ahead`, all of an object ahead of an array in it, ends with the name of a list and a colon.
fn names_list(ahead: &[u8]) -> bool {
    let Some(name) = ahead.trim_ascii_end().strip_suffix(b":") else { return false };
    let name = name.trim_ascii_end();
    if let Some(ahead) = name.strip_suffix(b"\"Records\"") {
        return is_member_start(ahead);
    }
    let Some(ahead) = name.strip_suffix(b"\"items\"").filter(|ahead| is_member_start(ahead)) else {
        return false;
    };
    let ahead = ahead.trim_ascii_end();
    let mut ahead = ahead.strip_suffix(b",").unwrap_or(ahead).to_vec();
    ahead.push(b'}');
    let known = |key: &str| matches!(key, "kind" | "apiVersion" | "metadata");
    matches!(json::parse(&ahead), Ok(Value::Object(members)) if members.iter().all(|(key, _)| known(key)))
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
        if byte == b'['
            && (self.envelope.is_empty() || self.scanner.is_in_outer() && names_list(&self.envelope))
        {
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

/// Whether a member may begin behind `ahead`; else what looked like a key was the end of a string.
fn is_member_start(ahead: &[u8]) -> bool {
    matches!(ahead.trim_ascii_end().last(), Some(b'{' | b','))
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
