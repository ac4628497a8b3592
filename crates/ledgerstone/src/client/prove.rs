//! `prove` and `receipt`: evidence of one event, checked before it is written.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use record::entry::Entry;
use record::receipt::{Receipt, ReceiptError};
use serde_json::{Value, json};
use tlog::{TlogProof, VerifierKey};

use super::{Client, encode, json};
use crate::cli;
use crate::failure::{About, Failure};
use crate::terminal;

/// A checkpoint follows within a second; this is how often and how long it is waited for.
const COMMIT_POLL: Duration = Duration::from_millis(250);
const COMMIT_POLLS: u32 = 20;

pub(crate) fn run(args: cli::Prove) -> Result<(), Failure> {
    let pinned = args.key.as_deref().map(parse_key).transpose()?;
    let client = Client::new(&args.server)?;
    let proof = committed(&client, &format!("/v1/ledgers/{}/proof/{}", encode(&args.ledger), args.index))?;
    let key = match &pinned {
        Some(key) => key.clone(),
        None => told_key(&client, &args.ledger)?,
    };
    let receipt = fetch_receipt(&client, &args.ledger, args.index)?;
    let does_not_hold = |why: &dyn std::fmt::Display| {
        Failure::no(format!("the proof of entry {} does not hold, so it was not written: {why}", args.index))
    };
    let mut proof = TlogProof::parse(&proof).map_err(|error| does_not_hold(&error))?;
    if proof.index != args.index {
        return Err(does_not_hold(&format!("it is of entry {}", proof.index)));
    }
    check_content(&client, &args.ledger, &receipt).map_err(|error| does_not_hold(&error))?;
    let leaf = receipt.leaf_hash();
    let checkpoint = proof
        .verify(&leaf, key.name(), std::slice::from_ref(&key), &[])
        .map_err(|error| does_not_hold(&error))?;
    // With the receipt inside, the file needs nothing beside it: it leads from the original bytes to the root.
    proof.extra = Some(Receipt { proof: None, ..receipt.clone() }.to_json().into_bytes());
    write(&args.output, proof.to_string().as_bytes())?;
    let size = checkpoint.checkpoint().size;
    if args.server.json {
        json::print(&json!({
            "file": args.output, "index": args.index, "origin": key.name(), "tree_size": size,
            "root": checkpoint.checkpoint().root.to_base64(), "vkey": key.to_string(),
            "anchor": if pinned.is_some() { "key" } else { "none" },
        }))?;
    } else {
        terminal::print(&format!(
            "entry {} is in the tree of {size} entries that {} signed; proof written to {}\n",
            args.index,
            key.name(),
            args.output.display()
        ))?;
    }
    if pinned.is_none() {
        terminal::tell(&format!(
            "warning: key not pinned: the server itself named the key; compare it with the one you got elsewhere, or \
             give that with --key:\n  {key}"
        ));
    }
    Ok(())
}

pub(crate) fn receipt(args: cli::Receipt) -> Result<(), Failure> {
    let client = Client::new(&args.server)?;
    let receipt = fetch_receipt(&client, &args.ledger, args.index)?;
    check_content(&client, &args.ledger, &receipt).map_err(|error| {
        Failure::no(format!(
            "the receipt of entry {} does not hold, so it was not written: {error}",
            args.index
        ))
    })?;
    write(&args.output, format!("{}\n", receipt.to_json()).as_bytes())?;
    let level = receipt.level.name();
    if args.server.json {
        return json::print(&json!({
            "file": args.output, "index": receipt.index, "origin": receipt.origin, "level": level,
        }));
    }
    Ok(terminal::print(&format!(
        "receipt of entry {} ({level}) of {} written to {}\n",
        receipt.index,
        receipt.origin,
        args.output.display()
    ))?)
}

/// Reads a verification key.
pub(crate) fn parse_key(text: &str) -> Result<VerifierKey, Failure> {
    VerifierKey::parse(text.trim()).map_err(|error| {
        Failure::trouble(format!("not a verification key: {error}"))
            .hint("it looks like NAME+HASH+KEY; `ledgerstone up` prints it and `ledgerstone status` shows it")
    })
}

