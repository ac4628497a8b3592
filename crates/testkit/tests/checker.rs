//! The checker finds what the campaigns rely on it to find: each promise broken on purpose, and changed bytes in every
//! kind of file.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use storage::Disk;
use testkit::campaign::START;
use testkit::check::{Checker, Summary, Violation};
use testkit::fault::{Effect, Error, Lasting};
use testkit::fs::SimFs;
use testkit::{DATA, Driver, Expected, FaultDisk, FaultPlan, KEYS, Rng, SimHost, Told};
use tlog::hash::Hash;

/// A store with every kind of file, a torn tail that was set aside included.
struct Store {
    fs: SimFs,
    expected: Expected,
}

impl Store {
    fn make() -> Self {
        // Where the append is that is to be torn, the first run tells.
        let count = Self::run(FaultPlan::none()).1.count();
        let plan = FaultPlan::new(count + 1, Error::Short, Lasting::Once, Effect::Failed);
        let (host, plan, mut driver) = Self::run(plan);
        let batch = driver.append(0, 5).unwrap();
        assert!(driver.commit(vec![batch]).is_err() && plan.fired());
        driver.open().unwrap();
        driver.carry_on(false).unwrap();
        Self { fs: host.fs(), expected: driver.expected.clone() }
    }

    fn run(plan: Arc<FaultPlan>) -> (SimHost, Arc<FaultPlan>, Driver) {
        let host = SimHost::boot(SimFs::new(&[DATA, KEYS]));
        let disk = |root| Arc::new(FaultDisk::new(host.disk(root), plan.clone())) as Arc<dyn Disk>;
        let mut driver = Driver::new(&host, (disk(DATA), disk(KEYS)), 7, START, Expected::default());
        driver.open().unwrap();
        let open = driver.open_source();
        driver.commit(vec![open]).unwrap();
        while driver.core().unwrap().reads().progress(0).durable < 300 {
            let batch = driver.append(0, 9).unwrap();
            driver.commit(vec![batch]).unwrap();
        }
        driver.publish().unwrap();
        driver.seal(true).unwrap();
        (host, plan, driver)
    }

    fn check(&self, host: &SimHost) -> Result<Summary, Violation> {
        let (data, keys) = host.disks();
        Checker::new().check(data.as_ref(), keys.as_ref(), &self.expected)
    }

    /// Checks the store after something was done to its files.
    fn after(&self, sabotage: impl FnOnce(&dyn Disk, &dyn Disk)) -> Result<Summary, Violation> {
        let host = SimHost::boot(self.fs.clone());
        let (data, keys) = host.disks();
        sabotage(data.as_ref(), keys.as_ref());
        self.check(&host)
    }

    /// Checks the store against something else than what happened.
    fn against(&self, change: impl FnOnce(&mut testkit::ExpectedLedger)) -> String {
        let mut other = Self { fs: self.fs.clone(), expected: self.expected.clone() };
        change(other.expected.0.get_mut("alpha").unwrap());
        other.after(|_, _| ()).unwrap_err().to_string()
    }
}

/// Every file of a disk with its length.
fn files(disk: &dyn Disk, dir: &str) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for entry in disk.list(dir).unwrap() {
        let path = if dir.is_empty() { entry.name } else { format!("{dir}/{}", entry.name) };
        match entry.dir {
            true => found.extend(files(disk, &path)),
            false => found.push((path, entry.len)),
        }
    }
    found
}

#[test]
fn a_sound_store_passes_and_has_every_kind_of_file() {
    let summary = Store::make().after(|_, _| ()).unwrap();
    assert_eq!(summary.set_aside, 1);
    assert!(summary.wal_files > 1, "{summary:?}");
    let (entries, sealed, published) = summary.ledgers["alpha"];
    assert!(sealed == 256 && entries > 300 && published == entries, "{summary:?}");
}

