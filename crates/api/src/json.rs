//! What goes out as JSON is written by the same strict code that reads it.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use record::canonical;
use record::json::Value;

/// One line of JSON with a final newline. Integers beyond 2^53 - 1 are strings.
pub(crate) fn text(value: &Value<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    canonical::write(value, &mut out);
    out.push(b'\n');
    out
}

/// An answer of type `application/json` that nobody keeps: it holds what a token was needed for.
pub(crate) fn response(body: impl IntoResponse) -> Response {
    typed("application/json", "no-store", body)
}

/// An answer of this type, cached as said.
pub(crate) fn typed(content_type: &'static str, cache: &'static str, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

/// Standard base64 as a value.
pub(crate) fn base64(bytes: &[u8]) -> Value<'static> {
    Value::from(STANDARD.encode(bytes))
}
