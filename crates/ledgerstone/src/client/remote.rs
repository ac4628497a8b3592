//! Verifying a server over HTTP: what it signs, shows and hands out must fit together, down to every payload.
//!
//! Entries are taken from the bundles, hashed again, and must lead to every tile and to the signed root. With a token
//! that allows it the payloads come too, and each must be what its entry commits to. What the token does not allow is
//! undecidable, ledger by ledger.

use std::io::{self, BufRead, Read};
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evidence::predecessor::Predecessor;
use evidence::verify::{Anchor, Damage, DamageKind, LedgerReport, Report, Stamp, judge, not_witnessed};
use indicatif::ProgressBar;
use record::commit::{Salt, Seed};
use record::control::{Control, ControlError, Genesis, Timestamp};
use record::entry::{ENTRY_LEN, Entry, Kind};
use record::facet::{FACETS, Facet};
use record::stored::{self, Known, Opening};
use serde_json::Value;
use tlog::{
    Hash, Policy, TILE_WIDTH, Tile, TileSource, TileStack, UnverifiedCheckpoint, VerifierKey, bundle_path,
    decode_bundle, decode_tile, leaf_hash, root_from_tiles,
};

use super::{Client, Denied, encode, json, rekey};
use crate::cli::Verify;
use crate::failure::Failure;

/// Entries that one thread fetches and checks at a time.
const WINDOW: u64 = 16 * TILE_WIDTH as u64;

/// Verifies every ledger of the server at an address, or with `key` at least the one that it signs.
///
/// # Errors
/// The server does not answer, or it is none of ours. What it answers wrongly is in the report.
pub(super) fn verify(
    args: &Verify,
    key: Option<&VerifierKey>,
    policy: Option<&Policy>,
    bar: &ProgressBar,
) -> Result<Report, Failure> {
    let mut server = args.server.clone();
    server.server = Some(args.what.clone());
    let (client, with_token) = match Client::new(&server) {
        Ok(client) => (client, true),
        // Asked for by name, it must be used or be told of.
        Err(failure) if server.token_file.is_some() => return Err(failure),
        Err(_) => (Client::anonymous(&server)?, false),
    };
    let known = client.get_json("/.well-known/ledgerstone")?;
    let mut report = Report { payloads_opened: with_token, ..Report::default() };
    let names = match with_token {
        true => names(&client, &mut report)?,
        false => {
            report.notes.push("no token was given: bundles and payloads may be closed to us".to_owned());
            Value::Null
        }
    };
    // Origins of ledgers that had other keys, of which nothing more could be seen.
    let mut may_be_former = Vec::new();
    for told in known.get("ledgers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice) {
        let Some(ledger) = Remote::of(&client, told, &names) else {
            return Err(Failure::trouble("the server describes a ledger in a way that is not understood"));
        };
        ledger.verify(key, &mut report, bar)?;
        if ledger.keys_unseen.load(Ordering::Relaxed) {
            may_be_former.push(ledger.origin.clone());
        }
        if let Some(policy) = policy {
            ledger.hold_against(policy, &mut report)?;
        }
    }
    if let Some(key) = key
        && report.ledgers.iter().all(|ledger| !ledger.knows(&key.to_string()))
    {
        match may_be_former.contains(&key.name().to_owned()) {
            true => report.undecided.push(
                "the key that was given may be an earlier one: give a token that opens the ledger's own records".to_owned(),
            ),
            false => {
                let detail = "no ledger of this server is signed by the key that was given";
                report.damage.push(Damage::new(DamageKind::Signature, "/.well-known/ledgerstone", detail));
            }
        }
    }
    // Of those that could be read; where none could, nothing was opened.
    report.payloads_opened &= report.ledgers.iter().any(|ledger| ledger.payloads > 0);
    bar.finish_and_clear();
    Ok(report)
}

/// The ledgers that the token is for, as the server lists them.
fn names(client: &Client, report: &mut Report) -> Result<Value, Failure> {
    let answer = client.get("/v1/ledgers").map_err(Failure::from)?;
    match answer.status {
        200 => json::parse(&answer.body),
        // A token that is not known is a mistake to mend; one that is for other things is not.
        403 => {
            report.notes.push("the token does not allow to see which ledgers there are".to_owned());
            Ok(Value::Null)
        }
        _ => Err(client.refused(&answer)),
    }
}

