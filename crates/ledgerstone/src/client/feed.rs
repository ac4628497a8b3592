//! Cuts a file or stream into records and packs them into bodies of a size at which little is in doubt if a
//! connection breaks.
//!
//! The server cuts each body with the same [`Splitter`]; a body is sent only if that gives back the very records
//! that were put in.

use std::io::{self, Read};
use std::ops::Range;

use wire::{Limits, Piece, Splitter};

/// A body is closed at this many bytes.
const BODY_BYTES: usize = 4 << 20;
/// A body is closed at this many records: servers give no more receipts than these in one answer.
const BODY_RECORDS: usize = 8 << 10;
/// How much is read at once.
const READ_BYTES: usize = 1 << 20;
/// The longest record that is sent: what a server takes in one request. One too long for an event is quarantined
/// there by its size and hash.
const LONGEST: u64 = 256 << 20;

/// Records that are sent together, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Body {
    bytes: Vec<u8>,
    /// Where each record lies in `bytes`.
    records: Vec<Range<usize>>,
    /// How many of them, at the front, were answered for.
    done: usize,
}

impl Body {
    /// What is left to send.
    pub(super) fn bytes(&self) -> &[u8] {
        self.records.get(self.done).map_or(&[], |first| &self.bytes[first.start..])
    }

    /// The records that are left.
    pub(super) fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.records[self.done..].iter().map(|range| &self.bytes[range.clone()])
    }

    /// How many are left.
    pub(super) fn len(&self) -> usize {
        self.records.len() - self.done
    }

    /// Leaves out the first `count` of what is left.
    pub(super) fn advance(&mut self, count: usize) {
        self.done = (self.done + count).min(self.records.len());
    }

    fn push(&mut self, record: &[u8]) {
        if !self.bytes.is_empty() {
            self.bytes.push(b'\n');
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(record);
        self.records.push(start..self.bytes.len());
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= BODY_BYTES || self.records.len() >= BODY_RECORDS
    }

    /// Splits the records over bodies that each are cut back into the same records. A single record is left as it
    /// is: then the server decides what it is.
    fn into_faithful(self, out: &mut Vec<Body>) {
        if self.records.len() <= 1 || self.is_faithful() {
            out.push(self);
            return;
        }
        let (front, back) = self.records.split_at(self.records.len() / 2);
        for half in [front, back] {
            let mut body = Body::default();
            half.iter().for_each(|range| body.push(&self.bytes[range.clone()]));
            body.into_faithful(out);
        }
    }

    fn is_faithful(&self) -> bool {
        let mut expected = self.records();
        let mut same = true;
        let mut check = |piece: Piece<'_>| {
            same &= match piece {
                Piece::Record(bytes) | Piece::Envelope(bytes) => expected.next() == Some(bytes),
                Piece::Oversize { .. } => false,
            };
        };
        let mut splitter = Splitter::new(Limits { record: LONGEST, ..Limits::default() });
        splitter.push(&self.bytes, &mut check);
        splitter.finish(&mut check);
        same && expected.next().is_none()
    }
}

/// What a feed gives.
#[derive(Debug)]
pub(super) enum Fed {
    /// Records to send, and how many bytes of the input have been read so far.
    Body(Body, u64),
    /// A record that is too long to be sent at all; the feed ends here.
    TooLong(u64),
    /// There is no more.
    End,
}

/// Reads an input to its end.
pub(super) struct Feed<R> {
    input: R,
    splitter: Splitter,
    /// Records that are not yet worth sending.
    open: Body,
    ready: std::collections::VecDeque<Body>,
    too_long: Option<u64>,
    /// How many records are still to be left out.
    skip: u64,
    read: u64,
    ended: bool,
}

impl<R: Read> Feed<R> {
    /// Reads `input`, leaving out its first `skip` records.
    pub(super) fn new(input: R, skip: u64) -> Feed<R> {
        Feed {
            input,
            splitter: Splitter::new(Limits { record: LONGEST, ..Limits::default() }),
            open: Body::default(),
            ready: std::collections::VecDeque::new(),
            too_long: None,
            skip,
            read: 0,
            ended: false,
        }
    }

    /// Gives what is to be sent next, waiting for it if need be.
    ///
    /// A read that brings less than was asked for means that a stream has nothing more at present: then what there
    /// is goes out at once. So the records of a slow stream are not held back, and those of a fast one that come
    /// while a body is sent go together in the next.
    pub(super) fn next(&mut self) -> io::Result<Fed> {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            if let Some(body) = self.ready.pop_front() {
                return Ok(Fed::Body(body, self.read));
            }
            if let Some(size) = self.too_long {
                return Ok(Fed::TooLong(size));
            }
            if self.ended {
                return Ok(Fed::End);
            }
            let count = match self.input.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            self.read += count as u64;
            self.ended = count == 0;
            self.take(&buffer[..count]);
            if count < READ_BYTES || self.too_long.is_some() {
                self.close();
            }
        }
    }

    /// Cuts a chunk, the end of the input if it is empty.
    fn take(&mut self, chunk: &[u8]) {
        let Feed { splitter, open, ready, too_long, skip, .. } = self;
        let mut out = |piece: Piece<'_>| match piece {
            _ if too_long.is_some() => {}
            _ if *skip > 0 => *skip -= 1,
            Piece::Oversize { size, .. } => *too_long = Some(size),
            Piece::Record(bytes) | Piece::Envelope(bytes) => {
                open.push(bytes);
                if open.is_full() {
                    close(open, ready);
                }
            }
        };
        if chunk.is_empty() {
            splitter.finish(&mut out);
        } else {
            splitter.push(chunk, &mut out);
        }
    }

    fn close(&mut self) {
        close(&mut self.open, &mut self.ready);
    }
}

