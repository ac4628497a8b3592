//! What a ledger that is verified over HTTP says of its keys.

use evidence::verify::{Damage, DamageKind, LedgerKey, LedgerReport, Report};
use record::control::Control;
use tlog::{Hash, KeyHistory};

/// Puts the history of a ledger's keys together, from records that are those of its entries, and tells what does not hold.
/// `root` is that of the ledger's first entries.
pub(super) fn check<E: std::fmt::Display>(
    ledger: &mut LedgerReport,
    mut records: Vec<(u64, Control)>,
    root: impl Fn(u64) -> Result<Hash, E>,
    report: &mut Report,
) {
    records.sort_by_key(|(index, _)| *index);
    let mut records = records.into_iter();
    let Some((0, Control::Genesis(genesis))) = records.next() else { return };
    let wrong = |index: u64, detail: String| {
        let detail = format!("the change of the signing key does not hold: {detail}");
        Damage::new(DamageKind::Signature, "/.well-known/ledgerstone", detail).of(
            &ledger.name,
            index,
            index + 1,
        )
    };
    let mut damage = Vec::new();
    let history = KeyHistory::new(&ledger.origin, &genesis.log_vkey, &genesis.authority_vkey);
    let mut history = match history {
        Ok(history) => history,
        Err(error) => {
            report.damage.push(wrong(0, error.to_string()));
            return;
        }
    };
    for (index, said) in records {
        let Control::Key(change) = said else { continue };
        match history.push(index, change.statement.as_bytes(), change.checkpoint.as_bytes()) {
            Err(error) => damage.push(wrong(index, error.to_string())),
            Ok(change) => match root(change.statement.size) {
                Ok(root) if root == change.statement.root => {}
                Ok(_) => damage.push(wrong(index, "K3: it is bound to another tree".to_owned())),
                Err(error) => report.undecided.push(format!(
                    "the change of the signing key in entry {index} can't be held against the tree: {error}"
                )),
            },
        }
    }
    if damage.is_empty() && history.in_force(ledger.size).to_string() != ledger.vkey {
        damage.push(wrong(0, "the ledger's records name another key than the server".to_owned()));
    }
    report.damage.extend(damage);
    let keys = history.keys().map(|(index, key)| LedgerKey { index, vkey: key.to_string() });
    ledger.keys = keys.collect();
    report.notes.extend(ledger.key_changes());
    ledger.history = Some(history);
}
