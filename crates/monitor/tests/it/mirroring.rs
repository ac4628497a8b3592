use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use monitor::{FetchError, Kind, Mirror, Source, Tree, Walked, walk};
use net::NetError;
use storage::LocalDisk;

use crate::log::{Bench, History, key, kinds};

/// Brings a mirror to what the log shows.
fn sync(bench: &Bench, disk: &LocalDisk) -> Result<Walked, FetchError> {
    let mirror = Mirror::new(disk, "mirror");
    let near = mirror.source();
    let (checkpoint, note) = bench.watch(Some(&near), |watch| watch.round()).unwrap().accepted.unwrap();
    let source = bench.source();
    let keys = [key().verifying_key().clone()];
    let from = mirror.checkpoint(key().name(), &keys).unwrap().map_or(0, |checkpoint| checkpoint.size);
    let tree = Tree::open(&source, Some(&near), checkpoint.size, checkpoint.root).unwrap();
    mirror.sync(&tree, from, &note, &|_| {})
}

/// Goes through a mirror as through any log.
fn audit(history: &History, size: u64, disk: &LocalDisk) -> Walked {
    let mirror = Mirror::new(disk, "mirror");
    let source = mirror.source();
    let checkpoint = history.checkpoint(size);
    let tree = Tree::open(&source, None, size, checkpoint.root).unwrap();
    walk(&tree, 0, &|_, _| Ok(()), &|_| {}).unwrap()
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_string_lossy().into_owned();
                out.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    out
}

fn expected(history: &History, size: u64) -> BTreeMap<String, Vec<u8>> {
    let mut files: BTreeMap<_, _> = history.resources(size).into_iter().collect();
    files.insert("checkpoint".to_owned(), history.signed(size).into_bytes());
    files
}

#[test]
fn a_mirror_is_what_the_log_is_at_every_size() {
    let history = History::of(66_000);
    for sizes in [&[0_u64, 1, 255, 256, 257, 300][..], &[1000, 65_536], &[65_535, 65_537, 66_000]] {
        let bench = Bench::new();
        let disk = LocalDisk::open_public(&bench.dir.path().join("mirror")).unwrap();
        for size in sizes {
            bench.show(&history, *size);
            let walked = sync(&bench, &disk).unwrap();
            assert!(walked.bad.is_empty(), "{size}: {:?}", walked.bad);
            let there = files(disk.root());
            for (path, bytes) in expected(&history, *size) {
                assert_eq!(there.get(&path), Some(&bytes), "{size}: {path}");
            }
            assert_eq!(audit(&history, *size, &disk).entries, *size);
        }
        // Partial tiles that became full are gone; nothing but C2SP paths is there.
        for path in files(disk.root()).keys().filter(|path| path.contains(".p/")) {
            let full = path.split(".p/").next().unwrap();
            assert!(!disk.root().join(full).exists(), "{path}");
        }
    }
}

#[test]
fn what_was_broken_off_goes_on_where_it_was() {
    let history = History::of(20_000);
    let bench = Bench::new();
    let disk = LocalDisk::open_public(&bench.dir.path().join("mirror")).unwrap();
    bench.show(&history, 20_000);
    bench.net.once("tile/entries/040", Err(NetError::Broken { url: String::new(), why: "cut".to_owned() }));
    assert!(matches!(sync(&bench, &disk), Err(FetchError::Net(_))));
    assert!(!disk.root().join("checkpoint").exists());
    let before = files(disk.root()).len();
    assert!(before > 20, "{before}");
    // A file that was cut off by a power cut is fetched again.
    std::fs::write(disk.root().join("tile/entries/003"), b"half").unwrap();
    std::fs::write(disk.root().join("tile/0/004"), b"").unwrap();
    let asked = bench.net.calls().len();
    assert!(sync(&bench, &disk).unwrap().bad.is_empty());
    let again = bench.net.calls()[asked..].iter().filter(|call| call.url.contains("tile/entries/0")).count();
    assert!(again < 78, "{again} of 79 bundles were fetched again");
    assert_eq!(audit(&history, 20_000, &disk).entries, 20_000);
}

