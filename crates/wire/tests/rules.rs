//! The rules of the mappings one by one: a record cut down to what the rule reads, and what it must say.

mod common;

use common::{aks, at, event, gke};
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

#[track_caller]
fn cloudtrail(patch: Value, expected: &[(&str, Value)]) {
    let base = json!({
        "eventVersion": "1.11", "eventTime": "2025-03-04T09:00:00Z", "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject", "awsRegion": "eu-central-1", "sourceIPAddress": "192.0.2.1",
        "userIdentity": { "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice", "userName": "alice" }
    });
    check(&base, Format::CloudTrail, patch, expected);
}

#[track_caller]
fn kubernetes(patch: Value, expected: &[(&str, Value)]) {
    let base = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "id-1", "stage": "ResponseComplete", "verb": "get",
        "user": { "username": "dana" }, "sourceIPs": ["192.0.2.1"], "objectRef": { "resource": "pods" },
        "responseStatus": { "code": 200 }, "requestReceivedTimestamp": "2025-03-04T10:00:00.123456Z"
    });
    check(&base, Format::KubernetesAudit, patch, expected);
}

#[track_caller]
fn native(record: Value, expected: &[(&str, Value)]) {
    check(&json!({}), Format::Native, record, expected);
}

#[test]
fn cloudtrail_calls_have_the_activity_of_their_verb() {
    for (name, id, activity) in [
        ("CreateBucket", 1, "Create"),
        ("RunInstances", 1, "Create"),
        ("GenerateDataKey", 1, "Create"),
        ("GetObject", 2, "Read"),
        ("ListBuckets", 2, "Read"),
        ("DescribeInstances", 2, "Read"),
        ("SearchTables", 2, "Read"),
        ("LookupEvents", 2, "Read"),
        ("UpdateTrail", 3, "Update"),
        ("PutObject", 3, "Update"),
        ("ModifyDBInstance", 3, "Update"),
        ("SetQueueAttributes", 3, "Update"),
        ("DeleteObject", 4, "Delete"),
        ("TerminateInstances", 4, "Delete"),
        ("Decrypt", 99, "Decrypt"),
        ("SettleAccounts", 99, "SettleAccounts"),
        ("Get", 2, "Read"),
        ("get", 99, "get"),
        ("É", 99, "É"),
    ] {
        cloudtrail(
            json!({ "eventName": name }),
            &[
                ("class_uid", json!(6003)),
                ("category_uid", json!(6)),
                ("activity_id", json!(id)),
                ("activity_name", json!(activity)),
                ("type_uid", json!(600_300 + id)),
                ("api.operation", json!(name)),
                ("user", Value::Null),
            ],
        );
    }
}

#[test]
fn cloudtrail_sign_ins_are_authentication() {
    for (name, id, activity) in [
        ("ConsoleLogin", 1, "Logon"),
        ("UserAuthentication", 1, "Logon"),
        ("ExternalIdPDirectoryLogin", 1, "Logon"),
        ("AssumeRole", 1, "Logon"),
        ("AssumeRoleWithSAML", 1, "Logon"),
        ("AssumeRoleWithWebIdentity", 1, "Logon"),
        ("CheckMfa", 99, "CheckMfa"),
        ("CredentialChallenge", 99, "CredentialChallenge"),
        ("CredentialVerification", 99, "CredentialVerification"),
    ] {
        cloudtrail(
            json!({ "eventName": name, "eventSource": "signin.amazonaws.com" }),
            &[
                ("class_uid", json!(3002)),
                ("activity_id", json!(id)),
                ("activity_name", json!(activity)),
                ("type_uid", json!(300_200 + id)),
                ("service.name", json!("signin.amazonaws.com")),
                ("user.name", json!("alice")),
                ("status_id", json!(1)),
            ],
        );
    }
}

