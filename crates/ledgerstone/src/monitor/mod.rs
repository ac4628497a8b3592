//! `monitor`: finds the logs, looks at each again and again, and says what it sees.

mod place;
mod tell;

use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;

use ::monitor::{Finding, HttpSource, Kind, LookError, Mirror, Round, Source, State, Watch};
use env::{Clock, SystemEnv};
use indicatif::ProgressBar;
use storage::LocalDisk;
use tlog::{Checkpoint, Policy, VerifierKey};

use crate::cli;
use crate::client::verify::bar;
use crate::failure::{About, Failure};
use crate::terminal;
use place::{Place, find};
use tell::{Looked, Teller};

/// Bytes of a file of notes or a policy that are read.
const MAX_FILE: u64 = 1 << 20;

pub(crate) fn run(args: &cli::Monitor) -> Result<(), Failure> {
    let keys = args.keys.iter().map(|key| crate::client::parse_key(key)).collect::<Result<Vec<_>, _>>()?;
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let net = Arc::new(net::HttpNet::new(&args.channel.tls(None), net::Plain::Anywhere)?);
    let witnesses: Vec<(String, Box<dyn Source>)> = policy
        .iter()
        .flat_map(|policy| policy.witnesses())
        .filter_map(|witness| {
            let source = HttpSource::new(net.clone(), witness.url()?, None);
            Some((witness.name(), Box::new(source) as Box<dyn Source>))
        })
        .collect();
    let disk = LocalDisk::open(&args.state).about("keep the state in", &args.state)?;
    let _lock = lock(&args.state)?;
    let mirror = match &args.mirror {
        Some(dir) => Some(LocalDisk::open_public(dir).about("keep the mirror in", dir)?),
        None => None,
    };
    let clock = SystemEnv::new();
    let mut teller = Teller::new(args.json);
    let mut places: Vec<Place> = Vec::new();
    loop {
        // A log that can't be asked at the start of a long watch may be there later.
        if places.is_empty() {
            match find(net.clone(), args, &keys) {
                Ok(found) => places = found,
                Err(failure @ Failure::Trouble(_)) if !args.once => teller.trouble(failure.message()),
                Err(failure) => return Err(failure),
            }
            if places.len() > 1 && args.mirror.is_some() {
                return Err(Failure::trouble("a mirror holds one log: give the key of one with --mirror"));
            }
        }
        for place in &places {
            let state = State::open(&disk, place.origin()).about("keep the state in", &args.state)?;
            let looking = Looking {
                args,
                policy: policy.as_ref(),
                place,
                state: &state,
                mirror: mirror.as_ref(),
                witnesses: &witnesses,
                clock: &clock,
            };
            let looked = looking.look()?;
            teller.tell(&looked, &args.state, clock.now_ms())?;
            if let Some(failure) = looked.failure(args) {
                return Err(failure);
            }
        }
        if args.once {
            return Ok(());
        }
        sleep(args.every);
    }
}

/// Keeps a second monitor out of the state, which could set it back.
fn lock(state: &Path) -> Result<std::fs::File, Failure> {
    let path = state.join("lock");
    let file = std::fs::File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.about("keep the state in", &path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(Failure::trouble(format!("another monitor keeps its state in {}", state.display()))
                .hint("give each its own --state DIR"))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error).about("lock", &path),
    }
}

/// What a look at one log needs.
struct Looking<'a> {
    args: &'a cli::Monitor,
    policy: Option<&'a Policy>,
    place: &'a Place,
    state: &'a State<'a>,
    mirror: Option<&'a LocalDisk>,
    /// Witnesses of the policy that have an address.
    witnesses: &'a [(String, Box<dyn Source>)],
    clock: &'a SystemEnv,
}

