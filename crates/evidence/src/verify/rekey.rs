//! The keys that a ledger has had: from its genesis, and from its records of changes, each of which must hold
//! (docs/format.md, section 10, K1 to K4).

use tlog::hash::Hash;
use tlog::note::VerifierKey;
use tlog::{KeyHistory, UnverifiedCheckpoint};

use super::payloads::Claims;
use super::report::{Damage, DamageKind, LedgerKey, LedgerReport};
use crate::layout;
use crate::register::LedgerState;

/// What the records of a ledger say about its keys.
pub(super) struct Keys {
    /// As far as records hold; nothing without a genesis.
    history: Option<KeyHistory>,
    /// The register's key: all there is where records are lost.
    registered: Result<VerifierKey, String>,
}

impl Keys {
    /// Puts the history together. Records that lie in the log and in a segment are one.
    pub(super) fn of(state: &LedgerState, claims: &mut Claims, damage: &mut Vec<Damage>) -> Self {
        let registered = VerifierKey::parse(&state.vkey).map_err(|error| error.to_string());
        let wrong = |index: u64, detail: String| {
            let damage = Damage::new(DamageKind::Signature, layout::ledger_dir(&state.name), detail);
            damage.of(&state.name, index, index.saturating_add(1))
        };
        let Some(genesis) = &claims.genesis else { return Self { history: None, registered } };
        let begun = KeyHistory::new(&state.origin, &genesis.log_vkey, &genesis.authority_vkey);
        let mut history = match begun {
            Ok(history) => history,
            Err(error) => {
                // Without changes the genesis is held against the register, which tells the same.
                damage.extend((!claims.keys.is_empty()).then(|| wrong(0, error.to_string())));
                return Self { history: None, registered };
            }
        };
        claims.keys.sort_by_key(|(index, _)| *index);
        claims.keys.dedup_by_key(|(index, _)| *index);
        for (index, change) in &claims.keys {
            if let Err(error) =
                history.push(*index, change.statement.as_bytes(), change.checkpoint.as_bytes())
            {
                damage.push(wrong(*index, format!("the change of the signing key does not hold: {error}")));
            }
        }
        Self { history: Some(history), registered }
    }

    /// The key that trees of `size` entries are signed by. Where no change is on record, or `lost` records may have told of
    /// one, it is the register's.
    pub(super) fn in_force(&self, size: u64, lost: bool) -> Result<VerifierKey, String> {
        match &self.history {
            Some(history) if !lost && !history.changes().is_empty() => Ok(history.in_force(size).clone()),
            _ => self.registered.clone(),
        }
    }

    /// What the register says of the key must be what the records say.
    pub(super) fn check_register(&self, state: &LedgerState) -> Option<Damage> {
        let history = self.history.as_ref()?;
        (history.in_force(state.size).to_string() != state.vkey).then(|| {
            let detail = format!("{}: the ledger's records name another signing key", state.name);
            Damage::new(DamageKind::Contradiction, layout::REGISTER, detail)
        })
    }

    /// K3: the trees that changes are bound to must be trees of the ledger. `root` gives that of its first entries.
    pub(super) fn check_trees(
        &self,
        (name, size): (&str, u64),
        root: impl Fn(u64) -> Option<Hash>,
    ) -> (Vec<Damage>, Option<String>) {
        let (mut damage, mut undecided) = (Vec::new(), None);
        let changes = self.history.iter().flat_map(KeyHistory::changes);
        for change in changes.filter(|change| change.statement.size <= size) {
            let (index, statement) = (change.index, &change.statement);
            match root(statement.size) {
                Some(root) if root == statement.root => {}
                Some(_) => {
                    let detail =
                        "the change of the signing key does not hold: K3: it is bound to another tree";
                    let wrong = Damage::new(DamageKind::Signature, layout::ledger_dir(name), detail);
                    damage.push(wrong.of(name, index, index.saturating_add(1)));
                }
                None => {
                    undecided = Some(format!(
                        "{name}: the change of the signing key in entry {index} can't be held against the tree"
                    ))
                }
            }
        }
        (damage, undecided)
    }

    /// The history, as far as records hold.
    pub(super) fn into_history(self) -> Option<KeyHistory> {
        self.history
    }

    /// All keys up to the one that signs trees of `size` entries, for the report.
    pub(super) fn told(&self, state: &LedgerState, size: u64) -> Vec<LedgerKey> {
        let Some(history) = &self.history else {
            return vec![LedgerKey { index: 0, vkey: state.vkey.clone() }];
        };
        let keys = history.keys().filter(|(index, _)| *index == 0 || *index < size);
        keys.map(|(index, key)| LedgerKey { index, vkey: key.to_string() }).collect()
    }
}

impl LedgerReport {
    /// The key that signs trees of `size` entries of this ledger.
    pub fn in_force(&self, size: u64) -> &str {
        let mut before = self.keys.iter().rev();
        before.find(|key| key.index == 0 || key.index < size).map_or(&self.vkey, |key| &key.vkey)
    }

    /// Whether a key is or was this ledger's: the one in force, or an earlier one that the authority had replaced.
    pub fn knows(&self, vkey: &str) -> bool {
        self.vkey == vkey || self.keys.iter().any(|key| key.vkey == vkey)
    }

    /// One line for each change of the key, for people.
    pub fn key_changes(&self) -> impl Iterator<Item = String> {
        self.keys.iter().skip(1).map(|key| {
            format!("{}: key changed at index {} by the authority: {}", self.name, key.index, key.vkey)
        })
    }

    /// Parses the key in force for a checkpoint and verifies its signature.
    pub(super) fn verify(
        &self,
        note: UnverifiedCheckpoint,
        cosigners: &[VerifierKey],
    ) -> Result<tlog::VerifiedCheckpoint, String> {
        let key =
            VerifierKey::parse(self.in_force(note.claimed().size)).map_err(|error| error.to_string())?;
        note.verify(&self.origin, &[key], cosigners).map_err(|error| error.to_string())
    }
}
