//! E5 and E13: whose the file is, by the genesis and the records of changes of the ledger's key.

use evidence::predecessor::Predecessor;
use record::control::{Control, Genesis, KeyChange};
use record::entry::Kind;
use tlog::{KeyHistory, VerifierKey};

use crate::manifest::Manifest;
use crate::verify::rows::Outcome;
use crate::verify::{Check, Damage, Run};
use crate::zip::Source;

/// What the records of the file say of the ledger's keys.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub genesis: Option<Genesis>,
    /// By the index of the record.
    pub changes: Vec<(u64, KeyChange)>,
    /// Whether there are key records whose payload is not understood.
    pub has_unknown: bool,
}

impl Named {
    /// Takes in the records of one member.
    pub(super) fn hear(&mut self, outcome: &Outcome) {
        let before = self.changes.len();
        for (index, control) in &outcome.controls {
            match control {
                Control::Genesis(genesis) if *index == 0 => self.genesis = Some(genesis.clone()),
                Control::Key(change) => self.changes.push((*index, change.clone())),
                _ => {}
            }
        }
        let records = outcome.heads.iter().filter(|head| head.entry.is_some_and(|e| e.kind == Kind::Key));
        self.has_unknown |= records.count() > self.changes.len() - before;
    }
}

impl<S: Source + ?Sized> Run<'_, S> {
    /// E5. Returns the keys that the ledger has had; none where they can't be told.
    pub(super) fn keys(
        &mut self,
        manifest: &Manifest,
        mut named: Named,
        vkey: Option<&VerifierKey>,
    ) -> Option<KeyHistory> {
        if let Some(member) = &self.lost {
            self.report.unchecked(member, "whose ledger it is, and which keys it has had");
            return None;
        }
        let Some(genesis) = named.genesis else {
            self.find(Check::Genesis, "control.ndjson", "the genesis is not in the file, or not readable");
            return None;
        };
        let never_changed = named.changes.is_empty() && !named.has_unknown;
        let wrong = [
            ("ledger_id", genesis.ledger_id != manifest.ledger_id),
            ("origin", genesis.origin != manifest.origin),
            ("vkey", genesis.log_vkey != manifest.vkey && never_changed),
        ];
        for (name, _) in wrong.into_iter().filter(|(_, wrong)| *wrong) {
            self.find(Check::Genesis, "manifest.json", format!("{name} is not that of the genesis"));
        }
        match Predecessor::of(&genesis) {
            Ok(old) => self.report.predecessor = old,
            Err(what) => self.find(Check::Genesis, "control.ndjson", what),
        }
        if named.has_unknown {
            self.report
                .undecided("which key is in force can't be told: a key record is not known".to_owned());
            return None;
        }
        let began = KeyHistory::new(&genesis.origin, &genesis.log_vkey, &genesis.authority_vkey);
        let mut history = match began {
            Ok(history) => history,
            Err(error) => {
                self.find(Check::Genesis, "control.ndjson", error);
                return None;
            }
        };
        named.changes.sort_by_key(|(index, _)| *index);
        for (index, change) in named.changes {
            let pushed = history.push(index, change.statement.as_bytes(), change.checkpoint.as_bytes());
            if let Err(error) = pushed {
                self.report.find(Damage::new(Check::Genesis, "control.ndjson", error).index(index));
                return None;
            }
        }
        if !never_changed && vkey != Some(history.in_force(manifest.size)) {
            let what = format!("vkey is not the key in force for {} entries", manifest.size);
            self.find(Check::Genesis, "manifest.json", what);
        }
        Some(history)
    }

    /// E13. A key that the ledger had before leads to the one in force as well as that does.
    pub(super) fn pinned(
        &mut self,
        history: Option<&KeyHistory>,
        has_unknown: bool,
        vkey: Option<&VerifierKey>,
    ) {
        let logs = self.options.policy.map_or(&[][..], |policy| policy.logs());
        let given: Vec<&VerifierKey> =
            self.options.key.into_iter().chain(logs.iter().map(|log| log.key())).collect();
        if given.is_empty() {
            return;
        }
        let is_earlier =
            |key: &VerifierKey| history.is_some_and(|history| history.keys().any(|(_, known)| known == key));
        if given.iter().any(|key| vkey == Some(*key) || is_earlier(key)) {
            self.report.pinned = true;
        } else if history.is_none() && (has_unknown || self.lost.is_some()) {
            let why = "whether the key that you gave is an earlier one of this ledger can't be told";
            self.report.undecided(why.to_owned());
        } else {
            let what = "the file is signed by another key than the one you gave";
            self.find(Check::Key, "manifest.json", what);
        }
    }
}
