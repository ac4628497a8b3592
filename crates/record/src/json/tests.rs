use super::JsonErrorKind::*;
use super::*;
use crate::testing::{cases, sample_documents, spell, text, value};
use proptest::prelude::*;

#[test]
fn what_strict_json_is() {
    let deep = |levels: usize| ["[".repeat(levels), "]".repeat(levels)].concat();
    let accepted: Vec<Vec<u8>> = vec![
        b"null".to_vec(),
        b" \t\r\n0 \n".to_vec(),
        b"-0".to_vec(),
        b"1e400".to_vec(),
        b"1e-400".to_vec(),
        b"1E+99999999999999999999".to_vec(),
        b"9007199254740991".to_vec(),
        b"9007199254740992".to_vec(),
        b"9007199254740993".to_vec(),
        b"0.10000000000000000000000000001".to_vec(),
        br#""""#.to_vec(),
        br#""\u0000""#.to_vec(),
        br#""\ud83d\ude00""#.to_vec(),
        br#""\uD83D\uDE00\uFFFF\/""#.to_vec(),
        "\"\u{feff}\u{ffff}\u{7f}\"".into(),
        br#"{"":1," ":2}"#.to_vec(),
        br#"{"a":{"a":{"a":[]}}}"#.to_vec(),
        br#"{"a":1,"A":2,"\u00e1":3}"#.to_vec(),
        deep(MAX_DEPTH).into(),
    ];
    for input in accepted {
        assert!(parse(&input).is_ok(), "{}: {:?}", input.escape_ascii(), parse(&input));
    }
}

