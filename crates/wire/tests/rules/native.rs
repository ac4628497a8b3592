//! The rules for native events.

use crate::check;
use crate::common::event;
use serde_json::{Value, json};
use wire::Format;

#[track_caller]
fn native(record: Value, expected: &[(&str, Value)]) {
    check(&json!({}), Format::Native, record, expected);
}

#[test]
fn native_defaults() {
    native(
        json!({ "time": 1, "activity_name": "Update", "actor": { "user": { "name": "a" } } }),
        &[
            ("class_uid", json!(6003)),
            ("category_uid", json!(6)),
            ("activity_id", json!(3)),
            ("type_uid", json!(600_303)),
            ("severity_id", json!(1)),
            ("metadata.version", json!("1.8.0")),
            ("metadata.mapping.name", json!("native")),
        ],
    );
    for (record, activity, kind) in [
        (json!({ "activity_name": "Export" }), json!(99), json!(600_399)),
        (json!({ "actor": {} }), json!(0), json!(600_300)),
        (json!({ "class_uid": 6005, "activity_id": 4 }), json!(4), json!(600_504)),
        (json!({ "class_uid": 3002, "activity_name": "Logon" }), json!(99), json!(300_299)),
        (json!({ "class_uid": 6003, "activity_id": 2, "type_uid": 7 }), json!(2), json!(7)),
        (json!({ "class_uid": "6003" }), Value::Null, Value::Null),
        (json!({ "class_uid": 6003, "activity_id": -1 }), json!(-1), Value::Null),
    ] {
        native(record, &[("activity_id", activity), ("type_uid", kind)]);
    }
    native(
        json!({ "time": 1, "severity_id": 4, "metadata": { "version": "1.3.0", "uid": "x" } }),
        &[("severity_id", json!(4)), ("metadata.version", json!("1.3.0")), ("metadata.uid", json!("x"))],
    );
}

#[test]
fn native_times() {
    for (time, expected, original) in [
        (json!(1_741_082_400_123_u64), json!(1_741_082_400_123_u64), Value::Null),
        (
            json!("2025-03-04T11:00:00.123+01:00"),
            json!(1_741_082_400_123_u64),
            json!("2025-03-04T11:00:00.123+01:00"),
        ),
        (json!("yesterday"), Value::Null, json!("yesterday")),
        (json!(1.5), Value::Null, json!(1.5)),
        (json!(null), Value::Null, Value::Null),
    ] {
        let expected = [("time", expected), ("metadata.original_time", original)];
        native(json!({ "class_uid": 6003, "time": time }), &expected);
    }
    native(json!({ "time_dt": "2025-03-04T10:00:00.123Z" }), &[("time", json!(1_741_082_400_123_u64))]);
    native(
        json!({ "time": "2025-03-04T10:00:00Z", "metadata": { "original_time": "10 o'clock" } }),
        &[("metadata.original_time", json!("10 o'clock")), ("unmapped.time", json!("2025-03-04T10:00:00Z"))],
    );
}

#[test]
fn native_keeps_what_it_must_not_believe() {
    native(
        json!({ "time": 1, "metadata": { "mapping": { "name": "forged" } }, "ledgerstone": { "received": 1 }, "unmapped": 3 }),
        &[
            ("metadata.mapping.name", json!("native")),
            ("unmapped.metadata.mapping", Value::Null),
            ("unmapped.ledgerstone.received", json!(1)),
            ("unmapped.unmapped", json!(3)),
        ],
    );
    let (event, _) = event(&json!({ "time": 1, "metadata": { "mapping": "forged" } }), Some(Format::Native));
    assert_eq!(event["unmapped"]["metadata.mapping"], "forged");
    native(json!({ "time": 1, "metadata": "none" }), &[("unmapped.metadata", json!("none"))]);
}
