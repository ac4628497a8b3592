//! `cargo xtask overload`: the real program under ten times what it can take.
//!
//! One greedy source sends on many connections, again and again, and never waits as it is told to; a polite one beside
//! it sends a record every now and then and does wait. What must hold: every record that was acknowledged is there
//! afterwards, at the index that was told, byte for byte, and the store is proven; memory stays bounded; all that the
//! polite source sends is taken at its first try, within its patience; whoever is refused is told when to come again, and
//! every refusal is in the metrics and on record. Rates are printed and decide nothing.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::program::{Connection, Server, Told};
use crate::shell::{Shell, now};

/// Most memory the server may ever have had, in bytes.
const MEMORY: u64 = 768 << 20;
/// For how long one request of any client may take.
const ANSWER: Duration = Duration::from_secs(60);
/// For how long the polite source tries to get one record through.
const PATIENCE: Duration = Duration::from_secs(30);
/// Its pause between two records.
const PAUSE: Duration = Duration::from_millis(50);
/// Connections of the greedy source.
const GREEDY: usize = 256;
/// Connections that find out what the server can take.
const SUSTAINED: usize = 4;
/// Records of one greedy request.
const BATCH: usize = 400;
/// Records that are read back at once.
const WINDOW: u64 = 2000;

/// No heartbeats: what is counted at the end are events.
const SETTINGS: &str = "[commit]\nheartbeat_s = 3600\n";

/// What was acknowledged to one client: who it is, and from which index on how many records, from the first of its body.
struct Range {
    client: usize,
    first: u64,
    /// Number of the body's record that is at `first`.
    at: usize,
    count: u64,
}

/// What became of a client's requests.
#[derive(Default)]
struct Tally {
    kept: Vec<Range>,
    acknowledged: u64,
    offered: u64,
    /// Answers 429 and 503.
    refused: u64,
    /// Requests without an answer: up to so many records may be there or not.
    unknown: u64,
    /// Requests that were answered by nobody, refused or not.
    lost: u64,
    /// How long each answer took, where that is of interest.
    took: Vec<Duration>,
}

/// Runs for `time` and prints what came of it; how many records were acknowledged.
///
/// # Errors
/// What did not hold, with the folder of the store.
pub fn run(shell: &Shell, binary: &Path, time: Duration) -> Result<u64, String> {
    let folder = shell.cache.join("overload");
    let io = |error: std::io::Error| format!("{}: {error}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(io)?;
    }
    fs::create_dir_all(&folder).map_err(io)?;
    fs::write(folder.join("settings.toml"), SETTINGS).map_err(io)?;
    let done = overload(binary, &folder, time);
    match &done {
        Ok(_) => fs::remove_dir_all(&folder).map_err(io)?,
        Err(_) => println!("the store is kept in {}", folder.display()),
    }
    done
}

fn overload(binary: &Path, folder: &Path, time: Duration) -> Result<u64, String> {
    let settings = folder.join("settings.toml").to_string_lossy().into_owned();
    let server = Server::start(binary, &folder.join("data"), &["--settings", &settings])?;
    let server = server.map_err(|ended| format!("the server does not start: {}", ended.status))?;
    let (greedy, polite) = (source(&server)?, source(&server)?);

    let calm = time / 5;
    let mut all = crowd(server.address, &greedy, 0, SUSTAINED, calm)?;
    let sustained = all.acknowledged as f64 / calm.as_secs_f64();
    println!("{sustained:.0} records/s sustained, {SUSTAINED} connections");

    let (loud, quiet) = thread::scope(|scope| {
        let quiet = scope.spawn(|| politely(server.address, &polite, time));
        let loud = crowd(server.address, &greedy, SUSTAINED, GREEDY, time);
        (loud, quiet.join())
    });
    let (loud, quiet) = (loud?, quiet.map_err(|_| "the polite client panicked".to_owned())??);
    println!(
        "{:.1} times that offered by {GREEDY} connections for {} s: {} records recorded, {} requests refused",
        loud.offered as f64 / time.as_secs_f64() / sustained,
        time.as_secs(),
        loud.acknowledged,
        loud.refused
    );
    println!(
        "beside them {} polite records recorded, after {} refusals; half of them within {} ms, 99 of 100 within {} ms",
        quiet.acknowledged,
        quiet.refused,
        quiet.took_at_most(50).as_millis(),
        quiet.took_at_most(99).as_millis()
    );
    if quiet.refused > 0 {
        return Err(
            "a source that sends one record at a time was refused for what another one sends".to_owned()
        );
    }
    if loud.refused == 0 {
        return Err("nothing was refused: this was no overload".to_owned());
    }
    let peak = server.peak_memory()?;
    println!("peak memory {} MiB", peak >> 20);
    if peak > MEMORY {
        return Err(format!("peak memory {} MiB, at most {} MiB", peak >> 20, MEMORY >> 20));
    }

    for tally in [loud, quiet] {
        all.add(tally);
    }
    read_back(&server, &all.kept)?;
    let in_metrics = refused_by_metrics(&server)?;
    // A stop enters what was counted.
    server.stop()?;
    let server = Server::start(binary, &folder.join("data"), &["--settings", &settings])?;
    let server = server.map_err(|ended| format!("the server does not start again: {}", ended.status))?;
    let on_record = refused_on_record(&server)?;
    server.stop()?;
    println!("{} refusals told, {in_metrics} in the metrics, {on_record} on record", all.refused);
    // A refusal whose answer did not get through was none to the client.
    let bounds = all.refused..=all.refused + all.lost;
    if in_metrics != on_record || !bounds.contains(&on_record) {
        return Err(format!("refusals must agree; {} requests got no answer", all.lost));
    }
    verify(binary, folder, &all)?;
    Ok(all.acknowledged)
}

