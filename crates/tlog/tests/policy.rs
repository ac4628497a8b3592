//! Policies: every rule of C2SP tlog-policy by a line that breaks it, and quorums against a recursive model.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tlog::note::KeyError;
use tlog::{
    Checkpoint, CheckpointError, CosigningKey, Origin, Policy, PolicyError, PolicyMistake, SigningKey,
    UnverifiedCheckpoint, VerifierKey, empty_root, leaf_hash, sign_checkpoint,
};

fn log_key(n: u8) -> SigningKey {
    SigningKey::from_seed(&format!("example.com/log{n}"), [n; 32]).unwrap()
}

fn witness_key(n: u8) -> CosigningKey {
    CosigningKey::from_seed(&format!("witness.example/{n}"), [100 + n; 32]).unwrap()
}

fn vkey(n: u8) -> VerifierKey {
    witness_key(n).verifying_key().clone()
}

/// The example of the specification, with keys and URLs.
fn example() -> String {
    let log = log_key(1).verifying_key().clone();
    let mut text = format!("# two groups\nlog {log} https://log.example/\n\n");
    for (n, name) in ["X1", "X2", "X3"].iter().enumerate() {
        text += &format!("witness {name} {} https://{name}.example/submit\n", vkey(n as u8));
    }
    text += "group X-witnesses 2 X1 X2 X3\n";
    for (n, name) in ["Y1", "Y2", "Y3"].iter().enumerate() {
        text += &format!("\twitness  {name}\t{} \n", vkey(3 + n as u8));
    }
    text + "group Y-witnesses any Y1 Y2 Y3\n  # both\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
}

#[test]
fn the_example_of_the_specification_is_read() {
    let policy = Policy::parse(&example()).unwrap();
    assert_eq!(policy.logs().len(), 1);
    assert_eq!(policy.logs()[0].key(), log_key(1).verifying_key());
    assert_eq!(policy.logs()[0].url(), Some("https://log.example/"));
    let names: Vec<_> = policy.witnesses().iter().map(|witness| witness.name()).collect();
    assert_eq!(names, ["X1", "X2", "X3", "Y1", "Y2", "Y3"]);
    assert_eq!(policy.witnesses()[0].url(), Some("https://X1.example/submit"));
    assert_eq!(policy.witnesses()[3].url(), None);
    assert!(!policy.is_none());
    assert_eq!(Policy::parse(&policy.to_string()), Ok(policy));
}

#[test]
fn its_quorum_is_two_of_the_first_group_and_one_of_the_second() {
    let policy = Policy::parse(&example()).unwrap();
    for signers in 0_u8..64 {
        let signed = |n: u8| signers >> n & 1 == 1;
        let quorum = policy.quorum(|key| (0..6).any(|n| signed(n) && vkey(n) == *key));
        let x = (0..3).filter(|n| signed(*n)).count();
        let y = (3..6).filter(|n| signed(*n)).count();
        assert_eq!(quorum.met, x >= 2 && y >= 1, "{signers:06b}");
        assert_eq!(quorum.cosigned.len(), x + y);
        assert_eq!(quorum.missing.len(), 6 - x - y);
        for witness in quorum.missing {
            assert!(!(0..6).any(|n| signed(n) && vkey(n) == *witness.key()));
        }
    }
}

#[test]
fn missing_are_only_those_that_the_quorum_counts() {
    let (a, b) = (vkey(1), vkey(2));
    let policy = Policy::parse(&format!("witness A {a}\nwitness B {b}\nquorum A\n")).unwrap();
    let quorum = policy.quorum(|key| *key == b);
    assert!(!quorum.met);
    assert_eq!(quorum.cosigned[0].name(), "B");
    assert_eq!(quorum.missing.iter().map(|witness| witness.name()).collect::<Vec<_>>(), ["A"]);
    let none = Policy::parse(&format!("witness A {a}\nquorum none\n")).unwrap();
    assert!(none.is_none() && none.quorum(|_| false).met);
    assert!(none.quorum(|_| false).missing.is_empty());
}