#[test]
fn cloudtrail_changes_to_identities_are_account_changes_of_iam_only() {
    for (name, id) in [
        ("CreateUser", 1),
        ("CreateAccessKey", 1),
        ("ChangePassword", 3),
        ("UpdateLoginProfile", 4),
        ("DeleteRole", 6),
        ("AttachUserPolicy", 7),
        ("PutGroupPolicy", 7),
        ("DetachRolePolicy", 8),
        ("DeleteUserPolicy", 8),
        ("EnableMFADevice", 10),
        ("DeactivateMFADevice", 11),
        ("AddUserToGroup", 99),
    ] {
        let expected = [("class_uid", json!(3001)), ("activity_id", json!(id))];
        cloudtrail(json!({ "eventName": name, "eventSource": "iam.amazonaws.com" }), &expected);
        let elsewhere = json!({ "eventName": name, "eventSource": "transfer.amazonaws.com" });
        cloudtrail(elsewhere, &[("class_uid", json!(6003))]);
    }
    for name in ["GetUser", "ListRoles", "CreatePolicy", "GenerateCredentialReport"] {
        let expected = [("class_uid", json!(6003))];
        cloudtrail(json!({ "eventName": name, "eventSource": "iam.amazonaws.com" }), &expected);
    }
}

#[test]
fn cloudtrail_subjects() {
    let iam = |name: &str, request: Value, response: Value| {
        json!({
            "eventName": name, "eventSource": "iam.amazonaws.com",
            "requestParameters": request, "responseElements": response
        })
    };
    cloudtrail(
        iam(
            "CreateUser",
            json!({ "userName": "carol" }),
            json!({ "user": { "arn": "arn:c", "userId": "AIDAC" } }),
        ),
        &[("user", json!({ "name": "carol", "uid": "arn:c", "uid_alt": "AIDAC" }))],
    );
    // Denied, with what the request says.
    cloudtrail(
        iam("DeleteUser", json!({ "userName": "carol" }), Value::Null),
        &[("user", json!({ "name": "carol" }))],
    );
    cloudtrail(
        iam("AttachRolePolicy", json!({ "roleName": "R" }), Value::Null),
        &[("user", json!({ "name": "R", "type": "Role" }))],
    );
    cloudtrail(
        iam("CreateGroup", json!({ "groupName": "G" }), json!({ "group": { "arn": "arn:g" } })),
        &[("user", json!({ "name": "G", "type": "Group", "uid": "arn:g" }))],
    );
    cloudtrail(iam("ChangePassword", Value::Null, Value::Null), &[("user.name", json!("alice"))]);
    let assumed = json!({ "assumedRoleUser": { "arn": "arn:s", "assumedRoleId": "AROA:s" } });
    cloudtrail(
        iam("AssumeRole", json!({ "roleArn": "arn:r" }), assumed),
        &[("user", json!({ "type": "AssumedRole", "uid": "arn:s", "uid_alt": "AROA:s" }))],
    );
    cloudtrail(
        iam("AssumeRole", json!({ "roleArn": "arn:r" }), Value::Null),
        &[("user", json!({ "type": "AssumedRole", "uid": "arn:r" }))],
    );
}

#[test]
fn cloudtrail_outcomes() {
    let success = [("status_id", json!(1)), ("status", json!("Success")), ("status_code", Value::Null)];
    let failure = [("status_id", json!(2)), ("status", json!("Failure"))];
    cloudtrail(json!({}), &success);
    cloudtrail(json!({ "errorCode": Value::Null, "errorMessage": "" }), &success);
    cloudtrail(json!({ "errorCode": "AccessDenied", "errorMessage": "no" }), &failure);
    cloudtrail(
        json!({ "errorCode": "AccessDenied", "errorMessage": "no" }),
        &[
            ("status_code", json!("AccessDenied")),
            ("api.response.error", json!("AccessDenied")),
            ("api.response.message", json!("no")),
            ("actor.user.name", json!("alice")),
            ("src_endpoint.ip", json!("192.0.2.1")),
        ],
    );
    let login = |response: Value| json!({ "eventName": "ConsoleLogin", "responseElements": response });
    cloudtrail(login(json!({ "ConsoleLogin": "Success" })), &success);
    cloudtrail(login(json!({ "ConsoleLogin": "Failure" })), &failure);
    cloudtrail(json!({ "eventName": "ConsoleLogin", "errorMessage": "Failed authentication" }), &failure);
    cloudtrail(
        json!({ "eventName": "CredentialVerification", "serviceEventDetails": { "CredentialVerification": "Failure" } }),
        &failure,
    );
    // Elsewhere such a word is a parameter like any other.
    cloudtrail(json!({ "responseElements": { "GetObject": "Failure" } }), &success);
}

