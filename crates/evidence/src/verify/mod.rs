//! Verifies a whole store: files against entries, entries against tiles, tiles against the signed root, the
//! register and the write-ahead log against all of them (DESIGN section 5). No I/O of its own.

mod kept;
mod medium;
mod payloads;
mod rekey;
mod report;
mod small;
mod snapshot;
mod stamps;
mod tree;
mod witnessed;

use record::entry::{ENTRY_LEN, Entry};
use tlog::checkpoint::UnverifiedCheckpoint;
use tlog::hash::{Hash, leaf_hash};
use tlog::note::VerifierKey;
use tlog::tile::{TILE_WIDTH, bundle_path, decode_bundle};
use tlog::tree::Frontier;

use crate::layout;
use crate::predecessor::Predecessor;
use crate::register::{LedgerState, Registered};
use crate::segment::Class;
use crate::wal::{self, Scan};
use payloads::{Keys, Ledger, PayloadResult};
use snapshot::{Snapshot, SnapshotError};
use tree::{LogEntries, RunSummary, TreeCheck, TreeResult};

pub use kept::{hold_against, hold_inside};
pub use medium::{Medium, Progress};
pub use payloads::check_part;
pub use report::{Anchor, Damage, DamageKind, LedgerKey, LedgerReport, Report, Verdict};
pub use stamps::Stamp;
pub use witnessed::{Cosigned, cosigned, hold_against_policy, judge, not_witnessed};

/// How to verify.
pub struct Settings<'a> {
    /// A verification key from outside: it must be the key in force of one of the ledgers, or an earlier one.
    pub key: Option<&'a VerifierKey>,
    /// Threads to use.
    pub threads: usize,
    /// Told how far it has got.
    pub progress: Progress<'a>,
}

/// Verifies the store in `data`. Without `keys` payloads are not opened, everything else is checked.
///
/// The server may be running: what moves is read once, first; what is read later never changes again, but for files
/// that sealing lets go. So a verdict other than "proven" counts only if the register has not moved on meanwhile.
pub fn verify_store(data: &dyn Medium, keys: Option<&dyn Medium>, settings: &Settings<'_>) -> Report {
    let mut tries = 0;
    loop {
        let (report, settled) = verify_store_once(data, keys, settings);
        tries += 1;
        if settled || tries == TRIES {
            return report;
        }
    }
}

/// Verifies as [`verify_store`] does, once; true if the verdict counts. It does not if it is other than "proven" and
/// the register has moved on meanwhile.
pub fn verify_store_once(
    data: &dyn Medium,
    keys: Option<&dyn Medium>,
    settings: &Settings<'_>,
) -> (Report, bool) {
    let (report, before) = verify_once(data, keys, settings);
    let now = || Registered::parse(&data.read(layout::REGISTER).ok()?).ok();
    let settled = report.verdict() == Verdict::Proven || before.is_none() || before == now();
    (report, settled)
}

/// How often a store that a server is writing is read again before damage is believed.
pub const TRIES: usize = 5;

