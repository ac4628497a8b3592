//! Who is calling, from `Authorization: Bearer`.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};

use crate::problem::Problem;
use crate::server::Server;
use crate::tokens::{Role, is_well_formed};

/// Extracts a caller with any token; 401 without.
pub(crate) struct Caller(pub Role);

/// Extracts an admin; 401 without a token, 403 with another's.
pub(crate) struct Admin;

impl FromRequestParts<Arc<Server>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, Problem> {
        role(server, &parts.headers).map(Self)
    }
}

impl FromRequestParts<Arc<Server>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, Problem> {
        require_admin(server, &parts.headers).map(|()| Self)
    }
}

/// Refuses everyone but an admin.
pub(crate) fn require_admin(server: &Server, headers: &HeaderMap) -> Result<(), Problem> {
    match role(server, headers)? {
        Role::Admin => Ok(()),
        Role::Source { .. } => Err(Problem::forbidden("this needs an admin's token, not a source's")),
    }
}

fn role(server: &Server, headers: &HeaderMap) -> Result<Role, Problem> {
    let text = bearer(headers).ok_or_else(|| {
        unauthorized("no-token", "send the token as `Authorization: Bearer lst_...`, in one such header")
    })?;
    server.tokens.role(text).ok_or_else(|| match is_well_formed(text) {
        true => unauthorized("unknown-token", "the token is none of this server's, or no longer"),
        false => unauthorized("unknown-token", "the token is mistyped or cut off"),
    })
}

fn unauthorized(kind: &'static str, detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, kind, "a valid token is needed", detail)
}

/// The token of a request; `None` if there is no such header, or more than one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_one_bearer_token() {
        let headers = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            headers
        };
        assert_eq!(bearer(&headers(&["Bearer lst_1"])), Some("lst_1"));
        assert_eq!(bearer(&headers(&["bearer  lst_1 "])), Some("lst_1"));
        for values in [&[][..], &["lst_1"], &["Basic lst_1"], &["Bearer a", "Bearer b"]] {
            assert_eq!(bearer(&headers(values)), None, "{values:?}");
        }
    }
}
