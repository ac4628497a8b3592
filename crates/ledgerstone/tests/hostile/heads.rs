//! Request lines and headers.

use crate::row::{Row, answered, made, recorded, refused, row, text};

fn filler(line: &str, count: usize) -> String {
    format!("GET /healthz HTTP/1.1\r\nHost: l\r\n{}\r\n", line.repeat(count))
}

pub fn rows() -> Vec<Row> {
    [sizes(), bytes(), hosts(), asking()].into_iter().flatten().collect()
}

fn sizes() -> Vec<Row> {
    vec![
        row(
            "one header of 60 KiB",
            made(|| filler(&format!("X: {}\r\n", "x".repeat(60 << 10)), 1)),
            answered(200),
        ),
        row(
            "one header of 64 KiB",
            made(|| filler(&format!("X: {}\r\n", "x".repeat(64 << 10)), 1)),
            refused(431, "head").closes(),
        ),
        row(
            "one header of 16 MiB",
            made(|| filler(&format!("X: {}\r\n", "x".repeat(16 << 20)), 1)),
            answered(431).closes(),
        ),
        row(
            "a header name of 70 KiB",
            made(|| filler(&format!("{}: x\r\n", "x".repeat(70 << 10)), 1)),
            answered(431).closes(),
        ),
        row("90 headers", made(|| filler("X: x\r\n", 90)), answered(200)),
        row("5000 headers", made(|| filler("X: x\r\n", 5000)), answered(431).closes()),
    ]
}

fn bytes() -> Vec<Row> {
    vec![
        row(
            "a header value that is not ASCII",
            text("GET /healthz HTTP/1.1\r\nHost: l\r\nX: \u{fc}\u{202e}\r\n\r\n"),
            answered(200),
        ),
        row(
            "NUL in a header value",
            text("GET /healthz HTTP/1.1\r\nHost: l\r\nX: a\0b\r\n\r\n"),
            answered(400).closes(),
        ),
        row(
            "CR in a header value",
            text("GET /healthz HTTP/1.1\r\nHost: l\r\nX: a\rb\r\n\r\n"),
            answered(400).closes(),
        ),
        row(
            "a header name that is not ASCII",
            text("GET /healthz HTTP/1.1\r\nHost: l\r\n\u{fc}: a\r\n\r\n"),
            answered(400).closes(),
        ),
        row(
            "a blank in a header name",
            text("GET /healthz HTTP/1.1\r\nHost: l\r\nX Y: a\r\n\r\n"),
            answered(400).closes(),
        ),
        row(
            "a blank behind a header name",
            text("GET /healthz HTTP/1.1\r\nHost: l\r\nX : a\r\n\r\n"),
            answered(400).closes(),
        ),
        row(
            "a header without a name",
            text("GET /healthz HTTP/1.1\r\nHost: l\r\n: a\r\n\r\n"),
            answered(400).closes(),
        ),
        row(
            "a header without a colon",
            text("GET /healthz HTTP/1.1\r\nHost: l\r\nnonsense\r\n\r\n"),
            answered(400).closes(),
        ),
        row(
            "a folded header",
            text("GET /healthz HTTP/1.1\r\nHost: l\r\nX: a\r\n b\r\n\r\n"),
            answered(400).closes(),
        ),
        row(
            "a folded first header",
            text("GET /healthz HTTP/1.1\r\n Host: l\r\n\r\n"),
            answered(400).closes(),
        ),
    ]
}

fn hosts() -> Vec<Row> {
    vec![
        row("no Host", text("GET /healthz HTTP/1.1\r\n\r\n"), refused(400, "host").closes()),
        row("no Host, HTTP/1.0", text("GET /healthz HTTP/1.0\r\n\r\n"), answered(200).closes()),
        row(
            "two Hosts",
            text("GET /healthz HTTP/1.1\r\nHost: l\r\nHost: m\r\n\r\n"),
            refused(400, "host").closes(),
        ),
        row(
            "two Hosts that agree",
            text("GET /healthz HTTP/1.1\r\nHost: l\r\nHost: l\r\n\r\n"),
            refused(400, "host").closes(),
        ),
        row("an empty Host", text("GET /healthz HTTP/1.1\r\nHost:\r\n\r\n"), answered(200)),
        row(
            "a Host that is none",
            text("GET /healthz HTTP/1.1\r\nHost: a/b@c d\r\n\r\n"),
            refused(400, "host").closes(),
        ),
        row(
            "another's Host",
            text("GET /healthz HTTP/1.1\r\nHost: bank.example:99999\r\n\r\n"),
            answered(200),
        ),
        row(
            "another's Host with a port",
            text("GET /healthz HTTP/1.1\r\nHost: bank.example:80\r\n\r\n"),
            answered(200),
        ),
    ]
}

fn asking() -> Vec<Row> {
    vec![
        row(
            "Upgrade: websocket",
            text(
                "GET /healthz HTTP/1.1\r\nHost: l\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            ),
            answered(200),
        ),
        row(
            "Upgrade: h2c",
            text(
                "GET /healthz HTTP/1.1\r\nHost: l\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
            ),
            answered(200),
        ),
        row(
            "Expect: 100-continue, body sent at once",
            text(
                "POST /v1/ledgers/main/events HTTP/1.1\r\nHost: l\r\n{admin}Expect: 100-continue\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
            ),
            recorded(1, 1),
        ),
        row(
            "Expect: 100-continue without a token",
            text(
                "POST /v1/ledgers/main/events HTTP/1.1\r\nHost: l\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n",
            ),
            refused(401, "no-token").closes(),
        ),
        row(
            "Expect: the unexpected",
            text(
                "POST /v1/ledgers/main/events HTTP/1.1\r\nHost: l\r\n{admin}Expect: the-unexpected\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
            ),
            recorded(1, 1),
        ),
        row(
            "Range on a tile",
            text("GET {prefix}/tile/0/000.p/1 HTTP/1.1\r\nHost: l\r\nRange: bytes=0-0\r\n\r\n"),
            answered(200),
        ),
        row(
            "a thousand ranges on a tile",
            made(|| {
                format!(
                    "GET {{prefix}}/tile/0/000.p/1 HTTP/1.1\r\nHost: l\r\nRange: bytes={}0-\r\n\r\n",
                    "0-,".repeat(1000)
                )
            }),
            answered(200),
        ),
        row(
            "conditions on a tile",
            text(
                "GET {prefix}/tile/0/000.p/1 HTTP/1.1\r\nHost: l\r\nIf-None-Match: *\r\nIf-Modified-Since: x\r\n\r\n",
            ),
            answered(200),
        ),
        row(
            "another method in a header",
            text("GET /v1/ledgers HTTP/1.1\r\nHost: l\r\n{admin}X-HTTP-Method-Override: DELETE\r\n\r\n"),
            answered(200),
        ),
        row(
            "another path in a header",
            text(
                "GET /healthz HTTP/1.1\r\nHost: l\r\nX-Original-URL: /v1/ledgers\r\nX-Rewrite-URL: /v1/ledgers\r\n\r\n",
            ),
            answered(200).says("\"status\":\"ok\""),
        ),
    ]
}