/// Verifies once; returns the register that it went by as well.
fn verify_once(
    data: &dyn Medium,
    keys: Option<&dyn Medium>,
    settings: &Settings<'_>,
) -> (Report, Option<Registered>) {
    let mut report = Report::default();
    let snapshot = match Snapshot::take(data) {
        Ok(snapshot) => snapshot,
        Err(SnapshotError::Damaged(damage)) => {
            report.damage.push(*damage);
            return (report, None);
        }
        Err(SnapshotError::Unreadable(reason)) => {
            report.undecided.push(reason);
            return (report, None);
        }
    };
    small::check_small_files(data, &snapshot, &mut report);
    let opened = keys.and_then(|keys| {
        small::check_signing_keys(keys, &snapshot.registered, &mut report);
        Keys::read(keys, &mut report.damage, &mut report.undecided)
    });
    if keys.is_none() {
        report.notes.push("no keys were given: payloads were not opened".to_owned());
    }
    report.payloads_opened = opened.is_some();
    let log = check_log(&snapshot, &mut report);
    let mut cuts = Vec::new();
    for (at, state) in snapshot.registered.ledgers.iter().enumerate() {
        let note = snapshot.checkpoints[at].as_deref();
        let check = LedgerCheck {
            data,
            snapshot: &snapshot,
            state,
            note,
            keys: opened.as_ref(),
            key_files: keys,
            log: &log,
            settings,
        };
        let (ledger, claimed_cuts) = check.run(&mut report);
        cuts.extend(claimed_cuts);
        report.ledgers.push(ledger);
    }
    for (at, note) in snapshot.witnessed.iter().enumerate() {
        if let Some(note) = note {
            let ledger = report.ledgers[at].clone();
            witnessed::check(data, &ledger, note, &mut report);
        }
    }
    small::check_set_aside(data, &cuts, snapshot.registered.stopped, &mut report);
    if let Some(key) = settings.key
        && report.ledgers.iter().all(|ledger| !ledger.knows(&key.to_string()))
    {
        let detail = "no ledger of this store is signed by the key that was given";
        report.damage.push(Damage::new(DamageKind::Signature, layout::REGISTER, detail));
    }
    // One fault is often seen from several sides; the same place is told once.
    report.damage.sort_by(|a, b| (&a.file, a.offset, a.kind).cmp(&(&b.file, b.offset, b.kind)));
    report.damage.dedup_by(|a, b| (&a.file, a.offset, a.kind) == (&b.file, b.offset, b.kind));
    (report, Some(snapshot.registered))
}

/// A write-ahead file that was scanned.
struct LogFile<'a> {
    number: u64,
    scan: Scan<'a>,
    /// Length up to which its groups count.
    kept: u64,
}

/// Scans the write-ahead files and checks that they continue one another.
fn check_log<'a>(snapshot: &'a Snapshot, report: &mut Report) -> Vec<LogFile<'a>> {
    let registered = &snapshot.registered;
    let mut files = Vec::new();
    let last = snapshot.wal.last().map_or(0, |(number, _)| *number).max(registered.wal.file);
    for number in registered.wal_floor..=last {
        let path = layout::wal_file(number);
        let Some((_, bytes)) = snapshot.wal.iter().find(|(found, _)| *found == number) else {
            report.damage.push(Damage::new(DamageKind::Missing, path, "the write-ahead file is missing"));
            continue;
        };
        let next = snapshot.wal.iter().find(|(found, _)| *found == number + 1);
        // A damaged header of the next file is told when its turn comes.
        let next = next
            .and_then(|(_, bytes)| wal::FileHeader::decode(bytes).ok())
            .map(|(header, _)| header.previous);
        match wal::check(bytes, number, next.as_ref(), &registered.wal, registered.stopped) {
            Err(error) => {
                report.damage.push(Damage::new(DamageKind::Format, path, error.reason).at(error.offset));
            }
            Ok((scan, kept)) => {
                if next.is_none() && kept < bytes.len() as u64 {
                    let torn = bytes.len() as u64 - kept;
                    report.notes.push(format!("{path}: {torn} bytes after byte {kept} were never acknowledged; the next start sets them aside"));
                }
                let unknown = |id: &[u8; 32]| registered.ledgers.iter().all(|ledger| ledger.id != *id);
                let stray = scan
                    .groups
                    .iter()
                    .find(|found| found.group.parts.iter().any(|part| unknown(&part.ledger)));
                if let Some(found) = stray {
                    let detail = "a group is of a ledger that the register does not name";
                    let path = layout::wal_file(number);
                    report.damage.push(Damage::new(DamageKind::Contradiction, path, detail).at(found.offset));
                }
                files.push(LogFile { number, scan, kept });
            }
        }
    }
    for number in &snapshot.released {
        report
            .notes
            .push(format!("{}: no longer needed; the next start removes it", layout::wal_file(*number)));
    }
    files
}

/// One ledger's check.
struct LedgerCheck<'a> {
    data: &'a dyn Medium,
    snapshot: &'a Snapshot,
    state: &'a LedgerState,
    note: Option<&'a [u8]>,
    keys: Option<&'a Keys>,
    key_files: Option<&'a dyn Medium>,
    log: &'a [LogFile<'a>],
    settings: &'a Settings<'a>,
}

