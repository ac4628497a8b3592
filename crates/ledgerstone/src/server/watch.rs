//! Tells changes of the engine's state, and of the TLS files, as sentences.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use env::Env;
use ledger::{Engine, Status};

use super::held::Reminder;
use super::log::log;

/// How often the state is asked for.
const POLL: Duration = Duration::from_millis(200);

/// Watches until the other end of `stop` is dropped.
pub(super) fn watch(
    engine: &Arc<Engine>,
    tls: Option<&api::Tls>,
    record: &dyn Fn(&api::TlsChange),
    env: &dyn Env,
    stop: &Receiver<()>,
) {
    let mut told = Status::Running;
    let mut look_at = Duration::ZERO;
    let mut reminder = Reminder::default();
    while let Err(RecvTimeoutError::Timeout) = stop.recv_timeout(POLL) {
        let now = env.monotonic();
        if let Some(tls) = tls.filter(|_| now >= look_at) {
            tls.look(&mut |news| {
                log(env, &news.sentence);
                news.change.iter().for_each(record);
            });
            look_at = now + api::LOOK_EVERY;
        }
        let status = engine.status();
        if let Some(sentence) = sentence(&told, &status) {
            log(env, &sentence);
        }
        told = status;
        reminder.look(engine, env.now_ms()).iter().for_each(|sentence| log(env, sentence));
    }
}

/// What a change of state means for the people in charge; nothing if it is none to them.
fn sentence(before: &Status, now: &Status) -> Option<String> {
    match (before, now) {
        (Status::Suspended { reason: told, .. }, Status::Suspended { reason, .. }) if told == reason => None,
        (_, Status::Suspended { reason, .. }) => Some(format!(
            "error: nothing is being recorded and appends are refused, because {reason}; it is tried again every second"
        )),
        (Status::Suspended { .. }, Status::Running) => {
            Some("info: recording again; the outage is entered in every ledger".to_owned())
        }
        (Status::Damaged { .. }, Status::Damaged { .. }) => None,
        (_, Status::Damaged { reason }) => Some(format!(
            "error: stored bytes are not what was signed or acknowledged: {reason}\n\
             error: nothing is recorded until a person has looked; start with: ledgerstone verify"
        )),
        (_, Status::Running | Status::Stopped) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_told_once() {
        let suspended = |reason: &str| Status::Suspended { since_ms: 1, reason: reason.to_owned() };
        let damaged = Status::Damaged { reason: "wal/1".to_owned() };
        assert!(
            sentence(&Status::Running, &suspended("disk full"))
                .is_some_and(|text| text.contains("disk full"))
        );
        assert_eq!(sentence(&suspended("disk full"), &suspended("disk full")), None);
        assert!(sentence(&suspended("disk full"), &suspended("no such device")).is_some());
        assert!(sentence(&suspended("disk full"), &Status::Running).is_some());
        assert!(sentence(&Status::Running, &damaged).is_some_and(|text| text.contains("wal/1")));
        assert_eq!(sentence(&damaged, &damaged), None);
        assert_eq!(sentence(&Status::Running, &Status::Running), None);
    }
}