#[test]
fn every_rule_is_broken_by_a_line() {
    use PolicyMistake as M;
    let (a, b) = (vkey(1), vkey(2));
    let log = log_key(1).verifying_key().clone();
    let other_name = CosigningKey::from_seed("elsewhere.example/1", [101; 32]).unwrap();
    let same_key_as_a = other_name.verifying_key();
    let log_again = SigningKey::from_seed("example.com/other", [1; 32]).unwrap();
    let log_again = log_again.verifying_key();
    let head = format!("log {log}\nwitness A {a}\nwitness B {b}\n");
    let taken = |name: &str| M::NameTaken(name.to_owned());
    let undefined = |name: &str| M::Undefined(name.to_owned());
    let threshold = |found: &str| M::Threshold { found: found.to_owned(), members: 2 };
    for (line, lines, what) in [
        (4, String::new(), M::NoQuorum),
        (4, "frob x\n".to_owned(), M::UnknownKeyword("frob".to_owned())),
        (4, "Quorum none\n".to_owned(), M::UnknownKeyword("Quorum".to_owned())),
        (4, "quorum none\r\n".to_owned(), M::ControlCharacter(b'\r')),
        (4, "quorum\0none\n".to_owned(), M::ControlCharacter(0)),
        (4, "# \u{7f}\n".to_owned(), M::ControlCharacter(0x7f)),
        (4, "quorum\n".to_owned(), M::Items("quorum NAME|none")),
        (4, "quorum A B\n".to_owned(), M::Items("quorum NAME|none")),
        (4, "quorum C\n".to_owned(), undefined("C")),
        (4, "quorum a\n".to_owned(), undefined("a")),
        (5, "quorum A\nquorum A\n".to_owned(), M::SecondQuorum { first: 4 }),
        (5, "quorum none\nquorum A\n".to_owned(), M::SecondQuorum { first: 4 }),
        (4, "quorum G\ngroup G any A\n".to_owned(), undefined("G")),
        (4, "log\n".to_owned(), M::Items("log VKEY [URL]")),
        (4, format!("log {log} u v\n"), M::Items("log VKEY [URL]")),
        (4, format!("log {log_again}\n"), M::DuplicateKey { first: 1 }),
        (4, "witness C\n".to_owned(), M::Items("witness NAME VKEY [URL]")),
        (4, format!("witness C {a} u v\n"), M::Items("witness NAME VKEY [URL]")),
        (4, format!("witness C {a}\n"), M::DuplicateKey { first: 2 }),
        (4, format!("witness C {same_key_as_a}\n"), M::DuplicateKey { first: 2 }),
        (4, format!("witness C {log}\n"), M::NotACosigner),
        (4, format!("witness A {}\n", vkey(3)), taken("A")),
        (4, format!("witness none {}\n", vkey(3)), taken("none")),
        (4, "witness C x+y\n".to_owned(), M::Key(KeyError::Malformed("a verifier key is name+id+key"))),
        (4, "group G any\n".to_owned(), M::Items("group NAME all|any|K NAME...")),
        (4, "group A any B\n".to_owned(), taken("A")),
        (4, "group none any B\n".to_owned(), taken("none")),
        (4, "group G any G\n".to_owned(), undefined("G")),
        (4, "group G any none\n".to_owned(), undefined("none")),
        (4, "group G 0 A B\n".to_owned(), threshold("0")),
        (4, "group G 3 A B\n".to_owned(), threshold("3")),
        (4, "group G 01 A B\n".to_owned(), threshold("01")),
        (4, "group G +1 A B\n".to_owned(), threshold("+1")),
        (4, "group G -1 A B\n".to_owned(), threshold("-1")),
        (4, "group G 18446744073709551617 A B\n".to_owned(), threshold("18446744073709551617")),
        (4, "group G ALL A B\n".to_owned(), threshold("ALL")),
        (4, "group G 2 A A\n".to_owned(), M::SecondMembership("A".to_owned())),
        (5, "group G any A\ngroup H any A B\n".to_owned(), M::SecondMembership("A".to_owned())),
    ] {
        let error = Policy::parse(&(head.clone() + &lines)).unwrap_err();
        assert_eq!(error, PolicyError { line, what }, "{lines:?}");
        assert!(error.to_string().starts_with(&format!("policy line {line}: ")));
    }
    let unsupported = "log x+1+Bg==\nquorum none\n";
    let error = Policy::parse(unsupported).unwrap_err();
    assert_eq!(error.what, M::Key(KeyError::Unsupported { algorithm: 6 }));
    let long = "#".repeat(tlog::policy::MAX_POLICY_LEN + 1);
    assert_eq!(Policy::parse(&long).unwrap_err().what, M::TooLong);
}

