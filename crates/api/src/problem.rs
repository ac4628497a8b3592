//! Errors as `application/problem+json` (RFC 9457), never cached.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ledger::{Fault, Refusal};
use record::json::{Object, Value};

use crate::json;

/// The kind of the problem that an answer tells, in its extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind(pub &'static str);

/// Why a request was not served. `kind` is stable, `detail` says what to do next.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: String,
    fields: Object<'static>,
    retry_after: Option<u64>,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self { status, kind, title, detail: detail.into(), fields: Object::new(), retry_after: None }
    }

    /// What it says, in one line.
    pub(crate) fn words(&self) -> String {
        format!("{}: {}", self.title, self.detail)
    }

    /// Adds a member of its own.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value<'static>>) -> Self {
        self.fields.insert(name, value);
        self
    }

    /// Says when to ask again; at least a second, as the header has no smaller unit.
    pub(crate) fn retry_after_ms(mut self, ms: u64) -> Self {
        self.retry_after = Some(ms.div_ceil(1000).max(1));
        self
    }

    pub(crate) fn bad_query(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "query", "the query cannot be understood", detail)
    }

    pub(crate) fn bad_body(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "body", "the body cannot be understood", detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "there is no such thing", detail)
    }

    pub(crate) fn no_such_ledger() -> Self {
        let detail = "ask GET /v1/ledgers which ledgers there are";
        Self::new(StatusCode::NOT_FOUND, "no-such-ledger", "there is no ledger of this name", detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "this token is not for that", detail)
    }

    pub(crate) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the body is too large", detail)
    }

    pub(crate) fn numbering(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "numbering", "wrong way of numbering", detail)
    }

    pub(crate) fn unsupported_coding() -> Self {
        let detail = "send the body with Content-Encoding gzip, zstd or identity, one of them, once";
        let title = "the content encoding is not known";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-encoding", title, detail)
    }

    pub(crate) fn timeout() -> Self {
        let title = "the body did not come in time";
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", title, "send what is not recorded again")
    }

    pub(crate) fn too_slow(rate: u64) -> Self {
        let detail =
            format!("send at least {rate} bytes a second on average; send what is not recorded again");
        let title = "the body did not come in time";
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", title, detail).with("rate", rate)
    }

    pub(crate) fn duplicate_differs(index: u64, sequence: u64) -> Self {
        let detail =
            "a record was sent again under its number with other bytes; what was recorded first stays";
        let title = "a retry differs from what is recorded";
        Self::new(StatusCode::CONFLICT, "duplicate-differs", title, detail)
            .with("index", index)
            .with("sequence", sequence)
    }

    pub(crate) fn busy(retry_after_ms: u64) -> Self {
        let detail = "too much is waiting to be written: send it again after the time in Retry-After";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", "the server is busy", detail)
            .retry_after_ms(retry_after_ms)
    }

    pub(crate) fn unavailable(reason: impl Into<String>, retry_after_ms: u64) -> Self {
        let title = "the ledger cannot do this at present";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", title, reason)
            .retry_after_ms(retry_after_ms)
    }

    pub(crate) fn outcome_unknown() -> Self {
        let detail = "it may have been recorded or not: a source that numbers its events sends them again \
                      under the same numbers; otherwise look before sending again";
        let title = "nobody knows whether it was recorded";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "outcome-unknown", title, detail).retry_after_ms(1000)
    }

    pub(crate) fn not_committed(index: u64) -> Self {
        let detail = "the entry is durable and not yet in a checkpoint: ask again in a second";
        Self::new(StatusCode::CONFLICT, "not-committed", "there is no proof yet", detail)
            .with("index", index)
            .retry_after_ms(1000)
    }

    pub(crate) fn erased(index: u64) -> Self {
        let detail = "what was recorded was erased, as a later record of the ledger says";
        Self::new(StatusCode::GONE, "erased", "the payload is gone", detail).with("index", index)
    }

    pub(crate) fn damaged() -> Self {
        let detail = "run `ledgerstone verify` on the data directory; intact records stay readable";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "damaged", "stored bytes are damaged", detail)
    }

    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server failed", detail)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::NoSuchLedger => Self::no_such_ledger(),
            Refusal::NoSuchSource => {
                Self::new(StatusCode::NOT_FOUND, "no-such-source", "there is no such source", detail)
            }
            Refusal::Numbering { by_source } => {
                Self::numbering(detail).with("numbering", if by_source { "source" } else { "server" })
            }
            Refusal::Epoch { current } => {
                Self::new(StatusCode::CONFLICT, "epoch", "not the current epoch", detail)
                    .with("current", current)
            }
            Refusal::Sequence { epoch, expected } => {
                Self::new(StatusCode::CONFLICT, "sequence", "the sequence leaves a gap", detail)
                    .with("expected", expected)
                    .with("epoch", epoch)
            }
            Refusal::Busy { retry_after_ms } => Self::busy(retry_after_ms),
            Refusal::Unavailable { retry_after_ms, .. } => Self::unavailable(detail, retry_after_ms),
            _ => Self::unavailable(detail, 1000),
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match &fault {
            Fault::Damaged(damaged) => {
                let problem =
                    Self::damaged().with("file", damaged.file.clone()).with("reason", damaged.reason.clone());
                match damaged.offset {
                    Some(offset) => problem.with("offset", offset),
                    None => problem,
                }
            }
            _ => Self::unavailable(fault.to_string(), 1000),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut object = Object::new();
        object.insert("type", format!("ledgerstone:{}", self.kind));
        object.insert("title", self.title);
        object.insert("status", u32::from(self.status.as_u16()));
        object.insert("detail", self.detail);
        if let Some(request) = crate::trace::current() {
            object.insert("request", request);
        }
        for (name, value) in self.fields {
            object.insert(name, value);
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let mut response = (self.status, headers, json::text(&Value::Object(object))).into_response();
        response.extensions_mut().insert(Kind(self.kind));
        response
    }
}
