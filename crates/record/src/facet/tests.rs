use super::*;
use crate::canonical;
use crate::json::{Object, Value, parse};
use crate::testing::{cases, sample_documents, text, value};
use proptest::prelude::*;
use std::collections::BTreeMap;

const STAMP: Stamp = Stamp { received_ms: 1_767_225_600_456, source: 3, epoch: 2, sequence: u64::MAX };

/// The facets of an event as they are stored.
fn facets(event: &Value<'_>) -> [Vec<u8>; 5] {
    let draft = split(event);
    let mut when = Vec::new();
    draft.when.write_stamped(&STAMP, &mut when);
    [when, draft.who, draft.what, draft.content, draft.where_]
}

fn merged(facets: &[Vec<u8>; 5]) -> Value<'_> {
    merge(std::array::from_fn(|at| Some(facets[at].as_slice()))).unwrap()
}

#[track_caller]
fn check_split(event: &str, expected: [&str; 5]) {
    let facets = facets(&parse(event.as_bytes()).unwrap());
    for ((facet, found), expected) in Facet::JSON.into_iter().zip(&facets).zip(expected) {
        let found = std::str::from_utf8(found).unwrap();
        let expected = expected.replace("STAMP", STAMP_TEXT);
        assert_eq!(found, expected, "facet {}", facet.name());
    }
}

const STAMP_TEXT: &str =
    r#""ledgerstone":{"epoch":2,"received":1767225600456,"sequence":"18446744073709551615","source":3}"#;

#[test]
fn an_event_is_split_along_the_table() {
    check_split(
        r#"{"time":1767225600123,"class_uid":6003,"status_id":2,
            "actor":{"user":{"uid":"u1"},"authorizations":[{"decision":"deny","policy":{"name":"p","data":{"x":1}}}],
                     "process":{"name":"psql","cmd_line":"psql -c secret"}},
            "api":{"operation":"Get","request":{"uid":"r","data":{"k":"v"}},"token":{"uid":"t"}},
            "src_endpoint":{"ip":"192.0.2.1","owner":{"name":"bob"}},"http_request":{"user_agent":"curl",
            "http_method":"GET","url":{"path":"/a","query_string":"q=1"},"x_forwarded_for":["198.51.100.7"]},
            "message":"hello","status_detail":"no such user bob","zzz":null,"observables":[1],"raw_data":"x"}"#,
        [
            r#"{"class_uid":6003,STAMP,"status_id":2,"time":1767225600123}"#,
            r#"{"actor":{"process":{"name":"psql"},"user":{"uid":"u1"}},"api":{"token":{"uid":"t"}},"src_endpoint":{"owner":{"name":"bob"}}}"#,
            r#"{"actor":{"authorizations":[{"decision":"deny","policy":{"name":"p"}}]},"api":{"operation":"Get","request":{"uid":"r"}},"http_request":{"http_method":"GET","url":{"path":"/a"}}}"#,
            r#"{"actor":{"authorizations":[{"policy":{"data":{"x":1}}}],"process":{"cmd_line":"psql -c secret"}},"api":{"request":{"data":{"k":"v"}}},"http_request":{"url":{"query_string":"q=1"}},"message":"hello","status_detail":"no such user bob","zzz":null}"#,
            r#"{"http_request":{"user_agent":"curl","x_forwarded_for":["198.51.100.7"]},"src_endpoint":{"ip":"192.0.2.1"}}"#,
        ],
    );
}

/// Elements keep their places: `{}` stands where an element's parts are in other facets.
#[test]
fn arrays_are_transparent_and_stay_aligned() {
    check_split(
        r#"{"resources":[{"name":"a"},{"data":1},"plain",{"owner":{"uid":"o"},"data":2},{},[{"data":3}]]}"#,
        [
            "{STAMP}",
            r#"{"resources":[{},{},{},{"owner":{"uid":"o"}}]}"#,
            r#"{"resources":[{"name":"a"},{},"plain",{},{}]}"#,
            r#"{"resources":[{},{"data":1},{},{"data":2},{},[{"data":3}]]}"#,
            "{}",
        ],
    );
}

