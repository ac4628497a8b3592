//! What a witness refuses, and whether that stops signatures.
//!
//! It stops when a witness is ahead, whether or not it can show a note, and when a note with the ledger's signature
//! contradicts this store. A witness that says no without a note stands against those that have cosigned this very tree:
//! if they are a quorum without it, they suffice (DESIGN section 4; docs/trust.md).

use record::control::{Refusal, RefusalReason};

use super::{Course, Moment, Step};
use crate::Head;
use crate::state::{AlarmKind, Phase, WitnessAlarm};
use crate::words::explain;

/// Most refusals of one run that are put on record: a witness that lies may say something new each time.
pub(super) const RECORDS_MAX: u64 = 256;

impl Course {
    /// A witness says that it has seen what we have not. Signing stops at once, and what it can show for it comes after;
    /// only of one that could show nothing before and stands alone with it, that is awaited.
    pub(super) fn claims(
        &mut self,
        witness: usize,
        kind: AlarmKind,
        claimed: Option<u64>,
        newest: &Head,
    ) -> Vec<Step> {
        let state = &mut self.witnesses[witness];
        state.claim = Some((kind, claimed));
        let same = |alarm: &WitnessAlarm| alarm.kind == kind && !alarm.stops;
        let heard = kind == AlarmKind::Conflict && state.alarm.as_ref().is_some_and(same);
        if self.phase == Phase::Starting || heard && self.phase == Phase::Signing {
            return Vec::new();
        }
        self.phase = Phase::Stopped;
        let held = newest.checkpoint.size;
        let alarm = WitnessAlarm { kind, held, claimed, before: None, note: None, stops: true, since_ms: 0 };
        vec![self.hold(explain(&self.name(witness), &alarm))]
    }

    /// Keeps a refusal in sight and, if it is new, puts it on record.
    pub(super) fn alarm(
        &mut self,
        witness: usize,
        kind: AlarmKind,
        claimed: Option<u64>,
        note: Option<String>,
        held: u64,
        at: Moment,
    ) -> Vec<Step> {
        let before = self.witnesses[witness].alarm.take();
        let since_ms = before.as_ref().map_or(at.now_ms, |before| before.since_ms);
        // What was proven once is not forgotten for a claim without proof.
        let note = note.or_else(|| before.as_ref().and_then(|before| before.note.clone()));
        let stays = self.phase != Phase::Starting && before.as_ref().is_some_and(|before| before.stops);
        let stops = stays
            || match kind {
                AlarmKind::Ahead => true,
                AlarmKind::Conflict => note.is_some() || !self.others_suffice(witness, claimed),
                AlarmKind::Key | AlarmKind::Behind => false,
            };
        let alarm = WitnessAlarm { kind, held, claimed, before: None, note, stops, since_ms };
        let known = before.is_some_and(|before| {
            (before.kind, before.claimed, &before.note, before.stops) == (kind, claimed, &alarm.note, stops)
        });
        let text = explain(&self.name(witness), &alarm);
        let record = if known { None } else { self.record(witness, &alarm, &text) };
        self.witnesses[witness].alarm = Some(alarm);
        let mut steps = Vec::new();
        if stops {
            if self.phase != Phase::Starting {
                self.phase = Phase::Stopped;
            }
            steps.push(self.hold(text));
        } else if self.phase == Phase::Stopped && !self.anybody_stops() {
            self.phase = Phase::Signing;
            self.told.clear();
            steps.push(Step::Release);
        }
        steps.extend(record);
        steps
    }

    /// A witness says that it has cosigned `theirs` entries; if that is less than it has cosigned, it was set back. That is
    /// kept in sight and put on record, and stops nothing: what it is shown now extends what it knows.
    pub(super) fn hears_size(&mut self, witness: usize, theirs: u64, held: u64, at: Moment) -> Vec<Step> {
        let state = &self.witnesses[witness];
        let Some(before) = state.largest.filter(|largest| theirs < *largest) else { return Vec::new() };
        if state.set_back == Some(theirs) {
            return Vec::new();
        }
        let alarm = WitnessAlarm {
            kind: AlarmKind::Behind,
            held,
            claimed: Some(theirs),
            before: Some(before),
            note: None,
            stops: false,
            since_ms: at.now_ms,
        };
        let text = explain(&self.name(witness), &alarm);
        let record = self.record(witness, &alarm, &text);
        let state = &mut self.witnesses[witness];
        state.set_back = Some(theirs);
        // What stops signatures, or is proven, is not hidden by it.
        if state.alarm.as_ref().is_none_or(|alarm| !alarm.stops && alarm.note.is_none()) {
            state.alarm = Some(alarm);
        }
        Vec::from_iter(record)
    }

    /// Whether a witness keeps the ledger from signing, or has yet to show what it said.
    pub(super) fn anybody_stops(&self) -> bool {
        self.witnesses
            .iter()
            .any(|state| state.claim.is_some() || state.alarm.as_ref().is_some_and(|alarm| alarm.stops))
    }

    /// Whether those beside `witness` that have cosigned this store up to `size` at least are a quorum.
    fn others_suffice(&self, witness: usize, size: Option<u64>) -> bool {
        let Some(size) = size else { return false };
        let reaches = |(last, ..): &(u64, _, _)| *last >= size;
        self.quorum(|at| at != witness && self.witnesses[at].last.as_ref().is_some_and(reaches)).0
    }

    fn record(&mut self, witness: usize, alarm: &WitnessAlarm, text: &str) -> Option<Step> {
        self.refusals += 1;
        (self.refusals <= RECORDS_MAX).then(|| {
            Step::Record(Refusal {
                party: self.rules.policy.witnesses()[witness].key().to_string(),
                reason: match alarm.kind {
                    AlarmKind::Ahead => RefusalReason::Ahead,
                    AlarmKind::Conflict => RefusalReason::Conflict,
                    AlarmKind::Key => RefusalReason::Key,
                    AlarmKind::Behind => RefusalReason::Behind,
                },
                size: alarm.held,
                claimed: alarm.claimed,
                note: alarm.note.clone(),
                stopped: alarm.stops,
                detail: text.to_owned(),
            })
        })
    }
}
