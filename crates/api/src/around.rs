//! What happens around every request, in this order: it gets a name, its head is checked, whoever sends it is identified,
//! a route answers, a refusal goes on record, the answer is counted and told.
//!
//! One layer and not five: axum makes a copy of all that is inside a layer for each request.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Method, Uri};
use axum::middleware::Next;
use axum::response::Response;

use crate::audit::Access;
use crate::auth::Caller;
use crate::problem::Kind;
use crate::server::Server;
use crate::trace::Trace;
use crate::{guard, metrics};

/// Answers a request with whatever route it names.
pub(crate) async fn around(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let trace = Trace::begin(&server, &request);
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let mut response = trace.name(answer(&server, request, next)).await;
    metrics::count(&server, &method, &uri, response.status());
    trace.end(&server, &mut response);
    response
}

async fn answer(server: &Server, mut request: Request, next: Next) -> Response {
    if let Some(refusal) = guard::refusal(&request, server.limits.head_bytes) {
        return refusal;
    }
    let caller = Caller::of(server, &request);
    request.extensions_mut().insert(caller.clone());
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let response = next.run(request).await;
    if let Some(kind) = response.extensions().get::<Kind>().copied() {
        record_refusal(server, &caller, &method, &uri, response.status().as_u16(), kind).await;
    }
    response
}

/// Puts on record who was refused what (DESIGN I12): every denial, unknown path or method, and refused write.
async fn record_refusal(
    server: &Server,
    caller: &Caller,
    method: &Method,
    uri: &Uri,
    status: u16,
    kind: Kind,
) {
    let write = !matches!(*method, Method::GET | Method::HEAD);
    let denied = matches!(status, 401 | 403 | 405) || kind.0 == "no-route";
    if !denied && !write {
        return;
    }
    let operation = match status {
        401 => "sign-in",
        403 => "denied",
        405 => "unknown-method",
        _ if kind.0 == "no-route" => "unknown-path",
        _ => "refused-write",
    };
    // What a busy server turns away comes in any number, and is counted.
    let single = !matches!(status, 408 | 429 | 503);
    let path: String = uri.path().chars().take(256).collect();
    let access = Access {
        refused: Some((status, kind.0.to_owned())),
        more: vec![("request", format!("{method} {path}"))],
        ..Access::new(operation)
    };
    server.audit.refused(caller, access, single).await;
}
