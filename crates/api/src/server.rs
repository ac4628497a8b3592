use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use access::{SYSTEM, Tokens};
use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use env::Env;
use evidence::hex;
use ledger::{Engine, Fault, LedgerInfo, Reads};
use tokio::sync::{AcquireError, Semaphore};
use tokio::time::Instant;

use crate::alarms::FOREIGN_WRITE;
use crate::append::Turns;
use crate::around::around;
use crate::audit::{self, Access, Audit};
use crate::auth::Caller;
use crate::limits::Limits;
use crate::metrics::{Counters, Supervision};
use crate::problem::{Kind, Problem};
use crate::routes::routes;
use crate::serve::Turned;
use crate::tls::{Tls, TlsChange};
use crate::view::rfc3339;

/// How soon after the start the checkpoint of the ledger of accesses is entered elsewhere for the first time.
const FIRST_SPREAD: Duration = Duration::from_secs(60);
/// How often accesses that could not be recorded are tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What may be set about the edge.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Limits.
    pub limits: Limits,
    /// What is served without a token.
    pub open: Open,
    /// Certificate and key; without them everything goes in the clear.
    pub tls: Option<Arc<Tls>>,
}

/// Which C2SP paths are served without a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// Checkpoints and tiles: hashes and sizes, no content.
    pub tiles: bool,
    /// Bundles: they tell when which source sent how much.
    pub bundles: bool,
}

impl Default for Open {
    fn default() -> Self {
        Self { tiles: true, bundles: false }
    }
}

/// What all requests share.
pub struct Server {
    pub(crate) engine: Arc<Engine>,
    pub(crate) tokens: Tokens,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) limits: Limits,
    pub(crate) open: Open,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) gates: Gates,
    pub(crate) audit: Audit,
    /// Authenticates the cursors of this run.
    pub(crate) cursor_key: [u8; 32],
    pub(crate) counters: Counters,
    supervision: OnceLock<Supervision>,
    stopping: AtomicBool,
    ledgers: Vec<Ledger>,
    by_name: HashMap<String, usize>,
    by_prefix: HashMap<String, usize>,
}

/// A ledger, as it stays while the server runs.
pub(crate) struct Ledger {
    /// Its position in the engine's list, which names it in requests.
    pub number: usize,
    pub info: LedgerInfo,
    /// Last component of its origin, where its C2SP resources are served.
    pub prefix: String,
}

/// A block of at most so many KiB is small.
pub(crate) const SMALL_KIB: u32 = 64;

/// Permits for what is bounded over all requests.
pub(crate) struct Gates {
    pub appends: Semaphore,
    pub turns: Turns,
    pub streamed: Arc<Semaphore>,
    pub long: Arc<Semaphore>,
    pub large: Arc<Semaphore>,
    /// One permit for each KiB of prepared records that wait for the engine.
    pub queue: Arc<Semaphore>,
    pub queue_permits: u32,
    /// The same for small blocks of sources that have nothing else under way.
    pub small: Arc<Semaphore>,
    pub mappers: Arc<Semaphore>,
    pub reads: Semaphore,
    pub scans: Semaphore,
    pub exports: Arc<Semaphore>,
    pub tails: Arc<Semaphore>,
}

/// The engine has no ledger [`SYSTEM`], so that no access could be put on record.
#[derive(Debug)]
pub struct NoSystemLedger;

impl fmt::Display for NoSystemLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "accesses cannot be put on record: there is no ledger of this name: {SYSTEM}")
    }
}

impl std::error::Error for NoSystemLedger {}

impl Server {
    /// Serves `engine` to the holders of `tokens`.
    ///
    /// # Errors
    /// [`NoSystemLedger`].
    pub fn new(
        engine: Arc<Engine>,
        tokens: Tokens,
        env: Arc<dyn Env>,
        settings: Settings,
    ) -> Result<Arc<Self>, NoSystemLedger> {
        let system = audit::system_of(&engine).ok_or(NoSystemLedger)?;
        let audit = Audit::new(engine.clone(), system, env.clone());
        let cursor_key = env::random(env.as_ref());
        let Settings { limits, open, tls } = settings;
        let infos = engine.reads().ledgers().into_iter().enumerate();
        let ledgers: Vec<Ledger> = infos
            .map(|(number, info)| {
                let prefix = info.origin.rsplit('/').next().unwrap_or_default().to_owned();
                Ledger { number, info, prefix }
            })
            .collect();
        let by = |key: fn(&Ledger) -> &String| ledgers.iter().map(|l| (key(l).clone(), l.number)).collect();
        let (by_name, by_prefix) = (by(|ledger| &ledger.info.name), by(|ledger| &ledger.prefix));
        let gates = Gates::new(&limits);
        Ok(Arc::new(Self {
            engine,
            tokens,
            env,
            limits,
            open,
            tls,
            gates,
            audit,
            cursor_key,
            counters: Counters::default(),
            supervision: OnceLock::new(),
            stopping: AtomicBool::new(false),
            ledgers,
            by_name,
            by_prefix,
        }))
    }

