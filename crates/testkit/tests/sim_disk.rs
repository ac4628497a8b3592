//! The simulated disk is as strict as a real one, and loses exactly what a power cut may take.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io;
use std::sync::Arc;

use storage::{Disk, LocalDisk};
use testkit::fault::{Effect, Error, Lasting};
use testkit::fs::{Fate, Fill};
use testkit::{DATA, FaultDisk, FaultPlan, KEYS, Rng, SimDisk, SimFs, SimHost};

fn host() -> (SimHost, SimDisk) {
    let host = SimHost::boot(SimFs::new(&[DATA, KEYS]));
    let disk = host.disk(DATA);
    (host, disk)
}

/// The disk after a power cut that keeps and loses by `keep`, in the order of what was done.
fn cut(host: &SimHost, keep: &[bool]) -> SimDisk {
    let fs = host.fs();
    assert_eq!(fs.pending(), keep.len(), "things that are not durable");
    let fates: Vec<Fate> = keep.iter().map(|keep| if *keep { Fate::Kept } else { Fate::Lost }).collect();
    SimHost::boot(fs.crash(&fates)).disk(DATA)
}

fn put(disk: &dyn Disk, path: &str, bytes: &[u8]) {
    let mut file = disk.create(path).unwrap();
    file.append(bytes).unwrap();
    file.sync().unwrap();
}

/// What one operation answered, in a form that can be compared between disks.
fn answer<T: std::fmt::Debug>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// A random operation on few paths, so that it often meets what is there.
fn operation(disk: &dyn Disk, rng: &mut Rng) -> String {
    let names = ["a", "b", "d/a", "d/b", "d/e/a", "no/a"];
    let path = names[rng.below(6) as usize];
    let (dir, bytes) = (["", "d", "d/e", "no"][rng.below(4) as usize], rng.next().to_be_bytes());
    let got = match rng.below(11) {
        0 => answer(disk.create(path).and_then(|mut file| {
            file.append(&bytes)?;
            file.sync()
        })),
        1 if !path.starts_with("no") => answer(disk.write(path, &bytes[..4])),
        2 => answer(disk.read(path)),
        3 => answer(disk.read_at(path, 2, rng.below(8) as usize)),
        4 => answer(disk.len(path)),
        5 => answer(disk.list(dir)),
        6 => {
            let other = if path.contains('/') { "d/b" } else { "b" };
            if path.starts_with("d/e") || path.starts_with("no") || path == other {
                return String::new();
            }
            answer(disk.rename(path, other))
        }
        7 => answer(disk.remove(path)),
        8 if dir != "no" && !dir.is_empty() => answer(disk.create_dir(dir)),
        9 => answer(disk.sync_dir(dir)),
        _ if dir == "d/e" => answer(disk.remove_dir(dir)),
        _ => answer(disk.sync_all()),
    };
    format!("{path} {dir}: {got}")
}

#[test]
fn answers_are_those_of_a_real_directory() {
    for seed in 0..40 {
        let (_, sim) = host();
        let real = tempfile::tempdir().unwrap();
        let real = LocalDisk::open(&real.path().join("x")).unwrap();
        let (mut ours, mut theirs) = (Rng::new(seed), Rng::new(seed));
        for step in 0..60 {
            let (ours, theirs) = (operation(&sim, &mut ours), operation(&real, &mut theirs));
            assert_eq!(ours, theirs, "seed {seed}, step {step}");
        }
    }
}

