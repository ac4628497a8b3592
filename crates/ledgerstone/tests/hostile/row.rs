//! One row of the table: what is sent and what must come back.

use serde_json::Value;

use crate::site::Site;
use crate::socket::{Answer, Socket};

/// One hostile request.
pub struct Row {
    name: &'static str,
    request: Request,
    expected: Expected,
}

/// Bytes on the wire.
pub enum Request {
    /// As they are, with `{admin}`, `{source}` (header lines with a token), `{prefix}` and `{number}` filled in.
    Text(&'static str),
    /// The same, made when it is its turn.
    Made(Box<dyn Fn() -> String + Send + Sync>),
    /// Appended to the ledger `main` with these further header lines.
    Append { head: &'static str, query: &'static str, body: Body },
}

/// A body, made when it is its turn.
pub type Body = Box<dyn Fn() -> Vec<u8> + Send + Sync>;

/// What must come back.
#[derive(Clone, Debug)]
pub struct Expected {
    status: Option<u16>,
    /// Of a problem, behind `ledgerstone:`; empty for other answers.
    kind: &'static str,
    /// Records it says are recorded, and how many of them are in quarantine.
    recorded: u64,
    quarantined: u64,
    /// The one record holds the body, byte for byte.
    kept: bool,
    stays: bool,
    /// Part of the answer.
    says: &'static str,
}

/// What came back, beside what should have.
pub struct Outcome {
    name: String,
    expected: String,
    got: String,
}

pub fn row(name: &'static str, request: Request, expected: Expected) -> Row {
    Row { name, request, expected }
}

pub fn text(template: &'static str) -> Request {
    Request::Text(template)
}

pub fn made(make: impl Fn() -> String + Send + Sync + 'static) -> Request {
    Request::Made(Box::new(make))
}

/// A body to append, as it is.
pub fn append(body: impl AsRef<[u8]> + Send + Sync + 'static) -> Request {
    append_with("", body)
}

pub fn append_with(head: &'static str, body: impl AsRef<[u8]> + Send + Sync + 'static) -> Request {
    append_made(head, move || body.as_ref().to_vec())
}

pub fn append_made(head: &'static str, body: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Request {
    Request::Append { head, query: "", body: Box::new(body) }
}

/// A well-formed event under this query.
pub fn append_query(query: &'static str) -> Request {
    Request::Append {
        head: "",
        query,
        body: Box::new(|| b"{\"actor\":{\"user\":{\"name\":\"eve\"}}}".to_vec()),
    }
}

/// An answer of this status that is no problem.
pub fn answered(status: u16) -> Expected {
    Expected {
        status: Some(status),
        kind: "",
        recorded: 0,
        quarantined: 0,
        kept: false,
        stays: true,
        says: "",
    }
}

/// A problem of this kind.
pub fn refused(status: u16, kind: &'static str) -> Expected {
    Expected { kind, ..answered(status) }
}

/// One event, recorded byte for byte.
pub fn kept() -> Expected {
    Expected { recorded: 1, kept: true, ..answered(200) }
}

/// One record in quarantine, byte for byte.
pub fn quarantined() -> Expected {
    Expected { quarantined: 1, ..kept() }
}

/// So many records, of which so many in quarantine.
pub fn recorded(count: u64, quarantined: u64) -> Expected {
    Expected { recorded: count, quarantined, ..answered(200) }
}

/// No answer: the connection is closed.
pub fn silence() -> Expected {
    Expected { status: None, stays: false, ..answered(0) }
}

impl Expected {
    /// The connection is closed behind the answer.
    pub fn closes(self) -> Self {
        Self { stays: false, ..self }
    }

    /// So many records were recorded before the refusal.
    pub fn after(self, recorded: u64) -> Self {
        Self { recorded, ..self }
    }

    /// The answer holds this.
    pub fn says(self, says: &'static str) -> Self {
        Self { says, ..self }
    }

    fn told(&self) -> String {
        let status = self.status.map_or("no answer".to_owned(), |status| status.to_string());
        let connection = if self.stays { "stays" } else { "closes" };
        let kept = if self.kept { ", kept" } else { "" };
        let (recorded, quarantined) = (self.recorded, self.quarantined);
        format!("{status} {} {connection} {recorded}/{quarantined}{kept}", self.kind)
    }
}

impl Row {
    /// Sends it and looks at the answer, at the connection behind it, and at what was recorded: how much.
    pub fn run(&self, site: &Site) -> (Outcome, u64) {
        let (bytes, body) = self.request.bytes(site);
        let mut socket = Socket::connect(&site.address);
        let answer = socket.exchange(&bytes);
        drop(bytes);
        let mut got = match &answer {
            None => Expected { stays: false, ..silence() }.told(),
            Some(answer) => {
                let stays = answer.status != 101 && is_well(&mut socket);
                self.judge(site, answer, stays, &body)
            }
        };
        if got != self.expected.told()
            && let Some(answer) = &answer
        {
            got = format!(
                "{got}\n{:>60} {}",
                "",
                String::from_utf8_lossy(&answer.body[..answer.body.len().min(300)])
            );
        }
        let outcome = Outcome { name: self.name.to_owned(), expected: self.expected.told(), got };
        (outcome, answer.as_ref().map_or(0, told_recorded))
    }

