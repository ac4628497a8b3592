use std::time::Duration;

use monitor::{HttpSource, Kind, LookError, Source, State, Step};
use net::{Answer, NetError};
use tlog::{Checkpoint, Hash, Origin, SigningKey, UnverifiedCheckpoint, sign_checkpoint, verify_consistency};

use crate::log::{Bench, History, cosigned, key, kinds, policy};

/// Sizes at which tiles begin, fill up and get a level above them.
const SIZES: [u64; 12] = [0, 1, 2, 3, 255, 256, 257, 300, 511, 512, 513, 1000];

#[test]
fn honest_growth_is_followed_between_all_sizes() {
    let history = History::of(1000);
    for (at, old) in SIZES.iter().enumerate() {
        for new in &SIZES[at..] {
            let bench = Bench::new();
            bench.show(&history, *old);
            assert_eq!(bench.look().unwrap().step, Step::First, "{old}");
            bench.show(&history, *new);
            let round = bench.look().unwrap();
            let expected = if old == new { Step::Same } else { Step::Grown(*old) };
            assert_eq!(
                (round.step, round.findings.len()),
                (expected, 0),
                "{old} to {new}: {:?}",
                round.findings
            );
            assert_eq!(round.accepted.unwrap().0, history.checkpoint(*new));
        }
    }
}

#[test]
fn a_log_of_two_levels_of_tiles_is_followed_and_a_fork_of_it_found() {
    let history = History::of(66_000);
    let bench = Bench::new();
    bench.show(&history, 65_530);
    assert!(bench.kinds().is_empty());
    bench.show(&history, 66_000);
    assert_eq!(bench.look().unwrap().step, Step::Grown(65_530));
    // Another history, whole and soundly signed.
    let bench = Bench::new();
    bench.show(&history, 65_530);
    assert!(bench.kinds().is_empty());
    bench.show(&history.with(3, b"other"), 66_000);
    assert_eq!(bench.kinds(), [Kind::Fork]);
    assert_eq!(bench.accepted(), 65_530);
}

#[test]
fn every_fork_is_found_and_what_is_kept_shows_it_to_others() {
    let (history, other) = (History::of(1000), History::of(1000).with(0, b"something else"));
    for old in [1, 2, 255, 256, 300, 512] {
        for new in [256_u64, 300, 512, 1000].into_iter().filter(|new| *new >= old) {
            let bench = Bench::new();
            bench.show(&history, old);
            assert!(bench.kinds().is_empty());
            bench.show(&other, new);
            let round = bench.look().unwrap();
            assert_eq!(
                (round.step, kinds(&round.findings)),
                (Step::Refused, vec![Kind::Fork]),
                "{old} {new}"
            );
            let (_, place) = &round.findings[0];
            let read =
                |name: &str| std::fs::read(bench.dir.path().join("state").join(place).join(name)).unwrap();
            let note = |name: &str| {
                let keys = [key().verifying_key().clone()];
                let note = UnverifiedCheckpoint::parse(&read(name)).unwrap();
                note.verify(key().name(), &keys, &[]).unwrap().checkpoint().clone()
            };
            let (kept, shown) = (note("kept.checkpoint"), note("shown.checkpoint"));
            assert_eq!((kept.size, shown.size), (old, new));
            if old < new {
                check_proof(&String::from_utf8(read("proof")).unwrap(), &kept, &shown);
            }
            // It stays on record, and the state stays with what was accepted first.
            bench.show(&history, old);
            assert_eq!(bench.look().unwrap().step, Step::Same);
            let disk = bench.disk();
            assert_eq!(State::open(&disk, key().name()).unwrap().forks().unwrap().len(), 1);
        }
    }
}

/// What somebody who trusts neither log nor monitor does with the file.
fn check_proof(text: &str, kept: &Checkpoint, shown: &Checkpoint) {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("ledgerstone/fork/v1"));
    assert_eq!(lines.next(), Some(format!("old {}", kept.size).as_str()));
    assert_eq!(lines.next(), Some(format!("new {}", shown.size).as_str()));
    let root = Hash::from_base64(lines.next().unwrap().strip_prefix("root ").unwrap()).unwrap();
    let proof: Vec<Hash> = lines.map(|line| Hash::from_base64(line).unwrap()).collect();
    verify_consistency(kept.size, shown.size, &root, &shown.root, &proof).unwrap();
    assert_ne!(root, kept.root);
}

