//! A name for each request, by which an answer, a problem and a line of the log are told to belong together.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use evidence::hex;

use crate::peer::Peer;
use crate::server::Server;

/// Header of every answer that tells the request's name.
const REQUEST_ID: &str = "x-request-id";

tokio::task_local! {
    static REQUEST: String;
}

/// An answer that was given.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Name of the request, 32 hex digits.
    pub request: String,
    /// Its method, cut off if it is long.
    pub method: String,
    /// The route as the table of routes has it, without the values in it; `-` if there is none.
    pub route: String,
    /// The answer's status.
    pub status: u16,
    /// From the end of the request's head to the beginning of the answer.
    pub took: Duration,
    /// Where the request came from.
    pub peer: Option<SocketAddr>,
}

/// The name of the request that is being answered, if one is.
pub(crate) fn current() -> Option<String> {
    REQUEST.try_with(Clone::clone).ok()
}

/// A request under way.
pub(crate) struct Trace {
    name: String,
    /// What is told of it, but for the answer, and since when; only if somebody wants to know.
    asked: Option<(Answered, Duration)>,
}

impl Trace {
    /// Gives a request its name.
    pub(crate) fn begin(server: &Server, request: &Request) -> Self {
        let name = trace_id(request.headers()).unwrap_or_else(|| {
            let random: [u8; 16] = env::random(server.env.as_ref());
            hex::encode(&random)
        });
        let wanted = server.supervision().is_some_and(|supervision| supervision.answered.is_some());
        let asked = wanted.then(|| {
            let extensions = request.extensions();
            let answered = Answered {
                request: name.clone(),
                method: request.method().as_str().chars().take(32).collect(),
                route: extensions.get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned(),
                status: 0,
                took: Duration::ZERO,
                peer: extensions.get::<Peer>().map(|peer| peer.0),
            };
            (answered, server.env.monotonic())
        });
        Self { name, asked }
    }

    /// Whatever is done for the request knows its name.
    pub(crate) async fn name<T>(&self, work: impl Future<Output = T>) -> T {
        REQUEST.scope(self.name.clone(), work).await
    }

    /// Tells the name in the answer, and the answer to whoever wants to know of it.
    pub(crate) fn end(self, server: &Server, response: &mut Response) {
        if let Ok(value) = HeaderValue::from_str(&self.name) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        let teller = server.supervision().and_then(|supervision| supervision.answered.as_ref());
        if let (Some((mut answered, since)), Some(teller)) = (self.asked, teller) {
            answered.took = server.env.monotonic().saturating_sub(since);
            answered.status = response.status().as_u16();
            teller(&answered);
        }
    }
}

/// The trace id of a valid `traceparent` (W3C Trace Context, section 3.2): one header, known lengths, small hex digits,
/// no id of zeros, and any version but ff, of which more may follow.
fn trace_id(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all("traceparent").iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let mut parts = value.to_str().ok()?.splitn(5, '-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, len: usize| {
        text.len() == len && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |text: &str, len: usize| is_hex(text, len) && text.bytes().any(|byte| byte != b'0');
    let known = is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
    (known && is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2)).then(|| trace.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_traceparent_names_a_request() {
        let id = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            values.iter().for_each(|value| {
                headers.append("traceparent", HeaderValue::from_static(value));
            });
            trace_id(&headers)
        };
        const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(id(&[GOOD]).as_deref(), Some(TRACE));
        assert_eq!(
            id(&["cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what"]).as_deref(),
            Some(TRACE)
        );
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        ] {
            assert_eq!(id(&[bad]), None, "{bad}");
        }
        assert_eq!(id(&[GOOD, GOOD]), None, "two are none");
    }
}
