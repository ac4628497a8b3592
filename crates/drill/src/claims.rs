//! What a deployment can and can't detect, said once: the drill asserts it, `doctor` tells it, `docs/trust.md` prints it.

use std::fmt;

/// Who attacks, and what he has beside the disk of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attacker {
    /// Nothing: the disk alone.
    NoKey,
    /// All keys of the server.
    Key,
    /// And the witness that the owner runs.
    OwnWitness,
    /// And one of three foreign witnesses, of which two are the quorum.
    Minority,
    /// And two of the three.
    Quorum,
    /// And all three.
    AllWitnesses,
}

impl Attacker {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::NoKey, Self::Key, Self::OwnWitness, Self::Minority, Self::Quorum, Self::AllWitnesses];

    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoKey => "the disk alone",
            Self::Key => "and the signing key",
            Self::OwnWitness => "and the own witness",
            Self::Minority => "and 1 of 3 foreign witnesses",
            Self::Quorum => "and 2 of 3, the quorum",
            Self::AllWitnesses => "and all witnesses",
        }
    }
}

/// What is done to the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// A record is another one.
    Edit,
    /// A record is left out.
    Remove,
    /// Two records change places.
    Reorder,
    /// The end is cut off.
    Truncate,
    /// The whole directory is an older one.
    Rollback,
    /// An older state goes on with other records.
    Continue,
    /// What came after the last witnessed checkpoint is another.
    Tail,
    /// All history is another.
    Rewrite,
    /// All history is another, under a key of the attacker's own.
    Forge,
    /// Two continuations, each shown to somebody else; witnesses see the first.
    Fork,
    /// A ledger that nobody has seen before says that it is a year old.
    Backdate,
}

impl Operation {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Edit => "edit a record",
            Self::Remove => "remove a record",
            Self::Reorder => "swap two records",
            Self::Truncate => "cut off the end",
            Self::Rollback => "set back to an older copy",
            Self::Continue => "set back and continue",
            Self::Tail => "rewrite what is not witnessed yet",
            Self::Rewrite => "rewrite everything",
            Self::Forge => "rewrite under another key",
            Self::Fork => "show another branch to another",
            Self::Backdate => "invent a ledger of a year ago",
        }
    }
}

/// What whoever verifies holds, beside the store or what was exported from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holds {
    /// Nothing.
    Nothing,
    /// The ledger's verification key. So do all that follow.
    Key,
    /// A policy of the owner's own witness, which is asked.
    OwnWitness,
    /// A policy of two of three foreign witnesses; they are not asked: the store shows their cosignatures.
    Quorum,
    /// The same, and each of them is asked what it has seen.
    Asked,
    /// A receipt, or a checkpoint, that was kept before.
    Kept,
    /// What another auditor was shown.
    Another,
    /// A time-stamp authority's token over a checkpoint.
    Token,
}

impl Holds {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::Nothing,
        Self::Key,
        Self::OwnWitness,
        Self::Quorum,
        Self::Asked,
        Self::Kept,
        Self::Another,
        Self::Token,
    ];

    /// Head of its column.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nothing => "store alone",
            Self::Key => "key",
            Self::OwnWitness => "own witness",
            Self::Quorum => "quorum",
            Self::Asked => "quorum, asked",
            Self::Kept => "receipt",
            Self::Another => "other auditor",
            Self::Token => "token",
        }
    }

    /// What the column means.
    pub fn about(self) -> &'static str {
        match self {
            Self::Nothing => "only the store: verify DIR",
            Self::Key => "the ledger's key from elsewhere: --key; all columns that follow have it too",
            Self::OwnWitness => "a policy with the owner's own witness, which is asked what it has seen",
            Self::Quorum => {
                "a policy of 2 of 3 foreign witnesses, offline: --policy; cosignatures lie beside the store"
            }
            Self::Asked => {
                "the same, and the newest checkpoint of each witness: the start-up guard, or --kept"
            }
            Self::Kept => "receipts of what was recorded before, or a checkpoint: --kept",
            Self::Another => "the evidence file of an auditor who saw the ledger before: verify FILE FILE",
            Self::Token => {
                "a time-stamp authority's token over a checkpoint from before, with that checkpoint"
            }
        }
    }
}

