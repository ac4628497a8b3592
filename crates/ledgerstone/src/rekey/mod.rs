//! `key`: a ledger's signing key is replaced, in steps that may happen on different machines (docs/keys.md).

mod place;
mod sign;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use evidence::layout;
use serde_json::{Value, json};

use crate::cli::{ApplyKey, Key, KeyStoreArgs, KeyVerb, PrepareKey, RotateKey};
use crate::failure::{About, Failure};
use crate::terminal::{self, Paint};
use place::Place;

pub(crate) fn run(args: Key) -> Result<(), Failure> {
    match args.verb {
        KeyVerb::Show(args) => show(&args),
        KeyVerb::Prepare(args) => prepare(&args),
        KeyVerb::Sign(args) => sign::run(&args),
        KeyVerb::Apply(args) => apply(&args),
        KeyVerb::Rotate(args) => rotate(&args),
    }
}

fn show(args: &KeyStoreArgs) -> Result<(), Failure> {
    let place = Place::of(args)?;
    let ledger = place.verify()?.ledger;
    let authority = ledger.history.as_ref().and_then(|history| history.authority()).map(ToString::to_string);
    let authority_here = place.keys.join(layout::keys::authority(&args.ledger)).exists();
    let next = place.next_key()?.map(|key| key.verifying_key().to_string());
    let waiting = place.waiting()?.is_some();
    if args.json {
        let keys: Vec<Value> =
            ledger.keys.iter().map(|key| json!({ "index": key.index, "vkey": key.vkey })).collect();
        return print_json(&json!({
            "ledger": ledger.name, "origin": ledger.origin, "tree_size": ledger.size, "vkey": ledger.vkey,
            "keys": keys, "authority": authority, "authority_file_here": authority_here, "next": next,
            "change_waits": waiting,
        }));
    }
    let rows: Vec<Vec<String>> = ledger
        .keys
        .iter()
        .map(|key| {
            let from = match key.index {
                0 => "the first".to_owned(),
                index => format!("trees above {index}"),
            };
            let state = if key.vkey == ledger.vkey { "in force" } else { "replaced" };
            vec![from, state.to_owned(), key.vkey.clone()]
        })
        .collect();
    terminal::print(&terminal::table(&["signs", "state", "key"], &rows, Paint::for_stdout()))?;
    let mut out = format!("\nauthority: {}\n", authority.unwrap_or_else(|| "none is named".to_owned()));
    if authority_here {
        out += "  its file lies in the key directory; it belongs on a medium that is kept offline\n";
    }
    if let Some(next) = next.filter(|next| *next != ledger.vkey) {
        out += &format!("prepared:  {next}\n");
    }
    if waiting {
        out += "a signed change waits: the next start enters it\n";
    }
    Ok(terminal::print(&out)?)
}

fn prepare(args: &PrepareKey) -> Result<(), Failure> {
    let place = Place::of(&args.store)?;
    let prepared = place.prepare()?;
    let file = args.output.clone().unwrap_or_else(|| format!("{}.key-request", args.store.ledger).into());
    write_new(&file, &prepared.request())?;
    if args.store.json {
        return print_json(&json!({
            "request": file.display().to_string(), "origin": prepared.statement.origin.as_str(),
            "size": prepared.statement.size, "root": prepared.statement.root.to_base64(),
            "vkey": prepared.statement.key.to_string(),
        }));
    }
    terminal::print(&format!(
        "request:  {}\nold key:  {}\nnew key:  {}\ntree:     {} entries, root {}\n",
        file.display(),
        prepared.old,
        prepared.statement.key,
        prepared.statement.size,
        prepared.statement.root.to_base64()
    ))?;
    terminal::tell("next: give the new key to the operators of witnesses and monitors, then");
    terminal::tell(&format!(
        "  ledgerstone key sign {} --authority {}.authority.key",
        file.display(),
        args.store.ledger
    ));
    Ok(())
}

fn apply(args: &ApplyKey) -> Result<(), Failure> {
    let place = Place::of(&args.store)?;
    let bytes = fs::read(&args.change).about("read", &args.change)?;
    let applied = place.apply(&bytes)?;
    told_applied(&args.store, &applied)
}

fn rotate(args: &RotateKey) -> Result<(), Failure> {
    let place = Place::of(&args.store)?;
    let in_directory = place.keys.join(layout::keys::authority(&args.store.ledger));
    let authority = sign::read_authority(args.authority.as_deref().unwrap_or(&in_directory))?;
    let prepared = place.prepare()?;
    let change = sign::sign(&prepared.request(), &authority, None)?.1;
    let applied = place.apply(&change)?;
    told_applied(&args.store, &applied)
}

fn told_applied(args: &KeyStoreArgs, applied: &place::Applied) -> Result<(), Failure> {
    if args.json {
        return print_json(&json!({
            "placed": applied.file.display().to_string(), "old": applied.old, "new": applied.new,
        }));
    }
    terminal::print(&format!(
        "placed:   {}\nold key:  {}\nnew key:  {}\n",
        applied.file.display(),
        applied.old,
        applied.new
    ))?;
    terminal::tell("restart the server: the next start enters the change and signs with the new key");
    Ok(())
}

/// Writes a file that holds no secret and is not there yet.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
    let mut file = match file {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Failure::trouble(format!("there is a file already: {}", path.display()))
                .hint("move it away, or choose another name with --output FILE"));
        }
        other => other.about("create", path)?,
    };
    file.write_all(bytes).and_then(|()| file.sync_all()).about("write", path)
}

fn print_json(value: &Value) -> Result<(), Failure> {
    Ok(terminal::print(&format!("{value}\n"))?)
}
