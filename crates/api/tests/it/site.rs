use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use access::Tokens;
use api::{Limits, Open, Server, Settings};
use env::{Clock, Env, SystemEnv};
use ledger::{Engine, LedgerInfo, Options};
use record::json::{self, Value};
use record::receipt::Receipt;
use storage::{Disk, LocalDisk};
use tempfile::TempDir;
use tlog::note::VerifierKey;
use tokio::sync::oneshot;
use ureq::Agent;

use crate::moody::{MoodyDisk, Temper};

/// A server under test, on a port of its own.
pub struct Site {
    pub dir: TempDir,
    pub engine: Arc<Engine>,
    pub server: Arc<Server>,
    pub address: String,
    pub admin: String,
    pub temper: Temper,
    agent: Agent,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

/// What may differ between sites.
#[derive(Default)]
pub struct Setup {
    pub limits: Limits,
    pub open: Open,
    pub options: Options,
}

pub fn options() -> Options {
    Options {
        ledgers: vec!["main".to_owned(), "other".to_owned(), "system".to_owned()],
        checkpoint_interval: Duration::from_millis(20),
        reserve_bytes: 4096,
        ..Options::default()
    }
}

impl Site {
    pub fn start() -> Self {
        Self::with(Setup { options: options(), ..Setup::default() })
    }

    pub fn with_limits(limits: Limits) -> Self {
        Self::with(Setup { limits, options: options(), ..Setup::default() })
    }

    pub fn with(setup: Setup) -> Self {
        Self::over(tempfile::tempdir().unwrap(), setup)
    }

