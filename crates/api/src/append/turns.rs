//! Who has an append under way, so that a source that sends much refuses itself and not the others.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A ledger's number, and a source of it.
type Key = (usize, u32);

/// How many appends of each source are under way. As many entries as there are appends at most.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<Key, usize>>);

/// One append that is under way, until it is dropped.
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    key: Key,
    /// Whether its source had no other when it came.
    pub alone: bool,
}

impl Turns {
    /// An append of `source` of `ledger` begins.
    pub(crate) fn begin(&self, ledger: usize, source: u32) -> Turn<'_> {
        let key = (ledger, source);
        let mut under_way = self.lock();
        let count = under_way.entry(key).or_default();
        *count += 1;
        Turn { turns: self, key, alone: *count == 1 }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut under_way = self.turns.lock();
        if let Some(count) = under_way.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_alone_until_it_sends_twice_at_once() {
        let turns = Turns::default();
        let first = turns.begin(0, 1);
        let second = turns.begin(0, 1);
        assert!(first.alone && !second.alone);
        assert!(turns.begin(0, 2).alone && turns.begin(1, 1).alone);
        drop(first);
        assert!(!turns.begin(0, 1).alone);
        drop(second);
        assert!(turns.lock().is_empty());
        assert!(turns.begin(0, 1).alone);
    }
}
