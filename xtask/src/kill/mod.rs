//! `cargo xtask kill`: the real program under `kill -9`, with clients that remember every receipt.
//!
//! A round starts the server on the store as the last kill left it, checks that nothing is lost or changed
//! ([`memory`]), lets clients append ([`clients`]), and kills the server at a random time or at a named point of its
//! writing. Now and then a round ends in order instead, and `ledgerstone verify` has the last word on the store.

mod clients;
mod memory;
mod random;

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

/// Every this many rounds the store is stopped in order, verified, and read again from its first entry.
const VERIFY_EVERY: u64 = 10;

/// Where a server is killed in every second round: operations on files (see `storage::KillPoint`), and up to which
/// one of them.
const POINTS: [(&str, u64); 24] = [
    ("before-create:wal/", 2),
    ("after-create:wal/", 2),
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
    ("during-append:tile/", 5),
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
    named: u64,
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
            named: 0,
        })
    }

    fn run(&mut self, settings: &Settings) -> Result<u64, String> {
        let start = now();
        let mut round = 0;
        while self.kills < settings.kills && settings.limit.is_none_or(|limit| start.elapsed() < limit) {
            round += 1;
            self.round(round, settings.life).map_err(|why| format!("round {round}: {why}"))?;
            if round.is_multiple_of(VERIFY_EVERY) {
                self.verify(round, start.elapsed())?;
            }
        }
        self.verify(round, start.elapsed())?;
        if self.kills < settings.kills {
            println!("kill campaign: ended early, after {} s", start.elapsed().as_secs());
        }
        Ok(self.kills)
    }

    /// Start, check, append, kill.
    fn round(&mut self, round: u64, life: Duration) -> Result<(), String> {
        let point = round.is_multiple_of(2).then(|| {
            let (point, up_to) = POINTS[self.random.below(POINTS.len() as u64) as usize];
            format!("{point}:{}", 1 + self.random.below(up_to))
        });
        let flags = point.iter().flat_map(|point| ["--danger-kill-at", point.as_str()]).collect::<Vec<_>>();
        let Some(mut server) = self.start(&flags)? else {
            // Killed at the point while it was starting.
            self.kills += 1;
            self.named += 1;
            return Ok(());
        };
        let life = Duration::from_micros(self.random.below(life.as_micros() as u64));
        let checked = self.memory.check(&server, false);
        let outcome = if checked.is_ok() {
            let clients = Clients::start(&server, round, &mut self.random, &mut self.numbered);
            let deadline = now() + life;
            // A named point is waited for, up to a limit: not each is reached in each life.
            let patience = if point.is_some() { deadline + Duration::from_secs(2) } else { deadline };
            while now() < patience && !server.has_ended() {
                std::thread::sleep(Duration::from_micros(500));
            }
            let by_itself = server.has_ended();
            server.kill()?;
            Some((clients.join()?, by_itself))
        } else {
            let by_itself = server.has_ended();
            drop(server);
            // A server that died at its point in the middle of the check has refuted nothing.
            if !by_itself {
                checked?;
            }
            self.named += u64::from(by_itself);
            None
        };
        if let Some((outcome, by_itself)) = outcome {
            if by_itself && point.is_none() {
                return Err("the server ended by itself; see data.log".to_owned());
            }
            self.named += u64::from(by_itself);
            self.numbered = outcome.numbered;
            self.memory.remember(outcome.receipts, outcome.checkpoints)?;
        }
        self.kills += 1;
        Ok(())
    }

    /// Starts a server; `None` if it was killed while starting, which is right only with a point to be killed at.
    fn start(&mut self, flags: &[&str]) -> Result<Option<Server>, String> {
        let settings = self.data.with_file_name("settings.toml");
        let settings = settings.to_string_lossy();
        let mut all = vec!["--settings", settings.as_ref()];
        all.extend_from_slice(flags);
        match Server::start(&self.binary, &self.data, &all)? {
            Ok(server) => Ok(Some(server)),
            Err(ended) if !flags.is_empty() && ended.status.code().is_none() => Ok(None),
            Err(ended) => Err(format!("the server does not start: {}; see data.log", ended.status)),
        }
    }

    /// Starts once more, reads everything again, stops in order and has the store verified.
    fn verify(&mut self, round: u64, elapsed: Duration) -> Result<(), String> {
        let Some(server) = self.start(&[])? else { return Err("the server does not start".to_owned()) };
        self.memory.check(&server, true)?;
        let vkey = self.memory.vkey().to_owned();
        server.stop()?;
        let output = Command::new(&self.binary)
            .args(["verify", "--json", "--key", &vkey])
            .arg(&self.data)
            .output()
            .map_err(|error| error.to_string())?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            return Err(format!("verify: {}\n{}", output.status, String::from_utf8_lossy(&said)));
        }
        println!(
            "  {:>5.0} s  round {round}: {} kills ({} at named points), {}, verified",
            elapsed.as_secs_f64(),
            self.kills,
            self.named,
            self.memory
        );
        Ok(())
    }
}
