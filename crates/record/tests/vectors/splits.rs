//! Events with their stamp and the five facets that the table makes of them.

use crate::{case, text};
use record::facet::{Stamp, split};
use record::json::{Object, Value, parse};

pub const STAMP: Stamp =
    Stamp { received_ms: 1_767_225_600_456, source: 3, epoch: 2, sequence: 18_446_744_073_709_551_615 };

pub fn cases() -> Vec<Object<'static>> {
    let mut cases: Vec<_> = EVENTS.iter().map(|(name, event)| split_case(name, event)).collect();
    let deep = format!(r#"{{"ledgerstone":{}"end"{}}}"#, "[".repeat(63), "]".repeat(63));
    cases.push(split_case("own stamp of the greatest depth, moved one deeper", &deep));
    cases
}

fn split_case(name: &str, event: &str) -> Object<'static> {
    let mut case = case(name);
    case.push("event", event.to_owned());
    case.push("received", STAMP.received_ms);
    case.push("source", STAMP.source);
    case.push("epoch", STAMP.epoch);
    case.push("sequence", STAMP.sequence.to_string());
    case.push("facets", Value::Array(facets(event).iter().map(|facet| Value::from(text(facet))).collect()));
    case
}

pub fn facets(event: &str) -> [Vec<u8>; 5] {
    let draft = split(&parse(event.as_bytes()).expect("events are valid"));
    let mut when = Vec::new();
    draft.when.write_stamped(&STAMP, &mut when);
    [when, draft.who, draft.what, draft.content, draft.where_]
}

pub const EVENTS: &[(&str, &str)] = &[
    (
        "api activity",
        r#"{"class_uid":6003,"category_uid":6,"activity_id":1,"type_uid":600301,"severity_id":1,"time":1767225600123,"status_id":1,"metadata":{"version":"1.8.0","product":{"name":"Kubernetes"},"mapping":{"name":"kubernetes","version":"1"},"original_time":"2026-01-01T00:00:00.123456Z","labels":["x"]},"actor":{"user":{"name":"system:admin","groups":[{"name":"system:masters"}]},"authorizations":[{"decision":"allow","policy":{"name":"rbac","data":{"reason":"cluster-admin"}}}]},"api":{"operation":"get","service":{"name":"secrets"},"request":{"uid":"5f2c","data":{"verb":"get"}},"response":{"code":200,"message":"ok"}},"resources":[{"name":"prod/db-password","type":"secret","data":{"size":12}},{"name":"prod/other"}],"src_endpoint":{"ip":"10.0.0.7","intermediate_ips":["203.0.113.9"],"claim_trust":"none"},"http_request":{"user_agent":"kubectl/1.31","x_forwarded_for":["203.0.113.9"],"http_method":"GET","url":{"path":"/api/v1/secrets","query_string":"watch=true"}},"message":"get secrets","unmapped":{"stage":"ResponseComplete"},"observables":[{"name":"actor.user.name"}],"raw_data":"{}","raw_data_hash":{"value":"00"}}"#,
    ),
    (
        "datastore query",
        r#"{"class_uid":6005,"time":1767225600123,"actor":{"user":{"name":"alice"},"on_behalf_of":[{"user":{"name":"bob"}}],"process":{"name":"psql","pid":77,"cmd_line":"psql -c 'select 1'","parent_process":{"name":"bash"}}},"session":{"uid":"s1"},"database":{"name":"shop"},"table":{"name":"orders"},"query_info":{"query_string":"select * from orders where id = $1","bytes":512,"data":{"$1":"17"}},"policy":{"name":"p1","data":{"x":1}},"count":3,"device":{"hostname":"h","owner":{"name":"carol"}}}"#,
    ),
    ("nothing", "{}"),
    ("no object", "[1,null,\"x\"]"),
    (
        "numbers that doubles change",
        r#"{"time":1.0,"metadata":{"sequence":9007199254740993},"count":1e400,"amount":-0,"share":0.10}"#,
    ),
    (
        "unicode",
        "{\"message\":\"\u{1f600} \u{fb33} caf\u{e9} cafe\u{301} \\u0000\\u001f\\ud83d\\ude00\",\"\u{1f600}\":1,\"\u{fb33}\":2,\"actor\":{\"user\":{\"name\":\"\u{410}\u{43d}\u{43d}\u{430}\"}}}",
    ),
    (
        "array with parts everywhere",
        r#"{"resources":[{"name":"a"},{"data":1},"plain",{"owner":{"uid":"o"},"data":2},{},[{"data":3}],{"owner":{}}]}"#,
    ),
    (
        "empty containers",
        r#"{"actor":{},"api":{},"resources":[],"metadata":{"product":{}},"http_request":{"url":{}}}"#,
    ),
    (
        "scalars where objects are usual",
        r#"{"actor":"root","metadata":7,"api":null,"src_endpoint":"10.0.0.1","query":"select 1"}"#,
    ),
    ("own stamp", r#"{"ledgerstone":{"source":9},"time":1}"#),
    ("own stamp, names taken", r#"{"ledgerstone":1,"unmapped":{"ledgerstone":2,"ledgerstone_":3}}"#),
    ("own stamp, unmapped is no object", r#"{"ledgerstone":1,"unmapped":[2]}"#),
    (
        "stamp deeper down is harmless",
        r#"{"metadata":{"product":{"ledgerstone":{"source":9}}},"actor":{"ledgerstone":1}}"#,
    ),
    ("keys around the stamp", r#"{"status_id":1,"ledgerston":1,"ledgerstonee":2,"class_uid":0}"#),
    ("dropped only at the top", r#"{"observables":[],"unmapped":{"observables":[1]},"raw_data":null}"#),
];
