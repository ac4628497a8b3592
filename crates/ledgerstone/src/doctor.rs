//! `doctor`: what this deployment proves and what it can't (DESIGN section 5), and what a careful operator would mend.

mod stamps;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use drill::claims;
use env::SystemEnv;
use evidence::layout;
use serde_json::{Value, json};

use crate::cli;
use crate::client;
use crate::failure::{About, Failure};
use crate::server::{Witnesses, tls_files};
use crate::settings::Settings;
use crate::terminal::{self, Paint};
use crate::time::rfc3339;

/// So much of the disk must be free, in percent or in bytes: a small share of a large disk is still room for days.
const FREE_PERCENT: u64 = 10;
const FREE_BYTES: u64 = 10 << 30;
/// From this length on the write-ahead log is longer than sealing alone leaves it.
const LOG_LONG: u64 = 1 << 30;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// As it should be.
    Good,
    /// Stated so that nobody is surprised; nothing to mend here.
    Risk,
    /// To be mended.
    Mend,
}

/// One thing that was looked at.
#[derive(Debug)]
struct Finding {
    level: Level,
    what: &'static str,
    found: String,
    /// What to do about it.
    advice: Option<String>,
}

pub(crate) fn run(args: cli::Doctor) -> Result<(), Failure> {
    let data = &args.server.data;
    let keys = args.keys.clone().unwrap_or_else(|| verifier::default_keys(data));
    let tier = Tier::of(data);
    let mut findings = tier.findings();
    match data.is_dir() {
        true => findings.extend(directories(data, &keys)?),
        false => findings.push(Finding {
            level: Level::Mend,
            what: "data",
            found: format!("there is no store at {}", data.display()),
            advice: Some("run this where the server runs, or give --data DIR".to_owned()),
        }),
    }
    findings.push(clock());
    findings.extend(server(&args.server));
    if tier != Tier::LocalOnly {
        findings.extend(witnesses(&args.server));
    }
    findings.extend(stamps::findings(&args.server));
    findings.extend(alarms(&args)?);
    let mend = findings.iter().filter(|finding| finding.level == Level::Mend).count();
    if args.server.json {
        let rows: Vec<Value> = findings.iter().map(Finding::to_json).collect();
        client::print_json(&json!({ "tier": tier.name(), "to_mend": mend, "findings": rows }))?;
    } else {
        let paint = Paint::for_stdout();
        terminal::print(&findings.iter().map(|finding| finding.line(paint)).collect::<String>())?;
    }
    match mend {
        0 => Ok(()),
        1 => Err(Failure::no("one thing is to be mended")),
        count => Err(Failure::no(format!("{count} things are to be mended"))),
    }
}

fn good(what: &'static str, found: impl Into<String>) -> Finding {
    Finding { level: Level::Good, what, found: found.into(), advice: None }
}

fn mend(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { level: Level::Mend, what, found: found.into(), advice: Some(advice.into()) }
}

fn risk(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { level: Level::Risk, what, found: found.into(), advice: Some(advice.into()) }
}

/// What the deployment can and can't detect (DESIGN section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tier {
    /// Nobody outside has seen anything.
    LocalOnly,
    /// Witnesses, but the owner's own are enough for the quorum.
    OwnWitnesses,
    /// A quorum needs at least one witness of somebody else.
    ForeignWitness,
    /// There are settings for witnesses that no server would start with.
    Unusable(String),
}

impl Tier {
    /// By the settings in the data directory.
    fn of(data: &Path) -> Tier {
        let settings = fs::read_to_string(data.join(layout::SETTINGS)).ok();
        let Some(Ok(settings)) = settings.map(|text| Settings::parse(&text)) else { return Tier::LocalOnly };
        match Witnesses::of(data, &settings) {
            Ok(None) => Tier::LocalOnly,
            Ok(Some(witnesses)) if witnesses.own_suffice() => Tier::OwnWitnesses,
            Ok(Some(_)) => Tier::ForeignWitness,
            Err(failure) => Tier::Unusable(failure.message().to_owned()),
        }
    }

