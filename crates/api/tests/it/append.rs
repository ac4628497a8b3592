//! What is sent is recorded, byte for byte, and the answer says so.

use record::entry::Kind;
use record::receipt::Level;
use tlog::UnverifiedCheckpoint;

use crate::site::{Site, event, lines};

const CLOUDTRAIL: &str = r#"{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","userName":"alice","arn":"arn:aws:iam::1:user/alice","accountId":"1"},"eventTime":"2023-07-10T11:45:01Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"us-east-1","sourceIPAddress":"192.0.2.7","userAgent":"cli","requestParameters":{"bucketName":"b"},"responseElements":null,"requestID":"r","eventID":"e1","readOnly":true,"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"1"}"#;
const KUBERNETES: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/default/secrets/s","verb":"get","user":{"username":"system:serviceaccount:default:bob","groups":["g"]},"sourceIPs":["192.0.2.8"],"objectRef":{"resource":"secrets","namespace":"default","name":"s","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":"2023-07-10T11:45:01.000000Z","stageTimestamp":"2023-07-10T11:45:01.100000Z"}"#;

/// The raw bytes of the events and of what is quarantined.
fn raws(site: &Site) -> Vec<(Kind, String)> {
    let text = |(kind, raw): (Kind, Vec<u8>)| (kind, String::from_utf8(raw).unwrap());
    let stored = site.stored().into_iter().map(text);
    stored.filter(|(kind, _)| matches!(kind, Kind::Event | Kind::Quarantine)).collect()
}

/// The raw bytes of what is stored, all of which must be events.
fn event_raws(site: &Site) -> Vec<String> {
    let stored = raws(site).into_iter();
    stored.inspect(|(kind, raw)| assert_eq!(*kind, Kind::Event, "{raw}")).map(|(_, raw)| raw).collect()
}

#[test]
fn json_and_ndjson_are_cut_into_records_with_their_exact_bytes() {
    let site = Site::start();
    let spaced = "{ \"class_uid\": 6003,\n  \"message\": \"spaced\"\n}";
    let bodies = [
        event(1),
        lines(2..5),
        lines(5..7).trim_end().to_owned(),
        spaced.to_owned(),
        format!("[{},\n {}]", event(7), event(8)),
        format!("\n\n{}\r\n{}\r\n\r\n", event(9), event(10)),
    ];
    let mut expected = Vec::new();
    for (body, count) in bodies.iter().zip([1, 3, 2, 1, 2, 2]) {
        let answer = site.append("", body).ok();
        assert_eq!(answer.number("count"), count, "{answer}");
        assert_eq!(answer.number("last") - answer.number("first") + 1, count);
        assert_eq!((answer.number("quarantined"), answer.number("duplicates")), (0, 0));
        assert_eq!((answer.text("level"), answer.text("ledger")), ("durable".to_owned(), "main".to_owned()));
        assert_eq!((answer.text("origin"), answer.number("source")), (site.ledger().origin, 1));
        assert!(!answer.has("receipts") && !answer.has("checkpoint"));
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    expected.extend((1..7).map(event));
    expected.push(spaced.to_owned());
    expected.extend((7..11).map(event));
    assert_eq!(event_raws(&site), expected);
}

#[test]
fn containers_are_taken_apart() {
    let site = Site::start();
    let trail = format!(r#"{{"Records":[{CLOUDTRAIL}, {CLOUDTRAIL}]}}"#);
    let list = format!(
        r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{KUBERNETES},{KUBERNETES}]}}"#
    );
    for (query, body) in [
        ("", &trail),
        ("?format=cloudtrail", &trail),
        ("", &list),
        ("?format=kubernetes-audit", &list),
        ("?format=auto", &list),
    ] {
        let answer = site.append(query, body).ok();
        assert_eq!((answer.number("count"), answer.number("quarantined")), (2, 0), "{answer}");
    }
    let mut expected = vec![CLOUDTRAIL.to_owned(); 4];
    expected.extend(vec![KUBERNETES.to_owned(); 6]);
    assert_eq!(event_raws(&site), expected);
    let shown = site.get("/v1/ledgers/main/search?q=actor.user.name:alice&limit=1").ok();
    assert_eq!(shown.value("hits").as_array().unwrap().len(), 1, "{shown}");
}

#[test]
fn what_is_not_understood_is_kept_whole_and_told() {
    let site = Site::start();
    let body =
        format!("{}\nnot json at all\n{{\"a\":1,\"a\":2}}\n{{\"unknown\":true}}\n{}\n", event(1), event(2));
    let answer = site.append("", &body).ok();
    assert_eq!((answer.number("count"), answer.number("quarantined")), (5, 3), "{answer}");
    let answer = site.append("?format=cloudtrail", event(3)).ok();
    assert_eq!((answer.number("count"), answer.number("quarantined")), (1, 1), "{answer}");
    let kept = raws(&site).into_iter().filter(|(kind, _)| *kind == Kind::Quarantine);
    let kept: Vec<String> = kept.map(|(_, raw)| raw).collect();
    assert_eq!(kept, ["not json at all", "{\"a\":1,\"a\":2}", "{\"unknown\":true}", &event(3)]);
    let hits = site.get("/v1/ledgers/main/search?q=kind:quarantine").ok();
    assert_eq!(hits.value("hits").as_array().unwrap().len(), 4);
}

#[test]
fn an_event_that_lacks_what_is_mandatory_is_recorded_and_counted() {
    let site = Site::start();
    let answer = site.append("", format!("{}\n{{\"class_uid\":6003}}\n", event(1))).ok();
    let counts = (answer.number("count"), answer.number("incomplete"), answer.number("quarantined"));
    assert_eq!(counts, (2, 1, 0), "{answer}");
}

