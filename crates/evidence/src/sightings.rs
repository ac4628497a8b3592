//! What parties have seen of a ledger that can't go on: their checkpoints, how far each reaches, whether all of them can be
//! true, and which of them a new ledger is to continue (docs/recovery.md).

use std::collections::BTreeMap;

use tlog::checkpoint::UnverifiedCheckpoint;
use tlog::hash::Hash;
use tlog::note::{Signature, VerifierKey};
use tlog::policy::Policy;

/// Signatures by keys that nobody named that are carried on with a checkpoint.
const UNKNOWN_MAX: usize = 16;

/// A checkpoint note as somebody holds it; nothing of it was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Who holds it: a file, a witness.
    pub party: String,
    /// The note.
    pub note: Vec<u8>,
}

/// A tree head that the ledger signed, and all who have seen it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Entries.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// The checkpoint with the signatures of all its copies: the ledger's own, and those of witnesses that hold.
    pub note: String,
    /// Who has it.
    pub parties: Vec<String>,
    /// Names of the policy's witnesses that have cosigned it.
    pub cosigned: Vec<String>,
    /// Whether these are a quorum of the policy.
    pub quorum: bool,
}

/// Two heads that can't both be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// [`Head::id`] of both.
    pub heads: [String; 2],
    /// Why not.
    pub why: String,
}

/// All that was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sightings {
    /// Heads whose signature holds, the largest first.
    pub heads: Vec<Head>,
    /// Who holds something that does not count, and why.
    pub refused: Vec<(String, String)>,
    /// What can't all be true.
    pub contradictions: Vec<Contradiction>,
}

/// Why no head was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoChoice {
    /// There is none.
    Nothing,
    /// None has this id.
    Unknown(String),
    /// Some contradict each other: a person must say which is to be continued.
    Contradiction,
}

impl Head {
    /// How people name it: its size and the beginning of its root, such as `640-3fa92c1b`.
    pub fn id(&self) -> String {
        format!("{}-{}", self.size, crate::hex::encode(&self.root.as_bytes()[..4]))
    }
}

impl Sightings {
    /// Checks what was found of the ledger of `origin`. `keys` are those that it has had.
    pub fn judge(
        origin: &str,
        keys: &[VerifierKey],
        policy: Option<&Policy>,
        found: Vec<Sighting>,
    ) -> Sightings {
        let witnesses: Vec<VerifierKey> =
            policy.map(Policy::witnesses).unwrap_or_default().iter().map(|w| w.key().clone()).collect();
        let mut seen = Sightings::default();
        let mut by_head: BTreeMap<(u64, [u8; 32]), Copies> = BTreeMap::new();
        for Sighting { party, note } in found {
            match Copy::check(&note, origin, keys, &witnesses) {
                Ok(copy) => {
                    by_head.entry((copy.size, *copy.root.as_bytes())).or_default().push((party, copy));
                }
                Err(why) => seen.refused.push((party, why)),
            }
        }
        seen.heads =
            by_head.into_values().rev().filter_map(|copies| merge(copies, policy, &witnesses)).collect();
        for pair in seen.heads.windows(2).filter(|pair| pair[0].size == pair[1].size) {
            let why = format!("the ledger signed two trees of {} entries", pair[0].size);
            seen.contradictions.push(Contradiction { heads: [pair[0].id(), pair[1].id()], why });
        }
        seen
    }

    /// The head to continue: the one that a person names, else the newest that a quorum has cosigned, else the newest.
    ///
    /// # Errors
    /// There is none, or it is for a person to say.
    pub fn choose(&self, id: Option<&str>) -> Result<&Head, NoChoice> {
        if let Some(id) = id {
            let found = self.heads.iter().find(|head| head.id() == id);
            return found.ok_or_else(|| NoChoice::Unknown(id.to_owned()));
        }
        if !self.contradictions.is_empty() {
            return Err(NoChoice::Contradiction);
        }
        self.heads.iter().max_by_key(|head| (head.quorum, head.size)).ok_or(NoChoice::Nothing)
    }
}

/// Who has a head, and their copies of it.
type Copies = Vec<(String, Copy)>;

