use super::*;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use env::SystemEnv;
use tempfile::TempDir;

use crate::testing::{nothing_starts, spawn};

const SEGMENT: &str = "ledgers/main/segment/events/00000000000000000000-00000000000000000256.0";

struct Rig {
    dir: TempDir,
    watch: Option<Watch>,
    told: Receiver<Foreign>,
}

impl Rig {
    fn start(choose: impl Fn(&[Root]) -> Option<Chosen>) -> Option<Rig> {
        let dir = tempfile::tempdir().unwrap();
        let roots = [
            Root { label: "", path: dir.path().join("data") },
            Root { label: "keys:", path: dir.path().join("keys") },
        ];
        fs::create_dir_all(roots[0].path.join("ledgers/main/segment/events")).unwrap();
        fs::create_dir_all(roots[1].path.join("data")).unwrap();
        fs::write(roots[0].path.join(SEGMENT), b"sealed").unwrap();
        fs::write(roots[0].path.join("ledgerstone.toml"), b"").unwrap();
        fs::write(roots[1].path.join("wrapping.key"), b"key").unwrap();
        let (send, told) = mpsc::channel();
        let sink = move |foreign| drop(send.send(foreign));
        let watch = Watch::start_with(choose(&roots)?, Arc::new(SystemEnv::new()), sink).unwrap();
        Some(Rig { dir, watch: Some(watch), told })
    }

    /// Runs a command in a shell; gives the shell's process id.
    fn shell(&self, command: &str) -> u32 {
        let mut shell = Command::new("sh");
        let mut child = spawn(shell.arg("-c").arg(command).current_dir(self.dir.path()));
        assert!(child.wait().unwrap().success(), "{command}");
        child.id()
    }

