//! Verifying a server that shows something else than it recorded: a real one, with another between that changes one
//! answer.

use serde_json::Value;

use crate::fake::{pass_on, serve};
use crate::rig::{Rig, Server};

/// A store with two full bundles and a partial one.
fn filled(rig: &Rig) -> Server {
    let server = rig.up(&[]);
    let line = "{\"actor\":{\"user\":{\"name\":\"alice\"}},\"api\":{\"operation\":\"read\"}}\n";
    rig.write("many.ndjson", line.repeat(600));
    rig.ask(&server, &["append", "many.ndjson", "--wait", "committed"]).ok();
    server
}

/// The report on a server, of whose answers to paths that contain `path` one byte is changed.
fn verify(
    rig: &Rig,
    server: &Server,
    path: &'static str,
    change: impl Fn(&mut Vec<u8>) + Send + 'static,
) -> (i32, Value) {
    let real = server.url.clone();
    let (url, _requests) = serve(move |_, request| {
        let (status, mut body) = pass_on(&real, request, "");
        if request.target.contains(path) {
            change(&mut body);
        }
        Some((status, "", body))
    });
    let done = rig.run(&["verify", &url, "--key", &server.vkey(), "--json"]);
    (done.code.unwrap(), done.json())
}

#[track_caller]
fn check_disproven(
    path: &'static str,
    change: impl Fn(&mut Vec<u8>) + Send + 'static,
    kind: &str,
    index: Option<u64>,
) {
    let rig = Rig::new();
    let server = filled(&rig);
    let (code, report) = verify(&rig, &server, path, change);
    assert_eq!((code, report["verdict"].as_str()), (1, Some("disproven")), "{path}: {report}");
    let damage = report["damage"].as_array().unwrap();
    let told = damage.iter().any(|damage| {
        damage["kind"] == kind && index.is_none_or(|index| damage["first_index"].as_u64() == Some(index))
    });
    assert!(told, "{path}: {kind} {index:?} is not in {report}");
}

#[test]
fn an_honest_answer_passed_on_is_proven() {
    let rig = Rig::new();
    let server = filled(&rig);
    let (code, report) = verify(&rig, &server, "/never", |_| {});
    assert_eq!(
        (code, report["verdict"].as_str(), report["anchor"].as_str()),
        (0, Some("proven"), Some("key"))
    );
}

#[test]
fn a_changed_entry() {
    // The commitment of the 6th entry of the 2nd bundle: two bytes of length and 58 of entry each.
    check_disproven("/tile/entries/001", |body| body[60 * 5 + 40] ^= 1, "payload", Some(261));
    check_disproven("/tile/entries/001", |body| body[60 * 5 + 40] ^= 1, "hash", None);
}

#[test]
fn a_changed_tile() {
    check_disproven("/tile/0/000", |body| body[10] ^= 1, "hash", None);
    check_disproven("/tile/1/", |body| body[0] ^= 1, "hash", None);
}

#[test]
fn a_changed_payload() {
    let change = |body: &mut Vec<u8>| {
        // The last facet of the first record of the answer: what was received.
        let end = body.iter().position(|byte| *byte == b'\n').unwrap();
        let at = end - 12;
        body[at] = if body[at] == b'A' { b'B' } else { b'A' };
    };
    check_disproven("/records?from=0", change, "payload", Some(0));
}

#[test]
fn a_changed_checkpoint() {
    // Its size, and a byte of its signature.
    let size = |body: &mut Vec<u8>| {
        let at = body.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        body[at] = if body[at] == b'9' { b'8' } else { body[at] + 1 };
    };
    check_disproven("/checkpoint", size, "signature", None);
}

#[test]
fn an_answer_that_is_cut_off_decides_nothing() {
    let rig = Rig::new();
    let server = filled(&rig);
    let real = server.url.clone();
    let (url, _requests) = serve(move |_, request| {
        let (status, mut body) = pass_on(&real, request, "");
        if request.target.contains("/records") {
            body.truncate(body.len() / 2);
        }
        Some((status, "", body))
    });
    rig.run(&["verify", &url]).code_is(2);
}