#[test]
fn bytes_are_durable_after_a_sync_and_names_after_a_sync_of_their_directory() {
    let (host, disk) = host();
    put(&disk, "a", b"synced");
    // The bytes are durable, the name is not.
    assert_eq!(answer(cut(&host, &[false]).read("a")), "NotFound");
    assert_eq!(cut(&host, &[true]).read("a").unwrap(), b"synced");
    disk.sync_dir("").unwrap();
    assert_eq!(cut(&host, &[]).read("a").unwrap(), b"synced");
    let mut file = disk.create("b").unwrap();
    file.append(b"one").unwrap();
    file.append(b"two").unwrap();
    disk.sync_dir("").unwrap();
    // Later writes may overtake earlier ones: the hole reads as zeros.
    assert_eq!(cut(&host, &[false, true]).read("b").unwrap(), b"\0\0\0two");
    assert_eq!(cut(&host, &[true, false]).read("b").unwrap(), b"one");
    assert_eq!(cut(&host, &[false, false]).read("b").unwrap(), b"");
    disk.sync_all().unwrap();
    assert_eq!(cut(&host, &[]).read("b").unwrap(), b"onetwo");
}

#[test]
fn a_rename_is_one_change_and_keeps_the_old_file_until_it_is_durable() {
    let (host, disk) = host();
    put(&disk, "a", b"old");
    disk.sync_dir("").unwrap();
    put(&disk, "a.tmp", b"new");
    disk.rename("a.tmp", "a").unwrap();
    // The name a.tmp, then the rename.
    let read = |keep: [bool; 2]| {
        let disk = cut(&host, &keep);
        (disk.read("a").unwrap(), disk.read("a.tmp").ok())
    };
    assert_eq!(read([false, false]), (b"old".to_vec(), None));
    assert_eq!(read([true, false]), (b"old".to_vec(), Some(b"new".to_vec())));
    assert_eq!(read([true, true]), (b"new".to_vec(), None));
    assert_eq!(read([false, true]), (b"new".to_vec(), None));
}

#[test]
fn a_lost_directory_takes_everything_with_it() {
    let (host, disk) = host();
    disk.write("t/x/a", b"tile").unwrap();
    // t, t/x, the name a, its bytes.
    assert_eq!(answer(cut(&host, &[false, true, true, true]).read("t/x/a")), "NotFound");
    assert_eq!(cut(&host, &[true, true, true, true]).read("t/x/a").unwrap(), b"tile");
    disk.create_dir("t/x").unwrap();
    assert_eq!(cut(&host, &[false, true]).list("t/x").unwrap(), []);
    assert_eq!(cut(&host, &[true, false]).read("t/x/a").unwrap(), b"");
}

#[test]
fn a_removal_may_come_undone() {
    let (host, disk) = host();
    put(&disk, "d", b"removed");
    disk.sync_dir("").unwrap();
    disk.remove("d").unwrap();
    assert_eq!(cut(&host, &[false]).read("d").unwrap(), b"removed");
    assert_eq!(answer(cut(&host, &[true]).read("d")), "NotFound");
    assert_eq!(answer(disk.read("d")), "NotFound", "nobody reads a removed file");
}

#[test]
fn a_torn_write_leaves_what_was_synced_before_it_and_whole_sectors_of_its_own() {
    let (host, disk) = host();
    let mut file = disk.create("a").unwrap();
    file.append(&[7; 700]).unwrap();
    file.sync().unwrap();
    disk.sync_dir("").unwrap();
    file.append(&[9; 3000]).unwrap();
    let (mut shorter, mut partial) = (0, 0);
    for seed in 0..200 {
        for fill in [Fill::Old, Fill::Zeros, Fill::Noise, Fill::Stale] {
            let fs = host.fs().crash(&[Fate::Torn { sector: 512, fill, seed }]);
            let bytes = SimHost::boot(fs).disk(DATA).read("a").unwrap();
            assert!(bytes.len() >= 700 && bytes.len() <= 3700, "{}", bytes.len());
            assert!(bytes[..700].iter().all(|byte| *byte == 7), "synced bytes changed");
            let sectors: Vec<bool> = bytes
                .get(1024..)
                .unwrap_or_default()
                .chunks(512)
                .map(|sector| sector.iter().all(|byte| *byte == 9))
                .collect();
            shorter += usize::from(bytes.len() < 3700);
            partial += usize::from(sectors.contains(&true) && sectors.contains(&false));
        }
    }
    assert!(shorter > 50 && partial > 200, "{shorter} shorter, {partial} torn");
}

