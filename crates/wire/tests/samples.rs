//! Real records: none is lost, none makes the mapping panic, and who, what, when and where are what another reader of
//! the same records found (SEKOIA's parser; the samples' INDEX.md tells where they come from).

mod common;

use common::{at, facets, json_lines, records, sample, samples, whole};
use serde_json::Value;
use std::collections::BTreeMap;
use wire::{Format, Mapped, map, rfc3339_ms};

/// What became of the records of a file.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    offered: usize,
    complete: usize,
    incomplete: usize,
    quarantined: usize,
}

/// Splits and maps a file, and checks every facet of what comes out.
fn tally(bytes: &[u8], format: Option<Format>) -> Tally {
    let records = records(bytes);
    let mut tally = Tally { offered: records.len(), ..Tally::default() };
    for raw in records {
        match map(&raw, format) {
            Mapped::Event { draft, incomplete, .. } => {
                facets(&draft);
                if incomplete.is_empty() { tally.complete += 1 } else { tally.incomplete += 1 }
            }
            Mapped::Quarantine { draft, .. } => {
                facets(&draft);
                tally.quarantined += 1;
            }
        }
    }
    assert_eq!(tally.offered, tally.complete + tally.incomplete + tally.quarantined);
    tally
}

/// Files as CloudTrail delivered them: each record is an event, and says all that it must.
#[test]
fn cloudtrail_deliveries() {
    let Some(folder) = samples() else { return };
    let mut files = 0;
    for file in std::fs::read_dir(folder.join("cloudtrail/s3-delivery")).expect("a folder").flatten() {
        let bytes = std::fs::read(file.path()).expect("a file");
        let json: Value = serde_json::from_slice(&bytes).expect("json");
        let offered = json["Records"].as_array().expect("records").len();
        let expected = Tally { offered, complete: offered, ..Tally::default() };
        assert_eq!(tally(&bytes, None), expected, "{}", file.path().display());
        assert_eq!(tally(&bytes, Some(Format::CloudTrail)), expected, "{}", file.path().display());
        files += 1;
    }
    assert!(files > 20, "only {files} files");
}

/// Records that rule authors cut down: all are understood, and what they leave out is flagged.
#[test]
fn cloudtrail_cut_down() {
    let Some(bytes) = sample("cloudtrail/panther-events.ndjson") else { return };
    let tally = tally(&bytes, Some(Format::CloudTrail));
    assert_eq!(tally.offered, json_lines(&bytes).len());
    assert!(tally.complete * 10 >= tally.offered * 8 && tally.quarantined <= 3, "{tally:?}");
}

#[test]
fn kubernetes_files() {
    let Some(folder) = samples() else { return };
    for (name, offered) in [
        ("webhook-eventlist.json", None),
        ("audit2rbac-demo-part1.log", None),
        ("panther-events.ndjson", Some(0)),
    ] {
        let bytes = std::fs::read(folder.join("kubernetes-audit").join(name)).expect("a file");
        let tally = tally(&bytes, None);
        println!("{name}: {tally:?}");
        assert!(tally.offered >= 8, "{name}: {tally:?}");
        match offered {
            None => assert_eq!((tally.complete, tally.quarantined), (tally.offered, 0), "{name}"),
            Some(_) => assert!(tally.quarantined * 20 <= tally.offered, "{name}: {tally:?}"),
        }
    }
}

/// Every file of every product, under every name of a format: nothing panics, nothing is lost.
#[test]
fn everything_there_is() {
    let Some(folder) = samples() else { return };
    let mut folders = vec![folder];
    let mut totals: BTreeMap<&str, usize> = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(folder).expect("a folder").flatten() {
            if file.path().is_dir() {
                folders.push(file.path());
                continue;
            }
            let bytes = std::fs::read(file.path()).expect("a file");
            for format in
                [None, Some(Format::Native), Some(Format::CloudTrail), Some(Format::KubernetesAudit)]
            {
                let tally = tally(&bytes, format);
                *totals.entry(format.map_or("detected", Format::name)).or_default() += tally.offered;
            }
        }
    }
    println!("{totals:?}");
    assert!(totals.values().all(|total| *total > 3_000), "{totals:?}");
}

/// The pairs of raw record and parse whose path begins like this.
fn pairs(file: &str, path: &str) -> Option<Vec<(String, Value)>> {
    let pairs = json_lines(&sample(file)?);
    let chosen =
        pairs.into_iter().filter(|pair| pair["path"].as_str().is_some_and(|found| found.starts_with(path)));
    let taken = chosen.map(|pair| {
        let raw = pair["input"]["message"].as_str().expect("a record").to_owned();
        (raw, pair["expected"].clone())
    });
    Some(taken.collect())
}

/// Checks one field of the oracle against the event, if the oracle has it, and counts it.
#[track_caller]
fn agree(
    seen: &mut BTreeMap<&'static str, usize>,
    what: &'static str,
    oracle: &Value,
    event: &Value,
    raw: &str,
) {
    if !oracle.is_null() {
        assert_eq!(oracle, event, "{what} of {raw}");
        *seen.entry(what).or_default() += 1;
    }
}

fn event_of(raw: &str) -> Value {
    match map(raw.as_bytes(), None) {
        Mapped::Event { draft, .. } => whole(&draft),
        Mapped::Quarantine { reason, .. } => panic!("{reason}: {raw}"),
    }
}