/// The key that the server says is the ledger's.
fn told_key(client: &Client, ledger: &str) -> Result<VerifierKey, Failure> {
    let ledgers = client.get_json("/v1/ledgers")?;
    let named =
        ledgers.as_array().and_then(|list| list.iter().find(|of| json::text(of, "name") == Some(ledger)));
    match named.and_then(|ledger| json::text(ledger, "vkey")) {
        Some(vkey) => parse_key(vkey),
        None => Err(Failure::no(format!("there is no ledger of this name: {ledger}"))),
    }
}

/// The answer to a question about an entry, once a checkpoint covers it.
fn committed(client: &Client, path: &str) -> Result<Vec<u8>, Failure> {
    for _ in 0..COMMIT_POLLS {
        let answer = client.get(path)?;
        match answer.status {
            200 => return Ok(answer.body),
            409 => sleep(COMMIT_POLL),
            _ => return Err(client.refused(&answer)),
        }
    }
    Err(Failure::trouble("the entry is durable, but no checkpoint covers it yet")
        .hint("`ledgerstone status` tells whether the server publishes"))
}

fn fetch_receipt(client: &Client, ledger: &str, index: u64) -> Result<Receipt, Failure> {
    let body = committed(client, &format!("/v1/ledgers/{}/receipt/{index}", encode(ledger)))?;
    let receipt = Receipt::parse(body.trim_ascii_end())
        .map_err(|error| Failure::trouble(format!("the server's answer is no receipt: {error}")))?;
    if receipt.index != index {
        return Err(Failure::trouble(format!(
            "the server gave the receipt of another entry: {}",
            receipt.index
        )));
    }
    Ok(receipt)
}

/// Checks that the receipt commits to the original bytes that the server shows for this entry.
fn check_content(client: &Client, ledger: &str, receipt: &Receipt) -> Result<(), String> {
    let record = client
        .get_json(&format!("/v1/ledgers/{}/events/{}", encode(ledger), receipt.index))
        .map_err(|failure| failure.message().to_owned())?;
    // Erased bytes can't be shown; records of the ledger itself never had any.
    let has_raw = ["raw", "raw_base64"].iter().any(|name| record.get(name).is_some_and(Value::is_string));
    let raw = if has_raw {
        super::show::raw(&record).map_err(|failure| failure.message().to_owned())?
    } else {
        Vec::new()
    };
    match receipt.check_raw(&raw) {
        Err(ReceiptError::RawMismatch) if !has_raw && !is_own_record(receipt) => Ok(()),
        other => other.map_err(|error| error.to_string()),
    }
}

/// Whether the ledger wrote the record itself.
fn is_own_record(receipt: &Receipt) -> bool {
    receipt.decode_entry().is_ok_and(|Entry { kind, .. }| kind.is_control())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).about("write", path)
}

/// The receipt in the `extra` line of a proof. Nothing authenticates that line, so it must be of the entry and of the log
/// that the proof is of.
///
/// # Errors
/// [`ReceiptError::NoProof`] if there is none, [`ReceiptError::Malformed`] if it is another's.
pub(super) fn receipt_inside(proof: &TlogProof) -> Result<Receipt, ReceiptError> {
    let receipt = proof.extra.as_deref().and_then(|extra| Receipt::parse(extra).ok());
    let receipt = receipt.ok_or(ReceiptError::NoProof)?;
    let origin = proof.checkpoint.lines().next();
    match receipt.index == proof.index && origin == Some(receipt.origin.as_str()) {
        true => Ok(receipt),
        false => Err(ReceiptError::Malformed("the receipt inside is of another entry")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_inside_is_of_the_entry_and_log_of_its_proof() {
        let text = include_bytes!("../../../../docs/vectors/record/receipts.json");
        let cases: Value = serde_json::from_slice(text).unwrap();
        let extra = cases[0]["receipt"].as_str().unwrap().as_bytes().to_vec();
        let (origin, index) = ("log.example.org/vectors", 2);
        let of = |index, origin: &str, extra| {
            let checkpoint = format!("{origin}\n9\n");
            receipt_inside(&TlogProof { index, extra, hashes: Vec::new(), checkpoint })
        };
        assert_eq!(of(index, origin, Some(extra.clone())).unwrap().index, index);
        assert!(matches!(of(index, origin, None), Err(ReceiptError::NoProof)));
        assert!(matches!(of(index + 1, origin, Some(extra.clone())), Err(ReceiptError::Malformed(_))));
        assert!(matches!(of(index, "log.example.org/other", Some(extra)), Err(ReceiptError::Malformed(_))));
    }
}
