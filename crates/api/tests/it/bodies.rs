//! Codings, limits, and bodies that do not end as they should.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use api::Limits;
use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use record::entry::Kind;
use tokio::io::AsyncWriteExt;

use crate::site::{PATIENCE, Site, event, lines, wait_until};

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn gzip(bytes: &str) -> Vec<u8> {
    block_on(async {
        let mut encoder = GzipEncoder::new(Vec::new());
        encoder.write_all(bytes.as_bytes()).await.unwrap();
        encoder.shutdown().await.unwrap();
        encoder.into_inner()
    })
}

fn zstd(bytes: &str) -> Vec<u8> {
    block_on(async {
        let mut encoder = ZstdEncoder::new(Vec::new());
        encoder.write_all(bytes.as_bytes()).await.unwrap();
        encoder.shutdown().await.unwrap();
        encoder.into_inner()
    })
}

fn coded(site: &Site, coding: &str, body: &[u8]) -> crate::site::Answer {
    let headers = [("content-encoding", coding)];
    site.post_as("/v1/ledgers/main/events", Some(&site.admin), &headers, body)
}

fn events(site: &Site) -> Vec<String> {
    let stored = site.stored().into_iter().filter(|(kind, _)| *kind == Kind::Event);
    stored.map(|(_, raw)| String::from_utf8(raw).unwrap()).collect()
}

#[test]
fn compressed_bodies_are_inflated() {
    let site = Site::start();
    let text = lines(0..5000);
    let two = |pack: fn(&str) -> Vec<u8>| [pack(&text[..100_001]), pack(&text[100_001..])].concat();
    for (coding, body) in [
        ("gzip", gzip(&text)),
        ("zstd", zstd(&text)),
        ("identity", text.clone().into_bytes()),
        ("x-gzip", gzip(&text)),
        ("GZIP", two(gzip)),
        ("zstd", two(zstd)),
    ] {
        let answer = coded(&site, coding, &body).ok();
        assert_eq!((answer.number("count"), answer.number("quarantined")), (5000, 0), "{coding}");
    }
    let all: Vec<String> = (0..6).flat_map(|_| (0..5000).map(event)).collect();
    assert_eq!(events(&site), all);
}

#[test]
fn other_codings_are_refused() {
    let site = Site::start();
    for coding in ["br", "deflate", "gzip, zstd", "chunked"] {
        coded(&site, coding, b"{}").problem(415, "content-encoding");
    }
}

#[test]
fn a_body_that_stops_inflating_is_recorded_up_to_there() {
    let site = Site::start();
    let body = gzip(&lines(0..5000));
    let mut broken = body.clone();
    let middle = broken.len() / 2;
    broken[middle..].fill(0xff);
    for (coding, bad) in [("gzip", &body[..body.len() - 9]), ("gzip", &broken), ("zstd", &body)] {
        let before = events(&site).len();
        let answer = coded(&site, coding, bad).problem(400, "body");
        let told = if answer.has("recorded") { answer.number("recorded.count") } else { 0 };
        let now = events(&site);
        assert_eq!((now.len() - before) as u64, told, "{answer}");
        assert!(now[before..].iter().cloned().eq((0..told).map(event)));
        // Cut off within its trailer, the first has been inflated to its end.
        assert!(told < 5000 || bad.len() == body.len() - 9);
    }
}

#[test]
fn a_body_beyond_the_limit_is_refused_unread_or_recorded_up_to_there() {
    let site = Site::with_limits(Limits { body_bytes: 400_000, ..Limits::default() });
    let before = site.durable();
    let long = lines(0..5000);
    let answer = site.append("", &long).problem(413, "too-large");
    assert!(!answer.has("recorded"));
    assert_eq!((answer.number("limit"), site.durable()), (400_000, before));
    // Small as sent, large once inflated.
    let answer = coded(&site, "zstd", &zstd(&long)).problem(413, "too-large");
    let told = answer.number("recorded.count");
    assert!(told > 0 && told < 5000);
    assert!(events(&site).into_iter().eq((0..told).map(event)));
    assert_eq!(answer.number("recorded.last") - answer.number("recorded.first") + 1, told);
}

