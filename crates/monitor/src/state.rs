//! What a monitor must not forget. All of it is text that a person can read, and durable before it is relied on.
//!
//! | file | what it is |
//! |---|---|
//! | `checkpoint` | the newest checkpoint that was accepted, byte for byte |
//! | `progress` | its size and when what was first and last seen, in milliseconds |
//! | `notes/SIZE-ROOT` | checkpoints that were accepted, to be compared with those of others; the newest thousand |
//! | `findings/TIME-KIND/` | what the log was found to do: `text` and the files that show it; never removed |

use std::io;

use storage::{Disk, replace};
use tlog::VerifiedCheckpoint;

use crate::finding::{Finding, Kind};

const CHECKPOINT: &str = "checkpoint";
const PROGRESS: &str = "progress";
const NOTES: &str = "notes";
const FINDINGS: &str = "findings";
const HEADER: &str = "ledgerstone/monitor/v1";
/// Notes that are kept.
const MAX_NOTES: usize = 1000;
/// Findings that are kept, so that a log that misbehaves at every turn can't fill the disk.
const MAX_FINDINGS: usize = 500;

/// When what was seen, in milliseconds since 1970 by our clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// When the log was last seen to be alive: it grew, or a cosignature told a later time.
    pub fresh_ms: u64,
    /// When a checkpoint was last fetched and was good.
    pub seen_ms: u64,
    /// When the quorum of the policy was last met; when the log was first seen, if never.
    pub witnessed_ms: u64,
}

/// The state of the monitor of one log.
pub struct State<'d> {
    disk: &'d dyn Disk,
    /// Directory within the disk, without a slash at the end.
    dir: String,
}

impl<'d> State<'d> {
    /// The state of the log with this origin. Logs share a directory and have one each in it.
    ///
    /// # Errors
    /// The directory can't be made.
    pub fn open(disk: &'d dyn Disk, origin: &str) -> io::Result<State<'d>> {
        let dir = directory(origin);
        for sub in [NOTES, FINDINGS] {
            disk.create_dir(&format!("{dir}/{sub}"))?;
        }
        let state = State { disk, dir };
        if disk.len(&state.path("origin"))?.is_none() {
            replace(disk, &state.path("origin"), format!("{origin}\n").as_bytes())?;
        }
        Ok(state)
    }

    /// The state of the log with this origin, if there is one; nothing is written.
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn open_existing(disk: &'d dyn Disk, origin: &str) -> io::Result<Option<State<'d>>> {
        let state = State { disk, dir: directory(origin) };
        Ok(disk.len(&state.path("origin"))?.map(|_| state))
    }

    /// Where it is, within the disk.
    pub fn dir(&self) -> &str {
        &self.dir
    }

    /// The newest checkpoint that was accepted.
    ///
    /// # Errors
    /// It can't be read.
    pub fn checkpoint(&self) -> io::Result<Option<Vec<u8>>> {
        let path = self.path(CHECKPOINT);
        self.disk.len(&path)?.map(|_| self.disk.read(&path)).transpose()
    }

    /// When what was seen.
    ///
    /// # Errors
    /// It can't be read, or is not what was written.
    pub fn progress(&self) -> io::Result<Option<Progress>> {
        let path = self.path(PROGRESS);
        if self.disk.len(&path)?.is_none() {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&self.disk.read(&path)?).into_owned();
        parse(&text).map(Some).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{path} is not what a monitor writes"))
        })
    }

    /// Keeps times.
    ///
    /// # Errors
    /// They can't be written.
    pub fn keep_progress(&self, progress: Progress) -> io::Result<()> {
        let Progress { fresh_ms, seen_ms, witnessed_ms } = progress;
        let text = format!("{HEADER}\nfresh {fresh_ms}\nseen {seen_ms}\nwitnessed {witnessed_ms}\n");
        replace(self.disk, &self.path(PROGRESS), text.as_bytes())
    }

