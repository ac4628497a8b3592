//! Makes the new ledger, so that a crash at any step leaves either nothing or a beginning that is finished by saying the
//! same again: what it continues is durable in the key directory before the register names it, and until its genesis is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use env::{Env, SystemEnv};
use evidence::layout;
use evidence::predecessor::{Predecessor, Succession};
use evidence::register::LedgerState;
use ledger::{Core, KeyStore, SigningGates};
use record::control::Control;
use record::entry::Kind;
use record::facet::Facet;
use storage::{Disk, KillAt, LocalDisk};

use super::{register, tell};
use crate::cli;
use crate::failure::{About, Failure};
use crate::server::{Chosen, Plan, directory, explain};
use crate::terminal;

/// Whether an earlier call was cut off after it had written down what the new ledger continues.
pub(super) fn is_begun(args: &cli::Succeed) -> Result<bool, Failure> {
    let (_, plan) = plan(args, None)?;
    Ok(plan.keys.join(layout::keys::predecessor(&args.name)).is_file())
}

/// Finishes what was begun.
pub(super) fn go_on(args: &cli::Succeed) -> Result<(), Failure> {
    terminal::tell(
        "note: this ledger was begun before and not finished; that is done now, as it was said then",
    );
    make(args, None, None)
}

/// Begins.
pub(super) fn begin(
    args: &cli::Succeed,
    succession: &Succession,
    from: Option<&Path>,
) -> Result<(), Failure> {
    let known = register(&args.data)?.map(|registered| registered.ledgers).unwrap_or_default();
    let old = Predecessor::read(&succession.checkpoint, "").map_err(Failure::trouble)?;
    if known.iter().any(|ledger| ledger.origin == old.origin) {
        let told = format!("{} holds the old ledger itself, which would go on there", args.data.display());
        return Err(Failure::trouble(told).hint("begin in a directory of its own: --data NEW"));
    }
    if let Some(there) = known.iter().find(|ledger| ledger.name == args.name) {
        return there_already(args, succession, there, from);
    }
    make(args, Some(succession), from)
}

/// A ledger of this name is there. It may be the very one, of a call that was cut off at its last step.
fn there_already(
    args: &cli::Succeed,
    succession: &Succession,
    there: &LedgerState,
    from: Option<&Path>,
) -> Result<(), Failure> {
    let report = verifier::verify_dir(&args.data, None, None, &|_, _| {});
    let old = report.ledgers.into_iter().find(|ledger| ledger.name == args.name);
    match old.and_then(|ledger| ledger.predecessor) {
        Some(old) if old.note == succession.checkpoint => {
            let (_, plan) = plan(args, None)?;
            let begun = tell::Begun {
                name: &args.name,
                origin: there.origin.clone(),
                vkey: there.vkey.clone(),
                old,
                plan: &plan,
                from,
            };
            begun.tell(args)
        }
        _ => {
            let (data, name) = (args.data.display(), &args.name);
            Err(Failure::trouble(format!("{data} holds a ledger {name} already, which stays as it is"))
                .hint("begin in a new directory with --data NEW, or under another name with --as NAME"))
        }
    }
}

/// Settings and plan of the server that the new ledger will have.
fn plan(args: &cli::Succeed, settings: Option<PathBuf>) -> Result<(Chosen, Plan), Failure> {
    let up = cli::Up {
        data: args.data.clone(),
        listen: None,
        keys: args.keys.clone(),
        ledgers: vec![args.name.clone()],
        settings: settings.or_else(|| args.settings.clone()),
        danger_kill_at: None,
    };
    let chosen = Chosen::read(&up.data, up.settings.as_deref())?;
    let plan = Plan::resolve(&up, chosen.settings.clone(), chosen.hash())?;
    Ok((chosen, plan))
}

