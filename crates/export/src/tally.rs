//! Counts what the records of a selection are.

use std::collections::BTreeMap;

use record::control::{Control, Numbering};
use record::entry::{Entry, Kind};

use crate::manifest::{Counts, SourceCount};
use crate::row::Reason;

/// Records of a selection, counted by kind and by source; and what control records say of both.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub counts: Counts,
    sources: BTreeMap<(u32, u32), Span>,
    numberings: BTreeMap<(u32, u32), Numbering>,
    pub gaps: Vec<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    first: u64,
    last: u64,
    count: u64,
}

impl Tally {
    /// Counts a record of the selection. Returns the sequence of the one before it of the same source and epoch.
    pub(crate) fn add(&mut self, entry: &Entry, reason: Option<Reason>) -> Option<u64> {
        match entry.kind {
            Kind::Event => self.counts.events += 1,
            Kind::Quarantine => self.counts.quarantined += 1,
            Kind::Access => self.counts.accesses += 1,
            _ => self.counts.control += 1,
        }
        match reason {
            None => {}
            Some(Reason::Withheld) => self.counts.withheld += 1,
            Some(Reason::Erased(_) | Reason::Expired(_)) => self.counts.erased += 1,
        }
        let sequence = entry.sequence;
        match self.sources.get_mut(&(entry.source, entry.epoch)) {
            Some(span) => {
                let before = span.last;
                (span.last, span.count) = (sequence, span.count + 1);
                Some(before)
            }
            None => {
                let span = Span { first: sequence, last: sequence, count: 1 };
                self.sources.insert((entry.source, entry.epoch), span);
                None
            }
        }
    }

    /// Takes in what a control record says, of the selection or beside it.
    pub(crate) fn hear(&mut self, index: u64, control: &Control) {
        match control {
            Control::Gap(_) => self.gaps.push(index),
            Control::Source(source) => {
                self.numberings.insert((source.source, source.epoch), source.numbering);
            }
            _ => {}
        }
    }

    /// How many sources and epochs there are so far.
    pub(crate) fn sources_seen(&self) -> usize {
        self.sources.len()
    }

    /// Gaps in order.
    pub(crate) fn gaps(&self) -> Vec<u64> {
        let mut gaps = self.gaps.clone();
        gaps.sort_unstable();
        gaps
    }

    /// One line for each source and epoch; the first one whose record was not heard, if there is one.
    pub(crate) fn sources(&self) -> Result<Vec<SourceCount>, (u32, u32)> {
        let line = |(&(source, epoch), span): (&(u32, u32), &Span)| {
            let numbering = match source {
                0 => None,
                _ => Some(*self.numberings.get(&(source, epoch)).ok_or((source, epoch))?),
            };
            let Span { first, last, count } = *span;
            Ok(SourceCount { source, epoch, numbering, first, last, count })
        };
        self.sources.iter().map(line).collect()
    }
}