/// What came, or must come, of verifying.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// The verdict is *proven*: nothing shows it.
    Not,
    /// The verdict is *undecidable*: something that must be there is missing, so that nothing is called good.
    Unproven,
    /// The verdict is *disproven*.
    Detected,
}

impl Sight {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Not => "NOT DETECTABLE",
            Self::Unproven => "not proven",
            Self::Detected => "detected",
        }
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A row of the table: one attack, and what each of [`Holds::ALL`] makes of it.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Who.
    pub attacker: Attacker,
    /// What.
    pub operation: Operation,
    /// A letter for each of [`Holds::ALL`]: `D`etected, `U`nproven, `N`ot.
    cells: &'static str,
}

impl Claim {
    /// What somebody who holds this makes of it.
    pub fn sight(&self, holds: Holds) -> Sight {
        let at = Holds::ALL.iter().position(|one| *one == holds).unwrap_or_default();
        match self.cells.as_bytes().get(at) {
            Some(b'D') => Sight::Detected,
            Some(b'U') => Sight::Unproven,
            _ => Sight::Not,
        }
    }
}

const fn claim(attacker: Attacker, operation: Operation, cells: &'static str) -> Claim {
    Claim { attacker, operation, cells }
}

/// The table. Columns: nothing, key, own witness, quorum, asked, receipt, another auditor, token.
pub const CLAIMS: &[Claim] = &[
    claim(Attacker::NoKey, Operation::Edit, "DDDDDDDD"),
    claim(Attacker::NoKey, Operation::Remove, "DDDDDDDD"),
    claim(Attacker::NoKey, Operation::Reorder, "DDDDDDDD"),
    claim(Attacker::NoKey, Operation::Truncate, "DDDDDDDD"),
    claim(Attacker::NoKey, Operation::Continue, "DDDDDDDD"),
    claim(Attacker::NoKey, Operation::Forge, "NDDDDDDD"),
    claim(Attacker::NoKey, Operation::Rollback, "NNDNDDND"),
    claim(Attacker::Key, Operation::Edit, "NNDUDDDD"),
    claim(Attacker::Key, Operation::Remove, "NNDUDDDD"),
    claim(Attacker::Key, Operation::Reorder, "NNDUDDDD"),
    claim(Attacker::Key, Operation::Rewrite, "NNDUDDDD"),
    claim(Attacker::Key, Operation::Rollback, "NNDNDDND"),
    claim(Attacker::Key, Operation::Continue, "NNDNDDDD"),
    claim(Attacker::Key, Operation::Tail, "NNNNNDDN"),
    claim(Attacker::Key, Operation::Fork, "NNDNDNDN"),
    claim(Attacker::Key, Operation::Backdate, "NNNNNNND"),
    claim(Attacker::OwnWitness, Operation::Rewrite, "NNNUDDDD"),
    claim(Attacker::OwnWitness, Operation::Rollback, "NNNNDDND"),
    claim(Attacker::OwnWitness, Operation::Continue, "NNNNDDDD"),
    claim(Attacker::OwnWitness, Operation::Tail, "NNNNNDDN"),
    claim(Attacker::OwnWitness, Operation::Fork, "NNNNDNDN"),
    claim(Attacker::Minority, Operation::Rewrite, "NNNUDDDD"),
    claim(Attacker::Minority, Operation::Rollback, "NNNNDDND"),
    claim(Attacker::Minority, Operation::Continue, "NNNNDDDD"),
    claim(Attacker::Minority, Operation::Tail, "NNNNNDDN"),
    claim(Attacker::Minority, Operation::Fork, "NNNNDNDN"),
    claim(Attacker::Quorum, Operation::Rewrite, "NNNNDDDD"),
    claim(Attacker::Quorum, Operation::Rollback, "NNNNDDND"),
    claim(Attacker::Quorum, Operation::Continue, "NNNNDDDD"),
    claim(Attacker::Quorum, Operation::Fork, "NNNNDNDN"),
    claim(Attacker::AllWitnesses, Operation::Rewrite, "NNNNNDDD"),
    claim(Attacker::AllWitnesses, Operation::Rollback, "NNNNNDND"),
    claim(Attacker::AllWitnesses, Operation::Continue, "NNNNNDDD"),
    claim(Attacker::AllWitnesses, Operation::Tail, "NNNNNDDN"),
    claim(Attacker::AllWitnesses, Operation::Fork, "NNNNNNDN"),
    claim(Attacker::AllWitnesses, Operation::Backdate, "NNNNNNND"),
];

