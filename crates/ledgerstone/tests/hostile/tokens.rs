//! Tokens that are none, and tokens where they do not belong.

use crate::row::{Row, answered, made, refused, row, text};

macro_rules! with {
    ($head:literal) => {
        text(concat!("GET /v1/ledgers HTTP/1.1\r\nHost: l\r\n", $head, "\r\n"))
    };
}

pub fn rows() -> Vec<Row> {
    let none = || refused(401, "no-token");
    let unknown = || refused(401, "unknown-token");
    vec![
        row("no token", with!(""), none()),
        row("the same token twice", with!("{admin}{admin}"), none()),
        row("two tokens", with!("{admin}{source}"), none()),
        row(
            "ninety tokens",
            made(|| format!("GET /v1/ledgers HTTP/1.1\r\nHost: l\r\n{}\r\n", "{admin}".repeat(90))),
            none(),
        ),
        row("Basic", with!("Authorization: Basic bHN0Xzpsc3Q=\r\n"), none()),
        row("Bearer without a token", with!("Authorization: Bearer\r\n"), none()),
        row("a token without Bearer", with!("Authorization: {token}\r\n"), none()),
        row("a token cut off", with!("Authorization: Bearer lst_\r\n"), unknown()),
        row("a token with something behind it", with!("Authorization: Bearer {token}0\r\n"), unknown()),
        row("a token with a list behind it", with!("Authorization: Bearer {token}, Basic x\r\n"), unknown()),
        row("a token that is not ASCII", with!("Authorization: Bearer lst_\u{fc}\r\n"), none()),
        row(
            "a token of 60000 bytes",
            made(|| {
                format!(
                    "GET /v1/ledgers HTTP/1.1\r\nHost: l\r\nAuthorization: Bearer lst_{}\r\n\r\n",
                    "a".repeat(60_000)
                )
            }),
            unknown(),
        ),
        row("NUL in a token", with!("Authorization: Bearer lst_\0\r\n"), answered(400).closes()),
        row(
            "a token in the query",
            text("GET /v1/ledgers?token={token} HTTP/1.1\r\nHost: l\r\n\r\n"),
            none(),
        ),
        row(
            "a token as access_token",
            text("GET /v1/ledgers?access_token={token} HTTP/1.1\r\nHost: l\r\n\r\n"),
            none(),
        ),
        row("a token in a cookie", with!("Cookie: token={token}\r\n"), none()),
        row("a token for the proxy", with!("Proxy-Authorization: Bearer {token}\r\n"), none()),
        row(
            "a token as a user name",
            text("GET http://{token}@l/v1/ledgers HTTP/1.1\r\nHost: l\r\n\r\n"),
            none(),
        ),
        row("bearer in small letters", with!("authorization: bearer {token}\r\n"), answered(200)),
        row("a source's token where an admin's is needed", with!("{source}"), refused(403, "forbidden")),
        row(
            "a source's token for another source",
            text(
                "POST /v1/ledgers/main/events?source=1 HTTP/1.1\r\nHost: l\r\n{source}Content-Length: 2\r\n\r\n{}",
            ),
            refused(403, "forbidden"),
        ),
        row(
            "a source's token for another source's epoch",
            text(
                "POST /v1/sources/1/epochs HTTP/1.1\r\nHost: l\r\n{source}Content-Length: 17\r\n\r\n{\"ledger\":\"main\"}",
            ),
            refused(403, "forbidden"),
        ),
        row(
            "a source's token that opens a source",
            text(
                "POST /v1/sources HTTP/1.1\r\nHost: l\r\n{source}Content-Length: 17\r\n\r\n{\"ledger\":\"main\"}",
            ),
            refused(403, "forbidden"),
        ),
        row(
            "bundles without a token",
            text("GET {prefix}/tile/entries/000.p/1 HTTP/1.1\r\nHost: l\r\n\r\n"),
            none(),
        ),
    ]
}
