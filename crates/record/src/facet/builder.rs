//! Five canonical objects written side by side while one event is walked through once, in canonical order.
//!
//! A container is opened in a facet only when something in it goes there, so `actor` with nothing but a user leaves no
//! trace outside `who`. Each facet sees its share of the keys in the order of the walk, hence sorted.

use super::Facet;
use crate::canonical::{write_at, write_string};
use crate::json::Value;

/// How a value hangs in the container around it.
#[derive(Clone, Copy)]
pub(super) enum Label<'a> {
    Key(&'a str),
    Index(usize),
}

/// One container that the walk is inside of, below the root.
struct Level<'a> {
    label: Label<'a>,
    is_array: bool,
    /// Elements written so far in each facet, if this is an array.
    written: [usize; 5],
}

struct Output {
    bytes: Vec<u8>,
    /// How many of the levels are open in this facet.
    open: usize,
}

pub(super) struct Builder<'a> {
    levels: Vec<Level<'a>>,
    outputs: [Output; 5],
}

impl<'a> Builder<'a> {
    pub(super) fn new() -> Builder<'a> {
        // Room for the facets of a usual event, so that they do not grow from nothing byte by byte.
        let outputs = [256, 192, 192, 256, 128].map(|room| {
            let mut bytes = Vec::with_capacity(room);
            bytes.push(b'{');
            Output { bytes, open: 0 }
        });
        Builder { levels: Vec::with_capacity(8), outputs }
    }

    /// The walk goes into a container.
    pub(super) fn enter(&mut self, label: Label<'a>, is_array: bool) {
        self.levels.push(Level { label, is_array, written: [0; 5] });
    }

    /// The walk leaves the innermost container.
    pub(super) fn leave(&mut self) {
        let depth = self.levels.len();
        let Some(level) = self.levels.pop() else { return };
        for output in self.outputs.iter_mut().filter(|output| output.open == depth) {
            output.bytes.push(if level.is_array { b']' } else { b'}' });
            output.open -= 1;
        }
    }

    /// Writes a whole value into one facet, opening what is around it.
    pub(super) fn put(&mut self, facet: Facet, label: Label<'a>, value: &Value<'_>) {
        let number = facet as usize;
        let output = &mut self.outputs[number];
        for index in output.open..self.levels.len() {
            let (label, is_array) = (self.levels[index].label, self.levels[index].is_array);
            begin(&mut output.bytes, label, parent(&mut self.levels, index), number);
            output.bytes.push(if is_array { b'[' } else { b'{' });
        }
        output.open = self.levels.len();
        let depth = self.levels.len();
        begin(&mut output.bytes, label, parent(&mut self.levels, depth), number);
        write_at(value, depth + 1, &mut output.bytes);
    }

    /// Bytes written to `facet` so far.
    pub(super) fn len(&self, facet: Facet) -> usize {
        self.outputs[facet as usize].bytes.len()
    }

    /// Closes the roots. The walk must be back there.
    pub(super) fn finish(self) -> [Vec<u8>; 5] {
        debug_assert!(self.levels.is_empty());
        self.outputs.map(|mut output| {
            output.bytes.push(b'}');
            output.bytes
        })
    }
}

fn parent<'l, 'a>(levels: &'l mut [Level<'a>], index: usize) -> Option<&'l mut Level<'a>> {
    index.checked_sub(1).and_then(|above| levels.get_mut(above))
}

/// Writes what stands ahead of a value in its container: a comma, then its key or `{}` for each element that went to
/// other facets.
fn begin(out: &mut Vec<u8>, label: Label<'_>, parent: Option<&mut Level<'_>>, number: usize) {
    comma(out);
    match (label, parent) {
        (Label::Key(key), _) => {
            write_string(key, out);
            out.push(b':');
        }
        (Label::Index(index), Some(array)) => {
            for _ in array.written[number]..index {
                out.extend_from_slice(b"{},");
            }
            array.written[number] = index + 1;
        }
        (Label::Index(_), None) => {}
    }
}

/// A container was opened for something to go in, so only its first member or element follows a bracket directly.
fn comma(out: &mut Vec<u8>) {
    if !matches!(out.last(), Some(b'{' | b'[')) {
        out.push(b',');
    }
}
