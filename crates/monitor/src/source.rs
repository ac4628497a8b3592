//! Where the resources of a log come from: C2SP tlog-tiles, over HTTP or from a directory.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use net::{Net, NetError, Request};
use storage::Disk;

/// The longest bundle: 256 entries of 65,535 bytes with two bytes of length each.
pub(crate) const MAX_BUNDLE: u64 = 256 * (2 + 65_535);
/// How long one resource may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Gives resources of a log by their path, such as `tile/0/000`.
pub trait Source: Send + Sync {
    /// The bytes at `path`, at most `limit`; `None` if there is no such resource.
    ///
    /// # Errors
    /// Nothing is known about the resource.
    fn get(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, FetchError>;

    /// What the log is called in messages.
    fn name(&self) -> String;
}

/// Why nothing is known about a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchError {
    /// There is no answer: try later, or have a person look.
    Net(NetError),
    /// The answer is a refusal for want of rights: give a token.
    Refused {
        /// What was asked for.
        path: String,
        /// HTTP status.
        status: u16,
    },
    /// The answer is neither the resource nor that there is none: try later.
    Status {
        /// What was asked for.
        path: String,
        /// HTTP status.
        status: u16,
    },
    /// The resource is longer than it can be: the log serves something else.
    TooLong {
        /// What was asked for.
        path: String,
        /// What it can be, in bytes.
        limit: u64,
    },
    /// A file can't be read.
    File {
        /// Which.
        path: String,
        /// What the system says.
        why: String,
    },
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FetchError::Net(error) => error.fmt(f),
            FetchError::Refused { path, status } => write!(f, "{path} is not given to us: status {status}"),
            FetchError::Status { path, status } => write!(f, "{path} was answered with status {status}"),
            FetchError::TooLong { path, limit } => write!(f, "{path} is longer than {limit} bytes"),
            FetchError::File { path, why } => write!(f, "can't read {path}: {why}"),
        }
    }
}

impl std::error::Error for FetchError {}

/// A log that is served over HTTP under a prefix.
pub struct HttpSource {
    net: Arc<dyn Net>,
    prefix: String,
    token: Option<String>,
}

impl HttpSource {
    /// The log under `prefix`; `token` is sent with every request.
    pub fn new(net: Arc<dyn Net>, prefix: &str, token: Option<String>) -> HttpSource {
        HttpSource { net, prefix: prefix.trim_end_matches('/').to_owned(), token }
    }
}

impl Source for HttpSource {
    fn get(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, FetchError> {
        let url = format!("{}/{path}", self.prefix);
        let mut request = Request::get(url).within(TIMEOUT).at_most(limit);
        if path == "checkpoint" {
            // Whatever keeps copies on the way must not look like a log that went back.
            request = request.header("cache-control", "no-cache");
        }
        if let Some(token) = &self.token {
            request = request.bearer(token);
        }
        let path = path.to_owned();
        match self.net.call(&request) {
            Ok(answer) => match answer.status {
                200 => Ok(Some(answer.body)),
                404 | 410 => Ok(None),
                status @ (401 | 403) => Err(FetchError::Refused { path, status }),
                status => Err(FetchError::Status { path, status }),
            },
            Err(NetError::TooLarge { limit, .. }) => Err(FetchError::TooLong { path, limit }),
            Err(error) => Err(FetchError::Net(error)),
        }
    }

    fn name(&self) -> String {
        self.prefix.clone()
    }
}

/// A log that lies in a directory, such as a mirror.
pub struct DiskSource<'d> {
    disk: &'d dyn Disk,
    name: String,
}

impl<'d> DiskSource<'d> {
    /// The log in `disk`, which is called `name` in messages.
    pub fn new(disk: &'d dyn Disk, name: impl Into<String>) -> DiskSource<'d> {
        DiskSource { disk, name: name.into() }
    }
}

impl Source for DiskSource<'_> {
    fn get(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, FetchError> {
        let failed = |error: io::Error| FetchError::File { path: path.to_owned(), why: error.to_string() };
        match self.disk.len(path).map_err(failed)? {
            None => Ok(None),
            Some(length) if length > limit => Err(FetchError::TooLong { path: path.to_owned(), limit }),
            Some(_) => self.disk.read(path).map(Some).map_err(failed),
        }
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
