//! Connections: how many, how slow, and how they end.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use api::Limits;
use env::{Clock, SystemEnv};

use crate::moody::Mood;
use crate::site::{PATIENCE, Site, event, wait_until};

fn connect(site: &Site) -> TcpStream {
    let stream = TcpStream::connect(&site.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What comes until the other side closes.
fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // A reset after the last byte is a close as well; that nothing comes is none.
    if let Err(error) = stream.read_to_end(&mut text) {
        assert_ne!(error.kind(), ErrorKind::WouldBlock, "it stays open: {}", String::from_utf8_lossy(&text));
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Whether one more connection is served.
fn is_served(site: &Site) -> bool {
    let mut stream = connect(site);
    drop(stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: l\r\nConnection: close\r\n\r\n"));
    rest(stream).starts_with("HTTP/1.1 200")
}

/// Three connections that have had an answer, and stay open.
fn three_served(site: &Site) -> Vec<TcpStream> {
    let served = |_| {
        let mut stream = connect(site);
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: l\r\n\r\n").unwrap();
        stream.read_exact(&mut [0; 12]).unwrap();
        stream
    };
    (0..3).map(served).collect()
}

#[test]
fn a_connection_too_many_is_told_so() {
    let site = Site::with_limits(Limits { connections: 3, ..Limits::default() });
    let held = three_served(&site);
    let refused = rest(connect(&site));
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(
        refused.contains("Retry-After: 1\r\n") && refused.contains("ledgerstone:connections"),
        "{refused}"
    );
    drop(held);
    wait_until("there is room again", || is_served(&site));
}

#[test]
fn one_client_does_not_take_all_connections() {
    let limits = Limits {
        connections: 6,
        connections_from_loopback: 3,
        count_interval: Duration::from_millis(50),
        ..Limits::default()
    };
    let site = Site::with_limits(limits);
    let held = three_served(&site);
    for _ in 0..2 {
        let refused = rest(connect(&site));
        assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
        assert!(refused.contains("ledgerstone:connections-of-address"), "{refused}");
    }
    drop(held);
    wait_until("there is room again", || is_served(&site));
    let reason = "ledgerstone_connections_turned_away_total{reason=\"too-many-connections-of-address\"} ";
    // There is room for one; that all of those that were held are gone may take a moment longer.
    let mut page = String::new();
    wait_until("there is room for metrics", || {
        let answer = site.get("/metrics");
        page = String::from_utf8(answer.body).unwrap();
        answer.status == 200
    });
    let count = page.lines().find_map(|line| line.strip_prefix(reason)).unwrap();
    assert!(count.parse::<u64>().unwrap() >= 2, "{count}");
    // Counted, not one by one, and none is lost.
    site.expect_access(&[("operation", "too-many-connections-of-address")]);
    wait_until("all of them are on record", || {
        let of_reason = |access: &&record::json::Value<'static>| {
            access.path(&["api", "operation"]).and_then(record::json::Value::str)
                == Some("too-many-connections-of-address")
        };
        let counts = site.accesses();
        let counts = counts.iter().filter(of_reason);
        let counts = counts.filter_map(|access| access.path(&["count"])?.as_u64());
        counts.sum::<u64>() == count.parse::<u64>().unwrap()
    });
}

#[test]
fn a_head_that_is_too_long_or_too_slow_is_cut_off() {
    let limits = Limits { head_bytes: 16 << 10, head_wait: Duration::from_millis(300), ..Limits::default() };
    let site = Site::with_limits(limits);
    let mut stream = connect(&site);
    let long = format!("GET /healthz HTTP/1.1\r\nHost: l\r\nX: {}\r\n\r\n", "x".repeat(32 << 10));
    drop(stream.write_all(long.as_bytes()));
    let answer = rest(stream);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    for start in ["", "P", "PRI", "GET /heal", "GET /healthz HTTP/1.1\r\nHost: l\r\n"] {
        let mut stream = connect(&site);
        stream.write_all(start.as_bytes()).unwrap();
        let answer = rest(stream);
        assert!(!answer.contains("200"), "{start}: {answer}");
    }
    // Somebody who is in time: on a busy machine perhaps not the first time.
    wait_until("an honest request is answered", || is_served(&site));
}

#[test]
fn requests_under_way_are_finished_when_the_server_stops() {
    let mut site =
        Site::with_limits(Limits { shutdown_wait: Duration::from_secs(3600), ..Limits::default() });
    let before = site.durable();
    site.temper.set(Mood::Held);
    let mut stream = connect(&site);
    let body = event(1);
    write!(
        stream,
        "POST /v1/ledgers/main/events HTTP/1.1\r\nHost: l\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
        site.admin,
        body.len()
    )
    .unwrap();
    let _idle = connect(&site);
    wait_until("the event is being written", || site.temper.waiting() > 0);
    assert_eq!(site.durable(), before);
    site.stop();
    wait_until("nobody is let in any more", || TcpStream::connect(&site.address).is_err());
    site.temper.set(Mood::Fine);
    let answer = rest(stream);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""count":1,"#), "{answer}");
    // The connection that never asked for anything does not hold the server up for the hour that it may wait.
    let clock = SystemEnv::new();
    site.join();
    assert!(clock.monotonic() < PATIENCE);
    assert!(site.durable() > before);
}

#[test]
fn stopping_does_not_wait_for_ever() {
    let limits = Limits { shutdown_wait: Duration::from_millis(300), ..Limits::default() };
    let mut site = Site::with_limits(limits);
    let mut stream = connect(&site);
    let head = format!(
        "POST /v1/ledgers/main/events HTTP/1.1\r\nHost: l\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\r\n{{",
        site.admin
    );
    stream.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    site.stop();
    site.join();
    assert!(!rest(stream).contains("200"));
}

#[test]
fn http_2_is_spoken_without_upgrade() {
    let site = Site::start();
    let mut stream = connect(&site);
    // The preface and an empty SETTINGS frame (RFC 9113 sections 3.4 and 6.5).
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).unwrap();
    assert_eq!((head[3], &head[5..]), (4, &[0; 4][..]), "a SETTINGS frame on stream 0 comes first");
}
