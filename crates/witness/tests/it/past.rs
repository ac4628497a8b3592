//! What went wrong in other witnesses, clocks that go back, and forks that are kept.

use tlog::{AddCheckpoint, Checkpoint, UnverifiedCheckpoint, leaf_hash, origin_hash, sign_checkpoint};
use witness::FORKS_MAX;

use crate::logs::{Log, NOW_MS, ORIGIN, Site, stranger};

/// sunlight, 2026-06: unverified signatures were stored, so that a stranger could wedge the witness: lines that look
/// like those of the witness or the log, and very many of them.
#[test]
fn signatures_that_were_not_verified_are_not_stored() {
    let log = Log::new(ORIGIN, 20);
    let site = Site::new(&[log.vkey()]);
    let own = site.cosigned(&log, 0, 3);
    let mut request = log.request(3, 9);
    // A cosignature by this very witness over another checkpoint, and 90 lines by strangers.
    request.checkpoint_note += &format!("{}\n", own.signature());
    for _ in 0..90 {
        request.checkpoint_note += &format!("{}\n", stranger().cosign(&log.checkpoint(7), 5));
    }
    assert_eq!(site.add(&request).status(), 200);
    let note = site.witness.latest(&origin_hash(ORIGIN)).unwrap();
    let parsed = UnverifiedCheckpoint::parse(note.as_bytes()).unwrap();
    assert_eq!(parsed.note().signatures().len(), 2);
    parsed.verify(ORIGIN, &[log.vkey()], &[site.witness.vkey().clone()]).unwrap();
    let site = site.restart(&[log.vkey()]).unwrap();
    site.cosigned(&log, 9, 20);
}

/// sunlight, 2026-06: the root of size 0 was not looked at.
#[test]
fn the_root_of_size_0_is_looked_at_and_a_wrong_one_kept() {
    let log = Log::new(ORIGIN, 3);
    let site = Site::new(&[log.vkey()]);
    let wrong = Checkpoint { size: 0, ..log.checkpoint(3) };
    let note = sign_checkpoint(&wrong, &log.key);
    let request = AddCheckpoint { old: 0, proof: vec![], checkpoint_note: note.clone() };
    assert_eq!(site.add(&request).status(), 422);
    let forks = site.witness.forks().unwrap();
    assert_eq!(forks.len(), 1);
    assert!(forks[0].summary.contains("an empty tree with the root of another"), "{}", forks[0].summary);
    assert_eq!(site.words(), ["fork", "inconsistent"]);
}

/// torchwood 0.2.1: the time was in another order of bytes in the line than in the message.
#[test]
fn the_time_is_big_endian() {
    let log = Log::new(ORIGIN, 3);
    let site = Site::new(&[log.vkey()]);
    let cosignature = site.cosigned(&log, 0, 3);
    assert_eq!(cosignature.signature().bytes()[..8], (NOW_MS / 1000).to_be_bytes());
    assert_eq!(cosignature.signature().bytes().len(), 72);
}

#[test]
fn times_never_decrease() {
    let log = Log::new(ORIGIN, 9);
    let site = Site::new(&[log.vkey()]);
    site.env.advance(10_000);
    let later = Some(NOW_MS / 1000 + 10);
    assert_eq!(site.cosigned(&log, 0, 3).timestamp(), later);
    site.env.jump(-3_600_000);
    assert_eq!(site.cosigned(&log, 3, 5).timestamp(), later);
    assert_eq!(site.words(), ["cosigned", "clock", "cosigned"]);
    // The clock of a new run begins 10 seconds before what was signed.
    let site = site.restart(&[log.vkey()]).unwrap();
    assert_eq!(site.cosigned(&log, 5, 9).timestamp(), later);
    site.env.advance(11_000);
    assert_eq!(site.cosigned(&log, 9, 9).timestamp(), Some(NOW_MS / 1000 + 11));
}

#[test]
fn without_a_clock_nothing_is_cosigned() {
    let log = Log::new(ORIGIN, 9);
    let site = Site::new(&[log.vkey()]);
    site.env.jump(-(NOW_MS as i64));
    assert_eq!(site.add(&log.request(0, 9)).status(), 503);
    assert_eq!(site.size(ORIGIN), None);
    site.env.jump(NOW_MS as i64);
    site.cosigned(&log, 0, 9);
}