/// Appends that were refused for want of room, as the metrics have them.
fn refused_by_metrics(server: &Server) -> Result<u64, String> {
    let page = server.get("/metrics")?.text();
    let of = |outcome: &str| {
        let name = format!("ledgerstone_appends_total{{outcome=\"{outcome}\"}} ");
        let value = page.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok());
        value.ok_or_else(|| format!("the metrics have no {name}"))
    };
    Ok(of("busy")? + of("unavailable")?)
}

/// The same as the ledger of accesses has them.
fn refused_on_record(server: &Server) -> Result<u64, String> {
    let found = server.get("/v1/ledgers/system/search?q=refused-write&limit=1000")?.json();
    let hits = found["hits"].as_array().ok_or_else(|| format!("no hits in {found}"))?;
    let refused = |event: &&Value| {
        event["api"]["operation"] == "refused-write"
            && matches!(event["status_code"].as_str(), Some("429" | "503"))
    };
    let events = hits.iter().map(|hit| &hit["event"]).filter(refused);
    Ok(events.map(|event| event["count"].as_u64().unwrap_or(1)).sum())
}

/// Opens a source, numbered by the server; its token.
fn source(server: &Server) -> Result<String, String> {
    let opened = server.post("/v1/sources", json!({"ledger": "main"}).to_string().as_bytes())?.json();
    opened["token"].as_str().map(str::to_owned).ok_or_else(|| format!("no token in {opened}"))
}

/// Many clients that send as fast as they can for a while.
fn crowd(to: SocketAddr, token: &str, base: usize, clients: usize, time: Duration) -> Result<Tally, String> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let spawn = |client| {
            let stop = &stop;
            scope.spawn(move || greedily(to, token, client, stop))
        };
        let clients: Vec<_> = (base..base + clients).map(spawn).collect();
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for client in clients {
            all.add(client.join().map_err(|_| "a client panicked".to_owned())??);
        }
        Ok(all)
    })
}

/// Sends the same body again and again, whatever it is told.
fn greedily(to: SocketAddr, token: &str, client: usize, stop: &AtomicBool) -> Result<Tally, String> {
    let body: String = (0..BATCH).map(|at| event(client, at) + "\n").collect();
    let mut connection = Connection::new(to, ANSWER);
    let mut tally = Tally::default();
    while !stop.load(Ordering::Relaxed) {
        tally.offered += BATCH as u64;
        match connection.post("/v1/ledgers/main/events", token, body.as_bytes()) {
            Ok(told) => tally.take(client, 0, &told)?,
            // It may have been one connection too many, or its answer was lost.
            Err(_) => {
                tally.unknown += BATCH as u64;
                tally.lost += 1;
            }
        }
    }
    Ok(tally)
}

/// Sends one record after the other and waits when it is told to.
fn politely(to: SocketAddr, token: &str, time: Duration) -> Result<Tally, String> {
    let client = SUSTAINED + GREEDY;
    let mut connection = Connection::new(to, PATIENCE);
    let mut tally = Tally::default();
    let end = now() + time;
    for at in 0.. {
        if now() >= end {
            break;
        }
        let patience = now() + PATIENCE;
        let before = tally.acknowledged;
        while tally.acknowledged == before {
            let asked = now();
            let told = connection
                .post("/v1/ledgers/main/events", token, event(client, at).as_bytes())
                .map_err(|error| format!("a polite request got no answer: {error}"))?;
            tally.took.push(now() - asked);
            tally.take(client, at, &told)?;
            if now() > patience {
                return Err(format!("a polite record was not taken within {} s", PATIENCE.as_secs()));
            }
            thread::sleep(told.retry_after.map_or(PAUSE, Duration::from_secs));
        }
    }
    Ok(tally)
}

