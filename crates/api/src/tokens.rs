//! Giving out, listing and revoking tokens.

use std::collections::BTreeSet;
use std::sync::Arc;

use access::{Action, Grant, Role, SYSTEM, TokensError};
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use evidence::hex;
use record::json::{self as strict, Object, Value};

use crate::audit::Access;
use crate::auth::Caller;
use crate::json;
use crate::problem::Problem;
use crate::query::Names;
use crate::server::Server;
use crate::sources::small_body;
use crate::view::rfc3339;

/// Days a token is good for if nothing is said, and at most.
const DEFAULT_DAYS: u64 = 90;
const MAX_DAYS: u64 = 731;
/// Days the token of a new source is good for.
const SOURCE_DAYS: u64 = 366;
const DAY_MS: u64 = 86_400_000;
/// Longest label or purpose, in bytes.
const MAX_TEXT: usize = 256;

/// `GET /v1/tokens`: all tokens, without their secrets.
pub(crate) async fn list(caller: Caller, State(server): State<Arc<Server>>) -> Result<Response, Problem> {
    caller.require(Action::Tokens, None)?;
    server.audit.enter(&caller, Access::new("token.list")).await?;
    let rows: Vec<Value<'static>> = server.tokens.list().iter().map(|grant| row(grant)).collect();
    Ok(json::response(json::text(&Value::from(rows))))
}

/// `POST /v1/tokens`: a new token, shown this once.
pub(crate) async fn add(
    caller: Caller,
    State(server): State<Arc<Server>>,
    body: Body,
) -> Result<Response, Problem> {
    caller.require(Action::Tokens, None)?;
    let grant = wanted(&small_body(&server, body).await?, server.env.now_ms())?;
    for ledger in grant.ledgers.iter().flatten() {
        server.ledger(ledger)?;
    }
    let access = Access { more: vec![("grant", text(&grant))], ..Access::new("token.add") };
    server.audit.enter(&caller, access).await?;
    let (token, grant) = issue(&server, grant).await?;
    server.audit.note(Some(&caller), &Access::new("token.added").object(&grant.id));
    let Value::Object(mut body) = row(&grant) else { return Err(Problem::internal("a token has no row")) };
    body.insert("token", token);
    Ok(json::response(json::text(&Value::Object(body))))
}

/// `DELETE /v1/tokens/{id}`: from now on it is good for nothing.
pub(crate) async fn revoke(
    caller: Caller,
    State(server): State<Arc<Server>>,
    Names(id): Names<String>,
) -> Result<Response, Problem> {
    caller.require(Action::Tokens, None)?;
    server.audit.enter(&caller, Access::new("token.revoke").object(&id)).await?;
    let revoker = server.clone();
    let revoked = tokio::task::spawn_blocking(move || revoker.tokens.revoke(&id)).await;
    let revoked = revoked.map_err(|_| Problem::internal("revoking ended in a panic"))?.map_err(problem)?;
    Ok(json::response(json::text(&row(&revoked))))
}

/// What the token of a new source allows.
pub(crate) fn source_grant(ledger: &str, source: u32, label: &str, now_ms: u64) -> Grant {
    Grant {
        id: String::new(),
        label: label.to_owned(),
        roles: [Role::Source].into(),
        ledgers: Some([ledger.to_owned()].into()),
        actions: None,
        source: Some(source),
        purpose: None,
        certificate: None,
        created_ms: now_ms,
        expires_ms: Some(now_ms + SOURCE_DAYS * DAY_MS),
    }
}

/// Makes a token, off the executor, since it waits for the disk.
pub(crate) async fn issue(server: &Arc<Server>, grant: Grant) -> Result<(String, Arc<Grant>), Problem> {
    let issuer = server.clone();
    let issued = tokio::task::spawn_blocking(move || issuer.tokens.issue(grant)).await;
    issued.map_err(|_| Problem::internal("making the token ended in a panic"))?.map_err(problem)
}