/// "In particular, names must be handled as opaque octet strings."
#[test]
fn names_and_comments_are_octets() {
    let mut bytes = b"# caf\xe9\n".to_vec();
    let name = |octets: &[u8]| [b"witness ", octets, b" "].concat();
    for (n, octets) in [&b"K"[..], b"\xe2\x84\xaa", b"\xff", b"\xfe"].iter().enumerate() {
        bytes.extend(name(octets));
        bytes.extend(format!("{} https://\u{fc}.example\n", vkey(n as u8)).bytes());
    }
    bytes.extend(b"group g 2 K \xff\nquorum g");
    let policy = Policy::parse_bytes(&bytes).unwrap();
    assert_eq!(policy.witnesses().len(), 4);
    assert!(policy.quorum(|key| *key == vkey(0) || *key == vkey(2)).met);
    assert!(!policy.quorum(|key| *key == vkey(0) || *key == vkey(3)).met);
    assert_eq!(policy.witnesses()[0].url(), Some("https://\u{fc}.example"));
}

/// No line may be left out or stand twice, and each item of each line matters.
#[test]
fn each_line_of_a_policy_matters() {
    let text: String = example()
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.contains('#'))
        .fold(String::new(), |s, l| s + l + "\n");
    let whole = Policy::parse(&text).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for at in 0..lines.len() {
        let without: String =
            lines.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, l)| format!("{l}\n")).collect();
        assert_ne!(Policy::parse(&without).ok().as_ref(), Some(&whole), "without line {}", at + 1);
        let twice = format!("{text}{}\n", lines[at]);
        assert!(Policy::parse(&twice).is_err(), "line {} twice", at + 1);
        for item in lines[at].split_whitespace() {
            let mut changed = lines.clone();
            let line = changed[at].replacen(item, &format!("{item}x"), 1);
            changed[at] = &line;
            let changed = changed.join("\n");
            assert_ne!(Policy::parse(&changed).ok().as_ref(), Some(&whole), "{item} of line {}", at + 1);
        }
    }
}

#[test]
fn many_logs_witnesses_and_groups_are_read() {
    let mut text = String::new();
    for n in 0..40_u8 {
        text += &format!("log {}\nwitness w{n} {}\n", log_key(n + 1).verifying_key(), vkey(n));
        let members = if n == 0 { "w0".to_owned() } else { format!("w{n} g{}", n - 1) };
        text += &format!("group g{n} all {members}\n");
    }
    text += "quorum g39\n";
    let policy = Policy::parse(&text).unwrap();
    assert_eq!((policy.logs().len(), policy.witnesses().len()), (40, 40));
    assert!(policy.quorum(|_| true).met);
    for n in 0..40 {
        assert!(!policy.quorum(|key| *key != vkey(n)).met, "without {n}");
    }
}

/// Groups nested as deep as the file is long must not use up the stack.
#[test]
fn groups_may_nest_deep() {
    let mut text = format!("witness w {}\ngroup 0 any w\n", vkey(0));
    for n in 1..20_000 {
        text += &format!("group {n} all {}\n", n - 1);
    }
    text += "quorum 19999\n";
    let policy = Policy::parse(&text).unwrap();
    assert!(policy.quorum(|_| true).met);
    assert_eq!(policy.quorum(|_| false).missing.len(), 1);
}

#[test]
fn a_checkpoint_is_held_against_the_policy() {
    let text = example();
    let policy = Policy::parse(&text).unwrap();
    let checkpoint =
        |origin: &str| Checkpoint { origin: Origin::new(origin).unwrap(), size: 1, root: leaf_hash(b"a") };
    let known = checkpoint("example.com/log1");
    let signed = |checkpoint: &Checkpoint, cosigners: &[(u8, u64)]| {
        let mut note = sign_checkpoint(checkpoint, &log_key(1));
        for (n, time) in cosigners {
            note += &format!("{}\n", witness_key(*n).cosign(checkpoint, *time));
        }
        UnverifiedCheckpoint::parse(note.as_bytes()).unwrap()
    };
    let met = |cosigners: &[(u8, u64)]| policy.verify(signed(&known, cosigners)).unwrap().1.met;
    assert!(met(&[(0, 5), (2, 5), (4, 5)]));
    assert!(!met(&[(0, 5), (2, 5)]));
    assert!(!met(&[(0, 5), (2, 5), (9, 5)]), "the last is no witness of the policy");
    assert!(!met(&[(0, 5), (2, 0), (4, 5)]), "a cosignature without a time");
    assert!(!met(&[(0, 5), (0, 6), (4, 5)]), "one witness twice");
    let other = signed(&checkpoint("example.com/log2"), &[]);
    assert!(matches!(policy.verify(other), Err(CheckpointError::Origin { .. })));
    let mut forged = sign_checkpoint(&known, &log_key(1));
    let elsewhere = Checkpoint { root: empty_root(), ..known.clone() };
    forged += &format!("{}\n", witness_key(0).cosign(&elsewhere, 5));
    let forged = UnverifiedCheckpoint::parse(forged.as_bytes()).unwrap();
    assert!(matches!(policy.verify(forged), Err(CheckpointError::Note(_))));
}

