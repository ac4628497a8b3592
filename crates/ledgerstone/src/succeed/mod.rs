//! `succeed`: finds out how far a lost ledger got, and begins the one that continues it (docs/recovery.md).

mod begin;
mod collect;
mod tell;

use std::fs;
use std::path::Path;

use evidence::layout;
use evidence::predecessor::Succession;
use evidence::sightings::{Contradiction, Head, NoChoice, Sightings};
use evidence::verify::{DamageKind, LedgerReport};
use storage::{Disk, DiskObjects, LocalDisk, Objects};
use tlog::{Policy, VerifierKey};

use crate::cli;
use crate::client::parse_key;
use crate::failure::{About, Failure};
use crate::server::directory;
use crate::settings::check_ledger_name;
use crate::terminal;
use collect::{Found, Store};

/// What is known of the old ledger.
struct Old {
    origin: String,
    keys: Vec<VerifierKey>,
    /// Whether a key came from elsewhere.
    pinned: bool,
    seen: Sightings,
    stores: Vec<Store>,
    silent: Vec<(String, String)>,
}

pub(crate) fn run(args: &cli::Succeed) -> Result<(), Failure> {
    check_ledger_name(&args.name).map_err(Failure::trouble)?;
    if let Some(reason) = &args.reason {
        Succession::check_reason(reason).map_err(Failure::trouble)?;
    }
    if !args.look && begin::is_begun(args)? {
        return begin::go_on(args);
    }
    if args.from.is_empty() && args.policy.is_none() {
        return Err(Failure::trouble("nothing was named that could tell how far the old ledger got").hint(
            "name its data directory or a backup, kept checkpoints, receipts or evidence files, or witnesses",
        ));
    }
    let old = look(args)?;
    let kept = keep(&args.kept, &old.seen.heads)?;
    let chosen = old.seen.choose(args.choose.as_deref());
    if !args.json || chosen.is_err() || args.reason.is_none() {
        tell::table(args, &old, chosen.as_ref().ok().copied())?;
    }
    let head = chosen.map_err(|why| refuse(&why, &old.seen.contradictions, &kept))?;
    warn(args, &old, head);
    if args.look {
        return Ok(());
    }
    let Some(reason) = &args.reason else {
        return Err(Failure::trouble("nothing was begun yet: say why, with --reason TEXT")
            .hint("the reason is kept for ever in the new ledger: one line, no personal data"));
    };
    let succession = Succession { checkpoint: head.note.clone(), reason: reason.trim().to_owned() };
    begin::begin(args, &succession, old.stores.first().map(|store| store.path.as_path()))
}

/// Collects and judges.
fn look(args: &cli::Succeed) -> Result<Old, Failure> {
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let mut found = collect::read(&args.from)?;
    let given = args.old_keys.iter().map(|key| parse_key(key)).collect::<Result<Vec<_>, _>>()?;
    let pinned = !given.is_empty();
    let keys = match pinned {
        true => given,
        false => named_by_stores(&found, &args.of)?,
    };
    let origin = keys.first().map(|key| key.name().to_owned()).unwrap_or_default();
    if keys.iter().any(|key| key.name() != origin) {
        return Err(Failure::trouble(
            "the keys of one ledger have one name, its origin; these are of several",
        ));
    }
    let tls = net::TlsSettings { ca: args.ca.clone(), known: None, identity: None };
    found.ask(&args.from, policy.as_ref(), &origin, &tls)?;
    let Found { stores, sightings, silent } = found;
    // Other ledgers of the same store are no party to this.
    let of_it = |note: &[u8]| {
        std::str::from_utf8(note).is_ok_and(|note| note.lines().next() == Some(origin.as_str()))
    };
    let sightings = sightings.into_iter().filter(|sighting| of_it(&sighting.note)).collect();
    let mut seen = Sightings::judge(&origin, &keys, policy.as_ref(), sightings);
    for store in &stores {
        compare(store, &origin, &mut seen);
    }
    Ok(Old { origin, keys, pinned, seen, stores, silent })
}

/// The old ledger's key as a data directory names it.
fn named_by_stores(found: &Found, name: &str) -> Result<Vec<VerifierKey>, Failure> {
    let ledgers = found.stores.iter().flat_map(|store| &store.report.ledgers);
    // A store that has seen more changes of the key than a copy of it names all that the copy does.
    let of = |ledger: &LedgerReport| match &ledger.history {
        Some(history) => history.keys().map(|(_, key)| key.to_string()).collect(),
        None => vec![ledger.vkey.clone()],
    };
    let all: Vec<Vec<String>> = ledgers.filter(|ledger| ledger.name == name).map(of).collect();
    let whole = all.iter().find(|keys| all.iter().flatten().all(|key| keys.contains(key)));
    match (&all[..], whole) {
        ([], _) => Err(Failure::trouble("nobody told the verification key of the old ledger")
            .hint("give it with --key; the banner of its server showed it, and so did `ledgerstone status`")
            .hint("or name a data directory of it; if it has another name there than main: --of NAME")),
        (_, Some(keys)) => keys.iter().map(|key| parse_key(key)).collect(),
        _ => Err(Failure::trouble(format!("the data directories name several keys for the ledger {name}"))
            .hint("say which is the old ledger's, with --key")),
    }
}

