//! `doctor`: what this deployment proves and what it can't (DESIGN section 5), and what a careful operator would mend.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use env::SystemEnv;
use evidence::layout;
use serde_json::{Value, json};

use crate::cli;
use crate::client;
use crate::failure::{About, Failure};
use crate::server::tls_files;
use crate::settings::Settings;
use crate::terminal::{self, Paint};
use crate::time::rfc3339;

/// Share of the disk that must be free, in percent.
const FREE_PERCENT: u64 = 10;

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
    let mut findings = vec![tier()];
    findings.extend(residual_risks());
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
    let mend = findings.iter().filter(|finding| finding.level == Level::Mend).count();
    if args.server.json {
        let rows: Vec<Value> = findings.iter().map(Finding::to_json).collect();
        client::print_json(&json!({ "tier": "local only", "to_mend": mend, "findings": rows }))?;
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

fn tier() -> Finding {
    good("tier", "local only: any change to what is recorded is found, but for the risks named next")
}

/// What this tier can't detect, in plain words.
fn residual_risks() -> Vec<Finding> {
    vec![
        risk(
            "rollback",
            "whoever can write the disk may put back an older state of the whole store unseen",
            "keep checkpoints or receipts elsewhere and compare: ledgerstone verify --kept FILE",
        ),
        risk(
            "stolen key",
            "whoever has the signing key may rewrite the ledger and sign it anew",
            "receipts kept elsewhere contradict it; witnesses will, once they can be configured",
        ),
        risk(
            "lost host",
            "there is one copy: whoever destroys the disk destroys the record",
            "back up data and keys, apart from one another",
        ),
    ]
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

fn disk(data: &Path) -> Result<Finding, Failure> {
    let space = rustix::fs::statvfs(data).map_err(std::io::Error::from).about("look at the disk of", data)?;
    let (free, all) = (space.f_bavail * space.f_frsize, (space.f_blocks * space.f_frsize).max(1));
    let percent = free as u128 * 100 / u128::from(all);
    let found = format!("{} GiB free, {percent} %", free >> 30);
    Ok(match percent < u128::from(FREE_PERCENT) {
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
