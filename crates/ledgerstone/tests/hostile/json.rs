//! What stands in bodies. Nothing is refused: what is no strict JSON goes to quarantine, byte for byte.

use crate::row::{Row, append, append_made, append_with, kept, quarantined, recorded, refused, row, text};

const LIMIT: usize = 64 << 20;

/// The beginning of an event that is understood.
const EVENT: &[u8] = b"{\"actor\":{\"user\":{\"name\":\"eve\"}},\"x\":";

/// An event that is understood, with these members in it.
fn event(members: impl AsRef<[u8]>) -> Vec<u8> {
    [&b"{\"actor\":{\"user\":{\"name\":\"eve\"}},"[..], members.as_ref(), b"}"].concat()
}

fn nested(depth: usize) -> Vec<u8> {
    let inner = depth - 1;
    [EVENT, &b"{\"a\":".repeat(inner - 1), b"{}", &b"}".repeat(inner)].concat()
}

/// An event of exactly so many bytes.
fn sized(bytes: usize) -> Vec<u8> {
    let (start, end) = ("{\"actor\":{\"user\":{\"name\":\"eve\"}},\"message\":\"", "\"}");
    format!("{start}{}{end}", "x".repeat(bytes - start.len() - end.len())).into_bytes()
}

fn keys(count: usize) -> Vec<u8> {
    let members: Vec<String> = (0..count).map(|n| format!("\"k{n}\":{n}")).collect();
    event(members.join(","))
}

pub fn rows() -> Vec<Row> {
    [sizes(), texts(), numbers(), shapes(), meanings()].into_iter().flatten().collect()
}

fn sizes() -> Vec<Row> {
    vec![
        row("an event of 64 MiB", append_made("", || sized(LIMIT)), kept()),
        row("an event of 64 MiB and a byte", append_made("", || sized(LIMIT + 1)), recorded(1, 1)),
        row(
            "no JSON, 64 MiB and a byte, between two events",
            append_made("", || {
                let event = &b"{\"actor\":{\"user\":{\"name\":\"e\"}}}\n"[..];
                [event, &vec![b'x'; LIMIT + 1], b"\n", event].concat()
            }),
            recorded(3, 1),
        ),
        row(
            "Content-Length beyond 256 MiB",
            text(
                "POST /v1/ledgers/main/events HTTP/1.1\r\nHost: l\r\n{admin}Content-Length: 268435457\r\n\r\n",
            ),
            refused(413, "too-large").closes(),
        ),
        row("nesting of 64", append_made("", || nested(64)), kept()),
        row("nesting of 65", append_made("", || nested(65)), quarantined()),
        row("nesting of 100000", append_made("", || nested(100_000)), quarantined()),
        row("a million opening brackets", append_made("", || b"[".repeat(1_000_000)), quarantined()),
        row("a million opening braces", append_made("", || b"{\"a\":".repeat(1_000_000)), quarantined()),
        row("a key of 4 MiB", append_made("", || event(format!("\"{}\":1", "k".repeat(4 << 20)))), kept()),
        row("a million keys", append_made("", || keys(1_000_000)), kept()),
        row(
            "a million times the same key",
            append_made("", || event(format!("{}\"a\":1", "\"a\":1,".repeat(1_000_000)))),
            quarantined(),
        ),
        row(
            "a number of a million digits",
            append_made("", || event([&b"\"n\":"[..], &b"9".repeat(1_000_000)].concat())),
            kept(),
        ),
        row("fifty thousand blank lines", append_made("", || b"\r\n".repeat(50_000)), recorded(0, 0)),
        row(
            "ten thousand events of two bytes",
            append_made("", || b"{}\n".repeat(10_000)),
            recorded(10_000, 10_000),
        ),
    ]
}