#[test]
fn a_failed_sync_drops_the_pages_for_good() {
    let (host, disk) = host();
    let plan = FaultPlan::new(3, Error::Eio, Lasting::Once, Effect::Failed);
    let faulty = FaultDisk::new(disk.clone(), plan);
    let mut file = faulty.create("a").unwrap();
    file.append(b"lost").unwrap();
    assert_eq!(file.sync().unwrap_err().raw_os_error(), Some(5));
    file.append(b"kept").unwrap();
    file.sync().unwrap();
    disk.sync_dir("").unwrap();
    assert_eq!(disk.read("a").unwrap(), b"lostkept", "the page cache shows it");
    assert_eq!(disk.read_medium("a", 0, 8).unwrap(), b"\0\0\0\0kept", "the medium never got it");
    host.evict();
    assert_eq!(disk.read("a").unwrap(), b"\0\0\0\0kept");
    assert_eq!(cut(&host, &[]).read("a").unwrap(), b"\0\0\0\0kept");
}

#[test]
fn faults_have_the_effect_that_was_planned() {
    let run = |at, error, lasting, effect| {
        let (_, disk) = host();
        let plan = FaultPlan::new(at, error, lasting, effect);
        let faulty = FaultDisk::new(disk.clone(), plan.clone());
        let first = answer(faulty.write("a", b"12345678"));
        let second = answer(faulty.write("b", b"12345678"));
        assert!(plan.fired());
        (first, disk.read("a").ok(), second)
    };
    use Effect::{Failed, Stored};
    use Lasting::{ForEver, Once};
    let ok = || "()".to_owned();
    let full = || "StorageFull".to_owned();
    assert_eq!(run(1, Error::Enospc, Once, Failed), (full(), None, ok()));
    assert_eq!(run(1, Error::Enospc, ForEver, Failed), (full(), None, full()));
    assert_eq!(run(1, Error::Enospc, Once, Stored), (full(), Some(b"12345678".to_vec()), ok()));
    assert_eq!(run(1, Error::Short, Once, Failed), (full(), Some(b"1234".to_vec()), ok()));
    assert_eq!(run(2, Error::Enospc, Once, Failed), (ok(), Some(b"12345678".to_vec()), full()));
    assert_eq!(run(1, Error::Eintr, Once, Failed).0, "Interrupted");
}

#[test]
#[should_panic(expected = "bytes taken for durable that were never synced")]
fn nobody_reads_unsynced_bytes_from_the_medium() {
    let (_, disk) = host();
    let mut file = disk.create("a").unwrap();
    file.append(b"synced").unwrap();
    file.sync().unwrap();
    disk.sync_dir("").unwrap();
    file.append(b"not").unwrap();
    assert_eq!(disk.read_medium("a", 0, 6).unwrap(), b"synced");
    drop(disk.read_medium("a", 0, 7));
}

#[test]
#[should_panic(expected = "a power cut may take the name")]
fn nobody_reads_a_file_whose_name_is_not_durable_from_the_medium() {
    let (_, disk) = host();
    put(&disk, "a", b"synced");
    drop(disk.read_medium("a", 0, 6));
}

#[test]
fn a_history_leads_to_the_same_state_again() {
    let (host, disk) = host();
    let mut rng = Rng::new(5);
    (0..200).for_each(|_| drop(operation(&disk, &mut rng)));
    let mut fs = SimFs::new(&[DATA, KEYS]);
    host.history().iter().for_each(|op| fs.apply(op));
    assert_eq!(fs.pending(), host.fs().pending());
    let again = Arc::new(SimHost::boot(fs).disk(DATA));
    for dir in ["", "d", "d/e"] {
        assert_eq!(again.list(dir).unwrap(), disk.list(dir).unwrap());
        for entry in disk.list(dir).unwrap().into_iter().filter(|entry| !entry.dir) {
            let path = if dir.is_empty() { entry.name } else { format!("{dir}/{}", entry.name) };
            assert_eq!(again.read(&path).unwrap(), disk.read(&path).unwrap());
        }
    }
}