impl Looking<'_> {
    /// Looks once: the newest checkpoint, the notes of others, the mirror.
    fn look(&self) -> Result<Looked, Failure> {
        let mirror = self.mirror.map(|disk| Mirror::new(disk, disk.root().display().to_string()));
        let near = mirror.as_ref().map(Mirror::source);
        let watch = Watch {
            source: self.place.source.as_ref(),
            near: near.as_ref().map(|near| near as &dyn Source),
            keys: &self.place.keys,
            policy: self.policy,
            silence: self.args.silence.or(self.place.silence),
            state: self.state,
            clock: self.clock,
            pause: &sleep,
        };
        let mut looked = Looked::new(self.place);
        looked.forks = self.state.forks().about("read the state in", &self.args.state)?;
        let round = match watch.round() {
            Ok(round) => round,
            Err(LookError::Fetch(error)) => {
                looked.trouble = Some(error.to_string());
                looked.findings = watch.lateness().map_err(state_failure)?;
                return Ok(looked);
            }
            Err(error) => return Err(state_failure(error)),
        };
        let Round { step, accepted, findings } = round;
        looked.findings = findings;
        looked.step = Some(step);
        looked.accepted = accepted.as_ref().map(|(checkpoint, _)| checkpoint.clone());
        if !self.args.against.is_empty() {
            let notes = read_notes(&self.args.against, &self.place.keys, self.place.origin())?;
            match watch.compare_with(&notes) {
                Ok(findings) => looked.findings.extend(findings),
                Err(LookError::Fetch(error)) => looked.trouble = Some(error.to_string()),
                Err(error) => return Err(state_failure(error)),
            }
        }
        if !self.witnesses.is_empty() {
            match watch.ask_witnesses(self.witnesses) {
                Ok(asked) => {
                    looked.findings.extend(asked.findings);
                    looked.silent_witnesses = asked.silent;
                }
                Err(LookError::Fetch(error)) => looked.trouble = Some(error.to_string()),
                Err(error) => return Err(state_failure(error)),
            }
        }
        if let (Some(mirror), Some((checkpoint, note)), true) =
            (&mirror, &accepted, looked.findings_are_late_only())
        {
            self.copy(&watch, mirror, checkpoint, note, &mut looked)?;
        }
        Ok(looked)
    }

    /// Brings the mirror up to the accepted checkpoint.
    fn copy(
        &self,
        watch: &Watch<'_>,
        mirror: &Mirror<'_>,
        checkpoint: &Checkpoint,
        note: &[u8],
        looked: &mut Looked,
    ) -> Result<(), Failure> {
        let keys = &self.place.keys;
        let there = mirror.checkpoint(self.place.origin(), keys).map_err(Failure::trouble)?;
        let from = match &there {
            // It is not ours to mend: somebody else may be serving it.
            Some(there) if there.size > checkpoint.size => {
                return Err(Failure::trouble(format!(
                    "the mirror is ahead of what was accepted: {} entries instead of {}",
                    there.size, checkpoint.size
                ))
                .hint("use the --state that it was made with"));
            }
            Some(there) => there.size,
            None => 0,
        };
        let bar: ProgressBar = bar("entries copied");
        bar.set_length(checkpoint.size - from);
        let synced = watch.tree(checkpoint).map_err(|error| error.to_string()).and_then(|tree| {
            if there.is_some_and(|there| tree.root_at(from).is_ok_and(|root| root != there.root)) {
                return Err("the mirror is of another history than the log".to_owned());
            }
            let walked = mirror.sync(&tree, from, note, &|done| bar.set_position(done));
            let walked = walked.map_err(|error| error.to_string())?;
            if let (Some(policy), true) = (self.policy, walked.bad.is_empty()) {
                let witnesses: Vec<_> = policy.witnesses().iter().map(|one| one.key().clone()).collect();
                let (log, origin) = (self.place.source.as_ref(), self.place.origin());
                let kept = mirror.keep_witnessed(log, &tree, origin, keys, &witnesses);
                kept.map_err(|error| error.to_string())?;
            }
            Ok(walked)
        });
        bar.finish_and_clear();
        match synced {
            Ok(walked) => {
                for bad in &walked.bad {
                    let finding = Finding::from(bad);
                    let kept = self.state.keep_finding(&finding, self.clock.now_ms());
                    looked.findings.push((finding, kept.about("keep a finding in", &self.args.state)?));
                }
                looked.mirrored = walked.bad.is_empty().then_some(checkpoint.size);
            }
            Err(why) => {
                looked.trouble = Some(format!("the mirror could not be brought up to date: {why}"));
                looked.needs_token = why.contains("is not given to us");
            }
        }
        Ok(())
    }
}

