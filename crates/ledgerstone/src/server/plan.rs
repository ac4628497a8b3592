//! From what was typed and set to what is usable.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use env::{Clock, SystemEnv};
use ledger::{Options, SigningGates};
use sha2::{Digest, Sha256};
use tlog::Policy;

use crate::cli::Up;
use crate::client::DEFAULT_LISTEN;
use crate::failure::{About, Failure};
use crate::settings::{Settings, check_ledger_name};
use crate::terminal::escape;

/// What verification reads per second unless it is set otherwise.
const SCRUB_MIB_PER_S: u64 = 8;
/// How long it pauses between two cycles.
const SCRUB_PAUSE_S: u64 = 600;
/// How long a witness is waited for.
const WITNESS_TIMEOUT_S: u64 = 10;

/// What the server does: flags before settings before defaults.
#[derive(Debug)]
pub(crate) struct Plan {
    pub listen: SocketAddr,
    pub data: PathBuf,
    pub keys: PathBuf,
    pub options: Options,
    pub open: api::Open,
    pub limits: api::Limits,
    pub scrub: scrub::Options,
    /// Whether the log is JSON.
    pub log_json: bool,
    /// Whether each request is logged.
    pub log_requests: bool,
    /// Who must cosign, if anybody must.
    pub witness: Option<Witnesses>,
    /// Certificate and key, if there are any: then everything goes over TLS.
    pub tls: Option<api::TlsFiles>,
}

/// The witnesses of this server's ledgers.
#[derive(Clone, Debug)]
pub(crate) struct Witnesses {
    pub policy: Arc<Policy>,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Names of those that the owner runs.
    pub own: Vec<String>,
    /// The ledgers; `None` for all.
    pub ledgers: Option<Vec<String>>,
    pub timeout: Duration,
}

impl Witnesses {
    /// Reads the policy that the settings name.
    ///
    /// # Errors
    /// It can't be read or used, or settings say something about witnesses without one.
    pub(crate) fn of(data: &Path, settings: &Settings) -> Result<Option<Witnesses>, Failure> {
        let Some(path) = &settings.witness_policy else {
            let others = settings.witness_own.is_some() || settings.witness_ledgers.is_some();
            return match others {
                true => Err(Failure::trouble(
                    "the settings say something about witnesses, but not witness.policy",
                )),
                false => Ok(None),
            };
        };
        let path = data.join(path);
        let bytes = std::fs::read(&path).about("read", &path)?;
        let wrong = |what: String| Failure::trouble(format!("{}: {what}", path.display()));
        let policy = Policy::parse_bytes(&bytes).map_err(|error| wrong(error.to_string()))?;
        let own = settings.witness_own.clone().unwrap_or_default();
        let known = |name: &String| policy.witnesses().iter().any(|witness| witness.name() == *name);
        if let Some(name) = own.iter().find(|name| !known(name)) {
            return Err(wrong(format!(
                "it has no witness of the name that witness.own gives: {}",
                escape(name)
            )));
        }
        for witness in policy.witnesses() {
            if let Some(url) = witness.url() {
                net::Url::parse(url)
                    .map_err(|what| wrong(format!("witness {}: {what}: {}", witness.name(), escape(url))))?;
            }
        }
        Ok(Some(Witnesses {
            policy: Arc::new(policy),
            sha256: Sha256::digest(&bytes).into(),
            own,
            ledgers: settings.witness_ledgers.clone(),
            timeout: Duration::from_secs(settings.witness_timeout_s.unwrap_or(WITNESS_TIMEOUT_S)),
        }))
    }

    /// Whether those that the owner runs are enough for the quorum.
    pub(crate) fn own_suffice(&self) -> bool {
        let names = |key: &tlog::VerifierKey| {
            let mut witnesses = self.policy.witnesses().iter();
            witnesses.any(|witness| witness.key() == key && self.own.contains(&witness.name()))
        };
        self.policy.quorum(names).met
    }

    /// The gates of the ledgers, held until a quorum has answered.
    fn gates(&self, now_ms: u64) -> SigningGates {
        const WHY: &str = "the witnesses have not been asked yet";
        match &self.ledgers {
            Some(names) => SigningGates::held(names.iter().cloned(), now_ms, WHY),
            None => SigningGates::held_all(now_ms, WHY),
        }
    }
}

