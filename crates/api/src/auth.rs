//! Who is calling, and whether they may: from `Authorization: Bearer` or a client certificate that a token names.

use std::sync::Arc;

use access::{Action, Denied, Grant, Refused, SYSTEM, is_well_formed};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};

use crate::peer::{ClientCert, Peer};
use crate::problem::Problem;
use crate::server::Server;

/// States what an investigator looks for; put on record with each access.
pub(crate) const PURPOSE: &str = "ledgerstone-purpose";

/// Longest purpose, in bytes.
const MAX_PURPOSE: usize = 1024;

/// Whoever sent a request, known or not.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// What the token allows, or why there is none.
    grant: Result<Arc<Grant>, Problem>,
    /// Where from.
    pub peer: Option<Peer>,
    purpose: Option<String>,
}

/// How much of a record a caller sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// All of it, for this purpose; none is needed for the ledger of accesses.
    Full(Option<String>),
    /// Everything but `content` and `raw`.
    Withheld,
}

impl Caller {
    /// Finds out who is calling, once, before anything else looks at the request.
    pub(crate) fn of(server: &Server, request: &Request) -> Self {
        Self {
            grant: grant(server, request.headers(), request.extensions().get::<ClientCert>()),
            peer: request.extensions().get::<Peer>().copied(),
            purpose: purpose(request.headers()),
        }
    }

    /// The token, if it is good for `action`, on `ledger` if the action is on one.
    ///
    /// # Errors
    /// 401 without a valid token, 403 with one for something else.
    pub(crate) fn require(&self, action: Action, ledger: Option<&str>) -> Result<&Arc<Grant>, Problem> {
        let grant = self.grant.as_ref().map_err(Clone::clone)?;
        match grant.may(action, ledger) {
            Ok(()) => Ok(grant),
            Err(refused) => Err(forbidden(grant, action, ledger, refused)),
        }
    }

    /// The token, whatever it is for.
    pub(crate) fn grant(&self) -> Option<&Arc<Grant>> {
        self.grant.as_ref().ok()
    }

    /// The same caller, who also said in the body what for.
    pub(crate) fn stating(&self, purpose: &str) -> Self {
        Self { purpose: Some(purpose.to_owned()), ..self.clone() }
    }

    /// What for, as the request or the token says.
    pub(crate) fn stated(&self) -> Option<String> {
        self.purpose.clone().or_else(|| self.grant()?.purpose.clone())
    }

    /// How much of the records of `ledger` the caller sees, who may read there.
    ///
    /// # Errors
    /// 403 if it would be everything and nobody has said what for.
    pub(crate) fn sight(&self, ledger: &str) -> Result<Sight, Problem> {
        let Some(grant) = self.grant() else { return Ok(Sight::Withheld) };
        if grant.may(Action::Content, Some(ledger)).is_err() {
            return Ok(Sight::Withheld);
        }
        if ledger == SYSTEM {
            return Ok(Sight::Full(None));
        }
        let purpose = self.stated().ok_or_else(|| {
            let detail = "say what for in the header Ledgerstone-Purpose (or --purpose); it is put on record";
            Problem::new(StatusCode::FORBIDDEN, "purpose", "this token needs a stated purpose", detail)
        })?;
        Ok(Sight::Full(Some(purpose)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Caller>()
            .cloned()
            .ok_or_else(|| Problem::internal("nobody asked who is calling"))
    }
}

fn grant(
    server: &Server,
    headers: &HeaderMap,
    certificate: Option<&ClientCert>,
) -> Result<Arc<Grant>, Problem> {
    let expired = |denied| match denied {
        Denied::Expired(_) => {
            Some(unauthorized("expired-token", "the token's time is over: ask for another"))
        }
        Denied::Unknown => None,
    };
    if headers.get(header::AUTHORIZATION).is_none()
        && let Some(certificate) = certificate
    {
        return server.tokens.authenticate_certificate(&certificate.sha256).map_err(|denied| {
            expired(denied).unwrap_or_else(|| {
                unauthorized("unknown-certificate", "no token of this server names this client certificate")
            })
        });
    }
    let text = bearer(headers).ok_or_else(|| {
        unauthorized("no-token", "send the token as `Authorization: Bearer lst_...`, in one such header")
    })?;
    server.tokens.authenticate(text).map_err(|denied| {
        expired(denied).unwrap_or_else(|| match is_well_formed(text) {
            true => unauthorized("unknown-token", "the token is none of this server's, or no longer"),
            false => unauthorized("unknown-token", "the token is mistyped or cut off"),
        })
    })
}

fn unauthorized(kind: &'static str, detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, kind, "a valid token is needed", detail)
}

fn forbidden(grant: &Grant, action: Action, ledger: Option<&str>, refused: Refused) -> Problem {
    let roles = grant.roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ");
    let detail = match (refused, ledger) {
        (Refused::Ledger, Some(SYSTEM)) => "the ledger of accesses is written by the server alone".to_owned(),
        (Refused::Ledger, _) => "the token is for other ledgers".to_owned(),
        (Refused::Action, _) => format!("the token is narrowed to other actions than {}", action.name()),
        (Refused::Source, _) => "the token is another source's".to_owned(),
        (Refused::Role, Some(SYSTEM)) => "the ledger of accesses is for auditors".to_owned(),
        (Refused::Role, _) => format!("the token's role ({roles}) does not allow: {}", action.name()),
    };
    Problem::forbidden(detail).with("action", action.name())
}

/// The token of a request; `None` if there is no such header, or more than one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether this may be a purpose, or another text that a person gives.
pub(crate) fn is_readable(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_PURPOSE && !text.chars().any(char::is_control)
}

/// The purpose a request states: a text that can be read, of bounded length.
fn purpose(headers: &HeaderMap) -> Option<String> {
    let text = std::str::from_utf8(headers.get(PURPOSE)?.as_bytes()).ok()?.trim();
    is_readable(text).then(|| text.to_owned())
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

    #[test]
    fn a_purpose_is_a_readable_text() {
        let of = |text: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(PURPOSE, axum::http::HeaderValue::from_bytes(text).unwrap());
            purpose(&headers)
        };
        assert_eq!(of("Fall 7, Prüfung".as_bytes()).as_deref(), Some("Fall 7, Prüfung"));
        assert_eq!(of(b"  "), None);
        assert_eq!(of(b"\xff"), None);
        assert_eq!(of(&[b'x'; MAX_PURPOSE + 1]), None);
    }
}