/// What a member of the model is: a witness by number, or a threshold over members.
#[derive(Clone, Debug)]
enum Tree {
    Witness(u8),
    Group(usize, Vec<Tree>),
}

impl Tree {
    fn met(&self, signed: &BTreeSet<u8>) -> bool {
        match self {
            Self::Witness(n) => signed.contains(n),
            Self::Group(k, members) => members.iter().filter(|member| member.met(signed)).count() >= *k,
        }
    }

    /// Writes the lines and returns the name of this member.
    fn write(&self, text: &mut String, groups: &mut usize) -> String {
        match self {
            Self::Witness(n) => {
                text.push_str(&format!("witness w{n} {}\n", vkey(*n)));
                format!("w{n}")
            }
            Self::Group(k, members) => {
                let names: Vec<_> = members.iter().map(|member| member.write(text, groups)).collect();
                *groups += 1;
                text.push_str(&format!("group g{groups} {k} {}\n", names.join(" ")));
                format!("g{groups}")
            }
        }
    }
}

/// A tree of at most ten witnesses, each standing in it once.
fn tree() -> impl Strategy<Value = Tree> {
    let leaf = Just(Tree::Witness(0));
    let shape = leaf.prop_recursive(3, 10, 4, |inner| {
        prop::collection::vec(inner, 1..4)
            .prop_flat_map(|members| (1..=members.len(), Just(members)))
            .prop_map(|(k, members)| Tree::Group(k, members))
    });
    shape.prop_map(|mut tree| {
        number(&mut tree, &mut 0);
        tree
    })
}

fn number(tree: &mut Tree, next: &mut u8) {
    match tree {
        Tree::Witness(n) => {
            *n = *next;
            *next += 1;
        }
        Tree::Group(_, members) => members.iter_mut().for_each(|member| number(member, next)),
    }
}

proptest! {
    #![proptest_config(common::cases(100))]

    #[test]
    fn quorums_are_those_of_the_model(tree in tree(), signers in prop::collection::btree_set(0_u8..12, 0..12)) {
        let (mut text, mut groups) = (String::new(), 0);
        let name = tree.write(&mut text, &mut groups);
        text.push_str(&format!("quorum {name}\n"));
        let policy = Policy::parse(&text).unwrap();
        let keys: BTreeMap<String, u8> = signers.iter().map(|n| (vkey(*n).to_string(), *n)).collect();
        let quorum = policy.quorum(|key| keys.contains_key(&key.to_string()));
        prop_assert_eq!(quorum.met, tree.met(&signers));
        prop_assert_eq!(quorum.cosigned.len() + quorum.missing.len(), policy.witnesses().len());
        prop_assert_eq!(Policy::parse(&policy.to_string()), Ok(policy));
    }

    #[test]
    fn no_octets_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Policy::parse_bytes(&bytes);
    }

    #[test]
    fn a_changed_octet_never_passes_for_the_same_policy(at in 0_usize..1400, byte in any::<u8>()) {
        let text = example().replace("# two groups\n", "").replace("  # both\n", "");
        let mut bytes = text.clone().into_bytes();
        let at = at % bytes.len();
        prop_assume!(bytes[at] != byte);
        let space = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n');
        prop_assume!(!space(bytes[at]) && !space(byte));
        bytes[at] = byte;
        let changed = Policy::parse_bytes(&bytes);
        // `#` as the first octet makes a comment of a line; that leaves something undefined or out.
        prop_assert_ne!(changed.ok(), Policy::parse(&text).ok());
    }
}
