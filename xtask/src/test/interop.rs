//! Logs checked by verifiers that nobody here wrote (`scripts/interop`).

use std::fs;

use super::counts::Counts;
use super::{Done, program};
use crate::program::Server;
use crate::shell::Shell;

/// Small logs of many sizes, written by the crate alone.
pub fn crate_logs(shell: &Shell, _: &mut Counts) -> Result<Done, String> {
    let cache = shell.cache.to_string_lossy();
    checked(shell.run(&mut shell.command("sh", &["scripts/interop/tlog.sh", &cache])))
}

/// Tokens of a local authority and OpenTimestamps files, between our crate and three others.
pub fn timestamps(shell: &Shell, _: &mut Counts) -> Result<Done, String> {
    shell.run(&mut shell.cargo(&["build", "--quiet", "--package", "timestamp", "--example", "stamp"]))?;
    let program = shell.built.join("examples/stamp");
    let (program, cache) = (program.to_string_lossy(), shell.cache.to_string_lossy());
    let script = ["scripts/interop/timestamps.py", "--cache", &cache, "--stamp", &program];
    checked(shell.run(&mut shell.command("python3", &script)))
}

/// A server with a calendar of OpenTimestamps, and what it writes verified by the client of others.
pub fn calendars(shell: &Shell, _: &mut Counts) -> Result<Done, String> {
    let binary = program(shell)?;
    let (binary, cache) = (binary.to_string_lossy(), shell.cache.to_string_lossy());
    let script = ["scripts/interop/calendars.py", "--cache", &cache, "--ledgerstone", &binary];
    checked(shell.run(&mut shell.command("python3", &script)))
}

/// The program's witness, fed by logs and clients of others.
pub fn witness(shell: &Shell, _: &mut Counts) -> Result<Done, String> {
    let binary = program(shell)?;
    let (binary, cache) = (binary.to_string_lossy(), shell.cache.to_string_lossy());
    let script = ["scripts/interop/witness.py", "--cache", &cache, "--ledgerstone", &binary];
    checked(shell.run(&mut shell.command("python3", &script)))
}

/// The program with foreign witnesses, attacked in every way that a witness is for, and by whoever has its keys.
pub fn witnessed(shell: &Shell, _: &mut Counts) -> Result<Done, String> {
    let binary = program(shell)?;
    let (binary, cache) = (binary.to_string_lossy(), shell.cache.to_string_lossy());
    for drills in ["scripts/interop/witnesses.py", "scripts/interop/attacks.py"] {
        let script = [drills, "--cache", &cache, "--ledgerstone", &binary];
        match checked(shell.run(&mut shell.command("python3", &script)))? {
            Done::Passed => {}
            skipped => return Ok(skipped),
        }
    }
    Ok(Done::Passed)
}

/// The program, cosigned by litewitness, omniwitness and its own witness.
pub fn cosigners(shell: &Shell, _: &mut Counts) -> Result<Done, String> {
    let binary = program(shell)?;
    let (binary, cache) = (binary.to_string_lossy(), shell.cache.to_string_lossy());
    let script = ["scripts/interop/cosigners.py", "--cache", &cache, "--ledgerstone", &binary];
    checked(shell.run(&mut shell.command("python3", &script)))
}