    /// Puts the start on record, with the hashes of settings and program, and waits until it is durable, or held if
    /// nothing can be recorded.
    pub fn started(&self, settings: &[u8; 32], program: Option<[u8; 32]>) {
        let mut access = Access::new("server.start");
        access.more.push(("settings_sha256", hex::encode(settings)));
        if let Some(program) = program {
            access.more.push(("program_sha256", hex::encode(&program)));
        }
        access.more.push(("version", env!("CARGO_PKG_VERSION").to_owned()));
        if let Some(tls) = self.tls.as_ref().map(|tls| tls.status()) {
            access.more.extend(certificate(&tls.sha256, tls.not_after_ms));
        }
        self.audit.note_and_wait(&access);
    }

    /// Puts the stop on record, and what was counted until then. The engine is stopped after this.
    pub fn stopped(&self) {
        self.audit.flush();
        self.audit.enter_held();
        self.audit.note(None, &Access::new("server.stop"));
    }

    /// Enters counts and checkpoints of the ledger of accesses now and then, for as long as it is polled.
    pub(crate) async fn keep_books(self: Arc<Self>) {
        let mut counts = tokio::time::interval(self.limits.count_interval.max(Duration::from_millis(10)));
        let every = self.limits.spread_interval.max(Duration::from_millis(10));
        // Soon after the start as well, and then as often as is said.
        let mut spread = tokio::time::interval_at(Instant::now() + every.min(FIRST_SPREAD), every);
        let mut retry = tokio::time::interval(RETRY);
        loop {
            tokio::select! {
                _ = counts.tick() => self.audit.flush(),
                _ = spread.tick() => self.audit.spread(),
                _ = retry.tick() => self.audit.enter_held(),
            }
        }
    }

    /// Whether a caller's token has neither been revoked nor expired since it was shown.
    pub(crate) fn is_current(&self, caller: &Caller) -> bool {
        caller.grant().is_some_and(|grant| self.tokens.is_current(&grant.id))
    }

    /// Puts on record what another process did to a file of the store.
    pub fn foreign_write(&self, foreign: &watch::Foreign) {
        let mut access = Access::new(FOREIGN_WRITE).object(&foreign.path);
        let known = [
            ("kind", Some(foreign.kind.name().to_owned())),
            ("pid", foreign.pid.map(|pid| pid.to_string())),
            ("uid", foreign.uid.map(|uid| uid.to_string())),
            ("exe", foreign.exe.clone()),
            ("command", foreign.command.clone()),
        ];
        access.more.extend(known.into_iter().filter_map(|(name, value)| Some((name, value?))));
        self.audit.note(None, &access);
    }
    /// Puts on record that verification has found damage.
    pub fn damage_found(&self, alarm: &scrub::Alarm) {
        let mut access = Access::new("store.damage").object(&alarm.file);
        access.ledger = alarm.entries.as_ref().map(|(ledger, ..)| ledger.clone());
        access.more.push(("kind", alarm.kind.clone()));
        access.more.push(("detail", alarm.detail.clone()));
        self.audit.note(None, &access);
    }

    /// Puts on record that another certificate was taken up, or refused.
    pub fn tls_changed(&self, change: &TlsChange) {
        let mut access = Access::new("tls.certificate");
        access.more.extend(change.certificate.iter().flat_map(|(sha256, end)| certificate(sha256, *end)));
        if let Some(reason) = &change.refused {
            access.refused = Some((0, "unusable".to_owned()));
            access.more.push(("reason", reason.clone()));
        }
        self.audit.note(None, &access);
    }

    /// Counts a connection that was ended before a request of it was read, for metrics and for the record.
    pub(crate) fn turned_away(&self, why: Turned) {
        self.counters.turned_away(why);
        self.audit.stranger(why.name(), why.status());
    }

    /// Says what else there is to show in metrics; only the first time counts.
    pub fn supervise(&self, supervision: Supervision) {
        drop(self.supervision.set(supervision));
    }
    pub(crate) fn supervision(&self) -> Option<&Supervision> {
        self.supervision.get()
    }

