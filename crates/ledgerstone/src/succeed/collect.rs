//! Everything that may hold a checkpoint of the old ledger, opened and asked; nothing of it is changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use evidence::sightings::Sighting;
use evidence::statefile;
use evidence::verify::Report;
use export::zip::{self, Method};
use net::{HttpNet, Net, Plain, Request, TlsSettings};
use record::receipt::Receipt;
use tlog::{AddCheckpoint, Policy, TlogProof, UnverifiedCheckpoint, origin_hash};

use crate::client;
use crate::failure::{About, Failure};

/// Larger files in a folder are passed over; one that is named is read whatever its size.
const FILE_MAX: u64 = 64 << 20;
/// Files of a folder that are looked into, and how deep it is followed.
const FILES_MAX: usize = 20_000;
const DEPTH_MAX: usize = 6;
/// How long a witness is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A store, or a copy of one, and what its verification found.
pub(super) struct Store {
    pub path: PathBuf,
    pub report: Report,
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub stores: Vec<Store>,
    pub sightings: Vec<Sighting>,
    /// What could not be read or asked.
    pub silent: Vec<(String, String)>,
}

/// Reads what lies on this machine. `args` that are addresses are left for [`ask`].
pub(super) fn read(from: &[String]) -> Result<Found, Failure> {
    let mut found = Found::default();
    for path in from.iter().filter(|from| !from.contains("://")).map(Path::new) {
        if !path.exists() {
            return Err(Failure::trouble(format!("there is nothing at {}", path.display())));
        }
        match path.join(evidence::layout::REGISTER).is_file() {
            true => found.store(path),
            false if path.is_dir() => found.folder(path, 0, &mut 0)?,
            false => {
                let before = found.sightings.len();
                found.file(path)?;
                if found.sightings.len() == before {
                    found.silent.push((path.display().to_string(), "it holds no checkpoint".to_owned()));
                }
            }
        }
    }
    Ok(found)
}