/// A log that the program has written and serves.
pub fn program_log(shell: &Shell, _: &mut Counts) -> Result<Done, String> {
    let binary = program(shell)?;
    let folder = shell.cache.join("interop");
    let io = |error: std::io::Error| format!("{}: {error}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(io)?;
    }
    fs::create_dir_all(&folder).map_err(io)?;
    let at = |name: &str| folder.join(name).to_string_lossy().into_owned();
    // The verifiers send no token.
    fs::write(at("settings.toml"), "[open]\nbundles = true\n").map_err(io)?;
    let started = Server::start(&binary, &folder.join("data"), &["--settings", &at("settings.toml")])?;
    let server = started.map_err(|ended| format!("the server does not start: {}", ended.status))?;

    let known = server.get("/.well-known/ledgerstone")?.json();
    let ledger = &known["ledgers"][0];
    let word = |name: &str| ledger[name].as_str().ok_or_else(|| format!("no {name} in {known}"));
    fs::write(at("vkey"), word("vkey")?).map_err(io)?;
    let events = |count: u32| {
        (0..count).map(|n| format!("{{\"actor\":{{\"user\":{{\"name\":\"u{n}\"}}}}}}\n")).collect::<String>()
    };
    let append = |count| server.post("/v1/ledgers/main/events?wait=committed", events(count).as_bytes());
    append(300)?;
    fs::write(at("older"), server.get(&format!("{}/checkpoint", word("prefix")?))?.body).map_err(io)?;
    append(1000)?;

    let url = format!("http://{}{}", server.address, word("prefix")?);
    let cache = shell.cache.to_string_lossy();
    let aics = ["scripts/interop/aics.py", "--tiles", &url, "--vkey-file", &at("vkey"), "--cache", &cache];
    let older = ["--old-checkpoint", &at("older")];
    let done = checked(shell.run(shell.command("python3", &aics).args(older)))?;
    let xmod = ["scripts/interop/xmod/run.sh", "-tiles", &url, "-vkey", &at("vkey"), "-old", &at("older")];
    shell.run(&mut shell.command("sh", &xmod))?;
    let (vkey, token) = (at("vkey"), at("data/admin.token"));
    let fsck = ["scripts/interop/fsck.sh", &url, &vkey, word("origin")?, &token, &cache];
    shell.run(&mut shell.command("sh", &fsck))?;
    // The log as a monitor copies it, and logs that Tessera writes, as a monitor follows them.
    let (state, mirror) = (at("state"), at("mirror"));
    let copy = ["monitor", &url, "--key", word("vkey")?, "--once", "--state", &state, "--mirror", &mirror];
    shell.run(&mut shell.command(&binary, &copy))?;
    let tessera = "scripts/interop/tessera.sh";
    let program = binary.to_string_lossy();
    shell.run(&mut shell.command("sh", &[tessera, &program, &cache, &mirror, &vkey, word("origin")?]))?;
    shell.run(&mut shell.command("sh", &[tessera, &program, &cache]))?;
    fs::write(at("metrics"), server.get("/metrics")?.body).map_err(io)?;
    let metrics = ["scripts/interop/metrics.py", "--cache", &cache, &at("metrics")];
    checked(shell.run(&mut shell.command("python3", &metrics)))?;
    server.stop()?;
    Ok(done)
}

/// The program's answers, and the description it gives of them.
pub fn description(shell: &Shell, _: &mut Counts) -> Result<Done, String> {
    let binary = program(shell)?;
    let folder = shell.cache.join("description");
    let io = |error: std::io::Error| format!("{}: {error}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(io)?;
    }
    fs::create_dir_all(&folder).map_err(io)?;
    let data = folder.join("data");
    let started = Server::start(&binary, &data, &[])?;
    let server = started.map_err(|ended| format!("the server does not start: {}", ended.status))?;
    let (url, token) = (format!("http://{}", server.address), data.join("admin.token"));
    let (token, cache) = (token.to_string_lossy(), shell.cache.to_string_lossy());
    let script = ["scripts/interop/schemathesis.sh", &url, &token, &cache];
    let done = checked(shell.run(&mut shell.command("sh", &script)))?;
    server.get("/healthz")?;
    server.stop()?;
    shell.run(shell.command(&binary, &["verify"]).arg(&data))?;
    Ok(done)
}

/// Exit code 2 of the scripts says that a foreign verifier is not to be had.
fn checked(done: Result<(), String>) -> Result<Done, String> {
    match done {
        Ok(()) => Ok(Done::Passed),
        Err(why) if why.ends_with("exit status: 2") => {
            println!("SKIPPED, NOT EVERYTHING WAS CHECKED: {why}");
            Ok(Done::Skipped("a foreign verifier is not to be had".to_owned()))
        }
        Err(why) => Err(why),
    }
}
