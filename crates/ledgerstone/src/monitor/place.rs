//! Where the logs are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::monitor::{DiskSource, FetchError, HttpSource, Source, discover};
use net::{HttpNet, NetError, Url};
use storage::LocalDisk;
use tlog::VerifierKey;

use crate::cli;
use crate::failure::{About, Failure};

/// A Ledgerstone server records every minute that it is there; ten minutes without are silence.
const SILENCE: Duration = Duration::from_secs(600);

/// A log and the keys that were given for it.
pub(super) struct Place {
    pub source: Box<dyn Source>,
    pub keys: Vec<VerifierKey>,
    /// How long it may be silent unless the person says otherwise.
    pub silence: Option<Duration>,
}

impl Place {
    pub(super) fn origin(&self) -> &str {
        self.keys.first().map_or("", VerifierKey::name)
    }
}

/// Finds the log of each key.
pub(super) fn find(
    net: Arc<HttpNet>,
    args: &cli::Monitor,
    keys: &[VerifierKey],
) -> Result<Vec<Place>, Failure> {
    let mut by_origin: Vec<Vec<VerifierKey>> = Vec::new();
    for key in keys {
        match by_origin.iter_mut().find(|keys| keys[0].name() == key.name()) {
            Some(keys) => keys.push(key.clone()),
            None => by_origin.push(vec![key.clone()]),
        }
    }
    if let Some(path) = args.url.strip_prefix("file://") {
        let [keys] = <[_; 1]>::try_from(by_origin).map_err(|_| one_log())?;
        let source = Box::new(Directory::open(Path::new(path))?);
        return Ok(vec![Place { source, keys, silence: None }]);
    }
    let url = Url::parse(&args.url)
        .map_err(|what| Failure::trouble(format!("can't follow {}: {what}", args.url)))?;
    let token = match &args.token_file {
        Some(path) => Some(crate::client::read_token(path)?),
        None => None,
    };
    if token.is_some() && !url.is_private() && !args.channel.danger_send_token_without_tls {
        return Err(Failure::trouble(format!(
            "the token would cross the network in the clear to {}",
            args.url
        ))
        .hint("use https://, or --danger-send-token-without-tls in a network you trust"));
    }
    let found = if url.rest.trim_matches('/').is_empty() {
        discover(net.as_ref(), &args.url).map_err(no_server)?
    } else {
        Vec::new()
    };
    if found.is_empty() {
        let [keys] = <[_; 1]>::try_from(by_origin).map_err(|_| one_log())?;
        let source = Box::new(HttpSource::new(net, &args.url, token));
        return Ok(vec![Place { source, keys, silence: None }]);
    }
    let place = |keys: Vec<VerifierKey>| {
        let origin = keys[0].name();
        let Some(ledger) = found.iter().find(|ledger| ledger.origin == origin) else {
            let all: Vec<&str> = found.iter().map(|ledger| ledger.origin.as_str()).collect();
            return Err(Failure::no(format!("the server at {} has no ledger {origin}", args.url))
                .hint(format!("it has: {}", all.join(", "))));
        };
        let source = Box::new(HttpSource::new(net.clone(), &ledger.prefix, token.clone()));
        Ok(Place { source, keys, silence: Some(SILENCE) })
    };
    by_origin.into_iter().map(place).collect()
}

fn one_log() -> Failure {
    Failure::trouble("there is one log at this address: give keys of one name")
}

fn no_server(error: NetError) -> Failure {
    let failure = Failure::trouble(&error);
    match error {
        NetError::Distrusted { advice, .. } if !advice.is_empty() => failure.hint(advice),
        _ => failure,
    }
}

/// A log in a directory.
pub(super) struct Directory {
    disk: LocalDisk,
    path: PathBuf,
}

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Directory, Failure> {
        if !path.is_dir() {
            return Err(Failure::trouble(format!("there is no directory {}", path.display())));
        }
        Ok(Directory { disk: LocalDisk::open(path).about("read", path)?, path: path.to_owned() })
    }
}

impl Source for Directory {
    fn get(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, FetchError> {
        DiskSource::new(&self.disk, "").get(path, limit)
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}