#[test]
fn an_altered_missing_or_huge_resource_is_found_named_and_not_copied() {
    let history = History::of(1000);
    let whole = expected(&history, 1000);
    for path in
        ["tile/entries/001", "tile/entries/003.p/232", "tile/0/002", "tile/0/003.p/232", "tile/1/000.p/3"]
    {
        let bytes = whole[path].clone();
        let mut altered = bytes.clone();
        altered[bytes.len() / 2] ^= 1;
        let cut = bytes[..bytes.len() - 1].to_vec();
        let huge = vec![0; 20 << 20];
        for (name, bytes) in
            [("altered", Some(altered)), ("cut", Some(cut)), ("huge", Some(huge)), ("gone", None)]
        {
            let bench = Bench::new();
            let disk = LocalDisk::open_public(&bench.dir.path().join("mirror")).unwrap();
            bench.show(&history, 1000);
            bench.remove(path);
            if let Some(bytes) = bytes {
                bench.put(path, bytes);
            }
            if path.contains("0/003.p") || path.contains("tile/1/") {
                // Without the edge there is no tree at all: the watch itself tells.
                let found = bench.kinds();
                assert_eq!(found, [Kind::Damage], "{name} {path}");
                continue;
            }
            let walked = sync(&bench, &disk).unwrap();
            assert_eq!(walked.bad.len(), 1, "{name} {path}: {:?}", walked.bad);
            assert!(walked.bad[0].path == path, "{name} {path}: {:?}", walked.bad[0].path);
            assert!(!disk.root().join("checkpoint").exists() && !disk.root().join(path).exists());
            assert!(disk.root().join("tile/entries/000").exists());
        }
    }
}

#[test]
fn a_changed_entry_is_named_by_its_index() {
    let history = History::of(600);
    let bench = Bench::new();
    let disk = LocalDisk::open_public(&bench.dir.path().join("mirror")).unwrap();
    bench.show(&history, 600);
    sync(&bench, &disk).unwrap();
    let changed = history.clone().with(300, b"changed after the fact").resources(600);
    let (path, bytes) = changed.into_iter().find(|(path, _)| path == "tile/entries/001").unwrap();
    std::fs::write(disk.root().join(path), bytes).unwrap();
    let walked = audit(&history, 600, &disk);
    assert_eq!(walked.bad.len(), 1);
    assert!(walked.bad[0].to_string().contains("entry 300 is not the one in the tree"), "{}", walked.bad[0]);
    assert_eq!(walked.entries, 344);
}

#[test]
fn with_a_mirror_a_log_that_lost_its_tiles_is_shown_to_have_another_past() {
    let history = History::of(600);
    let bench = Bench::new();
    let disk = LocalDisk::open_public(&bench.dir.path().join("mirror")).unwrap();
    bench.show(&history, 600);
    sync(&bench, &disk).unwrap();
    history.resources(600).iter().for_each(|(path, _)| bench.remove(path));
    bench.show(&history.with(2, b"x"), 10);
    let mirror = Mirror::new(&disk, "mirror");
    let near = mirror.source();
    let round = bench.watch(Some(&near), |watch| watch.round()).unwrap();
    assert_eq!(kinds(&round.findings), [Kind::Fork]);
}

#[test]
fn progress_counts_to_the_end() {
    let history = History::of(600);
    let bench = Bench::new();
    bench.show(&history, 600);
    let source = bench.source();
    let checkpoint = history.checkpoint(600);
    let tree = Tree::open(&source, None, checkpoint.size, checkpoint.root).unwrap();
    let last = AtomicU64::new(0);
    walk(&tree, 0, &|_, _| Ok(()), &|done| {
        last.fetch_max(done, Ordering::Relaxed);
    })
    .unwrap();
    assert_eq!(last.into_inner(), 600);
    assert_eq!(source.name(), crate::log::PREFIX);
}
