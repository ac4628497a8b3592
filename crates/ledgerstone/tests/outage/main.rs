//! The real binary on a disk that fills up, and on one that can't be written any more: what is acknowledged is kept,
//! nothing is acknowledged meanwhile, reading goes on, recording resumes by itself, and the outage is on record.
//!
//! Each test runs itself once more in a mount namespace of its own, so that its mounts end with it, come what may.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail at that line")]
#![expect(clippy::print_stdout, reason = "a test that was not run must say so")]

mod client;
mod mounts;

#[path = "../it/rig.rs"]
#[allow(dead_code, reason = "shared with the other tests, which use more of it")]
mod rig;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use client::{Client, Told};
use rig::{Rig, Server};

/// Appends that must be refused, one after the other, once the first has been: a server that acknowledged what it
/// can't write would do so here.
const REFUSALS: usize = 30;
/// Appends after which a disk without room must have been noticed.
const MANY: usize = 20_000;

#[test]
fn a_full_disk_stops_recording_until_there_is_room() {
    if !mounts::inside("a_full_disk_stops_recording_until_there_is_room") {
        return;
    }
    let rig = Rig::new();
    let disk = rig.path("disk");
    fs::create_dir(&disk).unwrap();
    mounts::mount(&["-t", "tmpfs", "-o", "size=64m", "tmpfs"], &disk);
    let ballast = disk.join("ballast");
    outage(&rig, &mut || fill(&ballast), &mut || fs::remove_file(&ballast).unwrap());
}

/// The kernel remounts nothing read-only that has files open for writing, so a read-only mount of the same directory is
/// put on top of it: from then on nothing there can be opened for writing, created, renamed or removed, while what was
/// open before goes on. That is a disk that is taken away under a running server file by file.
#[test]
fn a_read_only_disk_stops_recording_until_it_can_be_written() {
    if !mounts::inside("a_read_only_disk_stops_recording_until_it_can_be_written") {
        return;
    }
    let rig = Rig::new();
    let disk = rig.path("disk");
    fs::create_dir(&disk).unwrap();
    let cover = || {
        mounts::mount(&["--bind", disk.to_str().unwrap()], &disk);
        mounts::mount(&["-o", "remount,bind,ro"], &disk);
    };
    outage(&rig, &mut || cover(), &mut || mounts::unmount(&disk));
}

/// Appends, has the disk taken away by `begin`, looks at what still works, has it given back by `end`.
fn outage(rig: &Rig, begin: &mut dyn FnMut(), end: &mut dyn FnMut()) {
    rig.write("outage.toml", "[commit]\nheartbeat_s = 3600\n[limits]\nreserve_mib = 1\n");
    let server = rig.up(&["--data", "disk/data", "--keys", "keys", "--settings", "outage.toml"]);
    let mut client = Client::new(&server, &rig.path("disk/data"));
    let before = client.append_until(50, |told| matches!(told, Told::Recorded(_)));
    assert_eq!(before, 50, "a healthy server records");
    client.wait_committed();

    begin();
    // What still fits is recorded, and truly so; from the first refusal on nothing is.
    let fitted = client.append_until(MANY, |told| matches!(told, Told::Recorded(_)));
    assert!(fitted < MANY, "the outage was never noticed");
    let recorded = client.recorded.len();
    for _ in 0..REFUSALS {
        client.append();
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(client.recorded.len(), recorded, "acknowledged while nothing can be written");
    assert!(client.refused >= REFUSALS, "{} refusals", client.refused);

    let health = client.get("/healthz");
    assert_eq!((health.0, health.1["status"].as_str()), (503, Some("suspended")), "{}", health.1);
    reading_goes_on(rig, &server, &client);

    end();
    let back = (0..600).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        client.get("/healthz").0 == 200
    });
    assert!(back, "recording did not resume by itself: {:?}", client.get("/healthz"));
    let after = client.append_until(50, |told| matches!(told, Told::Recorded(_)));
    assert_eq!(after, 50, "recording has resumed");
    client.wait_committed();
    outage_is_on_record(rig, &server);
    client.check_all();
    let (recorded, unknown) = (client.recorded.len() as u64, client.unknown as u64);

    let (exit, log) = server.terminate();
    assert_eq!(exit, Some(0), "{log}");
    let report = rig.run(&["verify", "disk/data", "--keys", "keys", "--json"]).json();
    assert_eq!(report["verdict"], "proven", "{report}");
    let events = report["events"].as_u64().unwrap();
    assert!((recorded..=recorded + unknown).contains(&events), "{events}: {recorded} and {unknown} unknown");
}

fn reading_goes_on(rig: &Rig, server: &Server, client: &Client) {
    let (number, index) = client.recorded[0];
    let data = ["--token-file", "disk/data/admin.token"];
    let ask = |verb: &[&str]| rig.ask(server, &[verb, &data].concat()).ok();
    let (number, index) = (format!("\"number {number} of the client\""), index.to_string());
    ask(&["show", &index]).says("of the client");
    ask(&["search", &number, "--limit", "1"]).says(&index);
    ask(&["prove", &index, "-o", "during.tlog-proof"]);
    rig.run(&["verify", "during.tlog-proof", "--key", &server.vkey()]).ok().says("proven");
}

/// One gap record says that it began, another that it is over.
fn outage_is_on_record(rig: &Rig, server: &Server) {
    let found = rig
        .ask_json(server, &["search", "kind:gap", "--token-file", "disk/data/admin.token", "--limit", "100"]);
    let gaps: Vec<String> = found["hits"].as_array().unwrap().iter().map(ToString::to_string).collect();
    let suspended: Vec<&String> = gaps.iter().filter(|gap| gap.contains("\"suspended\"")).collect();
    assert!(suspended.len() >= 2, "{gaps:?}");
    assert!(suspended.iter().any(|gap| gap.contains("\"to_ms\":")), "{suspended:?}");
}

/// Writes until there is no room at all.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    for size in [1 << 20, 4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}