    /// What came, in the same words as what is expected.
    fn judge(&self, site: &Site, answer: &Answer, stays: bool, body: &[u8]) -> String {
        let json = answer.json();
        let mut seen = Expected { status: Some(answer.status), stays, ..answered(0) };
        let kind =
            json["type"].as_str().and_then(|kind| kind.strip_prefix("ledgerstone:")).unwrap_or_default();
        seen.recorded = told_recorded(answer);
        seen.quarantined = json["quarantined"].as_u64().unwrap_or(0);
        seen.kept = self.expected.kept && is_kept(site, &json, body);
        let mut told = seen.told().replacen("  ", &format!(" {kind} "), 1);
        if answer.status >= 400 && !answer.body.is_empty() {
            let sound = json["status"].as_u64() == Some(answer.status.into())
                && json["title"].is_string()
                && json["detail"].is_string()
                && answer.header("content-type") == Some("application/problem+json")
                && answer.header("cache-control") == Some("no-store");
            if !sound {
                told.push_str(", not a sound problem");
            }
        }
        if !String::from_utf8_lossy(&answer.body).contains(self.expected.says) {
            told.push_str(&format!(", does not say {:?}", self.expected.says));
        }
        told
    }
}

impl Request {
    /// The bytes to send, and the body among them if it is known.
    fn bytes(&self, site: &Site) -> (Vec<u8>, Vec<u8>) {
        match self {
            Self::Text(template) => (fill(template, site).into_bytes(), Vec::new()),
            Self::Made(make) => (fill(&make(), site).into_bytes(), Vec::new()),
            Self::Append { head, query, body } => {
                let body = body();
                let start =
                    format!("POST /v1/ledgers/main/events{query} HTTP/1.1\r\nHost: l\r\n{{admin}}{head}");
                let start = format!("{}Content-Length: {}\r\n\r\n", fill(&start, site), body.len());
                ([start.as_bytes(), &body].concat(), body)
            }
        }
    }
}

impl Outcome {
    pub fn new(name: impl Into<String>, expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { name: name.into(), expected: expected.into(), got: got.into() }
    }

    pub fn is_as_expected(&self) -> bool {
        self.expected == self.got
    }

    /// Adds what is wrong about the server's memory, if anything.
    pub fn and_memory(mut self, site: &Site, bound: u64) -> Self {
        let peak = site.peak_memory();
        if peak > bound {
            self.got.push_str(&format!(", peak memory {} MiB", peak >> 20));
        }
        self
    }
}

/// The table, with those rows that are not as they should be marked; all rows, or only those.
pub fn print(outcomes: &[Outcome], only_wrong: bool) -> String {
    let line = |outcome: &Outcome| {
        let mark = if outcome.is_as_expected() { "  " } else { "! " };
        let got = if outcome.is_as_expected() { "" } else { &outcome.got };
        format!("{mark}{:<58} {:<44} {got}", outcome.name, outcome.expected)
    };
    let shown = outcomes.iter().filter(|outcome| !only_wrong || !outcome.is_as_expected());
    shown.map(line).collect::<Vec<_>>().join("\n")
}

pub fn fill(template: &str, site: &Site) -> String {
    template
        .replace("{admin}", &format!("Authorization: Bearer {}\r\n", site.admin))
        .replace("{source}", &format!("Authorization: Bearer {}\r\n", site.source))
        .replace("{number}", &site.number.to_string())
        .replace("{prefix}", &site.prefix)
        .replace("{token}", &site.admin)
}

/// Whether the connection takes another request, and answers that one and nothing that was smuggled in before it.
fn is_well(socket: &mut Socket) -> bool {
    let sent = socket.send(b"GET /healthz HTTP/1.1\r\nHost: l\r\n\r\n");
    sent && socket.answer(false).is_some_and(|answer| answer.json()["status"] == "ok")
}

/// How many records an answer says are recorded.
fn told_recorded(answer: &Answer) -> u64 {
    let json = answer.json();
    let told = if answer.status == 200 { &json["count"] } else { &json["recorded"]["count"] };
    told.as_u64().unwrap_or(0)
}

/// Whether the one record that was told holds the body as it was sent, without its line end.
fn is_kept(site: &Site, told: &Value, body: &[u8]) -> bool {
    use base64::Engine as _;
    let Some(index) = told["first"].as_u64() else { return false };
    let shown = site.ask("GET", &format!("/v1/ledgers/main/events/{index}"), b"").json();
    let raw = match (&shown["raw"], &shown["raw_base64"]) {
        (Value::String(text), _) => text.clone().into_bytes(),
        (_, Value::String(text)) => base64::engine::general_purpose::STANDARD.decode(text).unwrap(),
        _ => return false,
    };
    let sent = body.strip_suffix(b"\n").unwrap_or(body);
    raw == sent
}
