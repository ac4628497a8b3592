//! Documents with their verdict: whether they are strict JSON, whether they are canonical, and what writing makes of
//! them.

use crate::{case, hex, text};
use record::canonical::{check, write};
use record::json::{Object, parse};

pub fn cases() -> Vec<Object<'static>> {
    let mut cases = Vec::new();
    for (name, input) in DOCUMENTS {
        cases.push(document(name, input));
    }
    for levels in [63, 64, 65, 1000] {
        let arrays = ["[".repeat(levels), "]".repeat(levels)].concat();
        cases.push(document(&format!("arrays nested {levels} deep"), arrays.as_bytes()));
        let objects = [r#"{"a":"#.repeat(levels), "0".into(), "}".repeat(levels)].concat();
        cases.push(document(&format!("objects nested {levels} deep"), objects.as_bytes()));
    }
    for token in NUMBERS {
        cases.push(document(&format!("number {token}"), token.as_bytes()));
    }
    for bits in DOUBLES {
        let token = format!("{:e}", f64::from_bits(*bits));
        cases.push(document(&format!("double {bits:016x}"), token.as_bytes()));
    }
    for code in (0..0x21).chain([0x22, 0x2F, 0x5C, 0x7F, 0x80, 0xA0, 0x2028, 0xD7FF, 0xE000, 0xFEFF, 0xFFFF])
    {
        let Some(char) = char::from_u32(code) else { continue };
        cases.push(document(&format!("U+{code:04X} escaped"), format!("\"\\u{code:04x}\"").as_bytes()));
        cases.push(document(&format!("U+{code:04X} as it is"), format!("\"{char}\"").as_bytes()));
    }
    cases
}

fn document(name: &str, input: &[u8]) -> Object<'static> {
    let mut case = case(name);
    case.push("input", hex(input));
    case.push("canonical", check(input).is_ok());
    let parsed = parse(input);
    case.push("strict", parsed.is_ok());
    if let Ok(value) = parsed {
        let mut written = Vec::new();
        write(&value, &mut written);
        case.push("written", text(&written));
    }
    case
}

