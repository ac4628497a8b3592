//! What the start tells, on standard output: where, how to begin, and what to keep safe.

use std::net::SocketAddr;
use std::path::Path;

use evidence::layout;
use ledger::LedgerInfo;

use crate::client::DEFAULT_LISTEN;

/// An event that shows what is recorded: who, what, where, outcome. The server adds when.
const FIRST_EVENT: &str = r#"{"actor":{"user":{"name":"alice"}},"api":{"operation":"read"},"resources":[{"name":"payroll"}],"src_endpoint":{"ip":"192.0.2.7"},"status_id":1}"#;

/// Text for a person who sees the server for the first time.
pub(super) fn banner(
    listen: SocketAddr,
    data: &Path,
    keys: &Path,
    new_token: bool,
    ledgers: &[LedgerInfo],
) -> String {
    let token = data.join(layout::ADMIN_TOKEN);
    let fresh = if new_token { ", new: whoever has it may do everything" } else { "" };
    let mut out = format!(
        "Ledgerstone {} is running; stop it with Ctrl-C.\n\n\
         \x20 listening on  http://{listen}\n\
         \x20 data          {}\n\
         \x20 keys          {} (back them up, apart from the data: without them nothing can be read)\n\
         \x20 admin token   {}{fresh}\n",
        env!("CARGO_PKG_VERSION"),
        data.display(),
        keys.display(),
        token.display(),
    );
    for ledger in ledgers {
        out.push_str(&format!(
            "\nledger {}\n  origin            {}\n  verification key  {}\n",
            ledger.name, ledger.origin, ledger.vkey
        ));
    }
    out.push_str(
        "\nKeep a copy of each verification key elsewhere: with it anyone can check this server without trusting it.\n",
    );
    if let Some(ledger) = ledgers.first() {
        out.push_str(&format!(
            "\nRecord a first event, from another terminal:\n\n{}",
            first_event(listen, data, ledger)
        ));
    }
    out
}

/// Two commands to paste, of which either records an event.
fn first_event(listen: SocketAddr, data: &Path, ledger: &LedgerInfo) -> String {
    let mut flags = String::new();
    if data != Path::new("./ledgerstone-data") {
        flags.push_str(&format!(" --data {}", quote(&data.display().to_string())));
    }
    if listen != DEFAULT_LISTEN {
        flags.push_str(&format!(" --server http://{listen}"));
    }
    if ledger.name != "main" {
        flags.push_str(&format!(" --ledger {}", ledger.name));
    }
    let token = quote(&data.join(layout::ADMIN_TOKEN).display().to_string());
    format!(
        "  echo '{FIRST_EVENT}' | ledgerstone append{flags} -\n\n  \
         curl -H \"Authorization: Bearer $(cat {token})\" --data-binary '{FIRST_EVENT}' \
         http://{listen}/v1/ledgers/{}/events\n",
        ledger.name
    )
}

/// A word as a shell reads it.
fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:,@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_shells() {
        assert_eq!(quote("./ledgerstone-data"), "./ledgerstone-data");
        assert_eq!(quote("my data"), "'my data'");
        assert_eq!(quote("it's $HOME"), "'it'\\''s $HOME'");
    }

    #[test]
    fn the_first_event_is_understood_and_complete_but_for_its_time() {
        let wire::Mapped::Event { incomplete, .. } = wire::map(FIRST_EVENT.as_bytes(), None) else {
            panic!("the event is understood");
        };
        assert_eq!(incomplete, ["time"]);
    }
}