impl Found {
    /// A store: its checkpoints, and those that witnesses showed against it.
    fn store(&mut self, path: &Path) {
        let bar = client::verify::bar("entries");
        let report = verifier::verify_dir(path, None, None, &|done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        let place = path.display();
        for ledger in &report.ledgers {
            for file in
                [evidence::layout::checkpoint(&ledger.name), evidence::layout::witnessed(&ledger.name)]
            {
                if let Ok(note) = fs::read(path.join(&file)) {
                    self.sightings.push(Sighting { party: format!("{place}/{file}"), note });
                }
            }
        }
        for (ledger, index, note) in &report.shown {
            let party = format!("{place}: shown by a witness, record {index} of {ledger}");
            self.sightings.push(Sighting { party, note: note.clone().into_bytes() });
        }
        self.stores.push(Store { path: path.to_owned(), report });
    }

    fn folder(&mut self, dir: &Path, depth: usize, files: &mut usize) -> Result<(), Failure> {
        let entries = fs::read_dir(dir).about("read", dir)?;
        let mut paths = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<Vec<PathBuf>>>()
            .about("read", dir)?;
        paths.sort();
        for path in paths {
            let meta = fs::symlink_metadata(&path).about("look at", &path)?;
            if meta.is_dir() && depth < DEPTH_MAX {
                match path.join(evidence::layout::REGISTER).is_file() {
                    true => self.store(&path),
                    false => self.folder(&path, depth + 1, files)?,
                }
            } else if meta.is_file() && meta.len() <= FILE_MAX {
                *files += 1;
                if *files > FILES_MAX {
                    let why = format!("more than {FILES_MAX} files: name those that matter");
                    return Err(Failure::trouble(format!("{}: {why}", dir.display())));
                }
                // A key file must not be opened for nothing. What can't be read may be what saw the most: it is told.
                if path.extension().is_none_or(|extension| extension != "key")
                    && let Err(failure) = self.file(&path)
                {
                    self.silent.push((path.display().to_string(), failure.message().to_owned()));
                }
            } else if meta.is_file() {
                let why = "it is large and was not looked into: name it, if it matters".to_owned();
                self.silent.push((path.display().to_string(), why));
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), Failure> {
        let bytes = fs::read(path).about("read", path)?;
        let party = path.display().to_string();
        let notes = notes(&bytes).into_iter();
        self.sightings.extend(notes.map(|note| Sighting { party: party.clone(), note }));
        Ok(())
    }

    /// Asks the witnesses at addresses that were given and those of the policy for what they saw of `origin`.
    pub(super) fn ask(
        &mut self,
        from: &[String],
        policy: Option<&Policy>,
        origin: &str,
        tls: &TlsSettings,
    ) -> Result<(), Failure> {
        let given = from.iter().filter(|from| from.contains("://"));
        let mut parties: Vec<(String, String)> = given.map(|url| (url.clone(), url.clone())).collect();
        for witness in policy.map(Policy::witnesses).unwrap_or_default() {
            let name = format!("witness {}", witness.name());
            match witness.url() {
                Some(url) => parties.push((name, url.to_owned())),
                None => self.silent.push((name, "the policy does not say where it is".to_owned())),
            }
        }
        if parties.is_empty() {
            return Ok(());
        }
        let net = HttpNet::new(tls, Plain::Anywhere)?;
        for (party, url) in parties {
            match monitored(&net, url.trim_end_matches('/'), origin) {
                Ok(note) => self.sightings.push(Sighting { party, note }),
                Err(why) => self.silent.push((party, why)),
            }
        }
        Ok(())
    }
}

/// What a witness cosigned last of a log (C2SP tlog-witness, the monitoring path), or what a log itself shows.
fn monitored(net: &HttpNet, url: &str, origin: &str) -> Result<Vec<u8>, String> {
    let mut why = String::new();
    for path in [format!("{}/checkpoint", origin_hash(origin)), "checkpoint".to_owned()] {
        let request = Request::get(format!("{url}/{path}")).within(PATIENCE);
        let answer =
            net.call(&request.at_most(tlog::note::MAX_NOTE_LEN as u64)).map_err(|error| error.to_string())?;
        match answer.status {
            200 => return Ok(answer.body),
            404 if why.is_empty() => why = "it knows nothing of this ledger".to_owned(),
            404 => {}
            status => why = format!("it answers {status}"),
        }
    }
    Err(why)
}

/// The checkpoint notes in a file of any kind that has one.
fn notes(bytes: &[u8]) -> Vec<Vec<u8>> {
    if export::is_evidence(bytes) {
        let rows = zip::directory(bytes).unwrap_or_default();
        let stored = rows.iter().filter(|row| row.name == "checkpoint" && row.method == Method::Stored);
        let data = stored.filter_map(|row| bytes.get(row.data() as usize..row.end() as usize));
        return data.map(<[u8]>::to_vec).collect();
    }
    if bytes.starts_with(b"c2sp.org/tlog-proof@") {
        return TlogProof::parse(bytes).map(|proof| proof.checkpoint.into_bytes()).into_iter().collect();
    }
    if bytes.starts_with(b"old ") {
        let request = AddCheckpoint::parse(bytes);
        return request.map(|request| request.checkpoint_note.into_bytes()).into_iter().collect();
    }
    if bytes.starts_with(b"{") {
        let of = |receipt: &[u8]| Some(Receipt::parse(receipt).ok()?.proof?.checkpoint.into_bytes());
        let whole = of(bytes.trim_ascii());
        let line = |line: &[u8]| {
            let value: serde_json::Value = serde_json::from_slice(line).ok()?;
            of(value.get("receipt")?.to_string().as_bytes())
        };
        return match whole {
            Some(note) => vec![note],
            None => bytes.split(|byte| *byte == b'\n').filter_map(line).collect(),
        };
    }
    if let Ok(value) = statefile::parse("ledgerstone/witness-log/v1", bytes) {
        let note = value.as_object().and_then(|object| object.get("note")?.str());
        return note.map(|note| note.as_bytes().to_vec()).into_iter().collect();
    }
    match UnverifiedCheckpoint::parse(bytes) {
        Ok(_) => vec![bytes.to_vec()],
        Err(_) => Vec::new(),
    }
}
