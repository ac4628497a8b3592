//! Checkpoints, cosignatures and proof files: made, verified, altered.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use common::Tiles;
use proptest::prelude::*;
use tlog::{
    Checkpoint, CheckpointError, CosigningKey, Hash, Note, NoteError, Origin, ProofError, SigningKey,
    TlogProof, TlogProofError, UnverifiedCheckpoint, VerifiedCheckpoint, VerifierKey, consistency_proof,
    cosignature_message, inclusion_proof, leaf_hash, sign_checkpoint,
};

const ORIGIN: &str = "example.com/log";
const ROOT: &str = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";

fn checkpoint() -> Checkpoint {
    let root = Hash::from_base64(ROOT).unwrap();
    Checkpoint { origin: Origin::new(ORIGIN).unwrap(), size: 20_852_163, root }
}

fn log_key() -> SigningKey {
    SigningKey::from_seed(ORIGIN, [1; 32]).unwrap()
}

fn witness(number: u8) -> CosigningKey {
    CosigningKey::from_seed(&format!("witness.example/{number}"), [number; 32]).unwrap()
}

fn verify(
    note: &str,
    log: &[&VerifierKey],
    cosigners: &[&VerifierKey],
) -> Result<VerifiedCheckpoint, CheckpointError> {
    let owned = |keys: &[&VerifierKey]| keys.iter().map(|key| (*key).clone()).collect::<Vec<_>>();
    UnverifiedCheckpoint::parse(note.as_bytes())?.verify(ORIGIN, &owned(log), &owned(cosigners))
}

