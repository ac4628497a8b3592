//! What the tests of the mappings share.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

use record::facet::{FacetDraft, Stamp, merge};
use serde_json::Value;
use std::path::{Path, PathBuf};
use wire::{Format, Limits, Mapped, Piece, Splitter, map};

/// The repository's folder of examples.
pub fn example(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file of real records, if this machine has them; says so when it has not.
pub fn sample(name: &str) -> Option<Vec<u8>> {
    std::fs::read(samples()?.join(name)).ok()
}

/// The folder of real records, if this machine has it; says so when it has not.
pub fn samples() -> Option<PathBuf> {
    let folder = match std::env::var_os("LEDGERSTONE_SAMPLES") {
        Some(folder) => Some(PathBuf::from(folder)),
        None => Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|folder| folder.join("shared/samples"))
            .find(|folder| folder.is_dir()),
    };
    if folder.is_none() {
        println!("SKIPPED: no samples; set LEDGERSTONE_SAMPLES to their folder");
    }
    folder
}

/// The lines of a file of JSON lines.
pub fn json_lines(bytes: &[u8]) -> Vec<Value> {
    let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("a line of json")).collect()
}

/// The records and envelopes of a file.
pub fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let mut splitter = Splitter::new(Limits::default());
    let mut out = |piece: Piece<'_>| match piece {
        Piece::Record(raw) | Piece::Envelope(raw) => records.push(raw.to_vec()),
        Piece::Oversize { .. } => panic!("{piece:?}"),
    };
    splitter.push(bytes, &mut out);
    splitter.finish(&mut out);
    records
}

/// Facets 0 to 4, each checked to be canonical; the stamp is that of no event.
pub fn facets(draft: &FacetDraft) -> [Vec<u8>; 5] {
    let mut when = Vec::new();
    let stamp = Stamp { received_ms: 0, source: 0, epoch: 0, sequence: 0 };
    draft.when.write_stamped(&stamp, &mut when);
    let facets = [when, draft.who.clone(), draft.what.clone(), draft.content.clone(), draft.where_.clone()];
    for facet in &facets {
        let text = String::from_utf8_lossy(facet);
        record::canonical::check(facet).unwrap_or_else(|error| panic!("{error} in {text}"));
    }
    facets
}

/// The event that the facets make together, without the ledger's stamp.
pub fn whole(draft: &FacetDraft) -> Value {
    let facets = facets(draft);
    let merged =
        merge(std::array::from_fn(|index| Some(facets[index].as_slice()))).expect("facets are objects");
    let mut bytes = Vec::new();
    record::canonical::write(&merged, &mut bytes);
    let mut event: Value = serde_json::from_slice(&bytes).expect("canonical json is json");
    event.as_object_mut().expect("an object").remove("ledgerstone");
    event
}

/// Maps a record that must be understood.
#[track_caller]
pub fn event(record: &Value, format: Option<Format>) -> (Value, Vec<&'static str>) {
    match map(record.to_string().as_bytes(), format) {
        Mapped::Event { draft, incomplete, .. } => (whole(&draft), incomplete),
        Mapped::Quarantine { reason, .. } => panic!("{reason}: {record}"),
    }
}

/// The value at a path such as `actor.user.name` or `resources.0.uid`; null if there is none.
pub fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    let step = |value: &'v Value, key: &str| match key.parse::<usize>() {
        Ok(index) => &value[index],
        Err(_) => &value[key],
    };
    path.split('.').fold(value, step)
}

/// An entry of Google's Cloud Audit Logs.
pub fn gke() -> Value {
    serde_json::json!({
        "insertId": "a1b2c3", "logName": "projects/shop-example/logs/cloudaudit.googleapis.com%2Factivity",
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": "k8s.io",
            "methodName": "io.k8s.authorization.rbac.v1.clusterrolebindings.create",
            "resourceName": "rbac.authorization.k8s.io/v1/clusterrolebindings/dana-admin",
            "authenticationInfo": { "principalEmail": "dana@example.com", "thirdPartyPrincipal": {} },
            "authorizationInfo": [{ "granted": true, "permission": "io.k8s.create", "resource": "r" }],
            "requestMetadata": { "callerIp": "203.0.113.5", "callerSuppliedUserAgent": "kubectl/v1.32.2" },
            "request": { "roleRef": { "name": "cluster-admin" } }, "response": { "metadata": { "uid": "u" } },
            "status": { "code": 0 }
        },
        "resource": { "type": "k8s_cluster", "labels": { "project_id": "shop-example", "location": "europe-west4", "cluster_name": "c" } },
        "timestamp": "2025-03-04T10:00:00.123456Z", "receiveTimestamp": "2025-03-04T10:00:01.5Z", "severity": "NOTICE"
    })
}

/// A record of Azure's diagnostic settings.
pub fn aks() -> Value {
    let event = serde_json::json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "id-1", "stage": "ResponseComplete",
        "verb": "get", "user": { "username": "dana@example.com" }, "sourceIPs": ["203.0.113.5"],
        "objectRef": { "resource": "secrets", "namespace": "shop", "name": "key" }, "responseStatus": { "code": 200 }
    });
    serde_json::json!({
        "category": "kube-audit", "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
        "time": "2025-03-04T10:00:00Z", "resourceId": "/SUBSCRIPTIONS/EXAMPLE",
        "properties": { "log": event.to_string(), "pod": "kube-apiserver-0" }
    })
}
