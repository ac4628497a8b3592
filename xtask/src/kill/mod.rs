//! `cargo xtask kill`: the real program under `kill -9`, with clients that remember every receipt.
//!
//! A round starts the server on the store as the last kill left it, checks that nothing is lost or changed
//! ([`memory`]), lets clients append ([`clients`]), and kills the server at a random time or at a named point of its
//! writing. Now and then a round ends in order instead, and `ledgerstone verify` has the last word on the store.

mod clients;
mod memory;
mod random;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::program::Server;
use crate::shell::{Shell, now};
use clients::{Clients, Numbered};
use memory::Memory;
use random::Random;

/// Small segments and frequent checkpoints: everything happens within a round.
const SETTINGS: &str = "\
[commit]
checkpoint_interval_ms = 20
heartbeat_s = 1

[seal]
entries = 256
age_s = 1
";

/// Every this many rounds the first start of another store is killed.
const BIRTH_EVERY: u64 = 7;

/// Operations at which a first start is killed, whatever the file.
const BIRTH: [&str; 8] = [
    "before-create:",
    "after-create:",
    "during-append:",
    "after-append:",
    "after-sync:",
    "before-rename:",
    "after-rename:",
    "after-sync_dir:",
];

/// How much longer a server lives that is to be killed at a named point.
const POINT_WAIT: Duration = Duration::from_secs(2);
/// How long after its last answer a killed server may still be there.
const DYING: Duration = Duration::from_secs(30);

/// Every this many rounds the store is stopped in order, verified, and read again from its first entry.
const VERIFY_EVERY: u64 = 10;

/// Where a server is killed in every second round: operations on files (see `storage::KillPoint`), and up to which
/// one of them.
const POINTS: [(&str, u64); 24] = [
    ("before-create:wal/", 1),
    ("after-create:wal/", 1),
    ("during-append:wal/", 20),
    ("after-append:wal/", 20),
    ("after-sync:wal/", 20),
    ("before-create:register", 10),
    ("during-append:register", 10),
    ("after-sync:register", 10),
    ("before-rename:register", 10),
    ("after-rename:register", 10),
    ("during-write:checkpoint", 5),
    ("during-append:checkpoint", 5),
    ("before-rename:checkpoint", 5),
    ("after-rename:checkpoint", 5),
    ("during-write:tile/", 5),
    ("after-write:tile/", 5),
    ("before-create:segment/", 2),
    ("during-append:segment/", 2),
    ("before-rename:segment/", 2),
    ("after-rename:segment/", 2),
    ("before-sync_all:", 3),
    ("after-sync_all:", 3),
    ("before-remove:wal/", 1),
    ("after-remove:wal/", 1),
];

/// What a campaign is.
pub struct Settings {
    /// How often the server is killed.
    pub kills: u64,
    /// What all choices are drawn from.
    pub seed: u64,
    /// How long a server lives at most before it is killed.
    pub life: Duration,
    /// When the campaign ends, even with fewer kills.
    pub limit: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { kills: 100, seed: random::fresh_seed(), life: Duration::from_millis(1200), limit: None }
    }
}

/// Runs a campaign and prints what it does; how many kills the store survived.
///
/// # Errors
/// What was lost, changed, or refused, with the seed and the folder that holds the store.
pub fn campaign(shell: &Shell, binary: &Path, settings: &Settings) -> Result<u64, String> {
    let folder = shell.cache.join(format!("kill-{}", settings.seed));
    println!("kill campaign: {} kills, seed {}", settings.kills, settings.seed);
    let done = Campaign::new(binary, &folder, settings).and_then(|mut campaign| campaign.run(settings));
    match done {
        Ok(kills) => {
            // What is left over is below the target folder.
            let _ = fs::remove_dir_all(&folder);
            Ok(kills)
        }
        Err(why) => Err(format!("{why}\n  seed {}, store kept in {}", settings.seed, folder.display())),
    }
}

struct Campaign {
    binary: PathBuf,
    data: PathBuf,
    random: Random,
    memory: Memory,
    numbered: Option<Numbered>,
    kills: u64,
    /// How often the program was killed at each named point.
    named: BTreeMap<&'static str, u64>,
}