/// A ledger of a server.
struct Remote<'a> {
    client: &'a Client,
    /// Where its C2SP resources are.
    prefix: String,
    origin: String,
    vkey: String,
    /// Name and id, for those who have a token.
    name: Option<(String, [u8; 32])>,
    /// Whether the payloads turned out not to be for whoever asks.
    closed: AtomicBool,
    /// Whether its key may have changed before, in records that could not be looked into.
    keys_unseen: AtomicBool,
}

/// The tiles of a server for any size up to that of its checkpoint: each is a prefix of one that is served.
struct Served<'a> {
    ledger: &'a Remote<'a>,
    size: u64,
}

impl TileSource for Served<'_> {
    type Error = String;

    fn tile(&self, tile: Tile) -> Result<Vec<Hash>, String> {
        let now = match tlog::full_tiles(tile.level, self.size) {
            full if tile.index < full => TILE_WIDTH,
            _ => tlog::partial_width(tile.level, self.size),
        };
        let path = format!("{}/{}", self.ledger.prefix, Tile { width: now, ..tile }.path());
        let bytes = self.ledger.client.get_ok(&path).map_err(|failure| failure.message().to_owned())?;
        let mut hashes = decode_tile(&bytes, now).map_err(|error| error.to_string())?;
        hashes.truncate(usize::from(tile.width));
        Ok(hashes)
    }
}

/// What one thread found in its window of entries.
#[derive(Default)]
struct Window {
    leaves: Vec<Hash>,
    events: u64,
    payloads: u64,
    /// Records of which parts were erased or withheld.
    partial: u64,
    /// What the ledger says of its keys, by index.
    keys: Vec<(u64, Control)>,
    /// Index of the first change of a key of which the payload was not opened.
    sealed_change: Option<u64>,
    timestamps: Vec<(u64, Timestamp)>,
    damage: Vec<Damage>,
}

impl Window {
    /// The first record of all, where payloads may be read.
    fn genesis(&self) -> Option<&Genesis> {
        self.keys.iter().find_map(|(index, said)| match said {
            Control::Genesis(genesis) if *index == 0 => Some(genesis),
            _ => None,
        })
    }
}