/// The settings of the old store, for a new one that has none of its own.
fn carried(args: &cli::Succeed, from: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    let Some(from) = from.map(|from| from.join(layout::SETTINGS)).filter(|from| from.is_file()) else {
        return Ok(None);
    };
    if args.settings.is_some() || args.data.join(layout::SETTINGS).exists() {
        return Ok(None);
    }
    let settings = Chosen::read(&args.data, Some(&from))?.settings;
    if settings.keys.is_some() {
        let told = format!("{} names the key directory of the old store", from.display());
        return Err(Failure::trouble(told).hint(
            "write settings for the new one without `keys`, or with another, and give them with --settings",
        ));
    }
    Ok(Some(from))
}

fn make(args: &cli::Succeed, succession: Option<&Succession>, from: Option<&Path>) -> Result<(), Failure> {
    // Paths in settings are relative to it.
    directory::prepare(&args.data)?;
    let (chosen, plan) = plan(args, carried(args, from)?)?;
    let lock = directory::lock(&plan.data)?;
    directory::check_apart(&plan.data, &plan.keys)?;
    directory::prepare(&plan.keys)?;
    let known = register(&plan.data)?.map(|registered| registered.ledgers).unwrap_or_default();
    let other =
        if known.is_empty() { layout::keys::WRAPPING.to_owned() } else { layout::keys::signing(&args.name) };
    if succession.is_some() && plan.keys.join(&other).exists() {
        let told = format!("keys of another ledger lie in {}: {other}", plan.keys.display());
        return Err(Failure::trouble(told).hint(
            "a ledger that continues another has keys of its own: choose another place with --keys DIR",
        ));
    }
    let env: Arc<dyn Env> = Arc::new(SystemEnv::new());
    let open = |dir: &Path| -> Result<Arc<dyn Disk>, Failure> {
        let disk: Arc<dyn Disk> = Arc::new(LocalDisk::open(dir).about("open the directory", dir)?);
        Ok(match args.danger_kill_at.clone() {
            Some(point) => Arc::new(KillAt::new(disk, point, || std::process::abort())),
            None => disk,
        })
    };
    let (data, keys) = (open(&plan.data)?, open(&plan.keys)?);
    chosen.keep(&plan.data, &data)?;
    let failed = |fault: ledger::Fault| explain(&fault, &plan);
    if let Some(succession) = succession {
        KeyStore::put_succession(&keys, &args.name, succession).map_err(failed)?;
    }
    // Those that are there sign when their server runs, which knows what guards them.
    let held =
        |name: &&String| known.iter().any(|ledger| ledger.name == **name) || plan.options.gates.has(name);
    // No other ledger is made here: it would be one that continues nothing.
    let mut names: Vec<String> = known.iter().map(|ledger| ledger.name.clone()).collect();
    for name in [args.name.as_str(), access::SYSTEM] {
        if names.iter().all(|known| known != name) {
            names.push(name.to_owned());
        }
    }
    let mut options = plan.options.clone();
    let held = names.iter().filter(held).cloned().collect::<Vec<_>>();
    options.gates = SigningGates::held(held, env.now_ms(), "no server runs");
    options.ledgers = names;
    let core = Core::open(data, keys, env, options).map_err(failed)?;
    let reads = core.reads();
    let at = reads.ledgers().iter().position(|ledger| ledger.name == args.name).unwrap_or_default();
    let (info, first) = (reads.ledgers().swap_remove(at), reads.record(at, 0).map_err(failed)?);
    core.stop().map_err(failed)?;
    drop(lock);
    let genesis =
        first.and_then(|first| Control::parse(Kind::Genesis, &first.facets[Facet::What as usize]).ok());
    let old = match genesis {
        Some(Control::Genesis(genesis)) => Predecessor::of(&genesis).map_err(Failure::no)?,
        _ => None,
    };
    let Some(old) = old else {
        return Err(Failure::no("the new ledger does not say that it continues another: verify the store"));
    };
    tell::Begun { name: &args.name, origin: info.origin, vkey: info.vkey, old, plan: &plan, from }.tell(args)
}
