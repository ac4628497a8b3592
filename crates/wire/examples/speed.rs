//! Measures splitting and mapping on one core: `cargo run --release -p wire --example speed`.
#![expect(clippy::disallowed_methods, reason = "a stopwatch needs the real clock")]
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::hint::black_box;
use std::time::Instant;
use wire::{Format, Limits, Mapped, Piece, Splitter, map};

const CHUNK: usize = 64 << 10;

fn main() {
    let cloudtrail = numbered(CLOUDTRAIL);
    let native = numbered(NATIVE);
    let kubernetes = numbered(KUBERNETES);
    println!("records of {} / {} / {} bytes", CLOUDTRAIL.len(), NATIVE.len(), KUBERNETES.len());
    split("split lines, native", &native.join("\n"));
    split("split lines, cloudtrail", &cloudtrail.join("\n"));
    split("split one-line Records", &format!("{{\"Records\":[{}]}}", cloudtrail.join(",")));
    split("split pretty Records", &format!("{{\n \"Records\": [\n{}\n]\n}}", cloudtrail.join(",\n")));
    split("split EventList", &format!("{{\"kind\":\"EventList\",\"items\":[{}]}}", kubernetes.join(",")));
    parse("parse only, cloudtrail", &cloudtrail);
    parse("parse only, native", &native);
    map_all("map cloudtrail", &cloudtrail, Some(Format::CloudTrail));
    map_all("map cloudtrail, detected", &cloudtrail, None);
    map_all("map kubernetes, detected", &kubernetes, None);
    map_all("map native", &native, Some(Format::Native));
    map_all("map native, detected", &native, None);
}

fn numbered(template: &str) -> Vec<String> {
    (0..20_000).map(|number| template.replace("%NUMBER%", &format!("{number:012}"))).collect()
}

fn split(name: &str, input: &str) {
    let best = best_of(|| {
        let mut splitter = Splitter::new(Limits::default());
        let mut records = 0;
        let mut count = |piece: Piece<'_>| records += usize::from(matches!(piece, Piece::Record(_)));
        for chunk in input.as_bytes().chunks(CHUNK) {
            splitter.push(chunk, &mut count);
        }
        splitter.finish(&mut count);
        assert_eq!(records, 20_000, "{name}");
    });
    let nanos = best * 1e9 / 20_000.0;
    println!("{name:28} {:6.2} GB/s {nanos:8.0} ns/record", input.len() as f64 / best / 1e9);
}

fn parse(name: &str, records: &[String]) {
    let best = best_of(|| {
        for record in records {
            black_box(record::json::parse(record.as_bytes())).expect("json");
        }
    });
    println!("{name:28} {:>11} {:8.0} ns/record", "", best * 1e9 / records.len() as f64);
}

fn map_all(name: &str, records: &[String], format: Option<Format>) {
    let best = best_of(|| {
        for record in records {
            let mapped = black_box(map(record.as_bytes(), format));
            assert!(matches!(mapped, Mapped::Event { .. }), "{name}");
        }
    });
    println!("{name:28} {:>11} {:8.0} ns/record", "", best * 1e9 / records.len() as f64);
}

/// Seconds of the fastest of ten runs: others use the machine as well.
fn best_of(mut run: impl FnMut()) -> f64 {
    let time = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    (0..10).map(time).fold(f64::INFINITY, f64::min)
}

const CLOUDTRAIL: &str = r#"{"eventVersion":"1.09","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLEEXAMPLE001:deploy","arn":"arn:aws:sts::111122223333:assumed-role/Deployer/deploy","accountId":"111122223333","accessKeyId":"ASIAEXAMPLEEXAMPLE01","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLEEXAMPLE001","arn":"arn:aws:iam::111122223333:role/Deployer","accountId":"111122223333","userName":"Deployer"},"attributes":{"creationDate":"2025-03-04T09:00:00Z","mfaAuthenticated":"false"}}},"eventTime":"2025-03-04T09:12:44Z","eventSource":"ec2.amazonaws.com","eventName":"DescribeInstances","awsRegion":"eu-central-1","sourceIPAddress":"198.51.100.23","userAgent":"aws-cli/2.15.30 Python/3.11.8 Linux/6.1.0 exe/x86_64.debian.12","requestParameters":{"instancesSet":{"items":[{"instanceId":"i-0123456789abcdef0"}]},"filterSet":{}},"responseElements":null,"requestID":"7c0a1c1e-2f0c-4c53-9d3c-%NUMBER%","eventID":"b1f9c3de-91c4-4f1f-8a6e-%NUMBER%","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"}"#;

const NATIVE: &str = r#"{"time":1741079564123,"class_uid":6003,"activity_id":2,"actor":{"user":{"uid":"u-81","name":"ada","email_addr":"ada@example.com"}},"api":{"operation":"GetReport","service":{"name":"reports"}},"resources":[{"uid":"report/%NUMBER%","type":"report"}],"src_endpoint":{"ip":"203.0.113.77"},"status_id":1,"http_request":{"user_agent":"reports-web/4.2"},"metadata":{"product":{"name":"reports"},"uid":"ev-%NUMBER%"}}"#;

const KUBERNETES: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"5c1ad2cc-0f9c-4d4e-8d40-%NUMBER%","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/shop/pods?limit=500","verb":"list","user":{"username":"system:serviceaccount:shop:operator","uid":"3f6a6d0e-8f0b-4f0e-9a55-0c9d53f5a111","groups":["system:serviceaccounts","system:serviceaccounts:shop","system:authenticated"]},"sourceIPs":["192.0.2.40"],"userAgent":"operator/v1.4.0","objectRef":{"resource":"pods","namespace":"shop","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":"2025-03-04T09:12:44.123456Z","stageTimestamp":"2025-03-04T09:12:44.131000Z","annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: allowed by RoleBinding \"operator/shop\""}}"#;
