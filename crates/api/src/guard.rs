//! What is refused whatever a request asks for: heads that are too long, and those that two programs could read
//! differently, so that no proxy in front of us and we disagree about where a request goes or ends.

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, Version, header};
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// The answer to a request that may not go on. `limit`: bytes of a head.
pub(crate) fn refusal(request: &Request, limit: usize) -> Option<Response> {
    let mut response = check(request, limit).err()?.into_response();
    // Nobody knows what the bytes behind such a head are.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Some(response)
}

fn check(request: &Request, limit: usize) -> Result<(), Problem> {
    let (headers, version) = (request.headers(), request.version());
    if request.method().as_str().len() + uri_bytes(request.uri()) + header_bytes(headers) > limit {
        return Err(too_long(limit));
    }
    // HTTP/2 has neither, and its library checks what it has instead.
    if version != Version::HTTP_2 {
        check_host(headers, version)?;
        check_coding(headers)?;
    }
    Ok(())
}

fn uri_bytes(uri: &Uri) -> usize {
    uri.authority().map_or(0, |authority| authority.as_str().len())
        + uri.path_and_query().map_or(0, |path| path.as_str().len())
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + b": \r\n".len()).sum()
}

fn too_long(limit: usize) -> Problem {
    let detail = format!("send a request line and headers of at most {limit} bytes");
    Problem::new(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "head",
        "the request's head is too long",
        detail,
    )
}

/// Exactly one valid Host in HTTP/1.1, at most one in HTTP/1.0 (RFC 9112 section 3.2).
fn check_host(headers: &HeaderMap, version: Version) -> Result<(), Problem> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let refused = |detail: &str| {
        Err(Problem::new(StatusCode::BAD_REQUEST, "host", "the header Host is not as it must be", detail))
    };
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_11 => refused("HTTP/1.1 wants one header Host"),
        (None, _) => Ok(()),
        (Some(_), Some(_)) => refused("there must be one header Host, not more"),
        (Some(host), None) if is_host(host) => Ok(()),
        (Some(_), None) => {
            refused("the header Host must name a host, and a port if need be, and nothing else")
        }
    }
}

/// Whether it names a host, or is empty, as that of an address without one is.
fn is_host(host: &HeaderValue) -> bool {
    let text = host.as_bytes();
    text.is_empty() || !text.contains(&b'@') && Authority::try_from(text).is_ok()
}

/// Chunks, once, are the only coding there is; whoever sends another one means other bytes than we would read (RFC
/// 9112 sections 6.1 and 7.1).
fn check_coding(headers: &HeaderMap) -> Result<(), Problem> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let chunked = |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if chunked(coding) => Ok(()),
        _ => {
            let detail = "send the body as it is or with Transfer-Encoding: chunked, once";
            let title = "the transfer encoding is not known";
            Err(Problem::new(StatusCode::NOT_IMPLEMENTED, "transfer-encoding", title, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn one_host_that_is_one() {
        let check = |values: &[&str], version| check_host(&headers(header::HOST, values), version).is_ok();
        for good in ["localhost", "localhost:4780", "[::1]:4780", "127.0.0.1", "a.example", ""] {
            assert!(check(&[good], Version::HTTP_11), "{good}");
        }
        for bad in [&[][..], &["a", "a"], &["a", "b"], &["a/b"], &["a b"], &["u@a"], &["a\u{fc}"], &["a,b c"]]
        {
            assert!(!check(bad, Version::HTTP_11), "{bad:?}");
        }
        assert!(check(&[], Version::HTTP_10) && !check(&["a", "b"], Version::HTTP_10));
    }

    #[test]
    fn chunks_once() {
        let check = |values: &[&str]| check_coding(&headers(header::TRANSFER_ENCODING, values)).is_ok();
        assert!(check(&[]) && check(&["chunked"]) && check(&["CHUNKED "]));
        for bad in [&["chunked, chunked"][..], &["chunked", "chunked"], &["gzip, chunked"], &["gzip"], &[""]]
        {
            assert!(!check(bad), "{bad:?}");
        }
    }

    #[test]
    fn lengths_are_those_on_the_wire() {
        assert_eq!(header_bytes(&headers(header::HOST, &["ab", "c"])), "host: ab\r\nhost: c\r\n".len());
        assert_eq!(uri_bytes(&"/a?b".parse().unwrap()), 4);
    }
}
