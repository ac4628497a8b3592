//! Appending to a server that is busy, breaks off, or does not tell the truth.

use std::sync::mpsc::Receiver;

use serde_json::json;

use crate::fake::{Answer, Request, pass_on, serve};
use crate::rig::{Done, Rig, example};

const THREE: &str = "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n";

fn recorded(first: u64, count: u64) -> Answer {
    let last = first + count - 1;
    let body = json!({
        "ledger": "main", "origin": "o", "source": 1, "level": "durable", "count": count, "quarantined": 0,
        "duplicates": 0, "incomplete": 0, "first": first, "last": last, "ranges": [[first, last]],
    });
    Some((200, "", body.to_string().into_bytes()))
}

fn refused(status: u16, kind: &str, members: serde_json::Value) -> Answer {
    let mut body =
        json!({"type": format!("ledgerstone:{kind}"), "title": "refused", "status": status, "detail": "why"});
    body.as_object_mut().unwrap().extend(members.as_object().cloned().unwrap_or_default());
    Some((status, "retry-after: 1\r\n", body.to_string().into_bytes()))
}

/// Appends three records to a server that answers so.
fn append(
    flags: &[&str],
    answer: impl Fn(usize, &Request) -> Answer + Send + 'static,
) -> (Done, Receiver<Request>) {
    let rig = Rig::new();
    rig.write("token", "lst_x");
    rig.write("three.ndjson", THREE);
    let (url, requests) = serve(answer);
    let args = ["append", "three.ndjson", "--token-file", "token", "--server", &url, "--json"];
    (rig.run(&[&args, flags].concat()), requests)
}

fn bodies(requests: &Receiver<Request>) -> Vec<String> {
    requests.try_iter().map(|request| String::from_utf8(request.body).unwrap()).collect()
}

#[test]
fn a_busy_server_is_asked_again() {
    let (done, requests) = append(&[], |number, _| match number {
        0 => refused(429, "busy", json!({})),
        _ => recorded(7, 3),
    });
    let told = done.ok().says("waiting 1 s: why").json();
    assert_eq!(
        (told["first"].as_u64(), told["last"].as_u64(), told["count"].as_u64()),
        (Some(7), Some(9), Some(3))
    );
    let bodies = bodies(&requests);
    assert_eq!((bodies.len(), &bodies[0]), (2, &bodies[1]));
}

#[test]
fn what_was_recorded_before_a_refusal_is_not_sent_again() {
    let (done, requests) = append(&[], |number, _| match number {
        0 => refused(503, "unavailable", json!({"recorded": {"first": 7, "last": 7, "count": 1}})),
        _ => recorded(9, 2),
    });
    let told = done.ok().json();
    assert_eq!(told["ranges"], json!([[7, 7], [9, 10]]));
    assert_eq!(told["count"].as_u64(), Some(3));
    assert_eq!(bodies(&requests)[1], "{\"n\":2}\n{\"n\":3}");
}

#[test]
fn numbers_move_on_with_what_was_recorded() {
    let flags = ["--source", "2", "--epoch", "1", "--sequence", "40"];
    let (done, requests) = append(&flags, |number, _| match number {
        0 => refused(503, "unavailable", json!({"recorded": {"first": 7, "last": 8, "count": 2}})),
        _ => recorded(9, 1),
    });
    done.ok();
    let targets: Vec<String> = requests.try_iter().map(|request| request.target).collect();
    assert!(targets[0].contains("sequence=40") && targets[1].contains("sequence=42"), "{targets:?}");
    assert!(targets.iter().all(|target| target.contains("source=2&epoch=1")), "{targets:?}");
}

#[test]
fn patience_ends_and_what_was_and_was_not_recorded_is_told() {
    let (done, _) = append(&["--patience", "1"], |number, _| match number {
        0 => refused(503, "unavailable", json!({"recorded": {"first": 7, "last": 7, "count": 1}})),
        _ => refused(503, "unavailable", json!({})),
    });
    let told = done
        .code_is(2)
        .says("1 record was recorded, those from record 2 of three.ndjson on were not")
        .says("--skip 1");
    let json = told.json();
    assert_eq!(
        (json["complete"].as_bool(), json["count"].as_u64(), json["in_doubt"].as_u64()),
        (Some(false), Some(1), Some(0))
    );
    assert!(json["error"].is_string());
}

#[test]
fn an_unknown_outcome_is_not_repeated_without_numbers() {
    type Reply = fn(usize, &Request) -> Answer;
    let unknown: Reply = |number, _| match number {
        0 => refused(503, "outcome-unknown", json!({})),
        _ => recorded(7, 3),
    };
    let silent: Reply = |number, _| if number == 0 { None } else { recorded(7, 3) };
    for reply in [unknown, silent] {
        let (done, requests) = append(&[], reply);
        let json = done.code_is(2).says("whether records 1 to 3 of three.ndjson were is unknown").json();
        assert_eq!((json["count"].as_u64(), json["in_doubt"].as_u64()), (Some(0), Some(3)));
        assert_eq!(bodies(&requests).len(), 1);
        // Under its own numbers a record is recorded once, however often it is sent.
        let (done, requests) = append(&["--epoch", "1", "--sequence", "1"], reply);
        assert_eq!(done.ok().json()["count"].as_u64(), Some(3));
        assert_eq!(bodies(&requests).len(), 2);
    }
}

#[test]
fn another_count_than_was_sent_is_no_success() {
    let (done, _) = append(&[], |_, _| recorded(7, 2));
    done.code_is(2).says("another number of records");
    let (done, _) = append(&["--receipts", "r"], |_, _| recorded(7, 3));
    done.code_is(2).says("another number of receipts");
}

#[test]
fn receipts_for_other_bytes_are_found_at_once() {
    // A real server, and one between that changes what is appended.
    let rig = Rig::new();
    let server = rig.up(&[]);
    let real = server.url.clone();
    let (url, _requests) = serve(move |_, request| {
        let body = String::from_utf8(request.body.clone()).unwrap().replace("dana", "mall");
        let (status, answer) = pass_on(&real, request, &body);
        Some((status, "", answer))
    });
    let args = ["append", &example("native.ndjson"), "--receipts", "r", "--server", &url];
    rig.run(&args).code_is(1).says("does not hold").says("did not record what it was sent");
    // Without receipts nobody would know.
    rig.run(&["append", &example("native.ndjson"), "--server", &url]).ok();
}
