//! HTTP/1.1 over TCP and TLS 1.3.

use std::error::Error as _;
use std::io::{self, Read};
use std::time::Duration;

use ureq::http;

use crate::tls::{self, TlsError, TlsSettings};
use crate::{Answer, Method, Net, NetError, Request, Url};

/// What we call ourselves.
pub const USER_AGENT: &str = concat!("ledgerstone/", env!("CARGO_PKG_VERSION"));

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// More headers than these, counted in bytes, are not read.
const HEADER_BYTES: usize = 64 << 10;

/// Where plain `http://` may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// To this machine only.
    Loopback,
    /// Anywhere: for what everybody may read and what proves itself, such as checkpoints. Never for tokens.
    Anywhere,
}

/// Calls other machines over HTTP. Connections are kept and used again; several threads may call at a time.
#[derive(Debug)]
pub struct HttpNet {
    plain: ureq::Agent,
    /// Without anybody to trust, what needs no TLS still works.
    tls: Result<ureq::Agent, TlsError>,
    allowed: Plain,
}

impl HttpNet {
    /// Trusts as `tls` says.
    ///
    /// # Errors
    /// A file can't be read or used. That the system trusts nobody is told by the calls that need it.
    pub fn new(tls: &TlsSettings, allowed: Plain) -> Result<HttpNet, TlsError> {
        let config = config().build();
        let agent = match tls::agent(config.clone(), tls) {
            Err(error) if error != TlsError::NobodyTrusted => return Err(error),
            other => other,
        };
        Ok(HttpNet { plain: config.into(), tls: agent, allowed })
    }

    fn agent(&self, url: &Url, text: &str) -> Result<&ureq::Agent, NetError> {
        if url.tls {
            return self.tls.as_ref().map_err(|error| NetError::Distrusted {
                url: text.to_owned(),
                why: error.to_string(),
                advice: error.advice(),
            });
        }
        if self.allowed == Plain::Loopback && !url.is_loopback() {
            let what = "it would cross the network in the clear; use https://".to_owned();
            return Err(NetError::BadRequest { url: text.to_owned(), what });
        }
        Ok(&self.plain)
    }
}

/// The settings of every agent: nothing happens that was not asked for.
pub fn config() -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        // A proxy from the environment must not see tokens that are meant for this machine.
        .proxy(None)
        .timeout_connect(Some(CONNECT))
        .max_response_header_size(HEADER_BYTES)
        .user_agent(USER_AGENT)
}

impl Net for HttpNet {
    fn call(&self, request: &Request) -> Result<Answer, NetError> {
        let refused = |what: &str| NetError::BadRequest { url: request.url.clone(), what: what.to_owned() };
        let url = Url::parse(&request.url).map_err(refused)?;
        let agent = self.agent(&url, &request.url)?;
        let mut builder = http::Request::builder().method(method(request.method)).uri(&request.url);
        if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept-encoding")) {
            builder = builder.header("accept-encoding", "gzip, identity");
        }
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let has_body = matches!(request.method, Method::Post | Method::Put);
        if !has_body && !request.body.is_empty() {
            return Err(refused("only POST and PUT have a body"));
        }
        let timeout = Some(request.timeout);
        let bad = |error: http::Error| refused(&error.to_string());
        let answer = if has_body {
            let sent = builder.body(request.body.as_slice()).map_err(bad)?;
            agent.run(agent.configure_request(sent).timeout_global(timeout).build())
        } else {
            let sent = builder.body(()).map_err(bad)?;
            agent.run(agent.configure_request(sent).timeout_global(timeout).build())
        };
        receive(answer.map_err(|error| of(error, request))?, request)
    }
}

fn method(method: Method) -> http::Method {
    match method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Delete => http::Method::DELETE,
    }
}

fn receive(mut response: http::Response<ureq::Body>, request: &Request) -> Result<Answer, NetError> {
    let limit = request.max_answer;
    // One more than is allowed, so that what is exactly as long as allowed is told from what is longer.
    let body = response.body_mut().with_config().limit(limit.saturating_add(1)).read_to_vec();
    let mut body = body.map_err(|error| of(error, request))?;
    let too_large = || NetError::TooLarge { url: request.url.clone(), limit };
    if body.len() as u64 > limit {
        return Err(too_large());
    }
    let text = |value: &http::HeaderValue| value.to_str().ok().map(str::to_owned);
    let headers: Vec<(String, String)> = response
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)))
        .collect();
    let mut answer = Answer { status: response.status().as_u16(), headers, body: Vec::new() };
    if answer.header("content-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"))
        && request.method != Method::Head
    {
        body = inflate(&body, limit)
            .map_err(|why| NetError::Broken { url: request.url.clone(), why: why.to_string() })?
            .ok_or_else(too_large)?;
        answer.headers.retain(|(name, _)| name != "content-encoding" && name != "content-length");
    }
    answer.body = body;
    Ok(answer)
}

/// What was compressed; `None` if it is longer than `limit`.
fn inflate(bytes: &[u8], limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).take(limit.saturating_add(1)).read_to_end(&mut out)?;
    Ok((out.len() as u64 <= limit).then_some(out))
}

/// Sorts an error by what the caller must do.
fn of(error: ureq::Error, request: &Request) -> NetError {
    let url = request.url.clone();
    if let Some((why, advice)) = tls::distrust(&error) {
        return NetError::Distrusted { url, why, advice };
    }
    match error {
        error if is_unreachable(&error) => NetError::Unreachable { url, why: plainly(&error) },
        ureq::Error::BodyExceedsLimit(_) => NetError::TooLarge { url, limit: request.max_answer },
        ureq::Error::BadUri(what) => NetError::BadRequest { url, what },
        ureq::Error::Http(error) => NetError::BadRequest { url, what: error.to_string() },
        error => NetError::Broken { url, why: plainly(&error) },
    }
}

/// Whether an error came before anything was sent.
pub fn is_unreachable(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
        ),
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => true,
        ureq::Error::Timeout(timeout) => matches!(timeout, ureq::Timeout::Connect | ureq::Timeout::Resolve),
        _ => false,
    }
}

fn plainly(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => "there is no such host".to_owned(),
        ureq::Error::ConnectionFailed => "it closes connections at once".to_owned(),
        ureq::Error::Timeout(_) => "it took too long".to_owned(),
        ureq::Error::Io(error) => error.source().map_or_else(|| error.to_string(), ToString::to_string),
        error => error.to_string(),
    }
}