    /// How a ledger stands with its witnesses, if it has any.
    pub(crate) fn witnesses(&self, ledger: &str) -> Option<anchor::LedgerStatus> {
        self.supervision()?.witness.as_ref()?.of(ledger)
    }

    /// Puts on record which policy names the witnesses of this run.
    pub fn witnessed_by(&self, policy_sha256: &[u8; 32]) {
        let mut access = Access::new("server.witness-policy");
        access.more.push(("policy_sha256", hex::encode(policy_sha256)));
        self.audit.note(None, &access);
    }

    /// Ends streams that would go on for ever.
    pub(crate) fn begin_to_stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn ledgers(&self) -> &[Ledger] {
        &self.ledgers
    }

    pub(crate) fn ledger(&self, name: &str) -> Result<&Ledger, Problem> {
        self.by_name.get(name).map(|&at| &self.ledgers[at]).ok_or_else(Problem::no_such_ledger)
    }

    pub(crate) fn ledger_at(&self, prefix: &str) -> Option<&Ledger> {
        self.by_prefix.get(prefix).map(|&at| &self.ledgers[at])
    }

    /// Runs a small read off the executor, as many at once as [`Limits::reads`] says.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(Reads) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Problem> {
        self.blocking(&self.gates.reads, work).await
    }

    /// Runs a part of a scan off the executor, as many at once as [`Limits::scans`] says.
    pub(crate) async fn scan<T: Send + 'static>(
        &self,
        work: impl FnOnce(Reads) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Problem> {
        self.blocking(&self.gates.scans, work).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        gate: &Semaphore,
        work: impl FnOnce(Reads) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Problem> {
        let _permit = gate.acquire().await.map_err(closed)?;
        let reads = self.engine.reads();
        let done = tokio::task::spawn_blocking(move || work(reads)).await;
        done.map_err(|_| Problem::internal("reading ended in a panic"))?.map_err(Problem::from)
    }
}

/// What the record says of a certificate.
fn certificate(sha256: &[u8; 32], not_after_ms: u64) -> [(&'static str, String); 2] {
    [("certificate_sha256", hex::encode(sha256)), ("not_after", rfc3339(not_after_ms))]
}

/// No gate is ever closed; if one were, the server would be stopping.
pub(crate) fn closed(_: AcquireError) -> Problem {
    Problem::unavailable("the server is stopping", 1000)
}

impl Gates {
    fn new(limits: &Limits) -> Self {
        let queue_permits = u32::try_from(limits.queued_bytes / 1024).unwrap_or(u32::MAX).max(1);
        Self {
            appends: Semaphore::new(limits.appends),
            turns: Turns::default(),
            streamed: Arc::new(Semaphore::new(limits.streamed_appends)),
            long: Arc::new(Semaphore::new(limits.long_records)),
            large: Arc::new(Semaphore::new(limits.large_records)),
            queue: Arc::new(Semaphore::new(queue_permits as usize)),
            queue_permits,
            small: Arc::new(Semaphore::new((limits.queued_small_bytes / 1024).max(SMALL_KIB as usize))),
            mappers: Arc::new(Semaphore::new(limits.mappers)),
            reads: Semaphore::new(limits.reads),
            scans: Semaphore::new(limits.scans),
            exports: Arc::new(Semaphore::new(limits.exports)),
            tails: Arc::new(Semaphore::new(limits.tails)),
        }
    }
}

/// How much of a path or a method is said back to who sent it.
const SHOWN: usize = 200;

/// All routes. Whoever asks is identified first, and every refusal is put on record last.
pub fn router(server: Arc<Server>) -> Router {
    let mut paths: Vec<(&'static str, MethodRouter<Arc<Server>>)> = Vec::new();
    for route in routes() {
        match paths.iter_mut().find(|(path, _)| *path == route.path) {
            Some((_, methods)) => *methods = std::mem::take(methods).merge(route.handler),
            None => paths.push((route.path, route.handler)),
        }
    }
    let router = paths
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods.fallback(wrong_method)));
    router.fallback(no_route).layer(from_fn_with_state(server.clone(), around)).with_state(server)
}

async fn wrong_method(method: Method) -> Problem {
    let method: String = method.as_str().chars().take(SHOWN).collect();
    let detail = format!("this path has no method {method}; the header Allow lists those it has");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "there is no such method here", detail)
}

async fn no_route(uri: Uri) -> Response {
    // It may be long, and steer the terminal of whoever sees the answer.
    let path: String = uri.path().escape_default().take(SHOWN).collect();
    let problem = Problem::not_found(format!("nothing is served under this path: {path}"));
    let mut response = problem.into_response();
    response.extensions_mut().insert(Kind("no-route"));
    response
}
