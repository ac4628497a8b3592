//! Sources that number their events: gaps are refused, retries are recognized and compared.

use crate::site::{Answer, Site, event, lines};

struct Source<'a> {
    site: &'a Site,
    number: u64,
    token: String,
}

impl<'a> Source<'a> {
    fn open(site: &'a Site) -> Self {
        let (number, token) = site.source("source");
        Self { site, number, token }
    }

    fn send(&self, epoch: u32, sequence: u64, body: impl AsRef<[u8]>) -> Answer {
        let path = format!("/v1/ledgers/main/events?epoch={epoch}&sequence={sequence}&receipts=full");
        self.site.post_as(&path, Some(&self.token), &[], body)
    }

    fn epoch(&self, body: &str) -> Answer {
        self.site.post_as(&format!("/v1/sources/{}/epochs", self.number), Some(&self.token), &[], body)
    }
}

#[test]
fn the_next_number_is_taken_and_a_gap_is_refused() {
    let site = Site::start();
    let source = Source::open(&site);
    assert_eq!(source.send(1, 1, lines(1..4)).ok().number("count"), 3);
    let answer = source.send(1, 5, lines(5..6)).problem(409, "sequence");
    assert_eq!((answer.number("expected"), answer.number("epoch")), (4, 1));
    assert!(!answer.has("recorded"));
    assert_eq!(source.send(1, 4, lines(4..6)).ok().number("count"), 2);
    source.send(1, 0, lines(5..6)).problem(409, "sequence");
}

#[test]
fn a_retry_is_recognized_and_gets_the_same_receipts() {
    let site = Site::start();
    let source = Source::open(&site);
    let body = format!("{}{}", lines(1..4), "not json\n");
    let first = source.send(1, 1, &body).ok();
    site.append("", lines(100..103)).ok();
    for _ in 0..2 {
        let durable = site.durable();
        let again = source.send(1, 1, &body).ok();
        assert_eq!((again.number("count"), again.number("duplicates")), (4, 4), "{again}");
        assert_eq!(again.number("quarantined"), 1);
        assert_eq!(again.value("compared").as_bool(), Some(true));
        assert_eq!(again.receipts(), first.receipts());
        assert_eq!(again.value("ranges"), first.value("ranges"));
        assert_eq!(site.durable(), durable);
    }
}

#[test]
fn a_retry_with_other_bytes_is_refused_by_index() {
    let site = Site::start();
    let source = Source::open(&site);
    let first = source.send(1, 1, lines(1..4)).ok();
    let other = format!("{}{}\n{}", lines(1..2), event(77), lines(3..5));
    let answer = source.send(1, 1, other).problem(409, "duplicate-differs");
    assert_eq!((answer.number("index"), answer.number("sequence")), (first.number("first") + 1, 2));
    assert_eq!(answer.number("recorded.count"), 1);
    // What came behind the retries was new and is recorded; it is not among what is told to be done.
    assert_eq!(answer.number("recorded_beyond"), 1);
    assert_eq!(source.send(1, 4, lines(4..5)).ok().number("duplicates"), 1);
}

#[test]
fn a_retry_may_go_on_where_the_first_attempt_ended() {
    let site = Site::start();
    let source = Source::open(&site);
    let first = source.send(1, 1, lines(1..4)).ok();
    site.append("", lines(100..103)).ok();
    let answer = source.send(1, 2, lines(2..7)).ok();
    assert_eq!((answer.number("count"), answer.number("duplicates")), (5, 2), "{answer}");
    assert_eq!(answer.number("first"), first.number("first") + 1);
    let receipts = answer.receipts();
    assert_eq!(receipts.len(), 5);
    for (number, receipt) in (2..7).zip(&receipts) {
        receipt.check_raw(event(number).as_bytes()).unwrap();
        assert_eq!(receipt.decode_entry().unwrap().sequence, number);
        assert_eq!(u64::from(receipt.decode_entry().unwrap().source), source.number);
    }
    assert_eq!(source.send(1, 7, lines(7..8)).ok().number("count"), 1);
}

