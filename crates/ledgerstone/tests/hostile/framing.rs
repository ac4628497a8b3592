//! Where one request ends and the next begins: what makes two programs disagree about it must be refused, or the
//! connection must end (RFC 9112 sections 6 and 11.2). Behind each, one more request is sent and must be answered.

use crate::row::{Row, answered, made, recorded, refused, row, text};

macro_rules! post {
    ($head:literal, $body:literal) => {
        text(concat!("POST /v1/ledgers/main/events HTTP/1.1\r\nHost: l\r\n{admin}", $head, "\r\n", $body))
    };
}

pub fn rows() -> Vec<Row> {
    [lengths(), codings(), chunks()].into_iter().flatten().collect()
}

fn lengths() -> Vec<Row> {
    let refused = || answered(400).closes();
    vec![
        row(
            "two lengths that differ",
            post!("Content-Length: 7\r\nContent-Length: 8\r\n", "{\"a\":1}"),
            refused(),
        ),
        row("two lengths in one header", post!("Content-Length: 7, 8\r\n", "{\"a\":1}"), refused()),
        row("a length with a plus", post!("Content-Length: +7\r\n", "{\"a\":1}"), refused()),
        row("a length with a minus", post!("Content-Length: -7\r\n", "{\"a\":1}"), refused()),
        row("a length with a blank inside", post!("Content-Length: 7 0\r\n", "{\"a\":1}"), refused()),
        row("a length in hexadecimal", post!("Content-Length: 0x7\r\n", "{\"a\":1}"), refused()),
        row("an empty length", post!("Content-Length:\r\n", "{\"a\":1}"), refused()),
        row("a length of 2^64", post!("Content-Length: 18446744073709551616\r\n", "{\"a\":1}"), refused()),
        row("a blank ahead of the length's colon", post!("Content-Length : 7\r\n", "{\"a\":1}"), refused()),
        row("blanks around a length", post!("Content-Length: \t 7 \t\r\n", "{\"a\":1}"), recorded(1, 1)),
        row(
            "a request within the body of another",
            post!("Content-Length: 44\r\n", "GET /.well-known/ledgerstone HTTP/1.1\r\nX: 1\r\n"),
            recorded(2, 2),
        ),
        row(
            "a body on GET",
            text(
                "GET /healthz HTTP/1.1\r\nHost: l\r\nContent-Length: 41\r\n\r\nGET /.well-known/ledgerstone HTTP/1.1\r\n\r\n",
            ),
            answered(200),
        ),
    ]
}