#[test]
fn forks_are_kept_with_what_proves_them() {
    let log = Log::new(ORIGIN, 40);
    let site = Site::new(&[log.vkey()]);
    site.cosigned(&log, 0, 9);
    let held = site.witness.latest(&origin_hash(ORIGIN)).unwrap();
    // Another tree of the same size, asked about with whatever old size; and a larger one that begins otherwise.
    let other = log.forked(5);
    let same_size = other.request(9, 9);
    assert_eq!(site.add(&same_size).status(), 422);
    assert_eq!(site.add(&same_size).status(), 422);
    assert_eq!(site.add(&other.request(4, 9)).status(), 409);
    let larger = other.request(9, 40);
    assert_eq!(site.add(&larger).status(), 422);
    let forks = site.witness.forks().unwrap();
    assert_eq!(forks.len(), 2, "the same one is kept once");
    let read = |name: &str, kind: &str| {
        let path = format!("w/forks/{name}.{kind}");
        String::from_utf8(site.host.fs().read(&path).unwrap().clone()).unwrap()
    };
    let requests: Vec<String> = forks.iter().map(|fork| read(&fork.name, "refused")).collect();
    assert!(requests.contains(&same_size.to_string()) && requests.contains(&larger.to_string()));
    for fork in &forks {
        assert_eq!(read(&fork.name, "held"), held);
        assert!(fork.summary.contains(ORIGIN) && fork.summary.contains(&log.vkey().to_string()));
    }
    // The log that it knows goes on being cosigned.
    site.cosigned(&log, 9, 40);
    let site = site.restart(&[log.vkey()]).unwrap();
    assert_eq!(site.witness.forks().unwrap(), forks);
}

/// Anyone can put a bad proof to a good checkpoint: that says nothing about the log, and nothing is kept.
#[test]
fn a_bad_proof_is_no_fork() {
    let log = Log::new(ORIGIN, 40);
    let site = Site::new(&[log.vkey()]);
    site.cosigned(&log, 0, 9);
    let good = log.request(9, 40);
    for at in 0..good.proof.len() {
        let mut bad = good.clone();
        bad.proof[at] = leaf_hash(b"x");
        assert_eq!(site.add(&bad).status(), 422);
    }
    assert_eq!(site.add(&log.request(4, 9)).status(), 409);
    assert_eq!(site.add(&log.request(4, 5)).status(), 409);
    assert!(site.witness.forks().unwrap().is_empty());
    assert!(!site.words().contains(&"fork"));
}

#[test]
fn a_log_that_forks_all_day_does_not_fill_the_disk() {
    let log = Log::new(ORIGIN, 9);
    let site = Site::new(&[log.vkey()]);
    site.cosigned(&log, 0, 9);
    for n in 0..FORKS_MAX + 20 {
        let checkpoint = Checkpoint { root: leaf_hash(&n.to_be_bytes()), ..log.checkpoint(9) };
        let note = sign_checkpoint(&checkpoint, &log.key);
        assert_eq!(site.add(&AddCheckpoint { old: 9, proof: vec![], checkpoint_note: note }).status(), 422);
    }
    assert_eq!(site.witness.forks().unwrap().len(), FORKS_MAX);
}

/// Anyone who has seen a checkpoint can ask for it again and again, and put wrong proofs to it.
#[test]
fn asking_again_and_again_wears_out_neither_disk_nor_log() {
    let log = Log::new(ORIGIN, 40);
    let site = Site::new(&[log.vkey()]);
    let first = site.cosigned(&log, 0, 9);
    let (written, told) = (site.host.ops(), site.words().len());
    for _ in 0..100 {
        assert_eq!(site.cosigned(&log, 9, 9), first);
    }
    assert_eq!((site.host.ops(), site.words().len()), (written, told));
    let bad = AddCheckpoint { proof: vec![leaf_hash(b"x")], ..log.request(9, 40) };
    for _ in 0..100 {
        assert_eq!(site.add(&bad).status(), 422);
    }
    assert_eq!((site.host.ops(), site.words().len()), (written, told + 1));
    site.env.advance(60_000);
    assert_eq!(site.add(&bad).status(), 422);
    assert_eq!(site.words().len(), told + 2);
    // A second later it is another time, which is signed and kept.
    let later = site.cosigned(&log, 9, 9);
    assert!(later.timestamp() > first.timestamp() && site.host.ops() > written);
}
