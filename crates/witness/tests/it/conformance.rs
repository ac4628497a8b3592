//! The status table of C2SP tlog-witness, row by row, and the order in which its rows are tried.

use tlog::{
    AddCheckpoint, Checkpoint, Origin, SigningKey, UnverifiedCheckpoint, empty_root, leaf_hash, origin_hash,
    sign_checkpoint,
};
use witness::Answer;

use crate::logs::{Log, NAME, NOW_MS, ORIGIN, Site, stranger};

#[test]
fn a_log_is_cosigned_from_nothing_onwards() {
    let log = Log::new(ORIGIN, 40);
    let site = Site::new(&[log.vkey()]);
    let mut old = 0;
    for (n, new) in (0_u64..).zip([0, 0, 1, 2, 3, 4, 7, 8, 8, 31, 40]) {
        let cosignature = site.cosigned(&log, old, new);
        assert_eq!(cosignature.timestamp(), Some(NOW_MS / 1000 + n));
        site.env.advance(1000);
        assert_eq!(site.size(ORIGIN), Some(new));
        old = new;
    }
    assert_eq!(site.words(), ["cosigned"; 11]);
}

#[test]
fn every_pair_of_sizes_is_cosigned() {
    let log = Log::new(ORIGIN, 20);
    for old in 0..=20 {
        for new in old..=20 {
            let site = Site::new(&[log.vkey()]);
            site.cosigned(&log, 0, old);
            site.cosigned(&log, old, new);
        }
    }
}

#[test]
fn an_unknown_origin_is_404() {
    let log = Log::new(ORIGIN, 5);
    let other = Log::new("example.com/other", 5);
    let site = Site::new(&[log.vkey()]);
    assert_eq!(site.add(&other.request(0, 5)).status(), 404);
    // Not even if a known log signed it, and before anything else is looked at.
    let checkpoint = Checkpoint { origin: Origin::new("example.com/other").unwrap(), ..log.checkpoint(5) };
    let note = sign_checkpoint(&checkpoint, &log.key);
    for old in [0, 3, 6] {
        let request = AddCheckpoint { old, proof: vec![], checkpoint_note: note.clone() };
        assert_eq!(site.add(&request).status(), 404);
    }
}

#[test]
fn no_trusted_signature_is_403() {
    let log = Log::new(ORIGIN, 5);
    let site = Site::new(&[log.vkey()]);
    let other_key = SigningKey::from_seed(ORIGIN, [9; 32]).unwrap();
    let by_other = sign_checkpoint(&log.checkpoint(5), &other_key);
    let good = log.note(5);
    let tampered = good.replacen("\n5\n", "\n4\n", 1);
    // Its own line, with one bit of the signature changed.
    let (head, line) = good.trim_end().rsplit_once(' ').unwrap();
    let changed = if line.ends_with("A==") { line.replacen("A==", "Q==", 1) } else { line.to_owned() };
    let forged = format!("{head} {}\n", flip(&changed));
    let forged_beside = format!("{good}{}\n", forged.trim_end().rsplit_once('\n').unwrap().1);
    let by_witness =
        format!("{}\n{}\n", log.checkpoint(5).to_text(), stranger().cosign(&log.checkpoint(5), 9));
    for note in [by_other, tampered, forged, forged_beside, by_witness] {
        // Old sizes that would be 400 or 409 are not looked at before the signature is.
        for old in [0, 3, 6] {
            let request = AddCheckpoint { old, proof: vec![], checkpoint_note: note.clone() };
            assert_eq!(site.add(&request).status(), 403, "{note}");
        }
    }
    assert_eq!(site.size(ORIGIN), None);
}