fn texts() -> Vec<Row> {
    vec![
        row("a lone high surrogate", append(event(r#""a":"\ud800""#)), quarantined()),
        row("a lone low surrogate", append(event(r#""a":"\udc00x""#)), quarantined()),
        row("surrogates the wrong way round", append(event(r#""a":"\udc00\ud800""#)), quarantined()),
        row("a surrogate in a key", append(event(r#""\ud800":1"#)), quarantined()),
        row("invalid UTF-8", append(event(b"\"a\":\"\xff\xfe\"")), quarantined()),
        row("UTF-8 cut off", append(event(b"\"a\":\"\xe2\x82\"")), quarantined()),
        row("overlong UTF-8", append(event(b"\"a\":\"\xc0\xaf\"")), quarantined()),
        row("overlong NUL", append(event(b"\"a\":\"\xc0\x80\"")), quarantined()),
        row("a surrogate in UTF-8", append(event(b"\"a\":\"\xed\xa0\x80\"")), quarantined()),
        row("beyond Unicode in UTF-8", append(event(b"\"a\":\"\xf4\x90\x80\x80\"")), quarantined()),
        row("NUL in a string", append(event(b"\"a\":\"x\0y\"")), quarantined()),
        row("NUL as an escape", append(event(r#""a":"\u0000""#)), kept()),
        row("NUL behind an event", append([&event("\"a\":1")[..], b"\0"].concat()), quarantined()),
        row("nothing but NUL", append([0; 1000]), quarantined()),
        row("a tab in a string", append(event("\"a\":\"\t\"")), quarantined()),
        row(
            "a byte order mark in front",
            append([&b"\xef\xbb\xbf"[..], &event("\"a\":1")].concat()),
            recorded(1, 0),
        ),
        row("a byte order mark in the middle", append(event("\"a\":\u{feff}1")), quarantined()),
        row(
            "UTF-16",
            append_made("", || {
                "{\"actor\":{\"user\":{\"name\":\"eve\"}}}"
                    .encode_utf16()
                    .flat_map(u16::to_le_bytes)
                    .collect()
            }),
            quarantined(),
        ),
        row("noncharacters", append(event("\"a\":\"\u{fffe}\u{ffff}\u{1ffff}\"")), kept()),
    ]
}

fn numbers() -> Vec<Row> {
    vec![
        row("1e400", append(event(r#""n":1e400"#)), kept()),
        row("-1e400", append(event(r#""n":-1e400"#)), kept()),
        row("1e-400", append(event(r#""n":1e-400"#)), kept()),
        row("2^53 - 1", append(event(r#""n":9007199254740991"#)), kept()),
        row("2^53", append(event(r#""n":9007199254740992"#)), kept()),
        row("2^53 + 1", append(event(r#""n":9007199254740993"#)), kept()),
        row("minus zero", append(event(r#""n":-0"#)), kept()),
        row("2^64", append(event(r#""time":18446744073709551616"#)), kept()),
        row(
            "an exponent of a thousand digits",
            append_made("", || event(format!("\"n\":1e{}", "9".repeat(1000)))),
            kept(),
        ),
        row("NaN", append(event(r#""n":NaN"#)), quarantined()),
        row("Infinity", append(event(r#""n":-Infinity"#)), quarantined()),
        row("a leading zero", append(event(r#""n":01"#)), quarantined()),
        row("a leading plus", append(event(r#""n":+1"#)), quarantined()),
        row("hexadecimal", append(event(r#""n":0x10"#)), quarantined()),
    ]
}

fn shapes() -> Vec<Row> {
    vec![
        row("no body at all", append(""), recorded(0, 0)),
        row("blanks", append(" \t\r\n "), recorded(0, 0)),
        row("a key twice", append(event(r#""a":1,"a":1"#)), quarantined()),
        row("a key twice, once as escapes", append(event(r#""a":1,"\u0061":2"#)), quarantined()),
        row("a key twice, deep inside", append(event(r#""x":[{"a":1,"a":2}]"#)), quarantined()),
        row("a comment", append(event("\"a\":1/* two */")), quarantined()),
        row("a comma too many", append(event(r#""a":1,"#)), quarantined()),
        row("single quotes", append("{'a':1}"), quarantined()),
        row("cut off", append(r#"{"actor":{"user":{"na"#), quarantined()),
        row("not an object", append("\"just a string\""), quarantined()),
        row("CR as line ends", append([event("\"a\":1"), event("\"a\":2")].join(&b'\r')), recorded(2, 0)),
        row(
            "CR LF as line ends",
            append([event("\"a\":1"), event("\"a\":2")].join(&b"\r\n"[..])),
            recorded(2, 0),
        ),
        row(
            "record separators",
            append([&b"\x1e"[..], &event("\"a\":1"), b"\n\x1e", &event("\"a\":2"), b"\n"].concat()),
            recorded(2, 2),
        ),
        row(
            "a bad line between good ones",
            append([&event("\"a\":1")[..], b"{\"a\":", &event("\"a\":3")].join(&b'\n')),
            recorded(3, 1),
        ),
        row("a list of things that are no events", append("[1,null,true,\"x\",[]]"), quarantined()),
        row(
            "XML",
            append(
                "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>",
            ),
            quarantined(),
        ),
        row("Content-Type: text/html", append_with("Content-Type: text/html\r\n", event("\"a\":1")), kept()),
        row(
            "Content-Type: multipart/form-data",
            append_with("Content-Type: multipart/form-data; boundary=x\r\n", event("\"a\":1")),
            kept(),
        ),
        row("Content-Type that is none", append_with("Content-Type: /;;=\r\n", event("\"a\":1")), kept()),
    ]
}

/// Events whose text is meant for whoever reads it later. They are kept as they are; `terminal.rs` sees how they are
/// shown.
fn meanings() -> Vec<Row> {
    vec![
        row(
            "terminal escapes",
            append("{\"actor\":{\"user\":{\"name\":\"hostile \\u001b]0;owned\\u0007\\u001b[2Jroot\"}}}"),
            kept(),
        ),
        row(
            "terminal escapes of one byte",
            append("{\"actor\":{\"user\":{\"name\":\"hostile \u{9b}31m\u{85}\"}}}"),
            kept(),
        ),
        row(
            "bidirectional controls",
            append("{\"actor\":{\"user\":{\"name\":\"hostile \u{202e}txt.exe\u{2066}\u{2069}\"}}}"),
            kept(),
        ),
        row(
            "invisible letters",
            append("{\"actor\":{\"user\":{\"name\":\"hostile \u{200b}\u{feff}\u{e0041}\"}}}"),
            kept(),
        ),
        row(
            "a formula with =",
            append(r#"{"actor":{"user":{"name":"=cmd|' /C calc'!A0"}},"note":"hostile"}"#),
            kept(),
        ),
        row(
            "a formula with +",
            append(r#"{"actor":{"user":{"name":"+1+cmd|' /C calc'!A0"}},"note":"hostile"}"#),
            kept(),
        ),
        row(
            "a formula with -",
            append(r#"{"actor":{"user":{"name":"-2+3+cmd|' /C calc'!A0"}},"note":"hostile"}"#),
            kept(),
        ),
        row(
            "a formula with @",
            append(r#"{"actor":{"user":{"name":"@SUM(1+1)*cmd|' /C calc'!A0"}},"note":"hostile"}"#),
            kept(),
        ),
        row(
            "a formula behind a tab",
            append(r#"{"actor":{"user":{"name":"\t=1+1\r=2"}},"note":"hostile"}"#),
            kept(),
        ),
        row(
            "markup",
            append(r#"{"actor":{"user":{"name":"<script>alert(1)</script>"}},"note":"hostile"}"#),
            kept(),
        ),
        row(
            "__proto__ as a key",
            append(event(r#""__proto__":{"admin":true},"constructor":{"prototype":1}"#)),
            kept(),
        ),
        row(
            "an event that claims to be the ledger itself",
            append(event(
                r#""kind":"genesis","source":0,"epoch":9,"sequence":9,"received":"1970-01-01T00:00:00Z","index":0"#,
            )),
            kept(),
        ),
        row("a log4j lookup", append(r#"{"actor":{"user":{"name":"${jndi:ldap://localhost/a}"}}}"#), kept()),
    ]
}
