use evidence::verify::Anchor;

/// What a verification can show, by what it was held against. The table in `docs/trust.md` has every attacker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What would have been found.
    pub detects: &'static str,
    /// What would not.
    pub cannot_detect: &'static str,
}

/// The limits of a verification with this anchor.
pub fn limits(anchor: Anchor) -> Limits {
    let (detects, cannot_detect) = match anchor {
        Anchor::None => (
            "what was changed, removed, moved or added without the signing key",
            "another ledger in the place of this one, an older copy of the whole store, a history written anew with the signing key",
        ),
        Anchor::Key => (
            "what was changed, removed, moved or added without the signing key, and another ledger in the place of this one",
            "an older copy of the whole store, a history written anew with the signing key",
        ),
        Anchor::Kept => (
            "as far as what you kept reaches: any other history, also one signed with the ledger's key, and an older copy of the whole store",
            "what whoever has the signing key did to entries after that",
        ),
        Anchor::Witnessed => (
            "up to the witnessed size: any other history, also one signed with the ledger's key, unless a quorum of the witnesses helped",
            "an older copy of the whole store with its older cosignatures (hold it against what the witnesses show: --kept), and what \
             whoever has the signing key did to entries after that size",
        ),
    };
    Limits { detects, cannot_detect }
}
