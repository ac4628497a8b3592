//! What the server says of those who time-stamp its checkpoints.

use serde_json::Value;

use super::{Finding, good, mend, risk};
use crate::{cli, client};

const WHAT: &str = "timestamps";
/// A token older than that is no longer a hiccup.
const LATE_MS: u64 = 24 * 3_600_000;
/// A certificate that ends sooner is told.
const ENDING_MS: u64 = 30 * 24 * 3_600_000;

/// Newest tokens, silent authorities, clocks that disagree, promises of calendars.
pub(super) fn findings(args: &cli::Server) -> Vec<Finding> {
    let asked = client::Client::new(args).and_then(|client| client.get_json("/v1/timestamps"));
    let ledgers = match asked {
        Ok(ledgers) => ledgers.as_array().cloned().unwrap_or_default(),
        Err(failure) => {
            let advice = "start the server, or give a token";
            return vec![risk(WHAT, format!("not known: {}", failure.message()), advice)];
        }
    };
    if ledgers.is_empty() {
        return vec![risk(
            WHAT,
            "nobody outside says when checkpoints existed: whoever has the signing key may write the past anew and date it \
             as they like",
            "name time-stamp authorities or calendars: docs/time.md",
        )];
    }
    let list =
        |ledger: &Value, name: &str| ledger.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut findings = Vec::new();
    for ledger in &ledgers {
        let name = text(ledger, "ledger").unwrap_or_default();
        for one in list(ledger, "authorities") {
            findings.extend(authority(&name, &one));
        }
        findings.extend(list(ledger, "calendars").iter().map(|one| calendar(&name, one)));
    }
    findings
}

fn authority(ledger: &str, one: &Value) -> Vec<Finding> {
    let who = text(one, "authority").unwrap_or_default();
    let (age, size) = (number(one, "age_ms"), number(one, "size"));
    let newest = age.zip(size).map(|(age, size)| {
        format!("{ledger}: the newest token of {who} is over {size} entries and {} old", client::span(age))
    });
    let error = text(one, "error");
    let advice = "what is younger than the newest token is not vouched for: see docs/time.md";
    let mut findings = vec![match (newest, error) {
        (Some(newest), None) => good(WHAT, newest),
        (Some(newest), Some(why)) => match age.is_some_and(|age| age > LATE_MS) {
            true => mend(WHAT, format!("{newest}; since then: {why}"), advice),
            false => risk(WHAT, format!("{newest}; since then: {why}"), advice),
        },
        (None, Some(why)) => mend(WHAT, format!("{ledger}: no token of {who}: {why}"), advice),
        (None, None) => {
            risk(WHAT, format!("{ledger}: no token of {who} yet"), "wait for the first checkpoint")
        }
    }];
    if let Some(off) = text(one, "clock_off_ms") {
        let ahead = if off.starts_with('-') { "behind" } else { "ahead of" };
        let found = format!(
            "{ledger}: this machine's clock is {} ms {ahead} that of {who}",
            off.trim_start_matches('-')
        );
        findings.push(mend("clock", found, "set the clock; the disagreement is on record"));
    }
    let ends = number(one, "valid_until_ms").zip(number(one, "gen_time_ms"));
    if ends.is_some_and(|(until, made)| until.saturating_sub(made) < ENDING_MS) {
        let found = format!("{ledger}: the certificate of {who} ends in less than 30 days");
        findings.push(risk(WHAT, found, "see that timestamp.ca has the next one"));
    }
    findings
}

fn calendar(ledger: &str, one: &Value) -> Finding {
    let who = text(one, "calendar").unwrap_or_default();
    let pending = number(one, "pending").unwrap_or(0);
    let newest = number(one, "size").zip(number(one, "block"));
    let newest = newest.map_or("no checkpoint is in a block yet".to_owned(), |(size, block)| {
        format!("the checkpoint of {size} entries is in Bitcoin block {block}")
    });
    let found = format!("{ledger}: calendar {who}: {newest}, {pending} wait for one");
    match text(one, "error") {
        None => good(WHAT, found),
        Some(why) => risk(WHAT, format!("{found}; {why}"), "another calendar may do: see docs/time.md"),
    }
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn number(value: &Value, name: &str) -> Option<u64> {
    value.get(name).and_then(Value::as_u64)
}
