use super::*;
use crate::json::parse;
use crate::testing::{cases, sample_documents, spell, text, value};
use proptest::prelude::*;

fn canonical(value: &Value<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

#[track_caller]
fn check_written(input: &str, expected: &str) {
    let value = parse(input.as_bytes()).unwrap();
    assert_eq!(std::str::from_utf8(&canonical(&value)).unwrap(), expected);
    assert_eq!(check(expected.as_bytes()), Ok(()), "{expected}");
}

/// RFC 8785 section 3.2.2, with the one number that is not an exact spelling of its double quoted, as our rule asks.
#[test]
fn primitives_are_written_as_in_rfc_8785() {
    check_written(
        "{\n\"numbers\": [333333333.33333329, 1E30, 4.50,\n2e-3, 0.000000000000000000000000001],\n\
         \"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\n\"literals\": [null, true, false]\n}",
        "{\"literals\":[null,true,false],\"numbers\":[\"333333333.33333329\",\"1E30\",4.5,0.002,1e-27],\
         \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}",
    );
}

/// RFC 8785 section 3.2.3.
#[test]
fn keys_are_sorted_as_in_rfc_8785() {
    check_written(
        r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",
           "\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#,
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\
         \"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\
         \"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}",
    );
}

/// The test data published beside the RFC: files `weird`, `structures` and `unicode`.
#[test]
fn weird_documents_are_written_as_published() {
    check_written(
        r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\u000a":"Newline","1":"One","\u0080":"Control\u007f",
           "\ud83d\ude02":"Smiley","\u00f6":"Latin Small Letter O With Diaeresis","\ufb33":"Hebrew Letter Dalet With Dagesh",
           "</script>":"Browser Challenge"}"#,
        "{\"\\n\":\"Newline\",\"\\r\":\"Carriage Return\",\"1\":\"One\",\"</script>\":\"Browser Challenge\",\
         \"\u{80}\":\"Control\u{7f}\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\
         \"😂\":\"Smiley\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}",
    );
    check_written(
        r#"{"1":{"f":{"f":"hi","F":5},"\n":56.0},"10":{},"":"empty","a":{},"111":[{"e":"yes","E":"no"}],"A":{}}"#,
        r#"{"":"empty","1":{"\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{"E":"no","e":"yes"}],"A":{},"a":{}}"#,
    );
    check_written("{\"Unnormalized Unicode\":\"A\\u030a\"}", "{\"Unnormalized Unicode\":\"A\u{30a}\"}");
}

#[test]
fn every_character_has_one_spelling() {
    for code in (0..0x100).chain(0xD7F0..0xE010).chain(0xFFF0..0x10010) {
        let Some(char) = char::from_u32(code) else { continue };
        let plain = canonical(&Value::from(char.to_string()));
        assert_eq!(check(&plain), Ok(()));
        let mut units = [0; 2];
        let escaped =
            char.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
        let shouted = escaped.replace("\\u", "\\U").to_uppercase().replace("\\U", "\\u");
        // A backslash ahead of these letters spells another character, rightly.
        let short = if "bfnrt".contains(char) { String::new() } else { format!("\\{char}") };
        for spelling in [escaped, shouted, short, char.to_string()] {
            let spelling = format!("\"{spelling}\"").into_bytes();
            assert_eq!(
                check(&spelling).is_ok(),
                spelling == plain || spelling == b"\"\"",
                "{}",
                spelling.escape_ascii()
            );
        }
    }
}

