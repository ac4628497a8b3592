//! What comes out of the splitter, piece by piece; and that it comes out however the stream is cut into chunks, with
//! every byte accounted for.

use super::{Limits, Piece, Splitter};
use crate::testing::cases;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

#[derive(Clone, Debug, PartialEq)]
enum Got {
    Record(String),
    Envelope(String),
    Oversize(u64, [u8; 32]),
}

/// Bytes as text, one character each, so that nothing is lost on the way into a message.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

fn split(limits: Limits, chunks: &[&[u8]]) -> Vec<Got> {
    let mut splitter = Splitter::new(limits);
    let mut pieces = Vec::new();
    let mut size = 0;
    let mut out = |piece: Piece<'_>| {
        size += match piece {
            Piece::Record(bytes) | Piece::Envelope(bytes) => bytes.len() as u64,
            Piece::Oversize { size, .. } => size,
        };
        pieces.push(match piece {
            Piece::Record(bytes) => Got::Record(text(bytes)),
            Piece::Envelope(bytes) => Got::Envelope(text(bytes)),
            Piece::Oversize { size, sha256 } => Got::Oversize(size, sha256),
        });
    };
    for chunk in chunks {
        splitter.push(chunk, &mut out);
    }
    splitter.finish(&mut out);
    let offered: usize = chunks.iter().map(|chunk| chunk.len()).sum();
    assert_eq!(size + splitter.skipped(), offered as u64, "bytes unaccounted for in {pieces:?}");
    pieces
}

/// Checks the pieces of `input` and that no chunking changes them. Envelopes are marked with `~`.
#[track_caller]
fn check(input: &str, expected: &[&str]) {
    let whole = split(Limits::default(), &[input.as_bytes()]);
    let shown: Vec<String> = whole
        .iter()
        .map(|piece| match piece {
            Got::Record(text) => text.clone(),
            Got::Envelope(text) => format!("~{text}"),
            Got::Oversize(size, _) => format!("{size} bytes"),
        })
        .collect();
    assert_eq!(shown, expected, "{input:?}");
    let bytes: Vec<&[u8]> = input.as_bytes().chunks(1).collect();
    assert_eq!(split(Limits::default(), &bytes), whole, "byte by byte: {input:?}");
    let small = Limits { envelope: 24, ..Limits::default() };
    assert_eq!(split(small, &bytes), split(small, &[input.as_bytes()]), "small head: {input:?}");
}

#[test]
fn lines() {
    check("", &[]);
    check(" \r\n\n\t\n", &[]);
    check("{\"a\":1}", &["{\"a\":1}"]);
    check("{\"a\":1}\n{\"b\":2}\n", &["{\"a\":1}", "{\"b\":2}"]);
    check("{\"a\":1}\r\n\r\n{\"b\":2}\r\n", &["{\"a\":1}", "{\"b\":2}"]);
    check("{\"a\":1}  \r\n  {\"b\":2}\t", &["{\"a\":1}  ", "{\"b\":2}\t"]);
    check("{\"a\":\"\r\"}\r\r\n{\"b\":2}\r", &["{\"a\":\"\r\"}\r", "{\"b\":2}"]);
    check("\u{feff}{\"a\":1}\n", &["{\"a\":1}"]);
}

#[test]
fn a_bad_line_does_not_touch_the_next() {
    check("not json\n{\"a\":1}\n", &["not json", "{\"a\":1}"]);
    check("{\"a\":1}\n{\"cut\":\n{\"b\":2}\n", &["{\"a\":1}", "{\"cut\":", "{\"b\":2}"]);
    check("{\"a\":1}\n{\"cut\":\"\n{\"b\":2}\n", &["{\"a\":1}", "{\"cut\":\"", "{\"b\":2}"]);
    check("{\"a\":]\n{\"b\":2}\n", &["{\"a\":]", "{\"b\":2}"]);
    check("{\"a\":\"open\n{\"b\":2}\n", &["{\"a\":\"open", "{\"b\":2}"]);
    check("{\"a\":1} tail\n{\"b\":2}\n", &["{\"a\":1} tail", "{\"b\":2}"]);
    check("[12/Mar] GET /\n[13/Mar] GET /x\n", &["[12/Mar] GET /", "[13/Mar] GET /x"]);
    check("{\"a\":1}\n[\n{\"b\":2}\n", &["{\"a\":1}", "[", "{\"b\":2}"]);
    check("{\"a\":1}\n{\"Records\":[\n{\"b\":2}\n", &["{\"a\":1}", "~{\"Records\":[", "{\"b\":2}"]);
    check("\u{fb}x\n{\"b\":2}\n", &["\u{fb}x", "{\"b\":2}"]);
}

