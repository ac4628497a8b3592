//! Evidence files from a running server, verified as somebody would who was not there.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use api::Limits;
use env::{Env, SystemEnv};
use evidence::keys::{CHANGE, format_change};
use evidence::layout;
use export::manifest::Manifest;
use export::{Options, Report, text, verify};
use ledger::{Engine, KeyStore};
use record::control::KeyChange;
use record::facet::Facet;
use sha2::{Digest, Sha256};
use storage::{Disk, DiskObjects, LocalDisk, Objects};
use tlog::{Checkpoint, KeyStatement, VerifierKey};

use crate::site::{Answer, Setup, Site, event, lines, options, wait_until};

fn token(site: &Site, role: &str) -> String {
    site.post("/v1/tokens", format!(r#"{{"label":"{role} token","roles":["{role}"]}}"#)).ok().text("token")
}

fn ask(site: &Site, token: &str, body: &str) -> Answer {
    site.post_as("/v1/ledgers/main/evidence", Some(token), &[], body)
}

/// The report over an answer, which must be a proven file signed by the ledger's key.
#[track_caller]
fn proven(site: &Site, answer: Answer) -> (Report, Manifest) {
    let answer = answer.ok();
    assert_eq!(answer.header("content-type"), "application/zip");
    let key = site.key();
    let report = verify(&answer.body[..], &Options { key: Some(&key), threads: 2, ..Options::default() });
    assert_eq!((&report.damage, &report.undecided), (&vec![], &vec![]));
    assert!(report.pinned);
    let manifest = report.manifest.clone().unwrap();
    (report, manifest)
}

/// Starts a store, and leaves a change of the key of `main` for the next start. Returns the key so far.
fn prepare_change(dir: &Path) -> VerifierKey {
    let env: Arc<dyn Env> = Arc::new(SystemEnv::new());
    let open = |name: &str| -> Arc<dyn Disk> { Arc::new(LocalDisk::open(&dir.join(name)).unwrap()) };
    let engine = Engine::start(open("data"), open("keys"), env.clone(), options()).unwrap();
    let reads = engine.reads();
    let (published, known) = (reads.published(0).unwrap(), reads.ledgers().remove(0).keys);
    engine.stop();
    let keys = KeyStore::open(open("keys"), env.as_ref(), false).unwrap();
    let Checkpoint { origin, size, root } = published.checkpoint.clone();
    let next = layout::keys::signing_next("main");
    let next = keys.create_signing_key(env.as_ref(), &next, origin.as_str()).unwrap();
    let authority = keys.signing_key(&layout::keys::authority("main")).unwrap();
    let statement = KeyStatement { origin, size, root, key: next.verifying_key().clone() };
    let change = KeyChange { statement: statement.sign(&authority), checkpoint: published.note.clone() };
    let change = format_change(CHANGE, &change);
    DiskObjects::new(open("keys")).put(&layout::keys::change("main"), &change).unwrap();
    known.last().unwrap().1.clone()
}

#[test]
fn keys_of_before_a_change_open_files_of_today() {
    let dir = tempfile::tempdir().unwrap();
    let before = [prepare_change(dir.path()), prepare_change(dir.path())];
    let site = Site::over(dir, Setup { options: options(), ..Setup::default() });
    site.append("?wait=committed", lines(0..300)).ok();
    let investigator = token(&site, "investigator");
    for body in [
        r#"{"case":"1","purpose":"p"}"#,
        r#"{"case":"1","purpose":"p","from":0,"to":2}"#,
        r#"{"case":"1","purpose":"p","from":20,"to":90}"#,
        r#"{"case":"1","purpose":"p","query":"user77"}"#,
    ] {
        let answer = ask(&site, &investigator, body).ok();
        for key in before.iter().chain([&site.key()]) {
            let report = verify(&answer.body[..], &Options { key: Some(key), ..Options::default() });
            assert_eq!((&report.damage, &report.undecided), (&vec![], &vec![]), "{body}");
            assert!(report.pinned);
            let history = report.history.unwrap();
            let keys: Vec<_> = history.keys().map(|(_, key)| key.clone()).collect();
            assert_eq!(keys, [before[0].clone(), before[1].clone(), site.key()]);
            assert!(report.anchors >= 2);
        }
    }
}

#[test]
fn an_auditor_gets_everything_but_content() {
    let site = Site::start();
    let secret = r#"{"class_uid":6003,"time":1,"actor":{"user":{"name":"alice"}},"message":"SECRET-77"}"#;
    site.append("", lines(0..300)).ok();
    site.append("?wait=committed", secret).ok();
    let auditor = token(&site, "auditor");
    let answer = ask(&site, &auditor, r#"{"case":"4711","purpose":"yearly audit"}"#);
    for member in testkit::sample::unpack(&answer.body) {
        assert!(!String::from_utf8_lossy(&member.1).contains("SECRET-77"), "{}", member.0);
        assert!(!member.0.starts_with("events/") || !member.1.windows(9).any(|part| part == b"\"message\""));
    }
    let (report, manifest) = proven(&site, answer);
    assert_eq!((manifest.case.as_str(), manifest.purpose.as_str()), ("4711", "yearly audit"));
    assert_eq!(manifest.exporter_label, "auditor token");
    assert_eq!(manifest.withheld, [Facet::Content, Facet::Raw]);
    assert_eq!((manifest.counts.events, manifest.counts.withheld), (301, 301));
    assert_eq!((manifest.selection.from, manifest.selection.end), (0, manifest.size));
    assert!(report.records >= 303);
    // Begin and end are on record; the end names the manifest.
    site.expect_access(&[("operation", "evidence.begin"), ("case", "4711"), ("purpose", "yearly audit")]);
    let sha256 = text::hex(&Sha256::digest(manifest.to_text()));
    site.expect_access(&[("operation", "evidence.end"), ("manifest_sha256", &sha256), ("events", "301")]);
}

#[test]
fn an_investigator_gets_what_he_asks_for() {
    let site = Site::start();
    site.append("", lines(0..700)).ok();
    site.append("?wait=committed", "not json").ok();
    let investigator = token(&site, "investigator");
    ask(&site, &investigator, r#"{"case":"1"}"#).problem(403, "purpose");
    let (_, all) = proven(&site, ask(&site, &investigator, r#"{"case":"1","purpose":"case 1"}"#));
    assert_eq!((all.counts.events, all.counts.quarantined, all.counts.withheld), (700, 1, 0));
    let body = r#"{"case":"1","purpose":"p","from":5,"to":300,"withhold":["who"]}"#;
    let (_, some) = proven(&site, ask(&site, &investigator, body));
    assert_eq!((some.selection.from, some.selection.end), (5, 300));
    assert_eq!(some.withheld, [Facet::Who, Facet::Raw]);
    assert_eq!(some.counts.total(), 295);
    let body = r#"{"case":"1","purpose":"p","query":"user77"}"#;
    let (_, query) = proven(&site, ask(&site, &investigator, body));
    assert_eq!((query.selection.query.as_deref(), query.counts.total()), (Some("user77"), 1));
    let body = r#"{"case":"1","purpose":"p","query":"nobody at all"}"#;
    assert_eq!(proven(&site, ask(&site, &investigator, body)).1.counts.total(), 0);
    // A search by somebody who may not see content is no way to guess it.
    let body = r#"{"case":"1","purpose":"p","query":"message:\"number 7\""}"#;
    assert_eq!(proven(&site, ask(&site, &investigator, body)).1.counts.total(), 1);
    let auditor = token(&site, "auditor");
    assert_eq!(proven(&site, ask(&site, &auditor, body)).1.counts.total(), 0);
    let body = r#"{"case":"1","purpose":"p","query":"kind:source"}"#;
    assert_eq!(proven(&site, ask(&site, &auditor, body)).1.counts.control, 1);
}

#[test]
fn a_range_of_time_is_a_range_of_indexes() {
    let site = Site::start();
    for number in 0..5 {
        site.append("?wait=committed", event(number)).ok();
        std::thread::sleep(Duration::from_millis(30));
    }
    let auditor = token(&site, "auditor");
    let reads = site.engine.reads();
    let received = |index: u64| reads.record(0, index).unwrap().unwrap().decoded().unwrap().received_ms;
    let last = site.durable() - 1;
    let body = |from: u64, to: u64| format!(r#"{{"case":"t","purpose":"p","from_ms":{from},"to_ms":{to}}}"#);
    let (_, manifest) = proven(&site, ask(&site, &auditor, &body(received(3), received(last))));
    assert_eq!(manifest.selection.from_ms, Some(received(3)));
    assert_eq!((manifest.selection.from, manifest.selection.end), (3, last));
    ask(&site, &auditor, &body(1, 2)).problem(400, "body");
    let (_, manifest) = proven(&site, ask(&site, &auditor, &body(0, u64::MAX >> 11)));
    assert!(manifest.counts.events == 5 && manifest.selection.from == 0);
}

#[test]
fn what_can_not_be_a_file_is_refused() {
    let site = Site::start();
    site.append("?wait=committed", event(1)).ok();
    let auditor = token(&site, "auditor");
    for body in [
        "",
        "[]",
        r#"{"purpose":"p"}"#,
        r#"{"case":"","purpose":"p"}"#,
        r#"{"case":"a\u001bb","purpose":"p"}"#,
        r#"{"case":"c","purpose":"p","from":2,"to":2}"#,
        r#"{"case":"c","purpose":"p","from":3,"to":2}"#,
        r#"{"case":"c","purpose":"p","to":99999}"#,
        r#"{"case":"c","purpose":"p","from":1,"from_ms":1}"#,
        r#"{"case":"c","purpose":"p","withhold":["when"]}"#,
        r#"{"case":"c","purpose":"p","withhold":"who"}"#,
        r#"{"case":"c","purpose":"p","query":"\"open"}"#,
        r#"{"case":"c","purpose":"p","form":1}"#,
    ] {
        let answer = ask(&site, &auditor, body);
        assert_eq!(answer.status, 400, "{body}: {answer}");
    }
    ask(&site, &auditor, &format!(r#"{{"case":"{}","purpose":"p"}}"#, "x".repeat(1025))).problem(400, "body");
    ask(&site, &token(&site, "reader"), r#"{"case":"c","purpose":"p"}"#).problem(403, "forbidden");
    let none =
        site.post_as("/v1/ledgers/none/evidence", Some(&auditor), &[], r#"{"case":"c","purpose":"p"}"#);
    none.problem(404, "no-such-ledger");
    let system =
        site.post_as("/v1/ledgers/system/evidence", Some(&auditor), &[], r#"{"case":"c","purpose":"p"}"#);
    let report = verify(&system.ok().body[..], &Options::default());
    assert!(report.manifest.unwrap().counts.accesses > 10);
}

#[test]
fn no_more_than_a_few_are_made_at_once() {
    let site = Site::with_limits(Limits { exports: 0, ..Limits::default() });
    site.append("?wait=committed", event(1)).ok();
    let auditor = token(&site, "auditor");
    ask(&site, &auditor, r#"{"case":"c","purpose":"p"}"#).problem(429, "busy");
}

/// Files are of one moment, while records come in and segments are sealed.
#[test]
fn while_the_ledger_is_written() {
    let mut options = crate::site::options();
    options.seal_entries = 256;
    let site = Site::with(crate::site::Setup { options, ..Default::default() });
    let investigator = token(&site, "investigator");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                site.append("", lines(number..number + 40)).ok();
                number += 40;
            }
        });
        wait_until("there is something", || site.durable() > 100);
        let mut sizes = Vec::new();
        for round in 0..8 {
            let body = match round % 2 {
                0 => r#"{"case":"c","purpose":"p"}"#,
                _ => r#"{"case":"c","purpose":"p","query":"user7"}"#,
            };
            let (_, manifest) = proven(&site, ask(&site, &investigator, body));
            sizes.push(manifest.size);
            std::thread::sleep(Duration::from_millis(100));
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap();
        assert!(sizes.windows(2).all(|pair| pair[0] <= pair[1]) && sizes[0] < sizes[7], "{sizes:?}");
    });
    wait_until("a segment is sealed", || site.engine.reads().progress(0).sealed > 0);
}

/// A record that is damaged on the medium never gets into a file: where it is, is told.
#[test]
fn a_file_too_large_to_hold_streams() {
    let site = Site::start();
    let large = format!(r#"{{"class_uid":6003,"time":1,"message":"{}"}}"#, "ab\\\"c".repeat(4 << 20));
    site.append("?wait=committed", &large).ok();
    let investigator = token(&site, "investigator");
    let (_, manifest) = proven(&site, ask(&site, &investigator, r#"{"case":"c","purpose":"p"}"#));
    assert!(manifest.members.iter().any(|member| member.length > 40 << 20));
}