#[test]
fn what_is_not_canonical_and_where() {
    let deep = |levels: usize| ["[".repeat(levels), "]".repeat(levels)].concat();
    let (deepest, too_deep) = (deep(MAX_DEPTH), deep(MAX_DEPTH + 1));
    assert_eq!(check(deepest.as_bytes()), Ok(()));
    let rejected: &[(&[u8], usize)] = &[
        (b"", 0),
        (b" 1", 0),
        (b"1 ", 1),
        (b"{} ", 2),
        (b"[1, 2]", 3),
        (b"{\"a\": 1}", 5),
        (b"{\"b\":1,\"a\":1}", 7),
        (b"{\"a\":1,\"a\":1}", 7),
        (b"{\"aa\":1,\"a\":1}", 8),
        ("{\"\u{fb33}\":1,\"\u{1f602}\":1}".as_bytes(), 9),
        (b"{\"\\\\\":1,\"\\n\":1}", 8),
        (b"{\"a\":1,}", 7),
        (b"[1,]", 3),
        (b"[", 1),
        (b"{\"a\"", 4),
        (b"\"\\/\"", 1),
        (b"\"\\u000a\"", 1),
        (b"\"\\u001F\"", 1),
        (b"\"\\u0041\"", 1),
        (br#""\ud83d\ude00""#, 1),
        (b"\"\x01\"", 1),
        (b"\"\x7f", 2),
        (b"-0", 0),
        (b"-", 0),
        (b"01", 0),
        (b"1.0", 0),
        (b"1e2", 0),
        (b"[1e-7,1E-7]", 6),
        (b"0.10", 0),
        (b"1e21", 0),
        (b"1e+21", 0),
        (b"9007199254740992", 0),
        (b"-9007199254740992", 0),
        (b"1e400", 0),
        (b"nul", 0),
        (b"true false", 4),
        (b"\xff", 0),
        ("\u{feff}1".as_bytes(), 0),
        (too_deep.as_bytes(), MAX_DEPTH),
    ];
    for &(input, offset) in rejected {
        let error = check(input).expect_err(&input.escape_ascii().to_string());
        assert_eq!(error.offset, offset, "{}: {error}", input.escape_ascii());
    }
    let message = check(b"{\"a\":1,\"a\":1}").unwrap_err().to_string();
    assert_eq!(message, "not canonical json: key repeated or out of order at offset 7");
}

/// A mapper may put a document of the greatest depth below other attributes.
#[test]
fn what_is_too_deep_is_written_as_text() {
    let mut value = Value::from("bottom");
    for _ in 0..3 * MAX_DEPTH {
        value = Value::from(vec![value]);
    }
    let written = canonical(&value);
    assert_eq!(check(&written), Ok(()));
    let mut inner = parse(&written).unwrap();
    for _ in 0..MAX_DEPTH {
        let Value::Array(mut elements) = inner else { panic!("an array") };
        inner = elements.remove(0);
    }
    assert!(inner.str().unwrap().starts_with("[[["));
}

/// The order of keys, said as the RFC says it.
fn naive_order(a: &str, b: &str) -> Ordering {
    a.encode_utf16().collect::<Vec<_>>().cmp(&b.encode_utf16().collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn keys_compare_by_utf_16_code_units(a in text(), b in text(), common in text()) {
        prop_assert_eq!(compare_keys(&a, &b), naive_order(&a, &b));
        let (a, b) = (common.clone() + &a, common + &b);
        prop_assert_eq!(compare_keys(&a, &b), naive_order(&a, &b));
    }

    #[test]
    fn what_is_written_is_canonical_and_stable(value in value(text().boxed())) {
        let once = canonical(&value);
        prop_assert_eq!(check(&once), Ok(()), "{}", once.escape_ascii());
        let again = canonical(&parse(&once).unwrap());
        prop_assert_eq!(once, again);
    }

    /// The one-pass check against its definition, on text that is close to canonical.
    #[test]
    fn the_check_accepts_exactly_what_writing_makes(
        value in value(text().boxed()),
        noise in prop::collection::vec(any::<u8>(), 0..20),
        at in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\u0e.-19tfn ".to_vec())],
    ) {
        let mut spelt = String::new();
        spell(&value, &mut noise.into_iter(), &mut spelt);
        prop_assert_eq!(check(spelt.as_bytes()).is_ok(), is_canonical(spelt.as_bytes()), "{}", spelt);
        let mut bytes = canonical(&value);
        let at = at.index(bytes.len());
        let old = std::mem::replace(&mut bytes[at], byte);
        prop_assert_eq!(check(&bytes).is_ok(), is_canonical(&bytes), "{}", bytes.escape_ascii());
        bytes[at] = old;
        bytes.remove(at);
        prop_assert_eq!(check(&bytes).is_ok(), is_canonical(&bytes), "{}", bytes.escape_ascii());
        bytes.insert(at, byte);
        bytes.insert(at, old);
        prop_assert_eq!(check(&bytes).is_ok(), is_canonical(&bytes), "{}", bytes.escape_ascii());
    }

    #[test]
    fn the_check_never_panics(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(prop::sample::select(b"{}[]\",:\\ud8c0e.-+1tfn\xc3\xa9".to_vec()), 0..40),
    ]) {
        prop_assert_eq!(check(&bytes).is_ok(), is_canonical(&bytes), "{}", bytes.escape_ascii());
    }
}

fn is_canonical(bytes: &[u8]) -> bool {
    parse(bytes).is_ok_and(|value| canonical(&value) == bytes)
}

#[test]
fn samples_become_canonical() {
    for (name, document) in sample_documents() {
        let Ok(value) = parse(&document) else { continue };
        let once = canonical(&value);
        assert_eq!(check(&once), Ok(()), "{name}");
        assert_eq!(canonical(&parse(&once).unwrap()), once, "{name}");
    }
}
