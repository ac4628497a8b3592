//! `up`: opens the store, starts the engine and its HTTP interface, and stops them in order.

mod banner;
pub(crate) mod directory;
mod files;
mod foreign;
mod held;
pub(crate) mod log;
mod plan;
mod scrub;
mod stamp;
mod watch;
mod witness;

use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anchor::Anchor;
use env::{Env, SystemEnv};
use ledger::{Engine, Fault};
use storage::{Disk, KillAt, LocalDisk};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::Up;
use crate::failure::{About, Failure};
use crate::terminal;
pub(crate) use files::Chosen;
use log::log;
pub(crate) use plan::{Plan, Witnesses, tls_files};

/// How long requests that still run are waited for once the server has stopped listening.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

pub(crate) fn up(up: Up) -> Result<(), Failure> {
    let chosen = Chosen::read(&up.data, up.settings.as_deref())?;
    let plan = Plan::resolve(&up, chosen.settings.clone(), chosen.hash())?;
    log::set_json(plan.log_json);
    directory::prepare(&plan.data)?;
    let lock = directory::lock(&plan.data)?;
    let stamps = stamp::options(&plan.data, &chosen.settings)?;
    directory::check_apart(&plan.data, &plan.keys)?;
    directory::prepare(&plan.keys)?;
    let env: Arc<dyn Env> = Arc::new(SystemEnv::new());
    let tls = plan.tls.clone().map(|files| tls(&plan, files, env.clone())).transpose()?;
    if let Some(policy) = &chosen.settings.witness_policy {
        directory::check_outside(&plan.data, &plan.data.join(policy))?;
    }
    let listener = listen(&plan)?;
    let (data, keys) = (open(&plan.data)?, open(&plan.keys)?);
    chosen.keep(&plan.data, &data)?;
    let (tokens, new_token) = files::tokens(&plan.data, &data, env.clone())?;

    let data = match up.danger_kill_at {
        Some(point) => Arc::new(KillAt::new(data, point, || std::process::abort())),
        None => data,
    };
    let engine = Engine::start(data, keys, env.clone(), plan.options.clone());
    let engine = Arc::new(engine.map_err(|fault| explain(&fault, &plan))?);
    let anchor = witness::start(&plan, &engine, &env)?;
    let bound = listener.local_addr().map_err(|error| Failure::trouble(format!("can't listen: {error}")))?;
    let ledgers = engine.reads().ledgers();
    let certified = plan.tls.as_ref().zip(tls.as_ref().map(|tls| tls.status().names));
    let certified = certified.map(|(files, names)| (files.certificate.as_path(), names));
    let place = banner::Place { listen: bound, certified, data: &plan.data, keys: &plan.keys };
    let banner = banner::banner(&place, new_token, &ledgers);

    let settings = api::Settings { limits: plan.limits.clone(), open: plan.open, tls: tls.clone() };
    let server = api::Server::new(engine.clone(), tokens, env.clone(), settings);
    let server = server.map_err(|error| Failure::trouble(error.to_string()))?;
    let (stop_watching, stopped) = mpsc::channel();
    let watcher = {
        let (engine, env, of_tls) = (engine.clone(), env.clone(), Arc::downgrade(&server));
        let record = move |change: &api::TlsChange| {
            if let Some(server) = of_tls.upgrade() {
                server.tls_changed(change);
            }
        };
        thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || watch::watch(&engine, tls.as_deref(), &record, env.as_ref(), &stopped))
    };
    let accesses = server.accesses_until_now();
    server.started(&chosen.hash(), files::program_hash());
    if let Some(witness) = &plan.witness {
        server.witnessed_by(&witness.sha256);
    }
    // Neither may hold the server: one may take a while to end.
    let (of_scrub, of_foreign) = (Arc::downgrade(&server), Arc::downgrade(&server));
    let scrub = self::scrub::start(&plan, env.clone(), move |alarm| {
        if let Some(server) = of_scrub.upgrade() {
            server.damage_found(alarm);
        }
    });
    let stamper = stamp::start(stamps, &engine, &env);
    let foreign = foreign::start(&plan, env.clone(), move |write| {
        if let Some(server) = of_foreign.upgrade() {
            server.foreign_write(write);
        }
    });
    server.supervise(api::Supervision {
        stamps: stamper.as_ref().map(stamper::Stamper::handle),
        scrub: scrub.as_ref().map(::scrub::Scrub::handle),
        watch: foreign.as_ref().map(::watch::Watch::handle),
        witness: anchor.as_ref().map(Anchor::handle),
        data: Some(plan.data.clone()),
        answered: plan.log_requests.then(|| log::requests(env.clone())),
    });
    if let Some(watch) = &foreign {
        foreign::restore(&server, watch.handle(), accesses, env.clone());
    }
    let served = serve(server.clone(), listener, &banner, env.as_ref());
    if let Some(stamper) = stamper {
        stamper.stop();
    }
    if let Some(scrub) = scrub {
        scrub.stop(self::scrub::PATIENCE);
    }
    if let Some(foreign) = foreign {
        foreign.stop();
    }
    if let Some(anchor) = anchor {
        anchor.stop(witness::PATIENCE);
    }
    server.stopped();
    drop(server);
    drop(stop_watching);
    if let Ok(watcher) = watcher {
        drop(watcher.join());
    }
    match Arc::into_inner(engine) {
        Some(engine) => engine.stop(),
        None => {
            log(env.as_ref(), "warning: a request did not end in time; what it was told to be durable is")
        }
    }
    log(env.as_ref(), "info: stopped");
    drop(lock);
    served
}