const DOCUMENTS: &[(&str, &[u8])] = &[
    ("nothing", b""),
    ("only whitespace", b" \n"),
    ("whitespace around a value", b" \t\r\n null \n"),
    ("form feed is no whitespace", b"\x0c1"),
    ("no-break space is no whitespace", "\u{a0}1".as_bytes()),
    ("true", b"true"),
    ("capital literal", b"True"),
    ("cut literal", b"fals"),
    ("NaN", b"NaN"),
    ("Infinity", b"-Infinity"),
    ("two values", b"1 2"),
    ("comment", b"1 // one"),
    ("trailing NUL", b"{}\0"),
    ("byte order mark", b"\xef\xbb\xbf{}"),
    ("utf-16", b"\xff\xfe{\0}\0"),
    ("empty object", b"{}"),
    ("empty array", b"[]"),
    ("space in an array", b"[1, 2]"),
    ("trailing comma in an array", b"[1,]"),
    ("leading comma", b"[,1]"),
    ("missing comma", b"[1 2]"),
    ("unclosed array", b"[1"),
    ("wrong bracket", b"[1}"),
    ("trailing comma in an object", b"{\"a\":1,}"),
    ("key without quotes", b"{a:1}"),
    ("key without value", b"{\"a\"}"),
    ("number as key", b"{1:1}"),
    ("single quotes", b"{'a':1}"),
    ("empty key", b"{\"\":0}"),
    ("keys sorted", b"{\"a\":1,\"b\":2}"),
    ("keys not sorted", b"{\"b\":2,\"a\":1}"),
    ("longer key first", b"{\"aa\":1,\"a\":2}"),
    ("capital after small", b"{\"a\":1,\"A\":2}"),
    ("key repeated", b"{\"a\":1,\"a\":1}"),
    ("key repeated by an escape", b"{\"a\":1,\"\\u0061\":2}"),
    ("key repeated far inside", b"[{\"x\":{\"a\":[],\"b\":{},\"a\":[]}}]"),
    ("keys equal but for normal form", "{\"A\u{30a}\":1,\"\u{c5}\":2}".as_bytes()),
    ("keys by utf-16, sorted", "{\"\u{1f602}\":1,\"\u{fb33}\":2}".as_bytes()),
    ("keys by code point, not sorted", "{\"\u{fb33}\":2,\"\u{1f602}\":1}".as_bytes()),
    ("RFC 8785 section 3.2.2", b"{\"numbers\":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],\"string\":\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\"literals\":[null,true,false]}"),
    ("RFC 8785 section 3.2.3", br#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#),
    ("escaped solidus", br#""\/""#),
    ("escaped letter", br#""\u0041""#),
    ("capital hexadecimal", br#""\u001F""#),
    ("small hexadecimal", br#""\u001f""#),
    ("long escape of a newline", br#""\u000a""#),
    ("unknown escape", br#""\x41""#),
    ("capital escape letter", br#""\U0041""#),
    ("escape of three digits", br#""\u041""#),
    ("escape with a sign", br#""\u+041""#),
    ("escape at the end", b"\"\\"),
    ("unclosed string", b"\"a"),
    ("raw tab", b"\"\t\""),
    ("surrogate pair", br#""\ud83d\ude00""#),
    ("surrogate pair in capitals", br#""\uD83D\uDE00""#),
    ("high surrogate alone", br#""\ud83d""#),
    ("low surrogate alone", br#""\ude00""#),
    ("surrogates in the wrong order", br#""\ude00\ud83d""#),
    ("high surrogate before a letter", br#""\ud83d\u0041""#),
    ("high surrogate before an escape", br#""\ud83d\n""#),
    ("two high surrogates", br#""\ud83d\ud83d\ude00""#),
    ("lone surrogate in a key", br#"{"\udfff":1}"#),
    ("surrogate in utf-8", b"\"\xed\xa0\xbd\""),
    ("overlong utf-8", b"\"\xc0\xaf\""),
    ("cut utf-8", b"\"\xe2\x82\""),
    ("beyond U+10FFFF", b"\"\xf4\x90\x80\x80\""),
    ("a byte that utf-8 never has", b"\"\xff\""),
    ("last code point", "\"\u{10ffff}\"".as_bytes()),
    ("an event", br#"{"actor":{"user":{"name":"J\u00f6rg"}},"time":1767225600123,"severity_id":1}"#),
    ("big integers inside", br#"{"ids":[9007199254740991,9007199254740992,-9007199254740993,18446744073709551615]}"#),
];

/// Tokens at every edge, some of them no numbers at all.
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "-0.0",
    "0.0",
    "-0e5",
    "0e400",
    "0e99999999999999999999",
    "00",
    "01",
    "-01",
    "1.0",
    "1.",
    ".5",
    "+1",
    "-",
    "1e",
    "1e+",
    "1E2",
    "1e2",
    "1e+2",
    "100e-2",
    "0x10",
    "1_000",
    "4.50",
    "0.1",
    "0.10",
    "0.1000000000000000055",
    "0.3333333333333333",
    "0.33333333333333333",
    "1e-6",
    "0.000001",
    "1e-7",
    "0.0000001",
    "1E-7",
    "123456789012345",
    "1234567890123456",
    "999999999999999",
    "9007199254740990",
    "9007199254740991",
    "9007199254740991.0",
    "9007199254740991.2",
    "9007199254740990.5",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740991",
    "-9007199254740992",
    "-9007199254740993",
    "18446744073709551615",
    "1e15",
    "1e16",
    "9.007199254740991e15",
    "9.007199254740992e15",
    "1e20",
    "1e21",
    "1e+21",
    "1e308",
    "1.7976931348623157e308",
    "1.7976931348623159e308",
    "1e309",
    "1e400",
    "-1e400",
    "1e-323",
    "5e-324",
    "4.9e-324",
    "2e-324",
    "1e-400",
    "-1e-400",
    "1e99999999999999999999",
    "1e-99999999999999999999",
    "4503599627370496.5",
    "4503599627370495.5",
    "1424953923781206.2",
    "333333333.33333329",
    "-0.0000033333333333333333",
    "2.2250738585072014e-308",
    "2.2250738585072011e-308",
    "1767225600123456789",
    "1767225600.123456789",
];

/// RFC 8785 appendix B, and the doubles on either side of where spelling changes.
const DOUBLES: &[u64] = &[
    0x0000000000000001,
    0x8000000000000001,
    0x000fffffffffffff,
    0x0010000000000000,
    0x3eb0c6f7a0b5ed8c,
    0x3eb0c6f7a0b5ed8d,
    0x3e7ad7f29abcaf47,
    0x3e7ad7f29abcaf48,
    0x3ff0000000000001,
    0x3fb999999999999a,
    0x41b3de4355555553,
    0x41b3de4355555554,
    0x41b3de4355555555,
    0x41b3de4355555556,
    0x41b3de4355555557,
    0xbecbf647612f3696,
    0x43143ff3c1cb0959,
    0x433fffffffffffff,
    0xc33fffffffffffff,
    0x432fffffffffffff,
    0x7fefffffffffffff,
    0x44b52d02c7e14af6,
    0x444b1ae4d6e2ef50,
];
