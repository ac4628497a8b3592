//! The rules of the Kubernetes audit mapping.

use crate::check;
use crate::common::{aks, at, event, gke};
use serde_json::{Value, json};
use wire::Format;

#[track_caller]
fn kubernetes(patch: Value, expected: &[(&str, Value)]) {
    let base = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "id-1", "stage": "ResponseComplete", "verb": "get",
        "user": { "username": "dana" }, "sourceIPs": ["192.0.2.1"], "objectRef": { "resource": "pods" },
        "responseStatus": { "code": 200 }, "requestReceivedTimestamp": "2025-03-04T10:00:00.123456Z"
    });
    check(&base, Format::KubernetesAudit, patch, expected);
}

#[test]
fn kubernetes_activities() {
    for (verb, id, name) in [
        ("create", 1, "Create"),
        ("get", 2, "Read"),
        ("list", 2, "Read"),
        ("watch", 2, "Read"),
        ("update", 3, "Update"),
        ("patch", 3, "Update"),
        ("delete", 4, "Delete"),
        ("deletecollection", 4, "Delete"),
        ("post", 99, "post"),
    ] {
        let expected =
            [("activity_id", json!(id)), ("activity_name", json!(name)), ("api.operation", json!(verb))];
        kubernetes(json!({ "verb": verb }), &expected);
    }
    for subresource in ["exec", "attach", "portforward"] {
        kubernetes(
            json!({ "objectRef": { "resource": "pods", "subresource": subresource, "name": "p" } }),
            &[
                ("activity_id", json!(99)),
                ("activity_name", json!(subresource)),
                ("resources.0.type", json!(format!("pods/{subresource}"))),
            ],
        );
    }
    kubernetes(
        json!({ "objectRef": { "resource": "pods", "subresource": "log" } }),
        &[("activity_id", json!(2)), ("resources.0.type", json!("pods/log"))],
    );
}

#[test]
fn kubernetes_who_acts_as_whom() {
    let groups = |name: &str| json!([{ "name": name }]);
    kubernetes(
        json!({
            "user": { "username": "admin", "groups": ["masters"], "extra": { "authentication.kubernetes.io/credential-id": ["X"], "k": ["v"] } },
            "impersonatedUser": { "username": "bob", "uid": "u-1", "groups": ["devs"], "extra": { "sessionName": ["s"] } }
        }),
        &[
            ("actor.user", json!({ "name": "bob", "uid": "u-1", "groups": groups("devs") })),
            ("actor.impersonated_by", json!({ "name": "admin", "groups": groups("masters") })),
            ("actor.session", json!({ "credential_uid": "X" })),
            ("unmapped.user.extra", json!({ "k": ["v"] })),
        ],
    );
    kubernetes(
        json!({ "user": { "username": "node", "extra": { "accessKeyId": ["AK"], "canonicalArn": ["arn:r"], "sessionName": ["i-1"], "arn": ["a", "b"] } } }),
        &[
            ("actor.session", json!({ "credential_uid": "AK", "issuer": "arn:r", "uid": "i-1" })),
            ("actor.impersonated_by", Value::Null),
            ("unmapped.user.extra", json!({ "arn": ["a", "b"] })),
        ],
    );
}

#[test]
fn kubernetes_peer_claims_and_trust_are_three_fields() {
    kubernetes(
        json!({ "sourceIPs": ["192.0.2.1"] }),
        &[("src_endpoint", json!({ "ip": "192.0.2.1" })), ("http_request", Value::Null)],
    );
    kubernetes(json!({ "sourceIPs": ["here"] }), &[("src_endpoint", json!({ "hostname": "here" }))]);
    kubernetes(
        json!({ "sourceIPs": ["203.0.113.9", "198.51.100.7", "10.0.0.5"] }),
        &[
            ("src_endpoint", json!({ "ip": "10.0.0.5", "claim_trust": "none" })),
            ("http_request.x_forwarded_for", json!(["203.0.113.9", "198.51.100.7"])),
        ],
    );
}

#[test]
fn kubernetes_outcomes() {
    for (patch, status) in [
        (json!({ "responseStatus": { "code": 201 } }), 1),
        (json!({ "responseStatus": { "code": 101 } }), 1),
        (json!({ "responseStatus": { "code": 404 } }), 2),
        (json!({ "responseStatus": { "status": "Failure" } }), 2),
        (json!({ "responseStatus": { "status": "Success" } }), 1),
        (json!({ "responseStatus": null }), 0),
        (json!({ "responseStatus": null, "stage": "RequestReceived" }), 0),
        (json!({ "responseStatus": null, "stage": "Panic" }), 2),
        (json!({ "responseStatus": null, "annotations": { "authorization.k8s.io/decision": "forbid" } }), 2),
    ] {
        kubernetes(patch, &[("status_id", json!(status))]);
    }
    kubernetes(
        json!({
            "responseStatus": { "metadata": {}, "code": 403, "reason": "Forbidden", "message": "no", "details": { "kind": "pods" } },
            "annotations": { "authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": "nobody allows it", "a": "b" }
        }),
        &[
            ("status_code", json!("403")),
            ("api.response", json!({ "code": 403, "error": "Forbidden", "message": "no" })),
            (
                "actor.authorizations",
                json!([{ "decision": "forbid", "policy": { "name": "nobody allows it" } }]),
            ),
            (
                "unmapped",
                json!({ "annotations": { "a": "b" }, "responseStatus": { "details": { "kind": "pods" } } }),
            ),
        ],
    );
}