#[test]
fn empty_and_unexpected_values_stay_where_their_path_is() {
    check_split(
        r#"{"actor":{},"api":{},"resources":[],"src_endpoint":"10.0.0.1","metadata":7,"time":{"a":[]}}"#,
        [
            r#"{STAMP,"time":{"a":[]}}"#,
            r#"{"actor":{}}"#,
            r#"{"resources":[]}"#,
            r#"{"api":{},"metadata":7}"#,
            r#"{"src_endpoint":"10.0.0.1"}"#,
        ],
    );
    check_split("{}", ["{STAMP}", "{}", "{}", "{}", "{}"]);
    check_split("[1]", ["{STAMP}", "{}", "{}", r#"{"unmapped":{"value":[1]}}"#, "{}"]);
}

#[test]
fn an_event_cannot_bring_its_own_stamp() {
    let content = |event: &str| {
        let facets = facets(&parse(event.as_bytes()).unwrap());
        assert_eq!(read_stamp(&facets[0]), Ok(STAMP), "{event}");
        assert_eq!(merged(&facets).path(&["ledgerstone", "source"]).and_then(Value::as_u64), Some(3));
        String::from_utf8(facets[3].clone()).unwrap()
    };
    let claim = r#""ledgerstone":{"source":9}"#;
    assert_eq!(content(&format!("{{{claim}}}")), format!(r#"{{"unmapped":{{{claim}}}}}"#));
    assert_eq!(
        content(&format!(r#"{{{claim},"unmapped":{{"ledgerstone":1,"ledgerstone_":2}}}}"#)),
        r#"{"unmapped":{"ledgerstone":1,"ledgerstone_":2,"ledgerstone__":{"source":9}}}"#
    );
    assert_eq!(
        content(&format!(r#"{{{claim},"unmapped":[5]}}"#)),
        format!(r#"{{"unmapped":{{{claim},"unmapped":[5]}}}}"#)
    );
    // A facet that no split makes.
    let shown = merge([Some(b"{}"), Some(br#"{"ledgerstone":{"source":9}}"#), None, None, None]).unwrap();
    assert_eq!(shown, Value::Object(Object::new()));
}

#[test]
fn the_stamp_goes_in_its_place_whatever_stands_beside_it() {
    for (object, expected) in [
        ("{}", "{STAMP}"),
        (r#"{"a":1}"#, r#"{"a":1,STAMP}"#),
        (r#"{"z":1}"#, r#"{STAMP,"z":1}"#),
        (
            r#"{"z":1,"a":2,"ledgerston":3,"ledgerstone":4,"ledgerstonee":5}"#,
            r#"{"a":2,"ledgerston":3,STAMP,"ledgerstonee":5,"z":1}"#,
        ),
    ] {
        let mut when = Vec::new();
        WhenDraft::from_object(parse(object.as_bytes()).unwrap().as_object().unwrap())
            .write_stamped(&STAMP, &mut when);
        assert_eq!(String::from_utf8(when.clone()).unwrap(), expected.replace("STAMP", STAMP_TEXT));
        assert_eq!(canonical::check(&when), Ok(()));
        assert_eq!(read_stamp(&when), Ok(STAMP));
    }
}

#[test]
fn a_stamp_is_read_only_where_and_how_it_is_written() {
    let stamp = r#""ledgerstone":{"epoch":2,"received":5,"sequence":"7","source":3}"#;
    assert!(read_stamp(format!("{{\"a\":{{}},{stamp}}}").as_bytes()).is_ok());
    for when in [
        "".to_owned(),
        "{}".to_owned(),
        "null".to_owned(),
        format!("[{stamp}]"),
        format!(r#"{{"a":{{{stamp}}}}}"#),
        format!(r#"{{"a":"{}"}}"#, stamp.replace('"', "\\\"")),
        format!(r#"{{"a\":{{}},{stamp}}}"#),
        format!("{{{}}}", stamp.replace("\"7\"", "7")),
        format!("{{{}}}", stamp.replace("\"7\"", "\"07\"")),
        format!("{{{}}}", stamp.replace("\"7\"", "\"\"")),
        format!("{{{}}}", stamp.replace("\"7\"", "\"18446744073709551616\"")),
        format!("{{{}}}", stamp.replace("\"epoch\":2", "\"epoch\":4294967296")),
        format!("{{{}}}", stamp.replace("\"epoch\":2", "\"epoch\":-2")),
        format!("{{{}}}", stamp.replace("\"received\":5", "\"received\":9007199254740992")),
        format!("{{{}}}", stamp.replace("\"source\":3", "\"source\":3,\"zone\":1")),
        format!("{{{}}}", stamp.replace("\"received\":5,", "")),
        format!("{{{}}}", stamp.replace(":{", ": {")),
    ] {
        assert_eq!(read_stamp(when.as_bytes()), Err(StampError), "{when}");
    }
}

#[test]
fn paths_are_placed_by_the_longest_that_fits() {
    for (path, facet) in [
        (&["actor"][..], Some(Facet::Who)),
        (&["actor", "user", "groups", "name"], Some(Facet::Who)),
        (&["actor", "authorizations", "decision"], Some(Facet::What)),
        (&["actor", "authorizations", "policy", "data", "x"], Some(Facet::Content)),
        (&["api"], Some(Facet::Content)),
        (&["api", "request", "data"], Some(Facet::Content)),
        (&["metadata", "original_time"], Some(Facet::When)),
        (&["metadata", "labels"], Some(Facet::Content)),
        (&["unmapped", "time"], Some(Facet::Content)),
        (&["observables", "name"], None),
        (&["resources", "observables"], Some(Facet::What)),
    ] {
        assert_eq!(facet_of(path), facet, "{path:?}");
    }
}

#[test]
fn the_table_says_each_thing_once() {
    let text = table_text();
    let lines: Vec<(&str, &str)> = text.lines().skip(2).filter_map(|line| line.split_once(' ')).collect();
    assert_eq!(lines.len() + 2, text.lines().count());
    assert!(lines.windows(2).all(|pair| pair[0].0 < pair[1].0), "a path is placed twice");
    for (path, facet) in &lines {
        let path: Vec<&str> = path.split('.').collect();
        assert_eq!(facet_of(&path).map_or("dropped", Facet::name), *facet, "{path:?}");
        let above = facet_of(&path[..path.len() - 1]).map_or("dropped", Facet::name);
        assert_ne!(above, *facet, "{path:?} is placed there already");
        assert_ne!(path[0], STAMP_KEY);
    }
}

/// Each leaf (a scalar or an empty container) under its path, with element numbers.
fn leaves(value: &Value<'_>, path: &mut Vec<String>, out: &mut BTreeMap<Vec<String>, Vec<u8>>) {
    let members: Vec<(String, &Value<'_>)> = match value {
        Value::Object(object) => object.iter().map(|(key, value)| (format!(".{key}"), value)).collect(),
        Value::Array(elements) => {
            elements.iter().enumerate().map(|(n, value)| (format!("#{n}"), value)).collect()
        }
        _ => Vec::new(),
    };
    if members.is_empty() {
        let mut leaf = Vec::new();
        canonical::write(value, &mut leaf);
        out.insert(path.clone(), leaf);
    }
    for (step, value) in members {
        path.push(step);
        leaves(value, path, out);
        path.pop();
    }
}

fn leaves_of(value: &Value<'_>) -> BTreeMap<Vec<String>, Vec<u8>> {
    let mut out = BTreeMap::new();
    leaves(value, &mut Vec::new(), &mut out);
    out
}

/// Nothing is lost, nothing is in two places, everything is where the table says, and merging gives the event back.
fn check_nothing_lost(event: &Value<'_>) -> Result<(), TestCaseError> {
    let facets = facets(event);
    let mut expected = leaves_of(event);
    expected.retain(|path, _| place(path).is_some());
    let mut found = BTreeMap::new();
    for (facet, bytes) in Facet::JSON.into_iter().zip(&facets) {
        prop_assert_eq!(canonical::check(bytes), Ok(()));
        for (path, leaf) in leaves_of(&parse(bytes).unwrap()) {
            let is_placeholder =
                leaf == b"{}" && (place(&path) != Some(facet) || !expected.contains_key(&path));
            if path.is_empty() || path[0] == ".ledgerstone" || is_placeholder {
                continue;
            }
            prop_assert_eq!(place(&path), Some(facet), "path {:?}", path);
            prop_assert_eq!(found.insert(path.clone(), leaf), None, "path {:?} is in two facets", path);
        }
    }
    // An empty event leaves nothing that could be anywhere.
    expected.remove(&Vec::new());
    prop_assert_eq!(&found, &expected);
    let mut again = merged(&facets);
    let Value::Object(object) = &mut again else { panic!("an object") };
    prop_assert!(object.remove(STAMP_KEY).is_some());
    let mut again = leaves_of(&again);
    again.remove(&Vec::new());
    prop_assert_eq!(again, expected);
    Ok(())
}

fn place(path: &[String]) -> Option<Facet> {
    let keys: Vec<&str> = path.iter().filter_map(|step| step.strip_prefix('.')).collect();
    facet_of(&keys)
}

/// Keys that the table knows something about, at any level, and others.
fn key() -> BoxedStrategy<String> {
    let text = table_text();
    let names: Vec<String> = text
        .lines()
        .skip(2)
        .filter_map(|line| line.split(' ').next())
        .flat_map(|path| path.split('.'))
        .map(str::to_owned)
        .collect();
    prop_oneof![3 => prop::sample::select(names), 2 => prop::sample::select(vec![
        "actor", "resources", "api", "request", "process", "metadata", "http_request", "url", "policy", "data", "authorizations",
    ]).prop_map(str::to_owned), 1 => text_without_stamp()].boxed()
}

fn text_without_stamp() -> impl Strategy<Value = String> {
    text().prop_filter("the stamp has its own test", |key| key != STAMP_KEY)
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn splitting_loses_nothing(members in prop::collection::vec((key(), value(key())), 0..12)) {
        check_nothing_lost(&Value::Object(Object::from_iter(members)))?;
    }

    #[test]
    fn stamps_are_read_as_written(
        event in value(key()), received_ms in 0..=canonical::MAX_INTEGER, source: u32, epoch: u32, sequence: u64,
    ) {
        let stamp = Stamp { received_ms, source, epoch, sequence };
        let mut when = Vec::new();
        split(&event).when.write_stamped(&stamp, &mut when);
        prop_assert_eq!(canonical::check(&when), Ok(()));
        prop_assert_eq!(read_stamp(&when), Ok(stamp));
    }

    #[test]
    fn no_bytes_make_reading_facets_panic(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        prop::collection::vec(prop::sample::select(b"{}[]\",:ledgrston0123".to_vec()), 0..60)
            .prop_map(|tail| [b"{\"ledgerstone\":{\"epoch\":".as_slice(), &tail].concat()),
    ]) {
        let _ = read_stamp(&bytes);
        let _ = merge([Some(&bytes), None, Some(b"{}"), Some(&bytes), None]);
    }
}

#[test]
fn samples_are_split_without_loss() {
    for (name, document) in sample_documents() {
        let Ok(Value::Object(mut object)) = parse(&document) else { continue };
        if let Some(Value::Object(event)) = object.remove("ocsf") {
            object = event;
        }
        check_nothing_lost(&Value::Object(object)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