    /// Serves a store that may be there already, and has no tokens yet.
    pub fn over(dir: TempDir, setup: Setup) -> Self {
        let temper = Temper::new();
        let env: Arc<dyn Env> = Arc::new(SystemEnv::new());
        let data: Arc<dyn Disk> = Arc::new(MoodyDisk::open(&dir.path().join("data"), temper.clone()));
        let keys: Arc<dyn Disk> = Arc::new(LocalDisk::open(&dir.path().join("keys")).unwrap());
        let engine = Arc::new(Engine::start(data, keys, env.clone(), setup.options).unwrap());
        let token_disk: Arc<dyn Disk> = Arc::new(LocalDisk::open(&dir.path().join("data")).unwrap());
        let (tokens, admin) = Tokens::open(token_disk, env.clone()).unwrap();
        let settings = Settings { limits: setup.limits, open: setup.open, tls: None };
        let server = Server::new(engine.clone(), tokens, env, settings).unwrap();
        let served = server.clone();
        let (stop, stopping) = oneshot::channel();
        let (bound, address) = std::sync::mpsc::channel();
        let serving = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                bound.send(listener.local_addr().unwrap().to_string()).unwrap();
                let stopping = async {
                    let _ = stopping.await;
                };
                api::serve(served, listener, stopping).await.unwrap();
            });
        });
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Self {
            dir,
            engine,
            server,
            address: address.recv().unwrap(),
            admin: admin.unwrap(),
            temper,
            agent: config.into(),
            stop: Some(stop),
            serving: Some(serving),
        }
    }

    pub fn data(&self) -> &Path {
        self.dir.path()
    }

    /// Begins to stop; requests under way may finish.
    pub fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).unwrap();
        }
    }

    /// Waits until serving has ended.
    pub fn join(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.join().unwrap();
        }
    }

    pub fn ledger(&self) -> LedgerInfo {
        self.engine.reads().ledgers().remove(0)
    }

    pub fn key(&self) -> VerifierKey {
        self.ledger().vkey.parse().unwrap()
    }

    /// Where the C2SP resources of the first ledger are.
    pub fn prefix(&self) -> String {
        format!("/{}", self.ledger().origin.rsplit('/').next().unwrap())
    }

    pub fn get(&self, path: &str) -> Answer {
        self.get_as(path, Some(&self.admin))
    }

    pub fn get_as(&self, path: &str, token: Option<&str>) -> Answer {
        let mut request = self.agent.get(format!("http://{}{path}", self.address));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        Answer::read(request.call().unwrap())
    }

    pub fn get_with(&self, path: &str, token: Option<&str>, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.agent.get(format!("http://{}{path}", self.address));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::read(request.call().unwrap())
    }

    /// The status of a request; its body is not read, for it may be without end.
    pub fn status(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> u16 {
        let request = ureq::http::Request::builder().method(method);
        let request = request.uri(format!("http://{}{path}", self.address));
        let request = match token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        let sent = match method {
            "POST" => self.agent.run(request.body(body.to_owned()).unwrap()),
            _ => self.agent.run(request.body(()).unwrap()),
        };
        sent.unwrap().status().as_u16()
    }

    /// All records of the ledger of accesses, as events.
    pub fn accesses(&self) -> Vec<Value<'static>> {
        let reads = self.engine.reads();
        let system = reads.ledgers().iter().position(|ledger| ledger.name == "system").unwrap();
        let mut all = Vec::new();
        reads
            .scan(system, 0..u64::MAX, &mut |record| {
                if record.decoded().unwrap().kind == record::entry::Kind::Access {
                    let parts: [Option<&[u8]>; 5] =
                        std::array::from_fn(|facet| Some(&record.facets[facet][..]));
                    all.push(record::facet::merge(parts).unwrap().into_owned());
                }
                ledger::Next::More
            })
            .unwrap();
        all
    }

    /// Waits until an access with all these is on record: `operation`, `token` or a member of `unmapped`.
    #[track_caller]
    pub fn expect_access(&self, wanted: &[(&str, &str)]) {
        let fits = |access: &Value<'static>| {
            wanted.iter().all(|(name, value)| {
                let found = match *name {
                    "operation" => access.path(&["api", "operation"]),
                    "token" => access.path(&["actor", "user", "uid"]),
                    name => access.path(&["unmapped", name]),
                };
                found.and_then(Value::str) == Some(*value)
            })
        };
        let clock = SystemEnv::new();
        while !self.accesses().iter().rev().any(&fits) {
            assert!(clock.monotonic() < PATIENCE, "not on record: {wanted:?}");
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    pub fn head_as(&self, path: &str, token: Option<&str>) -> Answer {
        let mut request = self.agent.head(format!("http://{}{path}", self.address));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        Answer::read(request.call().unwrap())
    }

    pub fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.post_as(path, Some(&self.admin), &[], body)
    }

    pub fn post_as(
        &self,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let mut request = self.agent.post(format!("http://{}{path}", self.address));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::read(request.send(body.as_ref()).unwrap())
    }

    /// Appends to the first ledger as the admin.
    pub fn append(&self, query: &str, body: impl AsRef<[u8]>) -> Answer {
        self.post(&format!("/v1/ledgers/main/events{query}"), body)
    }

    /// Opens a source of the first ledger: its number and token.
    pub fn source(&self, numbering: &str) -> (u64, String) {
        let body = format!(r#"{{"ledger":"main","label":"test","numbering":"{numbering}"}}"#);
        let answer = self.post("/v1/sources", body).ok();
        (answer.number("source"), answer.text("token"))
    }

    /// Durable entries of the first ledger.
    pub fn durable(&self) -> u64 {
        self.engine.reads().progress(0).durable
    }

    /// All records of the first ledger: kind and raw bytes.
    pub fn stored(&self) -> Vec<(record::entry::Kind, Vec<u8>)> {
        let reads = self.engine.reads();
        let mut all = Vec::new();
        reads
            .scan(0, 0..u64::MAX, &mut |record| {
                all.push((record.decoded().unwrap().kind, record.facets[5].clone()));
                ledger::Next::More
            })
            .unwrap();
        all
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.temper.set(crate::moody::Mood::Fine);
        self.stop();
        if !std::thread::panicking() {
            self.join();
        }
    }
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    fn read(mut response: ureq::http::Response<ureq::Body>) -> Self {
        let body = response.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap();
        Self { status: response.status().as_u16(), headers: response.headers().clone(), body }
    }

    /// The answer, which must be a good one.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// The answer, which must be a problem of this status and kind.
    #[track_caller]
    pub fn problem(self, status: u16, kind: &str) -> Self {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{body}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{body}");
        assert_eq!(self.header("cache-control"), "no-store", "{body}");
        assert_eq!(self.text("type"), format!("ledgerstone:{kind}"), "{body}");
        assert_eq!(self.number("status"), u64::from(status), "{body}");
        assert!(!self.text("detail").is_empty() && !self.text("title").is_empty(), "{body}");
        self
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value<'static> {
        json::parse(&self.body).unwrap().into_owned()
    }

    #[track_caller]
    pub fn value(&self, path: &str) -> Value<'static> {
        let path: Vec<&str> = path.split('.').collect();
        self.json().path(&path).unwrap_or_else(|| panic!("{path:?}: {self}")).clone()
    }

    #[track_caller]
    pub fn number(&self, path: &str) -> u64 {
        self.value(path).as_u64().unwrap_or_else(|| panic!("{path}: {self}"))
    }

    #[track_caller]
    pub fn text(&self, path: &str) -> String {
        self.value(path).str().unwrap_or_else(|| panic!("{path}: {self}")).to_owned()
    }

    /// First index, last index and number of records.
    #[track_caller]
    pub fn span(&self) -> (u64, u64, u64) {
        (self.number("first"), self.number("last"), self.number("count"))
    }

    pub fn has(&self, name: &str) -> bool {
        self.json().path(&[name]).is_some()
    }

    pub fn receipts(&self) -> Vec<Receipt> {
        let list = self.value("receipts");
        let receipt = |value: &Value<'_>| {
            let mut text = Vec::new();
            record::canonical::write(value, &mut text);
            Receipt::parse(&text).unwrap()
        };
        list.as_array().unwrap().iter().map(receipt).collect()
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

/// A native event that says everything, told apart by its number.
pub fn event(number: u64) -> String {
    format!(
        r#"{{"class_uid":6003,"activity_id":1,"time":1700000000000,"actor":{{"user":{{"name":"user{number}"}}}},"api":{{"operation":"Get{number}"}},"src_endpoint":{{"ip":"10.0.0.1"}},"message":"number {number}"}}"#
    )
}

/// Events as lines.
pub fn lines(numbers: impl IntoIterator<Item = u64>) -> String {
    numbers.into_iter().map(|number| event(number) + "\n").collect()
}

/// How long to wait for what must come: a busy machine may take its time.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `done`, for at most [`PATIENCE`].
#[track_caller]
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let clock = SystemEnv::new();
    let start = clock.monotonic();
    while !done() {
        assert!(clock.monotonic() - start < PATIENCE, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