#[test]
fn going_back_is_told_and_not_accepted() {
    let history = History::of(1000);
    let bench = Bench::new();
    bench.show(&history, 300);
    bench.look().unwrap();
    bench.show(&history, 600);
    bench.look().unwrap();
    for back in [0, 1, 256, 300, 599] {
        bench.show(&history, back);
        let round = bench.look().unwrap();
        assert_eq!(kinds(&round.findings), [Kind::Rollback], "{back}");
        assert!(round.findings[0].0.text.contains("the first of those"), "{}", round.findings[0].0);
        assert_eq!(round.accepted.unwrap().0.size, 600);
    }
    // Another history in place of a size that was seen, and of one that was not.
    for back in [300, 299] {
        bench.put("checkpoint", history.clone().with(7, b"x").signed(back));
        assert_eq!(bench.kinds(), [Kind::Fork], "{back}");
    }
    bench.show(&history, 601);
    assert_eq!(bench.look().unwrap().step, Step::Grown(600));
}

#[test]
fn a_rollback_of_a_log_that_lost_its_tiles_is_told_as_far_as_it_is_known() {
    let history = History::of(600);
    let bench = Bench::new();
    bench.show(&history, 600);
    bench.look().unwrap();
    history.resources(600).iter().for_each(|(path, _)| bench.remove(path));
    bench.show(&history, 10);
    let round = bench.look().unwrap();
    assert_eq!(kinds(&round.findings), [Kind::Rollback]);
    assert!(round.findings[0].0.text.contains("not shown"));
}

#[test]
fn a_copy_on_the_way_that_is_older_for_a_moment_is_no_rollback() {
    let history = History::of(600);
    let bench = Bench::new();
    bench.show(&history, 600);
    bench.look().unwrap();
    bench.net.once("/checkpoint", Ok(Answer::new(200, history.signed(500))));
    let round = bench.look().unwrap();
    assert_eq!((round.step, round.findings.len()), (Step::Same, 0));
}

#[test]
fn what_is_not_signed_by_the_log_is_no_checkpoint() {
    let history = History::of(300);
    let stranger = SigningKey::from_seed(key().name(), [9; 32]).unwrap();
    let elsewhere = SigningKey::from_seed("elsewhere.example/log", [7; 32]).unwrap();
    let moved = Checkpoint { origin: Origin::new(elsewhere.name()).unwrap(), ..history.checkpoint(300) };
    let mut altered = history.signed(300).into_bytes();
    let at = altered.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    altered[at] = b'2';
    let long = format!("{}{}", history.signed(300), "x".repeat(1_000_001));
    let shown: [Vec<u8>; 7] = [
        sign_checkpoint(&history.checkpoint(300), &stranger).into(),
        sign_checkpoint(&moved, &elsewhere).into(),
        altered,
        Vec::new(),
        b"<html>sign in to this network</html>".to_vec(),
        history.signed(300).into_bytes()[..60].to_vec(),
        long.into(),
    ];
    for bytes in shown {
        let bench = Bench::new();
        bench.show(&history, 200);
        bench.look().unwrap();
        bench.serve(&history, 300);
        bench.put("checkpoint", bytes.clone());
        let round = bench.look().unwrap();
        let what = String::from_utf8_lossy(&bytes).chars().take(80).collect::<String>();
        assert_eq!((round.step, kinds(&round.findings)), (Step::Refused, vec![Kind::Signature]), "{what}");
        assert_eq!(round.accepted.unwrap().0.size, 200);
        bench.remove("checkpoint");
        assert_eq!(bench.kinds(), [Kind::Signature]);
    }
}

