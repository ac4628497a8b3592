//! What a log was found to do, with what shows it to others.

use std::fmt;

/// What sort of thing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Two checkpoints of the log that can't both be true. Final: nothing heals it.
    Fork,
    /// The log shows an older checkpoint than it has shown before.
    Rollback,
    /// What is served as checkpoint is none, or its signature does not hold.
    Signature,
    /// A tile or bundle is missing or is not what the checkpoint commits to.
    Damage,
    /// An entry is not the one that a receipt promised.
    Promise,
    /// Nothing new for too long.
    Silence,
    /// Too few witnesses of the policy have cosigned.
    Quorum,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 7] = [
        Kind::Fork,
        Kind::Rollback,
        Kind::Signature,
        Kind::Damage,
        Kind::Promise,
        Kind::Silence,
        Kind::Quorum,
    ];

    /// The word for it in files and output.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Fork => "fork",
            Kind::Rollback => "rollback",
            Kind::Signature => "signature",
            Kind::Damage => "damage",
            Kind::Promise => "promise",
            Kind::Silence => "silence",
            Kind::Quorum => "quorum",
        }
    }

    /// Whether it is about time only: what the log shows is right, but not fresh, or not yet witnessed.
    pub fn is_late(self) -> bool {
        matches!(self, Kind::Silence | Kind::Quorum)
    }
}

/// Something that a log should not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What sort of thing.
    pub kind: Kind,
    /// One sentence for a person.
    pub text: String,
    /// Files that show it: names and contents, such as `kept.checkpoint` and `shown.checkpoint`.
    pub evidence: Vec<(&'static str, Vec<u8>)>,
}

impl Finding {
    /// A finding without evidence.
    pub fn new(kind: Kind, text: impl Into<String>) -> Finding {
        Finding { kind, text: text.into(), evidence: Vec::new() }
    }

    /// Adds a file that shows it.
    #[must_use]
    pub fn with(mut self, name: &'static str, bytes: impl Into<Vec<u8>>) -> Finding {
        self.evidence.push((name, bytes.into()));
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.word(), self.text)
    }
}
