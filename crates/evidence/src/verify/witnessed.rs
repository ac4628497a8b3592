//! The store against the checkpoint that its witnesses cosigned last: if it is newer than the store, or of another tree,
//! the store was set back or written anew.

use tlog::checkpoint::UnverifiedCheckpoint;
use tlog::note::VerifierKey;

use super::kept::check_checkpoint;
use super::medium::Medium;
use super::report::{Damage, DamageKind, LedgerReport, Report};
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
    let key = VerifierKey::parse(&ledger.vkey).map_err(|error| error.to_string());
    let verified =
        key.and_then(|key| checkpoint.verify(&ledger.origin, &[key], &[]).map_err(|error| error.to_string()));
    if let Err(error) = verified {
        report.damage.push(Damage::new(DamageKind::Signature, file, error));
    }
}
