//! Paths that try to lead elsewhere.

use crate::row::{Row, answered, made, refused, row, text};

pub fn rows() -> Vec<Row> {
    let lost = || refused(404, "not-found");
    vec![
        row("..", text("GET /v1/../healthz HTTP/1.1\r\nHost: l\r\n\r\n"), lost()),
        row("%2e%2e", text("GET /v1/%2e%2e/healthz HTTP/1.1\r\nHost: l\r\n\r\n"), lost()),
        row("../ up to the root", text("GET /../../../../etc/passwd HTTP/1.1\r\nHost: l\r\n\r\n"), lost()),
        row(
            "..%2f in a tile",
            text("GET {prefix}/tile/..%2f..%2fadmin.token HTTP/1.1\r\nHost: l\r\n\r\n"),
            lost(),
        ),
        row("../ in a tile", text("GET {prefix}/tile/../../admin.token HTTP/1.1\r\nHost: l\r\n\r\n"), lost()),
        row("%00 in a tile", text("GET {prefix}/tile/0/000.p/1%00 HTTP/1.1\r\nHost: l\r\n\r\n"), lost()),
        row(
            "a tile in escapes",
            text("GET {prefix}/tile/0/%30%30%30.p/1 HTTP/1.1\r\nHost: l\r\n\r\n"),
            lost(),
        ),
        row(
            "a tile of 2^64",
            text("GET {prefix}/tile/0/x018/x446/x744/x073/x709/x551/616 HTTP/1.1\r\nHost: l\r\n\r\n"),
            lost(),
        ),
        row(
            "a tile wider than it is",
            text("GET {prefix}/tile/0/000.p/257 HTTP/1.1\r\nHost: l\r\n\r\n"),
            lost(),
        ),
        row("a tile of level 64", text("GET {prefix}/tile/64/000 HTTP/1.1\r\nHost: l\r\n\r\n"), lost()),
        row("//", text("GET //healthz HTTP/1.1\r\nHost: l\r\n\r\n"), lost()),
        row("// ahead of a host", text("GET //bank.example/healthz HTTP/1.1\r\nHost: l\r\n\r\n"), lost()),
        row("a slash behind", text("GET /healthz/ HTTP/1.1\r\nHost: l\r\n\r\n"), lost()),
        row("a semicolon", text("GET /healthz;a=b HTTP/1.1\r\nHost: l\r\n\r\n"), lost()),
        row("large letters", text("GET /HEALTHZ HTTP/1.1\r\nHost: l\r\n\r\n"), lost()),
        row("a backslash", text("GET /v1\\ledgers HTTP/1.1\r\nHost: l\r\n{admin}\r\n"), lost()),
        row("%5c", text("GET /v1%5cledgers HTTP/1.1\r\nHost: l\r\n{admin}\r\n"), lost()),
        row(
            "%2f in a name",
            text("GET /v1/ledgers/main%2fevents/0 HTTP/1.1\r\nHost: l\r\n{admin}\r\n"),
            lost(),
        ),
        row(
            "%2f in a ledger's name",
            text("GET /v1/ledgers/..%2fmain/events/0 HTTP/1.1\r\nHost: l\r\n{admin}\r\n"),
            refused(404, "no-such-ledger"),
        ),
        row(
            "%00 in a ledger's name",
            text("GET /v1/ledgers/main%00/events/0 HTTP/1.1\r\nHost: l\r\n{admin}\r\n"),
            refused(404, "no-such-ledger"),
        ),
        row(
            "large letters in a ledger's name",
            text("GET /v1/ledgers/MAIN/events/0 HTTP/1.1\r\nHost: l\r\n{admin}\r\n"),
            refused(404, "no-such-ledger"),
        ),
        row(
            "a name that is no UTF-8",
            text("GET /v1/ledgers/%ff%fe/events/0 HTTP/1.1\r\nHost: l\r\n{admin}\r\n"),
            lost(),
        ),
        row(
            "overlong UTF-8 in a name",
            text("GET /v1/ledgers/%c0%afmain/events/0 HTTP/1.1\r\nHost: l\r\n{admin}\r\n"),
            lost(),
        ),
        row(
            "an escape that is none",
            text("GET /v1/ledgers/%zz/events/0 HTTP/1.1\r\nHost: l\r\n{admin}\r\n"),
            refused(404, "no-such-ledger"),
        ),
        row(
            "an empty name",
            text("GET /v1/ledgers//events/0 HTTP/1.1\r\nHost: l\r\n{admin}\r\n"),
            refused(404, "no-such-ledger"),
        ),
        row(
            "terminal escapes in a path",
            text("GET /%1b%5b2J%e2%80%ae HTTP/1.1\r\nHost: l\r\n\r\n"),
            lost().says("%1b%5b2J"),
        ),
        row(
            "bidirectional controls in a path",
            text("GET /\u{202e}\u{9b} HTTP/1.1\r\nHost: l\r\n\r\n"),
            lost().says("\\\\u{202e}\\\\u{9b}"),
        ),
        row("a path that is not ASCII", text("GET /\u{fc} HTTP/1.1\r\nHost: l\r\n\r\n"), lost()),
        row(
            "a control character in a path",
            text("GET /\u{1b}[2J HTTP/1.1\r\nHost: l\r\n\r\n"),
            answered(400).closes(),
        ),
        row("NUL in a path", text("GET /\0 HTTP/1.1\r\nHost: l\r\n\r\n"), answered(400).closes()),
        row("a path without a slash", text("GET healthz HTTP/1.1\r\nHost: l\r\n\r\n"), lost()),
        row("*", text("GET * HTTP/1.1\r\nHost: l\r\n\r\n"), lost()),
        row("a fragment", text("GET /healthz#../v1 HTTP/1.1\r\nHost: l\r\n\r\n"), answered(200)),
        row("a whole address", text("GET http://l/healthz HTTP/1.1\r\nHost: l\r\n\r\n"), answered(200)),
        row(
            "a whole address elsewhere",
            text("GET http://bank.example/v1/ledgers HTTP/1.1\r\nHost: l\r\n\r\n"),
            refused(401, "no-token"),
        ),
        row(
            "a whole address of another scheme",
            text("GET file:///etc/passwd HTTP/1.1\r\nHost: l\r\n\r\n"),
            answered(400).closes(),
        ),
        row(
            "a path of 60000 bytes",
            made(|| format!("GET /{} HTTP/1.1\r\nHost: l\r\n\r\n", "a".repeat(60_000))),
            lost(),
        ),
        row(
            "a path of 70000 bytes",
            made(|| format!("GET /{} HTTP/1.1\r\nHost: l\r\n\r\n", "a".repeat(70_000))),
            answered(414).closes(),
        ),
        row(
            "a path of ten thousand components",
            made(|| format!("GET {} HTTP/1.1\r\nHost: l\r\n\r\n", "/a".repeat(10_000))),
            lost(),
        ),
        row(
            "an index of 2^64",
            text("GET /v1/ledgers/main/events/18446744073709551616 HTTP/1.1\r\nHost: l\r\n{admin}\r\n"),
            lost(),
        ),
        row(
            "the highest index",
            text("GET /v1/ledgers/main/events/18446744073709551615 HTTP/1.1\r\nHost: l\r\n{admin}\r\n"),
            lost(),
        ),
        row(
            "the proof of the highest index",
            text("GET /v1/ledgers/main/proof/18446744073709551615 HTTP/1.1\r\nHost: l\r\n{admin}\r\n"),
            lost(),
        ),
        row(
            "the receipt of the highest index",
            text("GET /v1/ledgers/main/receipt/18446744073709551615 HTTP/1.1\r\nHost: l\r\n{admin}\r\n"),
            lost(),
        ),
        row(
            "a negative index",
            text("GET /v1/ledgers/main/events/-1 HTTP/1.1\r\nHost: l\r\n{admin}\r\n"),
            lost(),
        ),
        row(
            "an index with zeros in front",
            text("GET /v1/ledgers/main/events/00 HTTP/1.1\r\nHost: l\r\n{admin}\r\n"),
            lost(),
        ),
    ]
}