impl Plan {
    /// Checks what the flags and the settings say together.
    ///
    /// # Errors
    /// An address that needs TLS, a certificate without its key, a name that no ledger may have.
    pub(crate) fn resolve(up: &Up, settings: Settings, settings_hash: [u8; 32]) -> Result<Plan, Failure> {
        let listen = up.listen.or(settings.listen).unwrap_or(DEFAULT_LISTEN);
        let tls = tls_files(&up.data, &settings)?;
        let danger = settings.danger_listen_without_tls == Some(true);
        if !listen.ip().is_loopback() && tls.is_none() && !danger {
            return Err(Failure::trouble(format!(
                "{listen} is no loopback address, and tokens and events would cross the network in the clear"
            ))
            .hint(
                "name a certificate and its key under [tls] in ledgerstone.toml (docs/tls.md shows how), listen on \
                 127.0.0.1 and put a proxy with TLS in front, or say danger_listen_without_tls = true",
            ));
        }
        for name in &up.ledgers {
            check_ledger_name(name).map_err(Failure::trouble)?;
        }
        let keys = match (&up.keys, &settings.keys) {
            (Some(keys), _) => keys.clone(),
            (None, Some(keys)) => up.data.join(keys),
            (None, None) => sibling(&up.data),
        };
        let open = api::Open::default();
        let open = api::Open {
            tiles: settings.open_tiles.unwrap_or(open.tiles),
            bundles: settings.open_bundles.unwrap_or(open.bundles),
        };
        let scrub = scrub::Options {
            mib_per_s: settings.scrub_mib_per_s.unwrap_or(SCRUB_MIB_PER_S),
            pause: Duration::from_secs(settings.scrub_pause_s.unwrap_or(SCRUB_PAUSE_S)),
        };
        let limits = limits(&settings);
        let log_json = settings.log_format.as_deref() == Some("json");
        let log_requests = settings.log_requests == Some(true);
        let witness = Witnesses::of(&up.data, &settings)?;
        let mut options = options(up, settings, settings_hash);
        if let Some(witness) = &witness {
            options.gates = witness.gates(SystemEnv::new().now_ms());
        }
        Ok(Plan {
            listen,
            data: up.data.clone(),
            keys,
            options,
            open,
            limits,
            scrub,
            log_json,
            log_requests,
            witness,
            tls,
        })
    }
}

fn limits(settings: &Settings) -> api::Limits {
    let default = api::Limits::default();
    let count =
        |set: Option<u64>, default| set.map_or(default, |set| usize::try_from(set).unwrap_or(default));
    api::Limits {
        connections_per_address: count(settings.connections_per_address, default.connections_per_address),
        connections_from_loopback: count(
            settings.connections_from_loopback,
            default.connections_from_loopback,
        ),
        ..default
    }
}

/// The files of TLS; relative to the data directory, as the keys are.
pub(crate) fn tls_files(data: &Path, settings: &Settings) -> Result<Option<api::TlsFiles>, Failure> {
    let at = |path: &Path| data.join(path);
    match (&settings.tls_certificate, &settings.tls_key, &settings.tls_client_ca) {
        (Some(certificate), Some(key), client_ca) => Ok(Some(api::TlsFiles {
            certificate: at(certificate),
            key: at(key),
            client_ca: client_ca.as_deref().map(at),
        })),
        (None, None, None) => Ok(None),
        (certificate, key, _) => {
            let missing = match (certificate, key) {
                (None, None) => "tls.certificate and tls.key",
                (None, _) => "tls.certificate",
                _ => "tls.key",
            };
            Err(Failure::trouble(format!("the settings say something about TLS, but not {missing}"))
                .hint("TLS needs tls.certificate and tls.key; tls.client_ca may come to them"))
        }
    }
}

fn options(up: &Up, settings: Settings, settings_hash: [u8; 32]) -> Options {
    let default = Options::default();
    let mebibytes = |count: u64| usize::try_from(count << 20).unwrap_or(usize::MAX);
    let mut ledgers = settings.ledgers.unwrap_or_else(|| match up.ledgers.is_empty() {
        true => default.ledgers.clone(),
        false => Vec::new(),
    });
    // The server's own ledger is always there: without it no access could be put on record.
    for name in up.ledgers.iter().map(String::as_str).chain([access::SYSTEM]) {
        if ledgers.iter().all(|known| known != name) {
            ledgers.push(name.to_owned());
        }
    }
    Options {
        ledgers,
        origin_host: settings.origin_host.unwrap_or(default.origin_host),
        settings: Some(settings_hash),
        checkpoint_interval: settings
            .checkpoint_interval_ms
            .map_or(default.checkpoint_interval, Duration::from_millis),
        heartbeat: settings.heartbeat_s.map_or(default.heartbeat, Duration::from_secs),
        seal_entries: settings.seal_entries.unwrap_or(default.seal_entries),
        seal_age: settings.seal_age_s.map_or(default.seal_age, Duration::from_secs),
        queue_bytes: settings.queue_mib.map_or(default.queue_bytes, mebibytes),
        reserve_bytes: settings.reserve_mib.map_or(default.reserve_bytes, mebibytes),
        ..Options::default()
    }
}