#[test]
fn values() {
    check("{\n \"a\": 1\n}\n", &["{\n \"a\": 1\n}"]);
    check("{\n \"a\": 1\n}\n{\n\"b\":2}\n", &["{\n \"a\": 1\n}", "{\n\"b\":2}"]);
    check("{\n \"a\": 1\n},\n{\n\"b\":2},\n", &["{\n \"a\": 1\n}", "{\n\"b\":2}"]);
    check("{\"a\":1}{\"b\":\n2}", &["{\"a\":1}", "{\"b\":\n2}"]);
    check("{\"a\":1} \t {\"b\":2}{\"c\":3}\n", &["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]);
    check("{\n\"a\":\"}\\\"]\\\\\"}\r\n[\n1]", &["{\n\"a\":\"}\\\"]\\\\\"}", "[\n1]"]);
}

#[test]
fn a_broken_value_ends_where_the_next_seems_to_begin() {
    check("{\n\"a\":]\n}\n{\"b\":2}\n", &["{\n\"a\":]\n}", "{\"b\":2}"]);
    check("{\n\"a\":\"open\n}\n{\"b\":2}\n", &["{\n\"a\":\"open\n}", "{\"b\":2}"]);
    check("{\n\"a\":1}\nnoise\nmore\n[\n{\"b\":2}]\n", &["{\n\"a\":1}", "noise\nmore", "{\"b\":2}"]);
    check("{\n\"a\":1", &["{\n\"a\":1"]);
    check("{\n\"a\":1}]\n", &["{\n\"a\":1}", "]"]);
}

#[test]
fn lists_are_cut_into_elements() {
    check("{\"Records\":[{\"a\":1},{\"b\":2}]}", &["{\"a\":1}", "{\"b\":2}"]);
    check("{\"Records\":[{\"a\":1}]}\n{\"Records\":[{\"b\":2}]}\n", &["{\"a\":1}", "{\"b\":2}"]);
    check("{\"Records\":[{\"a\":1}]}{\"Records\":[{\"b\":2}]}", &["{\"a\":1}", "{\"b\":2}"]);
    check("{\n \"Records\" : [\n {\"a\":\n1},\n {\"b\":2}\n ]\n}\n", &["{\"a\":\n1}", "{\"b\":2}"]);
    check("[{\"a\":1},{\"b\":[2]}]", &["{\"a\":1}", "{\"b\":[2]}"]);
    check("[\n{\"a\":1},\n{\"b\":2}\n]\n", &["{\"a\":1}", "{\"b\":2}"]);
    check("[{\"a\":1},2,\"x]\",[3],null]\n", &["{\"a\":1}", "2", "\"x]\"", "[3]", "null"]);
    check(
        "{\"a\":1}\n[{\"b\":2},{\"c\":3}]\n{\"d\":4}\n",
        &["{\"a\":1}", "{\"b\":2}", "{\"c\":3}", "{\"d\":4}"],
    );
    check("[]\n{\"Records\":[]}\n[ ]\n", &[]);
    check(
        "{\"kind\":\"EventList\",\"apiVersion\":\"audit.k8s.io/v1\",\"metadata\":{},\"items\":[{\"a\":1},{\"b\":2}]}",
        &["{\"a\":1}", "{\"b\":2}"],
    );
    check("{\"apiVersion\":\"v1\",\"items\":[{\"a\":1}],\"kind\":\"EventList\"}", &["{\"a\":1}"]);
}

#[test]
fn other_arrays_are_not() {
    for whole in [
        "{\"time\":1,\"items\":[{\"a\":1}]}",
        "{\"a\":{\"Records\":[{\"b\":1}]}}",
        "{\"a\":\"x,\\\"Records\\\":[\",\"b\":[1]}",
        "{\"Records\":{\"a\":[1]}}",
        "{\"Records\":null}",
        "{\"a\":\"Records\",\"b\":[1]}",
        "{\"a\":[\"Records\",[1]]}",
        "[1,{\"a\":1}]",
    ] {
        check(whole, &[whole]);
        check(&format!("{{\"n\":0}}\n{whole}\n"), &["{\"n\":0}", whole]);
    }
}

#[test]
fn what_stands_around_a_list_is_kept_if_it_says_something() {
    check(
        "{\"kind\":\"EventList\",\"metadata\":{\"continue\":\"c\"},\"items\":[{\"a\":1}]}",
        &["{\"a\":1}", "~{\"kind\":\"EventList\",\"metadata\":{\"continue\":\"c\"},\"items\":[]}"],
    );
    check("{\"metadata\":{\"continue\":\"\"},\"items\":[{\"a\":1}]}", &["{\"a\":1}"]);
    check(
        "{\"Records\":[{\"a\":1}],\"next\":\"[\",\"more\":[{\"b\":2}]}\n{\"c\":3}\n",
        &["{\"a\":1}", "~{\"Records\":[],\"next\":\"[\",\"more\":[{\"b\":2}]}", "{\"c\":3}"],
    );
    check("{\"n\":1,\"Records\":[{\"a\":1}]}", &["{\"a\":1}", "~{\"n\":1,\"Records\":[]}"]);
    // Two lists under one name: both are cut, and the envelope, which is no strict JSON, shows it.
    check(
        "{\"Records\":[{\"a\":1}],\"Records\":[{\"b\":2}]}",
        &["{\"a\":1}", "{\"b\":2}", "~{\"Records\":[],\"Records\":[]}"],
    );
}

#[test]
fn a_broken_list_keeps_what_came_before_and_loses_nothing() {
    check("{\"Records\":[{\"a\":1},{\"b\":", &["{\"a\":1}", "{\"b\":", "~{\"Records\":["]);
    check("{\"Records\":[{\"a\":1},", &["{\"a\":1}", "~{\"Records\":["]);
    check("[{\"a\":1}", &["{\"a\":1}", "~["]);
    check("[{\"a\":1}}, {\"b\":2}]\n{\"c\":3}\n", &["{\"a\":1}", "~[", "}, {\"b\":2}]", "{\"c\":3}"]);
    check(
        "{\"Records\":[{\"a\":1},{\"b\":]},{\"c\":3}]}\n{\"d\":4}\n",
        &["{\"a\":1}", "~{\"Records\":[", "{\"b\":]},{\"c\":3}]}", "{\"d\":4}"],
    );
    check(
        "{\"Records\":[\n{\"a\":1},\n{\"b\":]},\n{\"c\":3}\n]}\n",
        &["{\"a\":1}", "~{\"Records\":[", "{\"b\":]},", "{\"c\":3}", "]}"],
    );
    // A missing or a doubled comma is no reason to refuse the elements.
    check("[{\"a\":1} {\"b\":2},,{\"c\":3},]", &["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]);
}

#[test]
fn records_beyond_the_limit_are_counted_and_hashed() {
    let limits = Limits { record: 10, envelope: 16 };
    let hash = |text: &str| Got::Oversize(text.len() as u64, Sha256::digest(text).into());
    let record = |text: &str| Got::Record(text.to_owned());
    for (input, expected) in [
        ("1234567890\r\n", vec![record("1234567890")]),
        ("12345678901\r\nx\n", vec![hash("12345678901"), record("x")]),
        ("{\"a\":\"123456789012\"}\n{}\n", vec![hash("{\"a\":\"123456789012\"}"), record("{}")]),
        (
            "[{\"a\":1},{\"b\":\"1234567890\"},{}]",
            vec![record("{\"a\":1}"), hash("{\"b\":\"1234567890\"}"), record("{}")],
        ),
        ("{\n\"a\":1234567890123456789}{}", vec![hash("{\n\"a\":1234567890123456789}"), record("{}")]),
        ("[{},12345678901234]", vec![record("{}"), hash("12345678901234")]),
        ("{\n]\nxxxxxxxxxxxxxxxxxx\n{}", vec![hash("{\n]\nxxxxxxxxxxxxxxxxxx"), record("{}")]),
    ] {
        assert_eq!(split(limits, &[input.as_bytes()]), expected, "{input:?}");
        let bytes: Vec<&[u8]> = input.as_bytes().chunks(1).collect();
        assert_eq!(split(limits, &bytes), expected, "byte by byte: {input:?}");
    }
}

/// A container far larger than what may be held passes through, and what is held stays small.
#[test]
fn memory_holds_one_record() {
    let limits = Limits { record: 1 << 10, envelope: 1 << 10 };
    let mut splitter = Splitter::new(limits);
    let mut records = 0;
    let mut out = |piece: Piece<'_>| records += usize::from(matches!(piece, Piece::Record(_)));
    splitter.push(b"{\"kind\":\"EventList\",\"items\":[", &mut out);
    let chunk = format!("{{\"a\":\"{}\"}},", "x".repeat(200)).repeat(30);
    for part in chunk.as_bytes().chunks(97).cycle().take(100_000) {
        splitter.push(part, &mut out);
        assert!(splitter.hold.bytes().len() <= 1 << 10);
    }
    assert!(records > 40_000);
    let oversize = vec![b'x'; 100];
    splitter.push(b"{\"a\":\"", &mut |_| {});
    for _ in 0..1_000 {
        splitter.push(&oversize, &mut |_| panic!("an unfinished record came out"));
        assert!(splitter.hold.bytes().len() <= 1 << 10);
    }
}

/// An envelope that grows beyond its limit becomes a record of its own, bounded like any other.
#[test]
fn an_envelope_beyond_the_limit_is_a_broken_record() {
    let limits = Limits { record: 1 << 10, envelope: 64 };
    let tail = format!(",\"next\":\"{}\"}}", "y".repeat(100));
    let input = format!("{{\"Records\":[{{\"a\":1}}]{tail}\n{{\"b\":2}}\n");
    let pieces = split(limits, &[input.as_bytes()]);
    assert_eq!(pieces.len(), 4, "{pieces:?}");
    assert_eq!(pieces[0], Got::Record("{\"a\":1}".to_owned()));
    assert!(matches!(&pieces[1], Got::Envelope(text) if text.starts_with("{\"Records\":[],\"next\":\"yy")));
    assert!(matches!(&pieces[2], Got::Record(text) if text.ends_with("yy\"}")));
    assert_eq!(pieces[3], Got::Record("{\"b\":2}".to_owned()));
}

/// Input made to have its list looked for again and again takes no longer than any other.
#[test]
fn the_search_for_a_list_is_linear() {
    let megabyte = |unit: &str, head: &str| format!("{head}{}", unit.repeat((1 << 20) / unit.len()));
    let limits = Limits { envelope: 1 << 20, ..Limits::default() };
    for input in [
        megabyte("\"Records\"", "{"),
        megabyte("\"Records\":[", "{\"a\":["),
        megabyte("\"items\":[],", "{\"kind\":1,\"a\":1,"),
        megabyte("\"items\":[],", "{\"items\":1,\"Records\":[],"),
        megabyte("\"items\":[", "{\"kind\":["),
        megabyte("\"Records\"    ", "{"),
        megabyte("[", "{\"Records\":["),
        megabyte("{\"a\":", ""),
    ] {
        let pieces = split(limits, &[input.as_bytes()]);
        assert!(pieces.len() <= 2, "{}", pieces.len());
    }
}

#[test]
fn a_finished_splitter_starts_anew() {
    let mut splitter = Splitter::new(Limits::default());
    let mut pieces = Vec::new();
    let mut out = |piece: Piece<'_>| pieces.push(format!("{piece:?}"));
    splitter.push(b"{\n\"a\":1}", &mut out);
    splitter.finish(&mut out);
    splitter.push(b"\xEF\xBB\xBF{\"b\":2}\n{\"cut\n{\"c\":3}", &mut out);
    splitter.finish(&mut out);
    assert_eq!(pieces.len(), 4, "{pieces:?}");
}

/// Pieces of JSON and of what breaks it, dense enough for every state to be reached.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        ":",
        ",",
        "\n",
        "\r",
        " ",
        "\r\n",
        "1",
        "x",
        "{\"a\":1}",
        "{\"b\":[2]}",
        "{\"Records\":[",
        "\"Records\"",
        "{\"kind\":\"EventList\",",
        "\"items\":[",
        "\"metadata\":{},",
        "[{",
        "]}\n",
        "}\n{",
        "\"s\\\"t\"",
        "\u{feff}",
        "\n\n",
        "\u{1}",
        "null",
    ]);
    prop::collection::vec(fragment, 0..40).prop_map(|parts| parts.concat().into_bytes())
}

fn chunked<'a>(input: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
    cuts.extend([0, input.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect()
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn chunks_make_no_difference(
        input in fragments(),
        cuts in prop::collection::vec(any::<usize>(), 0..8),
        record in 1u64..60,
        envelope in 1usize..60,
    ) {
        let limits = Limits { record, envelope };
        let whole = split(limits, &[&input]);
        prop_assert_eq!(split(limits, &chunked(&input, &cuts)), whole.clone());
        prop_assert_eq!(split(limits, &input.chunks(1).collect::<Vec<_>>()), whole);
    }

    #[test]
    fn arbitrary_bytes_are_accounted_for(
        input in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec(any::<usize>(), 0..4),
    ) {
        let limits = Limits { record: 50, envelope: 20 };
        prop_assert_eq!(split(limits, &chunked(&input, &cuts)), split(limits, &[&input]));
    }

    /// Records come out in the order they went in, and what is skipped is made of nothing but blanks, commas and the
    /// words of silent envelopes.
    #[test]
    fn nothing_but_separators_is_skipped(input in fragments()) {
        let mut counts = [0i64; 256];
        input.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
        let mut rest = input.as_slice();
        for piece in split(Limits::default(), &[&input]) {
            let (Got::Record(bytes) | Got::Envelope(bytes)) = &piece else { panic!("{piece:?}") };
            bytes.bytes().for_each(|byte| counts[usize::from(byte)] -= 1);
            if let Got::Record(bytes) = &piece {
                let at = memchr::memmem::find(rest, bytes.as_bytes());
                prop_assert!(at.is_some(), "out of order: {:?}", bytes);
                rest = &rest[at.unwrap_or(0) + bytes.len()..];
            }
        }
        let words = b" \t\r\n,\xEF\xBB\xBF[]{}:\"Records\"items\"kind\"EventList\"metadata\"";
        for (byte, count) in (0..=255u8).zip(counts) {
            prop_assert!(count >= 0 && (count == 0 || words.contains(&byte)), "{:?}: {}", char::from(byte), count);
        }
    }

    /// Against the simplest splitter there is: lines.
    #[test]
    fn lines_are_what_lines_are(values in prop::collection::vec(json(), 1..12), crlf in any::<bool>()) {
        let lines: Vec<String> = values.iter().map(serde_json::Value::to_string).collect();
        let input = lines.join(if crlf { "\r\n" } else { "\n" });
        let expected: Vec<Got> = lines.into_iter().map(Got::Record).collect();
        prop_assert_eq!(split(Limits::default(), &[input.as_bytes()]), expected);
    }

    /// However a list of objects is written, its elements come out as they were written.
    #[test]
    fn elements_are_what_serde_reads(values in prop::collection::vec(json(), 0..8), shape in 0usize..4) {
        let list = serde_json::Value::from(values.clone());
        let records = serde_json::json!({ "Records": list });
        let input = match shape {
            0 => list.to_string(),
            1 => serde_json::to_string_pretty(&list).expect("json"),
            2 => records.to_string(),
            _ => serde_json::to_string_pretty(&records).expect("json"),
        };
        let pieces = split(Limits::default(), &[input.as_bytes()]);
        let read: Vec<serde_json::Value> = pieces
            .iter()
            .map(|piece| match piece {
                Got::Record(text) => serde_json::from_str(text).expect("an element is json"),
                other => panic!("{other:?}"),
            })
            .collect();
        prop_assert_eq!(read, values);
    }
}

/// JSON objects, with strings that look like structure.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(serde_json::Value::from),
        "[\\[\\]{}\",:\\\\\n x]{0,8}".prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    let inner = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::btree_map("[a-d\"\\\\]{1,3}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("[a-d\"]{1,3}", inner, 0..4)
        .prop_map(|map| serde_json::Value::Object(map.into_iter().collect()))
}