    /// Accepts a checkpoint: from now on nothing that contradicts it is.
    ///
    /// # Errors
    /// It can't be written.
    pub fn accept(&self, checkpoint: &VerifiedCheckpoint, note: &[u8]) -> io::Result<()> {
        let claimed = checkpoint.checkpoint();
        let name = format!("{:020}-{}", claimed.size, hex(&claimed.root.as_bytes()[..8]));
        let path = self.path(&format!("{NOTES}/{name}"));
        if self.disk.len(&path)?.is_none() {
            replace(self.disk, &path, note)?;
            let notes = self.disk.list(&self.path(NOTES))?;
            for old in notes.iter().take(notes.len().saturating_sub(MAX_NOTES)) {
                self.disk.remove(&self.path(&format!("{NOTES}/{}", old.name)))?;
            }
        }
        replace(self.disk, &self.path(CHECKPOINT), note)
    }

    /// The checkpoints that were accepted, smallest first.
    ///
    /// # Errors
    /// They can't be read.
    pub fn notes(&self) -> io::Result<Vec<Vec<u8>>> {
        let names = self.disk.list(&self.path(NOTES))?;
        let notes = names.iter().filter(|entry| !entry.dir && !entry.name.ends_with(".tmp"));
        notes.map(|entry| self.disk.read(&self.path(&format!("{NOTES}/{}", entry.name)))).collect()
    }

    /// Keeps a finding with all that shows it; says where, within the disk. One that is there already is not kept
    /// again, nor is another of its kind once there are five hundred.
    ///
    /// # Errors
    /// It can't be written.
    pub fn keep_finding(&self, finding: &Finding, now_ms: u64) -> io::Result<String> {
        let known = self.disk.list(&self.path(FINDINGS))?;
        for entry in known.iter().filter(|entry| entry.name.ends_with(finding.kind.word())) {
            let dir = self.path(&format!("{FINDINGS}/{}", entry.name));
            let same = |(name, bytes): &(&str, Vec<u8>)| {
                self.disk.read(&format!("{dir}/{name}")).is_ok_and(|there| there == *bytes)
            };
            if finding.evidence.iter().all(same) && !finding.evidence.is_empty()
                || known.len() >= MAX_FINDINGS
            {
                return Ok(dir);
            }
        }
        let dir = self.path(&format!("{FINDINGS}/{now_ms}-{}", finding.kind.word()));
        self.disk.create_dir(&dir)?;
        for (name, bytes) in &finding.evidence {
            replace(self.disk, &format!("{dir}/{name}"), bytes)?;
        }
        // Last: where it is, all else is.
        replace(self.disk, &format!("{dir}/text"), format!("{finding}\n").as_bytes())?;
        Ok(dir)
    }

    /// The forks that were found at any time, with where they are kept.
    ///
    /// # Errors
    /// They can't be read.
    pub fn forks(&self) -> io::Result<Vec<(String, String)>> {
        let found = self.disk.list(&self.path(FINDINGS))?;
        let forks = found.iter().filter(|entry| entry.name.ends_with(Kind::Fork.word()));
        let mut list = Vec::new();
        for entry in forks {
            let dir = self.path(&format!("{FINDINGS}/{}", entry.name));
            let text = format!("{dir}/text");
            if self.disk.len(&text)?.is_some() {
                list.push((dir, String::from_utf8_lossy(&self.disk.read(&text)?).trim_end().to_owned()));
            }
        }
        Ok(list)
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.dir)
    }
}

/// Named by a hash: an origin may hold what has no place in a file name.
fn directory(origin: &str) -> String {
    use sha2::Digest as _;
    hex(&sha2::Sha256::digest(origin.as_bytes())[..8])
}

fn parse(text: &str) -> Option<Progress> {
    let mut lines = text.strip_prefix(HEADER)?.strip_prefix('\n')?.lines();
    let mut number = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
    Some(Progress {
        fresh_ms: number("fresh")?,
        seen_ms: number("seen")?,
        witnessed_ms: number("witnessed")?,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
