//! The store against the checkpoint that its witnesses cosigned last: if it is newer than the store, or of another tree,
//! the store was set back or written anew.

use std::io;

use tlog::checkpoint::{Checkpoint, CheckpointError, UnverifiedCheckpoint};
use tlog::note::VerifierKey;
use tlog::policy::Policy;

use super::kept::check_checkpoint;
use super::medium::Medium;
use super::report::{Anchor, Damage, DamageKind, LedgerReport, Report};
use crate::layout;

/// Checks the signed text and, unless the store is damaged anyway, that the store begins with its tree.
pub(super) fn check(data: &dyn Medium, ledger: &LedgerReport, note: &[u8], report: &mut Report) {
    let file = layout::witnessed(&ledger.name);
    let checkpoint = match UnverifiedCheckpoint::parse(note) {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            report.damage.push(Damage::new(DamageKind::Format, file, error));
            return;
        }
    };
    if report.damage.is_empty() {
        check_checkpoint(data, ledger, checkpoint, (&file, "witnessed"), report);
        return;
    }
    if let Err(error) = ledger.verify(checkpoint, &[]) {
        report.damage.push(Damage::new(DamageKind::Signature, file, error));
    }
}

/// Holds the witnessed checkpoints of the store that `report` is about against a policy: its witnesses must have cosigned
/// them, and enough of them. That the store begins with their trees was verified with the store. A ledger that fits is
/// anchored by its witnesses.
pub fn hold_against_policy(data: &dyn Medium, policy: &Policy, report: &mut Report) {
    for at in 0..report.ledgers.len() {
        let file = layout::witnessed(&report.ledgers[at].name);
        match data.read(&file) {
            Ok(note) => {
                let good = report.damage.is_empty();
                if judge(&note, at, &file, policy, report).is_some()
                    && good
                    && report.ledgers[at].anchor == Anchor::None
                {
                    report.ledgers[at].anchor = Anchor::Witnessed;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => not_witnessed(at, policy, report),
            Err(error) => report.undecided.push(format!("{file}: {error}")),
        }
    }
}

/// What the witnesses of a policy say of one checkpoint.
pub struct Cosigned {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Whether they are enough.
    pub met: bool,
    /// Names of those that have cosigned.
    pub names: Vec<String>,
}

/// Checks the signature of the ledger and every cosignature by a witness of the policy.
///
/// # Errors
/// One that is known does not hold, or the note is none.
pub fn cosigned(
    note: &[u8],
    origin: &str,
    keys: &[VerifierKey],
    policy: &Policy,
) -> Result<Cosigned, CheckpointError> {
    let witnesses: Vec<VerifierKey> =
        policy.witnesses().iter().map(|witness| witness.key().clone()).collect();
    let verified = UnverifiedCheckpoint::parse(note)?.verify(origin, keys, &witnesses)?;
    let quorum = policy.quorum(|key| {
        let mut by_key = verified.cosignatures().iter().filter(|signature| signature.key() == key);
        by_key.any(|signature| signature.timestamp().is_some_and(|time| time != 0))
    });
    let names = quorum.cosigned.iter().map(|witness| witness.name()).collect();
    Ok(Cosigned { met: quorum.met, names, checkpoint: verified.checkpoint().clone() })
}

/// Checks the cosignatures on a witnessed checkpoint of ledger `at`; gives the checkpoint if a quorum cosigned it.
pub fn judge(note: &[u8], at: usize, file: &str, policy: &Policy, report: &mut Report) -> Option<Checkpoint> {
    let ledger = &report.ledgers[at];
    let size = UnverifiedCheckpoint::parse(note).map_or(ledger.size, |note| note.claimed().size);
    let key = VerifierKey::parse(ledger.in_force(size)).map_err(|error| error.to_string());
    let found =
        key.and_then(|key| cosigned(note, &ledger.origin, &[key], policy).map_err(|error| error.to_string()));
    let Cosigned { checkpoint, met, names } = match found {
        Ok(found) => found,
        Err(error) => {
            report.damage.push(Damage::new(DamageKind::Signature, file, error));
            return None;
        }
    };
    if !met {
        report.undecided.push(format!(
            "{file}: {} of the policy's witnesses have cosigned {} entries, which is no quorum",
            names.len(),
            checkpoint.size
        ));
        return None;
    }
    let label = if ledger.name.is_empty() { &ledger.origin } else { &ledger.name };
    report.notes.push(format!(
        "{label}: {} of {} entries are cosigned by a quorum of the policy: {}",
        checkpoint.size,
        ledger.size,
        names.join(", ")
    ));
    Some(checkpoint)
}

/// A ledger that no witness has cosigned: it matters if the policy names it, or if it names no ledgers.
pub fn not_witnessed(at: usize, policy: &Policy, report: &mut Report) {
    let ledger = &report.ledgers[at];
    let named = policy.logs().iter().any(|log| ledger.knows(&log.key().to_string()));
    let text = format!("{}: no checkpoint of it was cosigned by witnesses", ledger.name);
    match named || policy.logs().is_empty() && !policy.is_none() {
        true => report.undecided.push(text),
        false => report.notes.push(text),
    }
}
