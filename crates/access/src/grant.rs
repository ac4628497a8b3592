use std::collections::BTreeSet;

use evidence::hex;
use record::json::{Object, Value};

use crate::role::{Action, Role};

/// The server's own ledger, where each access is on record (DESIGN I12). Nobody appends to it, and only
/// [`Action::Accesses`] reads it.
pub const SYSTEM: &str = "system";

/// What a token allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Public name of the token: first 8 bytes of its hash in hexadecimal.
    pub id: String,
    /// What people call it.
    pub label: String,
    /// What it is for; at least one.
    pub roles: BTreeSet<Role>,
    /// Ledgers it is good for; `None` for all.
    pub ledgers: Option<BTreeSet<String>>,
    /// Actions it is narrowed to; `None` for all that its roles allow.
    pub actions: Option<BTreeSet<Action>>,
    /// The only source it appends as; `None` for any, then 1 if none is asked for.
    pub source: Option<u32>,
    /// Purpose that stands for every use, where one must be stated and none is.
    pub purpose: Option<String>,
    /// SHA-256 of a client certificate that is as good as the token.
    pub certificate: Option<[u8; 32]>,
    /// When it was given out, in Unix milliseconds.
    pub created_ms: u64,
    /// From when on it is good for nothing, in Unix milliseconds; `None` until it is revoked.
    pub expires_ms: Option<u64>,
}

/// Why a grant is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// None of its roles allows the action.
    Role,
    /// A role allows it, and the token is narrowed to other actions.
    Action,
    /// The token is for other ledgers.
    Ledger,
    /// The token is another source's.
    Source,
}

impl Grant {
    /// Whether it allows `action`, on `ledger` if the action is on one.
    ///
    /// # Errors
    /// Why not.
    pub fn may(&self, action: Action, ledger: Option<&str>) -> Result<(), Refused> {
        let needed = match (action, ledger) {
            (Action::Append | Action::OpenEpoch | Action::Sources, Some(SYSTEM)) => {
                return Err(Refused::Ledger);
            }
            (Action::Read | Action::Content | Action::Export | Action::Evidence, Some(SYSTEM)) => {
                Action::Accesses
            }
            (Action::Prove | Action::Receipt | Action::Bundles, Some(SYSTEM)) => Action::Accesses,
            _ => action,
        };
        if !self.roles.iter().any(|role| role.allows(needed)) {
            return Err(Refused::Role);
        }
        if self.actions.as_ref().is_some_and(|actions| !actions.contains(&needed)) {
            return Err(Refused::Action);
        }
        match (ledger, &self.ledgers) {
            (Some(ledger), Some(own)) if !own.contains(ledger) => Err(Refused::Ledger),
            _ => Ok(()),
        }
    }

    /// The source it appends as, if `asked` for one.
    ///
    /// # Errors
    /// Source 0, which is the ledger itself, or another than its own.
    pub fn source(&self, asked: Option<u32>) -> Result<u32, Refused> {
        match (self.source, asked) {
            (_, Some(0)) => Err(Refused::Source),
            (Some(own), Some(asked)) if own != asked => Err(Refused::Source),
            (Some(own), _) => Ok(own),
            (None, asked) => Ok(asked.unwrap_or(1)),
        }
    }