#[test]
fn cloudtrail_as_another_reads_it() {
    let Some(pairs) = pairs("cloudtrail/sekoia-pairs.ndjson", "AWS/aws-cloudtrail/") else { return };
    let mut seen = BTreeMap::new();
    for (raw, oracle) in &pairs {
        let event = event_of(raw);
        let time = rfc3339_ms(at(oracle, "@timestamp").as_str().expect("a time")).expect("a time");
        agree(&mut seen, "time", &time.into(), at(&event, "time"), raw);
        agree(&mut seen, "operation", at(oracle, "event.action"), at(&event, "api.operation"), raw);
        agree(&mut seen, "service", at(oracle, "event.provider"), at(&event, "api.service.name"), raw);
        agree(&mut seen, "region", at(oracle, "cloud.region"), at(&event, "cloud.region"), raw);
        agree(&mut seen, "ip", at(oracle, "source.ip"), at(&event, "src_endpoint.ip"), raw);
        agree(&mut seen, "domain", at(oracle, "source.domain"), at(&event, "src_endpoint.domain"), raw);
        agree(
            &mut seen,
            "agent",
            at(oracle, "user_agent.original"),
            at(&event, "http_request.user_agent"),
            raw,
        );
        let user = "aws.cloudtrail.user_identity";
        let oracle_user = at(oracle, user);
        agree(&mut seen, "arn", at(oracle_user, "arn"), at(&event, "actor.user.uid"), raw);
        agree(&mut seen, "type", at(oracle_user, "type"), at(&event, "actor.user.type"), raw);
        agree(&mut seen, "principal", at(oracle_user, "principalId"), at(&event, "actor.user.uid_alt"), raw);
        agree(&mut seen, "key", at(oracle_user, "accessKeyId"), at(&event, "actor.user.credential_uid"), raw);
        agree(&mut seen, "account", at(oracle_user, "accountId"), at(&event, "actor.user.account.uid"), raw);
        let outcome = at(oracle, "event.outcome").as_str().map(str::to_lowercase);
        agree(
            &mut seen,
            "outcome",
            &outcome.into(),
            &at(&event, "status").as_str().map(str::to_lowercase).into(),
            raw,
        );
    }
    println!("{} records, agreed on {seen:?}", pairs.len());
    assert!(seen["time"] >= 9 && seen["operation"] >= 9 && seen["arn"] >= 5 && seen["ip"] >= 3, "{seen:?}");
}

#[test]
fn kubernetes_as_another_reads_it() {
    let Some(pairs) = pairs("kubernetes-audit/sekoia-pairs.ndjson", "Kubernetes/audit-log/") else { return };
    let mut seen = BTreeMap::new();
    for (raw, oracle) in &pairs {
        let event = event_of(raw);
        let time = rfc3339_ms(at(oracle, "event.start").as_str().expect("a time")).expect("a time");
        agree(&mut seen, "time", &time.into(), at(&event, "time"), raw);
        agree(&mut seen, "verb", at(oracle, "event.action"), at(&event, "api.operation"), raw);
        agree(&mut seen, "id", at(oracle, "event.code"), at(&event, "api.request.uid"), raw);
        agree(
            &mut seen,
            "decision",
            at(oracle, "event.outcome"),
            at(&event, "actor.authorizations.0.decision"),
            raw,
        );
        agree(
            &mut seen,
            "reason",
            at(oracle, "kubernetes.rbacreason"),
            at(&event, "actor.authorizations.0.policy.name"),
            raw,
        );
        agree(
            &mut seen,
            "code",
            at(oracle, "http.response.status_code"),
            at(&event, "api.response.code"),
            raw,
        );
        agree(&mut seen, "group", at(oracle, "kubernetes.api.group"), at(&event, "api.group.name"), raw);
        agree(
            &mut seen,
            "namespace",
            at(oracle, "kubernetes.namespace"),
            at(&event, "resources.0.namespace"),
            raw,
        );
        agree(&mut seen, "ip", at(oracle, "source.ip"), at(&event, "src_endpoint.ip"), raw);
        agree(&mut seen, "user", at(oracle, "user.name"), at(&event, "actor.user.name"), raw);
        agree(
            &mut seen,
            "agent",
            at(oracle, "user_agent.original"),
            at(&event, "http_request.user_agent"),
            raw,
        );
        let kind = at(oracle, "kubernetes.resource").as_str().map(|resource| {
            match at(oracle, "kubernetes.subresource").as_str() {
                Some(subresource) => format!("{resource}/{subresource}"),
                None => resource.to_owned(),
            }
        });
        agree(&mut seen, "resource", &kind.into(), at(&event, "resources.0.type"), raw);
        let roles = at(oracle, "user.roles").as_array().cloned().unwrap_or_default();
        let groups = at(&event, "actor.user.groups").as_array().cloned().unwrap_or_default();
        let mut groups: Vec<Value> = groups.iter().map(|group| group["name"].clone()).collect();
        groups.sort_by_key(Value::to_string);
        agree(&mut seen, "groups", &roles.into(), &groups.into(), raw);
    }
    println!("{} records, agreed on {seen:?}", pairs.len());
    assert!(pairs.len() >= 3 && seen.values().all(|count| *count > 0), "{seen:?}");
}
