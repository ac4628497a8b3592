//! Methods, versions, and other protocols.

use crate::row::{Row, answered, made, refused, row, silence, text};

pub fn rows() -> Vec<Row> {
    [methods(), versions(), strangers()].into_iter().flatten().collect()
}

fn methods() -> Vec<Row> {
    vec![
        row("TRACE", text("TRACE /healthz HTTP/1.1\r\nHost: l\r\nX: secret\r\n\r\n"), refused(405, "method")),
        row(
            "CONNECT to a path",
            text("CONNECT /healthz HTTP/1.1\r\nHost: l\r\n\r\n"),
            refused(405, "method"),
        ),
        row(
            "CONNECT to a host",
            text("CONNECT localhost:22 HTTP/1.1\r\nHost: localhost:22\r\n\r\n"),
            refused(404, "not-found"),
        ),
        row("OPTIONS *", text("OPTIONS * HTTP/1.1\r\nHost: l\r\n\r\n"), refused(404, "not-found")),
        row(
            "OPTIONS with an origin",
            text(
                "OPTIONS /v1/ledgers HTTP/1.1\r\nHost: l\r\nOrigin: http://localhost\r\nAccess-Control-Request-Method: GET\r\n\r\n",
            ),
            refused(405, "method"),
        ),
        row("get", text("get /healthz HTTP/1.1\r\nHost: l\r\n\r\n"), refused(405, "method")),
        row(
            "a method nobody knows",
            text("STEAL /v1/ledgers HTTP/1.1\r\nHost: l\r\n{admin}\r\n"),
            refused(405, "method"),
        ),
        row(
            "DELETE of an event",
            text("DELETE /v1/ledgers/main/events/0 HTTP/1.1\r\nHost: l\r\n{admin}\r\n"),
            refused(405, "method"),
        ),
        row(
            "PUT of an event",
            text("PUT /v1/ledgers/main/events/0 HTTP/1.1\r\nHost: l\r\n{admin}Content-Length: 2\r\n\r\n{}"),
            refused(405, "method"),
        ),
        row(
            "PATCH of the ledgers",
            text("PATCH /v1/ledgers HTTP/1.1\r\nHost: l\r\n{admin}Content-Length: 2\r\n\r\n{}"),
            refused(405, "method"),
        ),
        row(
            "POST to a tile",
            text("POST {prefix}/tile/0/000.p/1 HTTP/1.1\r\nHost: l\r\nContent-Length: 2\r\n\r\n{}"),
            refused(405, "method"),
        ),
        row(
            "GET of where one appends",
            text("GET /v1/ledgers/main/events HTTP/1.1\r\nHost: l\r\n{admin}\r\n"),
            refused(405, "method"),
        ),
        row(
            "HEAD of a tile",
            text("HEAD {prefix}/tile/0/000.p/1 HTTP/1.1\r\nHost: l\r\n\r\n"),
            answered(200),
        ),
        row(
            "a method of 70 KiB",
            made(|| format!("{} /healthz HTTP/1.1\r\nHost: l\r\n\r\n", "A".repeat(70 << 10))),
            refused(431, "head").closes(),
        ),
        row(
            "a method that is not ASCII",
            text("G\u{cb}T /healthz HTTP/1.1\r\nHost: l\r\n\r\n"),
            answered(400).closes(),
        ),
    ]
}

fn versions() -> Vec<Row> {
    vec![
        row("HTTP/0.9", text("GET /healthz\r\n"), answered(400).closes()),
        row("HTTP/1.0", text("GET /healthz HTTP/1.0\r\nHost: l\r\n\r\n"), answered(200).closes()),
        row(
            "HTTP/1.0 that stays",
            text("GET /healthz HTTP/1.0\r\nHost: l\r\nConnection: keep-alive\r\n\r\n"),
            answered(200),
        ),
        row("HTTP/1.2", text("GET /healthz HTTP/1.2\r\nHost: l\r\n\r\n"), answered(400).closes()),
        row(
            "HTTP/2.0 in a request line",
            text("GET /healthz HTTP/2.0\r\nHost: l\r\n\r\n"),
            answered(400).closes(),
        ),
        row("http/1.1", text("GET /healthz http/1.1\r\nHost: l\r\n\r\n"), answered(400).closes()),
        row("two blanks", text("GET  /healthz HTTP/1.1\r\nHost: l\r\n\r\n"), answered(400).closes()),
        row("line feeds only", text("GET /healthz HTTP/1.1\nHost: l\n\n"), answered(200)),
        row("blank lines in front", text("\r\n\r\nGET /healthz HTTP/1.1\r\nHost: l\r\n\r\n"), answered(200)),
        row(
            "Connection: close",
            text("GET /healthz HTTP/1.1\r\nHost: l\r\nConnection: close\r\n\r\n"),
            answered(200).closes(),
        ),
    ]
}

fn strangers() -> Vec<Row> {
    vec![
        row(
            "TLS",
            text("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{7c}\u{3}\u{3}hello\r\n\r\n"),
            answered(400).closes(),
        ),
        row("SSH", text("SSH-2.0-OpenSSH_9.6\r\n\r\n"), answered(400).closes()),
        row("a mail", text("EHLO localhost\r\nMAIL FROM:<eve@localhost>\r\n\r\n"), answered(400).closes()),
        row("NUL", text("\0\0\0\0\r\n\r\n"), answered(400).closes()),
        row("an HTTP/2 preface that goes wrong", text("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"), silence()),
        row("HTTP/2 frames without a preface", text("\0\0\0\u{4}\0\0\0\0\0\r\n\r\n"), answered(400).closes()),
    ]
}