/// What a deployment has (DESIGN section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Nobody outside has seen anything.
    LocalOnly,
    /// Witnesses, but the owner's own are enough for the quorum.
    OwnWitnesses,
    /// The quorum needs a witness of somebody else.
    ForeignWitness,
}

/// Something that a tier does not detect.
#[derive(Clone, Copy, Debug)]
pub struct Risk {
    /// What it is called.
    pub what: &'static str,
    /// The rows of [`CLAIMS`] that say so.
    pub rows: &'static [(Attacker, Operation)],
    /// In words.
    pub text: &'static str,
    /// What helps.
    pub advice: &'static str,
}

impl Tier {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::LocalOnly, Self::OwnWitnesses, Self::ForeignWitness];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::LocalOnly => "local only",
            Self::OwnWitnesses => "own witnesses",
            Self::ForeignWitness => "foreign witness",
        }
    }

    /// The column of the table that is true of it, for whoever has nothing else.
    pub fn holds(self) -> Holds {
        match self {
            Self::LocalOnly => Holds::Key,
            Self::OwnWitnesses => Holds::OwnWitness,
            Self::ForeignWitness => Holds::Asked,
        }
    }

    /// What it detects, in words.
    pub fn detects(self) -> &'static str {
        match self {
            Self::LocalOnly => "any change to what is recorded is found, but for the risks named next",
            Self::OwnWitnesses => {
                "as local only against you, since your own witnesses are enough for the quorum; a rollback or a rewrite by \
                 somebody who does not have the witnesses is found"
            }
            Self::ForeignWitness => {
                "a rollback, and a rewrite with the stolen signing key, are found up to the last witnessed size"
            }
        }
    }

    /// What it can't detect.
    pub fn risks(self) -> [Risk; 2] {
        use Attacker as A;
        use Operation as O;
        match self {
            Self::LocalOnly => [
                Risk {
                    what: "rollback",
                    rows: &[(A::NoKey, O::Rollback), (A::Key, O::Continue)],
                    text: "whoever can write the disk may put back an older state of the whole store unseen",
                    advice: "name witnesses (docs/trust.md), or keep checkpoints elsewhere: ledgerstone verify --kept FILE",
                },
                Risk {
                    what: "stolen key",
                    rows: &[(A::Key, O::Rewrite), (A::Key, O::Edit), (A::Key, O::Fork)],
                    text: "whoever has the signing key may rewrite the ledger and sign it anew",
                    advice: "name witnesses; receipts kept elsewhere contradict it too",
                },
            ],
            Self::OwnWitnesses => [
                Risk {
                    what: "rollback",
                    rows: &[(A::OwnWitness, O::Rollback), (A::OwnWitness, O::Continue)],
                    text: "whoever has this host and your witnesses may put back an older state unseen",
                    advice: "let the quorum need a witness that somebody else runs",
                },
                Risk {
                    what: "stolen key",
                    rows: &[(A::OwnWitness, O::Rewrite), (A::OwnWitness, O::Fork)],
                    text: "whoever has the signing key and your witnesses may rewrite the ledger",
                    advice: "let the quorum need a witness that somebody else runs",
                },
            ],
            Self::ForeignWitness => [
                Risk {
                    what: "rollback",
                    rows: &[(A::Key, O::Tail)],
                    text: "what came after the last witnessed size may be cut off unseen",
                    advice: "wait for `witnessed` where it matters; keep receipts elsewhere",
                },
                Risk {
                    what: "stolen key",
                    rows: &[(A::Key, O::Tail), (A::AllWitnesses, O::Rewrite), (A::AllWitnesses, O::Fork)],
                    text: "whoever has the signing key may rewrite what came after the last witnessed size, and everything \
                           together with the witnesses",
                    advice: "choose witnesses that have nothing to do with one another",
                },
            ],
        }
    }
}

