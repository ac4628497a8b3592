use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use evidence::verify::{Medium, Report, Settings, Verdict, verify_store};

use crate::store;

/// A store in memory with at most one byte changed.
struct Memory<'a> {
    files: &'a BTreeMap<String, Vec<u8>>,
    flip: Option<(&'a str, usize, u8)>,
}

impl Medium for Memory<'_> {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut bytes = self.files.get(path).ok_or(io::ErrorKind::NotFound)?.clone();
        match self.flip {
            Some((file, at, mask)) if file == path => bytes[at] ^= mask,
            _ => {}
        }
        Ok(bytes)
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let bytes = self.read(path)?;
        let range = bytes.get(offset as usize..offset as usize + len);
        Ok(range.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec())
    }

    fn list(&self, dir: &str) -> io::Result<Vec<(String, u64, bool)>> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let mut names = BTreeMap::new();
        for (path, bytes) in self.files.range(prefix.clone()..) {
            let Some(rest) = path.strip_prefix(&prefix) else { break };
            match rest.split_once('/') {
                Some((name, _)) => names.insert(name.to_owned(), (0, true)),
                None => names.insert(rest.to_owned(), (bytes.len() as u64, false)),
            };
        }
        Ok(names.into_iter().map(|(name, (len, dir))| (name, len, dir)).collect())
    }
}

fn load(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut files, mut dirs) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn verify(data: &Memory<'_>, keys: &Memory<'_>) -> Report {
    verify_store(data, Some(keys), &Settings { key: None, threads: 1, progress: &|_, _| {} })
}

/// Goal: no byte under the data or key directory can change unseen (DESIGN I10). Method: change each one in turn,
/// with a mask that differs from byte to byte, and ask for exit 1 and a damage that names the very file.
/// `LEDGERSTONE_FLIP_STEP=n` looks at every n-th byte only.
#[test]
fn every_changed_byte_is_found_and_located() {
    let store = store::build(420);
    let (data, keys) = (load(&store.data()), load(&store.keys()));
    let sound = Memory { files: &data, flip: None };
    let sound_keys = Memory { files: &keys, flip: None };
    let report = verify(&sound, &sound_keys);
    assert_eq!((report.verdict(), &report.damage), (Verdict::Proven, &Vec::new()), "{:?}", report.undecided);

    let step = std::env::var("LEDGERSTONE_FLIP_STEP").ok().and_then(|step| step.parse().ok()).unwrap_or(1);
    let flips: Vec<(bool, &str, usize)> = [(false, &data), (true, &keys)]
        .iter()
        .flat_map(|(key, files)| files.iter().map(move |(path, bytes)| (*key, path.as_str(), bytes.len())))
        .filter(|(_, path, _)| *path != "admin.token")
        .flat_map(|(key, path, len)| (0..len).map(move |at| (key, path, at)))
        .step_by(step)
        .collect();
    let bytes: usize = data.values().map(Vec::len).sum();
    assert!(bytes >= 64 << 10, "the store is too small to mean much: {bytes} bytes");
    let (next, elsewhere) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
    let misses = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(&(key, path, at)) = flips.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let flip = Some((path, at, 1 << (at % 8)));
                    let report = match key {
                        false => verify(&Memory { files: &data, flip }, &sound_keys),
                        true => verify(&sound, &Memory { files: &keys, flip }),
                    };
                    let file = if key { format!("keys:{path}") } else { path.to_owned() };
                    let named = report.damage.iter().any(|damage| damage.file == file);
                    if report.verdict() != Verdict::Disproven || !named {
                        misses
                            .lock()
                            .unwrap()
                            .push(format!("{file} byte {at}: {:?} {:?}", report.damage, report.undecided));
                    }
                    if let Some(other) = report.damage.iter().find(|damage| damage.file != file) {
                        elsewhere.lock().unwrap().insert(format!("{file} also names {}", other.file));
                    }
                }
            });
        }
    });
    let misses = misses.into_inner().unwrap();
    println!("{} bytes changed one at a time in {} files", flips.len(), data.len() + keys.len());
    elsewhere.into_inner().unwrap().iter().for_each(|line| println!("{line}"));
    assert!(misses.is_empty(), "{} misses, such as {:#?}", misses.len(), &misses[..misses.len().min(8)]);
}

/// Missing files are found too, each one.
#[test]
fn every_missing_file_is_found_and_named() {
    let store = store::build(420);
    let (data, keys) = (load(&store.data()), load(&store.keys()));
    let sound_keys = Memory { files: &keys, flip: None };
    for path in
        data.keys().filter(|path| !["admin.token", "reserve", "lock", "tokens"].contains(&path.as_str()))
    {
        let mut less = data.clone();
        less.remove(path);
        let report = verify(&Memory { files: &less, flip: None }, &sound_keys);
        assert_eq!(report.verdict(), Verdict::Disproven, "{path}: {:?}", report.undecided);
        assert!(report.damage.iter().any(|damage| damage.file == *path), "{path}: {:?}", report.damage);
    }
}
