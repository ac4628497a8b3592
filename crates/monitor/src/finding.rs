//! What a log was found to do, with what shows it to others.

use std::fmt;

use tlog::Hash;

use crate::tree::Bad;

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

impl From<&Bad> for Finding {
    fn from(bad: &Bad) -> Finding {
        damage(bad)
    }
}

pub(crate) fn damage(bad: &Bad) -> Finding {
    let finding = Finding::new(Kind::Damage, bad.to_string());
    match &bad.bytes {
        Some(bytes) => finding.with("shown.bytes", bytes.clone()),
        None => finding,
    }
}

pub(crate) fn both(kind: Kind, text: String, ours: &[u8], name: &'static str, theirs: &[u8]) -> Finding {
    Finding::new(kind, text).with("kept.checkpoint", ours).with(name, theirs)
}

/// Two signed trees, of which the larger does not begin with the smaller: its first entries have another `root`.
pub(crate) fn fork(
    (old, new): (u64, u64),
    ours: &[u8],
    (name, theirs): (&'static str, &[u8]),
    root: &Hash,
    proof: &[Hash],
) -> Finding {
    let text = format!(
        "the tree of {new} entries does not begin with the tree of {old} entries that was signed as well"
    );
    both(Kind::Fork, text, ours, name, theirs).with("proof", proof_text(old, new, root, proof))
}

/// What lets others see that two roots can't both be true: the proof leads from `root`, which is not the one that was
/// signed, to the newer tree.
pub(crate) fn proof_text(old: u64, new: u64, root: &Hash, proof: &[Hash]) -> Vec<u8> {
    let mut text = format!("ledgerstone/fork/v1\nold {old}\nnew {new}\nroot {}\n", root.to_base64());
    proof.iter().for_each(|hash| text.push_str(&format!("{}\n", hash.to_base64())));
    text.into_bytes()
}