fn problem(error: TokensError) -> Problem {
    let detail = error.to_string();
    let conflict = |kind, title| Problem::new(StatusCode::CONFLICT, kind, title, detail.clone());
    match error {
        TokensError::TooMany => conflict("too-many-tokens", "there are too many tokens"),
        TokensError::LastAdmin => conflict("last-admin", "this token is still needed"),
        TokensError::NoSuch => Problem::not_found(detail),
        _ => Problem::unavailable(format!("the tokens were not changed: {detail}"), 1000),
    }
}

/// Reads what a new token is to allow.
fn wanted(body: &[u8], now_ms: u64) -> Result<Grant, Problem> {
    const MEMBERS: [&str; 8] =
        ["label", "roles", "ledgers", "actions", "source", "purpose", "expires_in_days", "certificate"];
    let value = strict::parse(body);
    let value = value.map_err(|error| Problem::bad_body(format!("not strict json: {error}")))?;
    let object = value.as_object().ok_or_else(|| Problem::bad_body("a json object is wanted"))?;
    if let Some((name, _)) = object.iter().find(|(name, _)| !MEMBERS.contains(name)) {
        return Err(Problem::bad_body(format!("unknown member: {name}")));
    }
    let text = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= MAX_TEXT && !text.chars().any(char::is_control) => {
            Ok(Some(text.to_string()))
        }
        Some(_) => {
            Err(Problem::bad_body(format!("member must be a text of at most {MAX_TEXT} bytes: {name}")))
        }
    };
    let words = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let list = value.as_array().map(|list| list.iter().map(|word| word.str().map(str::to_owned)));
            let list = list.and_then(|list| list.collect::<Option<Vec<String>>>());
            list.filter(|list| !list.is_empty())
                .map(Some)
                .ok_or_else(|| Problem::bad_body(format!("member must be a list of words: {name}")))
        }
    };
    let number = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_u64()
            .map(Some)
            .ok_or_else(|| Problem::bad_body(format!("member must be a whole number: {name}"))),
    };
    let roles = words("roles")?.ok_or_else(|| Problem::bad_body("member is missing: roles"))?;
    let unknown = |kind: &str, word: &str, all: Vec<&str>| {
        Problem::bad_body(format!("no such {kind}: {word}; there are {}", all.join(", ")))
    };
    let roles = roles.iter().map(|word| {
        Role::parse(word).ok_or_else(|| unknown("role", word, Role::ALL.map(Role::name).to_vec()))
    });
    let roles = roles.collect::<Result<BTreeSet<_>, _>>()?;
    let actions = match words("actions")? {
        None => None,
        Some(words) => {
            let actions = words.iter().map(|word| {
                Action::parse(word)
                    .ok_or_else(|| unknown("action", word, Action::ALL.map(Action::name).to_vec()))
            });
            Some(actions.collect::<Result<BTreeSet<_>, _>>()?)
        }
    };
    let days = number("expires_in_days")?.unwrap_or(DEFAULT_DAYS);
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(Problem::bad_body(format!("member expires_in_days must be 1 to {MAX_DAYS}")));
    }
    let source = number("source")?.map(u32::try_from).transpose();
    let source = source.map_err(|_| Problem::bad_body("member source must be the number of a source"))?;
    let ledgers: Option<BTreeSet<String>> = words("ledgers")?.map(|names| names.into_iter().collect());
    if roles.contains(&Role::Source) {
        let one = ledgers.as_ref().is_some_and(|names| names.len() == 1 && !names.contains(SYSTEM));
        if roles.len() > 1 || source.is_none_or(|source| source == 0) || !one {
            let detail = "a source's token has no other role, and names its source (not 0) and one ledger";
            return Err(Problem::bad_body(detail));
        }
    } else if source.is_some() {
        return Err(Problem::bad_body("only the role source has a source"));
    }
    let certificate = match text("certificate")? {
        None => None,
        Some(digits) => Some(hex::decode(&digits.replace(':', "").to_lowercase()).ok_or_else(|| {
            Problem::bad_body("member certificate must be the SHA-256 of a certificate, in hexadecimal")
        })?),
    };
    let label = text("label")?.filter(|label| !label.is_empty());
    Ok(Grant {
        id: String::new(),
        label: label.ok_or_else(|| Problem::bad_body("member is missing: label"))?,
        roles,
        ledgers,
        actions,
        source,
        purpose: text("purpose")?.filter(|purpose| !purpose.is_empty()),
        certificate,
        created_ms: now_ms,
        expires_ms: Some(now_ms + days * DAY_MS),
    })
}