impl<'a> Remote<'a> {
    fn of(client: &'a Client, told: &Value, names: &Value) -> Option<Remote<'a>> {
        let text = |name| json::text(told, name).map(str::to_owned);
        let prefix = text("prefix")?;
        let named = names
            .as_array()
            .and_then(|list| list.iter().find(|of| json::text(of, "prefix") == Some(&prefix)));
        let name = named.and_then(|ledger| {
            let id = evidence::hex::decode(json::text(ledger, "id")?)?;
            Some((json::text(ledger, "name")?.to_owned(), id))
        });
        let closed = AtomicBool::new(name.is_none());
        Some(Remote {
            client,
            prefix,
            origin: text("origin")?,
            vkey: text("vkey")?,
            name,
            closed,
            keys_unseen: AtomicBool::new(false),
        })
    }

    fn verify(
        &self,
        key: Option<&VerifierKey>,
        report: &mut Report,
        bar: &ProgressBar,
    ) -> Result<(), Failure> {
        let mut ledger = LedgerReport {
            name: self.name.as_ref().map_or_else(String::new, |(name, _)| name.clone()),
            origin: self.origin.clone(),
            vkey: self.vkey.clone(),
            ..LedgerReport::default()
        };
        let done = self.checkpoint().and_then(|head| match head {
            Err(damage) => {
                report.damage.push(damage);
                Ok(())
            }
            Ok((size, root)) => {
                (ledger.size, ledger.root, ledger.good_below) = (size, root.to_base64(), size);
                bar.inc_length(size);
                self.entries(size, &root, &mut ledger, report, bar)
            }
        });
        if key.is_some_and(|key| ledger.knows(&key.to_string())) {
            ledger.anchor = Anchor::Key;
        }
        let closed = self.closed.load(Ordering::Relaxed);
        match done {
            Ok(()) => report.payloads_opened &= !closed,
            Err(Denied::Rights(why, _)) => {
                ledger.good_below = 0;
                self.keys_unseen.store(true, Ordering::Relaxed);
                report.undecided.push(format!("{}: not allowed to read it: {why}", self.label()));
            }
            Err(Denied::Other(failure)) => return Err(failure),
        }
        if self.name.is_some() && closed {
            let label = self.label();
            report
                .notes
                .push(format!("{label}: the token does not allow its payloads: they were not opened"));
        }
        report.ledgers.push(ledger);
        Ok(())
    }

    /// Holds the witnessed checkpoint of the ledger that was verified last against a policy. The tiles were verified with the
    /// entries, so its root must follow from them.
    fn hold_against(&self, policy: &Policy, report: &mut Report) -> Result<(), Failure> {
        let (at, path) = (report.ledgers.len() - 1, format!("{}/checkpoint.witnessed", self.prefix));
        let answer = self.client.get(&path)?;
        let checkpoint = match answer.status {
            200 => judge(&answer.body, at, &path, policy, report),
            404 => {
                not_witnessed(at, policy, report);
                None
            }
            _ => return Err(self.client.refused(&answer)),
        };
        let Some(checkpoint) = checkpoint else { return Ok(()) };
        let (size, contradiction) =
            (report.ledgers[at].size, |detail: String| Damage::new(DamageKind::Contradiction, &path, detail));
        if checkpoint.size > size {
            // It may have been cosigned since the checkpoint was read.
            let detail = format!(
                "witnesses have cosigned more than was verified: {} > {size}; verify again",
                checkpoint.size
            );
            report.undecided.push(detail);
            return Ok(());
        }
        match root_from_tiles(checkpoint.size, &Served { ledger: self, size }) {
            Ok(root) if root == checkpoint.root => {
                let ledger = &mut report.ledgers[at];
                if report.damage.is_empty() && ledger.anchor == Anchor::None {
                    ledger.anchor = Anchor::Witnessed;
                }
            }
            Ok(_) => report.damage.push(contradiction("witnesses have cosigned another tree".to_owned())),
            Err(error) => report.undecided.push(format!("{path}: can't be held against tiles: {error}")),
        }
        Ok(())
    }

    /// Size and root of the newest checkpoint, if it is signed as the server says.
    fn checkpoint(&self) -> Result<Result<(u64, Hash), Damage>, Denied> {
        let path = format!("{}/checkpoint", self.prefix);
        let note = self.client.get_allowed(&path)?;
        let bad = |error: &dyn std::fmt::Display| Ok(Err(Damage::new(DamageKind::Signature, &path, error)));
        let key = match VerifierKey::parse(&self.vkey) {
            Ok(key) => key,
            Err(error) => return bad(&error),
        };
        let checkpoint =
            UnverifiedCheckpoint::parse(&note).and_then(|note| note.verify(&self.origin, &[key], &[]));
        match checkpoint {
            Ok(checkpoint) => Ok(Ok((checkpoint.checkpoint().size, checkpoint.checkpoint().root))),
            Err(error) => bad(&error),
        }
    }

    /// Checks all entries below `size`, window by window, several at a time; then that they lead to the root.
    fn entries(
        &self,
        size: u64,
        root: &Hash,
        ledger: &mut LedgerReport,
        report: &mut Report,
        bar: &ProgressBar,
    ) -> Result<(), Denied> {
        let threads = thread::available_parallelism().map_or(2, NonZero::get) as u64;
        let mut tree = TileStack::new();
        let (mut partial, mut upper, mut timestamps) = (0, Vec::new(), Vec::new());
        let (mut keys, mut sealed_change) = (Vec::new(), None);
        for round in (0..size).step_by((WINDOW * threads) as usize) {
            let starts = (0..threads).map(|at| round + at * WINDOW).filter(|start| *start < size);
            let windows: Vec<Result<Window, Denied>> = thread::scope(|scope| {
                let running: Vec<_> = starts
                    .map(|start| scope.spawn(move || self.window(start, size.min(start + WINDOW), size)))
                    .collect();
                let gone = |_| Err(Failure::trouble("a thread that verified ended in a panic").into());
                running.into_iter().map(|thread| thread.join().unwrap_or_else(gone)).collect()
            });
            for window in windows {
                let window = window?;
                bar.inc(window.leaves.len() as u64);
                window.leaves.iter().for_each(|leaf| {
                    tree.push(*leaf, &mut |tile, hashes| {
                        // Tiles of leaves were compared where their bundle was.
                        if tile.level > 0 {
                            upper.push((tile, hashes.to_vec()));
                        }
                    });
                });
                ledger.events += window.events;
                ledger.payloads += window.payloads;
                partial += window.partial;
                match window.genesis().map(Predecessor::of) {
                    Some(Ok(old)) => ledger.predecessor = old,
                    Some(Err(detail)) => {
                        let path = format!("{}/tile/entries", self.prefix);
                        let damage = Damage::new(DamageKind::Contradiction, path, detail);
                        report.damage.push(damage.of(self.label(), 0, 1));
                    }
                    None => {}
                }
                keys.extend(window.keys);
                sealed_change = sealed_change.or(window.sealed_change);
                timestamps.extend(window.timestamps);
                for damage in window.damage {
                    if let Some((_, first, _)) = &damage.entries {
                        ledger.good_below = ledger.good_below.min(*first);
                    }
                    report.damage.push(damage);
                }
            }
        }
        upper.extend(tree.partials().map(|(tile, hashes)| (tile, hashes.to_vec())));
        for (tile, hashes) in &upper {
            report.damage.extend(self.tile(*tile, hashes)?);
        }
        if tree.root() != *root {
            let detail = "the entries do not lead to the root that was signed";
            let damage = Damage::new(DamageKind::Hash, format!("{}/checkpoint", self.prefix), detail);
            // Without a bundle that is told as damaged, nothing says which entry it is.
            if report.damage.is_empty() {
                ledger.good_below = 0;
            }
            report.damage.push(damage.of(&ledger.name, 0, size));
        }
        self.timestamps(size, timestamps, report);
        if partial > 0 {
            report.notes.push(format!("{}: {partial} records are erased or withheld in part", self.origin));
        }
        if let Some(index) = sealed_change {
            self.keys_unseen.store(true, Ordering::Relaxed);
            report.notes.push(format!(
                "{}: the key changed at index {index}; who changed it was not checked, since that record is not open to us",
                self.label()
            ));
        } else if report.damage.is_empty() {
            let root = |of: u64| root_from_tiles(of, &Served { ledger: self, size });
            rekey::check(ledger, keys, root, report);
        }
        Ok(())
    }

    /// Holds timestamps on record against the tree, whose tiles were verified with the entries.
    fn timestamps(&self, size: u64, timestamps: Vec<(u64, Timestamp)>, report: &mut Report) {
        for (index, record) in timestamps {
            let root = match record.size <= index {
                true => root_from_tiles(record.size, &Served { ledger: self, size }).map(Some),
                false => Ok(None),
            };
            match root {
                Ok(Some(root)) if *root.as_bytes() == record.root => report.timestamps.push(Stamp {
                    ledger: self.label().to_owned(),
                    origin: self.origin.clone(),
                    index,
                    record,
                }),
                Ok(_) => {
                    let detail = "a timestamp is of another tree than the ledger's";
                    let damage = Damage::new(DamageKind::Contradiction, &self.prefix, detail);
                    report.damage.push(damage.of(self.label(), index, index + 1));
                }
                Err(error) => report
                    .undecided
                    .push(format!("the timestamp of entry {index} can't be held against the tree: {error}")),
            }
        }
    }

    /// Fetches and checks the entries from `start`, a multiple of a bundle's width, to `end` in a tree of `size`.
    fn window(&self, start: u64, end: u64, size: u64) -> Result<Window, Denied> {
        let mut window = Window::default();
        let mut entries: Vec<Option<Entry>> = Vec::new();
        for first in (start..end).step_by(usize::from(TILE_WIDTH)) {
            let width = u16::try_from((size - first).min(u64::from(TILE_WIDTH))).unwrap_or(TILE_WIDTH);
            let path = format!("{}/{}", self.prefix, bundle_path(first / u64::from(TILE_WIDTH), width));
            let bundle = self.client.get_allowed(&path)?;
            let damage = |detail: String, from: u64, to: u64| {
                Damage::new(DamageKind::Format, &path, detail).of(self.label(), from, to)
            };
            let held = match decode_bundle(&bundle) {
                Ok(held) if held.len() == usize::from(width) => held,
                other => {
                    let detail = other.map_or_else(
                        |error| error.to_string(),
                        |held| format!("{} entries instead of {width}", held.len()),
                    );
                    window.damage.push(damage(detail, first, first + u64::from(width)));
                    // Something must stand in their place, so that what follows keeps its index.
                    window.leaves.extend((0..width).map(|_| tlog::empty_root()));
                    entries.extend((0..width).map(|_| None));
                    continue;
                }
            };
            let leaves: Vec<Hash> = held.iter().map(|entry| leaf_hash(entry)).collect();
            for (index, entry) in (first..).zip(&held) {
                let entry = Entry::decode(entry);
                if let Err(error) = &entry {
                    window.damage.push(damage(error.to_string(), index, index + 1));
                }
                entries.push(entry.ok());
            }
            if width == TILE_WIDTH {
                window.damage.extend(self.tile(Tile::full(0, first / u64::from(TILE_WIDTH)), &leaves)?);
            }
            window.leaves.extend(leaves);
        }
        window.damage.extend(self.backwards(start, &entries));
        let is_event = |entry: &Entry| matches!(entry.kind, Kind::Event | Kind::Quarantine);
        window.events = entries.iter().flatten().filter(|entry| is_event(entry)).count() as u64;
        if let Some((name, id)) = &self.name
            && !self.closed.load(Ordering::Relaxed)
        {
            self.payloads(name, id, start, &entries, &mut window)?;
        }
        let changes =
            (start..).zip(&entries).filter(|(_, entry)| entry.is_some_and(|it| it.kind == Kind::Key));
        let opened = |index: &u64| window.keys.iter().any(|(known, _)| known == index);
        window.sealed_change = changes.map(|(index, _)| index).find(|index| !opened(index));
        Ok(window)
    }

    /// The first entry that says it was received before the one ahead of it (DESIGN section 3).
    fn backwards(&self, start: u64, entries: &[Option<Entry>]) -> Option<Damage> {
        let goes_back = |pair: &[Option<Entry>]| match pair {
            [Some(before), Some(after)] => after.received_ms < before.received_ms,
            _ => false,
        };
        let index = start + 1 + entries.windows(2).position(goes_back)? as u64;
        let detail = "received before the entry ahead of it";
        Some(Damage::new(DamageKind::Order, format!("{}/tile/entries", self.prefix), detail).of(
            self.label(),
            index,
            index + 1,
        ))
    }

    /// Compares a tile with the hashes that the entries lead to.
    fn tile(&self, tile: Tile, expected: &[Hash]) -> Result<Option<Damage>, Denied> {
        let path = format!("{}/{}", self.prefix, tile.path());
        let bytes = self.client.get_allowed(&path)?;
        let (kind, detail) = match decode_tile(&bytes, tile.width) {
            Ok(hashes) if hashes == expected => return Ok(None),
            Ok(_) => {
                (DamageKind::Hash, "the tile does not hold the hashes that the entries lead to".to_owned())
            }
            Err(error) => (DamageKind::Format, error.to_string()),
        };
        Ok(Some(Damage::new(kind, path, detail)))
    }

    /// Checks that the payloads are what the entries commit to.
    fn payloads(
        &self,
        name: &str,
        id: &[u8; 32],
        start: u64,
        entries: &[Option<Entry>],
        window: &mut Window,
    ) -> Result<(), Failure> {
        let end = start + entries.len() as u64;
        let path = format!("/v1/ledgers/{}/records?from={start}&to={end}", encode(name));
        let mut lines = match self.client.get_lines(&path) {
            Ok(lines) => lines,
            Err(Denied::Rights(..)) => {
                self.closed.store(true, Ordering::Relaxed);
                return Ok(());
            }
            Err(other) => return Err(other.into()),
        };
        for (index, entry) in (start..).zip(entries) {
            let mut line = Vec::new();
            // An answer that is cut off says something about the connection, nothing about the ledger.
            let cut_off = |why: &dyn std::fmt::Display| {
                Failure::trouble(format!(
                    "the payloads of {name} could not be read to their end, at index {index}: {why}"
                ))
            };
            if lines.read_until(b'\n', &mut line).map_err(|error| cut_off(&error))? == 0 {
                return Err(cut_off(&io::ErrorKind::UnexpectedEof));
            }
            let Some(entry) = entry else { continue };
            match check_line(&line, index, entry, id) {
                Ok((whole, said)) => {
                    window.payloads += 1;
                    window.partial += u64::from(!whole);
                    match said {
                        Some(Control::Timestamp(timestamp)) => window.timestamps.push((index, timestamp)),
                        said => window.keys.extend(said.map(|said| (index, said))),
                    }
                }
                Err(detail) => {
                    let mut damage =
                        Damage::new(DamageKind::Payload, &path, detail).of(name, index, index + 1);
                    damage.first_bad_ms = Some(entry.received_ms);
                    window.damage.push(damage);
                }
            }
        }
        Ok(())
    }

    /// What the ledger is called in reports.
    fn label(&self) -> &str {
        self.name.as_ref().map_or(&self.origin, |(name, _)| name)
    }
}

/// Checks one stored record against its entry; whether nothing of it is missing, and what it says of the ledger's keys or of a time.
fn check_line(
    line: &[u8],
    index: u64,
    entry: &Entry,
    id: &[u8; 32],
) -> Result<(bool, Option<Control>), String> {
    let value: Value =
        serde_json::from_slice(line).map_err(|error| format!("the record is not JSON: {error}"))?;
    let bad = |what: &str| format!("the record has no usable member {what}");
    if json::number(&value, "index") != Some(index) {
        return Err("the record is of another index".to_owned());
    }
    if value.get("entry").and_then(bytes).as_deref() != Some(&entry.encode()[..ENTRY_LEN]) {
        return Err("the record has another entry than the tree".to_owned());
    }
    let opening = value.get("opening").and_then(opening).ok_or_else(|| bad("opening"))?;
    let facets = value.get("facets").and_then(Value::as_array).filter(|list| list.len() == FACETS);
    let facets: Option<Vec<Vec<u8>>> = facets.and_then(|list| list.iter().map(bytes).collect());
    let facets = facets.ok_or_else(|| bad("facets"))?;
    let facets: [&[u8]; FACETS] = std::array::from_fn(|at| facets[at].as_slice());
    stored::check(entry, id, &opening, &facets).map_err(|error| error.to_string())?;
    let whole = match &opening {
        Opening::Seed(_) => true,
        Opening::Partial(known) => known.iter().all(|known| matches!(known, Known::Salt(_))),
    };
    if !matches!(entry.kind, Kind::Genesis | Kind::Key | Kind::Cut) || !opening.has(Facet::What) {
        return Ok((whole, None));
    }
    match Control::parse(entry.kind, facets[Facet::What as usize]) {
        Ok(said @ (Control::Genesis(_) | Control::Key(_) | Control::Timestamp(_))) => Ok((whole, Some(said))),
        Ok(_) => Ok((whole, None)),
        Err(ControlError::Unknown) => Ok((whole, None)),
        Err(error) => Err(error.to_string()),
    }
}

/// Entry 0 of a ledger and what it says, if it belongs together and is for whoever asks; nothing is known of the tree.
pub(super) fn genesis_of(client: &Client, name: &str, id: &[u8; 32]) -> Option<([u8; ENTRY_LEN], Genesis)> {
    let path = format!("/v1/ledgers/{}/records?from=0&to=1", encode(name));
    let mut line = Vec::new();
    client.get_lines(&path).ok()?.take(1 << 22).read_until(b'\n', &mut line).ok()?;
    let value: Value = serde_json::from_slice(&line).ok()?;
    let entry: [u8; ENTRY_LEN] = fixed(value.get("entry")?)?;
    match check_line(&line, 0, &Entry::decode(&entry).ok()?, id).ok()? {
        (_, Some(Control::Genesis(genesis))) => Some((entry, genesis)),
        _ => None,
    }
}

fn opening(value: &Value) -> Option<Opening> {
    if let Some(seed) = value.get("seed") {
        return Some(Opening::Seed(Seed::from_bytes(fixed(seed)?)));
    }
    let known = value.get("known")?.as_array()?.iter().map(|known| match known.get("salt") {
        Some(salt) => Some(Known::Salt(Salt::from_bytes(fixed(salt)?))),
        None => Some(Known::Digest(fixed(known.get("digest")?)?)),
    });
    known.collect::<Option<Vec<_>>>()?.try_into().ok().map(Opening::Partial)
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(value.as_str()?).ok()
}

fn fixed<const N: usize>(value: &Value) -> Option<[u8; N]> {
    bytes(value)?.try_into().ok()
}