#[test]
fn growth_over_altered_missing_short_or_long_tiles_is_not_accepted() {
    let history = History::of(66_000);
    for path in ["tile/0/257.p/208", "tile/1/001.p/1", "tile/0/001", "tile/1/000"] {
        let full = history.resources(66_000).into_iter().find(|(of, _)| of == path).unwrap().1;
        let mut altered = full.clone();
        altered[5] ^= 1;
        let short = full[..full.len() - 32].to_vec();
        let long = [full.as_slice(), &[0; 32]].concat();
        for bytes in [Some(altered), None, Some(short), Some(long), Some(Vec::new())] {
            let bench = Bench::new();
            bench.show(&history, 300);
            bench.look().unwrap();
            bench.show(&history, 66_000);
            bench.remove(path);
            if let Some(bytes) = bytes {
                bench.put(path, bytes);
            }
            let round = bench.look().unwrap();
            assert_eq!((round.step, kinds(&round.findings)), (Step::Refused, vec![Kind::Damage]), "{path}");
            assert!(round.findings[0].0.text.contains("tile"), "{}", round.findings[0].0);
            assert_eq!(round.accepted.unwrap().0.size, 300);
            // Mended, it goes on.
            bench.show(&history, 66_000);
            assert_eq!(bench.look().unwrap().step, Step::Grown(300));
        }
    }
}

#[test]
fn a_partial_tile_may_be_gone_once_the_full_one_is_there() {
    let history = History::of(600);
    let bench = Bench::new();
    bench.show(&history, 300);
    bench.serve(&history, 600);
    bench.remove("tile/0/001.p/44");
    let round = bench.look().unwrap();
    assert_eq!((round.step, round.findings.len()), (Step::First, 0), "{:?}", round.findings);
}

#[test]
fn a_log_that_can_not_be_asked_is_no_answer_and_silent_after_a_while() {
    let history = History::of(10);
    let mut bench = Bench::new();
    bench.silence = Some(Duration::from_secs(600));
    bench.show(&history, 10);
    bench.look().unwrap();
    bench.clock.advance(300_000);
    let gone = || Err(NetError::Unreachable { url: String::new(), why: "gone".to_owned() });
    bench.net.once("/checkpoint", gone());
    assert!(matches!(bench.look(), Err(LookError::Fetch(_))));
    assert!(bench.watch(None, |watch| watch.lateness()).unwrap().is_empty());
    bench.clock.advance(301_000);
    bench.net.once("/checkpoint", gone());
    assert!(bench.look().is_err());
    assert_eq!(kinds(&bench.watch(None, |watch| watch.lateness()).unwrap()), [Kind::Silence]);
    for status in [401, 403, 429, 500, 503, 302] {
        bench.net.once("/checkpoint", Ok(Answer::new(status, "")));
        assert!(matches!(bench.look(), Err(LookError::Fetch(_))), "{status}");
    }
}

#[test]
fn an_idle_log_is_silent_unless_a_cosignature_tells_a_later_time() {
    let history = History::of(10);
    let mut bench = Bench::new();
    bench.silence = Some(Duration::from_secs(600));
    bench.show(&history, 10);
    assert!(bench.kinds().is_empty());
    bench.clock.advance(601_000);
    assert_eq!(bench.kinds(), [Kind::Silence]);
    bench.policy = Some(policy());
    bench.put("checkpoint", cosigned(&history, 10, 1_700_000_000 + 590));
    assert!(bench.kinds().is_empty());
    bench.clock.advance(600_000);
    assert_eq!(bench.kinds(), [Kind::Silence]);
    // One from the future is as good as one from now, not for ever.
    bench.put("checkpoint", cosigned(&history, 10, u64::MAX / 4));
    assert!(bench.kinds().is_empty());
    bench.show(&history, 10);
    bench.clock.advance(601_000);
    assert!(bench.kinds().contains(&Kind::Silence));
}

#[test]
fn a_quorum_that_is_not_met_is_told() {
    let history = History::of(300);
    let mut bench = Bench::new();
    bench.policy = Some(policy());
    bench.show(&history, 10);
    assert_eq!(bench.kinds(), [Kind::Quorum]);
    bench.put("checkpoint", cosigned(&history, 10, 1_700_000_000));
    assert!(bench.kinds().is_empty());
    // A cosignature without a time says nothing.
    bench.put("checkpoint", cosigned(&history, 10, 0));
    assert_eq!(bench.kinds(), [Kind::Quorum]);
    // With a limit there is time for it, and it may stand beside.
    bench.silence = Some(Duration::from_secs(600));
    bench.show(&history, 200);
    assert!(bench.kinds().is_empty());
    bench.clock.advance(601_000);
    bench.show(&history, 300);
    assert_eq!(bench.kinds(), [Kind::Quorum]);
    bench.put("checkpoint.witnessed", cosigned(&history, 200, 1_700_000_600));
    assert!(bench.kinds().is_empty());
    bench.clock.advance(601_000);
    // What the witnesses saw was something else: the log has signed both.
    bench.put("checkpoint.witnessed", cosigned(&history.clone().with(1, b"x"), 200, 1_700_001_200));
    let found = bench.kinds();
    assert!(found.contains(&Kind::Quorum) && found.contains(&Kind::Fork), "{found:?}");
}