/// Changes a character in the middle of a base64 text.
fn flip(text: &str) -> String {
    let at = text.len() / 2;
    let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

#[test]
fn malformed_requests_are_400() {
    let log = Log::new(ORIGIN, 5);
    let site = Site::new(&[log.vkey()]);
    let good = log.request(0, 5).to_string();
    let long = format!("old 0\n{}\n{}", "x\n".repeat(70), log.note(5));
    for body in [
        String::new(),
        "old 0\n".to_owned(),
        good.replacen("old 0", "old 00", 1),
        good.replacen("old 0", "old -1", 1),
        good.replacen("old 0\n", "old 0\r\n", 1),
        good.replacen("\n\n", "\n", 1),
        good.replacen("\n5\n", "\n05\n", 1),
        good.replacen("\n5\n", "\n18446744073709551616\n", 1),
        good.trim_end().to_owned(),
        good.replacen("\n5\n", "\n5\n\n", 1),
        format!("old 0\n\n{}", log.checkpoint(5).to_text()),
        long,
    ] {
        assert_eq!(site.add_text(&body).status(), 400, "{body}");
    }
    assert_eq!(site.witness.add_checkpoint(b"old 0\n\n\xff\xfe").status(), 400);
    site.cosigned(&log, 0, 5);
}

#[test]
fn an_old_size_above_the_new_one_is_400() {
    let log = Log::new(ORIGIN, 9);
    let site = Site::new(&[log.vkey()]);
    let above = |old, new| AddCheckpoint { old, proof: vec![], checkpoint_note: log.note(new) };
    assert_eq!(site.add(&above(6, 5)).status(), 400);
    site.cosigned(&log, 0, 9);
    assert_eq!(site.add(&above(9, 5)).status(), 400);
    assert_eq!(site.add(&above(u64::MAX, 0)).status(), 400);
}

#[test]
fn another_old_size_is_409_with_the_right_one() {
    let log = Log::new(ORIGIN, 9);
    let site = Site::new(&[log.vkey()]);
    let refused = site.add(&log.request(3, 9));
    assert_eq!((refused.status(), refused.body().as_str()), (409, "0\n"));
    assert_eq!(refused.content_type(), "text/x.tlog.size");
    site.cosigned(&log, 0, 5);
    // Bootstrapping: a client that knows nothing asks with 0.
    for (old, new) in [(0, 9), (0, 5), (4, 9), (6, 9), (4, 4), (0, 0)] {
        let refused = site.add(&log.request(old, new));
        assert_eq!((refused.status(), refused.body().as_str()), (409, "5\n"), "{old} to {new}");
    }
    // A wrong proof does not matter before the old size is right.
    let bad = AddCheckpoint { proof: vec![leaf_hash(b"x")], ..log.request(4, 9) };
    assert_eq!(site.add(&bad), Answer::Conflict(5));
    site.cosigned(&log, 5, 9);
}

#[test]
fn a_proof_from_nothing_is_422() {
    let log = Log::new(ORIGIN, 9);
    let site = Site::new(&[log.vkey()]);
    for new in [0, 1, 9] {
        let request = AddCheckpoint { proof: vec![leaf_hash(b"x")], ..log.request(0, new) };
        assert_eq!(site.add(&request).status(), 422);
    }
    assert_eq!(site.size(ORIGIN), None);
}

#[test]
fn proofs_that_do_not_hold_are_422() {
    let log = Log::new(ORIGIN, 40);
    for old in 1..40 {
        let site = Site::new(&[log.vkey()]);
        site.cosigned(&log, 0, old);
        let good = log.request(old, 40);
        for at in 0..good.proof.len() {
            let mut bad = good.clone();
            bad.proof[at] = leaf_hash(b"x");
            assert_eq!(site.add(&bad).status(), 422, "{old}: hash {at} changed");
            bad = good.clone();
            bad.proof.remove(at);
            assert_eq!(site.add(&bad).status(), 422, "{old}: hash {at} left out");
        }
        let mut bad = good.clone();
        bad.proof.push(leaf_hash(b"x"));
        assert_eq!(site.add(&bad).status(), 422);
        assert_eq!(site.add(&log.forked(old - 1).request(old, 40)).status(), 422);
        assert_eq!(site.size(ORIGIN), Some(old));
        site.cosigned(&log, old, 40);
    }
}

#[test]
fn equal_sizes_need_equal_roots_and_no_proof() {
    let log = Log::new(ORIGIN, 9);
    let site = Site::new(&[log.vkey()]);
    site.cosigned(&log, 0, 9);
    assert_eq!(site.add(&log.forked(3).request(9, 9)).status(), 422);
    let with_proof = AddCheckpoint { proof: vec![leaf_hash(b"x")], ..log.request(9, 9) };
    assert_eq!(site.add(&with_proof).status(), 422);
    site.env.advance(5000);
    let again = site.cosigned(&log, 9, 9);
    assert_eq!(again.timestamp(), Some(NOW_MS / 1000 + 5));
}

#[test]
fn an_empty_tree_has_the_root_of_an_empty_tree() {
    let log = Log::new(ORIGIN, 3);
    let site = Site::new(&[log.vkey()]);
    let wrong = Checkpoint { size: 0, ..log.checkpoint(3) };
    let request = |checkpoint: &Checkpoint| AddCheckpoint {
        old: 0,
        proof: vec![],
        checkpoint_note: sign_checkpoint(checkpoint, &log.key),
    };
    assert_eq!(site.add(&request(&wrong)).status(), 422);
    assert_eq!(log.checkpoint(0).root, empty_root());
    site.cosigned(&log, 0, 0);
    assert_eq!(site.add(&request(&wrong)).status(), 422, "an empty tree was cosigned before");
    site.cosigned(&log, 0, 3);
}

#[test]
fn the_monitoring_path_gives_both_signatures_and_no_others() {
    let log = Log::new(ORIGIN, 9);
    let site = Site::new(&[log.vkey()]);
    let hash = origin_hash(ORIGIN);
    assert_eq!(site.witness.latest(&hash), None);
    let mut request = log.request(0, 9);
    request.checkpoint_note += &format!("{}\n", stranger().cosign(&log.checkpoint(9), 5));
    assert_eq!(site.add(&request).status(), 200);
    let note = site.witness.latest(&hash).unwrap();
    let parsed = UnverifiedCheckpoint::parse(note.as_bytes()).unwrap();
    assert_eq!(parsed.note().signatures().len(), 2);
    let own = [site.witness.vkey().clone()];
    let verified = parsed.verify(ORIGIN, &[log.vkey()], &own).unwrap();
    assert_eq!((verified.log_signatures().len(), verified.cosignatures().len()), (1, 1));
    assert_eq!(verified.checkpoint(), &log.checkpoint(9));
    for unknown in [hash.to_uppercase(), origin_hash("example.com/other"), String::new(), "..".to_owned()] {
        assert_eq!(site.witness.latest(&unknown), None);
    }
    assert_eq!(site.witness.vkey().name(), NAME);
}

#[test]
fn logs_do_not_touch_one_another() {
    let logs: Vec<Log> = (0..50).map(|n| Log::new(&format!("example.com/{n}"), 50)).collect();
    let keys: Vec<_> = logs.iter().map(Log::vkey).collect();
    let site = Site::new(&keys);
    for (n, log) in (1..).zip(&logs) {
        site.cosigned(log, 0, n);
    }
    let site = site.restart(&keys).unwrap();
    for (n, log) in (1..).zip(&logs) {
        assert_eq!(site.size(log.key.name()), Some(n));
        site.cosigned(log, n, 50);
    }
}

/// A log that changes its key signs with both for a while; each is enough, and a bad line by either is too much.
#[test]
fn a_log_may_have_two_keys() {
    let log = Log::new(ORIGIN, 9);
    let new_key = SigningKey::from_seed(ORIGIN, [2; 32]).unwrap();
    let keys = [log.vkey(), new_key.verifying_key().clone()];
    let site = Site::new(&keys);
    site.cosigned(&log, 0, 3);
    let text = log.checkpoint(5).to_text();
    let both = format!("{}{}\n", log.note(5), new_key.sign(&text));
    assert_eq!(site.add(&AddCheckpoint { checkpoint_note: both, ..log.request(3, 5) }).status(), 200);
    let bad = format!("{}{}\n", log.note(7), new_key.sign(&text));
    assert_eq!(site.add(&AddCheckpoint { checkpoint_note: bad, ..log.request(5, 7) }).status(), 403);
    // The old key goes; what was cosigned under it still counts.
    let site = site.restart(&keys[1..]).unwrap();
    assert_eq!(site.add(&log.request(5, 7)).status(), 403);
    let note = sign_checkpoint(&log.checkpoint(7), &new_key);
    assert_eq!(site.add(&AddCheckpoint { checkpoint_note: note, ..log.request(5, 7) }).status(), 200);
}

/// They are part of what is cosigned; nothing is stated about them.
#[test]
fn extension_lines_are_cosigned_as_they_stand() {
    let log = Log::new(ORIGIN, 9);
    let site = Site::new(&[log.vkey()]);
    let text = log.checkpoint(9).to_text() + "a line of the log's own\n";
    let note = format!("{text}\n{}\n", log.key.sign(&text));
    let request = AddCheckpoint { old: 0, proof: vec![], checkpoint_note: note.clone() };
    let answer = site.add(&request);
    crate::logs::verify(&note, &answer, &log.vkey(), site.witness.vkey());
    let site = site.restart(&[log.vkey()]).unwrap();
    assert_eq!(site.size(ORIGIN), Some(9));
    assert!(site.witness.latest(&origin_hash(ORIGIN)).unwrap().starts_with(&text));
}

/// Every octet of a request counts: what is signed, who signed, from where, and by which proof.
#[test]
fn no_changed_octet_is_cosigned() {
    let log = Log::new(ORIGIN, 13);
    let site = Site::new(&[log.vkey()]);
    site.cosigned(&log, 0, 7);
    let good = log.request(7, 13).to_string().into_bytes();
    for at in 0..good.len() {
        for flip in [0x01, 0x02, 0x10, 0x20, 0x80] {
            let mut changed = good.clone();
            changed[at] ^= flip;
            let answer = site.witness.add_checkpoint(&changed);
            assert_ne!(answer.status(), 200, "{:?}", String::from_utf8_lossy(&changed));
        }
        assert_ne!(site.witness.add_checkpoint(&good[..at]).status(), 200, "cut at {at}");
    }
    assert_eq!(site.size(ORIGIN), Some(7));
    assert!(site.witness.forks().unwrap().is_empty(), "nobody signed anything wrong");
    site.cosigned(&log, 7, 13);
}