#[test]
fn a_record_beyond_the_limit_is_quarantined_by_size_and_hash() {
    let site = Site::with_limits(Limits { record_bytes: 1000, ..Limits::default() });
    let large = format!(r#"{{"class_uid":6003,"message":"{}"}}"#, "x".repeat(2000));
    let body = format!("{}\n{large}\n{}\n", event(1), event(2));
    let answer = site.append("?receipts=full", &body).ok();
    assert_eq!((answer.number("count"), answer.number("quarantined")), (3, 1), "{answer}");
    assert_eq!(events(&site), [event(1), event(2)]);
    let shown = site.get(&format!("/v1/ledgers/main/events/{}", answer.number("first") + 1)).ok();
    assert_eq!((shown.text("kind"), shown.text("raw")), ("quarantine".to_owned(), String::new()));
    let said = shown.value("event.quarantine");
    assert_eq!(said.path(&["size"]).unwrap().as_u64(), Some(large.len() as u64), "{shown}");
    use sha2::Digest;
    let hash = evidence::hex::encode(&sha2::Sha256::digest(&large));
    assert_eq!(said.path(&["sha256"]).unwrap().str(), Some(&*hash));
    answer.receipts()[1].check_raw(b"").unwrap();
}

#[test]
fn a_record_of_many_blocks_is_kept_whole() {
    let site = Site::start();
    let large = format!(r#"{{"class_uid":6003,"message":"{}"}}"#, "y".repeat(3 << 20));
    let answer = site.append("?receipts=full", format!("{}\n{large}\n{}", event(1), event(2))).ok();
    assert_eq!((answer.number("count"), answer.number("quarantined")), (3, 0));
    answer.receipts()[1].check_raw(large.as_bytes()).unwrap();
    assert_eq!(events(&site), [event(1), large, event(2)]);
}

#[test]
fn long_records_of_many_clients_wait_for_one_another_and_not_for_ever() {
    let limits = Limits { streamed_appends: 2, long_records: 1, large_records: 1, ..Limits::default() };
    let site = Site::with_limits(limits);
    let sizes = [5 << 20, 300 << 10, 6 << 20, 10, 400 << 10];
    let body = |client: usize| {
        let line =
            |size: &usize| format!("{{\"class_uid\":6003,\"message\":\"{client}{}\"}}\n", "z".repeat(*size));
        sizes.iter().map(line).collect::<String>()
    };
    std::thread::scope(|scope| {
        let client = |client| {
            let site = &site;
            scope.spawn(move || site.append("?receipts=full", body(client)).ok())
        };
        let clients: Vec<_> = (0..4).map(client).collect();
        for (client, answer) in clients.into_iter().enumerate() {
            let answer = answer.join().unwrap();
            assert_eq!((answer.number("count"), answer.number("quarantined")), (5, 0));
            for (line, receipt) in body(client).lines().zip(answer.receipts()) {
                receipt.check_raw(line.as_bytes()).unwrap();
            }
        }
    });
}

/// A request that is sent by hand, in chunks.
struct Slow(TcpStream);

impl Slow {
    fn begin(site: &Site) -> Self {
        Self::begin_with(site, "")
    }

    /// Begins, and sends the first of the body along, so that no pause comes before it.
    fn begin_with(site: &Site, first: &str) -> Self {
        let mut stream = TcpStream::connect(&site.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "POST /v1/ledgers/main/events HTTP/1.1\r\nHost: l\r\nAuthorization: Bearer {}\r\n\
             Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
            site.admin
        );
        let first =
            if first.is_empty() { String::new() } else { format!("{:x}\r\n{first}\r\n", first.len()) };
        stream.write_all((head + &first).as_bytes()).unwrap();
        Self(stream)
    }

    fn send(&mut self, text: &str) {
        write!(self.0, "{:x}\r\n{text}\r\n", text.len()).unwrap();
    }

    fn end(&mut self) {
        self.0.write_all(b"0\r\n\r\n").unwrap();
    }

    fn answer(mut self) -> String {
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).unwrap();
        answer
    }
}

#[test]
fn a_slow_body_is_recorded_as_it_comes() {
    let site = Site::start();
    let before = site.durable();
    let mut slow = Slow::begin(&site);
    slow.send(&lines(0..2));
    wait_until("the first lines are durable", || site.durable() > before);
    slow.send(&lines(2..4)[..50]);
    slow.send(&lines(2..4)[50..]);
    wait_until("more lines are durable", || site.durable() >= before + 3);
    slow.end();
    let answer = slow.answer();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(r#""count":4,"#), "{answer}");
    assert!(events(&site).into_iter().eq((0..4).map(event)));
}

#[test]
fn a_body_that_pauses_too_long_is_told_what_is_recorded() {
    let site = Site::with_limits(Limits { body_wait: Duration::from_millis(200), ..Limits::default() });
    let slow = Slow::begin_with(&site, &format!("{}{}", lines(0..3), &event(3)[..20]));
    let answer = slow.answer();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains(r#""type":"ledgerstone:timeout""#), "{answer}");
    assert!(answer.contains(r#""count":3,"#), "{answer}");
    assert!(events(&site).into_iter().eq((0..3).map(event)));
}

/// Sends piece after piece, 20 a second, until there is an answer.
fn dripping<'a>(stream: &mut TcpStream, pieces: impl Iterator<Item = &'a [u8]>) -> String {
    stream.set_nonblocking(true).unwrap();
    let mut answer = Vec::new();
    for piece in pieces {
        // Whoever has answered reads no more.
        drop(stream.write_all(piece));
        std::thread::sleep(Duration::from_millis(50));
        // Nothing there is an error as well.
        let _ = stream.read_to_end(&mut answer);
        if answer.ends_with(b"}\n") {
            return String::from_utf8(answer).unwrap();
        }
    }
    panic!("all of it was taken");
}

#[test]
fn a_body_that_drips_for_ever_is_ended_and_one_that_is_slow_is_not() {
    let limits = Limits { body_grace: Duration::from_millis(300), body_rate: 512, ..Limits::default() };
    let site = Site::with_limits(limits);
    // 20 bytes a second: no pause is long.
    let mut drip = Slow::begin_with(&site, &lines(0..2));
    let answer = dripping(&mut drip.0, "1\r\n \r\n".as_bytes().repeat(400).chunks(6));
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(
        answer.contains(r#""type":"ledgerstone:timeout""#) && answer.contains(r#""rate":512"#),
        "{answer}"
    );
    assert!(answer.contains(r#""count":2,"#), "what came is recorded and told: {answer}");
    // With pauses, three times as long as the grace; fast enough even if this test has to wait for its turn.
    let mut slow = Slow::begin_with(&site, &lines(2..40));
    for at in 2..20 {
        slow.send(&lines(at * 20..(at + 1) * 20));
        std::thread::sleep(Duration::from_millis(50));
    }
    slow.end();
    let answer = slow.answer();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""count":398,"#), "{answer}");
    assert!(events(&site).into_iter().eq((0..400).map(event)));
}

#[test]
fn a_body_is_held_to_its_pace_before_it_is_inflated() {
    let limits = Limits { body_grace: Duration::from_millis(300), body_rate: 512, ..Limits::default() };
    let site = Site::with_limits(limits);
    let packed = gzip(&lines(0..2000));
    let mut stream = TcpStream::connect(&site.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "POST /v1/ledgers/main/events HTTP/1.1\r\nHost: l\r\nAuthorization: Bearer {}\r\nContent-Encoding: gzip\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        site.admin,
        packed.len()
    )
    .unwrap();
    let answer = dripping(&mut stream, packed.chunks(1));
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains(r#""rate":512"#), "{answer}");
}

#[test]
fn a_connection_that_breaks_off_leaves_whole_records_only() {
    let site = Site::start();
    let before = site.durable();
    let mut slow = Slow::begin(&site);
    slow.send(&lines(0..2));
    wait_until("the first line is durable", || site.durable() > before);
    slow.send(&event(2)[..20]);
    drop(slow);
    let answer = site.append("", event(9)).ok();
    assert_eq!(answer.number("count"), 1);
    std::thread::sleep(Duration::from_millis(100));
    for raw in events(&site) {
        assert!([event(0), event(1), event(9)].contains(&raw), "{raw}");
    }
}
