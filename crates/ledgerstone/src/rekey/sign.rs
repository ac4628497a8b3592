//! The part that needs the authority key, and nothing else but the request.

use std::fs;
use std::path::Path;

use evidence::keys::{CHANGE, CHANGE_REQUEST, format_change, parse_change, parse_signing};
use record::control::KeyChange;
use serde_json::json;
use tlog::{KeyStatement, SigningKey, UnverifiedCheckpoint, VerifierKey};

use super::{print_json, write_new};
use crate::cli::SignKey;
use crate::client::prove::parse_key;
use crate::failure::{About, Failure};
use crate::terminal;

pub(super) fn run(args: &SignKey) -> Result<(), Failure> {
    let key = args.key.as_deref().map(parse_key).transpose()?;
    let authority = read_authority(&args.authority)?;
    let request = fs::read(&args.request).about("read", &args.request)?;
    let (statement, change) = sign(&request, &authority, key.as_ref())?;
    let file = args.output.clone().unwrap_or_else(|| args.request.with_extension("key-change"));
    write_new(&file, &change)?;
    if args.json {
        return print_json(&json!({
            "change": file.display().to_string(), "origin": statement.origin.as_str(),
            "size": statement.size, "root": statement.root.to_base64(), "vkey": statement.key.to_string(),
            "authority": authority.verifying_key().to_string(), "old_key_checked": key.is_some(),
        }));
    }
    terminal::print(&format!(
        "signed:   {}\nledger:   {}\ntree:     {} entries, root {}\nnew key:  {}\n",
        file.display(),
        statement.origin,
        statement.size,
        statement.root.to_base64(),
        statement.key
    ))?;
    if key.is_none() {
        terminal::tell(
            "not checked: who signed the request's tree; give the ledger's key with --key VKEY to check it",
        );
    }
    terminal::tell(&format!("next, where the server is: ledgerstone key apply {}", file.display()));
    Ok(())
}

/// Reads the file of an authority key.
pub(super) fn read_authority(path: &Path) -> Result<SigningKey, Failure> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Failure::trouble(format!("there is no authority key at {}", path.display()))
                .hint("say where it is with --authority FILE, or sign on the machine that has it: ledgerstone key prepare, sign, apply"));
        }
        other => other.about("read", path)?,
    };
    let bad = |why: &dyn std::fmt::Display| Failure::trouble(format!("{}: {why}", path.display()));
    let (name, seed, vkey) = parse_signing(&bytes).map_err(|error| bad(&error))?;
    let key = SigningKey::from_seed(&name, *seed).map_err(|error| bad(&error))?;
    match key.verifying_key().to_string() == vkey {
        true => Ok(key),
        false => Err(bad(&"the key is another one than its file says")),
    }
}

/// Signs a request; gives what it says and the signed change.
pub(super) fn sign(
    request: &[u8],
    authority: &SigningKey,
    key: Option<&VerifierKey>,
) -> Result<(KeyStatement, Vec<u8>), Failure> {
    let bad = |why: &dyn std::fmt::Display| {
        Failure::no(format!("not signed: {why}")).hint("make a new request with: ledgerstone key prepare")
    };
    let request = parse_change(CHANGE_REQUEST, request).map_err(|error| bad(&error))?;
    let statement = KeyStatement::parse(&request.statement).map_err(|error| bad(&error))?;
    let checkpoint =
        UnverifiedCheckpoint::parse(request.checkpoint.as_bytes()).map_err(|error| bad(&error))?;
    if *checkpoint.claimed() != statement.checkpoint() {
        return Err(bad(&"statement and checkpoint are of different trees"));
    }
    if authority.name() != format!("{}/authority", statement.origin) {
        let why =
            format!("the authority key is of {}, the request of {}", authority.name(), statement.origin);
        return Err(Failure::no(format!("not signed: {why}"))
            .hint("give the authority key of that ledger with --authority FILE"));
    }
    if authority.verifying_key().public_bytes() == statement.key.public_bytes() {
        return Err(bad(&"the new key is the authority's own"));
    }
    if let Some(key) = key {
        let keys = std::slice::from_ref(key);
        checkpoint.verify(statement.origin.as_str(), keys, &[]).map_err(|error| bad(&error))?;
    }
    let change = KeyChange { statement: statement.sign(authority), checkpoint: request.checkpoint };
    Ok((statement, format_change(CHANGE, &change)))
}
