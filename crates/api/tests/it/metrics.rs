//! The page for Prometheus: read by a strict reader that knows nothing of its writer, and held against what was done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use env::SystemEnv;
use storage::{Disk, LocalDisk};

use crate::moody::Mood;
use crate::site::{Site, lines, wait_until};

/// Samples by name and labels, as written.
type Samples = BTreeMap<String, f64>;

/// Reads the text format 0.0.4 strictly: HELP, TYPE, then the samples of that family, each family once, no sample twice.
fn read(page: &str) -> Samples {
    let name_ok = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let (mut families, mut samples) = (BTreeSet::new(), Samples::new());
    let mut family = (String::new(), String::new());
    let mut lines = page.lines();
    assert!(page.ends_with('\n'), "the last line must end");
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').unwrap();
            assert!(name_ok(name) && text.ends_with('.') && text.len() > 5, "{line}");
            assert!(families.insert(name.to_owned()), "a family comes twice: {name}");
            let kind = lines.next().unwrap().strip_prefix("# TYPE ").unwrap().strip_prefix(name).unwrap();
            let kind = kind.strip_prefix(' ').unwrap();
            assert!(["counter", "gauge"].contains(&kind), "{name}: {kind}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
            family = (name.to_owned(), kind.to_owned());
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        let name = sample.split('{').next().unwrap();
        assert_eq!(name, family.0, "a sample stands in another family: {line}");
        if let Some(labels) = sample.strip_prefix(name).filter(|labels| !labels.is_empty()) {
            let labels = labels.strip_prefix('{').unwrap().strip_suffix("\"}").unwrap();
            for label in labels.split("\",") {
                let (label, text) = label.split_once("=\"").unwrap();
                assert!(name_ok(label) && !text.contains(['"', '\n']), "{line}");
            }
        }
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        assert!(value.is_finite() && value >= 0.0, "{line}");
        assert!(samples.insert(sample.to_owned(), value).is_none(), "a sample comes twice: {line}");
    }
    samples
}

fn metrics(site: &Site) -> Samples {
    let answer = site.get("/metrics").ok();
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    read(std::str::from_utf8(&answer.body).unwrap())
}

#[test]
fn what_was_done_is_counted() {
    let site = Site::start();
    let before = metrics(&site);
    assert_eq!(before["ledgerstone_status{state=\"running\"}"], 1.0);
    assert_eq!(before["ledgerstone_appended_records_total"], 0.0);
    let body = lines(0..25);
    site.append("?wait=committed", &body).ok();
    site.append("?nonsense=1", &body).problem(400, "query");
    site.post_as("/v1/ledgers/main/events", None, &[], &body).problem(401, "no-token");
    let after = metrics(&site);
    assert_eq!(after["ledgerstone_appended_records_total"], 25.0);
    assert_eq!(after["ledgerstone_appended_bytes_total"], body.len() as f64);
    let outcome = |name: &str| after[&format!("ledgerstone_appends_total{{outcome=\"{name}\"}}")];
    assert_eq!((outcome("recorded"), outcome("refused"), outcome("denied")), (1.0, 1.0, 1.0));
    let of = |family: &str| after[&format!("ledgerstone_{family}{{ledger=\"main\"}}")];
    assert!(of("durable_entries") >= 26.0 && of("committed_entries") >= 26.0, "{after:#?}");
    assert!(of("checkpoint_age_seconds") < 60.0);
    assert!(after["process_resident_memory_bytes"] > 1e6 && after["process_open_fds"] > 3.0, "{after:#?}");
    assert_eq!(after["ledgerstone_append_queue_bytes"], 0.0);
}

#[test]
fn only_ledgers_of_the_token_are_shown_and_never_to_a_source() {
    let site = Site::start();
    let narrow = r#"{"label":"x","roles":["operator"],"ledgers":["other"]}"#;
    let token = site.post("/v1/tokens", narrow).ok().text("token");
    let page = String::from_utf8(site.get_as("/metrics", Some(&token)).ok().body).unwrap();
    assert!(page.contains("ledger=\"other\"") && !page.contains("ledger=\"main\""), "{page}");
    let (_, source) = site.source("server");
    site.get_as("/metrics", Some(&source)).problem(403, "forbidden");
    site.get_as("/metrics", None).problem(401, "no-token");
}