    /// Waits until so many directories are watched: one that was just made is only once its making was heard of.
    #[track_caller]
    fn wait_for_directories(&self, count: u64) {
        for _ in 0..12_000 {
            if self.state().directories >= count {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{} directories are watched, not {count}", self.state().directories);
    }

    /// The next that is told of this kind and path, within a minute.
    #[track_caller]
    fn wait(&self, path: &str, kind: Kind) -> Foreign {
        let mut others = Vec::new();
        while let Ok(foreign) = self.told.recv_timeout(Duration::from_secs(60)) {
            if (foreign.path.as_str(), foreign.kind) == (path, kind) {
                return foreign;
            }
            others.push(foreign);
        }
        panic!("{kind:?} of {path} was not seen, but {others:#?}");
    }

    fn state(&self) -> WatchState {
        self.watch.as_ref().unwrap().handle().state()
    }

    fn data(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }
}

fn fan() -> Option<Rig> {
    let rig = Rig::start(|roots| match with_fanotify(roots) {
        Ok(chosen) => Some(chosen),
        Err(because) => {
            println!("skipped: fanotify can't be used here: {because}");
            None
        }
    })?;
    Some(rig)
}

#[test]
fn another_process_is_seen_with_its_id() {
    let Some(rig) = fan() else { return };
    let pids = rig.state().method == Method::Fanotify { pids: true };
    let is = |pid: u32| pids.then_some(pid);

    // A builtin, so that it is the shell that writes; it waits until it was seen, so that it can be looked up.
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("echo x >> data/{SEGMENT}; read end")).current_dir(rig.dir.path());
    let mut child = spawn(shell.stdin(Stdio::piped()));
    let seen = rig.wait(SEGMENT, Kind::Modify);
    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(seen.pid, is(child.id()));
    if pids {
        assert!(seen.command.as_ref().is_some_and(|command| command.contains("echo x")), "{seen:?}");
        assert!(seen.exe.is_some() && seen.uid.is_some(), "{seen:?}");
    }
    let pid = rig.shell(&format!("exec chmod 444 data/{SEGMENT}"));
    assert_eq!(rig.wait(SEGMENT, Kind::Attributes).pid, is(pid));
    let pid = rig.shell(&format!("exec mv data/{SEGMENT} data/away"));
    assert_eq!(rig.wait(SEGMENT, Kind::MovedFrom).pid, is(pid));
    assert_eq!(rig.wait("away", Kind::MovedTo).pid, is(pid));
    let pid = rig.shell("exec rm keys/wrapping.key");
    assert_eq!(rig.wait("keys:wrapping.key", Kind::Delete).pid, is(pid));
    // A new directory is watched too.
    rig.shell("exec mkdir data/ledgers/other");
    rig.wait("ledgers/other", Kind::Create);
    let pid = rig.shell("echo x > data/ledgers/other/file");
    assert_eq!(rig.wait("ledgers/other/file", Kind::Create).pid, is(pid));

    let state = rig.state();
    let paths: BTreeSet<_> = state.alarms.iter().map(|alarm| alarm.first.path.clone()).collect();
    assert!(paths.contains(SEGMENT) && paths.contains("keys:wrapping.key"), "{state:#?}");
    assert_eq!((state.overflows, state.undelivered, state.unwatched), (0, 0, None));
}

#[test]
fn what_this_process_writes_is_not_foreign() {
    let Some(rig) = fan() else { return };
    let data = rig.data();
    let before = rig.state().directories;
    fs::create_dir_all(data.join("ledgers/new/tile/0/x001")).unwrap();
    let starting = nothing_starts();
    // Fewer than the kernel keeps for a watcher that has not had its turn yet.
    for number in 0..1000 {
        let path = data.join(format!("wal{}", number % 7));
        fs::write(&path, [1; 100]).unwrap();
        fs::rename(&path, data.join("ledgers/new/tile/0/x001/000")).unwrap();
    }
    drop(starting);
    rig.wait_for_directories(before + 4);
    std::thread::sleep(Duration::from_millis(500));
    let state = rig.state();
    assert_eq!((state.seen, state.alarms.len()), (0, 0), "{state:#?}");
    // It still looks.
    rig.shell("echo x > data/ledgers/new/tile/0/x001/000");
    rig.wait("ledgers/new/tile/0/x001/000", Kind::Modify);
}

#[test]
fn inotify_tells_what_no_server_does() {
    let rig = Rig::start(|roots| Some(with_inotify(roots, "a test".to_owned()))).unwrap();
    assert!(matches!(rig.state().method, Method::Inotify { .. }));
    let data = rig.data();
    // As a server writes.
    fs::create_dir_all(data.join("wal")).unwrap();
    fs::write(data.join("wal/0000000000000001.wal"), [0; 9]).unwrap();
    fs::write(data.join("register.tmp"), [0; 9]).unwrap();
    fs::rename(data.join("register.tmp"), data.join("register")).unwrap();
    let next = data.join("ledgers/main/segment/events/00000000000000000256-00000000000000000512.0");
    let beside = Path::new(&next).with_extension("0.tmp");
    fs::write(&beside, b"sealed").unwrap();
    fs::rename(&beside, &next).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(rig.state().seen, 0, "{:#?}", rig.state());

    rig.shell(&format!("echo x >> data/{SEGMENT}"));
    let seen = rig.wait(SEGMENT, Kind::Modify);
    assert_eq!((seen.pid, seen.exe), (None, None));
    rig.shell(&format!("chmod 444 data/{SEGMENT}"));
    rig.wait(SEGMENT, Kind::Attributes);
    rig.shell("mv data/ledgerstone.toml data/away");
    rig.wait("ledgerstone.toml", Kind::MovedFrom);
    rig.shell(&format!("rm -f data/{SEGMENT}"));
    rig.wait(SEGMENT, Kind::Delete);
}

#[test]
fn where_nothing_can_be_watched_that_is_the_state() {
    let roots = [Root { label: "", path: "/nonexistent/store".into() }];
    let watch = Watch::start(&roots, Arc::new(SystemEnv::new()), drop).unwrap();
    let state = watch.handle().state();
    assert!(
        matches!(&state.method, Method::Blind { because } if because.contains("nonexistent")),
        "{state:?}"
    );
    assert!(state.method.covers().starts_with("nothing"));
    watch.stop();
}

#[test]
fn a_slow_sink_loses_and_it_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let roots = [Root { label: "", path: dir.path().to_owned() }];
    let Ok(chosen) = with_fanotify(&roots) else { return println!("skipped: fanotify can't be used here") };
    let (release, held) = mpsc::channel::<()>();
    let told = Arc::new(Mutex::new(0_u64));
    let counted = told.clone();
    let sink = move |_| {
        // Until the test lets go.
        let _ = held.recv();
        *counted.lock().unwrap() += 1;
    };
    let watch = Watch::start_with(chosen, Arc::new(SystemEnv::new()), sink).unwrap();
    let many =
        format!("cd {} && i=0; while [ $i -lt 1500 ]; do : > f$i; i=$((i+1)); done", dir.path().display());
    assert!(spawn(Command::new("sh").arg("-c").arg(many)).wait().unwrap().success());
    let handle = watch.handle();
    for _ in 0..12_000 {
        let state = handle.state();
        if state.undelivered > 0 && state.alarms_beyond > 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(release);
    watch.stop();
    let state = handle.state();
    let told = *told.lock().unwrap();
    assert!(
        state.undelivered > 0 && state.alarms_beyond > 0,
        "{} {}",
        state.undelivered,
        state.alarms_beyond
    );
    assert!(told >= QUEUE as u64 && told + state.undelivered == state.seen, "{told} {}", state.seen);
}
