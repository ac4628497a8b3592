//! A store that is slow, fails, or comes back: nobody is told what is not so.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use api::Limits;
use record::entry::Kind;

use crate::moody::Mood;
use crate::site::{PATIENCE, Setup, Site, event, lines, options, wait_until};

fn events(site: &Site) -> usize {
    site.stored().iter().filter(|(kind, _)| *kind == Kind::Event).count()
}

#[test]
fn a_full_queue_refuses_at_the_start_and_waits_in_the_middle() {
    let limits = Limits { queued_bytes: 64 << 10, ..Limits::default() };
    let site = Site::with_limits(limits);
    site.append("", event(0)).ok();
    let opened = site.post("/v1/sources", r#"{"ledger":"main"}"#).ok();
    assert_eq!(opened.number("source"), 2);
    site.temper.set(Mood::Held);
    std::thread::scope(|scope| {
        let long = scope.spawn(|| site.append("", lines(1..3001)));
        wait_until("the queue is full", || site.append_unless_waiting() == Some(429));
        let answer = site.append("", event(9)).problem(429, "busy");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
        assert!(!answer.has("recorded"));
        // Another source, which has nothing under way, waits its turn.
        let other = scope.spawn(|| site.append("?source=2", event(8)));
        std::thread::sleep(Duration::from_millis(100));
        assert!(!other.is_finished());
        site.temper.set(Mood::Fine);
        assert_eq!(other.join().unwrap().ok().number("count"), 1);
        let answer = long.join().unwrap().ok();
        assert_eq!((answer.number("count"), answer.number("quarantined")), (3000, 0));
    });
    assert!(events(&site) >= 3001);
}

/// What needs the whole queue waits for those before it; a small append of a source that has no other goes past both.
#[test]
fn a_small_append_of_a_quiet_source_does_not_wait_behind_large_ones() {
    let site = Site::with_limits(Limits { queued_bytes: 128 << 10, ..Limits::default() });
    let open = || site.post("/v1/sources", r#"{"ledger":"main"}"#).ok().number("source");
    let (loud, quiet) = (open(), open());
    let large = format!(r#"{{"class_uid":6003,"message":"{}"}}"#, "x".repeat(100 << 10));
    let append =
        |source: u64, body: &str| site.append(&format!("?source={source}"), body).ok().number("first");
    let overtakes = |moment: Duration| {
        site.temper.set(Mood::Held);
        std::thread::scope(|scope| {
            let long = scope.spawn(|| site.append("", lines(1..3001)).ok());
            wait_until("the queue is full", || site.append_unless_waiting() == Some(429));
            let before = scope.spawn(|| append(loud, &large));
            std::thread::sleep(moment);
            let after = scope.spawn(|| append(quiet, &event(8)));
            std::thread::sleep(moment);
            site.temper.set(Mood::Fine);
            long.join().unwrap();
            after.join().unwrap() < before.join().unwrap()
        })
    };
    // Whether it has been handed over by then can't be seen from outside: a busy machine is given longer.
    assert!((1..6).any(|times| overtakes(Duration::from_millis(300) * times)));
}

impl Site {
    /// The status of an append, or `None` if it is not refused within a moment.
    fn append_unless_waiting(&self) -> Option<u16> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let body = event(5);
        write!(
            stream,
            "POST /v1/ledgers/main/events HTTP/1.1\r\nHost: l\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.admin,
            body.len()
        )
        .unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).ok()?;
        std::str::from_utf8(&status[9..]).unwrap().parse().ok()
    }
}

#[test]
fn a_queue_of_the_engine_that_is_full_is_offered_the_same_records_again() {
    // The edge lets in more than the engine takes, so that the engine refuses in the middle of a body.
    let mut options = options();
    options.queue_bytes = 600 << 10;
    options.group_bytes = 64 << 10;
    let site = Site::with(Setup { options, ..Setup::default() });
    let (_, token) = site.source("source");
    std::thread::scope(|scope| {
        let append = |number: u64| {
            let site = &site;
            scope.spawn(move || site.append("", lines(number * 10_000..number * 10_000 + 3000)))
        };
        let others: Vec<_> = (0..4).map(append).collect();
        let path = "/v1/ledgers/main/events?epoch=1&sequence=1";
        let mut next = 1;
        while next <= 5000 {
            let path = path.replace("sequence=1", &format!("sequence={next}"));
            let answer = site.post_as(&path, Some(&token), &[], lines(next..5001));
            match answer.status {
                200 => next += answer.number("count"),
                429 if answer.has("recorded") => next += answer.number("recorded.count"),
                429 => std::thread::sleep(Duration::from_millis(50)),
                _ => panic!("{answer}"),
            }
        }
        let mut told = 0;
        for other in others {
            let answer = other.join().unwrap();
            told += match answer.status {
                200 => answer.number("count"),
                429 if answer.has("recorded") => answer.number("recorded.count"),
                429 => 0,
                _ => panic!("{answer}"),
            };
        }
        assert_eq!(events(&site) as u64, told + 5000);
    });
}

#[test]
fn while_the_disk_fails_nothing_is_acknowledged_and_reading_goes_on() {
    let site = Site::start();
    let first = site.append("?wait=committed", event(1)).ok().number("first");
    site.temper.set(Mood::Failing);
    let answer = site.append("", event(2));
    assert_eq!(answer.status, 503, "{answer}");
    let kind = answer.text("type");
    assert!(["ledgerstone:outcome-unknown", "ledgerstone:unavailable"].contains(&&*kind), "{answer}");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    wait_until("the failure shows", || site.get_as("/healthz", None).status == 503);
    let health = site.get_as("/healthz", None);
    assert_eq!(health.text("status"), "suspended");
    assert!(!health.text("reason").is_empty());
    site.append("", event(3)).problem(503, "unavailable");
    site.post("/v1/sources", r#"{"ledger":"main"}"#).problem(503, "unavailable");
    assert_eq!(site.get(&format!("/v1/ledgers/main/events/{first}")).ok().text("raw"), event(1));
    site.get(&format!("/v1/ledgers/main/proof/{first}")).ok();
    site.temper.set(Mood::Fine);
    wait_until("the server records again", || site.get_as("/healthz", None).status == 200);
    let answer = site.append("?wait=committed&receipts=full", event(4)).ok();
    answer.receipts()[0].check_proof(&site.key()).unwrap();
    let gaps = site.get("/v1/ledgers/main/search?q=kind:gap%20suspended").ok();
    assert!(!gaps.value("hits").as_array().unwrap().is_empty(), "{gaps}");
}

#[test]
fn a_failure_in_the_middle_of_a_body_tells_what_is_recorded() {
    let site = Site::start();
    let (_, token) = site.source("source");
    let before = site.durable();
    let mut stream = TcpStream::connect(&site.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "POST /v1/ledgers/main/events?epoch=1&sequence=1 HTTP/1.1\r\nHost: l\r\nAuthorization: Bearer {token}\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut send = |text: &str| write!(stream, "{:x}\r\n{text}\r\n", text.len()).unwrap();
    send(&lines(1..4));
    wait_until("the first part is durable", || site.durable() >= before + 3);
    site.temper.set(Mood::Failing);
    send(&lines(4..7));
    send(&lines(7..9));
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains(r#""recorded":{"count":3,"#), "{answer}");
    site.temper.set(Mood::Fine);
    wait_until("the server records again", || site.get_as("/healthz", None).status == 200);
    // The rest again under its numbers: whatever of it had got through is recognized.
    let path = "/v1/ledgers/main/events?epoch=1&sequence=4";
    let answer = site.post_as(path, Some(&token), &[], lines(4..9)).ok();
    assert_eq!(answer.number("count"), 5);
    assert_eq!(events(&site), 8);
}

#[test]
fn waiting_for_a_checkpoint_ends() {
    let mut options = options();
    options.checkpoint_interval = Duration::from_secs(3600);
    let limits = Limits { commit_wait: Duration::from_millis(200), ..Limits::default() };
    let site = Site::with(Setup { options, limits, ..Setup::default() });
    let index = site.append("", event(0)).ok().number("first");
    // The first checkpoint comes at once, the next in an hour.
    wait_until("there is a checkpoint", || {
        site.engine.reads().published(0).is_some_and(|published| published.checkpoint.size > index)
    });
    let answer = site.append("?wait=committed", event(1)).problem(503, "unavailable");
    assert_eq!(answer.number("recorded.count"), 1);
    assert_eq!(events(&site), 2);
}
