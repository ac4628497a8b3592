//! What is said to and by a witness: one spelling each, every limit, and what a client must not believe.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use proptest::prelude::*;
use tlog::witness::{
    MAX_PROOF_LINES, check_cosignatures, format_cosignatures, format_size, parse_cosignatures, parse_size,
};
use tlog::{
    AddCheckpoint, Checkpoint, CosigningKey, NoteError, Origin, SigningKey, UnverifiedCheckpoint,
    VerifiedCheckpoint, VerifierKey, WitnessError, leaf_hash, origin_hash, sign_checkpoint,
};

const ORIGIN: &str = "example.com/behind-the-sofa";

/// The example of the specification, cut to one signature.
const EXAMPLE: &str = "old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
";

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint { origin: Origin::new(ORIGIN).unwrap(), size, root: leaf_hash(&size.to_be_bytes()) }
}

fn verified(size: u64) -> VerifiedCheckpoint {
    let key = SigningKey::from_seed(ORIGIN, [1; 32]).unwrap();
    let note = sign_checkpoint(&checkpoint(size), &key);
    let parsed = UnverifiedCheckpoint::parse(note.as_bytes()).unwrap();
    parsed.verify(ORIGIN, &[key.verifying_key().clone()], &[]).unwrap()
}

fn witness(n: u8) -> CosigningKey {
    CosigningKey::from_seed(&format!("witness.example/w{n}"), [n; 32]).unwrap()
}

fn vkeys(witnesses: &[&CosigningKey]) -> Vec<VerifierKey> {
    witnesses.iter().map(|witness| witness.verifying_key().clone()).collect()
}

#[test]
fn the_example_of_the_specification_is_read() {
    let request = AddCheckpoint::parse(EXAMPLE.as_bytes()).unwrap();
    assert_eq!((request.old, request.proof.len()), (20_852_014, 4));
    assert_eq!(request.proof[3].to_base64(), "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=");
    let parsed = UnverifiedCheckpoint::parse(request.checkpoint_note.as_bytes()).unwrap();
    assert_eq!(parsed.claimed().size, 20_852_163);
    assert_eq!(request.to_string(), EXAMPLE);
}

#[test]
fn malformed_requests_are_refused_with_their_line() {
    let replaced = |from: &str, to: &str| EXAMPLE.replacen(from, to, 1);
    for (line, body) in [
        (1, String::new()),
        (1, "old 0\n".to_owned()),
        (6, replaced("\n\n", "\n")),
        (1, replaced("old 20852014", "old 020852014")),
        (1, replaced("old 20852014", "old +1")),
        (1, replaced("old 20852014", "old -1")),
        (1, replaced("old 20852014", "old 18446744073709551616")),
        (1, replaced("old 20852014", "old  1")),
        (1, replaced("old 20852014", "old 1 ")),
        (1, replaced("old 20852014", "old")),
        (1, replaced("old 20852014", "Old 1")),
        (1, replaced("old 20852014", "1")),
        (1, replaced("old 20852014\n", "old 20852014\r\n")),
        (2, replaced("PlRN", "PlR")),
        (2, replaced("kaw=", "kax=")),
        (3, replaced("jrJZ", " jrJZ")),
        (5, replaced("j/0=", "j/0= ")),
        (5, replaced("j/0=\n", "j/0=\r\n")),
    ] {
        match AddCheckpoint::parse(body.as_bytes()) {
            Err(WitnessError::Malformed { line: found, .. }) => assert_eq!(found, line, "{body}"),
            other => panic!("{other:?}: {body}"),
        }
    }
    assert!(AddCheckpoint::parse(b"old 1\n\n\xff").is_err());
}

#[test]
fn a_request_has_at_most_63_hashes() {
    let proof = vec![leaf_hash(b"x"); MAX_PROOF_LINES];
    let mut request = AddCheckpoint { old: 3, proof, checkpoint_note: "any".to_owned() };
    assert_eq!(AddCheckpoint::parse(request.to_string().as_bytes()).as_ref(), Ok(&request));
    request.proof.push(leaf_hash(b"y"));
    let refused = AddCheckpoint::parse(request.to_string().as_bytes());
    assert!(matches!(refused, Err(WitnessError::Malformed { line: 65, .. })), "{refused:?}");
}

#[test]
fn sizes_have_one_spelling() {
    for size in [0, 1, 20_852_014, u64::MAX] {
        assert_eq!(parse_size(format_size(size).as_bytes()), Ok(size));
    }
    for body in ["", "\n", "1", "01\n", "+1\n", "1\n\n", " 1\n", "1 \n", "1\r\n", "18446744073709551616\n"] {
        assert!(parse_size(body.as_bytes()).is_err(), "{body:?}");
    }
}

/// Made by another program: `printf %s example.com/behind-the-sofa | sha256sum`.
#[test]
fn the_path_of_a_log_is_the_hash_of_its_origin() {
    assert_eq!(origin_hash(ORIGIN), "5fd2dc0beb4ce54da5050cf6d5c75248b023abad441c3cecde3976fbe9da4fe4");
}

#[test]
fn a_client_takes_the_cosignatures_it_knows_and_no_others() {
    let checkpoint = verified(7);
    let (w1, w2, stranger) = (witness(1), witness(2), witness(3));
    let body = format_cosignatures(&[
        stranger.cosign_verified(&checkpoint, 5),
        w1.cosign_verified(&checkpoint, 1_700_000_000),
        w2.cosign_verified(&checkpoint, u64::MAX),
    ]);
    let found = check_cosignatures(&checkpoint, body.as_bytes(), &vkeys(&[&w1, &w2])).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].key(), w1.verifying_key());
    assert_eq!(found[0].timestamp(), Some(1_700_000_000));
    let only = check_cosignatures(&checkpoint, body.as_bytes(), &vkeys(&[&w2])).unwrap();
    assert_eq!(only.len(), 1);
    let none = check_cosignatures(&checkpoint, body.as_bytes(), &vkeys(&[&witness(4)]));
    assert_eq!(none, Err(WitnessError::Note(NoteError::NoKnownSignature { found: 3 })));
}

