//! The rules of the CloudTrail mapping.

use crate::check;
use serde_json::{Value, json};
use wire::Format;

#[track_caller]
fn cloudtrail(patch: Value, expected: &[(&str, Value)]) {
    let base = json!({
        "eventVersion": "1.11", "eventTime": "2025-03-04T09:00:00Z", "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject", "awsRegion": "eu-central-1", "sourceIPAddress": "192.0.2.1",
        "userIdentity": { "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice", "userName": "alice" }
    });
    check(&base, Format::CloudTrail, patch, expected);
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
