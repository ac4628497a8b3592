//! Opening sources and their epochs.

use std::error::Error as _;
use std::sync::Arc;

use access::{Action, Grant};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http_body_util::LengthLimitError;
use ledger::{Opened, Pending, Refusal, Request, SourceState};
use record::control::Numbering;
use record::json::{self as strict, Object, Value};
use tokio::sync::oneshot;

use crate::audit::Access;
use crate::auth::Caller;
use crate::json;
use crate::problem::Problem;
use crate::query::{Names, path_number};
use crate::server::Server;
use crate::tokens;

/// Longest label of a source, in bytes.
const MAX_LABEL: usize = 256;

/// `GET /v1/sources`: the sources of the ledgers that the token is for, and how far each has got.
pub(crate) async fn list(caller: Caller, State(server): State<Arc<Server>>) -> Result<Response, Problem> {
    caller.require(Action::Status, None)?;
    server.audit.enter(&caller, Access::new("source.list")).await?;
    let tokens = server.tokens.list();
    let mut rows: Vec<Value<'static>> = Vec::new();
    for ledger in server.ledgers() {
        let name = &ledger.info.name;
        if caller.require(Action::Status, Some(name)).is_err() {
            continue;
        }
        let (answer, answered) = oneshot::channel();
        let pending = Pending::new(move |states: Result<Vec<SourceState>, Refusal>| {
            // Whoever asked may have gone.
            let _ = answer.send(states);
        });
        server.engine.submit(Request::Sources { ledger: ledger.number, pending });
        let states = answered.await.map_err(|_| Problem::unavailable("the writer has gone", 1000))??;
        for state in states {
            let own = |grant: &&Arc<Grant>| {
                grant.source == Some(state.source)
                    && grant.ledgers.as_ref().is_some_and(|ledgers| ledgers.contains(name))
            };
            let labels = tokens.iter().filter(own).map(|grant| Value::from(grant.label.clone()));
            rows.push(Value::Object(Object::from_iter([
                ("ledger", Value::from(name.clone())),
                ("source", Value::from(state.source)),
                ("epoch", Value::from(state.epoch)),
                ("numbering", Value::from(if state.numbered_by_source { "source" } else { "server" })),
                ("last_sequence", Value::from(state.last_sequence)),
                ("labels", Value::from(labels.collect::<Vec<_>>())),
            ])));
        }
    }
    Ok(json::response(json::text(&Value::from(rows))))
}

/// `POST /v1/sources`: a new source of a ledger, and the token it appends with.
pub(crate) async fn open(
    caller: Caller,
    State(server): State<Arc<Server>>,
    body: Body,
) -> Result<Response, Problem> {
    caller.require(Action::Sources, None)?;
    let wanted = Wanted::parse(&small_body(&server, body).await?, &["ledger", "label", "numbering"])?;
    caller.require(Action::Sources, Some(&wanted.ledger))?;
    let ledger = server.ledger(&wanted.ledger)?;
    server.audit.enter(&caller, Access::new("source.add").on(&wanted.ledger).object(&wanted.label)).await?;
    let opened = submit(&server, ledger.number, None, &wanted).await?;
    let grant = tokens::source_grant(&wanted.ledger, opened.source, &wanted.label, server.env.now_ms());
    let issued = tokens::issue(&server, grant).await;
    let (token, grant) = issued.map_err(|problem| problem.with("source", opened.source))?;
    let answer = [
        ("source", Value::from(opened.source)),
        ("epoch", Value::from(opened.epoch)),
        ("ledger", Value::from(wanted.ledger)),
        ("token", Value::from(token)),
        ("token_id", Value::from(grant.id.clone())),
        ("expires_ms", grant.expires_ms.map_or(Value::Null, Value::from)),
    ];
    Ok(json::response(json::text(&Value::Object(Object::from_iter(answer)))))
}

/// `POST /v1/sources/{n}/epochs`: the next epoch of a source.
pub(crate) async fn open_epoch(
    caller: Caller,
    State(server): State<Arc<Server>>,
    Names(source): Names<String>,
    body: Body,
) -> Result<Response, Problem> {
    let may_any = caller.require(Action::Sources, None).is_ok();
    if !may_any {
        caller.require(Action::OpenEpoch, None)?;
    }
    let source: u32 = path_number(&source)?;
    let body = small_body(&server, body).await?;
    let wanted = Wanted::parse(&body, &["ledger", "numbering", "previous_last_sequence"])?;
    let action = if may_any { Action::Sources } else { Action::OpenEpoch };
    let grant = caller.require(action, Some(&wanted.ledger))?;
    if source == 0 {
        return Err(Problem::forbidden("source 0 is the ledger itself"));
    }
    if !may_any && grant.source(Some(source)).is_err() {
        return Err(Problem::forbidden("a source's token opens epochs of that source only"));
    }
    let ledger = server.ledger(&wanted.ledger)?;
    server.audit.enter(&caller, Access::new("source.epoch").on(&wanted.ledger).object(source)).await?;
    let opened = submit(&server, ledger.number, Some(source), &wanted).await?;
    let answer = [("source", Value::from(opened.source)), ("epoch", Value::from(opened.epoch))];
    Ok(json::response(json::text(&Value::Object(Object::from_iter(answer)))))
}

