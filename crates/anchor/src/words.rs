//! What people are told.

use crate::state::{AlarmKind, WitnessAlarm};

/// Longest text of another machine that is repeated.
const SHOWN: usize = 300;

/// A text from elsewhere, shortened.
pub(crate) fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What a refusal means and what to do about it.
pub(crate) fn explain(witness: &str, alarm: &WitnessAlarm) -> String {
    let held = alarm.held;
    let proof = match alarm.note {
        Some(_) => "it shows a checkpoint with this ledger's signature",
        None => {
            "it shows no checkpoint with this ledger's signature: if you know that it is wrong, take it out of the policy"
        }
    };
    match alarm.kind {
        AlarmKind::Ahead => {
            let claimed = alarm.claimed.map_or_else(|| "more".to_owned(), |size| format!("{size} entries"));
            format!(
                "witness {witness} has cosigned {claimed} of this ledger and this store has {held}: it is a restored backup, \
                 an older snapshot, has lost its end, or another copy of it is running; {proof}. Nothing is signed. Bring \
                 back the newest store and start again; if it is gone, begin a ledger that continues this one: ledgerstone \
                 succeed (docs/recovery.md)"
            )
        }
        AlarmKind::Conflict if !alarm.stops => format!(
            "witness {witness} says that this ledger's tree of {held} entries does not extend what it has cosigned, and shows no \
             checkpoint with this ledger's signature; a quorum of the others has cosigned this store, so signing goes on \
             without that witness. It is broken or lies, or alone has seen a copy of this ledger: ask who runs it \
             (docs/trust.md)"
        ),
        AlarmKind::Conflict => format!(
            "witness {witness} has cosigned another tree than that of this store at {held} entries: entries were changed, or \
             another copy of this ledger is running; {proof}. Nothing is signed. Keep this store and its backups as they are \
             and compare them; if the true history can't go on, begin a ledger that continues it: ledgerstone succeed \
             (docs/recovery.md)"
        ),
        AlarmKind::Behind => {
            let (before, claimed) = (alarm.before.unwrap_or_default(), alarm.claimed.unwrap_or_default());
            format!(
                "witness {witness} has cosigned {before} entries of this ledger and says now that it has cosigned {claimed}: it \
                 was restored from a backup, or a copy of it runs, and would cosign a fork that begins there. It is shown again \
                 what it forgot, and signing goes on; ask who runs it (docs/trust.md)"
            )
        }
        AlarmKind::Key => format!(
            "witness {witness} does not accept this ledger's signature: give it the ledger's verification key \
             (docs/trust.md)"
        ),
    }
}