#[test]
fn two_monitors_that_were_shown_different_trees_find_out_by_each_others_notes() {
    let (history, other) = (History::of(1000), History::of(1000).with(5, b"x"));
    let (alice, bob) = (Bench::new(), Bench::new());
    for size in [100, 300, 700] {
        alice.show(&history, size);
        assert!(alice.kinds().is_empty());
        bob.show(&other, size + 1);
        assert!(bob.kinds().is_empty());
    }
    let notes = |bench: &Bench| {
        let disk = bench.disk();
        State::open(&disk, key().name()).unwrap().notes().unwrap()
    };
    assert_eq!(notes(&bob).len(), 3);
    let found = alice.watch(None, |watch| watch.compare_with(&notes(&bob))).unwrap();
    assert_eq!(kinds(&found), [Kind::Fork, Kind::Fork, Kind::Rollback], "{found:?}");
    let found = bob.watch(None, |watch| watch.compare_with(&notes(&alice))).unwrap();
    assert_eq!(kinds(&found), [Kind::Fork, Kind::Fork, Kind::Fork]);
    // Of one history, whoever has seen more.
    let carol = Bench::new();
    carol.show(&history, 1000);
    carol.look().unwrap();
    assert!(carol.watch(None, |watch| watch.compare_with(&notes(&alice))).unwrap().is_empty());
    // A note by a stranger says nothing about the log.
    let stranger = SigningKey::from_seed(key().name(), [9; 32]).unwrap();
    let note = sign_checkpoint(&history.checkpoint(5), &stranger).into_bytes();
    assert!(carol.watch(None, |watch| watch.compare_with(&[note])).is_err());
}

#[test]
fn a_state_that_is_of_another_log_is_not_taken_for_this_one() {
    let bench = Bench::new();
    bench.show(&History::of(10), 10);
    bench.look().unwrap();
    let path = std::fs::read_dir(bench.dir.path().join("state")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(path.join("checkpoint"), "not a note").unwrap();
    assert!(matches!(bench.look(), Err(LookError::Kept(_))));
}

#[test]
fn what_witnesses_have_cosigned_is_held_against_what_the_log_shows() {
    let history = History::of(600);
    let mut bench = Bench::new();
    bench.policy = Some(policy());
    bench.silence = Some(Duration::from_secs(600));
    bench.show(&history, 300);
    bench.look().unwrap();
    let place = format!("https://witness.example/w/{}/checkpoint", tlog::origin_hash(key().name()));
    let ask = |note: Option<String>| {
        match note {
            Some(note) => bench.net.put(&place, Answer::new(200, note)),
            None => bench.net.remove(&place),
        }
        let witness = HttpSource::new(bench.net.clone(), "https://witness.example/w", None);
        let witnesses: [(String, Box<dyn Source>); 1] = [("w".to_owned(), Box::new(witness))];
        let asked = bench.watch(None, |watch| watch.ask_witnesses(&witnesses)).unwrap();
        (kinds(&asked.findings), asked.silent.len())
    };
    // It never cosigned; it is behind; it is where we are.
    assert_eq!(ask(None), (vec![], 0));
    assert_eq!(ask(Some(cosigned(&history, 100, 1))), (vec![], 0));
    assert_eq!(ask(Some(cosigned(&history, 300, 1))), (vec![], 0));
    // It was shown another history, or the log shows less than it has signed.
    assert_eq!(ask(Some(cosigned(&history.clone().with(9, b"x"), 100, 1))), (vec![Kind::Fork], 0));
    assert_eq!(ask(Some(cosigned(&history, 400, 1))), (vec![Kind::Rollback], 0));
    // A log that asks its witnesses first shows it a moment later.
    bench.net.once("log/checkpoint", Ok(Answer::new(200, history.signed(300))));
    bench.show(&history, 400);
    assert_eq!(ask(Some(cosigned(&history, 400, 1))), (vec![], 0));
    // What is no checkpoint of this log says nothing about it.
    assert_eq!(ask(Some("nonsense".to_owned())), (vec![], 1));
}