/// A token as answers show it.
fn row(grant: &Grant) -> Value<'static> {
    let words = |words: Vec<String>| Value::from(words.into_iter().map(Value::from).collect::<Vec<_>>());
    let mut row = Object::new();
    row.insert("id", grant.id.clone());
    row.insert("label", grant.label.clone());
    row.insert("roles", words(grant.roles.iter().map(|role| role.name().to_owned()).collect()));
    row.insert("created", rfc3339(grant.created_ms));
    row.insert("expires", grant.expires_ms.map_or(Value::Null, |at| Value::from(rfc3339(at))));
    row.insert("expires_ms", grant.expires_ms.map_or(Value::Null, Value::from));
    if let Some(ledgers) = &grant.ledgers {
        row.insert("ledgers", words(ledgers.iter().cloned().collect()));
    }
    if let Some(actions) = &grant.actions {
        row.insert("actions", words(actions.iter().map(|action| action.name().to_owned()).collect()));
    }
    if let Some(source) = grant.source {
        row.insert("source", source);
    }
    if let Some(purpose) = &grant.purpose {
        row.insert("purpose", purpose.clone());
    }
    if let Some(certificate) = &grant.certificate {
        row.insert("certificate", hex::encode(certificate));
    }
    Value::Object(row)
}

fn text(grant: &Grant) -> String {
    String::from_utf8(json::text(&row(grant))).unwrap_or_default().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_token_is_to_allow_and_nothing_else() {
        let full = br#"{"label":"case 7","roles":["investigator"],"ledgers":["main"],"actions":["read"],"purpose":"p","expires_in_days":7,"certificate":null}"#;
        let grant = wanted(full, 1000).unwrap();
        assert_eq!(grant.roles, [Role::Investigator].into());
        assert_eq!(grant.actions, Some([Action::Read].into()));
        assert_eq!(grant.expires_ms, Some(1000 + 7 * DAY_MS));
        let default = wanted(br#"{"label":"a","roles":["admin"]}"#, 0).unwrap();
        assert_eq!((default.ledgers, default.expires_ms), (None, Some(DEFAULT_DAYS * DAY_MS)));
        assert!(wanted(br#"{"label":"s","roles":["source"],"ledgers":["main"],"source":3}"#, 0).is_ok());
        for bad in [
            "",
            "[]",
            r#"{"label":"a"}"#,
            r#"{"roles":["admin"]}"#,
            r#"{"label":"a","roles":[]}"#,
            r#"{"label":"a","roles":["root"]}"#,
            r#"{"label":"a","roles":["reader"],"source":3}"#,
            r#"{"label":"a","roles":["reader"],"actions":["all"]}"#,
            r#"{"label":"a","roles":["reader"],"expires_in_days":0}"#,
            r#"{"label":"a","roles":["reader"],"expires_in_days":10000}"#,
            r#"{"label":"a","roles":["reader"],"lables":[]}"#,
            r#"{"label":"s","roles":["source"],"ledgers":["main"]}"#,
            r#"{"label":"s","roles":["source"],"ledgers":["main"],"source":0}"#,
            r#"{"label":"s","roles":["source"],"ledgers":["system"],"source":3}"#,
            r#"{"label":"s","roles":["source","reader"],"ledgers":["main"],"source":3}"#,
            r#"{"label":"a","roles":["reader"],"certificate":"00"}"#,
        ] {
            assert!(wanted(bad.as_bytes(), 0).is_err(), "{bad}");
        }
    }
}