/// The table in Markdown, as `docs/trust.md` has it.
pub fn markdown() -> String {
    let heads: Vec<&str> = Holds::ALL.iter().map(|holds| holds.word()).collect();
    let mut out =
        format!("| attacker has | does | {} |\n|---|---|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    for claim in CLAIMS {
        let cells: Vec<&str> = Holds::ALL.iter().map(|holds| claim.sight(*holds).word()).collect();
        out.push_str(&format!(
            "| {} | {} | {} |\n",
            claim.attacker.word(),
            claim.operation.word(),
            cells.join(" | ")
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `verify` says of itself is what the table says of whoever holds nothing more.
    #[test]
    fn what_a_verification_says_it_can_not_detect_is_in_the_table() {
        use verifier::{Anchor, limits};
        let sight = |attacker, operation, holds| {
            let row = CLAIMS.iter().find(|row| (row.attacker, row.operation) == (attacker, operation));
            row.map(|row| row.sight(holds))
        };
        let (another, older, anew) = (
            "another ledger in the place of this one",
            "an older copy of the whole store",
            "with the signing key",
        );
        for (anchor, holds) in [
            (Anchor::None, Holds::Nothing),
            (Anchor::Key, Holds::Key),
            (Anchor::Kept, Holds::Kept),
            (Anchor::Witnessed, Holds::Quorum),
        ] {
            let said = limits(anchor).cannot_detect;
            for (words, attacker, operation) in [
                (another, Attacker::NoKey, Operation::Forge),
                (older, Attacker::NoKey, Operation::Rollback),
                (anew, Attacker::Key, Operation::Rewrite),
            ] {
                let unseen = sight(attacker, operation, holds) == Some(Sight::Not);
                assert_eq!(said.contains(words), unseen, "{anchor:?}: {words}");
            }
            for operation in [Operation::Edit, Operation::Remove, Operation::Reorder, Operation::Truncate] {
                assert_eq!(sight(Attacker::NoKey, operation, holds), Some(Sight::Detected), "{anchor:?}");
            }
        }
    }

    #[test]
    fn every_risk_that_is_told_is_a_row_that_is_drilled() {
        for tier in Tier::ALL {
            for risk in tier.risks() {
                for (attacker, operation) in risk.rows {
                    let row = CLAIMS
                        .iter()
                        .find(|claim| (claim.attacker, claim.operation) == (*attacker, *operation));
                    let sight = row.map(|claim| claim.sight(tier.holds()));
                    assert_eq!(sight, Some(Sight::Not), "{tier:?} {}: {attacker:?} {operation:?}", risk.what);
                }
            }
        }
    }

    /// Whoever has more is never seen by more.
    #[test]
    fn more_in_the_hands_of_an_attacker_never_helps_whoever_verifies() {
        assert!(CLAIMS.iter().all(|claim| claim.cells.len() == Holds::ALL.len()));
        for weak in CLAIMS {
            let same =
                |strong: &&Claim| strong.operation == weak.operation && strong.attacker > weak.attacker;
            for strong in CLAIMS.iter().filter(same) {
                for holds in Holds::ALL {
                    assert!(strong.sight(holds) <= weak.sight(holds), "{strong:?} {holds:?}");
                }
            }
        }
    }

    #[test]
    fn the_page_on_trust_has_the_same_table_and_words() {
        let page = include_str!("../../../docs/trust.md");
        assert!(page.contains(&markdown()), "docs/trust.md should have this table:\n{}", markdown());
        for tier in Tier::ALL {
            assert!(page.contains(tier.name()), "{}", tier.name());
        }
    }
}
