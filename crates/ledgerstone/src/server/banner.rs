//! What the start tells, on standard output: where, how to begin, and what to keep safe.

use std::net::SocketAddr;
use std::path::Path;

use evidence::layout;
use ledger::LedgerInfo;

use crate::client::{DEFAULT_LISTEN, reachable};
use crate::terminal;

/// An event that shows what is recorded: who, what, where, outcome. The server adds when.
const FIRST_EVENT: &str = r#"{"actor":{"user":{"name":"alice"}},"api":{"operation":"read"},"resources":[{"name":"payroll"}],"src_endpoint":{"ip":"192.0.2.7"},"status_id":1}"#;

/// Where a server is.
pub(super) struct Place<'a> {
    pub listen: SocketAddr,
    /// Its certificate and the names in it, if it speaks TLS.
    pub certified: Option<(&'a Path, Vec<String>)>,
    pub data: &'a Path,
    pub keys: &'a Path,
}

impl Place<'_> {
    /// The address as a client needs it: with TLS, under a name that the certificate is for.
    fn url(&self) -> String {
        let Some((_, names)) = &self.certified else { return format!("http://{}", self.listen) };
        let port = self.listen.port();
        let ip = self.listen.ip().to_string();
        let name = names.iter().find(|name| **name == ip);
        match name.or_else(|| names.iter().find(|name| !name.starts_with("*."))) {
            Some(name) if name.contains(':') => format!("https://[{name}]:{port}"),
            Some(name) => format!("https://{}:{port}", terminal::escape(name)),
            None => format!("https://{}", self.listen),
        }
    }
}

/// Text for a person who sees the server for the first time.
pub(super) fn banner(place: &Place<'_>, new_token: bool, ledgers: &[LedgerInfo]) -> String {
    let token = place.data.join(layout::ADMIN_TOKEN);
    let fresh = if new_token { ", new: whoever has it may do everything" } else { "" };
    let url = place.url();
    let listen = match place.certified {
        Some(_) => format!("{url} (on {}, TLS 1.3)", place.listen),
        None => url.clone(),
    };
    let mut out = format!(
        "Ledgerstone {} is running; stop it with Ctrl-C.\n\n\
         \x20 listening on  {listen}\n\
         \x20 data          {}\n\
         \x20 keys          {} (back them up, apart from the data: without them nothing can be read)\n\
         \x20 admin token   {}{fresh}\n",
        env!("CARGO_PKG_VERSION"),
        place.data.display(),
        place.keys.display(),
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
            first_event(place, &url, ledger)
        ));
    }
    out
}

/// Two commands to paste, of which either records an event.
fn first_event(place: &Place<'_>, url: &str, ledger: &LedgerInfo) -> String {
    let mut flags = String::new();
    if place.data != Path::new("./ledgerstone-data") {
        flags.push_str(&format!(" --data {}", quote(&place.data.display().to_string())));
    }
    let mut cacert = String::new();
    match &place.certified {
        None if place.listen == DEFAULT_LISTEN => {}
        None => flags.push_str(&format!(" --server {url}")),
        // This client knows the certificate from the settings, under whatever name; curl must be told.
        Some((certificate, _)) => {
            cacert = format!(" --cacert {}", quote(&certificate.display().to_string()));
            if place.listen != DEFAULT_LISTEN {
                flags.push_str(&format!(" --server https://{}", reachable(place.listen)));
            }
        }
    }
    if ledger.name != "main" {
        flags.push_str(&format!(" --ledger {}", ledger.name));
    }
    let token = quote(&place.data.join(layout::ADMIN_TOKEN).display().to_string());
    format!(
        "  echo '{FIRST_EVENT}' | ledgerstone append{flags} -\n\n  \
         curl{cacert} -H \"Authorization: Bearer $(cat {token})\" --data-binary '{FIRST_EVENT}' \
         {url}/v1/ledgers/{}/events\n",
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
    fn with_tls_the_address_has_a_name_of_the_certificate() {
        let url = |listen: &str, names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let listen = listen.parse().expect("an address");
            Place {
                listen,
                certified: Some((Path::new("c"), names)),
                data: Path::new("a"),
                keys: Path::new("b"),
            }
            .url()
        };
        assert_eq!(url("0.0.0.0:1", &["*.example.org", "a.example.org"]), "https://a.example.org:1");
        assert_eq!(url("127.0.0.1:1", &["a.example.org", "127.0.0.1"]), "https://127.0.0.1:1");
        assert_eq!(url("[::]:1", &["::1"]), "https://[::1]:1");
        assert_eq!(url("127.0.0.1:1", &[]), "https://127.0.0.1:1");
    }

    #[test]
    fn the_first_event_is_understood_and_complete_but_for_its_time() {
        let wire::Mapped::Event { incomplete, .. } = wire::map(FIRST_EVENT.as_bytes(), None) else {
            panic!("the event is understood");
        };
        assert_eq!(incomplete, ["time"]);
    }
}
