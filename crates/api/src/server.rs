use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::{Method, StatusCode, Uri};
use axum::routing::{MethodRouter, get, post};
use env::Env;
use ledger::{Engine, Fault, LedgerInfo, Reads};
use tokio::sync::{AcquireError, Semaphore};

use crate::limits::Limits;
use crate::problem::Problem;
use crate::tokens::Tokens;
use crate::{append, events, ledgers, proof, public, records, search, sources, statics};

/// What may be set about the edge.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Limits.
    pub limits: Limits,
    /// What is served without a token.
    pub open: Open,
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
    pub(crate) gates: Gates,
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

/// Permits for what is bounded over all requests.
pub(crate) struct Gates {
    pub appends: Semaphore,
    pub streamed: Arc<Semaphore>,
    pub long: Arc<Semaphore>,
    pub large: Arc<Semaphore>,
    /// One permit for each KiB of prepared records that wait for the engine.
    pub queue: Arc<Semaphore>,
    pub queue_permits: u32,
    pub mappers: Arc<Semaphore>,
    pub reads: Semaphore,
    pub scans: Semaphore,
}

impl Server {
    /// Serves `engine` to the holders of `tokens`.
    pub fn new(engine: Arc<Engine>, tokens: Tokens, env: Arc<dyn Env>, settings: Settings) -> Arc<Self> {
        let Settings { limits, open } = settings;
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
        Arc::new(Self { engine, tokens, env, limits, open, gates, ledgers, by_name, by_prefix })
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

/// No gate is ever closed; if one were, the server would be stopping.
pub(crate) fn closed(_: AcquireError) -> Problem {
    Problem::unavailable("the server is stopping", 1000)
}

impl Gates {
    fn new(limits: &Limits) -> Self {
        let queue_permits = u32::try_from(limits.queued_bytes / 1024).unwrap_or(u32::MAX).max(1);
        Self {
            appends: Semaphore::new(limits.appends),
            streamed: Arc::new(Semaphore::new(limits.streamed_appends)),
            long: Arc::new(Semaphore::new(limits.long_records)),
            large: Arc::new(Semaphore::new(limits.large_records)),
            queue: Arc::new(Semaphore::new(queue_permits as usize)),
            queue_permits,
            mappers: Arc::new(Semaphore::new(limits.mappers)),
            reads: Semaphore::new(limits.reads),
            scans: Semaphore::new(limits.scans),
        }
    }
}

/// All routes.
pub fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/healthz", read_only(public::healthz))
        .route("/.well-known/ledgerstone", read_only(public::well_known))
        .route("/{prefix}/checkpoint", read_only(statics::resource))
        .route("/{prefix}/tile/{*path}", read_only(statics::resource))
        .route("/v1/ledgers", read_only(ledgers::list))
        .route("/v1/ledgers/{name}/events", post(append::append).fallback(wrong_method))
        .route("/v1/ledgers/{name}/events/{index}", read_only(events::show))
        .route("/v1/ledgers/{name}/records", read_only(records::records))
        .route("/v1/ledgers/{name}/search", read_only(search::search))
        .route("/v1/ledgers/{name}/proof/{index}", read_only(proof::proof))
        .route("/v1/ledgers/{name}/receipt/{index}", read_only(proof::receipt))
        .route("/v1/ledgers/{name}/consistency", read_only(proof::consistency))
        .route("/v1/sources", post(sources::open).fallback(wrong_method))
        .route("/v1/sources/{source}/epochs", post(sources::open_epoch).fallback(wrong_method))
        .fallback(no_route)
        .with_state(server)
}

/// GET and HEAD.
fn read_only<T: 'static>(handler: impl Handler<T, Arc<Server>>) -> MethodRouter<Arc<Server>> {
    get(handler).fallback(wrong_method)
}

async fn wrong_method(method: Method) -> Problem {
    let detail = format!("this path has no method {method}; the header Allow lists those it has");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "there is no such method here", detail)
}

async fn no_route(uri: Uri) -> Problem {
    Problem::not_found(format!("nothing is served under this path: {}", uri.path()))
}