impl Looked {
    fn findings_are_late_only(&self) -> bool {
        self.findings.iter().all(|(finding, _)| finding.kind.is_late())
    }

    /// What ends the watch, if anything does.
    fn failure(&self, args: &cli::Monitor) -> Option<Failure> {
        let fork = self.findings.iter().any(|(finding, _)| finding.kind == Kind::Fork);
        if args.keep_going && !fork && self.forks.is_empty() {
            return None;
        }
        let state = args.state.display();
        if let Some((finding, place)) = self.findings.iter().find(|(finding, _)| !finding.kind.is_late()) {
            let failure = Failure::no(format!("{}: {finding}", self.origin));
            return Some(match place.is_empty() {
                true => failure,
                false => failure.hint(format!("what shows it is in {state}/{place}")),
            });
        }
        if let Some((place, text)) = self.forks.first() {
            return Some(
                Failure::no(format!("{}: on record since before: {text}", self.origin)).hint(format!(
                    "a fork is final; what shows it is in {state}/{place}, to be moved elsewhere once it was dealt with"
                )),
            );
        }
        if let Some((finding, _)) = self.findings.first() {
            return Some(Failure::late(format!("{}: {finding}", self.origin)));
        }
        let trouble = self.trouble.as_ref().filter(|_| args.once || self.needs_token)?;
        let failure = Failure::trouble(format!("{}: {trouble}", self.origin));
        Some(match self.needs_token {
            true => failure.hint("entries need a token of an auditor: --token-file FILE"),
            false => failure,
        })
    }
}

fn state_failure(error: LookError) -> Failure {
    match error {
        LookError::Kept(_) => {
            Failure::trouble(error).hint("give the --key that the state was made with, or another --state")
        }
        error => Failure::trouble(error),
    }
}

fn read_policy(path: &Path) -> Result<Policy, Failure> {
    Policy::parse_bytes(&read(path)?)
        .map_err(|error| Failure::trouble(format!("{}: {error}", path.display())))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let length = std::fs::metadata(path).about("read", path)?.len();
    if length > MAX_FILE {
        return Err(Failure::trouble(format!("{} is too long: {length} bytes", path.display())));
    }
    std::fs::read(path).about("read", path)
}

/// The checkpoints in files and in the state directories of other monitors; from a directory only those of this log.
fn read_notes(
    paths: &[std::path::PathBuf],
    keys: &[VerifierKey],
    origin: &str,
) -> Result<Vec<Vec<u8>>, Failure> {
    let mut notes = Vec::new();
    for path in paths {
        if !path.is_dir() {
            let note = read(path)?;
            let verified = tlog::UnverifiedCheckpoint::parse_with_extensions(&note)
                .and_then(|note| note.verify(origin, keys, &[]));
            verified.map_err(|error| Failure::trouble(format!("{}: {error}", path.display())))?;
            notes.push(note);
            continue;
        }
        let disk = LocalDisk::open(path).about("read", path)?;
        let theirs = State::open_existing(&disk, origin).about("read", path)?;
        match theirs {
            Some(state) => notes.extend(state.notes().about("read", path)?),
            None => terminal::tell(&format!("note: {} holds nothing about {origin}", path.display())),
        }
    }
    Ok(notes)
}