#[test]
fn kubernetes_times_of_all_ages() {
    let received = ("time", json!(1_741_082_400_123_u64));
    kubernetes(
        json!({ "stageTimestamp": "2025-03-04T10:00:00.500Z" }),
        &[
            received.clone(),
            ("metadata.original_time", json!("2025-03-04T10:00:00.123456Z")),
            ("metadata.logged_time", json!(1_741_082_400_500_u64)),
            ("unmapped.stageTimestamp", json!("2025-03-04T10:00:00.500Z")),
        ],
    );
    let without = |patch: Value| {
        let mut patch = patch;
        patch["requestReceivedTimestamp"] = Value::Null;
        patch
    };
    let old = json!(1_505_159_705_000_u64);
    kubernetes(without(json!({ "stageTimestamp": "2017-09-11T19:55:05Z" })), &[("time", old.clone())]);
    kubernetes(without(json!({ "timestamp": "2017-09-11T19:55:05Z" })), &[("time", old.clone())]);
    kubernetes(
        without(json!({ "metadata": { "creationTimestamp": "2017-09-11T19:55:05Z" } })),
        &[("time", old), ("metadata.original_time", json!("2017-09-11T19:55:05Z"))],
    );
    kubernetes(
        without(json!({})),
        &[("time", Value::Null), ("metadata.mapping.incomplete", json!(["time"]))],
    );
}

#[test]
fn kubernetes_what() {
    kubernetes(
        json!({
            "requestURI": "/apis/apps/v1/x?a=b?c", "level": "Request", "userAgent": "kubectl",
            "objectRef": { "resource": "deployments", "namespace": "n", "name": "d", "uid": "u", "apiGroup": "apps", "apiVersion": "v1", "resourceVersion": "7", "odd": 1 },
            "requestObject": [1], "responseObject": { "r": 2 }
        }),
        &[
            ("api.group.name", json!("apps")),
            ("api.version", json!("v1")),
            ("api.request", json!({ "data": [1], "uid": "id-1" })),
            ("api.response.data", json!({ "r": 2 })),
            (
                "resources",
                json!([{ "name": "d", "namespace": "n", "type": "deployments", "uid": "u", "version": "7" }]),
            ),
            ("http_request.url", json!({ "path": "/apis/apps/v1/x", "query_string": "a=b?c" })),
            ("http_request.user_agent", json!("kubectl")),
            ("metadata.uid", json!("id-1/ResponseComplete")),
            ("metadata.correlation_uid", json!("id-1")),
            ("metadata.event_code", json!("ResponseComplete")),
            ("metadata.log_level", json!("Request")),
            ("metadata.log_version", json!("audit.k8s.io/v1")),
            ("metadata.mapping", json!({ "name": "kubernetes-audit", "version": 1 })),
            ("unmapped", json!({ "objectRef": { "odd": 1 } })),
        ],
    );
}

#[test]
fn kubernetes_in_azure_and_google() {
    let (azure, incomplete) = event(&aks(), None);
    assert_eq!(incomplete, Vec::<&str>::new());
    assert_eq!(at(&azure, "actor.user.name"), "dana@example.com");
    assert_eq!(at(&azure, "time"), 1_741_082_400_000_u64);
    assert_eq!(at(&azure, "unmapped.wrapper.properties"), &json!({ "pod": "kube-apiserver-0" }));

    let (google, incomplete) = event(&gke(), None);
    assert_eq!(incomplete, Vec::<&str>::new());
    for (path, value) in [
        ("activity_name", json!("Create")),
        ("actor.user.name", json!("dana@example.com")),
        ("actor.authorizations.0", json!({ "decision": "allow", "policy": { "name": "io.k8s.create" } })),
        ("api.group.name", json!("authorization.rbac")),
        ("api.version", json!("v1")),
        ("api.operation", json!("create")),
        ("resources.0.type", json!("clusterrolebindings")),
        ("resources.0.name", json!("dana-admin")),
        ("src_endpoint.ip", json!("203.0.113.5")),
        ("status_id", json!(1)),
        ("time", json!(1_741_082_400_123_u64)),
        (
            "cloud",
            json!({ "account": { "uid": "shop-example" }, "provider": "GCP", "region": "europe-west4" }),
        ),
        ("metadata.mapping.name", json!("kubernetes-audit-gke")),
    ] {
        assert_eq!(at(&google, path), &value, "{path}");
    }
    for (status, granted, expected) in [
        (json!({}), true, 1),
        (json!({ "code": 7, "message": "no" }), false, 2),
        (Value::Null, false, 2),
        (Value::Null, true, 0),
    ] {
        let mut entry = gke();
        entry["protoPayload"]["status"] = status;
        entry["protoPayload"]["authorizationInfo"][0]["granted"] = granted.into();
        assert_eq!(at(&event(&entry, None).0, "status_id"), expected);
    }
    let mut entry = gke();
    entry["protoPayload"]["methodName"] = "io.k8s.core.v1.pods.exec.create".into();
    entry["protoPayload"]["resourceName"] = "core/v1/namespaces/shop/pods/cart/exec".into();
    let (exec, _) = event(&entry, None);
    assert_eq!(
        (at(&exec, "activity_name"), at(&exec, "resources.0.type")),
        (&json!("exec"), &json!("pods/exec"))
    );
    assert_eq!(
        (at(&exec, "resources.0.name"), at(&exec, "resources.0.namespace")),
        (&json!("cart"), &json!("shop"))
    );
}