#[test]
fn what_watches_over_the_store_is_shown() {
    let site = Site::start();
    assert!(!metrics(&site).contains_key("ledgerstone_scrub_alarms"), "nothing watches yet");
    let env = Arc::new(SystemEnv::new());
    let data = site.data().join("data");
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk::open(&data).unwrap());
    let options = scrub::Options { mib_per_s: 64, pause: Duration::from_millis(50) };
    let scrub = scrub::Scrub::start(options, disk, None, env.clone(), |_| {}).unwrap();
    let roots = [watch::Root { label: "", path: data.canonicalize().unwrap() }];
    let foreign = watch::Watch::start(&roots, env, drop).unwrap();
    let anchor = nobody_to_ask();
    let stamper = stamper::Stamper::start(unasked_authority(), |_, _, _| {}).unwrap();
    site.server.supervise(api::Supervision {
        stamps: Some(stamper.handle()),
        scrub: Some(scrub.handle()),
        watch: Some(foreign.handle()),
        witness: Some(anchor.handle()),
        data: Some(data),
        answered: None,
    });
    wait_until("a cycle ends", || scrub.handle().state().cycles > 0);
    let shown = metrics(&site);
    assert_eq!(shown["ledgerstone_scrub_budget_bytes_per_second"], f64::from(64 << 20));
    assert!(shown["ledgerstone_scrub_cycles_total"] >= 1.0 && shown["ledgerstone_scrub_age_seconds"] < 60.0);
    let ways = shown.iter().filter(|(name, _)| name.starts_with("ledgerstone_watch_method{"));
    assert_eq!(ways.map(|(_, value)| value).sum::<f64>(), 1.0, "{shown:#?}");
    assert!(shown["ledgerstone_disk_free_bytes"] > 0.0 && shown["ledgerstone_wal_files"] >= 1.0);
    // The reference names each family, and none that there is not.
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
    let page = std::fs::read_to_string(page).unwrap();
    let told: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | ").map(|(name, _)| name))
        .collect();
    let told: BTreeSet<&str> = told.into_iter().filter(|name| !name.starts_with('/')).collect();
    // There is no certificate here; the tests of TLS look at it.
    let of_tls = "ledgerstone_tls_certificate_not_after_seconds";
    // Nor is there a token; the tests of the program look at it.
    let of_tokens = "ledgerstone_timestamp_age_seconds";
    let there = shown.keys().filter_map(|name| name.split('{').next()).chain([of_tls, of_tokens]).collect();
    assert_eq!(told, there);
    stamper.stop();
    scrub.stop(Duration::from_secs(5));
    foreign.stop();
}

/// Rounds that never have anything to stamp.
fn unasked_authority() -> stamper::Rounds {
    struct Empty;
    impl stamper::Ledger for Empty {
        fn name(&self) -> &str {
            "main"
        }

        fn head(&self) -> Option<stamper::Head> {
            None
        }

        fn enter(&self, _: stamper::Entry) -> bool {
            false
        }

        fn keep(&self, _: u64, _: stamper::File<'_>) -> bool {
            false
        }

        fn ots(&self, _: usize) -> Vec<u64> {
            Vec::new()
        }

        fn read_ots(&self, _: u64) -> Option<Vec<u8>> {
            None
        }
    }
    let trusted = include_bytes!("../../../timestamp/tests/vectors/ca.pem");
    let options = stamper::Options {
        authorities: vec!["http://127.0.0.1:1".to_owned()],
        trusted: Some(timestamp::Authorities::parse(trusted).unwrap()),
        calendars: Vec::new(),
        interval: Duration::from_secs(3600),
        timeout: Duration::from_secs(1),
    };
    let net = net::HttpNet::new(&net::TlsSettings::default(), net::Plain::Loopback).unwrap();
    stamper::Rounds::new(vec![Arc::new(Empty)], options, Arc::new(net), Arc::new(SystemEnv::new()))
}

#[test]
fn a_server_that_cannot_record_is_not_ready() {
    let site = Site::start();
    site.get_as("/readyz", None).ok();
    site.temper.set(Mood::Failing);
    site.append("", lines(0..1));
    wait_until("the failure shows", || site.get_as("/readyz", None).status == 503);
    assert_eq!(metrics(&site)["ledgerstone_status{state=\"suspended\"}"], 1.0);
    site.temper.set(Mood::Fine);
    wait_until("the server records again", || site.get_as("/readyz", None).status == 200);
}

/// A policy whose one witness is nowhere.
fn nobody_to_ask() -> anchor::Anchor {
    struct Nothing(tlog::SigningKey);
    impl anchor::Ledger for Nothing {
        fn name(&self) -> &str {
            "main"
        }
        fn head(&self) -> Result<anchor::Head, String> {
            let origin = tlog::Origin::new(self.0.name()).unwrap();
            let checkpoint = tlog::Checkpoint { origin, size: 0, root: tlog::empty_root() };
            Ok(anchor::Head { note: tlog::sign_checkpoint(&checkpoint, &self.0), checkpoint })
        }
        fn proof(&self, _: u64, _: u64) -> Result<Vec<tlog::Hash>, String> {
            Ok(Vec::new())
        }
        fn root(&self, _: u64) -> Result<Option<tlog::Hash>, String> {
            Ok(None)
        }
        fn release(&self) {}
        fn hold(&self, _: &str) {}
        fn witnessed(&self) -> Option<String> {
            None
        }
        fn keep(&self, _: anchor::Head) -> Result<(), String> {
            Ok(())
        }
        fn record(&self, _: &anchor::Refusal) {}
        fn record_clock(&self, _: &str, _: &anchor::Clock) {}
    }
    let key = tlog::SigningKey::from_seed("log.example", [1; 32]).unwrap();
    let witness = tlog::CosigningKey::from_seed("w.example", [2; 32]).unwrap();
    let policy = format!("witness w {}\nquorum w\n", witness.verifying_key());
    let rules = anchor::Rules {
        ledger: "main".to_owned(),
        origin: "log.example".to_owned(),
        keys: vec![key.verifying_key().clone()],
        policy: Arc::new(tlog::Policy::parse(&policy).unwrap()),
        own: Vec::new(),
        pace: anchor::Pace::default(),
    };
    let net = net::HttpNet::new(&net::TlsSettings::default(), net::Plain::Loopback).unwrap();
    anchor::Anchor::start(vec![(Arc::new(Nothing(key)), rules)], Arc::new(net), Arc::new(SystemEnv::new()))
        .unwrap()
}
