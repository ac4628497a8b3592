/// What somebody is there for. Duties are apart: who runs the server doesn't read, who reads doesn't run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Appends events, and reads nothing.
    Source,
    /// Reads who, what, when and where; never `content` or `raw`.
    Reader,
    /// Reads everything, for a stated purpose that is put on record.
    Investigator,
    /// Verifies, exports, sees who read what; never `content` or `raw`.
    Auditor,
    /// Runs the server, and reads nothing.
    Operator,
    /// Admits sources and gives out tokens, and reads nothing.
    Admin,
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Appends events as a source.
    Append,
    /// Opens the next epoch of a source.
    OpenEpoch,
    /// Reads, searches or follows events without `content` and `raw`.
    Read,
    /// Sees `content` and `raw` as well.
    Content,
    /// Gets proofs of inclusion and consistency.
    Prove,
    /// Gets receipts, whose salt would let a guess of `raw` be confirmed.
    Receipt,
    /// Takes out records in stored form, to verify them elsewhere.
    Export,
    /// Takes out evidence files, for somebody who checks them elsewhere.
    Evidence,
    /// Gets bundles: times and source numbers.
    Bundles,
    /// Reads the ledger of accesses.
    Accesses,
    /// Sees which ledgers there are and how far they have got.
    Ledgers,
    /// Sees the state of the server: metrics, scrubbing, alarms.
    Status,
    /// Says that alarms were seen.
    Acknowledge,
    /// Admits sources.
    Sources,
    /// Gives out, lists and revokes tokens.
    Tokens,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] =
        [Self::Source, Self::Reader, Self::Investigator, Self::Auditor, Self::Operator, Self::Admin];

    /// The policy.
    pub fn allows(self, action: Action) -> bool {
        use Action::{
            Accesses, Acknowledge, Append, Bundles, Content, Evidence, Export, Ledgers, OpenEpoch, Prove,
            Read, Receipt, Sources, Status, Tokens,
        };
        let allowed: &[Action] = match self {
            Self::Source => &[Append, OpenEpoch],
            Self::Reader => &[Read, Prove, Ledgers],
            Self::Investigator => &[Read, Content, Prove, Receipt, Evidence, Ledgers],
            Self::Auditor => &[Read, Prove, Export, Evidence, Bundles, Accesses, Ledgers, Status],
            Self::Operator => &[Ledgers, Status, Acknowledge],
            Self::Admin => &[Ledgers, Status, Acknowledge, Sources, Tokens],
        };
        allowed.contains(&action)
    }

    /// Its word in files, answers and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Reader => "reader",
            Self::Investigator => "investigator",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role of this word.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 15] = [
        Self::Append,
        Self::OpenEpoch,
        Self::Read,
        Self::Content,
        Self::Prove,
        Self::Receipt,
        Self::Export,
        Self::Evidence,
        Self::Bundles,
        Self::Accesses,
        Self::Ledgers,
        Self::Status,
        Self::Acknowledge,
        Self::Sources,
        Self::Tokens,
    ];

    /// Its word in files, answers and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::OpenEpoch => "open-epoch",
            Self::Read => "read",
            Self::Content => "content",
            Self::Prove => "prove",
            Self::Receipt => "receipt",
            Self::Export => "export",
            Self::Evidence => "evidence",
            Self::Bundles => "bundles",
            Self::Accesses => "accesses",
            Self::Ledgers => "ledgers",
            Self::Status => "status",
            Self::Acknowledge => "acknowledge",
            Self::Sources => "sources",
            Self::Tokens => "tokens",
        }
    }

    /// The action of this word.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table in the documents says what the code does.
    #[test]
    fn the_published_table_is_the_policy() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/access.md");
        let page = std::fs::read_to_string(page).unwrap();
        for action in Action::ALL {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", action.name())));
            let cells: Vec<&str> = row.unwrap().split('|').map(str::trim).collect();
            for (cell, role) in cells[3..9].iter().zip(Role::ALL) {
                assert_eq!(*cell == "yes", role.allows(action), "{} {}", action.name(), role.name());
            }
        }
    }

    #[test]
    fn words_are_read_back() {
        assert!(Role::ALL.into_iter().all(|role| Role::parse(role.name()) == Some(role)));
        assert!(Action::ALL.into_iter().all(|action| Action::parse(action.name()) == Some(action)));
    }
}
