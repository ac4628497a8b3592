//! Clients that hold a connection and let time pass. The limits on time are those that `up` runs with (30 s), so all
//! wait at once, beside the other requests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::row::{Outcome, fill};
use crate::site::Site;
use crate::socket::Socket;

/// Events that are recorded by all ways together.
pub const RECORDED: u64 = 4;

/// A way to be slow.
pub struct Way {
    name: &'static str,
    /// What is sent at once.
    start: &'static str,
    /// What is sent every second after that, as long as anyone takes it.
    drip: &'static str,
    expected: &'static str,
}

pub fn ways() -> Vec<Way> {
    let way = |name, start, drip, expected| Way { name, start, drip, expected };
    vec![
        way("nothing is ever sent", "", "", "closed"),
        way("the beginning of another version", "PRI", "", "closed"),
        way("a head that never ends", "GET /healthz HTTP/1.1\r\nHost: l\r\nX: ", "", "closed"),
        way("a head of one letter a second", "GET /healthz HTTP/1.1\r\nHost: l\r\nX: ", "x", "closed"),
        way("a head of one header a second", "GET /healthz HTTP/1.1\r\nHost: l\r\n", "X: x\r\n", "closed"),
        way("nothing behind an answer", "GET /healthz HTTP/1.1\r\nHost: l\r\n\r\n", "", "200  then closed"),
        way(
            "a body that stops in its third event",
            "POST /v1/ledgers/main/events HTTP/1.1\r\nHost: l\r\n{admin}Content-Length: 100\r\n\r\n{\"a\":1}\n{\"a\":2}\n{\"a\":",
            "",
            "408 ledgerstone:timeout, 2 recorded, then closed",
        ),
        way(
            "a body of one blank line a second",
            "POST /v1/ledgers/main/events HTTP/1.1\r\nHost: l\r\n{admin}Content-Length: 1000\r\n\r\n{\"a\":1}\n{\"a\":2}\n",
            "\n",
            "408 ledgerstone:timeout, 2 recorded, then closed",
        ),
        way(
            "a body that never begins",
            "POST /v1/ledgers/main/events HTTP/1.1\r\nHost: l\r\n{admin}Transfer-Encoding: chunked\r\n\r\n",
            "",
            "408 ledgerstone:timeout then closed",
        ),
        way(
            "a body that is asked for and never sent",
            "POST /v1/ledgers/main/events HTTP/1.1\r\nHost: l\r\n{admin}Expect: 100-continue\r\nContent-Length: 7\r\n\r\n",
            "",
            "408 ledgerstone:timeout then closed",
        ),
        way(
            "a small body that never ends",
            "POST /v1/sources HTTP/1.1\r\nHost: l\r\n{admin}Content-Length: 17\r\n\r\n{",
            "",
            "408 ledgerstone:timeout then closed",
        ),
        way(
            "a small body of one letter a second",
            "POST /v1/sources HTTP/1.1\r\nHost: l\r\n{admin}Content-Length: 1000\r\n\r\n{",
            " ",
            "408 ledgerstone:timeout then closed",
        ),
        way(
            "a body of one letter a second without a token",
            "POST /v1/ledgers/main/events HTTP/1.1\r\nHost: l\r\nContent-Length: 1000\r\n\r\n{",
            " ",
            "401 ledgerstone:no-token then closed",
        ),
    ]
}

impl Way {
    pub fn run(&self, site: &Site) -> Outcome {
        let mut socket = Socket::connect(&site.address);
        let mut writer = socket.writer();
        socket.send(fill(self.start, site).as_bytes());
        let ended = AtomicBool::new(false);
        let got = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::SeqCst) && !self.drip.is_empty() {
                    std::thread::sleep(Duration::from_secs(1));
                    // The other side may have closed, which is for the reader to see.
                    let _ = std::io::Write::write_all(&mut writer, self.drip.as_bytes());
                }
            });
            let mut got = String::new();
            if let Some(answer) = socket.answer(false) {
                let told = answer.json();
                got = format!("{} {}", answer.status, told["type"].as_str().unwrap_or_default());
                if let Some(count) = told["recorded"]["count"].as_u64() {
                    got.push_str(&format!(", {count} recorded,"));
                }
                got.push_str(" then ");
            }
            match socket.answer(false) {
                None => got.push_str("closed"),
                Some(answer) => got.push_str(&answer.status.to_string()),
            }
            ended.store(true, Ordering::SeqCst);
            got
        });
        Outcome::new(format!("slow: {}", self.name), self.expected, got)
    }
}