fn close(open: &mut Body, ready: &mut std::collections::VecDeque<Body>) {
    if !open.records.is_empty() {
        let mut bodies = Vec::new();
        std::mem::take(open).into_faithful(&mut bodies);
        ready.extend(bodies);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(input: &[u8], skip: u64) -> Vec<Body> {
        let mut feed = Feed::new(input, skip);
        let mut bodies = Vec::new();
        loop {
            match feed.next().expect("memory can be read") {
                Fed::Body(body, _) => bodies.push(body),
                Fed::End => return bodies,
                Fed::TooLong(size) => panic!("too long: {size}"),
            }
        }
    }

    fn cut(input: &[u8]) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        let mut out = |piece: Piece<'_>| match piece {
            Piece::Record(bytes) | Piece::Envelope(bytes) => records.push(bytes.to_vec()),
            Piece::Oversize { size, .. } => panic!("too long: {size}"),
        };
        let mut splitter = Splitter::new(Limits::default());
        splitter.push(input, &mut out);
        splitter.finish(&mut out);
        records
    }

    /// What the server cuts out of the bodies is what was cut out of the input, and as many as the bodies say.
    #[track_caller]
    fn check(input: &[u8]) -> usize {
        let bodies = feed(input, 0);
        let received: Vec<Vec<Vec<u8>>> = bodies.iter().map(|body| cut(body.bytes())).collect();
        for (body, records) in bodies.iter().zip(&received) {
            assert_eq!(body.len(), records.len());
        }
        assert_eq!(received.concat(), cut(input), "{}", String::from_utf8_lossy(input));
        bodies.len()
    }

    #[test]
    fn the_server_sees_the_same_records() {
        assert_eq!(check(b""), 0);
        assert_eq!(check(b"{\"a\":1}\n{\"a\":2}\n"), 1);
        assert_eq!(check(b"{\"Records\":[{\"a\":1},{\"a\":2}]}"), 1);
        assert_eq!(check(b"{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}\n"), 1);
        assert_eq!(check(b"plain text\nand more\n"), 1);
    }

    #[test]
    fn records_that_would_be_cut_differently_together_go_apart() {
        // One line, then one over several lines: as a stream of its own, the first line would decide for lines.
        assert!(check(b"[{\"a\":1},{\n\"a\":2\n}]") > 1);
        check(b"{\"Records\":[{\"a\":1},{\n\"a\":2\n},{\"a\":3}],\"more\":1}");
        check(b"{\"items\":[{\"a\":1}],\"metadata\":{\"continue\":\"c\"}}\n");
        check(b"{\"a\":\n{\"b\":1}\nnonsense\n{\"c\":2}\n");
        check(b"{\"a\":1}\n{\"b\":\n{\"c\":2}\n");
    }

    #[test]
    fn many_records_fill_several_bodies_and_skipped_ones_are_left_out() {
        let line = format!("{{\"n\":\"{}\"}}\n", "x".repeat(1000));
        let input = line.repeat(10_000);
        let bodies = feed(input.as_bytes(), 0);
        assert!(bodies.len() > 1 && bodies.iter().all(|body| body.bytes().len() <= BODY_BYTES + line.len()));
        assert_eq!(bodies.iter().map(Body::len).sum::<usize>(), 10_000);
        assert_eq!(feed(input.as_bytes(), 9_999).iter().map(Body::len).sum::<usize>(), 1);
        assert_eq!(feed(input.as_bytes(), 10_001).len(), 0);
    }

    #[test]
    fn what_was_answered_for_is_not_sent_again() {
        let mut body = feed(b"{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n", 0).remove(0);
        body.advance(2);
        assert_eq!((body.bytes(), body.len()), (&b"{\"a\":3}"[..], 1));
        body.advance(7);
        assert_eq!((body.bytes(), body.len()), (&b""[..], 0));
    }

    #[test]
    fn a_slow_stream_is_not_held_back() {
        let chunks: [&[u8]; 2] = [b"{\"a\":1}\n", b"{\"a\":2}\n"];
        let mut feed = Feed::new(chunks[0].chain(chunks[1]), 0);
        let Ok(Fed::Body(first, read)) = feed.next() else { panic!("a body") };
        assert_eq!((first.len(), read), (1, 8));
    }
}
