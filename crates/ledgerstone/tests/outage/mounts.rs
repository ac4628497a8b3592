//! Mounts that nobody else sees.

use std::path::Path;
use std::process::Command;

/// Tells the inner run from the outer one.
const INSIDE: &str = "LEDGERSTONE_TEST_OWN_MOUNTS";

/// True in the inner run. In the outer one, runs `test` once more where mounts are its own, and fails if that fails;
/// where mounting is not permitted, says that nothing was tested.
pub fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let program = std::env::current_exe().unwrap();
    // Who is not root may still be root of namespaces of their own, where the system permits that.
    let ways: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    let permitted = |way: &&&[&str]| {
        let try_it = ["--propagation", "private", "mount", "-t", "tmpfs", "tmpfs", "/mnt"];
        let tried = Command::new("unshare").args(**way).args(try_it).output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    let Some(way) = ways.iter().find(permitted) else {
        println!("SKIPPED, NOTHING WAS TESTED: mounting is not permitted here ({test})");
        return false;
    };
    let run = Command::new("unshare")
        .args(*way)
        .args(["--propagation", "private"])
        .arg(program)
        .args([test, "--exact", "--nocapture", "--test-threads", "1"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && out.contains("1 passed"), "{out}{err}");
    print!("{out}");
    false
}

pub fn mount(arguments: &[&str], at: &Path) {
    succeeds(Command::new("mount").args(arguments).arg(at));
}

pub fn unmount(at: &Path) {
    succeeds(Command::new("umount").arg(at));
}

fn succeeds(command: &mut Command) {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}