    /// What is claimed of it, where the drill has it too.
    fn claimed(&self) -> claims::Tier {
        match self {
            Tier::LocalOnly | Tier::Unusable(_) => claims::Tier::LocalOnly,
            Tier::OwnWitnesses => claims::Tier::OwnWitnesses,
            Tier::ForeignWitness => claims::Tier::ForeignWitness,
        }
    }

    fn name(&self) -> &'static str {
        self.claimed().name()
    }

    /// The tier, and what it can't detect, in plain words.
    fn findings(&self) -> Vec<Finding> {
        let claimed = self.claimed();
        let found = format!("{}: {}", claimed.name(), claimed.detects());
        let [rollback, stolen] = claimed.risks().map(|told| risk(told.what, told.text, told.advice));
        let lost = risk(
            "lost host",
            "there is one copy: whoever destroys the disk destroys the record",
            "back up data and keys, apart from one another",
        );
        let mut findings = vec![good("tier", found), rollback, stolen, lost];
        if let Tier::Unusable(why) = self {
            findings.push(mend(
                "witnesses",
                why.clone(),
                "see docs/trust.md; a server would not start with it",
            ));
        }
        findings
    }
}

/// What the server says of its witnesses.
fn witnesses(args: &cli::Server) -> Vec<Finding> {
    const WHAT: &str = "witnesses";
    let asked = client::Client::new(args).and_then(|client| client.get_json("/v1/witnesses"));
    let ledgers = match asked {
        Ok(ledgers) => ledgers.as_array().cloned().unwrap_or_default(),
        Err(failure) => return vec![mend(WHAT, failure.message(), "start the server, or give a token")],
    };
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut findings = Vec::new();
    for ledger in &ledgers {
        let name = text(ledger, "ledger").unwrap_or_default();
        let count = |name: &str| ledger.get(name).and_then(Value::as_u64);
        findings.push(match (text(ledger, "signing_held"), count("witnessed")) {
            (Some(why), _) => {
                let advice = "docs/trust.md says what to do; if the newest store is gone: ledgerstone succeed, docs/recovery.md";
                mend(WHAT, format!("{name}: nothing is signed: {why}"), advice)
            }
            (None, Some(witnessed)) => good(
                WHAT,
                format!(
                    "{name}: a quorum has cosigned {witnessed} of {} entries",
                    count("size").unwrap_or(0)
                ),
            ),
            (None, None) => {
                risk(WHAT, format!("{name}: no quorum has cosigned anything yet"), "wait a moment")
            }
        });
        for witness in ledger.get("witnesses").and_then(Value::as_array).into_iter().flatten() {
            let who = text(witness, "name").unwrap_or_default();
            if let Some(alarm) = witness.get("alarm").filter(|alarm| alarm.is_object()) {
                findings.push(objection(&name, &who, alarm));
            } else if let Some(trouble) = text(witness, "trouble") {
                findings.push(mend(WHAT, format!("{name}: witness {who}: {trouble}"), "see docs/trust.md"));
            }
        }
    }
    findings
}

fn objection(ledger: &str, witness: &str, alarm: &Value) -> Finding {
    let size = |name: &str| alarm.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (found, advice) = match alarm.get("reason").and_then(Value::as_str) {
        Some("behind") => (
            format!("was set back from {} to {} entries", size("before"), size("claimed")),
            "ask who runs it: restored from a backup, it would cosign a fork (docs/trust.md)",
        ),
        _ => (
            "has refused a checkpoint".to_owned(),
            "a fork or a rollback is possible: docs/trust.md and docs/recovery.md say what to do",
        ),
    };
    mend("witnesses", format!("{ledger}: witness {witness} {found}"), advice)
}

