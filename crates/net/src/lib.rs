//! The port to other machines: how engines and tools ask them.
//!
//! [`Net`] is one blocking call, so small that a test can play any fault with a few lines (`testkit::ScriptedNet`).
//! [`HttpNet`] is the real one. It trusts nobody on the other side: an answer has a limit, a call has an end, nothing
//! is sent in the clear to another machine unless that was asked for, and no redirect is followed, since whoever is
//! asked could send us anywhere with it, tokens included.

mod http;
pub mod tls;
mod url;

use std::fmt;
use std::time::Duration;

pub use http::{HttpNet, Plain, USER_AGENT, config, is_unreachable};
pub use tls::{TlsError, TlsSettings};
pub use url::{Url, is_loopback};

/// Asks other machines.
pub trait Net: Send + Sync {
    /// Sends one request and waits for its answer, whatever its status; redirects are answers like others.
    ///
    /// # Errors
    /// There is no answer, or none that is within the limits of the request.
    fn call(&self, request: &Request) -> Result<Answer, NetError>;
}

impl<N: Net + ?Sized> Net for &N {
    fn call(&self, request: &Request) -> Result<Answer, NetError> {
        (**self).call(request)
    }
}

impl<N: Net + ?Sized> Net for std::sync::Arc<N> {
    fn call(&self, request: &Request) -> Result<Answer, NetError> {
        (**self).call(request)
    }
}

/// What is done with a resource (RFC 9110 section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read it.
    Get,
    /// Read what is said about it.
    Head,
    /// Hand it something.
    Post,
    /// Put something in its place.
    Put,
    /// Remove it.
    Delete,
}

/// A question to another machine.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub method: Method,
    /// `http://` or `https://`, host, path and query; no user name and no fragment.
    pub url: String,
    /// Names and values of headers.
    pub headers: Vec<(String, String)>,
    /// What is sent; only with [`Method::Post`] and [`Method::Put`].
    pub body: Vec<u8>,
    /// From looking up the name to the last byte of the answer.
    pub timeout: Duration,
    /// The longest answer that is read, in bytes, after decompression as before it.
    pub max_answer: u64,
}

impl Request {
    /// Thirty seconds and a mebibyte: enough for whatever C2SP serves but the largest bundles.
    const TIMEOUT: Duration = Duration::from_secs(30);
    const MAX_ANSWER: u64 = 1 << 20;

    /// Asks for what is at `url`.
    pub fn get(url: impl Into<String>) -> Request {
        Request {
            method: Method::Get,
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: Request::TIMEOUT,
            max_answer: Request::MAX_ANSWER,
        }
    }

    /// Hands `body` to what is at `url`.
    pub fn post(url: impl Into<String>, content_type: &str, body: Vec<u8>) -> Request {
        let request = Request { method: Method::Post, body, ..Request::get(url) };
        request.header("content-type", content_type)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a bearer token (RFC 6750).
    #[must_use]
    pub fn bearer(self, token: &str) -> Request {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sets how long all of it may take.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Request {
        self.timeout = timeout;
        self
    }

    /// Sets how long the answer may be.
    #[must_use]
    pub fn at_most(mut self, bytes: u64) -> Request {
        self.max_answer = bytes;
        self
    }
}

impl fmt::Debug for Request {
    /// Leaves out the values of headers, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} ({} bytes)", self.method, self.url, self.body.len())
    }
}

/// What another machine answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers with their names in small letters; those whose values are no ASCII text are left out.
    pub headers: Vec<(String, String)>,
    /// The body, without any compression (RFC 9110 section 8.4, `gzip`).
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer without headers.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer { status, headers: Vec::new(), body: body.into() }
    }

    /// The first header of this name, in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// When to ask again, if it says so in seconds (RFC 9110 section 10.2.3).
    pub fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetError {
    /// The request can't be sent as it is: mend address or headers.
    BadRequest {
        /// Where it was to go.
        url: String,
        /// What is wrong with it.
        what: String,
    },
    /// Nobody answers there, and nothing was sent: try later.
    Unreachable {
        /// Where it was to go.
        url: String,
        /// What the system says.
        why: String,
    },
    /// The connection broke or took too long: the request may have arrived or not. Try later, if it may come twice.
    Broken {
        /// Where it went.
        url: String,
        /// What happened.
        why: String,
    },
    /// One side does not trust the other, and nothing was sent: a person must look.
    Distrusted {
        /// Where it was to go.
        url: String,
        /// What is wrong.
        why: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// The answer is longer than the request allows.
    TooLarge {
        /// Where it came from.
        url: String,
        /// What was allowed, in bytes.
        limit: u64,
    },
}

impl NetError {
    /// Whether the same request may have an answer later without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        matches!(self, NetError::Unreachable { .. } | NetError::Broken { .. })
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NetError::BadRequest { url, what } => write!(f, "can't ask {url}: {what}"),
            NetError::Unreachable { url, why } => write!(f, "nobody answers at {url}: {why}"),
            NetError::Broken { url, why } => write!(f, "the connection to {url} broke: {why}"),
            NetError::Distrusted { url, why, .. } => write!(f, "there is no TLS connection to {url}: {why}"),
            NetError::TooLarge { url, limit } => {
                write!(f, "the answer of {url} is longer than {limit} bytes")
            }
        }
    }
}

impl std::error::Error for NetError {}
