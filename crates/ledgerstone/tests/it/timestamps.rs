//! A server whose checkpoints are stamped by an authority that is OpenSSL's, over HTTP.

#[path = "../../../timestamp/tests/it/authority.rs"]
#[expect(dead_code, reason = "the other tests use the rest of it")]
mod authority;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::rig::{Rig, example};
use authority::{EC, Folder, Settings};

/// Answers requests for ever; its address.
fn serve(folder: Arc<Folder>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut line, mut len) = (String::new(), 0);
            while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
                let (name, value) = line.split_once(':').unwrap_or((&line, ""));
                if name.eq_ignore_ascii_case("content-length") {
                    len = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut request = vec![0; len];
            stream.read_exact(&mut request).unwrap();
            let reply = folder.reply(&request, &Settings::new("tsa"));
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/timestamp-reply\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                reply.len()
            );
            stream.get_mut().write_all(&[head.as_bytes(), &reply].concat()).unwrap();
        }
    });
    format!("http://{address}/tsa")
}

#[test]
fn checkpoints_are_stamped_and_verified_by_us_and_by_openssl() {
    let rig = Rig::new();
    let folder = Arc::new(Folder::with_signer(EC, EC));
    let url = serve(folder.clone());
    rig.write("ca.pem", folder.read("ca.pem"));
    rig.write("stranger.pem", {
        folder.root("stranger", EC);
        folder.read("stranger.pem")
    });
    let settings = format!("[timestamp]\nauthorities = [\"{url}\"]\nca = \"../ca.pem\"\ninterval_s = 10\n");
    rig.write("given.toml", settings);
    let server = rig.up(&["--settings", "given.toml"]);
    rig.ask(&server, &["append", &example("native.ndjson")]).ok();
    let token = std::fs::read_to_string(rig.path("ledgerstone-data/admin.token")).unwrap();
    let mut page = String::new();
    for _ in 0..600 {
        let request = ureq::get(format!("{}/metrics", server.url));
        let request = request.header("authorization", format!("Bearer {}", token.trim()));
        page = request.call().unwrap().body_mut().read_to_string().unwrap();
        let stamped = |ledger: &str| {
            let of = format!("ledgerstone_timestamps_total{{ledger=\"{ledger}\"");
            page.lines().any(|line| line.starts_with(&of) && !line.ends_with(" 0"))
        };
        if stamped("main") && stamped("system") {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    assert!(
        page.contains("ledgerstone_timestamp_age_seconds{ledger=\"main\",authority=\"127.0.0.1:"),
        "{page}"
    );
    assert!(page.contains("ledgerstone_timestamp_errors_total{ledger=\"main\""), "{page}");
    // By then there is a newer checkpoint of both, since the tokens are entries: it is stamped at the stop.
    rig.ask(&server, &["append", &example("native.ndjson"), "--wait", "committed"]).ok();
    let (code, log) = server.terminate();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("has time-stamped the checkpoint of"), "{log}");

    let done = rig.run(&["verify", "ledgerstone-data", "--tsa-ca", "ca.pem", "--write-timestamps", "stamps"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.out.contains("main: timestamps verified: "), "{done:?}");
    let done = rig.run(&["verify", "ledgerstone-data"]);
    assert!(done.code == Some(0) && done.out.contains("timestamps are not checked without"), "{done:?}");
    let done = rig.run(&["verify", "ledgerstone-data", "--tsa-ca", "stranger.pem"]);
    assert!(done.code == Some(2) && done.out.contains("timestamps could not be checked"), "{done:?}");

    let bodies: Vec<_> = std::fs::read_dir(rig.path("stamps"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "body"))
        .collect();
    assert!(bodies.len() >= 4, "two ledgers, at the start and at the stop: {bodies:?}: {log}");
    for body in bodies {
        let mut command = Command::new("openssl");
        command.args(["ts", "-verify", "-data"]).arg(&body).arg("-in").arg(body.with_extension("der"));
        let done = command.args(["-token_in", "-CAfile"]).arg(rig.path("ca.pem")).output().unwrap();
        assert!(done.status.success(), "{body:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

#[test]
fn settings_that_can_not_be_used_are_refused() {
    let rig = Rig::new();
    let folder = Folder::with_signer(EC, EC);
    rig.write("leaf.pem", folder.read("tsa.pem"));
    for (settings, why) in [
        ("authorities = [\"http://127.0.0.1:1\"]", "no timestamp.ca"),
        ("ca = \"../leaf.pem\"", "no timestamp.authorities"),
        ("authorities = [\"ftp://a\"]\nca = \"../leaf.pem\"", "http:// or https://"),
        ("authorities = [\"http://127.0.0.1:1\"]\nca = \"../leaf.pem\"", "no certificate is its own issuer"),
        ("authorities = [\"http://127.0.0.1:1\"]\nca = \"ca.pem\"", "inside the data directory"),
    ] {
        rig.write("given.toml", format!("[timestamp]\n{settings}\n"));
        let done = rig.run(&["up", "--listen", "127.0.0.1:0", "--settings", "given.toml"]);
        assert!(done.code == Some(2) && done.err.contains(why), "{settings}: {done:?}");
    }
}