/// One copy of a checkpoint whose own signature holds.
struct Copy {
    size: u64,
    root: Hash,
    text: String,
    by_log: Vec<Signature>,
    cosignatures: Vec<(VerifierKey, Signature)>,
    others: Vec<Signature>,
}

impl Copy {
    fn check(
        note: &[u8],
        origin: &str,
        keys: &[VerifierKey],
        witnesses: &[VerifierKey],
    ) -> Result<Self, String> {
        let parsed = UnverifiedCheckpoint::parse(note).map_err(|error| error.to_string())?;
        // A bad line of a witness takes nothing from what the ledger itself signed.
        let verified = parsed.clone().verify(origin, keys, witnesses);
        let verified = verified.or_else(|_| parsed.clone().verify(origin, keys, &[]));
        let verified = verified.map_err(|error| error.to_string())?;
        if verified.checkpoint().size == 0 {
            return Err("it is of no entries".to_owned());
        }
        let known = |signature: &&Signature| {
            keys.iter().chain(witnesses).any(|key| key.claims(signature)) || signature.name() == origin
        };
        let is_good = |signature: &&Signature| keys.iter().any(|key| key.claims(signature));
        let raw = parsed.note().signatures();
        let cosigned = |key: &VerifierKey| {
            verified
                .cosignatures()
                .iter()
                .any(|cosigned| cosigned.key() == key && cosigned.timestamp().is_some_and(|time| time != 0))
        };
        let cosignatures = witnesses.iter().filter(|key| cosigned(key)).flat_map(|key| {
            let lines = raw.iter().filter(|line| key.claims(line));
            lines.map(|line| (key.clone(), line.clone()))
        });
        Ok(Self {
            size: verified.checkpoint().size,
            root: verified.checkpoint().root,
            text: verified.checkpoint().to_text(),
            by_log: raw.iter().filter(is_good).cloned().collect(),
            cosignatures: cosignatures.collect(),
            others: raw.iter().filter(|line| !known(line)).cloned().collect(),
        })
    }
}