/// The message in C2SP tlog-cosignature, "Ed25519 signed message".
#[test]
fn the_cosigned_message_is_that_of_the_specification() {
    let origin = Origin::new("example.com/behind-the-sofa").unwrap();
    let message = cosignature_message(1_679_315_147, &Checkpoint { origin, ..checkpoint() }.to_text());
    assert_eq!(
        message,
        "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n\
         CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    );
}

#[test]
fn a_signed_and_cosigned_checkpoint_verifies() {
    let (log, first, second) = (log_key(), witness(2), witness(3));
    let mut note = Note::parse(sign_checkpoint(&checkpoint(), &log).as_bytes()).unwrap();
    note.push(first.cosign(&checkpoint(), 1_700_000_000)).unwrap();
    note.push(second.cosign(&checkpoint(), u64::MAX)).unwrap();
    let keys = [first.verifying_key(), second.verifying_key()];
    let verified = verify(&note.to_string(), &[log.verifying_key()], &keys).unwrap();
    assert_eq!(verified.checkpoint(), &checkpoint());
    assert_eq!(verified.log_signatures().len(), 1);
    let times: Vec<_> = verified.cosignatures().iter().map(|signed| signed.timestamp()).collect();
    assert_eq!(times, [Some(1_700_000_000), Some(i64::MAX as u64)]);
    assert!(verified.extensions().is_empty());
    assert_eq!(verified.note().to_string(), note.to_string());

    // Who is not asked about is left out, and their signature with them.
    let verified = verify(&note.to_string(), &[log.verifying_key()], &[]).unwrap();
    assert!(verified.cosignatures().is_empty());
    assert_eq!(verified.note().to_string(), sign_checkpoint(&checkpoint(), &log));
}

/// A log that changes its key signs with both for a while; whoever knows either one accepts it.
#[test]
fn old_and_new_log_key_side_by_side() {
    let (old, new) = (log_key(), SigningKey::from_seed(ORIGIN, [9; 32]).unwrap());
    let text = checkpoint().to_text();
    let note = Note::new(&text, vec![old.sign(&text), new.sign(&text)]).unwrap().to_string();
    for keys in
        [&[old.verifying_key()][..], &[new.verifying_key()], &[old.verifying_key(), new.verifying_key()]]
    {
        assert_eq!(verify(&note, keys, &[]).unwrap().log_signatures().len(), keys.len());
    }
}

#[test]
fn cosignatures_do_not_stand_in_for_the_log() {
    let (log, cosigner) = (log_key(), witness(2));
    let text = checkpoint().to_text();
    let note = Note::new(&text, vec![cosigner.cosign(&checkpoint(), 1)]).unwrap().to_string();
    let verdict = verify(&note, &[log.verifying_key()], &[cosigner.verifying_key()]);
    assert_eq!(verdict.unwrap_err(), CheckpointError::NotSignedByLog);
    let verdict = verify(&note, &[], &[cosigner.verifying_key()]);
    assert_eq!(verdict.unwrap_err(), CheckpointError::NotSignedByLog);
}

/// One Ed25519 key under both types: a signature of one type never passes as the other.
#[test]
fn plain_signatures_and_cosignatures_are_not_interchangeable() {
    use base64::Engine as _;
    let log = SigningKey::from_seed("twin", [5; 32]).unwrap();
    let twin = CosigningKey::from_seed("twin", [5; 32]).unwrap();
    let text = checkpoint().to_text();
    let relabel = |bytes: &[u8], key: &VerifierKey| {
        let bytes = [&key.id().0, bytes].concat();
        let line = format!("— twin {}", base64::engine::general_purpose::STANDARD.encode(bytes));
        Note::new(&text, vec![tlog::Signature::parse(&line).unwrap()]).unwrap()
    };
    let plain = log.sign(&text);
    for prefix in [&[][..], &[0; 8]] {
        let note = relabel(&[prefix, plain.bytes()].concat(), twin.verifying_key());
        assert!(note.verify(&[twin.verifying_key().clone()]).is_err());
    }
    let timed = twin.cosign(&checkpoint(), 0);
    for bytes in [timed.bytes(), &timed.bytes()[8..]] {
        assert!(relabel(bytes, log.verifying_key()).verify(&[log.verifying_key().clone()]).is_err());
    }
    // Above 2^63 − 1 a time is invalid even under a signature that holds.
    for (time, accepted) in [(i64::MAX as u64, true), (1 << 63, false), (u64::MAX, false)] {
        use ed25519_dalek::Signer as _;
        let secret = ed25519_dalek::SigningKey::from_bytes(&[5; 32]);
        let signature = secret.sign(cosignature_message(time, &text).as_bytes()).to_bytes();
        let note = relabel(&[&time.to_be_bytes()[..], &signature].concat(), twin.verifying_key());
        assert_eq!(note.verify(&[twin.verifying_key().clone()]).is_ok(), accepted, "time {time}");
    }
}

#[test]
fn any_changed_byte_of_a_cosigned_checkpoint_is_refused() {
    let (log, cosigner) = (log_key(), witness(2));
    let signed = sign_checkpoint(&checkpoint(), &log);
    let note = format!("{signed}{}\n", cosigner.cosign(&checkpoint(), 1_700_000_000));
    for at in 0..note.len() {
        let mut bytes = note.as_bytes().to_vec();
        bytes[at] ^= 0x01;
        let verdict = UnverifiedCheckpoint::parse(&bytes).and_then(|checkpoint| {
            checkpoint.verify(ORIGIN, &[log.verifying_key().clone()], &[cosigner.verifying_key().clone()])
        });
        // In name and ID of the second line a change makes the cosigner a stranger: ignored, never counted.
        let in_cosignature = at >= signed.len();
        assert!(
            verdict.is_err() || in_cosignature && verdict.unwrap().cosignatures().is_empty(),
            "byte {at}"
        );
    }
}

#[test]
fn a_verified_checkpoint_extends_older_ones_of_its_log() {
    let log = log_key();
    let (leaves, origin) = (common::leaves(300), Origin::new(ORIGIN).unwrap());
    let at =
        |size: u64| Checkpoint { origin: origin.clone(), size, root: common::root(&leaves[..size as usize]) };
    let verified = verify(&sign_checkpoint(&at(300), &log), &[log.verifying_key()], &[]).unwrap();
    let proof = consistency_proof(77, 300, &Tiles::new(&leaves)).unwrap();
    assert_eq!(verified.check_extends(&at(77), &proof), Ok(()));
    assert_eq!(verified.check_extends(&at(300), &[]), Ok(()));
    assert!(verified.check_extends(&at(78), &proof).is_err());
    let foreign = Checkpoint { origin: Origin::new("example.com/other").unwrap(), ..at(77) };
    assert_eq!(verified.check_extends(&foreign, &proof), Err(ProofError::OtherLog));
    let newer = Checkpoint { size: 301, ..at(300) };
    assert_eq!(verified.check_extends(&newer, &[]), Err(ProofError::Shrinking { old: 301, new: 300 }));
}

#[test]
fn another_origin_is_refused_even_with_a_good_signature() {
    let log = log_key();
    let origin = Origin::new("example.com/other").unwrap();
    let note = sign_checkpoint(&Checkpoint { origin: origin.clone(), ..checkpoint() }, &log);
    let verdict = verify(&note, &[log.verifying_key()], &[]);
    assert_eq!(verdict.unwrap_err(), CheckpointError::Origin { found: origin });
}

#[test]
fn extension_lines_pass_only_where_they_are_asked_for() {
    let log = log_key();
    let text = format!("{}extension\nanother one\n", checkpoint().to_text());
    let note = Note::new(&text, vec![log.sign(&text)]).unwrap().to_string();
    let refused = UnverifiedCheckpoint::parse(note.as_bytes());
    assert_eq!(refused.unwrap_err(), CheckpointError::Extension { found: 2 });
    assert_eq!(Checkpoint::parse(&text), Err(CheckpointError::Extension { found: 2 }));
    let read = UnverifiedCheckpoint::parse_with_extensions(note.as_bytes()).unwrap();
    let verified = read.verify(ORIGIN, &[log.verifying_key().clone()], &[]).unwrap();
    assert_eq!(verified.extensions(), ["extension", "another one"]);
    assert_eq!(verified.checkpoint(), &checkpoint());
}

#[test]
fn malformed_checkpoints_say_the_line() {
    let line_of = |text: &str| match Checkpoint::parse_with_extensions(text) {
        Err(CheckpointError::Malformed { line, .. }) => line,
        other => panic!("{other:?} for {text:?}"),
    };
    for (text, line) in [
        (String::new(), 1),
        ("\n".into(), 1),
        ("origin\n".into(), 1),
        ("origin\n0\n".into(), 2),
        (format!("origin\n0\n{ROOT}"), 3),
        (format!("\n0\n{ROOT}\n"), 1),
        (format!("or\tigin\n0\n{ROOT}\n"), 1),
        (format!("origin\n\n{ROOT}\n"), 2),
        (format!("origin\n00\n{ROOT}\n"), 2),
        (format!("origin\n01\n{ROOT}\n"), 2),
        (format!("origin\n+1\n{ROOT}\n"), 2),
        (format!("origin\n-1\n{ROOT}\n"), 2),
        (format!("origin\n 1\n{ROOT}\n"), 2),
        (format!("origin\n1 \n{ROOT}\n"), 2),
        (format!("origin\n0x1\n{ROOT}\n"), 2),
        (format!("origin\n18446744073709551616\n{ROOT}\n"), 2),
        (format!("origin\n1\n{}\n", &ROOT[1..]), 3),
        (format!("origin\n1\n{ROOT}=\n"), 3),
        (format!("origin\n1\n{ROOT}\n\n"), 4),
        (format!("origin\n1\n{ROOT}\next\n\next\n"), 5),
    ] {
        assert_eq!(line_of(&text), line, "{text:?}");
    }
    assert!(Origin::new("").is_err() && Origin::new("a\nb").is_err());
}

fn proof_file(size: u64, index: u64, extra: Option<&[u8]>) -> TlogProof {
    let leaves = common::leaves(size);
    let root = common::root(&leaves);
    let checkpoint = Checkpoint { origin: Origin::new(ORIGIN).unwrap(), size, root };
    let cosignature = witness(2).cosign(&checkpoint, 1_700_000_000);
    TlogProof {
        extra: extra.map(<[u8]>::to_vec),
        index,
        hashes: inclusion_proof(index, size, &Tiles::new(&leaves)).unwrap(),
        checkpoint: format!("{}{cosignature}\n", sign_checkpoint(&checkpoint, &log_key())),
    }
}

#[test]
fn proof_files_verify_and_altered_ones_do_not() {
    let (log, cosigner) = (log_key(), witness(2));
    let keys = ([log.verifying_key().clone()], [cosigner.verifying_key().clone()]);
    let check = |proof: &TlogProof, leaf: &Hash| proof.verify(leaf, ORIGIN, &keys.0, &keys.1);
    for (size, index, extra) in
        [(1, 0, None), (2, 1, Some(&b"salt"[..])), (300, 256, None), (300, 299, Some(b""))]
    {
        let (proof, leaf) = (proof_file(size, index, extra), leaf_hash(&common::entry(index)));
        let text = proof.to_string();
        assert_eq!(TlogProof::parse(text.as_bytes()).unwrap(), proof);
        let verified = check(&proof, &leaf).unwrap();
        assert_eq!((verified.checkpoint().size, verified.cosignatures().len()), (size, 1));

        let wrong_leaf = check(&proof, &leaf_hash(b"another")).unwrap_err();
        assert!(matches!(wrong_leaf, TlogProofError::Inclusion(ProofError::Root { .. })));
        for other in [index + 1, index.wrapping_sub(1)] {
            assert!(check(&TlogProof { index: other, ..proof.clone() }, &leaf).is_err());
        }
        for n in 0..proof.hashes.len() {
            let mut altered = proof.clone();
            altered.hashes[n] = leaf;
            assert!(check(&altered, &leaf).is_err());
            altered.hashes.remove(n);
            assert!(check(&altered, &leaf).is_err());
        }
        let unknown = proof.verify(&leaf, ORIGIN, &keys.1, &[]);
        assert!(
            unknown.is_ok_and(|checkpoint| checkpoint.cosignatures().is_empty()),
            "the cosigner as the log"
        );
        assert!(proof.verify(&leaf, "example.com/other", &keys.0, &keys.1).is_err());
        let stranger = SigningKey::from_seed("stranger", [7; 32]).unwrap().verifying_key().clone();
        assert_eq!(
            proof.verify(&leaf, ORIGIN, &[stranger], &[]).unwrap_err(),
            TlogProofError::Checkpoint(CheckpointError::Note(NoteError::NoKnownSignature { found: 2 }))
        );
    }
}

#[test]
fn malformed_proof_files_say_the_line() {
    let good = proof_file(5, 3, Some(b"salt")).to_string();
    assert!(TlogProof::parse(good.as_bytes()).is_ok());
    let line_of = |text: &str| match TlogProof::parse(text.as_bytes()) {
        Err(TlogProofError::Malformed { line, .. }) => line,
        other => panic!("{other:?} for {text:?}"),
    };
    for (from, to, line) in [
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2", 1),
        ("c2sp.org/tlog-proof@v1\n", "", 1),
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v1\r", 1),
        ("extra c2FsdA==", "extra c2FsdA", 2),
        ("extra c2FsdA==", "extra  c2FsdA==", 2),
        ("extra c2FsdA==", "extra", 2),
        ("extra c2FsdA==", "extra c2FsdA==\nextra c2FsdA==", 3),
        ("index 3", "index 03", 3),
        ("index 3", "index +3", 3),
        ("index 3", "Index 3", 3),
        ("index 3", "index 3 ", 3),
        ("index 3\n", "", 3),
        ("index 3\n", "index 3\nAAAA\n", 4),
        ("\n\n", "\n", 1),
    ] {
        let text = good.replacen(from, to, if to == "\n" { 9 } else { 1 });
        assert_ne!(text, good);
        assert_eq!(line_of(&text), line, "{from:?} to {to:?}");
    }
    let many = good.replacen("index 3\n", &format!("index 3\n{}", format!("{ROOT}\n").repeat(65)), 1);
    assert_eq!(line_of(&many), 68);
    assert_eq!(line_of(&"c".repeat(tlog::tlog_proof::MAX_PROOF_LEN + 1)), 1);
    assert!(TlogProof::parse(&[0xff, b'\n', b'\n']).is_err());
}

proptest! {
    #![proptest_config(common::cases(1_000))]

    #[test]
    fn checkpoint_format_then_parse(origin in "[ -~é]{1,20}", size: u64, root: [u8; 32]) {
        let origin = Origin::new(&origin).unwrap();
        let checkpoint = Checkpoint { origin, size, root: Hash::from_bytes(root) };
        let text = checkpoint.to_text();
        prop_assert_eq!(&Checkpoint::parse(&text).unwrap(), &checkpoint);
        let note = sign_checkpoint(&checkpoint, &log_key());
        let read = UnverifiedCheckpoint::parse(note.as_bytes()).unwrap();
        prop_assert_eq!(read.claimed(), &checkpoint);
    }

    #[test]
    fn checkpoint_parse_then_format(text in "([a-z]{0,2}\n){0,1}[0-9]{0,3}\n[A-Z]{42}[AEIM]=\n([a-z\n]{0,6}\n)?|(.|\n){0,80}") {
        if let Ok((checkpoint, extensions)) = Checkpoint::parse_with_extensions(&text) {
            let rest: String = extensions.iter().flat_map(|line| [line, "\n"]).collect();
            prop_assert_eq!(checkpoint.to_text() + &rest, text.clone());
            prop_assert_eq!(Checkpoint::parse(&text).is_ok(), extensions.is_empty());
        }
        let _ = UnverifiedCheckpoint::parse_with_extensions(text.as_bytes()).is_ok();
    }

    #[test]
    fn proof_parse_then_format(
        middle in "(extra [AQgw]{0,8}\n)?index [0-9]{1,3}\n([A-Z]{42}[AEIM]=\n){0,3}",
        rest in "(.|\n){0,40}",
        noise in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let text = format!("c2sp.org/tlog-proof@v1\n{middle}\n{rest}");
        if let Ok(proof) = TlogProof::parse(text.as_bytes()) {
            prop_assert_eq!(proof.to_string(), text);
            prop_assert!(proof.verify(&leaf_hash(b""), ORIGIN, &[log_key().verifying_key().clone()], &[]).is_err());
        }
        prop_assert!(TlogProof::parse(&noise).is_err());
    }
}
