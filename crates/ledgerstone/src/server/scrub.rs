//! Starts continuous verification and tells what it finds as sentences.

use std::sync::Arc;
use std::time::Duration;

use ::scrub::{Alarm, Cycle, News, Scrub};
use env::Env;
use evidence::verify::Verdict;
use serde_json::Value;
use storage::{Disk, LocalDisk};

use super::log::{log, log_with};
use super::plan::Plan;

/// How long a stop waits for verification to end.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Starts it. Damage is logged and handed to `record`. That it can't start is told and leaves a server that records all
/// the same.
pub(super) fn start(
    plan: &Plan,
    env: Arc<dyn Env>,
    mut record: impl FnMut(&Alarm) + Send + 'static,
) -> Option<Scrub> {
    // Disks of its own: it reads beside the engine and must not wait for it.
    let open = |dir| LocalDisk::open(dir).map(|disk| Arc::new(disk) as Arc<dyn Disk>);
    let teller = env.clone();
    let mut before = None;
    let started = open(&plan.data).and_then(|data| {
        let keys = open(&plan.keys)?;
        Scrub::start(plan.scrub, data, Some(keys), env.clone(), move |news| {
            if let News::Damage(alarm) = &news {
                record(alarm);
            }
            if let Some(sentence) = sentence(&news, &mut before) {
                log_with(teller.as_ref(), &sentence, &fields(&news));
            }
        })
    });
    match started {
        Ok(scrub) if plan.scrub.mib_per_s == 0 => {
            log(
                env.as_ref(),
                "warning: the store is not verified while it runs, because scrub.mib_per_s is 0",
            );
            Some(scrub)
        }
        Ok(scrub) => Some(scrub),
        Err(error) => {
            log(env.as_ref(), &format!("error: the store is not verified while it runs: {error}"));
            None
        }
    }
}

/// The same for programs.
fn fields(news: &News<'_>) -> Vec<(&'static str, Value)> {
    match news {
        News::Damage(alarm) => vec![
            ("file", alarm.file.as_str().into()),
            ("damage", alarm.kind.as_str().into()),
            ("first_seen_ms", alarm.first_seen_ms.into()),
        ],
        News::Ended(cycle, state) => vec![
            ("verdict", cycle.verdict.word().into()),
            ("took_ms", cycle.took_ms.into()),
            ("bytes", cycle.bytes.into()),
            ("alarms", (state.alarms.len() as u64 + state.alarms_beyond).into()),
        ],
        News::Good(_) | News::Unkept(_) => Vec::new(),
    }
}

/// What news mean for the people in charge. Of good cycles the first is told, and each after another verdict.
fn sentence(news: &News<'_>, before: &mut Option<Verdict>) -> Option<String> {
    match news {
        News::Damage(alarm) => Some(damage(alarm)),
        News::Good(_) => Some(
            "info: the store verifies again; the alarms stay until the next start, as acknowledged by it"
                .to_owned(),
        ),
        News::Unkept(reason) => {
            Some(format!("warning: what verification has found can't be kept over a restart: {reason}"))
        }
        News::Ended(cycle, state) => {
            let told = before.replace(cycle.verdict) == Some(cycle.verdict);
            match cycle.verdict {
                Verdict::Proven if told => None,
                Verdict::Proven => Some(format!("info: the whole store was verified: {}", size(cycle))),
                Verdict::Disproven => Some(format!(
                    "error: the store is not as it was written: {} alarms after {}; see what is still good with: \
                     ledgerstone verify",
                    state.alarms.len() as u64 + state.alarms_beyond,
                    size(cycle)
                )),
                Verdict::Undecidable if told => None,
                Verdict::Undecidable => Some(format!(
                    "warning: the store could not be verified: {}",
                    state.undecided.first().map_or("something was missing", String::as_str)
                )),
            }
        }
    }
}

fn damage(alarm: &Alarm) -> String {
    let entries = match &alarm.entries {
        Some((ledger, first, end)) => format!(" ({ledger} entries {first} to {})", end.saturating_sub(1)),
        None => String::new(),
    };
    let since = match alarm.good_ms {
        None => "",
        Some(_) => "; a later verification found it good",
    };
    format!("error: damage: {}: {}{entries}: {}{since}", alarm.kind, alarm.file, alarm.detail)
}

fn size(cycle: &Cycle) -> String {
    let seconds = cycle.took_ms.div_ceil(1000);
    let payloads = if cycle.payloads_opened { "" } else { ", payloads not opened" };
    format!("{} entries, {} MiB read in {seconds} s{payloads}", cycle.entries, cycle.bytes >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::scrub::ScrubState;

    fn ended(verdict: Verdict, before: &mut Option<Verdict>) -> Option<String> {
        let cycle = Cycle {
            began_ms: 0,
            ended_ms: 1500,
            took_ms: 1500,
            verdict,
            bytes: 3 << 20,
            entries: 12,
            payloads_opened: true,
        };
        sentence(&News::Ended(&cycle, &ScrubState::default()), before)
    }

    #[test]
    fn good_cycles_are_told_once_and_bad_ones_each_time() {
        let mut before = None;
        let told = ended(Verdict::Proven, &mut before).expect("the first is told");
        assert!(told.contains("12 entries, 3 MiB read in 2 s"), "{told}");
        assert_eq!(ended(Verdict::Proven, &mut before), None);
        for _ in 0..2 {
            assert!(ended(Verdict::Disproven, &mut before).is_some_and(|told| told.starts_with("error")));
        }
        assert!(ended(Verdict::Proven, &mut before).is_some());
    }

    #[test]
    fn damage_names_file_kind_and_entries() {
        let alarm = Alarm {
            file: "ledgers/main/tile/0/000".to_owned(),
            kind: "hash".to_owned(),
            entries: Some(("main".to_owned(), 0, 256)),
            detail: "bad".to_owned(),
            first_seen_ms: 1,
            last_seen_ms: 1,
            good_ms: None,
        };
        assert_eq!(
            damage(&alarm),
            "error: damage: hash: ledgers/main/tile/0/000 (main entries 0 to 255): bad"
        );
    }
}