/// Whoever is told so afterwards would try again, and record everything twice.
#[test]
fn waiting_for_witnesses_that_there_are_not_is_refused_before_anything_is_recorded() {
    let site = Site::start();
    let event = r#"{"class_uid":6003,"time":1700000000000,"message":"once"}"#;
    let answer = site.append("?wait=witnessed", event).problem(400, "query");
    assert!(answer.text("detail").contains("wait=committed"));
    assert!(event_raws(&site).is_empty());
    site.append("?wait=committed", event).ok();
    assert_eq!(event_raws(&site), [event]);
}

#[test]
fn nothing_is_recorded_from_nothing() {
    let site = Site::start();
    let before = site.durable();
    for body in ["", "\n\n \n"] {
        let answer = site.append("?receipts=full&wait=committed", body).ok();
        assert_eq!(answer.number("count"), 0);
        assert!(answer.value("first").is_null() && answer.value("last").is_null());
        assert!(answer.receipts().is_empty());
    }
    assert_eq!(site.durable(), before);
}

#[test]
fn receipts_let_the_sender_recompute_what_was_recorded() {
    let site = Site::start();
    let sent: Vec<String> = (0..3).map(event).chain(["junk".to_owned()]).collect();
    let answer = site.append("?receipts=full", sent.join("\n")).ok();
    let receipts = answer.receipts();
    assert_eq!(receipts.len(), 4);
    for (at, receipt) in receipts.iter().enumerate() {
        assert_eq!((receipt.level, receipt.index), (Level::Durable, answer.number("first") + at as u64));
        assert_eq!((&receipt.origin, &receipt.ledger_id), (&site.ledger().origin, &site.ledger().id));
        receipt.check_raw(sent[at].as_bytes()).unwrap();
        assert!(receipt.check_raw(sent[(at + 1) % 4].as_bytes()).is_err());
        assert!(receipt.check_proof(&site.key()).is_err());
    }
}

#[test]
fn committed_receipts_come_with_a_proof_under_the_key() {
    let site = Site::start();
    site.append("", lines(0..700)).ok();
    let answer = site.append("?receipts=full&wait=committed", lines(700..1000)).ok();
    assert_eq!(answer.text("level"), "committed");
    let note = answer.text("checkpoint");
    let checkpoint = UnverifiedCheckpoint::parse(note.as_bytes()).unwrap();
    let checkpoint = checkpoint.verify(&site.ledger().origin, &[site.key()], &[]).unwrap();
    assert!(checkpoint.checkpoint().size > answer.number("last"));
    let receipts = answer.receipts();
    assert_eq!(receipts.len(), 300);
    for (number, receipt) in (700..).zip(&receipts) {
        assert_eq!(receipt.level, Level::Committed);
        receipt.check_raw(event(number).as_bytes()).unwrap();
        receipt.check_proof(&site.key()).unwrap();
    }
}

#[test]
fn receipts_beyond_the_limit_are_counted_and_asked_for_one_by_one() {
    let limits = api::Limits { receipts: 5, ..api::Limits::default() };
    let site = Site::with_limits(limits);
    let answer = site.append("?receipts=full&wait=committed", lines(0..8)).ok();
    assert_eq!((answer.number("count"), answer.number("receipts_omitted")), (8, 3));
    assert_eq!(answer.receipts().len(), 5);
    let one = site.get(&format!("/v1/ledgers/main/receipt/{}", answer.number("last"))).ok();
    let receipt = record::receipt::Receipt::parse(&one.body).unwrap();
    receipt.check_raw(event(7).as_bytes()).unwrap();
    receipt.check_proof(&site.key()).unwrap();
}

#[test]
fn many_clients_at_once_are_all_accounted_for_exactly_once() {
    let site = Site::start();
    let answers: Vec<(u64, String)> = std::thread::scope(|scope| {
        let client = |client: u64| {
            let site = &site;
            scope.spawn(move || {
                let mut own = Vec::new();
                for round in 0..5 {
                    let number = client * 1000 + round * 10;
                    let answer = match round {
                        0 => site.append("", lines(number..number + 3)).ok(),
                        _ => site.append("", event(number)).ok(),
                    };
                    let count = answer.number("count");
                    assert_eq!(count, if round == 0 { 3 } else { 1 });
                    let ranges = answer.value("ranges");
                    let indexes = ranges.as_array().unwrap().iter().flat_map(|range| {
                        let ends = range.as_array().unwrap();
                        ends[0].as_u64().unwrap()..=ends[1].as_u64().unwrap()
                    });
                    own.extend(indexes.zip(number..).map(|(index, number)| (index, event(number))));
                }
                own
            })
        };
        let clients: Vec<_> = (0..100).map(client).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(answers.len(), 700);
    let stored = site.stored();
    for (index, raw) in &answers {
        assert_eq!(stored[*index as usize], (Kind::Event, raw.clone().into_bytes()));
    }
    assert_eq!(stored.iter().filter(|(kind, _)| *kind == Kind::Event).count(), 700);
}

#[test]
fn a_long_body_is_recorded_in_order_and_told_in_full() {
    let site = Site::start();
    let count = 30_000;
    let answer = site.append("", lines(0..count)).ok();
    assert_eq!(answer.span().2, count);
    let ranges = answer.value("ranges");
    let covered: u64 = ranges
        .as_array()
        .unwrap()
        .iter()
        .map(|range| {
            let ends = range.as_array().unwrap();
            ends[1].as_u64().unwrap() - ends[0].as_u64().unwrap() + 1
        })
        .sum();
    assert_eq!(covered, count);
    assert!(event_raws(&site).into_iter().eq((0..count).map(event)));
}
