//! Requests at the same time: of those that exclude each other exactly one is cosigned (C2SP tlog-witness, the race
//! in "add-checkpoint").

use std::sync::Barrier;
use std::thread;

use tlog::{AddCheckpoint, UnverifiedCheckpoint, origin_hash};
use witness::Answer;

use crate::logs::{Log, ORIGIN, Site};

/// Lets all requests go at once and returns the answers in their order.
fn race(site: &Site, requests: &[AddCheckpoint]) -> Vec<Answer> {
    let start = Barrier::new(requests.len());
    thread::scope(|scope| {
        let racers: Vec<_> = requests
            .iter()
            .map(|request| {
                scope.spawn(|| {
                    start.wait();
                    site.add(request)
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    })
}

#[test]
fn of_many_forks_exactly_one_is_cosigned() {
    let log = Log::new(ORIGIN, 64);
    for round in 0..20 {
        let site = Site::new(&[log.vkey()]);
        site.cosigned(&log, 0, 7);
        // 24 histories that part after the seventh entry, of different and of equal sizes.
        let forks: Vec<Log> = (0..24).map(|n| branch(&log, 7, n)).collect();
        let requests: Vec<_> = (10..).zip(&forks).map(|(n, fork)| fork.request(7, 10 + n % 5)).collect();
        let answers = race(&site, &requests);
        let won: Vec<usize> = (0..24).filter(|at| answers[*at].status() == 200).collect();
        assert_eq!(won.len(), 1, "round {round}: {answers:?}");
        let winner = &requests[won[0]];
        let parsed = UnverifiedCheckpoint::parse(winner.checkpoint_note.as_bytes()).unwrap();
        let size = parsed.claimed().size;
        for (at, answer) in answers.iter().enumerate().filter(|(at, _)| *at != won[0]) {
            assert_eq!(answer, &Answer::Conflict(size), "request {at}");
        }
        let served = site.witness.latest(&origin_hash(ORIGIN)).unwrap();
        assert!(served.starts_with(parsed.note().text()));
    }
}

/// A history with entries of its own from `at` on.
fn branch(log: &Log, at: u64, number: u8) -> Log {
    let mut branch = log.forked(at);
    for leaf in &mut branch.leaves[at as usize..] {
        *leaf = tlog::node_hash(leaf, &tlog::leaf_hash(&[number]));
    }
    branch
}

/// The specification's own race: N and N+K at once must not end at N.
#[test]
fn a_log_in_a_hurry_never_goes_back() {
    let log = Log::new(ORIGIN, 200);
    let site = Site::new(&[log.vkey()]);
    site.cosigned(&log, 0, 1);
    let mut last = 1;
    for _ in 0..20 {
        let requests: Vec<_> = (1..=8).map(|n| log.request(last, last + n)).collect();
        let answers = race(&site, &requests);
        let won: Vec<u64> = (1..).zip(&answers).filter(|(_, a)| a.status() == 200).map(|(n, _)| n).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        last += won[0];
        assert_eq!(site.size(ORIGIN), Some(last));
    }
}

/// The same checkpoint by many: each is cosigned or told the size, and a second try succeeds.
#[test]
fn many_ask_for_the_same() {
    let log = Log::new(ORIGIN, 30);
    let site = Site::new(&[log.vkey()]);
    site.cosigned(&log, 0, 9);
    let answers = race(&site, &vec![log.request(9, 30); 16]);
    assert_eq!(answers.iter().filter(|answer| answer.status() == 200).count(), 1);
    for answer in race(&site, &vec![log.request(30, 30); 16]) {
        assert_eq!(answer.status(), 200);
    }
}

#[test]
fn other_logs_do_not_wait() {
    let logs: Vec<Log> = (0..16).map(|n| Log::new(&format!("example.com/{n}"), 40)).collect();
    let keys: Vec<_> = logs.iter().map(Log::vkey).collect();
    let site = Site::new(&keys);
    thread::scope(|scope| {
        for log in &logs {
            scope.spawn(|| (0..40).for_each(|size| drop(site.cosigned(log, size, size + 1))));
        }
    });
    assert!(logs.iter().all(|log| site.size(log.key.name()) == Some(40)));
}
