//! A client that sends one record after the other and remembers what it was told of each.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

use crate::rig::Server;

/// What became of an append.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    /// It is durable, at this index.
    Recorded(u64),
    /// Nothing was recorded.
    Refused,
    /// Nobody knows.
    Unknown,
}

pub struct Client {
    agent: Agent,
    url: String,
    token: String,
    next: u64,
    /// Number and index of each record that was acknowledged.
    pub recorded: Vec<(u64, u64)>,
    pub refused: usize,
    pub unknown: usize,
}

impl Client {
    pub fn new(server: &Server, data: &Path) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        let token = std::fs::read_to_string(data.join("admin.token")).unwrap().trim().to_owned();
        let (url, recorded) = (server.url.clone(), Vec::new());
        Self { agent: config.into(), url, token, next: 0, recorded, refused: 0, unknown: 0 }
    }

    /// Sends the next record.
    pub fn append(&mut self) -> Told {
        let number = self.next;
        self.next += 1;
        let (status, answer) = self.post("/v1/ledgers/main/events", &record(number));
        match (status, answer["type"].as_str()) {
            (200, _) => {
                assert_eq!((answer["count"].as_u64(), answer["quarantined"].as_u64()), (Some(1), Some(0)));
                let index = answer["first"].as_u64().unwrap();
                self.recorded.push((number, index));
                Told::Recorded(index)
            }
            (503, Some("ledgerstone:unavailable")) => {
                assert!(answer["recorded"].is_null(), "{answer}");
                self.refused += 1;
                Told::Refused
            }
            (503, Some("ledgerstone:outcome-unknown")) => {
                self.unknown += 1;
                Told::Unknown
            }
            _ => panic!("{status} {answer}"),
        }
    }

    /// Sends records as long as `going`, at most so many; how many were.
    pub fn append_until(&mut self, most: usize, going: impl Fn(&Told) -> bool) -> usize {
        (0..most).take_while(|_| going(&self.append())).count()
    }

    /// Waits until all that was recorded is in a checkpoint.
    pub fn wait_committed(&self) {
        let (_, last) = *self.recorded.last().unwrap();
        let committed = (0..1200).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            let (status, shown) = self.get(&format!("/v1/ledgers/main/events/{last}"));
            status == 200 && shown["committed"] == true
        });
        assert!(committed, "no checkpoint covers index {last}");
    }

    /// Every record that was acknowledged is there, at its index, byte for byte.
    pub fn check_all(&self) {
        for (number, index) in &self.recorded {
            let (status, shown) = self.get(&format!("/v1/ledgers/main/events/{index}"));
            assert_eq!(status, 200, "index {index}: {shown}");
            assert_eq!(shown["raw"].as_str(), Some(&*record(*number)), "index {index}");
        }
    }

    pub fn get(&self, path: &str) -> (u16, Value) {
        let request = self.agent.get(format!("{}{path}", self.url));
        read(request.header("authorization", format!("Bearer {}", self.token)).call().unwrap())
    }

    fn post(&self, path: &str, body: &str) -> (u16, Value) {
        let request = self.agent.post(format!("{}{path}", self.url));
        read(request.header("authorization", format!("Bearer {}", self.token)).send(body).unwrap())
    }
}

fn read(mut answer: ureq::http::Response<ureq::Body>) -> (u16, Value) {
    let status = answer.status().as_u16();
    let body = answer.body_mut().read_to_string().unwrap();
    (status, serde_json::from_str(&body).unwrap_or_default())
}

/// A record of its number, of about 4 KiB that do not compress.
fn record(number: u64) -> String {
    use sha2::{Digest, Sha256};
    let noise = (0..64u64).map(|part| {
        let digest = Sha256::digest([number.to_be_bytes(), part.to_be_bytes()].concat());
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    });
    let noise: String = noise.collect();
    format!("{{\"actor\":{{\"user\":{{\"name\":\"number {number} of the client\"}}}},\"noise\":\"{noise}\"}}")
}