impl LedgerCheck<'_> {
    fn run(&self, report: &mut Report) -> (LedgerReport, Vec<record::control::Cut>) {
        let state = self.state;
        let told = report.damage.len();
        let stopped = self.snapshot.registered.stopped;
        let ledger = Ledger { name: &state.name, id: &state.id };
        // What the ledger says of its keys comes first: it tells whose signature the checkpoint must have.
        let (mut payloads, segments) = payloads::check_segments(
            self.data,
            &ledger,
            state.sealed,
            stopped,
            self.keys,
            self.settings.threads,
        );
        payloads.join(self.check_log_payloads(&ledger));
        let mut key_damage = Vec::new();
        let keys = rekey::Keys::of(state, &mut payloads.claims, &mut key_damage);
        let lost = !payloads.damage.is_empty() || !report.damage.is_empty();
        let (size, root) = self.signed_head(&keys, lost, report);
        let parts = self.log.iter().flat_map(LogFile::groups).flat_map(|found| &found.group.parts);
        let parts = parts.filter(|part| part.ledger == state.id);
        let log = LogEntries(parts.map(|part| (part.first, part.entries)).collect());
        let check = TreeCheck {
            medium: self.data,
            partials: &self.snapshot.partials,
            name: &state.name,
            size,
            root,
            log: &log,
            sealed: state.sealed,
            lenient: !stopped,
            threads: self.settings.threads,
            progress: self.settings.progress,
        };
        let mut tree = check.run();
        self.check_roots(&tree, size, root, report);
        // Without a signature over them, no entries are as they were signed.
        let unsigned =
            report.damage[told..].iter().any(|damage| damage.file == layout::checkpoint(&state.name));
        if stopped && size < state.size && !unsigned {
            // An orderly stop publishes everything first; only a server that was cut off leaves the register ahead.
            let detail =
                format!("the checkpoint is older than the last one before the stop: {size} < {}", state.size);
            let damage = Damage::new(DamageKind::Contradiction, layout::checkpoint(&state.name), detail);
            report.damage.push(damage.of(&state.name, size, state.size));
        }
        let events = tree.summary.events;
        let (uncommitted, tail) = self.check_log_entries(&mut tree, size, report);
        small::check_tree_files(self.data, state, size, stopped, &tree, report);
        // A payload that lies in the log and in a segment, or was carried forward, counts once.
        let end = self.parts().iter().map(|(_, _, part)| part.end()).max().unwrap_or(0);
        let in_log =
            if payloads.checked > payloads.in_segments { end.saturating_sub(state.sealed) } else { 0 };
        self.check_claims(&payloads, &segments, report);
        if tree.damage.is_empty() && tail.is_empty() {
            self.check_timestamps(&mut payloads, &tree, size, report);
            let root = |of: u64| tree.root_of_first(self.data, &state.name, of);
            let (wrong, undecided) = keys.check_trees((&state.name, size), root);
            key_damage.extend(wrong);
            report.undecided.extend(undecided);
            report.damage.extend(tree.summary.damage(&state.name));
        }
        if let Some(index) = tree.summary.unknown {
            let file = layout::ledger_dir(&state.name);
            report.undecided.push(format!(
                "{file}: entry {index} is of a version or kind that this program does not know"
            ));
        }
        let mut damage = tree.damage;
        damage.extend(tail);
        damage.extend(payloads.damage);
        damage.extend(key_damage);
        report.damage.extend(damage);
        if !lost && !payloads.claims.keys.is_empty() {
            report.damage.extend(keys.check_register(state));
        }
        report.damage[told..].iter_mut().for_each(|damage| self.date(damage));
        let touched = report.damage[told..].iter().filter_map(|damage| damage.entries.as_ref());
        let touched = touched.map(|(_, first, _)| *first).chain(unsigned.then_some(0)).min();
        report.undecided.extend(payloads.undecided);
        payloads.claims.shown.sort();
        payloads.claims.shown.dedup();
        let shown = payloads.claims.shown.drain(..);
        report.shown.extend(shown.map(|(index, note)| (state.name.clone(), index, note)));
        let genesis_continues =
            payloads.claims.genesis.as_ref().and_then(|genesis| Predecessor::of(genesis).ok().flatten());
        let mut ledger = LedgerReport {
            name: state.name.clone(),
            origin: state.origin.clone(),
            vkey: state.vkey.clone(),
            keys: keys.told(state, state.size),
            history: keys.into_history(),
            size,
            root: root.map(|root| root.to_base64()).unwrap_or_default(),
            events,
            payloads: payloads.in_segments + in_log,
            uncommitted,
            predecessor: genesis_continues,
            anchor: Anchor::None,
            good_below: touched.unwrap_or(size).min(size),
        };
        report.notes.extend(ledger.key_changes());
        if self.settings.key.is_some_and(|key| ledger.knows(&key.to_string())) {
            ledger.anchor = Anchor::Key;
        }
        (ledger, payloads.claims.cuts)
    }

    /// What the timestamps say of the tree.
    fn check_timestamps(
        &self,
        payloads: &mut PayloadResult,
        tree: &TreeResult,
        size: u64,
        report: &mut Report,
    ) {
        let claims = std::mem::take(&mut payloads.claims.timestamps);
        let names = (self.state.name.as_str(), self.state.origin.as_str());
        let root = |of: u64| tree.root_of_first(self.data, names.0, of);
        let (stamps, damage, undecided) = stamps::check(names, size, claims, root);
        report.timestamps.extend(stamps);
        report.damage.extend(damage);
        report.undecided.extend(undecided);
    }

    /// Fills in when the first of the entries that a damage touches was received, as far as its bundle still tells.
    fn date(&self, damage: &mut Damage) {
        if let (Some((_, first, _)), None) = (&damage.entries, damage.first_bad_ms) {
            let width = u64::from(TILE_WIDTH);
            let path = layout::resource(&self.state.name, &bundle_path(first / width, TILE_WIDTH));
            let bundle = self.data.read(&path).ok();
            let entries = bundle.as_ref().and_then(|bundle| decode_bundle(bundle).ok());
            let entry =
                entries.and_then(|entries| Entry::decode(entries.get((first % width) as usize)?).ok());
            damage.first_bad_ms = entry.map(|entry| entry.received_ms);
        }
    }

    /// Size and root of the checkpoint. If its signature does not hold, the register's.
    fn signed_head(&self, keys: &rekey::Keys, lost: bool, report: &mut Report) -> (u64, Option<Hash>) {
        let path = layout::checkpoint(&self.state.name);
        let fallback = (self.state.size, Some(self.state.root));
        let Some(note) = self.note else {
            // Only a store that was cut off before its first publication has none; nothing is sealed before it.
            let due = self.snapshot.registered.stopped || self.state.sealed > 0;
            if self.state.size > 0 && due {
                report.damage.push(Damage::new(DamageKind::Missing, path, "there is no checkpoint"));
            }
            return if self.state.size > 0 && due { fallback } else { (0, Some(tlog::hash::empty_root())) };
        };
        if let Err(error) = VerifierKey::parse(&self.state.vkey) {
            report.damage.push(Damage::new(DamageKind::Format, layout::REGISTER, error));
            return fallback;
        }
        let verified = UnverifiedCheckpoint::parse(note)
            .map_err(|error| (DamageKind::Format, error.to_string()))
            .and_then(|note| {
                if note.note().signatures().len() > 1 {
                    let detail =
                        "the local checkpoint holds more than the signature of its ledger".to_owned();
                    return Err((DamageKind::Unexpected, detail));
                }
                let signed = |error: String| (DamageKind::Signature, error);
                let key = keys.in_force(note.claimed().size, lost).map_err(signed)?;
                note.verify(&self.state.origin, &[key], &[]).map_err(|error| signed(error.to_string()))
            });
        match verified {
            Ok(verified) => (verified.checkpoint().size, Some(verified.checkpoint().root)),
            Err((kind, detail)) => {
                report.damage.push(Damage::new(kind, path, detail));
                fallback
            }
        }
    }

    /// The roots of checkpoint, register and sealed range must be those of the entries.
    fn check_roots(&self, tree: &TreeResult, size: u64, root: Option<Hash>, report: &mut Report) {
        let state = self.state;
        if tree.damage.is_empty() && root.is_some() && tree.frontier(size).map(|tree| tree.root()) != root {
            let detail = "the entries do not have the root that the checkpoint signs";
            report.damage.push(Damage::new(
                DamageKind::Contradiction,
                layout::checkpoint(&state.name),
                detail,
            ));
        }
        if size > state.size {
            let detail = format!("the checkpoint is ahead of the register: {size} > {}", state.size);
            report.damage.push(Damage::new(DamageKind::Contradiction, layout::REGISTER, detail));
        }
        if state.sealed > size {
            let detail = format!("{}: more is sealed than the checkpoint covers", state.name);
            report.damage.push(Damage::new(DamageKind::Contradiction, layout::REGISTER, detail));
        }
        let sealed = Frontier::restore(state.sealed, state.sealed_frontier.clone()).ok();
        let computed = tree.frontier(state.sealed);
        if tree.damage.is_empty() && state.sealed <= size && (sealed.is_none() || sealed != computed) {
            let detail = format!("{}: the register holds another tree for the sealed range", state.name);
            report.damage.push(Damage::new(DamageKind::Contradiction, layout::REGISTER, detail));
        }
    }

    /// Entries in the write-ahead log against the tree, and those above the checkpoint against the register.
    /// Returns how many entries are durable above the checkpoint, and what is damaged.
    fn check_log_entries(&self, tree: &mut TreeResult, size: u64, report: &mut Report) -> (u64, Vec<Damage>) {
        let state = self.state;
        let mut damage = Vec::new();
        let mut head = tree.frontier(size).unwrap_or_default();
        let mut at_register = (head.size() == state.size).then(|| head.root());
        // By index, not by place: a part that was carried forward lies behind newer ones.
        let mut parts = self.parts();
        parts.sort_by_key(|(_, _, part)| part.first);
        // What is not sealed lies in the log, payloads and all; damage to its files is told already.
        let whole = !report.damage.iter().any(|damage| damage.file.starts_with(layout::WAL));
        let mut held = state.sealed;
        for (file, found, part) in parts {
            let place = |kind, detail: &str| {
                Damage::new(kind, layout::wal_file(file.number), detail).at(found.offset)
            };
            if part.first > held && whole {
                let detail = "the log does not hold the entries ahead of this group";
                damage.push(place(DamageKind::Contradiction, detail).of(&state.name, held, part.first));
            }
            held = held.max(part.end());
            let known = tree.known_leaves(self.data, &state.name, part.first, part.end().min(size));
            for (leaf, entry) in known.iter().zip(part.entries.chunks_exact(ENTRY_LEN)) {
                if leaf_hash(entry) != *leaf && tree.damage.is_empty() {
                    damage.push(
                        place(DamageKind::Contradiction, "the group holds other entries than the tree").of(
                            &state.name,
                            part.first,
                            part.end(),
                        ),
                    );
                    break;
                }
            }
            if part.end() <= head.size() || part.first > head.size() {
                continue;
            }
            let new = &part.entries[(head.size() - part.first) as usize * ENTRY_LEN..];
            tree.summary.join(RunSummary::of(head.size(), new));
            for entry in new.chunks_exact(ENTRY_LEN) {
                head.push(leaf_hash(entry));
                if head.size() == state.size {
                    at_register = Some(head.root());
                }
            }
        }
        if held < size && whole {
            let file = layout::wal_file(self.snapshot.registered.wal.file);
            let detail = "the log ends before the entries that are neither sealed nor in it";
            damage.push(Damage::new(DamageKind::Missing, file, detail).of(&state.name, held, size));
        }
        if at_register != Some(state.root)
            && tree.damage.is_empty()
            && damage.is_empty()
            && report.damage.is_empty()
        {
            let detail = format!(
                "{}: the register names another tree than checkpoint and write-ahead log hold",
                state.name
            );
            report.damage.push(Damage::new(DamageKind::Contradiction, layout::REGISTER, detail));
        }
        (head.size().saturating_sub(size), damage)
    }

    fn check_log_payloads(&self, ledger: &Ledger<'_>) -> PayloadResult {
        let mut parts = Vec::new();
        for file in self.log {
            for found in file.groups() {
                parts.extend(
                    found
                        .group
                        .parts
                        .iter()
                        .filter(|part| part.ledger == *ledger.id)
                        .map(|part| (file, found, part)),
                );
            }
        }
        let mut result = PayloadResult::default();
        for file in self.log.iter().filter(|file| self.sealer(file).is_none()) {
            if self.keys.is_some()
                && file.groups().any(|found| found.group.parts.iter().any(|part| !part.sealed.is_empty()))
            {
                result.undecided.push(format!(
                    "the data key of {} is missing: its payloads were not opened",
                    layout::wal_file(file.number)
                ));
            }
        }
        for part in medium::parallel(parts.len(), self.settings.threads, |at| {
            let (file, found, part) = parts[at];
            payloads::check_log_part(ledger, file.number, found, part, self.sealer(file))
        }) {
            result.join(part);
        }
        result
    }

    /// The parts of this ledger in the write-ahead log.
    fn parts(&self) -> Vec<(&LogFile<'_>, &wal::Found<'_>, &wal::Part<'_>)> {
        let groups = self.log.iter().flat_map(|file| file.groups().map(move |found| (file, found)));
        let parts =
            groups.flat_map(|(file, found)| found.group.parts.iter().map(move |part| (file, found, part)));
        parts.filter(|(_, _, part)| part.ledger == self.state.id).collect()
    }

    fn sealer(&self, file: &LogFile<'_>) -> Option<&crate::seal::Sealer> {
        Some(self.keys?.data.get(&file.scan.header.0.key_id)?.as_ref())
    }

    /// What the ledger says of itself must hold: its genesis, and every sealed file.
    fn check_claims(
        &self,
        payloads: &PayloadResult,
        segments: &[(String, u64, [u8; 32])],
        report: &mut Report,
    ) {
        let state = self.state;
        let told = report.damage.len();
        let claims = &payloads.claims;
        let path = |file: &str| layout::resource(&state.name, file);
        match &claims.genesis {
            Some(genesis) => {
                let says = (genesis.ledger_id, &genesis.origin, genesis.table_hash);
                let mut same = says == (state.id, &state.origin, record::facet::table_hash());
                // Where the key has changed, the records of that are held against the register.
                same &= !claims.keys.is_empty() || genesis.log_vkey == state.vkey;
                if !same {
                    let detail = format!("{}: the genesis entry names another ledger", state.name);
                    report.damage.push(Damage::new(DamageKind::Contradiction, layout::REGISTER, detail));
                }
                if let Err(detail) = Predecessor::of(genesis) {
                    let damage =
                        Damage::new(DamageKind::Contradiction, layout::ledger_dir(&state.name), detail);
                    report.damage.push(damage.of(&state.name, 0, 1));
                }
                let authority = layout::keys::authority(&state.name);
                let found = self.key_files.and_then(|keys| keys.read(&authority).ok());
                let found = found.and_then(|bytes| crate::keys::parse_signing(&bytes).ok());
                if found.is_some_and(|(.., vkey)| vkey != genesis.authority_vkey) {
                    let detail = "the authority key is not the one that the genesis entry names";
                    report.damage.push(Damage::new(
                        DamageKind::Settings,
                        format!("keys:{authority}"),
                        detail,
                    ));
                }
            }
            None if state.size > 0 && payloads.damage.is_empty() && report.damage.is_empty() => {
                let detail = "the genesis record is not there";
                report.damage.push(
                    Damage::new(DamageKind::Missing, layout::ledger_dir(&state.name), detail).of(
                        &state.name,
                        0,
                        1,
                    ),
                );
            }
            None => {}
        }
        for sealed in claims.sealed.iter().filter(|sealed| sealed.end <= state.sealed) {
            let damage = |kind, detail| {
                Damage::new(kind, path(&sealed.file), detail).of(&state.name, sealed.first, sealed.end)
            };
            match segments.iter().find(|(file, ..)| *file == sealed.file) {
                Some((_, length, sha256)) if (*length, *sha256) == (sealed.length, sealed.sha256) => {}
                Some(_) => report.damage.push(damage(
                    DamageKind::Hash,
                    "the file is not the one that was put on record when it was sealed",
                )),
                None if report
                    .damage
                    .iter()
                    .chain(&payloads.damage)
                    .any(|damage| damage.file == path(&sealed.file)) => {}
                None => report.damage.push(damage(
                    DamageKind::Missing,
                    "the segment is missing and no record says that it was erased",
                )),
            }
        }
        // The records that vouch for segments lie in segments themselves, and in the log: with one lost, others seem to
        // have none.
        let lost = report.damage[told..].iter().any(|damage| damage.kind == DamageKind::Missing)
            || report.damage.iter().any(|damage| damage.file.starts_with(layout::WAL));
        for (file, ..) in
            segments.iter().filter(|(file, ..)| claims.sealed.iter().all(|sealed| sealed.file != *file))
        {
            if payloads.damage.is_empty() && !lost {
                report.damage.push(Damage::new(
                    DamageKind::Unexpected,
                    path(file),
                    "no record vouches for this segment",
                ));
            }
        }
        if lost {
            report.damage.extend(self.unvouched(claims, segments));
        }
        // Each part of the log was held to a payload for each entry; the segments are held to it here.
        if payloads.named != state.sealed && payloads.damage.is_empty() && report.damage.is_empty() {
            let held = payloads.named;
            let detail = format!("the segments hold {held} payloads for {} sealed entries", state.sealed);
            let damage = Damage::new(DamageKind::Missing, layout::ledger_dir(&state.name), detail);
            report.damage.push(damage.of(&state.name, 0, state.sealed));
        }
    }
}