fn codings() -> Vec<Row> {
    let refused = || answered(400).closes();
    let unknown = || crate::row::refused(501, "transfer-encoding").closes();
    vec![
        // Chunks go before the length, and the connection ends (RFC 9112 section 6.3, item 3).
        row(
            "length and chunks",
            post!("Content-Length: 7\r\nTransfer-Encoding: chunked\r\n", "7\r\n{\"a\":1}\r\n0\r\n\r\n"),
            recorded(1, 1).closes(),
        ),
        row(
            "chunks and length",
            post!("Transfer-Encoding: chunked\r\nContent-Length: 7\r\n", "7\r\n{\"a\":1}\r\n0\r\n\r\n"),
            recorded(1, 1).closes(),
        ),
        row(
            "chunked twice",
            post!("Transfer-Encoding: chunked, chunked\r\n", "7\r\n{\"a\":1}\r\n0\r\n\r\n"),
            unknown(),
        ),
        row(
            "chunked twice, in two headers",
            post!(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                "7\r\n{\"a\":1}\r\n0\r\n\r\n"
            ),
            unknown(),
        ),
        row(
            "chunked, then gzip",
            post!("Transfer-Encoding: chunked, gzip\r\n", "7\r\n{\"a\":1}\r\n0\r\n\r\n"),
            refused(),
        ),
        row(
            "gzip, then chunked",
            post!("Transfer-Encoding: gzip, chunked\r\n", "7\r\n{\"a\":1}\r\n0\r\n\r\n"),
            unknown(),
        ),
        row(
            "chunked then identity",
            post!("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
            refused(),
        ),
        row("Transfer-Encoding: identity", post!("Transfer-Encoding: identity\r\n", ""), refused()),
        row("Transfer-Encoding: xchunked", post!("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), refused()),
        row(
            "Transfer-Encoding: \"chunked\"",
            post!("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"),
            refused(),
        ),
        row(
            "Transfer-Encoding with a vertical tab",
            post!("Transfer-Encoding: \u{b}chunked\r\n", "0\r\n\r\n"),
            refused(),
        ),
        row(
            "a blank ahead of the coding's colon",
            post!("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
            refused(),
        ),
        row(
            "CHUNKED",
            post!("Transfer-Encoding: CHUNKED\r\n", "7\r\n{\"a\":1}\r\n0\r\n\r\n"),
            recorded(1, 1),
        ),
        row(
            "chunks in HTTP/1.0",
            text(
                "POST /v1/ledgers/main/events HTTP/1.0\r\nHost: l\r\n{admin}Transfer-Encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n0\r\n\r\n",
            ),
            refused(),
        ),
        row(
            "a coding that a folded line hides",
            post!("Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
            refused(),
        ),
    ]
}

fn chunks() -> Vec<Row> {
    vec![
        row(
            "chunk extensions",
            post!("Transfer-Encoding: chunked\r\n", "7;a=b;c=\"d\"\r\n{\"a\":1}\r\n0;last\r\n\r\n"),
            recorded(1, 1),
        ),
        row(
            "chunk extensions of 64 KiB",
            made(|| {
                format!(
                    "POST /v1/ledgers/main/events HTTP/1.1\r\nHost: l\r\n{{admin}}Transfer-Encoding: chunked\r\n\r\n7;{}\r\n{{\"a\":1}}\r\n0\r\n\r\n",
                    "x".repeat(64 << 10)
                )
            }),
            refused(400, "body").closes(),
        ),
        row(
            "a line feed in a chunk extension",
            post!("Transfer-Encoding: chunked\r\n", "7;a\nb\r\n{\"a\":1}\r\n0\r\n\r\n"),
            refused(400, "body").closes(),
        ),
        row(
            "a chunk size that ends in a line feed only",
            post!("Transfer-Encoding: chunked\r\n", "7\n{\"a\":1}\r\n0\r\n\r\n"),
            refused(400, "body").closes(),
        ),
        row(
            "a chunk that ends in a line feed only",
            post!("Transfer-Encoding: chunked\r\n", "7\r\n{\"a\":1}\n0\r\n\r\n"),
            refused(400, "body").closes(),
        ),
        row(
            "a chunk longer than it says",
            post!("Transfer-Encoding: chunked\r\n", "7\r\n{\"a\":1}{\r\n0\r\n\r\n"),
            refused(400, "body").closes(),
        ),
        row(
            "a chunk size of 17 digits",
            post!("Transfer-Encoding: chunked\r\n", "10000000000000007\r\n{\"a\":1}\r\n0\r\n\r\n"),
            refused(400, "body").closes(),
        ),
        row(
            "a chunk size in C",
            post!("Transfer-Encoding: chunked\r\n", "0x7\r\n{\"a\":1}\r\n0\r\n\r\n"),
            refused(400, "body").closes(),
        ),
        row(
            "a negative chunk size",
            post!("Transfer-Encoding: chunked\r\n", "-1\r\n{\"a\":1}\r\n0\r\n\r\n"),
            refused(400, "body").closes(),
        ),
        row(
            "an empty chunk size",
            post!("Transfer-Encoding: chunked\r\n", "\r\n{\"a\":1}\r\n0\r\n\r\n"),
            refused(400, "body").closes(),
        ),
        row(
            "a chunk size with zeros in front",
            post!("Transfer-Encoding: chunked\r\n", "00000007\r\n{\"a\":1}\r\n0\r\n\r\n"),
            recorded(1, 1),
        ),
        row(
            "trailers that would change the request",
            post!(
                "Transfer-Encoding: chunked\r\n",
                "7\r\n{\"a\":1}\r\n0\r\nContent-Length: 99\r\nAuthorization: none\r\n\r\n"
            ),
            recorded(1, 1),
        ),
        row(
            "trailers of 64 KiB",
            made(|| {
                format!(
                    "POST /v1/ledgers/main/events HTTP/1.1\r\nHost: l\r\n{{admin}}Transfer-Encoding: chunked\r\n\r\n7\r\n{{\"a\":1}}\r\n0\r\nX: {}\r\n\r\n",
                    "x".repeat(64 << 10)
                )
            }),
            refused(400, "body").closes(),
        ),
        row(
            "a request behind the last chunk's size",
            post!(
                "Transfer-Encoding: chunked\r\n",
                "7\r\n{\"a\":1}\r\n0\r\nGET /.well-known/ledgerstone HTTP/1.1\r\n\r\n"
            ),
            refused(400, "body").closes(),
        ),
    ]
}