fn directories(data: &Path, keys: &Path) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    let of = |path: &Path| fs::metadata(path).about("look at", path);
    let data_meta = of(data)?;
    for (what, path) in [("data directory", data), ("key directory", keys)] {
        findings.push(match fs::metadata(path) {
            Err(error) => {
                mend(what, format!("{}: {error}", path.display()), "say where it is with --keys DIR")
            }
            Ok(meta) if meta.permissions().mode() & 0o077 != 0 => mend(
                what,
                format!("others on this machine may enter {}", path.display()),
                format!("chmod 700 {}", path.display()),
            ),
            Ok(_) => good(what, format!("{} is open to its owner alone", path.display())),
        });
    }
    if let Ok(keys_meta) = fs::metadata(keys) {
        findings.push(match keys_meta.dev() == data_meta.dev() {
            true => risk(
                "keys beside data",
                "keys and data lie on the same file system: one backup or one thief takes both",
                "put the keys on another volume and start with --keys DIR",
            ),
            false => good("keys beside data", "keys lie on a file system of their own"),
        });
        findings.extend(authority(keys));
    }
    findings.push(disk(data)?);
    findings.extend(log(data));
    findings.extend(certificate(data));
    if data.join(layout::ADMIN_TOKEN).exists() {
        findings.push(risk(
            "first token",
            format!("{} holds a token with every role", data.join(layout::ADMIN_TOKEN).display()),
            "give out narrower ones (ledgerstone token add), then revoke it and remove the file",
        ));
    }
    Ok(findings)
}

/// The key that signs changes of keys is not needed for running, and should not lie here.
fn authority(keys: &Path) -> Option<Finding> {
    let names =
        fs::read_dir(keys).ok()?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let held: Vec<String> = names.filter(|name| name.ends_with(".authority.key")).collect();
    Some(match held.is_empty() {
        true => good("authority key", "it is not on this machine"),
        false => risk(
            "authority key",
            format!("it lies beside the signing key: {}", held.join(", ")),
            "copy it to a medium that is kept offline; the server needs it at its first start only",
        ),
    })
}

/// The write-ahead log keeps what is not signed and sealed yet. Nothing bounds it but the disk, and it is read whole at a start.
fn log(data: &Path) -> Option<Finding> {
    let files = fs::read_dir(data.join(layout::WAL)).ok()?;
    let bytes: u64 = files.flatten().filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum();
    let found = format!("{} MiB wait to be sealed", bytes >> 20);
    Some(match bytes < LOG_LONG {
        true => good("write-ahead log", found),
        false => risk(
            "write-ahead log",
            found,
            "see why nothing is signed or sealed; a start reads all of it into memory (docs/trust.md)",
        ),
    })
}

fn disk(data: &Path) -> Result<Finding, Failure> {
    let space = rustix::fs::statvfs(data).map_err(std::io::Error::from).about("look at the disk of", data)?;
    let (free, all) = (space.f_bavail * space.f_frsize, (space.f_blocks * space.f_frsize).max(1));
    let percent = free as u128 * 100 / u128::from(all);
    let found = format!("{} GiB free, {percent} %", free >> 30);
    Ok(match percent < u128::from(FREE_PERCENT) && free < FREE_BYTES {
        true => mend(
            "disk",
            found,
            "make room: when the disk is full nothing is recorded, and appends are refused",
        ),
        false => good("disk", found),
    })
}

/// How long the certificate is good that the settings name, and whether the server could start with it.
fn certificate(data: &Path) -> Option<Finding> {
    const WHAT: &str = "certificate";
    let text = fs::read_to_string(data.join(layout::SETTINGS)).ok()?;
    let files = match tls_files(data, &Settings::parse(&text).ok()?) {
        Ok(files) => files?,
        Err(failure) => return Some(mend(WHAT, failure.message(), "see docs/tls.md")),
    };
    let tls = match api::Tls::open(files, Arc::new(SystemEnv::new())) {
        Ok(tls) => tls.status(),
        Err(error) => return Some(mend(WHAT, error.to_string(), "a server would not start with it")),
    };
    let (names, until) = (tls.names.join(", "), rfc3339(tls.not_after_ms));
    let found = format!("for {names}, good until {until}, in {} days", tls.days_left);
    let install = "install a new one over it; the server takes it up by itself";
    Some(match tls.days_left {
        _ if tls.expired => mend(WHAT, format!("for {names}, it ended on {until}"), install),
        0..=7 => mend(WHAT, found, install),
        8..=30 => risk(WHAT, found, install),
        _ => good(WHAT, found),
    })
}

