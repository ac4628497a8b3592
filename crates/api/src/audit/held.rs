//! Accesses that took place while nothing could be recorded, kept in memory until it can.

use std::sync::{Mutex, MutexGuard, PoisonError};

use record::facet::FacetDraft;

/// Accesses held at once, those on their way to the ledger included.
const MAX_HELD: usize = 4096;

/// What waits to be put on record. Whoever was told that his access is held may rely on it for as long as the server runs:
/// what was let in is never pushed out by what comes later.
#[derive(Default)]
pub(super) struct Held(Mutex<State>);

#[derive(Default)]
struct State {
    drafts: Vec<FacetDraft>,
    /// Taken, and not yet known to be on record.
    entering: usize,
    /// Did not fit.
    lost: u64,
}

/// Everything that was held, to be entered now.
pub(super) struct Batch {
    pub drafts: Vec<FacetDraft>,
    /// How many others did not fit since the last batch.
    pub lost: u64,
}

impl Held {
    /// Holds an access; false if there is no room, and then it is not held.
    pub(super) fn hold(&self, draft: FacetDraft) -> bool {
        let mut state = self.lock();
        let fits = state.drafts.len() + state.entering < MAX_HELD;
        if fits {
            state.drafts.push(draft);
        }
        fits
    }

    /// As [`Held::hold`], for what has happened already and can't be refused any more: what does not fit is counted.
    pub(super) fn hold_or_count(&self, draft: FacetDraft) {
        if !self.hold(draft) {
            self.lock().lost += 1;
        }
    }

    /// Takes everything out; None if there is nothing. To be followed by [`Held::entered`] or [`Held::put_back`].
    pub(super) fn take(&self) -> Option<Batch> {
        let mut state = self.lock();
        if (state.drafts.is_empty() && state.lost == 0) || state.entering > 0 {
            return None;
        }
        let batch =
            Batch { drafts: std::mem::take(&mut state.drafts), lost: std::mem::take(&mut state.lost) };
        state.entering = batch.drafts.len();
        Some(batch)
    }

    /// The batch is on record.
    pub(super) fn entered(&self) {
        self.lock().entering = 0;
    }

    /// The batch could not be entered: it goes back to its place, before what came since.
    pub(super) fn put_back(&self, batch: Batch) {
        let mut state = self.lock();
        let since = std::mem::replace(&mut state.drafts, batch.drafts);
        state.drafts.extend(since);
        state.entering = 0;
        state.lost += batch.lost;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(number: usize) -> FacetDraft {
        FacetDraft { what: number.to_string().into_bytes(), ..FacetDraft::default() }
    }

    fn numbers(batch: &Batch) -> Vec<String> {
        batch.drafts.iter().map(|draft| String::from_utf8(draft.what.clone()).unwrap()).collect()
    }

    #[test]
    fn what_goes_back_comes_before_what_came_since() {
        let held = Held::default();
        assert!(held.take().is_none());
        held.hold(draft(1));
        held.hold(draft(2));
        let batch = held.take().unwrap();
        held.hold(draft(3));
        assert!(held.take().is_none(), "one batch at a time");
        held.put_back(batch);
        assert_eq!(numbers(&held.take().unwrap()), ["1", "2", "3"]);
        held.entered();
        assert!(held.take().is_none());
    }

    #[test]
    fn what_was_let_in_is_not_pushed_out_and_what_did_not_fit_is_counted() {
        let held = Held::default();
        (0..MAX_HELD).for_each(|number| assert!(held.hold(draft(number))));
        assert!(!held.hold(draft(MAX_HELD)));
        let batch = held.take().unwrap();
        // Those on their way keep their room.
        assert!(!held.hold(draft(MAX_HELD)));
        held.hold_or_count(draft(MAX_HELD));
        held.put_back(batch);
        held.hold_or_count(draft(MAX_HELD));
        let batch = held.take().unwrap();
        assert_eq!((batch.drafts.len(), batch.lost), (MAX_HELD, 2));
        held.entered();
        assert!(held.hold(draft(0)));
    }
}