    /// Its row in the tokens' file.
    pub(crate) fn to_row(&self) -> Object<'static> {
        let mut row = Object::new();
        let words = |words: Vec<&str>| words.into_iter().map(|word| Value::from(word.to_owned())).collect();
        if let Some(actions) = &self.actions {
            let words: Vec<Value<'static>> = words(actions.iter().map(|action| action.name()).collect());
            row.insert("actions", words);
        }
        if let Some(certificate) = &self.certificate {
            row.insert("certificate", hex::encode(certificate));
        }
        row.insert("created_ms", self.created_ms);
        if let Some(expires_ms) = self.expires_ms {
            row.insert("expires_ms", expires_ms);
        }
        row.insert("id", self.id.clone());
        row.insert("label", self.label.clone());
        if let Some(ledgers) = &self.ledgers {
            let words: Vec<Value<'static>> = words(ledgers.iter().map(String::as_str).collect());
            row.insert("ledgers", words);
        }
        if let Some(purpose) = &self.purpose {
            row.insert("purpose", purpose.clone());
        }
        let roles: Vec<Value<'static>> = words(self.roles.iter().map(|role| role.name()).collect());
        row.insert("roles", roles);
        if let Some(source) = self.source {
            row.insert("source", source);
        }
        row
    }

    /// Reads what [`Grant::to_row`] writes; members it does not know are for the caller to find.
    pub(crate) fn read_row(row: &Object<'_>) -> Option<Self> {
        let text = |name: &str| row.get(name).and_then(Value::str);
        let list = |name: &str| -> Option<Option<Vec<String>>> {
            let Some(value) = row.get(name) else { return Some(None) };
            let words = value.as_array()?.iter().map(|word| word.str().map(str::to_owned));
            words.collect::<Option<Vec<_>>>().map(Some)
        };
        let number = |name: &str| -> Option<Option<u64>> {
            row.get(name).map_or(Some(None), |value| value.as_u64().map(Some))
        };
        let actions = match list("actions")? {
            None => None,
            Some(words) => {
                Some(words.iter().map(|word| Action::parse(word)).collect::<Option<BTreeSet<_>>>()?)
            }
        };
        let roles = list("roles")??;
        Some(Self {
            id: text("id")?.to_owned(),
            label: text("label")?.to_owned(),
            roles: roles.iter().map(|word| Role::parse(word)).collect::<Option<BTreeSet<_>>>()?,
            ledgers: list("ledgers")?.map(|names| names.into_iter().collect()),
            actions,
            source: number("source")?.map(u32::try_from).transpose().ok()?,
            purpose: text("purpose").map(str::to_owned),
            certificate: match text("certificate") {
                None => None,
                Some(digits) => Some(hex::decode(digits)?),
            },
            created_ms: number("created_ms")??,
            expires_ms: number("expires_ms")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(roles: &[Role]) -> Grant {
        Grant {
            id: "00".to_owned(),
            label: String::new(),
            roles: roles.iter().copied().collect(),
            ledgers: None,
            actions: None,
            source: None,
            purpose: None,
            certificate: None,
            created_ms: 0,
            expires_ms: None,
        }
    }

    #[test]
    fn a_grant_is_narrowed_by_ledger_and_action() {
        let mut grant = grant(&[Role::Reader, Role::Operator]);
        assert_eq!(grant.may(Action::Read, Some("main")), Ok(()));
        assert_eq!(grant.may(Action::Status, None), Ok(()));
        assert_eq!(grant.may(Action::Append, Some("main")), Err(Refused::Role));
        grant.ledgers = Some(["main".to_owned()].into());
        assert_eq!(grant.may(Action::Read, Some("main")), Ok(()));
        assert_eq!(grant.may(Action::Read, Some("other")), Err(Refused::Ledger));
        grant.actions = Some([Action::Prove].into());
        assert_eq!(grant.may(Action::Read, Some("main")), Err(Refused::Action));
        assert_eq!(grant.may(Action::Prove, Some("main")), Ok(()));
    }

    #[test]
    fn only_those_who_audit_read_the_ledger_of_accesses_and_nobody_writes_it() {
        let everything = grant(&Role::ALL);
        for action in [Action::Append, Action::OpenEpoch, Action::Sources] {
            assert_eq!(everything.may(action, Some(SYSTEM)), Err(Refused::Ledger), "{action:?}");
        }
        for action in [Action::Read, Action::Content, Action::Export, Action::Prove, Action::Receipt] {
            for role in Role::ALL {
                let may = grant(&[role]).may(action, Some(SYSTEM)).is_ok();
                assert_eq!(may, role == Role::Auditor, "{role:?} {action:?}");
            }
        }
    }

    #[test]
    fn nobody_appends_as_another_or_as_the_ledger() {
        let mut grant = grant(&[Role::Source]);
        assert_eq!((grant.source(None), grant.source(Some(7))), (Ok(1), Ok(7)));
        assert_eq!(grant.source(Some(0)), Err(Refused::Source));
        grant.source = Some(5);
        assert_eq!((grant.source(None), grant.source(Some(5))), (Ok(5), Ok(5)));
        assert_eq!(grant.source(Some(6)), Err(Refused::Source));
    }
}
