//! Every route there is: path, method, who may, what it is. The router, the OpenAPI description and the test that walks
//! every role over every route are all made from this table.

use std::sync::Arc;

use access::Action;
use axum::handler::Handler;
use axum::routing::{MethodRouter, delete, get, post};

use crate::server::Server;
use crate::{
    alarms, append, events, handover, ledgers, metrics, openapi, proof, public, records, search, sources,
    stamps, statics, tail, tokens, witnesses,
};

/// One route.
pub(crate) struct Route {
    /// As axum spells it: `{name}` for a part, `{*path}` for the rest.
    pub path: &'static str,
    pub method: &'static str,
    /// What a token must allow; `None` if none is needed, or if that can be set.
    pub action: Option<Action>,
    pub summary: &'static str,
    pub query: &'static [Param],
    /// Media type and description of the body, if there is one.
    pub body: Option<Body>,
    /// Media type of the good answer.
    pub answer: &'static str,
    pub handler: MethodRouter<Arc<Server>>,
}

/// A parameter of a query string or a header.
pub(crate) struct Param {
    pub name: &'static str,
    pub kind: ParamKind,
    pub meaning: &'static str,
}

/// What a parameter may be.
pub(crate) enum ParamKind {
    Text,
    Number { max: u64 },
    Required { max: u64 },
    Words(&'static [&'static str]),
}

/// What a request carries.
pub(crate) enum Body {
    /// Events, in one of the formats of the format parameter.
    Events,
    /// A JSON object of these members: name, JSON schema type, whether it must be there, meaning.
    Object(&'static [(&'static str, &'static str, bool, &'static str)]),
}

const fn text(name: &'static str, meaning: &'static str) -> Param {
    Param { name, kind: ParamKind::Text, meaning }
}

const fn number(name: &'static str, meaning: &'static str) -> Param {
    Param { name, kind: ParamKind::Number { max: u64::MAX >> 11 }, meaning }
}

const fn small(name: &'static str, max: u64, meaning: &'static str) -> Param {
    Param { name, kind: ParamKind::Number { max }, meaning }
}