#[test]
fn a_changed_byte_of_any_file_is_found() {
    let store = Store::make();
    let host = SimHost::boot(store.fs.clone());
    let (data, keys) = host.disks();
    let mut rng = Rng::new(11);
    let mut kinds = 0;
    for (disk, root) in [(&data, DATA), (&keys, KEYS)] {
        for (path, len) in files(disk.as_ref(), "") {
            kinds += 1;
            let sampled = (0..30).map(|_| rng.below(len)).chain([0, len - 1]);
            for at in sampled {
                let flip = |data: &dyn Disk, keys: &dyn Disk| {
                    let disk = if root == DATA { data } else { keys };
                    let mut bytes = disk.read(&path).unwrap();
                    bytes[at as usize] ^= 1 << (at % 8);
                    disk.write(&path, &bytes).unwrap();
                };
                let checked = store.after(flip);
                assert!(checked.is_err(), "{root}/{path}, byte {at} of {len}");
            }
        }
    }
    assert!(kinds > 20, "{kinds} files");
}

#[test]
fn a_missing_file_is_found() {
    let store = Store::make();
    let host = SimHost::boot(store.fs.clone());
    for (path, _) in files(&host.disk(DATA), "") {
        assert!(store.after(|data, _| data.remove(&path).unwrap()).is_err(), "{path}");
    }
}

#[test]
fn a_file_that_nothing_accounts_for_is_found() {
    let store = Store::make();
    for path in [
        "register.tmp",
        "ledgers/alpha/checkpoint.tmp",
        "ledgers/gamma",
        "ledgers/alpha/tile/0/000.p/9",
        "ledgers/alpha/tile/0/x",
        "ledgers/alpha/segment/events/00000000000000000512-00000000000000000768.0",
        "set-aside/0000000000000009-0000000000000009.torn",
        "wal/0000000000000099.wal",
        "wal/0000000000000099.wal.tmp",
    ] {
        assert!(store.after(|data, _| data.write(path, b"stray").unwrap()).is_err(), "{path}");
    }
}

#[test]
fn broken_promises_are_found() {
    let store = Store::make();
    let some = store.expected.0["alpha"].events.iter().find(|(_, (_, told))| matches!(told, Told::At(..)));
    let (raw, (event, told)) = some.map(|(raw, known)| (raw.clone(), known.clone())).unwrap();
    let Told::At(index, entry) = told else { panic!("found above") };
    let tell =
        |told: Told| store.against(|ledger| drop(ledger.events.insert(raw.clone(), (event.clone(), told))));

    let lost = store.against(|ledger| {
        let gone = testkit::Event::make(1, 10, &mut Rng::new(1));
        ledger.events.insert(gone.raw.clone(), (Arc::new(gone), Told::Durable));
    });
    assert!(lost.contains("lost"), "{lost}");
    let moved = tell(Told::At(index + 1, entry));
    assert!(moved.contains("its receipt says"), "{moved}");
    let mut other = entry;
    other[57] ^= 1;
    let changed = tell(Told::At(index, other));
    assert!(changed.contains("its receipt says"), "{changed}");
    let refused = tell(Told::Refused);
    assert!(refused.contains("it was refused"), "{refused}");
    let invented = store.against(|ledger| drop(ledger.events.remove(&raw)));
    assert!(invented.contains("nobody handed this in"), "{invented}");
    let altered = store.against(|ledger| {
        let mut altered = event.as_ref().clone();
        altered.draft.who = b"{\"actor\":{}}".to_vec();
        ledger.events.insert(raw.clone(), (Arc::new(altered), told));
    });
    assert!(altered.contains("not as it was handed in"), "{altered}");
    let forked = store.against(|ledger| ledger.notes.push((200, Hash::from_bytes([1; 32]))));
    assert!(forked.contains("another tree of this size"), "{forked}");
    let ahead = store.against(|ledger| ledger.notes.push((2000, Hash::from_bytes([1; 32]))));
    assert!(ahead.contains("covers entries that are gone"), "{ahead}");
    let silent = store.against(|ledger| ledger.down.push((START.latest_ms, START.latest_ms + 3_600_000)));
    assert!(silent.contains("no record says so"), "{silent}");
    let unopened = store.against(|ledger| {
        ledger.opened.insert(40, (9, 1));
    });
    assert!(unopened.contains("source (9, 1)"), "{unopened}");
}
