//! Timestamps against the tree: each names a checkpoint that this ledger must have had. Whether the tokens are good is for
//! whoever has the authorities' certificates to say.

use record::control::Timestamp;
use tlog::hash::Hash;

use super::report::{Damage, DamageKind};
use crate::layout;

/// A timestamp that a ledger holds, whose size and root were found to be those of its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Name of the ledger.
    pub ledger: String,
    /// Its origin, the first of the three lines that the token is over.
    pub origin: String,
    /// Index of the record.
    pub index: u64,
    /// What the record says.
    pub record: Timestamp,
}

/// Compares what records say with the tree of a ledger of `size` entries; `root` gives that of its first entries.
pub(super) fn check(
    (name, origin): (&str, &str),
    size: u64,
    mut claims: Vec<(u64, Timestamp)>,
    root: impl Fn(u64) -> Option<Hash>,
) -> (Vec<Stamp>, Vec<Damage>, Option<String>) {
    let (mut stamps, mut damage, mut undecided) = (Vec::new(), Vec::new(), None);
    // A record may lie in the log and in a segment.
    claims.sort_by_key(|(index, _)| *index);
    claims.dedup_by_key(|(index, _)| *index);
    for (index, record) in claims {
        let wrong = |detail: &str| {
            let damage = Damage::new(DamageKind::Contradiction, layout::ledger_dir(name), detail);
            damage.of(name, index, index.saturating_add(1))
        };
        if record.size > index || record.size > size {
            damage.push(wrong("a timestamp is of a larger tree than there was before it"));
            continue;
        }
        match root(record.size) {
            Some(root) if *root.as_bytes() == record.root => {
                stamps.push(Stamp { ledger: name.to_owned(), origin: origin.to_owned(), index, record });
            }
            Some(_) => damage.push(wrong("a timestamp is of another tree than the ledger's")),
            None => {
                undecided = Some(format!("the timestamp of entry {index} can't be held against the tree"))
            }
        }
    }
    (stamps, damage, undecided)
}