#[test]
fn an_answer_over_something_else_is_refused() {
    let checkpoint = verified(7);
    let w1 = witness(1);
    let keys = vkeys(&[&w1]);
    let good = w1.cosign_verified(&checkpoint, 5);
    let bad = |line: String| match check_cosignatures(&checkpoint, line.as_bytes(), &keys) {
        Err(WitnessError::Note(NoteError::InvalidSignature { .. })) => {}
        other => panic!("{line}: {other:?}"),
    };
    bad(format!("{}\n", w1.cosign_verified(&verified(8), 5)));
    bad(format!("{good}\n{}\n", w1.cosign_verified(&verified(8), 5)));
    // The time is part of what is signed, in big-endian order.
    let shift = |time: u64| {
        let payload = good.bytes();
        let mut bytes = keys[0].id().0.to_vec();
        bytes.extend(time.to_be_bytes());
        bytes.extend(&payload[8..]);
        use base64::Engine as _;
        format!("— {} {}\n", keys[0].name(), base64::engine::general_purpose::STANDARD.encode(bytes))
    };
    assert_eq!(shift(5), format!("{good}\n"));
    for time in [4, 6, 5_u64.swap_bytes(), u64::MAX] {
        bad(shift(time));
    }
    let untimed = format!("{}\n", w1.cosign_verified(&checkpoint, 0));
    let refused = check_cosignatures(&checkpoint, untimed.as_bytes(), &keys);
    assert_eq!(refused, Err(WitnessError::NoTime { name: "witness.example/w1".to_owned() }));
}

/// The log's own signature is none of a witness, whatever the caller passes as the witness's keys.
#[test]
fn a_plain_signature_is_no_cosignature() {
    let checkpoint = verified(7);
    let log = SigningKey::from_seed(ORIGIN, [1; 32]).unwrap();
    let body = format!("{}\n", log.sign(checkpoint.note().text()));
    let refused = check_cosignatures(&checkpoint, body.as_bytes(), &[log.verifying_key().clone()]);
    assert_eq!(refused, Err(WitnessError::Note(NoteError::NoKnownSignature { found: 1 })));
}

#[test]
fn malformed_answers_are_refused() {
    let line = format!("{}\n", witness(1).cosign_verified(&verified(7), 5));
    for body in [
        String::new(),
        "\n".to_owned(),
        line.trim_end().to_owned(),
        format!("\n{line}"),
        format!("{line}\n"),
        format!("{line}\n{line}"),
        line.replace('\n', "\r\n"),
        line.replacen('—', "-", 1),
        line.repeat(101),
    ] {
        assert!(parse_cosignatures(body.as_bytes()).is_err(), "{body:?}");
    }
    assert_eq!(parse_cosignatures(line.repeat(100).as_bytes()).unwrap().len(), 100);
}

/// The specification: extension lines must be part of what is cosigned.
#[test]
fn extension_lines_are_cosigned() {
    let key = SigningKey::from_seed(ORIGIN, [1; 32]).unwrap();
    let text = checkpoint(7).to_text() + "extension one\nextension two\n";
    let note = format!("{text}\n{}\n", key.sign(&text));
    assert!(UnverifiedCheckpoint::parse(note.as_bytes()).is_err());
    let parsed = UnverifiedCheckpoint::parse_with_extensions(note.as_bytes()).unwrap();
    let verified = parsed.verify(ORIGIN, &[key.verifying_key().clone()], &[]).unwrap();
    let w1 = witness(1);
    let good = format!("{}\n", w1.cosign_verified(&verified, 5));
    assert_eq!(check_cosignatures(&verified, good.as_bytes(), &vkeys(&[&w1])).unwrap().len(), 1);
    let short = format!("{}\n", w1.cosign(verified.checkpoint(), 5));
    assert!(check_cosignatures(&verified, short.as_bytes(), &vkeys(&[&w1])).is_err());
}

proptest! {
    #![proptest_config(common::cases(200))]

    #[test]
    fn requests_come_back_the_same(old in any::<u64>(), hashes in 0_usize..=63, note in "[a-z\n]{0,40}") {
        let proof = (0..hashes).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let request = AddCheckpoint { old, proof, checkpoint_note: note };
        prop_assert_eq!(AddCheckpoint::parse(request.to_string().as_bytes()), Ok(request));
    }

    #[test]
    fn what_is_read_has_one_spelling(at in 0_usize..EXAMPLE.len(), byte in any::<u8>()) {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        bytes[at] = byte;
        if let Ok(request) = AddCheckpoint::parse(&bytes) {
            prop_assert_eq!(request.to_string().into_bytes(), bytes);
        }
    }

    #[test]
    fn no_octets_make_them_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = AddCheckpoint::parse(&bytes);
        let _ = parse_cosignatures(&bytes);
        let _ = parse_size(&bytes);
    }

    /// One changed octet of a cosignature line is a malformed answer, an unknown key or a bad signature.
    #[test]
    fn a_changed_cosignature_is_never_taken(at in 0_usize..200, flip in 1_u8..=255) {
        let checkpoint = verified(7);
        let w1 = witness(1);
        let mut body = format!("{}\n", w1.cosign_verified(&checkpoint, 5)).into_bytes();
        let at = at % body.len();
        body[at] ^= flip;
        prop_assert!(check_cosignatures(&checkpoint, &body, &vkeys(&[&w1])).is_err());
    }
}
