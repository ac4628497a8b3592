//! Which logs are trusted and which witnesses are enough: C2SP tlog-policy.
//!
//! ```
//! # use tlog::{CosigningKey, Policy};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let [a, b, c] = [("example.com/a", 1), ("example.com/b", 2), ("example.com/c", 3)]
//! #     .map(|(name, seed)| CosigningKey::from_seed(name, [seed; 32]).map(|key| key.verifying_key().clone()));
//! # let (a, b, c) = (a?, b?, c?);
//! let policy = Policy::parse(&format!(
//!     "witness A {a} https://a.example\n\
//!      witness B {b}\n\
//!      witness C {c}\n\
//!      group two-of-three 2 A B C\n\
//!      quorum two-of-three\n"
//! ))?;
//! let quorum = policy.quorum(|key| *key == a || *key == c); // by verified cosignatures, in earnest
//! assert!(quorum.met);
//! assert_eq!(quorum.missing.iter().map(|witness| witness.name()).collect::<Vec<_>>(), ["B"]);
//! # Ok(())
//! # }
//! ```

mod parse;

use core::fmt;

use crate::checkpoint::{CheckpointError, UnverifiedCheckpoint, VerifiedCheckpoint};
use crate::note::{KeyError, VerifierKey};

/// The longest policy, in bytes, that is read: thousands of witnesses.
pub const MAX_POLICY_LEN: usize = 1 << 20;

/// A parsed policy file: logs, witnesses, groups of them, and which of these is the quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

/// A `log` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyLog {
    key: VerifierKey,
    url: Option<String>,
}

impl PolicyLog {
    /// Returns the key; its name is the log's origin.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Returns where the log is, if the line says so. Octets that are not UTF-8 are replaced.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}

/// A `witness` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWitness {
    name: Name,
    key: VerifierKey,
    url: Option<String>,
}

impl PolicyWitness {
    /// Returns the name, which means something within the policy only. Octets that are not UTF-8 are replaced.
    pub fn name(&self) -> String {
        self.name.to_string()
    }

    /// Returns the key, of a type that cosigns.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Returns the submission prefix, if the line gives one. Octets that are not UTF-8 are replaced.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}

/// Octets; two names are the same only if all of these are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name(Vec<u8>);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// At least `threshold` of the members, all of which are defined further up.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    name: Name,
    threshold: usize,
    members: Vec<Member>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// How far the cosignatures of a checkpoint go towards the quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum<'a> {
    /// Whether they are enough.
    pub met: bool,
    /// The witnesses of the policy that cosigned, in the order of their lines.
    pub cosigned: Vec<&'a PolicyWitness>,
    /// Those that count towards the quorum and did not cosign, in the order of their lines. Not empty though the
    /// quorum is met if fewer than all are enough.
    pub missing: Vec<&'a PolicyWitness>,
}

impl Policy {
    /// Parses a policy file that is UTF-8, as the specification recommends.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        Self::parse_bytes(text.as_bytes())
    }

    /// Parses a policy file. Octets from 0x80 may stand in names, URLs and comments and are not interpreted.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, PolicyError> {
        parse::policy(bytes)
    }

    /// Returns the logs in the order of their lines.
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// Returns the witnesses in the order of their lines, those included that no quorum counts.
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// Whether this is `quorum none`: no cosignature is asked for.
    pub fn is_none(&self) -> bool {
        self.quorum.is_none()
    }

    /// Says whether the quorum is met by the witnesses for whose keys `cosigned_by` is true.
    ///
    /// That must be so only for a key whose cosignature on the checkpoint in question was *verified*.
    pub fn quorum(&self, cosigned_by: impl Fn(&VerifierKey) -> bool) -> Quorum<'_> {
        let signed: Vec<bool> = self.witnesses.iter().map(|witness| cosigned_by(&witness.key)).collect();
        // Members stand before their group, so one pass each way does and nothing recurses.
        let mut groups_met: Vec<bool> = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let count = group.members.iter().filter(|member| met(**member, &signed, &groups_met)).count();
            groups_met.push(count >= group.threshold);
        }
        let counted = self.counted();
        let select = |wanted: &dyn Fn(usize) -> bool| {
            self.witnesses.iter().enumerate().filter(|(n, _)| wanted(*n)).map(|(_, w)| w).collect()
        };
        Quorum {
            met: self.quorum.is_none_or(|member| met(member, &signed, &groups_met)),
            cosigned: select(&|n| signed[n]),
            missing: select(&|n| counted[n] && !signed[n]),
        }
    }

    /// Accepts a checkpoint that is signed by a log of this policy; says how its quorum stands.
    ///
    /// The origin must be the name of the log's key. A cosignature without a time (0) does not count. A line that
    /// claims to be by any key of the policy and does not verify makes the checkpoint bad.
    pub fn verify(
        &self,
        checkpoint: UnverifiedCheckpoint,
    ) -> Result<(VerifiedCheckpoint, Quorum<'_>), CheckpointError> {
        let origin = checkpoint.claimed().origin.clone();
        let log_keys: Vec<VerifierKey> = self
            .logs
            .iter()
            .filter(|log| log.key.name() == origin.as_str())
            .map(|log| log.key.clone())
            .collect();
        if log_keys.is_empty() {
            return Err(CheckpointError::Origin { found: origin });
        }
        let cosigners: Vec<VerifierKey> = self.witnesses.iter().map(|witness| witness.key.clone()).collect();
        let verified = checkpoint.verify(origin.as_str(), &log_keys, &cosigners)?;
        let quorum = self.quorum(|key| {
            let mut by_key = verified.cosignatures().iter().filter(|signature| signature.key() == key);
            by_key.any(|signature| signature.timestamp().is_some_and(|time| time != 0))
        });
        Ok((verified, quorum))
    }

    /// Which witnesses the quorum counts, directly or through groups.
    fn counted(&self) -> Vec<bool> {
        let mut witnesses = vec![false; self.witnesses.len()];
        let mut groups = vec![false; self.groups.len()];
        let mut mark = |member: Member, groups: &mut Vec<bool>| match member {
            Member::Witness(n) => witnesses[n] = true,
            Member::Group(n) => groups[n] = true,
        };
        if let Some(quorum) = self.quorum {
            mark(quorum, &mut groups);
        }
        for (n, group) in self.groups.iter().enumerate().rev() {
            if groups[n] {
                group.members.iter().for_each(|member| mark(*member, &mut groups));
            }
        }
        witnesses
    }

    fn member_name(&self, member: Member) -> &Name {
        match member {
            Member::Witness(n) => &self.witnesses[n].name,
            Member::Group(n) => &self.groups[n].name,
        }
    }
}