/// Holds every head that a store could know against its tree.
fn compare(store: &Store, origin: &str, seen: &mut Sightings) {
    let Some(ledger) = store.report.ledgers.iter().find(|ledger| ledger.origin == origin) else { return };
    let own = seen.heads.iter().find(|head| head.size == ledger.size && head.root.to_base64() == ledger.root);
    let Some(own) = own.map(Head::id).filter(|_| store.report.damage.is_empty()) else { return };
    for head in seen.heads.iter().filter(|head| head.size < ledger.size) {
        let mut trial = store.report.clone();
        let held =
            verifier::hold_against(&verifier::Directory::new(&store.path), head.note.as_bytes(), &mut trial);
        let known = |other: &Contradiction| other.heads.contains(&head.id()) && other.heads.contains(&own);
        // A signature by an earlier key was judged before: here it is the tree that counts.
        let differs = trial.damage.iter().any(|damage| damage.kind == DamageKind::Contradiction);
        if held.is_ok() && differs && !seen.contradictions.iter().any(known) {
            let why = format!("{} does not begin with the other tree", store.path.display());
            seen.contradictions.push(Contradiction { heads: [own.clone(), head.id()], why });
        }
    }
}

/// Puts every head that was found into a folder, under its id, so that nothing is lost whatever is chosen.
fn keep(dir: &Path, heads: &[Head]) -> Result<Vec<(String, String)>, Failure> {
    if heads.is_empty() {
        return Ok(Vec::new());
    }
    directory::prepare(dir)?;
    let disk = std::sync::Arc::new(LocalDisk::open(dir).about("open", dir)?);
    let mut kept = Vec::new();
    for head in heads {
        let name = format!("{}.checkpoint", head.id());
        let path = dir.join(&name);
        if fs::read(&path).ok().as_deref() != Some(head.note.as_bytes()) {
            // More cosignatures may have been found than the last time.
            disk.remove(&name).about("replace", &path)?;
            let put = DiskObjects::new(disk.clone()).put(&name, head.note.as_bytes());
            put.map_err(|error| Failure::trouble(format!("can't keep {}: {error}", path.display())))?;
        }
        kept.push((head.id(), path.display().to_string()));
    }
    Ok(kept)
}

fn refuse(why: &NoChoice, contradictions: &[Contradiction], kept: &[(String, String)]) -> Failure {
    match why {
        NoChoice::Nothing => Failure::trouble("no checkpoint that the old ledger signed was found").hint(
            "look for a backup, for receipts and evidence files that were handed out, and ask its witnesses",
        ),
        NoChoice::Unknown(id) => Failure::trouble(format!("no checkpoint of this id was found: {id}"))
            .hint("the ids are those in the first column"),
        NoChoice::Contradiction => {
            let place = |id: &str| {
                kept.iter().find(|(of, _)| of == id).map(|(_, path)| path.clone()).unwrap_or_default()
            };
            let mut text =
                "checkpoints of this ledger contradict each other: somebody signed two histories".to_owned();
            for Contradiction { heads: [one, other], why } in contradictions {
                text +=
                    &format!("\n{one} and {other}: {why}; both are kept: {} {}", place(one), place(other));
            }
            Failure::no(text)
                .hint("keep both, they are proof; find out which one is of the true history")
                .hint("then name it: --choose ID")
        }
    }
}

fn warn(args: &cli::Succeed, old: &Old, head: &Head) {
    if !old.pinned {
        terminal::tell(
            "warning: the old ledger's key is the one that its own store names; give the one you know from elsewhere \
             with --key",
        );
    }
    if args.policy.is_some() && !head.quorum {
        terminal::tell("warning: no quorum of the policy has cosigned this checkpoint");
    }
    for larger in old.seen.heads.iter().filter(|other| other.size > head.size) {
        terminal::tell(&format!(
            "warning: a larger checkpoint was signed and is not the one that is continued: {}",
            larger.id()
        ));
    }
    for store in &old.stores {
        let Some(ledger) = store.report.ledgers.iter().find(|ledger| ledger.origin == old.origin) else {
            continue;
        };
        let place = store.path.display();
        if !store.report.damage.is_empty() {
            let count = store.report.damage.len();
            terminal::tell(&format!(
                "warning: {place} is damaged in {count} places: see ledgerstone verify {place}"
            ));
        }
        if ledger.size < head.size {
            terminal::tell(&format!(
                "warning: {place} ends at {}: entries {} to {} are lost, unless somebody else has them",
                ledger.size,
                ledger.size,
                head.size - 1
            ));
        }
    }
}

fn read_policy(file: &Path) -> Result<Policy, Failure> {
    let bytes = fs::read(file).about("read", file)?;
    Policy::parse_bytes(&bytes).map_err(|error| Failure::trouble(format!("{}: {error}", file.display())))
}

/// The register of a store, if there is one.
fn register(data: &Path) -> Result<Option<evidence::register::Registered>, Failure> {
    let path = data.join(layout::REGISTER);
    match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        other => evidence::register::Registered::parse(&other.about("read", &path)?)
            .map(Some)
            .map_err(|error| Failure::no(format!("{}: {error}", path.display()))),
    }
}
