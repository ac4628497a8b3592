//! Reading a policy: C2SP tlog-policy, "Policy file syntax and structure".

use std::collections::BTreeMap;

use super::{
    Group, MAX_POLICY_LEN, Member, Name, Policy, PolicyError, PolicyLog, PolicyMistake, PolicyWitness,
};
use crate::note::{Algorithm, VerifierKey};
use crate::text::parse_decimal;

const LOG: &str = "log VKEY [URL]";
const WITNESS: &str = "witness NAME VKEY [URL]";
const GROUP: &str = "group NAME all|any|K NAME...";
const QUORUM: &str = "quorum NAME|none";

pub(super) fn policy(bytes: &[u8]) -> Result<Policy, PolicyError> {
    if bytes.len() > MAX_POLICY_LEN {
        return Err(PolicyError { line: 1, what: PolicyMistake::TooLong });
    }
    let mut reader = Reader::default();
    let mut line_number = 0;
    // A last line without its newline is read as well: editors leave them, and nothing can be taken for another.
    for line in bytes.strip_suffix(b"\n").unwrap_or(bytes).split(|byte| *byte == b'\n') {
        line_number += 1;
        reader.line(line_number, line).map_err(|what| PolicyError { line: line_number, what })?;
    }
    match reader.quorum {
        None => Err(PolicyError { line: line_number + 1, what: PolicyMistake::NoQuorum }),
        Some((_, quorum)) => Ok(Policy { quorum, ..reader.policy }),
    }
}

struct Reader {
    policy: Policy,
    /// Line and member; `quorum none` has no member.
    quorum: Option<(usize, Option<Member>)>,
    names: BTreeMap<Name, Member>,
    in_a_group: BTreeMap<Name, usize>,
    log_keys: BTreeMap<[u8; 32], usize>,
    witness_keys: BTreeMap<[u8; 32], usize>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            policy: Policy { logs: Vec::new(), witnesses: Vec::new(), groups: Vec::new(), quorum: None },
            quorum: None,
            names: BTreeMap::new(),
            in_a_group: BTreeMap::new(),
            log_keys: BTreeMap::new(),
            witness_keys: BTreeMap::new(),
        }
    }
}

impl Reader {
    fn line(&mut self, number: usize, line: &[u8]) -> Result<(), PolicyMistake> {
        let allowed = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
        if let Some(byte) = line.iter().find(|byte| !allowed(byte)) {
            return Err(PolicyMistake::ControlCharacter(*byte));
        }
        let items: Vec<&[u8]> =
            line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|item| !item.is_empty()).collect();
        let Some((keyword, rest)) = items.split_first() else { return Ok(()) };
        match *keyword {
            comment if comment.starts_with(b"#") => Ok(()),
            b"log" => self.log(number, rest),
            b"witness" => self.witness(number, rest),
            b"group" => self.group(number, rest),
            b"quorum" => self.set_quorum(number, rest),
            other => Err(PolicyMistake::UnknownKeyword(lossy(other))),
        }
    }

    fn log(&mut self, number: usize, items: &[&[u8]]) -> Result<(), PolicyMistake> {
        let (vkey, url) = match items {
            [vkey] => (vkey, None),
            [vkey, url] => (vkey, Some(lossy(url))),
            _ => return Err(PolicyMistake::Items(LOG)),
        };
        let key = key(vkey)?;
        if let Some(first) = self.log_keys.insert(*key.public_bytes(), number) {
            return Err(PolicyMistake::DuplicateKey { first });
        }
        self.policy.logs.push(PolicyLog { key, url });
        Ok(())
    }

    fn witness(&mut self, number: usize, items: &[&[u8]]) -> Result<(), PolicyMistake> {
        let (name, vkey, url) = match items {
            [name, vkey] => (name, vkey, None),
            [name, vkey, url] => (name, vkey, Some(lossy(url))),
            _ => return Err(PolicyMistake::Items(WITNESS)),
        };
        let key = key(vkey)?;
        if key.algorithm() != Algorithm::CosignatureV1 {
            return Err(PolicyMistake::NotACosigner);
        }
        if let Some(first) = self.witness_keys.insert(*key.public_bytes(), number) {
            return Err(PolicyMistake::DuplicateKey { first });
        }
        let name = self.define(name, Member::Witness(self.policy.witnesses.len()))?;
        self.policy.witnesses.push(PolicyWitness { name, key, url });
        Ok(())
    }

    fn group(&mut self, number: usize, items: &[&[u8]]) -> Result<(), PolicyMistake> {
        let [name, threshold, names @ ..] = items else { return Err(PolicyMistake::Items(GROUP)) };
        if names.is_empty() {
            return Err(PolicyMistake::Items(GROUP));
        }
        let members = names.iter().map(|name| self.defined(name)).collect::<Result<Vec<_>, _>>()?;
        for name in names {
            if self.in_a_group.insert(Name(name.to_vec()), number).is_some() {
                return Err(PolicyMistake::SecondMembership(lossy(name)));
            }
        }
        let threshold = match *threshold {
            b"all" => Some(members.len()),
            b"any" => Some(1),
            k => str::from_utf8(k).ok().and_then(parse_decimal).and_then(|k| usize::try_from(k).ok()),
        }
        .filter(|k| (1..=members.len()).contains(k))
        .ok_or_else(|| PolicyMistake::Threshold { found: lossy(threshold), members: members.len() })?;
        let name = self.define(name, Member::Group(self.policy.groups.len()))?;
        self.policy.groups.push(Group { name, threshold, members });
        Ok(())
    }

    fn set_quorum(&mut self, number: usize, items: &[&[u8]]) -> Result<(), PolicyMistake> {
        let [name] = items else { return Err(PolicyMistake::Items(QUORUM)) };
        if let Some((first, _)) = self.quorum {
            return Err(PolicyMistake::SecondQuorum { first });
        }
        let member = if *name == b"none" { None } else { Some(self.defined(name)?) };
        self.quorum = Some((number, member));
        Ok(())
    }

    fn define(&mut self, name: &[u8], member: Member) -> Result<Name, PolicyMistake> {
        let taken = || PolicyMistake::NameTaken(lossy(name));
        let name = Name(name.to_vec());
        if name.0 == b"none" || self.names.contains_key(&name) {
            return Err(taken());
        }
        self.names.insert(name.clone(), member);
        Ok(name)
    }

    fn defined(&self, name: &[u8]) -> Result<Member, PolicyMistake> {
        let member = self.names.get(&Name(name.to_vec())).copied();
        member.ok_or_else(|| PolicyMistake::Undefined(lossy(name)))
    }
}

fn key(vkey: &[u8]) -> Result<VerifierKey, PolicyMistake> {
    VerifierKey::parse(&lossy(vkey)).map_err(PolicyMistake::Key)
}

fn lossy(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