#[test]
fn a_long_body_keeps_its_numbers_and_can_be_sent_again() {
    let site = Site::start();
    let source = Source::open(&site);
    let body = lines(1..4001);
    std::thread::scope(|scope| {
        let others = scope.spawn(|| (0..40).for_each(|n| drop(site.append("", event(9000 + n)).ok())));
        let first = source.send(1, 1, &body).ok();
        assert_eq!((first.number("count"), first.number("duplicates")), (4000, 0));
        others.join().unwrap();
    });
    let again = source.send(1, 1, &body).ok();
    assert_eq!((again.number("count"), again.number("duplicates")), (4000, 4000));
    let receipts = again.receipts();
    for (number, receipt) in (1..4001).zip(&receipts) {
        receipt.check_raw(event(number).as_bytes()).unwrap();
        assert_eq!(receipt.decode_entry().unwrap().sequence, number);
    }
    // The last part alone is found among many.
    assert_eq!(source.send(1, 3990, lines(3990..4001)).ok().number("duplicates"), 11);
    assert_eq!(source.send(1, 4001, event(1)).ok().number("duplicates"), 0);
}

#[test]
fn an_oversize_record_sent_again_is_compared_by_its_hash() {
    let limits = api::Limits { record_bytes: 1000, ..api::Limits::default() };
    let site = Site::with_limits(limits);
    let source = Source::open(&site);
    let large = |letter: &str| format!(r#"{{"message":"{}"}}"#, letter.repeat(2000));
    source.send(1, 1, large("a")).ok();
    let again = source.send(1, 1, large("a")).ok();
    assert_eq!((again.number("duplicates"), again.value("compared").as_bool()), (1, Some(true)));
    source.send(1, 1, large("b")).problem(409, "duplicate-differs");
}

#[test]
fn epochs_follow_one_another() {
    let site = Site::start();
    let source = Source::open(&site);
    source.send(1, 1, lines(1..4)).ok();
    let answer = source.send(2, 1, event(1)).problem(409, "epoch");
    assert_eq!(answer.number("current"), 1);
    let opened = source.epoch(r#"{"ledger":"main","numbering":"source","previous_last_sequence":3}"#).ok();
    assert_eq!((opened.number("source"), opened.number("epoch")), (source.number, 2));
    assert_eq!(source.send(1, 4, event(4)).problem(409, "epoch").number("current"), 2);
    assert_eq!(source.send(2, 1, lines(1..3)).ok().number("duplicates"), 0);
    assert_eq!(source.send(2, 1, lines(1..3)).ok().number("duplicates"), 2);
    let gaps = || site.get("/v1/ledgers/main/search?q=kind:gap").ok().value("hits").as_array().unwrap().len();
    let before = gaps();
    source.epoch(r#"{"ledger":"main","numbering":"source","previous_last_sequence":null}"#).ok();
    assert_eq!(gaps(), before + 1);
    // From now on the server numbers, so that there is nothing to compare.
    source.epoch(r#"{"ledger":"main","numbering":"server","previous_last_sequence":0}"#).ok();
    source.send(4, 1, event(1)).problem(400, "numbering");
    let path = "/v1/ledgers/main/events";
    assert_eq!(site.post_as(path, Some(&source.token), &[], event(1)).ok().number("count"), 1);
}

#[test]
fn numbers_are_for_those_who_number() {
    let site = Site::start();
    let source = Source::open(&site);
    let path = "/v1/ledgers/main/events";
    let answer = site.post_as(path, Some(&source.token), &[], event(1)).problem(400, "numbering");
    assert_eq!(answer.text("numbering"), "source");
    let answer = site.append("?epoch=1&sequence=1", event(1)).problem(400, "numbering");
    assert_eq!(answer.text("numbering"), "server");
    site.append("?epoch=1", event(1)).problem(400, "numbering");
    site.append("?source=99", event(1)).problem(404, "no-such-source");
    site.append(&format!("?source={}&epoch=1&sequence=1", source.number), event(1)).ok();
    site.append("?source=0", event(1)).problem(403, "forbidden");
    site.append("?sorce=1", event(1)).problem(400, "query");
    site.append("?wait=later", event(1)).problem(400, "query");
    site.post("/v1/ledgers/none/events", event(1)).problem(404, "no-such-ledger");
}
