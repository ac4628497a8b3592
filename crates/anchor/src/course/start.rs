//! Whether a ledger may sign at the start.

use std::time::Duration;

use super::{Course, Step};
use crate::state::{AlarmKind, Phase, Witness, WitnessAlarm};

impl Course {
    /// What follows from the time alone: at the start, whether the ledger may sign by now.
    pub fn tick(&mut self, now: Duration) -> Vec<Step> {
        if self.phase != Phase::Starting {
            return Vec::new();
        }
        // One that says no without a note is not counted; the others may suffice.
        let unproven = |alarm: &WitnessAlarm| alarm.kind == AlarmKind::Conflict && alarm.note.is_none();
        let stopping = |alarm: &WitnessAlarm| alarm.stops && !unproven(alarm);
        let refuses = |state: &Witness| state.claim.is_some() || state.alarm.as_ref().is_some_and(stopping);
        let refused = self.witnesses.iter().any(refuses);
        let fresh = |at: usize| {
            let last = self.witnesses[at].last.as_ref();
            last.is_some_and(|(size, _, then)| {
                *size == self.size && now.saturating_sub(*then) <= self.rules.pace.fresh
            })
        };
        let (met, count) = self.quorum(fresh);
        if !met || refused {
            self.quorum_since = None;
            let objects = |state: &Witness| state.alarm.as_ref().is_some_and(|alarm| alarm.stops);
            return match refused || self.witnesses.iter().any(objects) {
                true => Vec::new(),
                false => self.say_who_is_missing(count),
            };
        }
        let since = *self.quorum_since.get_or_insert(now);
        let done = |at: usize| self.witnesses[at].tried || self.rules.policy.witnesses()[at].url().is_none();
        if (0..self.witnesses.len()).all(done) || now.saturating_sub(since) >= self.rules.pace.grace {
            self.phase = Phase::Signing;
            self.told.clear();
            self.witnesses
                .iter_mut()
                .flat_map(|state| &mut state.alarm)
                .for_each(|alarm| alarm.stops = false);
            return vec![Step::Release];
        }
        Vec::new()
    }

    /// Tells once everybody has been asked, and again when it is another story.
    fn say_who_is_missing(&mut self, count: usize) -> Vec<Step> {
        let asked = |at: usize| self.witnesses[at].tried || self.rules.policy.witnesses()[at].url().is_none();
        if !(0..self.witnesses.len()).all(asked) {
            return Vec::new();
        }
        let all = self.rules.policy.witnesses().len();
        let troubles = self.rules.policy.witnesses().iter().zip(&self.witnesses);
        let troubles = troubles.filter_map(|(witness, state)| {
            Some(format!("{}: {}", witness.name(), state.trouble.as_deref()?))
        });
        let troubles: Vec<String> = troubles.take(5).collect();
        let mut text = format!(
            "the witnesses' quorum has not confirmed that this store is the newest: {count} of {all} have answered"
        );
        if !troubles.is_empty() {
            text.push_str(&format!(" ({})", troubles.join("; ")));
        }
        if text == self.told { Vec::new() } else { vec![self.hold(text)] }
    }
}