#[test]
fn what_is_refused_and_where() {
    let deep = ["[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1)].concat();
    let deep_objects = [r#"{"a":"#.repeat(MAX_DEPTH + 1), "1".into(), "}".repeat(MAX_DEPTH + 1)].concat();
    let rejected: &[(&[u8], JsonErrorKind, usize)] = &[
        (b"", UnexpectedEnd, 0),
        (b"  ", UnexpectedEnd, 2),
        (b"nul", UnexpectedEnd, 3),
        (b"nulL", UnexpectedByte, 3),
        (b"NaN", UnexpectedByte, 0),
        (b"Infinity", UnexpectedByte, 0),
        (b"-Infinity", InvalidNumber, 1),
        (b"+1", UnexpectedByte, 0),
        (b".5", UnexpectedByte, 0),
        (b"-", UnexpectedEnd, 1),
        (b"01", InvalidNumber, 1),
        (b"-01", InvalidNumber, 2),
        (b"00", InvalidNumber, 1),
        (b"1.", UnexpectedEnd, 2),
        (b"[1.]", InvalidNumber, 3),
        (b"1e", UnexpectedEnd, 2),
        (b"[1e+]", InvalidNumber, 4),
        (b"0x10", TrailingBytes, 1),
        (b"1 2", TrailingBytes, 2),
        (b"{}\0", TrailingBytes, 2),
        (b"{} {}", TrailingBytes, 3),
        (b"\0", UnexpectedByte, 0),
        (b"'a'", UnexpectedByte, 0),
        (b"[1,]", UnexpectedByte, 3),
        (b"[,1]", UnexpectedByte, 1),
        (b"[1 2]", UnexpectedByte, 3),
        (b"[1", UnexpectedEnd, 2),
        (b"[1}", UnexpectedByte, 2),
        (b"{a:1}", UnexpectedByte, 1),
        (b"{\"a\"}", UnexpectedByte, 4),
        (b"{\"a\":}", UnexpectedByte, 5),
        (b"{\"a\":1,}", UnexpectedByte, 7),
        (b"{1:1}", UnexpectedByte, 1),
        (b"/* */1", UnexpectedByte, 0),
        (b"\x0b1", UnexpectedByte, 0),
        ("\u{a0}1".as_bytes(), UnexpectedByte, 0),
        ("\u{feff}1".as_bytes(), ByteOrderMark, 0),
        (b"\xff\xfe1\0", InvalidUtf8, 0),
        (b"\"a", UnexpectedEnd, 2),
        (b"\"a\0b\"", ControlCharacter, 2),
        (b"\"\n\"", ControlCharacter, 1),
        (b"\"\\n\t\"", ControlCharacter, 3),
        (b"\"\\x41\"", InvalidEscape, 1),
        (b"\"\\", UnexpectedEnd, 2),
        (b"\"\\u12\"", InvalidEscape, 1),
        (b"\"\\u12", UnexpectedEnd, 5),
        (b"\"\\u+123\"", InvalidEscape, 1),
        (br#""\ud800""#, LoneSurrogate, 1),
        (br#""a\udc00""#, LoneSurrogate, 2),
        (br#""\ude00\ud83d""#, LoneSurrogate, 1),
        (br#""\ud83d\u0041""#, LoneSurrogate, 1),
        (br#""\ude00\ude00""#, LoneSurrogate, 1),
        (br#""\ud83dx\ude00""#, LoneSurrogate, 1),
        (br#""\ud83d\n""#, LoneSurrogate, 1),
        (br#"{"\ud800":1}"#, LoneSurrogate, 2),
        (b"\"\xff\"", InvalidUtf8, 1),
        (b"\"\xc0\x80\"", InvalidUtf8, 1),
        (b"\"\xed\xa0\x80\"", InvalidUtf8, 1),
        (b"\"\xf4\x90\x80\x80\"", InvalidUtf8, 1),
        (br#"{"a":1,"a":1}"#, DuplicateKey, 7),
        (br#"{"a":1,"\u0061":2}"#, DuplicateKey, 7),
        (br#"{"\u00e9":1,"b":0, "\u00E9":2}"#, DuplicateKey, 19),
        (br#"[{"x":{"":1,"b":2,"":3}}]"#, DuplicateKey, 18),
        (deep.as_bytes(), TooDeep, MAX_DEPTH),
        (deep_objects.as_bytes(), TooDeep, 5 * MAX_DEPTH),
    ];
    for &(input, kind, offset) in rejected {
        assert_eq!(parse(input), Err(JsonError { offset, kind }), "{}", input.escape_ascii());
    }
}

#[test]
fn errors_say_what_and_where() {
    let error = parse(br#"{"a":1,"a":2}"#).unwrap_err();
    assert_eq!(error.to_string(), "duplicate key at offset 7");
}

/// The texts of these two messages name limits that live elsewhere.
#[test]
fn messages_name_the_true_limits() {
    assert!(JsonError::new(TooDeep, 0).to_string().contains(&MAX_DEPTH.to_string()));
    assert!(JsonError::new(TooManyValues, 0).to_string().contains(&MAX_VALUES.to_string()));
}

#[test]
fn a_repeated_key_is_found_in_a_big_object() {
    for count in [31, 32, 33, 34, 1000] {
        let members: Vec<String> = (0..count).map(|n| format!("\"k{n}\":0")).collect();
        let unique = format!("{{{}}}", members.join(","));
        assert_eq!(parse(unique.as_bytes()).unwrap().as_object().unwrap().len(), count);
        let offset = unique.len();
        let open = unique.trim_end_matches('}');
        let once = format!("{open},\"k7\":1}}");
        assert_eq!(parse(once.as_bytes()), Err(JsonError { offset, kind: DuplicateKey }), "count {count}");
        let repeated = format!("{open},\"k7\":1,\"k3\":1}}");
        assert_eq!(
            parse(repeated.as_bytes()),
            Err(JsonError { offset, kind: DuplicateKey }),
            "count {count}"
        );
        // In an object that follows another on the same stack, offsets are still its own.
        let nested = format!("{{\"first\":{unique},\"second\":{repeated}}}");
        let offset = offset + unique.len() + r#"{"first":,"second":"#.len();
        assert_eq!(parse(nested.as_bytes()), Err(JsonError { offset, kind: DuplicateKey }), "count {count}");
    }
}

#[test]
fn values_are_limited_in_number() {
    let list = |count: usize| format!("[{}0]", "0,".repeat(count - 2));
    assert!(parse(list(MAX_VALUES).as_bytes()).is_ok());
    let error = parse(list(MAX_VALUES + 1).as_bytes()).unwrap_err();
    assert_eq!(error.kind, TooManyValues);
    assert!(elements(list(MAX_VALUES + 2).as_bytes()).unwrap().all(|element| element.is_ok()));
}

#[test]
fn the_tree_keeps_tokens_and_order() {
    let value =
        parse(br#" {"z": [1.50, -0, true, null, "\u0041\n"], "a": {"b": 18446744073709551615}} "#).unwrap();
    let object = value.as_object().unwrap();
    assert_eq!(object.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["z", "a"]);
    let z = object.get("z").and_then(Value::as_array).unwrap();
    assert_eq!(z[0].as_number().unwrap().as_str(), "1.50");
    assert_eq!(z[1].as_number().unwrap().as_str(), "-0");
    assert_eq!((z[2].as_bool(), z[3].is_null(), z[4].str()), (Some(true), true, Some("A\n")));
    assert_eq!(value.path(&["a", "b"]).and_then(Value::as_u64), Some(u64::MAX));
    assert_eq!(value.path(&["z", "b"]), None);
    assert_eq!(value.path(&[]), Some(&value));
}

#[test]
fn objects_are_built_with_unique_keys() {
    let mut object = Object::new();
    object.push("b", 1u32);
    assert_eq!(object.insert("a", "x"), None);
    assert_eq!(object.insert("b", true), Some(Value::from(1u32)));
    assert_eq!(object.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(object.remove("b"), Some(Value::Bool(true)));
    assert_eq!((object.remove("b"), object.len(), object.is_empty()), (None, 1, false));
    let twice = Object::from_iter([("a", 1u32), ("a", 2)]);
    assert_eq!((twice.len(), twice.get("a")), (1, Some(&Value::from(2u32))));
}

#[test]
fn number_tokens_are_checked() {
    assert!(Number::new("-1.5e+7").is_some());
    for wrong in ["", "-", "01", "1 ", " 1", "1,", "NaN", "1.e1", "0x1", "१"] {
        assert_eq!(Number::new(wrong), None, "{wrong:?}");
    }
    assert_eq!(Number::new("7.0").unwrap().as_u64(), None);
    assert_eq!(Number::new("-7").unwrap().as_i64(), Some(-7));
}

#[test]
fn elements_come_with_their_bytes() {
    let input = br#" [ {"a": 1} , 2,"x"  ] "#;
    let spans: Vec<_> = elements(input).unwrap().map(|element| element.unwrap().0).collect();
    let texts: Vec<_> = spans.into_iter().map(|span| std::str::from_utf8(&input[span]).unwrap()).collect();
    assert_eq!(texts, [r#"{"a": 1}"#, "2", r#""x""#]);
    assert_eq!(elements(b" [ ] ").unwrap().count(), 0);
    assert!(elements(b"{}").is_err());
    for (input, offset) in [("[1,2", 4), ("[1,x]", 3), ("[1] 2", 4), ("[] 2", 3), ("[1,]", 3)] {
        let last = elements(input.as_bytes()).unwrap().last().unwrap();
        assert_eq!(last.unwrap_err().offset, offset, "{input}");
        assert!(elements(input.as_bytes()).unwrap().count() <= 3, "{input}: the iterator ends");
    }
}

#[test]
fn a_member_is_found_without_building_a_tree() {
    let input =
        br#" {"a":[{"Records":1},"\n\ud83d\ude00",-1.5e3,true,null,{}], "Records" : [1, 2], "z":{}} "#;
    let span = member(input, "Records").unwrap().unwrap();
    assert_eq!(&input[span], b"[1, 2]");
    assert_eq!(member(input, "none"), Ok(None));
    assert_eq!(member(b"{}", "a"), Ok(None));
    let wrong = [
        (&b"{\"a\":1,\"a\":2}"[..], 7),
        (b"{\"a\":1}x", 7),
        (b"{\"a\":[1,\"\x01\"]}", 9),
        (b"{\"a\":\"\\ud800\"}", 6),
        (b"{\"a\":[01]}", 7),
        (b"[]", 0),
        (b"{\"b\":1 \"a\":2}", 7),
    ];
    for (input, offset) in wrong {
        assert_eq!(member(input, "a").unwrap_err().offset, offset, "{}", input.escape_ascii());
    }
    assert_eq!(member(["[".repeat(70), "]".repeat(70)].concat().as_bytes(), "a").unwrap_err().offset, 0);
    let deep = ["{\"a\":", &"[".repeat(64), &"]".repeat(64), "}"].concat();
    assert_eq!(member(deep.as_bytes(), "a").unwrap_err().kind, TooDeep);
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn any_spelling_of_a_value_reads_as_that_value(
        value in value(text().boxed()),
        noise in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut input = String::new();
        spell(&value, &mut noise.into_iter(), &mut input);
        let read = parse(input.as_bytes());
        prop_assert_eq!(read.clone().map(Value::into_owned), Ok(value), "input {}", input);
        prop_assert!(agrees_with_serde(input.as_bytes(), &read), "input {}", input);
        let list = format!("[{input}]");
        let mut spans = elements(list.as_bytes()).unwrap().map(|element| element.unwrap().0);
        let space = input.len() - input.trim_start_matches([' ', '\n', '\t', '\r']).len();
        prop_assert_eq!((spans.next(), spans.next()), (Some(1 + space..1 + input.len()), None));
        let object = format!("{{\"a\":{input} }}");
        prop_assert_eq!(member(object.as_bytes(), "a").unwrap().map(|span| span.end), Some(5 + input.len()));
    }

    #[test]
    fn damaged_json_is_judged_as_serde_json_judges_it(
        value in value(text().boxed()),
        noise in prop::collection::vec(any::<u8>(), 0..100),
        at in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\u0e.-tfn ".to_vec())],
    ) {
        let mut input = String::new();
        spell(&value, &mut noise.into_iter(), &mut input);
        let mut input = input.into_bytes();
        let at = at.index(input.len());
        input[at] = byte;
        prop_assert!(agrees_with_serde(&input, &parse(&input)), "input {}", input.escape_ascii());
        for cut in [at, input.len() - at] {
            prop_assert!(agrees_with_serde(&input[..cut], &parse(&input[..cut])), "{}", input[..cut].escape_ascii());
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(input in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        prop::collection::vec(prop::sample::select(b"{}[]\",:\\ud8c0e.-+1tfn \n\xc3\xa9".to_vec()), 0..60),
    ]) {
        let read = parse(&input);
        prop_assert!(agrees_with_serde(&input, &read), "input {}", input.escape_ascii());
        if let Err(error) = read {
            prop_assert!(error.offset <= input.len());
        }
        if let Ok(elements) = elements(&input) {
            prop_assert!(elements.count() <= input.len() + 1);
        }
        let _ = member(&input, "");
    }
}

#[test]
fn samples_are_read_as_serde_json_reads_them() {
    let documents = sample_documents();
    for (name, document) in &documents {
        let read = parse(document);
        assert!(agrees_with_serde(document, &read), "{name}: {read:?}");
        assert!(read.is_ok(), "{name}: {:?}", read.err());
    }
    println!("{} sample documents", documents.len());
}

/// Whether another reader sees the same, where both should: it keeps the last of two equal keys, goes deeper, and
/// refuses numbers that a double can't hold.
fn agrees_with_serde(input: &[u8], ours: &Result<Value<'_>, JsonError>) -> bool {
    match (ours, serde_json::from_slice::<serde_json::Value>(input)) {
        (Ok(ours), Ok(theirs)) => same(ours, &theirs),
        (Ok(_), Err(error)) => error.to_string().starts_with("number out of range"),
        (Err(error), Ok(_)) => matches!(error.kind, DuplicateKey | TooDeep | TooManyValues),
        (Err(_), Err(_)) => true,
    }
}

fn same(ours: &Value<'_>, theirs: &serde_json::Value) -> bool {
    match (ours, theirs) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Bool(ours), serde_json::Value::Bool(theirs)) => ours == theirs,
        (Value::Number(ours), serde_json::Value::Number(theirs)) => {
            let (ours, theirs) =
                (ours.as_str().parse().unwrap_or(f64::NAN), theirs.as_f64().unwrap_or(f64::NAN));
            // Without its feature for exact floats, serde_json may miss the nearest double by a bit or two.
            (ours - theirs).abs() <= ours.abs() * 1e-14 || ours == theirs
        }
        (Value::String(ours), serde_json::Value::String(theirs)) => ours == theirs,
        (Value::Array(ours), serde_json::Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Value::Object(ours), serde_json::Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(key, ours)| theirs.get(key).is_some_and(|theirs| same(ours, theirs)))
        }
        _ => false,
    }
}
