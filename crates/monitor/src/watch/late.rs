//! What is late: new entries, and the witnesses' word.

use std::time::Duration;

use tlog::{Policy, VerifiedCheckpoint, VerifierKey};

use crate::finding::{Finding, Kind};
use crate::mirror::WITNESSED;
use crate::state::Progress;
use crate::watch::{LookError, MAX_NOTE, Signed, Step, Watch};

impl Watch<'_> {
    /// What is late by now, also if the log could not be asked at all.
    ///
    /// # Errors
    /// Our own state can't be read or written.
    pub fn lateness(&self) -> Result<Vec<(Finding, String)>, LookError> {
        let Some(progress) = self.state.progress()? else { return Ok(Vec::new()) };
        let mut findings = Vec::new();
        self.silence(progress, &mut findings);
        self.keep(findings)
    }

    /// Keeps when what was seen, and says what is late.
    pub(super) fn note_progress(
        &self,
        step: Step,
        shown: &Signed,
        findings: &mut Vec<Finding>,
    ) -> Result<(), LookError> {
        let now = self.clock.now_ms();
        let mut progress =
            self.state.progress()?.unwrap_or(Progress { fresh_ms: now, seen_ms: now, witnessed_ms: now });
        if step != Step::Same {
            progress.fresh_ms = now;
        }
        progress.seen_ms = now;
        let mut newest = newest_cosignature(&shown.verified);
        let met = match self.policy {
            None => true,
            Some(policy) => {
                let (met, time) = self.quorum(policy, shown, findings)?;
                newest = newest.max(time);
                if met {
                    progress.witnessed_ms = now;
                }
                met
            }
        };
        // What is said to be from the future is from now.
        progress.fresh_ms = progress.fresh_ms.max(newest.saturating_mul(1000).min(now));
        self.state.keep_progress(progress)?;
        self.silence(progress, findings);
        let wanting = self.silence.is_none_or(|limit| is_over(now, progress.witnessed_ms, limit));
        if let (false, true, Some(policy)) = (met, wanting, self.policy) {
            let quorum = policy.quorum(|key| shown.verified.cosignatures().iter().any(|by| by.key() == key));
            let missing: Vec<String> = quorum.missing.iter().map(|witness| witness.name()).collect();
            let text = format!(
                "too few witnesses have cosigned the tree of {} entries; not among them: {}",
                shown.checkpoint().size,
                missing.join(", ")
            );
            findings.push(Finding::new(Kind::Quorum, text).with("shown.checkpoint", shown.bytes.clone()));
        }
        Ok(())
    }

    /// Whether enough witnesses have cosigned this checkpoint, or the one that the server shows as witnessed; and the
    /// newest time that one of them tells, in seconds.
    pub(super) fn quorum(
        &self,
        policy: &Policy,
        shown: &Signed,
        findings: &mut Vec<Finding>,
    ) -> Result<(bool, u64), LookError> {
        let met = |signed: &Signed| {
            let by = |key: &VerifierKey| {
                let mut all = signed.verified.cosignatures().iter().filter(|by| by.key() == key);
                all.any(|by| by.timestamp().is_some_and(|time| time != 0))
            };
            policy.quorum(by).met
        };
        if met(shown) {
            return Ok((true, newest_cosignature(&shown.verified)));
        }
        // A log that publishes before its witnesses have answered shows what they have cosigned beside it.
        let Ok(Some(bytes)) = self.source.get(WITNESSED, MAX_NOTE) else { return Ok((false, 0)) };
        let Ok(witnessed) = self.verify(&bytes) else { return Ok((false, 0)) };
        let newest = newest_cosignature(&witnessed.verified);
        let of_one_history = witnessed.checkpoint().size <= shown.checkpoint().size
            && self.extends(&witnessed, shown, "witnessed.checkpoint", findings)?;
        Ok((of_one_history && met(&witnessed), newest))
    }

    pub(super) fn silence(&self, progress: Progress, findings: &mut Vec<Finding>) {
        let now = self.clock.now_ms();
        if let Some(limit) = self.silence.filter(|limit| is_over(now, progress.fresh_ms, *limit)) {
            let age = now.saturating_sub(progress.fresh_ms) / 1000;
            let text = format!("nothing new for {age} s; {} s are allowed", limit.as_secs());
            findings.push(Finding::new(Kind::Silence, text));
        }
    }
}

fn newest_cosignature(checkpoint: &VerifiedCheckpoint) -> u64 {
    checkpoint.cosignatures().iter().filter_map(tlog::VerifiedSignature::timestamp).max().unwrap_or(0)
}

fn is_over(now: u64, since: u64, limit: Duration) -> bool {
    u128::from(now.saturating_sub(since)) > limit.as_millis()
}