#[test]
fn cloudtrail_strength_of_authentication() {
    let session = |mfa: &str| {
        json!({ "userIdentity": { "arn": "a", "sessionContext": {
            "attributes": { "mfaAuthenticated": mfa, "creationDate": "2025-03-04T08:00:00Z" },
            "sessionIssuer": { "arn": "arn:role" }, "webIdFederationData": {}, "sourceIdentity": "grace"
        } } })
    };
    cloudtrail(
        session("true"),
        &[
            (
                "actor.session",
                json!({ "created_time": 1_741_075_200_000_u64, "is_mfa": true, "issuer": "arn:role" }),
            ),
            ("actor.on_behalf_of.name", json!("grace")),
            ("unmapped", Value::Null),
        ],
    );
    cloudtrail(session("false"), &[("actor.session.is_mfa", json!(false))]);
    cloudtrail(session("maybe"), &[("actor.session.is_mfa", Value::Null)]);
    for (used, is_mfa) in [("Yes", json!(true)), ("No", json!(false)), ("?", Value::Null)] {
        cloudtrail(
            json!({ "eventName": "ConsoleLogin", "additionalEventData": { "MFAUsed": used } }),
            &[("is_mfa", is_mfa), ("unmapped.additionalEventData.MFAUsed", json!(used))],
        );
    }
}

#[test]
fn cloudtrail_sources_are_addresses_or_names() {
    for (source, ip, domain) in [
        ("203.0.113.9", json!("203.0.113.9"), Value::Null),
        ("2001:db8::1", json!("2001:db8::1"), Value::Null),
        ("AWS Internal", Value::Null, json!("AWS Internal")),
        ("ec2.amazonaws.com", Value::Null, json!("ec2.amazonaws.com")),
        ("300.1.1.1", Value::Null, json!("300.1.1.1")),
    ] {
        let expected = [("src_endpoint.ip", ip), ("src_endpoint.domain", domain)];
        cloudtrail(json!({ "sourceIPAddress": source }), &expected);
    }
}

#[test]
fn cloudtrail_everything_else() {
    cloudtrail(
        json!({
            "requestID": "r-1", "eventID": "e-1", "eventType": "AwsApiCall", "eventCategory": "Data", "apiVersion": "2015-02-01",
            "recipientAccountId": "111122223333", "vpcEndpointId": "vpce-1", "userAgent": "cli", "readOnly": true,
            "resources": [{ "ARN": "arn:o", "type": "T" }, { "arn": "arn:b", "accountId": "1", "extra": 2 }, "odd"]
        }),
        &[
            ("api.request.uid", json!("r-1")),
            ("api.version", json!("2015-02-01")),
            ("metadata.uid", json!("e-1")),
            ("metadata.event_code", json!("AwsApiCall")),
            ("metadata.product.feature.name", json!("Data")),
            ("metadata.product.version", json!("1.11")),
            ("metadata.version", json!("1.8.0")),
            ("metadata.mapping", json!({ "name": "cloudtrail", "version": 1 })),
            ("metadata.original_time", json!("2025-03-04T09:00:00Z")),
            ("time", json!(1_741_078_800_000_u64)),
            (
                "cloud",
                json!({ "account": { "uid": "111122223333" }, "provider": "AWS", "region": "eu-central-1" }),
            ),
            ("src_endpoint.uid", json!("vpce-1")),
            ("http_request.user_agent", json!("cli")),
            ("resources.0", json!({ "type": "T", "uid": "arn:o" })),
            (
                "resources.1",
                json!({ "data": { "extra": 2 }, "owner": { "account": { "uid": "1" } }, "uid": "arn:b" }),
            ),
            ("resources.2", json!({ "data": { "value": "odd" } })),
            ("unmapped", json!({ "readOnly": true })),
        ],
    );
    // Not everybody's store keeps the zone of what is in UTC by definition.
    cloudtrail(json!({ "eventTime": "2025-03-04 09:00:00.000" }), &[("time", json!(1_741_078_800_000_u64))]);
    cloudtrail(
        json!({
            "eventName": null, "eventSource": null, "eventType": "AwsCloudTrailInsight",
            "insightDetails": { "eventName": "RunInstances", "eventSource": "ec2.amazonaws.com", "state": "Start" }
        }),
        &[
            ("api.operation", json!("RunInstances")),
            ("api.service.name", json!("ec2.amazonaws.com")),
            ("unmapped.insightDetails", json!({ "state": "Start" })),
        ],
    );
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
    assert_eq!(at(&event, "quarantine.reason"), "larger than 67108864 bytes");
    assert_eq!(at(&event, "quarantine.sha256"), "ab".repeat(32).as_str());
    assert_eq!(at(&event, "quarantine.size"), "9007199254740993");
}
