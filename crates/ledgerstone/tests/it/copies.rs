//! Copies of a store whose server was running.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::rig::{Rig, signal};

/// All files below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// What the log holds need not lie in tiles yet: a copy of one moment is whole without them. What neither holds is lost.
#[test]
fn partial_tiles_may_be_missing_as_long_as_the_log_holds_their_entries() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    let events: String = (0..700).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    rig.feed(&server, &["append", "-", "--wait", "committed"], events.as_bytes()).ok();
    signal("STOP", server.pid());
    let copied =
        Command::new("cp").args(["-r", "ledgerstone-data", "copy"]).current_dir(rig.path("")).status();
    signal("CONT", server.pid());
    assert!(copied.unwrap().success());
    let partial = |path: &PathBuf| path.to_string_lossy().contains(".p/");
    for path in files(&rig.path("copy/ledgers")).iter().filter(|path| partial(path)) {
        fs::remove_file(path).unwrap();
    }
    let verify = || rig.run(&["verify", "copy", "--keys", "ledgerstone-data-keys", "--json"]);
    let report = verify().ok().json();
    assert_eq!((report["verdict"].as_str(), report["events"].as_u64()), (Some("proven"), Some(700)));
    // As in a copy whose log was read before its checkpoint: the end of what was acknowledged is nowhere.
    let log = files(&rig.path("copy/wal")).pop().unwrap();
    let file = fs::OpenOptions::new().write(true).open(&log).unwrap();
    file.set_len(fs::metadata(&log).unwrap().len() / 2).unwrap();
    let report = verify().code_is(1).json();
    let damage = report["damage"].to_string();
    assert!(damage.contains("wal/"), "{report:#}");
}