/// Where keys lie by default: beside the data directory, so that a copy of the data is no copy of the keys.
fn sibling(data: &Path) -> PathBuf {
    match data.file_name() {
        Some(name) => {
            let mut name = name.to_owned();
            name.push("-keys");
            data.with_file_name(name)
        }
        // `.` and `..` have no name of their own; their full path does.
        None => verifier::default_keys(data),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Verb};

    fn plan(flags: &[&str], settings: &str) -> Result<Plan, Failure> {
        let Verb::Up(up) = Cli::parse_from(["ledgerstone", "up"].iter().chain(flags)).verb else {
            panic!("the verb is up");
        };
        Plan::resolve(&up, Settings::parse(settings).expect("the settings are right"), [7; 32])
    }

    #[test]
    fn flags_go_before_settings_and_settings_before_defaults() {
        let listen = |flags: &[&str], settings| plan(flags, settings).expect("a plan").listen.to_string();
        assert_eq!(listen(&[], ""), "127.0.0.1:4780");
        assert_eq!(listen(&[], "listen = \"127.0.0.1:1\""), "127.0.0.1:1");
        assert_eq!(listen(&["--listen", "127.0.0.1:2"], "listen = \"127.0.0.1:1\""), "127.0.0.1:2");
    }

    #[test]
    fn only_loopback_without_tls() {
        assert!(plan(&["--listen", "0.0.0.0:4780"], "").is_err());
        assert!(plan(&[], "listen = \"[::]:4780\"").is_err());
        assert!(plan(&["--listen", "[::1]:4780"], "").is_ok());
        assert!(plan(&["--listen", "0.0.0.0:4780"], "danger_listen_without_tls = true").is_ok());
    }

    #[test]
    fn with_a_certificate_it_may_listen_anywhere() {
        let tls = "listen = \"0.0.0.0:4780\"\n[tls]\ncertificate = \"../tls/a.pem\"\nkey = \"/etc/a.key\"";
        let files = plan(&["--data", "/srv/a"], tls).expect("a plan").tls.expect("files");
        assert_eq!(files.certificate, Path::new("/srv/a/../tls/a.pem"));
        assert_eq!((files.key.as_path(), files.client_ca), (Path::new("/etc/a.key"), None));
        let files = plan(&[], &format!("{tls}\nclient_ca = \"b\"")).expect("a plan").tls.expect("files");
        assert_eq!(files.client_ca.as_deref(), Some(Path::new("./ledgerstone-data/b")));
        for (half, missing) in [
            ("certificate = \"a\"", "tls.key"),
            ("key = \"a\"", "tls.certificate"),
            ("client_ca = \"a\"", "and tls.key"),
        ] {
            let failure = plan(&[], &format!("[tls]\n{half}")).expect_err("half of it");
            assert!(failure.message().ends_with(missing), "{failure:?}");
        }
    }

    #[test]
    fn keys_lie_beside_the_data() {
        let keys = |flags: &[&str], settings| plan(flags, settings).expect("a plan").keys;
        assert_eq!(keys(&[], ""), Path::new("./ledgerstone-data-keys"));
        assert_eq!(keys(&["--data", "/srv/a/"], ""), Path::new("/srv/a-keys"));
        assert_eq!(keys(&["--data", "/srv/a"], "keys = \"../b\""), Path::new("/srv/a/../b"));
        assert_eq!(keys(&["--data", "/srv/a", "--keys", "c"], "keys = \"../b\""), Path::new("c"));
    }

    #[test]
    fn ledgers_from_flags_are_added_to_those_of_the_settings() {
        let ledgers = |flags: &[&str], settings| plan(flags, settings).expect("a plan").options.ledgers;
        assert_eq!(ledgers(&[], ""), ["main", "system"]);
        assert_eq!(ledgers(&["--ledger", "a", "--ledger", "b", "--ledger", "a"], ""), ["a", "b", "system"]);
        assert_eq!(ledgers(&["--ledger", "b"], "ledgers = [\"a\"]"), ["a", "b", "system"]);
        assert!(plan(&["--ledger", "../a"], "").is_err());
    }

    #[test]
    fn verification_runs_as_the_reference_says_unless_set_otherwise() {
        let scrub = |settings| {
            let scrub = plan(&[], settings).expect("a plan").scrub;
            (scrub.mib_per_s.to_string(), scrub.pause.as_secs().to_string())
        };
        let default = |path| crate::settings::default_of(path).to_owned();
        assert_eq!(scrub(""), (default("scrub.mib_per_s"), default("scrub.pause_s")));
        assert_eq!(scrub("[scrub]\nmib_per_s = 0\npause_s = 1"), ("0".to_owned(), "1".to_owned()));
    }

    #[test]
    fn limits_reach_the_engine() {
        let plan = plan(&[], "[seal]\nentries = 512\n[limits]\nqueue_mib = 3\n[open]\nbundles = true")
            .expect("a plan");
        assert_eq!((plan.options.seal_entries, plan.options.queue_bytes), (512, 3 << 20));
        assert!(plan.open.tiles && plan.open.bundles);
        assert_eq!(plan.options.settings, Some([7; 32]));
    }
}
