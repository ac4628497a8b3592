//! Parameters, sequences, and the small bodies of other routes.

use crate::row::{Request, Row, answered, append_query, made, recorded, refused, row, text};

macro_rules! search {
    ($query:literal) => {
        text(concat!("GET /v1/ledgers/main/search?", $query, " HTTP/1.1\r\nHost: l\r\n{admin}\r\n"))
    };
}

macro_rules! numbered {
    ($query:literal) => {
        text(concat!(
            "POST /v1/ledgers/main/events?",
            $query,
            " HTTP/1.1\r\nHost: l\r\n{source}Content-Length: 7\r\n\r\n{\"a\":1}"
        ))
    };
}

/// Opens a source with this body.
fn source(body: &'static str) -> Request {
    small("sources", "{admin}", body)
}

fn small(path: &'static str, token: &'static str, body: impl Into<String>) -> Request {
    let body = body.into();
    made(move || {
        let length = body.len();
        format!("POST /v1/{path} HTTP/1.1\r\nHost: l\r\n{token}Content-Length: {length}\r\n\r\n{body}")
    })
}

pub fn rows() -> Vec<Row> {
    [parameters(), sequences(), bodies()].into_iter().flatten().collect()
}

fn parameters() -> Vec<Row> {
    let refused = || refused(400, "query");
    vec![
        row("a parameter twice", append_query("?wait=durable&wait=durable"), refused()),
        row("a parameter twice, once in escapes", append_query("?wait=durable&%77ait=committed"), refused()),
        row("a parameter nobody knows", append_query("?admin=true"), refused()),
        row("a parameter without a name", append_query("?=1"), refused()),
        row("an empty query", append_query("?"), recorded(1, 0)),
        row("a word that is none of the choices", append_query("?wait=DURABLE"), refused()),
        row("a format that is a path", append_query("?format=../native"), refused()),
        row("a source of 2^32", append_query("?source=4294967296"), refused()),
        row("a source below zero", append_query("?source=-1"), refused()),
        row("a source with a plus", append_query("?source=%2b1"), refused()),
        row(
            "a source that is the ledger itself",
            append_query("?source=0"),
            crate::row::refused(403, "forbidden"),
        ),
        row(
            "a source that there is none of",
            append_query("?source=4294967295"),
            crate::row::refused(404, "no-such-source"),
        ),
        row("a limit of 2^64", search!("limit=18446744073709551616"), refused()),
        row("the highest limit", search!("limit=18446744073709551615"), refused()),
        row("a limit of nothing", search!("limit=0"), refused()),
        row("a limit below zero", search!("limit=-1"), refused()),
        row(
            "the highest range",
            search!("from=18446744073709551615&to=18446744073709551615&limit=1"),
            answered(200),
        ),
        row("a range the wrong way round", search!("from=9&to=1"), answered(200)),
        row("a search that is no UTF-8", search!("q=%ff%fe"), answered(200)),
        row("a search for NUL", search!("q=%00&limit=1"), answered(200)),
        row("an open quote in a search", search!("q=%22abc"), refused()),
        row(
            "a search of ten thousand terms",
            made(|| {
                format!(
                    "GET /v1/ledgers/main/search?q={} HTTP/1.1\r\nHost: l\r\n{{admin}}\r\n",
                    "a+".repeat(10_000)
                )
            }),
            refused(),
        ),
        row(
            "a consistency proof from beyond the end",
            text(
                "GET /v1/ledgers/main/consistency?old=18446744073709551615 HTTP/1.1\r\nHost: l\r\n{admin}\r\n",
            ),
            refused(),
        ),
        row(
            "records of everything there could be",
            text(
                "GET /v1/ledgers/main/records?from=18446744073709551614&to=18446744073709551615 HTTP/1.1\r\nHost: l\r\n{admin}\r\n",
            ),
            refused(),
        ),
        row(
            "ten thousand parameters",
            made(|| {
                format!(
                    "GET /v1/ledgers/main/search?{} HTTP/1.1\r\nHost: l\r\n{{admin}}\r\n",
                    (0..6000).map(|n| format!("a{n}=&")).collect::<String>()
                )
            }),
            refused(),
        ),
    ]
}

fn sequences() -> Vec<Row> {
    vec![
        row(
            "the highest sequence",
            numbered!("epoch=1&sequence=18446744073709551615"),
            refused(409, "sequence"),
        ),
        row("a sequence of 2^64", numbered!("epoch=1&sequence=18446744073709551616"), refused(400, "query")),
        row("sequence zero", numbered!("epoch=1&sequence=0"), refused(409, "sequence")),
        row("the highest epoch", numbered!("epoch=4294967295&sequence=1"), refused(409, "epoch")),
        row("an epoch of 2^32", numbered!("epoch=4294967296&sequence=1"), refused(400, "query")),
        row("epoch zero", numbered!("epoch=0&sequence=1"), refused(409, "epoch")),
        row("a sequence without an epoch", numbered!("sequence=1"), refused(400, "numbering")),
        row("no numbers where the source numbers", numbered!("wait=durable"), refused(400, "numbering")),
        row(
            "numbers where the server numbers",
            append_query("?epoch=1&sequence=1"),
            refused(400, "numbering"),
        ),
    ]
}

fn bodies() -> Vec<Row> {
    let bad = || refused(400, "body");
    vec![
        row("a source in nothing", source(""), bad()),
        row("a source in a list", source("[]"), bad()),
        row("a source with a member twice", source("{\"ledger\":\"main\",\"ledger\":\"other\"}"), bad()),
        row("a source with a member nobody knows", source("{\"ledger\":\"main\",\"role\":\"admin\"}"), bad()),
        row(
            "a source of a ledger that is a path",
            source("{\"ledger\":\"../secret\"}"),
            refused(404, "no-such-ledger"),
        ),
        row(
            "a source with control characters in its label",
            source("{\"ledger\":\"main\",\"label\":\"\\u001b[2J\\n\"}"),
            bad(),
        ),
        row(
            "a source with bidirectional controls in its label",
            source("{\"ledger\":\"main\",\"label\":\"\\u202e\"}"),
            answered(200),
        ),
        row(
            "a source in 65 KiB",
            small("sources", "{admin}", " ".repeat(65 << 10)),
            refused(413, "too-large"),
        ),
        row(
            "an epoch behind 2^64",
            small(
                "sources/{number}/epochs",
                "{source}",
                r#"{"ledger":"main","numbering":"source","previous_last_sequence":18446744073709551616}"#,
            ),
            bad(),
        ),
        row(
            "an epoch of the ledger itself",
            small("sources/0/epochs", "{admin}", r#"{"ledger":"main"}"#),
            refused(403, "forbidden"),
        ),
        row(
            "an epoch of source 2^32",
            small("sources/4294967296/epochs", "{admin}", r#"{"ledger":"main"}"#),
            refused(404, "not-found"),
        ),
    ]
}
