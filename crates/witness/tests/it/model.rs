//! Any sequence of requests, restarts and clock changes, against a model of a few lines.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use witness::Answer;

use crate::logs::{Log, ORIGIN, Site};

const ENTRIES: u64 = 24;

#[derive(Clone, Debug)]
enum Step {
    /// A request by the honest log (no branch) or by one that parted from it after so many entries.
    Add {
        branch: Option<u64>,
        old: u64,
        new: u64,
        old_is_right: bool,
        bad_proof: bool,
    },
    Restart,
    Clock(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let branch = prop_oneof![3 => Just(None), 1 => (0..ENTRIES).prop_map(Some)];
    let add = (branch, 0..=ENTRIES, 0..=ENTRIES, prop::bool::weighted(0.7), prop::bool::weighted(0.1));
    let add = add.prop_map(|(branch, old, new, old_is_right, bad_proof)| Step::Add {
        branch,
        old,
        new,
        old_is_right,
        bad_proof,
    });
    prop_oneof![8 => add, 1 => Just(Step::Restart), 1 => (-5_000_i64..10_000).prop_map(Step::Clock)]
}

fn config() -> Config {
    let rng_seed = RngSeed::Fixed(0x1ed6_e757);
    Config { cases: 300, failure_persistence: None, rng_seed, ..Config::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn only_one_history_is_ever_cosigned(steps in prop::collection::vec(step(), 1..25)) {
        let honest = Log::new(ORIGIN, ENTRIES);
        let mut site = Site::new(&[honest.vkey()]);
        // The model: the entries under the checkpoint cosigned last, how many, and when.
        let (mut last, mut size, mut time) = (honest.leaves.clone(), 0_u64, 0);
        for step in steps {
            let (branch, old, new, bad_proof) = match step {
                Step::Add { branch, old, new, old_is_right, bad_proof } => {
                    (branch, if old_is_right { size } else { old }, new, bad_proof)
                }
                Step::Clock(ms) => {
                    site.env.jump(ms);
                    continue;
                }
                Step::Restart => {
                    site = site.restart(&[honest.vkey()]).unwrap();
                    continue;
                }
            };
            let log = branch.map_or_else(|| Log::new(ORIGIN, ENTRIES), |at| honest.forked(at));
            let mut request = log.request(old.min(new), new);
            request.old = old;
            if bad_proof {
                request.proof.push(tlog::leaf_hash(b"bad"));
            }
            let common = size.min(new) as usize;
            let expected = if old > new {
                400
            } else if old != size {
                409
            } else if bad_proof || log.leaves[..common] != last[..common] {
                422
            } else {
                200
            };
            let answer = site.add(&request);
            prop_assert_eq!(answer.status(), expected, "{:?}", answer);
            match answer {
                Answer::Cosigned(_) => {
                    let note = &request.checkpoint_note;
                    let cosigned = crate::logs::verify(note, &answer, &log.vkey(), site.witness.vkey());
                    prop_assert!(cosigned.timestamp() >= Some(time));
                    (last, size, time) = (log.leaves, new, cosigned.timestamp().unwrap());
                }
                Answer::Conflict(told) => prop_assert_eq!(told, size),
                _ => {}
            }
            prop_assert_eq!(site.size(ORIGIN).unwrap_or(0), size);
        }
    }
}
