use evidence::verify::{Damage, Verdict};

/// Most alarms kept one by one; what goes beyond is counted.
pub(crate) const ALARMS_MAX: usize = 256;

/// What continuous verification knows at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubState {
    /// Its budget in MiB per second; 0 if it is switched off.
    pub mib_per_s: u64,
    /// The last full cycle, of this run or an earlier one.
    pub last: Option<Cycle>,
    /// The present cycle.
    pub running: Option<Running>,
    /// Full cycles completed since the start.
    pub cycles: u64,
    /// Damage that was found and not yet seen to be gone *and* acknowledged by a restart.
    pub alarms: Vec<Alarm>,
    /// Alarms beyond those kept one by one.
    pub alarms_beyond: u64,
    /// Why the last cycle was undecidable, in words.
    pub undecided: Vec<String>,
    /// Why this state could not be kept on disk, if it could not.
    pub unkept: Option<String>,
}

/// A full cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// When it began, unix milliseconds.
    pub began_ms: u64,
    /// When it ended, unix milliseconds.
    pub ended_ms: u64,
    /// How long it took.
    pub took_ms: u64,
    /// What came of it.
    pub verdict: Verdict,
    /// Bytes read.
    pub bytes: u64,
    /// Entries checked over all ledgers.
    pub entries: u64,
    /// Whether payloads were opened; without keys they are not.
    pub payloads_opened: bool,
}

/// The present cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// When it began, unix milliseconds.
    pub began_ms: u64,
    /// About how far it is, from bytes read and file lengths.
    pub percent: u8,
}

/// Damage that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Path below the data directory, or below the key directory after `keys:`.
    pub file: String,
    /// Stable name of the kind of damage.
    pub kind: String,
    /// Ledger and range of entries, where known.
    pub entries: Option<(String, u64, u64)>,
    /// What is wrong, in words.
    pub detail: String,
    /// When it was first seen, unix milliseconds.
    pub first_seen_ms: u64,
    /// When it was last seen.
    pub last_seen_ms: u64,
    /// When a full cycle first found the store good again; the next start then forgets the alarm.
    pub good_ms: Option<u64>,
}

impl ScrubState {
    /// How long ago the last full cycle ended; `None` if there never was one.
    pub fn age_ms(&self, now_ms: u64) -> Option<u64> {
        self.last.as_ref().map(|last| now_ms.saturating_sub(last.ended_ms))
    }

    /// Whether anything is to be shown in red.
    pub fn is_alarmed(&self) -> bool {
        !self.alarms.is_empty() || self.alarms_beyond > 0
    }

    /// Takes in one damage; true if it is news.
    pub(crate) fn raise(&mut self, damage: &Damage, now_ms: u64) -> bool {
        let kind = damage.kind.name();
        if let Some(alarm) = self.alarms.iter_mut().find(|a| a.file == damage.file && a.kind == kind) {
            let again = alarm.good_ms.take().is_some();
            alarm.last_seen_ms = now_ms;
            return again;
        }
        if self.alarms.len() >= ALARMS_MAX {
            self.alarms_beyond += 1;
            return false;
        }
        self.alarms.push(Alarm {
            file: damage.file.clone(),
            kind: kind.to_owned(),
            entries: damage.entries.clone(),
            detail: damage.detail.clone(),
            first_seen_ms: now_ms,
            last_seen_ms: now_ms,
            good_ms: None,
        });
        true
    }

    /// A full cycle found the store good. Alarms stay, but the next start forgets them. True if there were any bad.
    pub(crate) fn good(&mut self, now_ms: u64) -> bool {
        let bad = self.alarms.iter_mut().filter(|alarm| alarm.good_ms.is_none());
        bad.map(|alarm| alarm.good_ms = Some(now_ms)).count() > 0
    }

    /// A start: what was found good before it is forgotten.
    pub(crate) fn acknowledge(&mut self) {
        self.alarms.retain(|alarm| alarm.good_ms.is_none());
        if self.alarms.is_empty() {
            self.alarms_beyond = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evidence::verify::DamageKind;

    #[test]
    fn an_alarm_goes_only_after_a_good_cycle_and_then_a_start() {
        let damage = Damage::new(DamageKind::Hash, "ledgers/main/tile/0/000", "bad");
        let mut state = ScrubState::default();
        assert!(state.raise(&damage, 10));
        assert!(!state.raise(&damage, 20), "the same damage is told once");
        state.acknowledge();
        assert!(state.is_alarmed(), "a restart alone does not clear it");
        assert!(state.good(30) && !state.good(40));
        assert!(state.is_alarmed(), "a good cycle alone does not clear it");
        assert_eq!((state.alarms[0].first_seen_ms, state.alarms[0].good_ms), (10, Some(30)));
        assert!(state.raise(&damage, 50), "damage that comes back is news");
        assert!(state.alarms[0].good_ms.is_none());
        state.good(60);
        state.acknowledge();
        assert!(!state.is_alarmed());
    }

    #[test]
    fn alarms_are_bounded_and_the_rest_is_counted() {
        let mut state = ScrubState::default();
        for number in 0..ALARMS_MAX + 5 {
            state.raise(&Damage::new(DamageKind::Hash, number.to_string(), "bad"), 1);
        }
        assert_eq!((state.alarms.len(), state.alarms_beyond), (ALARMS_MAX, 5));
    }
}