const fn words(name: &'static str, words: &'static [&'static str], meaning: &'static str) -> Param {
    Param { name, kind: ParamKind::Words(words), meaning }
}

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
const TEXT: &str = "text/plain; charset=utf-8";
const BINARY: &str = "application/octet-stream";
const ZIP: &str = "application/zip";

/// All routes.
pub(crate) fn routes() -> Vec<Route> {
    let mut all = open();
    all.extend(records());
    all.extend(administration());
    all
}

fn open() -> Vec<Route> {
    vec![
        read("/healthz", None, "Whether the server records; 503 while it can't", &[], JSON, public::healthz),
        read(
            "/readyz",
            None,
            "Whether appends are taken; 503 while they are not, or the server stops",
            &[],
            JSON,
            public::readyz,
        ),
        read(
            "/.well-known/ledgerstone",
            None,
            "Origins and verification keys",
            &[],
            JSON,
            public::well_known,
        ),
        read("/openapi.json", None, "This description", &[], JSON, openapi::serve),
        read(
            "/{prefix}/checkpoint",
            None,
            "The newest signed checkpoint (C2SP tlog-checkpoint)",
            &[],
            TEXT,
            statics::resource,
        ),
        read(
            "/{prefix}/checkpoint.witnessed",
            None,
            "The newest checkpoint that a quorum of witnesses cosigned (C2SP tlog-checkpoint, tlog-cosignature)",
            &[],
            TEXT,
            statics::resource,
        ),
        read(
            "/{prefix}/tile/{*path}",
            None,
            "A tile or bundle (C2SP tlog-tiles); bundles need a token by default",
            &[],
            BINARY,
            statics::resource,
        ),
    ]
}

fn records() -> Vec<Route> {
    const APPEND: [Param; 6] = [
        words(
            "format",
            &["auto", "native", "cloudtrail", "kubernetes-audit"],
            "Format of the events; found out for each by default",
        ),
        words("wait", &["durable", "committed", "witnessed"], "What to wait for"),
        words("receipts", &["none", "full"], "Whether to answer with a receipt for each event"),
        small("source", u32::MAX as u64, "Source to append as, where the token leaves it open"),
        small("epoch", u32::MAX as u64, "Epoch of the first event, for a source that numbers its events"),
        number("sequence", "Number of the first event, for a source that numbers its events"),
    ];
    const SEARCH: [Param; 6] = [
        text("q", "Terms that must all match: word, \"a phrase\", -not, kind:KIND, path:value"),
        number("from", "First index to look at"),
        number("to", "Index after the last to look at"),
        small("limit", 1000, "Most hits of one answer"),
        words("order", &["asc", "desc"], "Oldest or newest first"),
        text("cursor", "Where an earlier answer ended; alone, without the other parameters"),
    ];
    const TAIL: [Param; 2] =
        [text("q", "As for a search"), number("from", "First index; by default what comes next")];
    const RANGE: [Param; 2] = [number("from", "First index"), number("to", "Index after the last")];
    const STAMPED: [Param; 1] =
        [number("size", "At least so many entries, and no more than needed; by default the newest")];
    const EVIDENCE: &[(&str, &str, bool, &str)] = &[
        ("case", "string", true, "Case it is for"),
        ("purpose", "string", false, "What for; or the header Ledgerstone-Purpose"),
        ("from", "integer", false, "First index"),
        ("to", "integer", false, "Index after the last; by default all that is durable"),
        ("from_ms", "integer", false, "Received from this time on, Unix milliseconds; in place of from"),
        ("to_ms", "integer", false, "Received before this time; in place of to"),
        (
            "query",
            "string",
            false,
            "Only what matches these terms, as for a search; completeness is then not provable",
        ),
        ("withhold", "array", false, "Facets to leave out: who, what, content, where, raw"),
    ];
    let append = Route {
        path: "/v1/ledgers/{name}/events",
        method: "post",
        action: Some(Action::Append),
        summary: "Append events; answered once they are durable",
        query: &APPEND,
        body: Some(Body::Events),
        answer: JSON,
        handler: post(append::append),
    };
    vec![
        append,
        read("/v1/ledgers/{name}/events/{index}", Some(Action::Read), "One event", &[], JSON, events::show),
        read(
            "/v1/ledgers/{name}/search",
            Some(Action::Read),
            "Events that match, page by page",
            &SEARCH,
            JSON,
            search::search,
        ),
        read(
            "/v1/ledgers/{name}/tail",
            Some(Action::Read),
            "Events as they are recorded (server-sent events), without end",
            &TAIL,
            "text/event-stream",
            tail::tail,
        ),
        read(
            "/v1/ledgers/{name}/records",
            Some(Action::Export),
            "Records in stored form, to verify them elsewhere",
            &RANGE,
            NDJSON,
            records::records,
        ),
        Route {
            path: "/v1/ledgers/{name}/evidence",
            method: "post",
            action: Some(Action::Evidence),
            summary: "An evidence file, which verifies without a server",
            query: &[],
            body: Some(Body::Object(EVIDENCE)),
            answer: ZIP,
            handler: post(handover::evidence),
        },
        read(
            "/v1/ledgers/{name}/proof/{index}",
            Some(Action::Prove),
            "Proof of inclusion in the newest checkpoint, or the newest that witnesses cosigned if it covers the event (C2SP tlog-proof)",
            &[],
            TEXT,
            proof::proof,
        ),
        read(
            "/v1/ledgers/{name}/receipt/{index}",
            Some(Action::Receipt),
            "The receipt of an event, with its proof",
            &[],
            JSON,
            proof::receipt,
        ),
        read(
            "/v1/ledgers/{name}/consistency",
            Some(Action::Prove),
            "Proof that the newest tree begins with an older one",
            &[Param {
                name: "old",
                kind: ParamKind::Required { max: u64::MAX >> 11 },
                meaning: "Size of the older tree",
            }],
            JSON,
            proof::consistency,
        ),
        read(
            "/v1/ledgers/{name}/timestamps",
            Some(Action::Prove),
            "A time-stamped checkpoint, with the tokens and the OpenTimestamps file over it",
            &STAMPED,
            JSON,
            stamps::show,
        ),
    ]
}

fn administration() -> Vec<Route> {
    const SOURCE: &[(&str, &str, bool, &str)] = &[
        ("ledger", "string", true, "Ledger it may append to"),
        ("label", "string", false, "What to call it"),
        ("numbering", "string", false, "Who numbers its events: source or server"),
    ];
    const SEEN: &[(&str, &str, bool, &str)] = &[
        ("seen", "integer", true, "Member standing of the alarms that were looked at"),
        ("reason", "string", true, "What came of it; put on record"),
    ];
    const EPOCH: &[(&str, &str, bool, &str)] = &[
        ("ledger", "string", true, "Ledger of the source"),
        ("numbering", "string", false, "Who numbers its events from now on: source or server"),
        ("previous_last_sequence", "integer", false, "Last number of the epoch before, if it is known"),
    ];
    const TOKEN: &[(&str, &str, bool, &str)] = &[
        ("label", "string", true, "What to call it"),
        ("roles", "array", true, "source, reader, investigator, auditor, operator, admin"),
        ("ledgers", "array", false, "Ledgers it is good for; all if left out"),
        ("actions", "array", false, "Actions it is narrowed to"),
        ("source", "integer", false, "The source it appends as; for the role source"),
        ("purpose", "string", false, "Purpose that stands where one must be stated"),
        ("expires_in_days", "integer", false, "Days it is good for, 90 by default"),
        ("certificate", "string", false, "SHA-256 of a client certificate that is as good as the token"),
    ];
    vec![
        read(
            "/v1/ledgers",
            Some(Action::Ledgers),
            "The ledgers the token is for, and how far they have got",
            &[],
            JSON,
            ledgers::list,
        ),
        read(
            "/v1/witnesses",
            Some(Action::Ledgers),
            "How the ledgers the token is for stand with their witnesses",
            &[],
            JSON,
            witnesses::list,
        ),
        read(
            "/v1/timestamps",
            Some(Action::Ledgers),
            "How the ledgers the token is for stand with time-stamp authorities and calendars",
            &[],
            JSON,
            stamps::list,
        ),
        read(
            "/v1/sources",
            Some(Action::Status),
            "The sources of the ledgers the token is for, and how far each has got",
            &[],
            JSON,
            sources::list,
        ),
        read(
            "/metrics",
            Some(Action::Status),
            "State and counts for Prometheus (text format 0.0.4)",
            &[],
            metrics::CONTENT_TYPE,
            metrics::serve,
        ),
        read(
            "/v1/alarms",
            Some(Action::Status),
            "Damage that was found, and what other processes did to the store",
            &[],
            JSON,
            alarms::list,
        ),
        write(
            "/v1/alarms/acknowledge",
            Action::Acknowledge,
            "Say that the writes by others were looked at, and what came of it",
            SEEN,
            alarms::acknowledge,
        ),
        write(
            "/v1/sources",
            Action::Sources,
            "Admit a source; answers with its token",
            SOURCE,
            sources::open,
        ),
        write(
            "/v1/sources/{source}/epochs",
            Action::OpenEpoch,
            "Open the next epoch of a source",
            EPOCH,
            sources::open_epoch,
        ),
        read(
            "/v1/tokens",
            Some(Action::Tokens),
            "All tokens, without their secrets",
            &[],
            JSON,
            tokens::list,
        ),
        write("/v1/tokens", Action::Tokens, "Give out a token, shown this once", TOKEN, tokens::add),
        Route {
            path: "/v1/tokens/{id}",
            method: "delete",
            action: Some(Action::Tokens),
            summary: "Revoke a token, at once and for good",
            query: &[],
            body: None,
            answer: JSON,
            handler: delete(tokens::revoke),
        },
    ]
}

/// GET, and HEAD with it.
fn read<T: 'static>(
    path: &'static str,
    action: Option<Action>,
    summary: &'static str,
    query: &'static [Param],
    answer: &'static str,
    handler: impl Handler<T, Arc<Server>>,
) -> Route {
    Route { path, method: "get", action, summary, query, body: None, answer, handler: get(handler) }
}

/// POST of a small JSON object.
fn write<T: 'static>(
    path: &'static str,
    action: Action,
    summary: &'static str,
    members: &'static [(&'static str, &'static str, bool, &'static str)],
    handler: impl Handler<T, Arc<Server>>,
) -> Route {
    let body = Some(Body::Object(members));
    Route {
        path,
        method: "post",
        action: Some(action),
        summary,
        query: &[],
        body,
        answer: JSON,
        handler: post(handler),
    }
}