impl LedgerCheck<'_> {
    /// Sealed entries whose segments are missing together with the records that named them.
    fn unvouched(&self, claims: &payloads::Claims, segments: &[(String, u64, [u8; 32])]) -> Vec<Damage> {
        let (state, width) = (self.state, u64::from(TILE_WIDTH));
        let mut damage = Vec::new();
        for class in [Class::Events, Class::Control] {
            let files =
                segments.iter().map(|(file, ..)| file).chain(claims.sealed.iter().map(|sealed| &sealed.file));
            let range = |file: &String| {
                let (dir, name) = file.rsplit_once('/')?;
                dir.ends_with(class.name()).then(|| layout::parse_segment_name(class, name)).flatten()
            };
            let mut known: Vec<(u64, u64)> =
                files.filter_map(range).map(|(first, end, _)| (first, end)).collect();
            known.sort_unstable();
            let here = |index: u64| known.iter().any(|(first, end)| (*first..*end).contains(&index));
            let missing = (0..state.sealed / width).map(|at| at * width).filter(|first| !here(*first));
            let mut gap = None::<(u64, u64)>;
            for first in missing {
                let bundle =
                    self.data.read(&layout::resource(&state.name, &bundle_path(first / width, TILE_WIDTH)));
                let Ok(bundle) = bundle else { continue };
                let entries = decode_bundle(&bundle).unwrap_or_default();
                let control = |entry: &[u8]| Entry::decode(entry).is_ok_and(|entry| entry.kind.is_control());
                if entries.iter().any(|entry| control(entry) == (class == Class::Control)) {
                    gap = Some((gap.map_or(first, |gap| gap.0), first + width));
                }
            }
            if let Some((first, end)) = gap {
                let dir = layout::segment_dir(&state.name, class);
                let detail = "no segment holds these entries' records";
                damage.push(Damage::new(DamageKind::Missing, dir, detail).of(&state.name, first, end));
            }
        }
        damage
    }
}

impl<'a> LogFile<'a> {
    /// The groups that count.
    fn groups(&self) -> impl Iterator<Item = &wal::Found<'a>> {
        self.scan.groups.iter().filter(|found| found.offset < self.kept)
    }
}