async fn submit(
    server: &Server,
    ledger: usize,
    source: Option<u32>,
    wanted: &Wanted,
) -> Result<Opened, Problem> {
    let (answer, answered) = oneshot::channel();
    let pending = Pending::new(move |opened: Result<Opened, Refusal>| {
        // Whoever asked may have gone; the record stays.
        let _ = answer.send(opened);
    });
    let (numbering, previous_last) = (wanted.numbering, wanted.previous_last);
    server.engine.submit(Request::Open { ledger, source, numbering, previous_last, pending });
    answered.await.map_err(|_| Problem::outcome_unknown())?.map_err(Problem::from)
}

/// What a body of either route asks for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    ledger: String,
    label: String,
    numbering: Numbering,
    previous_last: Option<u64>,
}

impl Wanted {
    /// Reads an object with these members and no others.
    fn parse(body: &[u8], members: &[&str]) -> Result<Self, Problem> {
        let value = strict::parse(body);
        let value = value.map_err(|error| Problem::bad_body(format!("not strict json: {error}")))?;
        let object = value.as_object().ok_or_else(|| Problem::bad_body("a json object is wanted"))?;
        if let Some((name, _)) = object.iter().find(|(name, _)| !members.contains(name)) {
            return Err(Problem::bad_body(format!("unknown member: {name}")));
        }
        let text = |name: &str| match object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.to_string())),
            Some(_) => Err(Problem::bad_body(format!("member must be a text: {name}"))),
        };
        let numbering = match text("numbering")?.as_deref() {
            None | Some("server") => Numbering::Server,
            Some("source") => Numbering::Source,
            Some(_) => return Err(Problem::bad_body("member numbering must be source or server")),
        };
        let label = text("label")?.unwrap_or_default();
        if label.len() > MAX_LABEL || label.chars().any(char::is_control) {
            let detail =
                format!("label must be a text of at most {MAX_LABEL} bytes, without control characters");
            return Err(Problem::bad_body(detail));
        }
        let previous_last = match object.get("previous_last_sequence") {
            None | Some(Value::Null) => None,
            Some(value) => Some(value.as_u64().ok_or_else(|| {
                Problem::bad_body("member previous_last_sequence must be a whole number or null")
            })?),
        };
        let ledger = text("ledger")?.ok_or_else(|| Problem::bad_body("member is missing: ledger"))?;
        Ok(Self { ledger, label, numbering, previous_last })
    }
}

/// A whole body, small.
pub(crate) async fn small_body(server: &Server, body: Body) -> Result<Vec<u8>, Problem> {
    let limit = server.limits.small_body_bytes;
    match tokio::time::timeout(server.limits.body_wait, axum::body::to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes.to_vec()),
        Ok(Err(error)) if error.source().is_some_and(|error| error.is::<LengthLimitError>()) => {
            Err(Problem::too_large(format!("send at most {limit} bytes here")).with("limit", limit as u64))
        }
        Ok(Err(_)) => Err(Problem::bad_body("the body ended early")),
        Err(_) => Err(Problem::timeout()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_asked_for_and_nothing_else() {
        let members = ["ledger", "label", "numbering", "previous_last_sequence"];
        let parse = |body: &str| Wanted::parse(body.as_bytes(), &members);
        let wanted = parse(r#"{"ledger":"main","numbering":"source","previous_last_sequence":7}"#).unwrap();
        assert_eq!((wanted.numbering, wanted.previous_last), (Numbering::Source, Some(7)));
        let wanted = parse(r#"{"ledger":"main","label":"l","previous_last_sequence":null}"#).unwrap();
        assert_eq!((wanted.numbering, wanted.previous_last), (Numbering::Server, None));
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"ledger":1}"#,
            r#"{"ledger":"main","ledger":"main"}"#,
            r#"{"ledger":"main","numbering":"both"}"#,
            r#"{"ledger":"main","lable":"l"}"#,
            r#"{"ledger":"main","previous_last_sequence":-1}"#,
            r#"{"ledger":"main","previous_last_sequence":"7"}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse(&format!(r#"{{"ledger":"main","label":"{}"}}"#, "x".repeat(257))).is_err());
    }
}