/// A record that tells who sent it and which of a body it is, of about 300 bytes.
fn event(client: usize, at: usize) -> String {
    format!(
        "{{\"actor\":{{\"user\":{{\"name\":\"client {client}\",\"uid\":\"{at}\"}}}},\"api\":{{\"operation\":\"read\"}},\
         \"src_endpoint\":{{\"ip\":\"192.0.2.7\"}},\"http_request\":{{\"http_method\":\"GET\",\"user_agent\":\"overload/1\"}},\
         \"message\":\"record {at} of client {client}, sent again and again under load until it is taken\"}}"
    )
}

impl Tally {
    /// Takes an answer in; `at` is the number of the body's first record.
    fn take(&mut self, client: usize, at: usize, told: &Told) -> Result<(), String> {
        let ranges = match told.status {
            200 => told.body["ranges"].clone(),
            429 | 503 => {
                self.refused += 1;
                if told.retry_after.is_none_or(|seconds| seconds == 0) {
                    return Err(format!("a refusal without Retry-After: {} {}", told.status, told.body));
                }
                if told.body["type"] == "ledgerstone:outcome-unknown" {
                    self.unknown += BATCH as u64;
                }
                let recorded = &told.body["recorded"];
                if recorded.is_object() { json!([[recorded["first"], recorded["last"]]]) } else { json!([]) }
            }
            _ => return Err(format!("an answer that must not be: {} {}", told.status, told.body)),
        };
        let mut at = at;
        for range in ranges.as_array().into_iter().flatten() {
            let (Some(first), Some(last)) = (range[0].as_u64(), range[1].as_u64()) else {
                return Err(format!("no range: {range}"));
            };
            let count = last + 1 - first;
            self.kept.push(Range { client, first, at, count });
            self.acknowledged += count;
            at += count as usize;
        }
        Ok(())
    }

    fn add(&mut self, other: Tally) {
        self.kept.extend(other.kept);
        self.acknowledged += other.acknowledged;
        self.offered += other.offered;
        self.refused += other.refused;
        self.unknown += other.unknown;
        self.lost += other.lost;
        self.took.extend(other.took);
    }

    /// The time within which so many of a hundred answers came.
    fn took_at_most(&self, percent: usize) -> Duration {
        let mut took = self.took.clone();
        took.sort_unstable();
        took.get(took.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
    }
}

/// Every record that was acknowledged is at its index, and no index was told twice.
fn read_back(server: &Server, kept: &[Range]) -> Result<(), String> {
    let mut kept: Vec<&Range> = kept.iter().collect();
    kept.sort_unstable_by_key(|range| range.first);
    if let Some(two) = kept.windows(2).find(|two| two[0].first + two[0].count > two[1].first) {
        return Err(format!("index {} was told twice", two[1].first));
    }
    let end = kept.last().map_or(0, |range| range.first + range.count);
    let mut expected = kept
        .iter()
        .flat_map(|range| {
            (0..range.count).map(|n| (range.first + n, event(range.client, range.at + n as usize)))
        })
        .peekable();
    for from in (0..end).step_by(WINDOW as usize) {
        let to = end.min(from + WINDOW);
        let lines = server.get(&format!("/v1/ledgers/main/records?from={from}&to={to}"))?.text();
        let mut lines = lines.lines();
        for index in from..to {
            let line = lines.next().ok_or_else(|| format!("no record of index {index}"))?;
            let Some((_, event)) = expected.next_if(|(at, _)| *at == index) else { continue };
            if raw(line)? != event.as_bytes() {
                return Err(format!("index {index} holds other bytes than were acknowledged: {line}"));
            }
        }
    }
    match expected.next() {
        None => Ok(()),
        Some((index, _)) => Err(format!("index {index} was acknowledged and is not there")),
    }
}

/// The original bytes in a line of stored records.
fn raw(line: &str) -> Result<Vec<u8>, String> {
    let record: Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
    let raw = record["facets"][5].as_str().ok_or_else(|| format!("no facet 5: {line}"))?;
    STANDARD.decode(raw).map_err(|error| format!("{error}: {line}"))
}

fn verify(binary: &Path, folder: &Path, all: &Tally) -> Result<(), String> {
    let run = Command::new(binary).arg("verify").arg(folder.join("data")).arg("--json").output();
    let run = run.map_err(|error| error.to_string())?;
    let report: Value = serde_json::from_slice(&run.stdout).unwrap_or_default();
    println!("verify: {}, {} events", report["verdict"], report["events"]);
    let bounds = all.acknowledged..=all.acknowledged + all.unknown;
    match (report["verdict"].as_str(), report["events"].as_u64()) {
        (Some("proven"), Some(events)) if bounds.contains(&events) => Ok(()),
        _ => Err(format!("{} acknowledged, {} unknown: {report}", all.acknowledged, all.unknown)),
    }
}