fn open(dir: &Path) -> Result<Arc<dyn Disk>, Failure> {
    Ok(Arc::new(LocalDisk::open(dir).about("open the directory", dir)?))
}

/// Reads certificate and key, before anything is opened that a bad one would leave behind.
fn tls(plan: &Plan, files: api::TlsFiles, env: Arc<dyn Env>) -> Result<Arc<api::Tls>, Failure> {
    for path in [&files.certificate, &files.key].into_iter().chain(&files.client_ca) {
        directory::check_outside(&plan.data, path)?;
    }
    api::Tls::open(files, env).map_err(|error| {
        Failure::trouble(error)
            .hint("nothing was started; the files are named under [tls] in ledgerstone.toml")
    })
}

fn listen(plan: &Plan) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(plan.listen).map_err(|error| {
        let failure = Failure::trouble(format!("can't listen on {}: {error}", plan.listen));
        match error.kind() {
            io::ErrorKind::AddrInUse => {
                failure.hint("something listens there already; choose another with --listen 127.0.0.1:PORT")
            }
            _ => failure,
        }
    })?;
    listener.set_nonblocking(true).map_err(|error| Failure::trouble(format!("can't listen: {error}")))?;
    Ok(listener)
}

/// Serves until a signal asks to stop. A second one ends the process at once: what was acknowledged is durable.
fn serve(
    server: Arc<api::Server>,
    listener: TcpListener,
    banner: &str,
    env: &dyn Env,
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::trouble(format!("can't serve: {error}"));
    let runtime = Runtime::new().map_err(failed)?;
    let served = runtime.block_on(async {
        let stopping = stopped_by_signal()?;
        // Only now does a signal stop the server in order, as the banner says.
        terminal::print(banner)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        api::serve(server, listener, stopping).await
    });
    if let Err(error) = &served {
        log(env, &format!("error: the HTTP interface ended: {error}"));
    }
    runtime.shutdown_timeout(LAST_REQUESTS);
    served.map_err(failed)
}

/// Resolves when a signal asks to stop. A second one ends the process at once: what was answered is durable.
pub(crate) fn stopped_by_signal() -> io::Result<impl Future<Output = ()>> {
    let mut signals = Signals::new()?;
    let (stop, stopping) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(async move {
        signals.next().await;
        let told = "info: stopping; what is waiting is finished first, a second signal stops at once";
        log(&SystemEnv::new(), told);
        drop(stop);
        signals.next().await;
        std::process::exit(2);
    });
    Ok(async {
        // Dropped is as good as sent.
        let _ = stopping.await;
    })
}

/// The signals that ask a server to stop: from a person, a supervisor, or a terminal that is closed.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

/// What a fault at the start means for the person who started.
pub(crate) fn explain(fault: &Fault, plan: &Plan) -> Failure {
    match fault {
        Fault::Storage { .. } => {
            let failure = Failure::trouble(format!("the store can't be opened: {fault}"));
            match fault.is_full() {
                true => failure
                    .hint("make room on that disk and start again; nothing that was acknowledged is lost"),
                false => failure.hint(format!("check disk and permissions of {}", plan.data.display())),
            }
        }
        Fault::Damaged(damaged) => {
            let keys = [evidence::layout::keys::WRAPPING, ".signing.key", ".authority.key"];
            let failure =
                Failure::no(format!("the store is not as it was written, so nothing was started: {fault}"));
            match keys.iter().any(|name| damaged.file.ends_with(name)) {
                true => failure.hint(format!(
                    "the keys of this store were looked for in {}; say where they are with --keys DIR",
                    plan.keys.display()
                )),
                false => failure.hint(format!(
                    "see what is damaged and what is still good: ledgerstone verify {} --keys {}",
                    plan.data.display(),
                    plan.keys.display()
                )),
            }
        }
        Fault::Fenced => Failure::trouble("another process has written to this store; nothing was started"),
    }
}