fn merge(copies: Copies, policy: Option<&Policy>, witnesses: &[VerifierKey]) -> Option<Head> {
    let (_, first) = copies.first()?;
    let (size, root, text) = (first.size, first.root, first.text.clone());
    let mut lines: Vec<String> = Vec::new();
    let mut add = |line: &Signature| {
        let line = line.to_string();
        let new = !lines.contains(&line);
        lines.extend(new.then_some(line));
        new
    };
    let mut by: Vec<VerifierKey> = Vec::new();
    for line in &first.by_log {
        add(line);
    }
    for (_, copy) in &copies {
        for (key, line) in &copy.cosignatures {
            // One for each witness is enough.
            if !by.contains(key) {
                by.push(key.clone());
                add(line);
            }
        }
    }
    let mut unknown = 0;
    for line in copies.iter().flat_map(|(_, copy)| &copy.others) {
        unknown += usize::from(unknown < UNKNOWN_MAX && add(line));
    }
    let name = |key: &VerifierKey| {
        policy.and_then(|policy| policy.witnesses().iter().find(|w| w.key() == key)).map(|w| w.name())
    };
    let note = format!("{text}\n{}", lines.iter().map(|line| format!("{line}\n")).collect::<String>());
    let quorum =
        !witnesses.is_empty() && policy.is_some_and(|policy| policy.quorum(|key| by.contains(key)).met);
    let mut parties: Vec<String> = copies.into_iter().map(|(party, _)| party).collect();
    parties.dedup();
    Some(Head { size, root, note, parties, cosigned: by.iter().filter_map(name).collect(), quorum })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tlog::checkpoint::{Checkpoint, Origin, sign_checkpoint};
    use tlog::hash::leaf_hash;
    use tlog::{CosigningKey, SigningKey};

    const OLD: &str = "log.example/old";

    fn log(seed: u8) -> SigningKey {
        SigningKey::from_seed(OLD, [seed; 32]).unwrap()
    }

    fn head(size: u64, branch: u8) -> Checkpoint {
        Checkpoint { origin: Origin::new(OLD).unwrap(), size, root: leaf_hash(&[size as u8, branch]) }
    }

    fn witness(name: &str, seed: u8) -> CosigningKey {
        CosigningKey::from_seed(name, [seed; 32]).unwrap()
    }

    fn policy(of: &[&CosigningKey], need: usize) -> Policy {
        let mut text = String::new();
        for (at, key) in of.iter().enumerate() {
            text += &format!("witness w{at} {}\n", key.verifying_key());
        }
        let names: Vec<String> = (0..of.len()).map(|at| format!("w{at}")).collect();
        Policy::parse(&format!("{text}group q {need} {}\nquorum q\n", names.join(" "))).unwrap()
    }

    fn judge(policy: Option<&Policy>, found: &[(&str, String)]) -> Sightings {
        let found = found
            .iter()
            .map(|(party, note)| Sighting { party: (*party).to_owned(), note: note.clone().into_bytes() });
        Sightings::judge(OLD, &[log(1).verifying_key().clone()], policy, found.collect())
    }

    fn sizes(seen: &Sightings) -> Vec<(u64, bool)> {
        seen.heads.iter().map(|head| (head.size, head.quorum)).collect()
    }

    #[test]
    fn the_newest_that_a_quorum_cosigned_goes_before_a_newer_one() {
        let (a, b) = (witness("a.example", 5), witness("b.example", 6));
        let policy = policy(&[&a, &b], 2);
        let note = |size| sign_checkpoint(&head(size, 0), &log(1));
        let cosigned = |size, by: &CosigningKey| format!("{}{}\n", note(size), by.cosign(&head(size, 0), 7));
        // Each witness shows its own line; together they are the quorum.
        let found =
            [("store", note(12)), ("a", cosigned(9, &a)), ("b", cosigned(9, &b)), ("old copy", note(4))];
        let seen = judge(Some(&policy), &found);
        assert_eq!(sizes(&seen), [(12, false), (9, true), (4, false)]);
        let chosen = seen.choose(None).unwrap();
        assert_eq!((chosen.size, chosen.cosigned.len(), chosen.parties.len()), (9, 2, 2));
        assert_eq!(chosen.note.lines().filter(|line| line.starts_with('\u{2014}')).count(), 3);
        let again = judge(Some(&policy), &[("kept", chosen.note.clone())]);
        assert_eq!((sizes(&again), &again.heads[0].note), (vec![(9, true)], &chosen.note));
        assert_eq!(judge(None, &found).choose(None).unwrap().size, 12);
        assert_eq!(seen.choose(Some(&seen.heads[2].id())).unwrap().size, 4);
        assert_eq!(seen.choose(Some("4-00000000")), Err(NoChoice::Unknown("4-00000000".to_owned())));
    }

    #[test]
    fn what_contradicts_is_for_a_person_to_choose() {
        let note = |branch| sign_checkpoint(&head(9, branch), &log(1));
        let seen = judge(None, &[("one", note(0)), ("other", note(1)), ("third", note(0))]);
        assert_eq!((seen.heads.len(), seen.contradictions.len()), (2, 1));
        assert!(seen.contradictions[0].why.contains("two trees of 9 entries"));
        assert_eq!(seen.choose(None), Err(NoChoice::Contradiction));
        let id = seen.contradictions[0].heads[1].clone();
        assert_eq!(seen.choose(Some(&id)).unwrap().id(), id);
    }

    #[test]
    fn what_the_ledger_did_not_sign_does_not_count() {
        let good = sign_checkpoint(&head(9, 0), &log(1));
        let seen = judge(
            None,
            &[
                ("forger", sign_checkpoint(&head(99, 0), &log(2))),
                ("vandal", good.replace("\n9\n", "\n10\n")),
                ("noise", "no note".to_owned()),
                ("empty", sign_checkpoint(&head(0, 0), &log(1))),
            ],
        );
        assert_eq!((seen.heads.len(), seen.refused.len()), (0, 4));
        assert_eq!(seen.choose(None), Err(NoChoice::Nothing));
        // A witness's line that does not hold is left out, and the checkpoint stays.
        let a = witness("a.example", 5);
        let policy = policy(&[&a], 1);
        let bad = format!("{good}{}\n", a.cosign(&head(8, 0), 7));
        let seen = judge(Some(&policy), &[("w", bad)]);
        assert_eq!((sizes(&seen), seen.heads[0].note.clone()), (vec![(9, false)], good));
    }
}
