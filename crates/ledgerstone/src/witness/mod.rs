//! `witness`: opens the directory of a witness, serves it, and stops it in order.

mod banner;
mod logs;

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use env::{Env, SystemEnv};
use storage::{Disk, KillAt, LocalDisk};
use witness::{Limits, Notice, OpenError, Witness};

use crate::cli::WitnessArgs;
use crate::failure::{About, Failure};
use crate::server::{directory, log, stopped_by_signal};
use crate::terminal;

pub(crate) fn run(args: WitnessArgs) -> Result<(), Failure> {
    if args.forks {
        return forks(&args.dir);
    }
    let log_keys = logs::read(&args)?;
    log::set_json(args.json);
    directory::prepare(&args.dir)?;
    let lock = directory::lock_file(&args.dir.join(witness::LOCK_FILE))?;
    let lock = lock.map_err(|holder| {
        Failure::trouble(format!("{holder} runs this witness already: {}", args.dir.display()))
            .hint("one directory is one witness: never two processes, never a copy")
    })?;
    let listener = TcpListener::bind(args.listen)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|error| {
            Failure::trouble(format!("can't listen on {}: {error}", args.listen))
                .hint("choose another address with --listen 127.0.0.1:PORT")
        })?;
    let env: Arc<dyn Env> = Arc::new(SystemEnv::new());
    let local = LocalDisk::open(&args.dir).about("open the directory", &args.dir)?;
    let disk: Arc<dyn Disk> = match args.danger_kill_at.clone() {
        Some(point) => Arc::new(KillAt::new(Arc::new(local), point, || std::process::abort())),
        None => Arc::new(local),
    };
    let told = env.clone();
    let teller = Box::new(move |notice: &Notice| tell(told.as_ref(), notice));
    let opened = Witness::open(disk, args.name.as_deref(), &log_keys, env.clone(), teller);
    let witness = opened.map_err(|error| explain(&error, &args.dir))?;
    let listen = listener.local_addr().map_err(|error| Failure::trouble(format!("can't listen: {error}")))?;
    let banner = banner::banner(&witness, listen, &args.dir);
    warn(&witness, listen, env.as_ref());
    let served = serve(witness, listener, &banner);
    log::log(env.as_ref(), "info: stopped");
    drop(lock);
    served
}

fn serve(witness: Witness, listener: TcpListener, banner: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::trouble(format!("can't serve: {error}"));
    let runtime = tokio::runtime::Runtime::new().map_err(failed)?;
    let served = runtime.block_on(async {
        let stopping = stopped_by_signal()?;
        terminal::print(banner)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        witness::serve(Arc::new(witness), listener, Limits::default(), stopping).await
    });
    served.map_err(failed)
}

fn tell(env: &dyn Env, notice: &Notice) {
    let sentence = format!("{}: {}: {}", notice.level.name(), notice.origin, notice.message);
    let mut fields = vec![("event", notice.what.into()), ("log", notice.origin.as_str().into())];
    fields.extend(notice.size.map(|size| ("size", size.into())));
    log::log_with(env, &sentence.replace('\n', " "), &fields);
}

/// What whoever starts it should know beforehand.
fn warn(witness: &Witness, listen: std::net::SocketAddr, env: &dyn Env) {
    if witness.logs().iter().all(|(_, configured, _)| !configured) {
        log::log(env, "warning: no log is witnessed; name one with --log VKEY");
    }
    if !listen.ip().is_loopback() {
        let told = "warning: listening beyond this machine in the clear: what is said is public and signed, but who \
                    asks and how often is limited by nobody; put a proxy with TLS in front";
        log::log(env, told);
    }
    match witness.forks() {
        Ok(forks) if forks.is_empty() => {}
        Ok(forks) => {
            let told = format!("warning: forks that were refused and kept: {}; see --forks", forks.len());
            log::log(env, &told);
        }
        Err(error) => log::log(env, &format!("warning: kept forks can't be listed: {error}")),
    }
}

/// Lists what is kept, whether or not the witness runs.
fn forks(dir: &Path) -> Result<(), Failure> {
    if !dir.is_dir() {
        return Err(Failure::trouble(format!("there is no witness: {}", dir.display())));
    }
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk::open(dir).about("open the directory", dir)?);
    let forks = witness::kept_forks(&disk).about("read the forks in", dir)?;
    for fork in &forks {
        let path = dir.join("forks").join(&fork.name);
        let mut text = format!("{}.*\n", path.display());
        for line in fork.summary.lines() {
            text.push_str(&format!("  {}\n", terminal::escape(line)));
        }
        terminal::print(&text)?;
    }
    match forks.len() {
        0 => Ok(terminal::print("no fork was refused\n")?),
        count => Err(Failure::no(format!("forks that were refused and kept: {count}")).hint(
            "each says that the owner of a log, or whoever has its key, signed two histories: show it around",
        )),
    }
}

fn explain(error: &OpenError, dir: &Path) -> Failure {
    let failure = match error {
        OpenError::Damaged { .. } => Failure::no(error),
        _ => Failure::trouble(error),
    };
    match error {
        OpenError::Storage(_) => failure.hint(format!("check disk and permissions of {}", dir.display())),
        OpenError::Damaged { .. } => failure.hint(
            "it must not guess what it has cosigned: mend the disk, or make a new witness with another name and key \
             in a new directory and tell those who trust this one",
        ),
        OpenError::NameMissing => failure
            .hint("the first start makes the key: give it a name such as --name alice.example/witness"),
        OpenError::OtherName { .. } => failure.hint("leave out --name, or give another --dir"),
        OpenError::BadName(_) => failure,
    }
}