fn met(member: Member, witnesses: &[bool], groups: &[bool]) -> bool {
    match member {
        Member::Witness(n) => witnesses[n],
        Member::Group(n) => groups[n],
    }
}

/// Writes the policy without comments: logs, witnesses, groups, quorum.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = |url: &Option<String>| url.as_ref().map(|url| format!(" {url}")).unwrap_or_default();
        for log in &self.logs {
            writeln!(f, "log {}{}", log.key, url(&log.url))?;
        }
        for witness in &self.witnesses {
            writeln!(f, "witness {} {}{}", witness.name, witness.key, url(&witness.url))?;
        }
        for group in &self.groups {
            write!(f, "group {} {}", group.name, group.threshold)?;
            group.members.iter().try_for_each(|member| write!(f, " {}", self.member_name(*member)))?;
            writeln!(f)?;
        }
        match self.quorum {
            None => writeln!(f, "quorum none"),
            Some(member) => writeln!(f, "quorum {}", self.member_name(member)),
        }
    }
}

/// Why a policy was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The line, counted from 1; of a missing quorum the one after the last.
    pub line: usize,
    /// What is wrong with it.
    pub what: PolicyMistake,
}

/// What is wrong with a line of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyMistake {
    /// Longer than [`MAX_POLICY_LEN`].
    TooLong,
    /// A control character other than tab and newline.
    ControlCharacter(u8),
    /// Does not begin with `log`, `witness`, `group` or `quorum`.
    UnknownKeyword(String),
    /// Has more or fewer items than the line should; says which it should have.
    Items(&'static str),
    /// The key is refused.
    Key(KeyError),
    /// The key is of a type that does not cosign.
    NotACosigner,
    /// Another line of the same sort has this public key.
    DuplicateKey {
        /// That line.
        first: usize,
    },
    /// The name is taken; `none` always is.
    NameTaken(String),
    /// No witness or group of this name is defined further up.
    Undefined(String),
    /// The name is a member of a group already, so it would count twice.
    SecondMembership(String),
    /// The threshold of a group is not `all`, `any` or a decimal from 1 to the number of members.
    Threshold {
        /// What is written.
        found: String,
        /// How many members there are.
        members: usize,
    },
    /// There is a quorum already.
    SecondQuorum {
        /// Its line.
        first: usize,
    },
    /// There is no quorum line; for none, say `quorum none`.
    NoQuorum,
}

impl fmt::Display for PolicyMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "policy is longer than {MAX_POLICY_LEN} bytes"),
            Self::ControlCharacter(b'\r') => f.write_str("carriage return; lines end in a newline alone"),
            Self::ControlCharacter(byte) => write!(f, "control character 0x{byte:02x}"),
            Self::UnknownKeyword(word) => {
                write!(f, "neither log, witness, group nor quorum: {}", word.escape_debug())
            }
            Self::Items(form) => write!(f, "the line should be: {form}"),
            Self::Key(error) => error.fmt(f),
            Self::NotACosigner => f.write_str("key is not of a type that cosigns (0x04)"),
            Self::DuplicateKey { first } => write!(f, "public key is that of line {first}"),
            Self::NameTaken(name) => write!(f, "name is taken: {}", name.escape_debug()),
            Self::Undefined(name) => {
                write!(f, "no witness or group of this name is defined above: {}", name.escape_debug())
            }
            Self::SecondMembership(name) => {
                write!(f, "already a member of a group: {}", name.escape_debug())
            }
            Self::Threshold { found, members } => {
                let found = found.escape_debug();
                write!(f, "threshold is not all, any or a number from 1 to {members}: {found}")
            }
            Self::SecondQuorum { first } => write!(f, "there is a quorum already, in line {first}"),
            Self::NoQuorum => f.write_str("no quorum line; for none, write: quorum none"),
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy line {}: {}", self.line, self.what)
    }
}

impl core::error::Error for PolicyError {}
