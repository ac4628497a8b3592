use std::collections::BTreeMap;

use evidence::register::SourceState;
use record::control::{Numbering, SourceRecord};
use record::entry::Entry;

/// How far each source of a ledger has got. Derived from the ledger's entries alone, so that recovery and a
/// verifier arrive at the same table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(BTreeMap<u32, SourceState>);

impl Sources {
    pub(crate) fn restore(states: &[SourceState]) -> Self {
        Self(states.iter().map(|state| (state.source, *state)).collect())
    }

    pub(crate) fn states(&self) -> Vec<SourceState> {
        self.0.values().copied().collect()
    }

    pub(crate) fn get(&self, source: u32) -> Option<&SourceState> {
        self.0.get(&source)
    }

    /// The number the next new source gets; numbers are never reused.
    pub(crate) fn next_number(&self) -> u32 {
        self.0.keys().next_back().map_or(1, |last| last + 1)
    }

    /// Takes note of an entry.
    pub(crate) fn advance(&mut self, entry: &Entry) {
        let state = self.0.entry(entry.source).or_insert(SourceState {
            source: entry.source,
            epoch: entry.epoch,
            numbered_by_source: false,
            last_sequence: 0,
        });
        state.epoch = entry.epoch;
        state.last_sequence = entry.sequence;
    }

    /// Takes note of a source or epoch that a kind-5 record opens.
    pub(crate) fn open(&mut self, record: &SourceRecord) {
        let numbered_by_source = record.numbering == Numbering::Source;
        let (source, epoch) = (record.source, record.epoch);
        self.0.insert(source, SourceState { source, epoch, numbered_by_source, last_sequence: 0 });
    }
}
