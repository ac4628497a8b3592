//! Starting: never from nothing where something was cosigned.

use storage::Disk;
use testkit::{SimFs, SimHost};
use tlog::origin_hash;
use witness::OpenError;

use crate::logs::{Log, ORIGIN, Site};

fn state_file() -> String {
    format!("log-{}", origin_hash(ORIGIN))
}

/// A witness that has cosigned, switched off.
fn used() -> (Log, SimFs) {
    let log = Log::new(ORIGIN, 40);
    let site = Site::new(&[log.vkey()]);
    site.cosigned(&log, 0, 9);
    (log, site.host.fs())
}

fn refused(fs: SimFs, log: &Log) -> String {
    match Site::on(SimHost::boot(fs), &[log.vkey()]) {
        Err(OpenError::Damaged { file, what }) => format!("{file}: {what}"),
        Err(other) => panic!("{other}"),
        Ok(site) => panic!("it started, at {:?}", site.size(ORIGIN)),
    }
}

#[test]
fn a_file_that_is_gone_is_damage() {
    let (log, fs) = used();
    for file in ["witness", "key", &state_file()] {
        let host = SimHost::boot(fs.clone());
        host.disk("w").remove(file).unwrap();
        refused(host.fs(), &log);
    }
    // Two of three, too: only when nothing at all is left it is a new witness, with a new key.
    for files in [["witness", "key"], ["witness", &state_file()], ["key", &state_file()]] {
        let host = SimHost::boot(fs.clone());
        files.iter().for_each(|file| host.disk("w").remove(file).unwrap());
        refused(host.fs(), &log);
    }
}

#[test]
fn any_changed_byte_is_damage() {
    let (log, fs) = used();
    for file in ["witness", "key", &state_file()] {
        let bytes = fs.read(&format!("w/{file}")).unwrap().clone();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            let host = SimHost::boot(fs.clone());
            host.disk("w").write(file, &changed).unwrap();
            let told = refused(host.fs(), &log);
            assert!(told.contains(file), "{told}");
        }
        for len in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            let host = SimHost::boot(fs.clone());
            host.disk("w").write(file, &bytes[..len]).unwrap();
            refused(host.fs(), &log);
        }
    }
}

/// The state of one log under the name of another, and that of another witness.
#[test]
fn a_file_that_belongs_elsewhere_is_damage() {
    let (a, b) = (Log::new(ORIGIN, 40), Log::new("example.com/b", 40));
    let keys = [a.vkey(), b.vkey()];
    let site = Site::new(&keys);
    site.cosigned(&a, 0, 9);
    site.cosigned(&b, 0, 12);
    let fs = site.host.fs();
    let swapped = fs.read(&format!("w/{}", state_file())).unwrap().clone();
    let host = SimHost::boot(fs.clone());
    host.disk("w").write(&format!("log-{}", origin_hash("example.com/b")), &swapped).unwrap();
    assert!(matches!(Site::on(host, &keys), Err(OpenError::Damaged { .. })));
    // An older list that lacks a log of which something was cosigned.
    let first = Site::new(&[a.vkey()]);
    let list = first.host.fs().read("w/witness").unwrap().clone();
    let host = SimHost::boot(fs);
    host.disk("w").write("witness", &list).unwrap();
    assert!(matches!(Site::on(host, &keys), Err(OpenError::Damaged { .. })));
}

#[test]
fn logs_come_and_go_and_what_was_cosigned_stays() {
    let (a, b) = (Log::new(ORIGIN, 40), Log::new("example.com/b", 40));
    let site = Site::new(&[a.vkey()]);
    site.cosigned(&a, 0, 9);
    let site = site.restart(&[b.vkey()]).unwrap();
    assert_eq!(site.add(&a.request(9, 20)).status(), 404);
    assert!(site.witness.latest(&origin_hash(ORIGIN)).is_some(), "it is still served");
    site.cosigned(&b, 0, 12);
    let site = site.restart(&[a.vkey(), b.vkey()]).unwrap();
    assert_eq!(site.add(&a.request(0, 20)).status(), 409);
    site.cosigned(&a, 9, 20);
    site.cosigned(&b, 12, 20);
    let site = site.restart(&[]).unwrap();
    assert_eq!(site.size(ORIGIN), Some(20));
}

/// What it can't notice, see docs/witness.md: a directory that is older as a whole. It then cosigns what extends the
/// older state, a fork included; whoever kept its newer cosignature can show both.
#[test]
fn a_directory_restored_from_a_backup_is_not_noticed_here_but_by_the_log() {
    let log = Log::new(ORIGIN, 40);
    let site = Site::new(&[log.vkey()]);
    site.cosigned(&log, 0, 9);
    let backup = site.host.fs();
    site.cosigned(&log, 9, 20);
    let restored = Site::on(SimHost::boot(backup), &[log.vkey()]).unwrap();
    // An honest log that asks from where it was is told a smaller size than was cosigned for it.
    assert_eq!(restored.add(&log.request(20, 40)), witness::Answer::Conflict(9));
    restored.cosigned(&log, 9, 40);
    // A dishonest one gets a fork cosigned below the size that was forgotten, and never below the backup.
    let again = Site::on(SimHost::boot(restored.host.fs()), &[log.vkey()]).unwrap();
    assert_eq!(again.add(&log.forked(30).request(40, 40)).status(), 422);
}

#[test]
fn a_name_is_needed_once_and_must_stay() {
    let env = std::sync::Arc::new(testkit::SimEnv::new(1, 5000));
    let host = SimHost::boot(SimFs::new(&["w"]));
    let open = |name: Option<&str>| {
        let disk = std::sync::Arc::new(host.disk("w"));
        witness::Witness::open(disk, name, &[], env.clone(), Box::new(|_| {}))
    };
    assert!(matches!(open(None), Err(OpenError::NameMissing)));
    assert!(matches!(open(Some("a b")), Err(OpenError::BadName(_))));
    let vkey = open(Some("witness.example/w")).unwrap().vkey().clone();
    assert_eq!(open(None).unwrap().vkey(), &vkey);
    match open(Some("witness.example/other")) {
        Err(OpenError::OtherName { found }) => assert_eq!(found, "witness.example/w"),
        _ => panic!("it has another name"),
    }
}