/// Whether somebody keeps the clock right, as far as that can be seen without asking anybody.
fn clock() -> Finding {
    let signs = [
        "/run/systemd/timesync/synchronized",
        "/run/chrony/chronyd.pid",
        "/run/chronyd.pid",
        "/run/ntpd.pid",
    ];
    match signs.iter().find(|path| Path::new(path).exists()) {
        Some(sign) => good("clock", format!("kept by a time service ({sign})")),
        None => risk(
            "clock",
            "no time service is known to keep the clock of this machine",
            "run systemd-timesyncd or chrony; jumps of the clock are on record either way",
        ),
    }
}

/// What the server says of itself.
fn server(args: &cli::Server) -> Vec<Finding> {
    let health = match client::health(args) {
        Ok(health) => health,
        Err(failure) => return vec![mend("server", failure.message(), "start it with `ledgerstone up`")],
    };
    let text = |name: &str| health.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    vec![match text("status").as_str() {
        "ok" => good("server", "it answers and records"),
        status => mend("server", format!("{status}: {}", text("reason")), "see its log"),
    }]
}

/// What the server has seen of damage and of writes by others, as far as the token lets it be asked.
fn alarms(args: &cli::Doctor) -> Result<Vec<Finding>, Failure> {
    let (shown, acknowledged) = match client::alarms(&args.server, args.acknowledge.as_deref()) {
        Ok(alarms) => alarms,
        // Whoever wants to acknowledge must know that nothing came of it.
        Err(failure) if args.acknowledge.is_some() => return Err(failure),
        Err(failure) => {
            let advice = "ask with a token of role operator, auditor or admin";
            return Ok(vec![risk("alarms", format!("not known: {}", failure.message()), advice)]);
        }
    };
    let list = |name: &str| shown.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |row: &Value, name: &str| row.get(name).map(client::plain).unwrap_or_default();
    let mut findings = Vec::new();
    for row in list("damage") {
        let found = format!("{}: {}: {}", text(&row, "kind"), text(&row, "file"), text(&row, "detail"));
        findings.push(match row.get("found_good").is_some_and(Value::is_string) {
            true => risk("damage", found, "a later verification found it good; the next start forgets it"),
            false => mend("damage", found, "see what is still good: ledgerstone verify; docs/operations.md"),
        });
    }
    for row in list("foreign_writes") {
        let by = ["pid", "exe"].map(|name| text(&row, name)).join(" ");
        let by = if by.trim().is_empty() { String::new() } else { format!(" by process {}", by.trim()) };
        let found = format!(
            "{} {}{by}, {} times, last on {}",
            text(&row, "kind"),
            text(&row, "file"),
            text(&row, "count"),
            text(&row, "last_seen")
        );
        findings.push(match acknowledged {
            true => good("write from outside, acknowledged", found),
            false => mend(
                "write from outside",
                found,
                "find out who, then: ledgerstone doctor --acknowledge REASON",
            ),
        });
    }
    let beyond =
        ["damage_beyond", "foreign_writes_beyond"].map(|name| shown.get(name).and_then(Value::as_u64));
    match beyond.into_iter().flatten().sum::<u64>() {
        0 => {}
        more => {
            findings.push(mend("alarms", format!("{more} more"), "see the ledger: ledgerstone access store"))
        }
    }
    if findings.is_empty() {
        findings.push(good("alarms", "none: no damage was found, and nobody else has written to the store"));
    }
    Ok(findings)
}

impl Finding {
    fn line(&self, paint: Paint) -> String {
        let word = match self.level {
            Level::Good => paint.green("good"),
            Level::Risk => paint.amber("risk"),
            Level::Mend => paint.red("mend"),
        };
        let advice = self.advice.as_ref().map(|advice| format!("\n      {}", terminal::escape(advice)));
        format!("{word}  {}: {}{}\n", self.what, terminal::escape(&self.found), advice.unwrap_or_default())
    }

    fn to_json(&self) -> Value {
        let level = match self.level {
            Level::Good => "good",
            Level::Risk => "risk",
            Level::Mend => "mend",
        };
        json!({ "level": level, "what": self.what, "found": self.found, "advice": self.advice })
    }
}