impl Campaign {
    fn new(binary: &Path, folder: &Path, settings: &Settings) -> Result<Self, String> {
        let io = |error: std::io::Error| format!("{}: {error}", folder.display());
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(io)?;
        }
        fs::create_dir_all(folder).map_err(io)?;
        fs::write(folder.join("settings.toml"), SETTINGS).map_err(io)?;
        Ok(Self {
            binary: binary.to_path_buf(),
            data: folder.join("data"),
            random: Random::new(settings.seed),
            memory: Memory::default(),
            numbered: None,
            kills: 0,
            named: BTreeMap::new(),
        })
    }

    fn run(&mut self, settings: &Settings) -> Result<u64, String> {
        let start = now();
        let mut round = 0;
        while self.kills < settings.kills && settings.limit.is_none_or(|limit| start.elapsed() < limit) {
            round += 1;
            let done = match round % BIRTH_EVERY {
                0 => self.birth(round),
                _ => self.round(round, settings.life),
            };
            done.map_err(|why| format!("round {round}: {why}"))?;
            if round.is_multiple_of(VERIFY_EVERY) || self.kills == settings.kills {
                self.verify().map_err(|why| format!("round {round}: {why}"))?;
                let (seconds, named) = (start.elapsed().as_secs(), self.named.values().sum::<u64>());
                println!("  {seconds:>5} s  {} kills, {named} at named points: {}", self.kills, self.memory);
            }
        }
        if self.kills < settings.kills {
            self.verify()?;
            println!("kill campaign: ended after {} s", start.elapsed().as_secs());
        }
        println!("named points: {:?}", self.named);
        Ok(self.kills)
    }

    /// Start, check, append, kill.
    fn round(&mut self, round: u64, life: Duration) -> Result<(), String> {
        // Each point in turn, so that a campaign has about as many of one as of another.
        let point = round.is_multiple_of(2).then(|| POINTS[(round / 2) as usize % POINTS.len()]);
        let flag = point.map(|(name, up_to)| format!("{name}:{}", 1 + self.random.below(up_to)));
        let life = Duration::from_micros(self.random.below(life.as_micros() as u64));
        self.kills += 1;
        let Some(mut server) = self.start(&self.data, flag.as_deref())? else {
            self.count(point);
            return Ok(());
        };
        if let Err(why) = self.memory.check(&server, false) {
            // A server that was killed at its point in the middle of the check has refuted nothing.
            if point.is_none() || !server.ends_within(DYING) {
                return Err(why);
            }
            self.count(point);
            return Ok(());
        }
        let clients = Clients::start(&server, round, &mut self.random, &mut self.numbered);
        // A named point is waited for: not each is reached in each life.
        let ended = server.ends_within(if point.is_some() { life + POINT_WAIT } else { life });
        server.kill()?;
        let outcome = clients.join()?;
        self.numbered = outcome.numbered;
        self.memory.remember(outcome.receipts, outcome.checkpoints)?;
        if ended && point.is_none() {
            return Err("the server ended by itself; see data.log".to_owned());
        }
        if ended {
            self.count(point);
        }
        Ok(())
    }

    /// Kills the first start of a store of its own; the second must make up for it.
    fn birth(&mut self, round: u64) -> Result<(), String> {
        let data = self.data.with_file_name(format!("born-{round}"));
        let operation = BIRTH[self.random.below(BIRTH.len() as u64) as usize];
        let flag = format!("{operation}:{}", 1 + self.random.below(12));
        self.kills += 1;
        match self.start(&data, Some(&flag))? {
            Some(server) => server.kill()?,
            None => self.count(Some(("birth", 1))),
        }
        let told = |why| format!("after a first start that was killed at {flag}: {why}");
        let server = self.start(&data, None).map_err(told)?.ok_or("no server")?;
        server.post("/v1/ledgers/main/events?wait=committed", b"{}").map_err(told)?;
        server.stop().map_err(told)?;
        self.verdict(&data, &[]).map_err(told)
    }

    fn count(&mut self, point: Option<(&'static str, u64)>) {
        if let Some((name, _)) = point {
            *self.named.entry(name).or_default() += 1;
        }
    }

    /// Starts a server; `None` if it was killed while starting, which is right only with a point to be killed at.
    fn start(&self, data: &Path, point: Option<&str>) -> Result<Option<Server>, String> {
        let settings = self.data.with_file_name("settings.toml");
        let settings = settings.to_string_lossy();
        let mut flags = vec!["--settings", settings.as_ref()];
        flags.extend(point.iter().flat_map(|point| ["--danger-kill-at", point]));
        match Server::start(&self.binary, data, &flags)? {
            Ok(server) => Ok(Some(server)),
            Err(ended) if point.is_some() && ended.status.code().is_none() => Ok(None),
            Err(ended) => {
                Err(format!("the server does not start: {}; see {}.log", ended.status, data.display()))
            }
        }
    }

    /// Starts once more, reads everything again, stops in order and has the store verified.
    fn verify(&mut self) -> Result<(), String> {
        let server = self.start(&self.data, None)?.ok_or("no server")?;
        self.memory.check(&server, true)?;
        server.stop()?;
        self.verdict(&self.data, &["--key", self.memory.vkey()])
    }

    /// What `ledgerstone verify` says of a store that nobody serves.
    fn verdict(&self, data: &Path, flags: &[&str]) -> Result<(), String> {
        let mut command = Command::new(&self.binary);
        let output = command.arg("verify").arg(data).arg("--json").args(flags).output();
        let output = output.map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => {
                let said = [output.stdout, output.stderr].concat();
                Err(format!(
                    "verify {}: {}\n{}",
                    data.display(),
                    output.status,
                    String::from_utf8_lossy(&said)
                ))
            }
        }
    }
}
