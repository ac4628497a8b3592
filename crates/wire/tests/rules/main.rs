//! The rules of the mappings one by one: a record cut down to what the rule reads, and what it must say.

mod cloudtrail;
#[path = "../common/mod.rs"]
mod common;
mod kubernetes;
mod native;

use common::{at, event};
use serde_json::{Value, json};
use wire::{Format, Mapped, map, oversize};

/// Maps `base` with the members of `patch` set, and checks attributes of the event; null means absent.
#[track_caller]
fn check(base: &Value, format: Format, patch: Value, expected: &[(&str, Value)]) {
    let mut record = base.clone();
    for (key, value) in patch.as_object().expect("a patch is an object") {
        record[key] = value.clone();
    }
    let (event, _) = event(&record, Some(format));
    for (path, value) in expected {
        assert_eq!(at(&event, path), value, "{path} of {event:#}");
    }
}

#[test]
fn what_is_missing_is_flagged() {
    let all = json!(["actor", "api.operation", "src_endpoint", "time"]);
    let flag = ("metadata.mapping.incomplete", all.clone());
    let names = ["actor", "api.operation", "src_endpoint", "time"];
    for (record, format) in [
        (json!({ "eventVersion": "1.0", "eventID": "e" }), Format::CloudTrail),
        (
            json!({ "eventName": "", "eventTime": "noon", "userIdentity": { "type": "Unknown" } }),
            Format::CloudTrail,
        ),
        (json!({ "userIdentity": 1, "eventName": [], "sourceIPAddress": {} }), Format::CloudTrail),
        (json!({ "auditID": "a", "stage": "RequestReceived" }), Format::KubernetesAudit),
        (
            json!({ "user": "dana", "verb": 1, "sourceIPs": [7], "stageTimestamp": 1 }),
            Format::KubernetesAudit,
        ),
        (json!({ "class_uid": 6003 }), Format::Native),
        (json!({ "actor": "dana", "api": "get", "time": "noon", "src_endpoint": {} }), Format::Native),
    ] {
        let (event, incomplete) = event(&record, Some(format));
        assert_eq!(incomplete, names, "{record}");
        assert_eq!(at(&event, flag.0), &flag.1, "{record}");
    }
}

#[test]
fn what_is_not_understood_is_quarantined_with_its_reason() {
    use Format::{CloudTrail, KubernetesAudit, Native};
    for (raw, format, reason) in [
        ("", None, "not strict json: input ends inside a value at offset 0"),
        ("{\"a\":1,\"a\":2}", None, "not strict json: duplicate key at offset 7"),
        ("[]", None, "not a json object"),
        ("7", Some(Native), "not a json object"),
        ("{}", None, "json of no known format"),
        ("{\"time\":1,\"message\":\"hello\"}", None, "json of no known format"),
        ("{\"actor\":{\"id\":\"00u\",\"type\":\"User\"},\"uuid\":\"1\"}", None, "json of no known format"),
        (
            "{\"kind\":\"EventList\",\"metadata\":{\"continue\":\"c\"},\"items\":[]}",
            None,
            "envelope of a list, without its elements",
        ),
        ("{\"a\":1}", Some(Native), "not an ocsf event: none of its attributes are there"),
        (
            "{\"eventName\":\"x\"}",
            Some(CloudTrail),
            "not a cloudtrail record: fewer than two of its attributes are there",
        ),
        (
            "{\"eventVersion\":\"2.1\",\"eventSource\":\"aws:s3\",\"eventName\":\"ObjectCreated:Put\"}",
            Some(CloudTrail),
            "cloudtrail event version other than 1: \"2.1\"",
        ),
        (
            "{\"verb\":\"get\"}",
            Some(KubernetesAudit),
            "not a kubernetes audit event: fewer than two of its attributes are there",
        ),
        (
            "{\"kind\":\"Pod\",\"verb\":\"get\",\"user\":{}}",
            Some(KubernetesAudit),
            "not a kubernetes audit event: its kind is \"Pod\"",
        ),
        (
            "{\"kind\":\"Event\",\"apiVersion\":\"v1\",\"involvedObject\":{},\"verb\":\"x\",\"user\":1}",
            None,
            "json of no known format",
        ),
        (
            "{\"category\":\"kube-audit\",\"properties\":{\"log\":\"{\"}}",
            None,
            "kubernetes audit event in properties.log is not strict json: input ends inside a value at offset 1",
        ),
    ] {
        let Mapped::Quarantine { draft, reason: found } = map(raw.as_bytes(), format) else {
            panic!("{raw}")
        };
        assert_eq!(found, reason, "{raw}");
        let event = common::whole(&draft);
        assert_eq!(at(&event, "quarantine.reason"), reason);
        assert_eq!(event["metadata"]["mapping"], json!({ "name": "quarantine", "version": 1 }));
    }
}

#[test]
fn a_record_too_large_is_known_by_size_and_hash() {
    let event = common::whole(&oversize((1 << 53) + 1, [0xAB; 32]));
    assert_eq!(at(&event, "quarantine.reason"), "too large to be kept whole: 9007199254740993 bytes");
    assert_eq!(at(&event, "quarantine.sha256"), "ab".repeat(32).as_str());
    assert_eq!(at(&event, "quarantine.size"), "9007199254740993");
}
