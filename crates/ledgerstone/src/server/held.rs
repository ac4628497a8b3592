//! Reminds, again and again, that nothing is signed: what comes in is recorded meanwhile, and all of it stays in the
//! write-ahead log, which nothing bounds but the disk.

use std::collections::BTreeMap;

use ledger::{Engine, Signing};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// Which reminders were given, by ledger: since when it is held, and how many.
#[derive(Default)]
pub(super) struct Reminder(BTreeMap<usize, (u64, u64)>);

impl Reminder {
    /// The sentences that are due now.
    pub(super) fn look(&mut self, engine: &Engine, now_ms: u64) -> Vec<String> {
        let reads = engine.reads();
        let mut sentences = Vec::new();
        for (number, info) in reads.ledgers().into_iter().enumerate() {
            let Signing::Held { since_ms, reason } = reads.signing(number) else {
                self.0.remove(&number);
                continue;
            };
            let progress = reads.progress(number);
            let waiting = progress.durable.saturating_sub(progress.committed);
            if let Some(held_ms) = self.due(number, since_ms, now_ms) {
                sentences.push(sentence(&info.name, held_ms, waiting, &reason));
            }
        }
        sentences
    }

    /// For how long a ledger is held, if that is to be told now.
    fn due(&mut self, ledger: usize, since_ms: u64, now_ms: u64) -> Option<u64> {
        let held_ms = now_ms.saturating_sub(since_ms);
        let told = self.0.entry(ledger).or_insert((since_ms, 0));
        if told.0 != since_ms {
            *told = (since_ms, 0);
        }
        let steps = steps(held_ms);
        (steps > told.1).then(|| {
            told.1 = steps;
            held_ms
        })
    }
}

/// How many reminders there are in this time: after a minute, after ten, and after each hour.
fn steps(held_ms: u64) -> u64 {
    match held_ms {
        0..MINUTE_MS => 0,
        held_ms if held_ms < 10 * MINUTE_MS => 1,
        held_ms => 2 + held_ms / HOUR_MS,
    }
}

fn sentence(ledger: &str, held_ms: u64, waiting: u64, reason: &str) -> String {
    let level = if held_ms < HOUR_MS { "warning" } else { "error" };
    let minutes = held_ms / MINUTE_MS;
    format!(
        "{level}: ledger {ledger}: nothing has been signed for {minutes} min; {waiting} entries are recorded and wait for it in \
         the write-ahead log, which grows until then: {reason}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reminds_after_a_minute_after_ten_and_then_each_hour() {
        let mut reminder = Reminder::default();
        let told: Vec<u64> = (0..240).filter(|at| reminder.due(0, 7, 7 + at * MINUTE_MS).is_some()).collect();
        assert_eq!(told, [1, 10, 60, 120, 180]);
        // Held again, it begins anew; a clock that was set back tells nothing.
        assert_eq!(reminder.due(0, 500 * MINUTE_MS, 499 * MINUTE_MS), None);
        assert_eq!(reminder.due(0, 500 * MINUTE_MS, 501 * MINUTE_MS), Some(MINUTE_MS));
    }

    #[test]
    fn an_hour_is_an_error() {
        assert!(
            sentence("main", 10 * MINUTE_MS, 5, "why")
                .starts_with("warning: ledger main: nothing has been signed for 10 min")
        );
        assert!(sentence("main", HOUR_MS, 5, "why").starts_with("error: "));
    }
}
