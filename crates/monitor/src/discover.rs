//! Which logs there are at an address.

use net::{Net, NetError, Request};
use serde_json::Value;

/// The longest description of a server that is read.
const MAX_DESCRIPTION: u64 = 1 << 20;

/// A log that a Ledgerstone server says it has. Nothing of it is believed: the key must come from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where its C2SP resources are, without a slash at the end.
    pub prefix: String,
    /// What it calls itself.
    pub origin: String,
    /// The key that the server says it is signed by.
    pub vkey: String,
}

/// Asks the server at `url` for its ledgers; empty if it is no Ledgerstone server, so that `url` may be the prefix of
/// a log itself.
///
/// # Errors
/// Nobody answers.
pub fn discover(net: &dyn Net, url: &str) -> Result<Vec<Found>, NetError> {
    let base = url.trim_end_matches('/');
    let request = Request::get(format!("{base}/.well-known/ledgerstone")).at_most(MAX_DESCRIPTION);
    let answer = match net.call(&request) {
        Ok(answer) => answer,
        Err(NetError::TooLarge { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    if answer.status != 200 {
        return Ok(Vec::new());
    }
    let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let found = |ledger: &Value| {
        let text = |name: &str| ledger.get(name).and_then(Value::as_str).map(str::to_owned);
        let prefix = text("prefix")?;
        // It may lead elsewhere on this server, not to another.
        if !prefix.starts_with('/') || prefix.starts_with("//") || prefix.contains(['?', '#', '@', '\\']) {
            return None;
        }
        let prefix = format!("{base}{}", prefix.trim_end_matches('/'));
        Some(Found { prefix, origin: text("origin")?, vkey: text("vkey")? })
    };
    let list = told.get("ledgers").and_then(Value::as_array);
    Ok(list.map(|list| list.iter().filter_map(found).collect()).unwrap_or_default())
}
