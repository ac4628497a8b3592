//! The clients: threads that append until the server is gone, and keep every receipt.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use record::receipt::Receipt;
use serde_json::{Value, json};

use super::random::Random;
use crate::program::{Response, Server, request};

/// The longest pause between two requests of a client: the campaign is about kills, not about load.
const PAUSE: Duration = Duration::from_millis(8);
/// Clients whose events the server numbers; one more numbers its own.
const CLIENTS: u64 = 3;

/// What a client was promised.
pub struct Kept {
    /// Checked against the bytes that were sent.
    pub receipt: Receipt,
    /// Those bytes.
    pub raw: String,
}

/// What came of a round.
#[derive(Default)]
pub struct Outcome {
    pub receipts: Vec<Kept>,
    /// Notes, as the server sent them.
    pub checkpoints: Vec<String>,
    /// The client that numbers its events, as far as it has got.
    pub numbered: Option<Numbered>,
}

/// A client that numbers its events. What it has no answer for it sends again under the same numbers: recorded twice
/// or not at all would show.
#[derive(Clone)]
pub struct Numbered {
    token: String,
    next: u64,
    unanswered: Option<Vec<String>>,
}

/// The running clients.
pub struct Clients {
    threads: Vec<JoinHandle<Result<(), String>>>,
    stop: Arc<AtomicBool>,
    outcome: Arc<Mutex<Outcome>>,
}

impl Clients {
    /// Starts them; `numbered` is taken over from the round before.
    pub fn start(server: &Server, round: u64, random: &mut Random, numbered: &mut Option<Numbered>) -> Self {
        let clients = Self {
            threads: Vec::new(),
            stop: Arc::default(),
            outcome: Arc::new(Mutex::new(Outcome::default())),
        };
        let mut spawn = |name: u64, numbered: Option<Numbered>| {
            let client = Client {
                server: server.address,
                token: server.token.clone(),
                name: format!("{round}-{name}"),
                sent: 0,
                random: Random::new(random.next()),
                stop: clients.stop.clone(),
                outcome: clients.outcome.clone(),
            };
            thread::spawn(move || client.run(name, numbered))
        };
        let mut threads: Vec<_> = (1..=CLIENTS).map(|name| spawn(name, None)).collect();
        threads.push(spawn(0, numbered.take()));
        Self { threads, ..clients }
    }

    /// Waits for them once the server is gone.
    ///
    /// # Errors
    /// The server answered something it must not.
    pub fn join(self) -> Result<Outcome, String> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().map_err(|_| "a client panicked".to_owned())??;
        }
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *outcome))
    }
}

struct Client {
    server: SocketAddr,
    token: String,
    name: String,
    sent: u64,
    random: Random,
    stop: Arc<AtomicBool>,
    outcome: Arc<Mutex<Outcome>>,
}

impl Client {
    fn run(mut self, name: u64, numbered: Option<Numbered>) -> Result<(), String> {
        if name > 0 {
            while !self.stop.load(Ordering::Relaxed) {
                let events = self.events();
                self.append(&self.token, "", &events)?;
                self.pause();
            }
            return Ok(());
        }
        let mut numbered = match numbered {
            Some(numbered) => numbered,
            None => match self.register()? {
                Some(numbered) => numbered,
                None => return Ok(()),
            },
        };
        while !self.stop.load(Ordering::Relaxed) {
            let events = numbered.unanswered.take().unwrap_or_else(|| self.events());
            let at = format!("&epoch=1&sequence={}", numbered.next);
            match self.append(&numbered.token, &at, &events)? {
                true => numbered.next += events.len() as u64,
                false => numbered.unanswered = Some(events),
            }
            self.pause();
        }
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).numbered = Some(numbered);
        Ok(())
    }

    /// Becomes a source; `None` if the server was gone first.
    fn register(&mut self) -> Result<Option<Numbered>, String> {
        let wanted = json!({"ledger": "main", "label": self.name, "numbering": "source"}).to_string();
        let Ok(answer) = request(self.server, "POST", "/v1/sources", &self.token, wanted.as_bytes()) else {
            return Ok(None);
        };
        let told = answer.json();
        match (answer.status, told["token"].as_str()) {
            (200 | 201, Some(token)) => {
                Ok(Some(Numbered { token: token.to_owned(), next: 1, unanswered: None }))
            }
            (429 | 503, _) => Ok(None),
            _ => Err(format!("POST /v1/sources: {} {}", answer.status, answer.text())),
        }
    }

    fn pause(&mut self) {
        thread::sleep(Duration::from_micros(self.random.below(PAUSE.as_micros() as u64)));
    }

    /// A few events that nobody else sends.
    fn events(&mut self) -> Vec<String> {
        let count = match self.random.below(4) {
            0 => 1,
            1 => 1 + self.random.below(100),
            _ => 1 + self.random.below(20),
        };
        Vec::from_iter((0..count).map(|_| {
            self.sent += 1;
            let pad = "x".repeat(self.random.below(400) as usize);
            json!({
                "time": 1_700_000_000_000_u64 + self.sent,
                "actor": {"user": {"name": format!("client-{}", self.name)}},
                "api": {"operation": "append"},
                "src_endpoint": {"ip": "192.0.2.1"},
                "status_id": 1,
                "message": format!("{}-{}", self.name, self.sent),
                "pad": pad,
            })
            .to_string()
        }))
    }

    /// Appends, and keeps what was promised. False if nothing is known or the server can't record at the moment.
    fn append(&self, token: &str, at: &str, events: &[String]) -> Result<bool, String> {
        let committed = self.sent.is_multiple_of(3);
        let wait = if committed { "committed" } else { "durable" };
        let path = format!("/v1/ledgers/main/events?format=native&receipts=full&wait={wait}{at}");
        let body = events.join("\n");
        let Ok(answer) = request(self.server, "POST", &path, token, body.as_bytes()) else {
            return Ok(false);
        };
        match answer.status {
            200 => self.keep(&answer, events, committed).map(|()| true),
            429 | 503 => Ok(false),
            status => Err(format!("POST {path}: {status} {}", answer.text())),
        }
    }

    fn keep(&self, answer: &Response, events: &[String], committed: bool) -> Result<(), String> {
        let told = answer.json();
        let receipts = told["receipts"].as_array().map_or(&[][..], Vec::as_slice);
        if receipts.len() != events.len() {
            return Err(format!(
                "{} receipts for {} events: {}",
                receipts.len(),
                events.len(),
                answer.text()
            ));
        }
        let mut kept = Vec::with_capacity(events.len());
        for (receipt, raw) in receipts.iter().zip(events) {
            let text = receipt.to_string();
            let receipt =
                Receipt::parse(text.as_bytes()).map_err(|error| format!("receipt: {error}: {text}"))?;
            receipt.check_raw(raw.as_bytes()).map_err(|error| format!("receipt: {error}: {text}"))?;
            kept.push(Kept { receipt, raw: raw.clone() });
        }
        let checkpoint = told["checkpoint"].as_str().map(str::to_owned);
        if committed && checkpoint.is_none() {
            return Err(format!("committed without a checkpoint: {}", answer.text()));
        }
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        outcome.receipts.extend(kept);
        outcome.checkpoints.extend(checkpoint);
        Ok(())
    }
}

/// A member that must be text.
pub fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, String> {
    value[name].as_str().ok_or_else(|| format!("no {name} in {value}"))
}
