//! A ledger in memory with fixed keys, clock and seeds, to make evidence from: for tests, for the files that other
//! verifiers are tested with, and for measurements. Never part of the program.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write;
use std::ops::Range;

use record::commit::{Salt, Seed, commitment, facet_digest, salts};
use record::control::{Genesis, KeyChange, Numbering, SourceRecord};
use record::entry::{ENTRY_LEN, Entry, Kind};
use record::facet::{FACETS, Facet, FacetDraft, Stamp, TABLE_VERSION, split, table_hash};
use record::json;
use record::stored::{Known, Opening};
use sha2::{Digest, Sha256};
use tlog::{
    Checkpoint, Hash, KeyStatement, Origin, SigningKey, TILE_WIDTH, Tile, TileSource, TileStack,
    consistency_proof, inclusion_proof, leaf_hash, sign_checkpoint,
};

use export::anchors::{Anchor, Neighbour, RangeProof};
use export::manifest::{Manifest, Selection};
use export::zip::{Archiver, Member, Method, Packing, Row, directory};
use export::{About, Finished, Record, Writer, is_kept, note, range};

/// When the sample ledger begins, in Unix milliseconds.
pub const START_MS: u64 = 1_763_715_600_000;

/// A record of the sample ledger.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its entry.
    pub entry: [u8; ENTRY_LEN],
    /// What opens its digests.
    pub opening: Opening,
    /// Its facets.
    pub facets: [Vec<u8>; FACETS],
}

/// A ledger in memory.
pub struct Sample {
    /// Its random id, which is not random.
    pub ledger_id: [u8; 32],
    /// The key that signs it.
    pub key: SigningKey,
    /// The keys before it, and the index of the record that replaced each.
    pub keys_before: Vec<(u64, SigningKey)>,
    /// Its records.
    pub records: Vec<Stored>,
    /// Hashes of each level of tiles: leaves, roots of full tiles, roots of full tiles of those.
    levels: Vec<Vec<Hash>>,
    edge: TileStack,
    sequences: BTreeMap<(u32, u32), u64>,
    received_ms: u64,
}

impl Default for Sample {
    fn default() -> Self {
        Self::new()
    }
}

impl Sample {
    /// A ledger with its genesis and source 1, which the server numbers.
    pub fn new() -> Self {
        Self::continuing(None)
    }

    /// The same; its genesis names a checkpoint note of another ledger as what it continues.
    ///
    /// # Panics
    /// Never: its names are good.
    pub fn continuing(predecessor: Option<String>) -> Self {
        let origin = "ledgerstone.example/5a6b7c8d9e0f1a2b";
        let key = SigningKey::from_seed(origin, [7; 32]).expect("a good name");
        let mut sample = Self {
            ledger_id: Sha256::digest(origin).into(),
            key,
            keys_before: Vec::new(),
            records: Vec::new(),
            levels: vec![Vec::new()],
            edge: TileStack::new(),
            sequences: BTreeMap::new(),
            received_ms: START_MS,
        };
        let genesis = Genesis {
            ledger_id: sample.ledger_id,
            origin: origin.to_owned(),
            log_vkey: sample.key.verifying_key().to_string(),
            authority_vkey: sample.authority().verifying_key().to_string(),
            table_version: TABLE_VERSION,
            table_hash: table_hash(),
            predecessor,
            created_ms: START_MS,
        };
        sample.control(Kind::Genesis, &genesis.to_draft());
        sample.source(1, 1, Numbering::Server);
        sample
    }

    /// The key that signs changes of the ledger's own.
    pub fn authority(&self) -> SigningKey {
        SigningKey::from_seed(&format!("{}/authority", self.key.name()), [8; 32]).expect("a good name")
    }

    /// Changes the key to that of a seed, bound to the tree of `size` entries.
    pub fn change_key(&mut self, seed: u8, size: u64) {
        let change = KeyChange {
            statement: self.statement(seed, size).sign(&self.authority()),
            checkpoint: self.checkpoint(size),
        };
        self.enter_key(seed, &change);
    }

    /// What the authority signs when the key is changed to that of a seed.
    pub fn statement(&self, seed: u8, size: u64) -> KeyStatement {
        let Checkpoint { origin, size, root } = self.head(size);
        KeyStatement { origin, size, root, key: self.seeded(seed).verifying_key().clone() }
    }

    /// Enters a change of the key, whether it holds or not, and signs with the new key from then on.
    pub fn enter_key(&mut self, seed: u8, change: &KeyChange) {
        let index = self.size();
        self.control(Kind::Key, &change.to_draft());
        let next = self.seeded(seed);
        let before = std::mem::replace(&mut self.key, next);
        self.keys_before.push((index, before));
    }

    /// A key of that seed, named like the ledger.
    pub fn seeded(&self, seed: u8) -> SigningKey {
        SigningKey::from_seed(self.key.name(), [seed; 32]).expect("a good name")
    }

    /// The key in force for a tree of so many entries.
    pub fn key_for(&self, size: u64) -> &SigningKey {
        let before = self.keys_before.iter().find(|(index, _)| *index >= size);
        before.map_or(&self.key, |(_, key)| key)
    }

    /// Lets time pass.
    pub fn wait(&mut self, ms: u64) {
        self.received_ms += ms;
    }

    /// Opens an epoch of a source.
    pub fn source(&mut self, source: u32, epoch: u32, numbering: Numbering) {
        let record = SourceRecord { source, epoch, numbering, previous_last_sequence: None };
        self.control(Kind::Source, &record.to_draft());
    }

    /// Enters a control record.
    pub fn control(&mut self, kind: Kind, draft: &FacetDraft) {
        self.enter(kind, (0, 1), draft, b"", false);
    }

    /// Enters an event as it came in.
    pub fn event(&mut self, source: u32, epoch: u32, raw: &[u8]) {
        match json::parse(raw) {
            Ok(value) => self.enter(Kind::Event, (source, epoch), &split(&value), raw, false),
            Err(_) => self.enter(Kind::Quarantine, (source, epoch), &FacetDraft::default(), raw, false),
        }
    }

    /// Enters an event that an agent sent with a salt of its own.
    pub fn event_with_salt(&mut self, source: u32, epoch: u32, raw: &[u8]) {
        let value = json::parse(raw).expect("an event");
        self.enter(Kind::Event, (source, epoch), &split(&value), raw, true);
    }

    /// Enters anything.
    pub fn enter(&mut self, kind: Kind, by: (u32, u32), draft: &FacetDraft, raw: &[u8], own_salt: bool) {
        let sequence = self.sequences.entry(by).or_default();
        *sequence += 1;
        let (source, epoch) = by;
        let stamp = Stamp { received_ms: self.received_ms, source, epoch, sequence: *sequence };
        let mut when = Vec::new();
        draft.when.write_stamped(&stamp, &mut when);
        let facets = [
            when,
            draft.who.clone(),
            draft.what.clone(),
            draft.content.clone(),
            draft.where_.clone(),
            raw.to_vec(),
        ];
        let number = self.records.len() as u64;
        let seed: [u8; 32] = Sha256::digest([b"seed".as_slice(), &number.to_be_bytes()].concat()).into();
        let seed = Seed::from_bytes(std::array::from_fn(|at| seed[at]));
        let mut salts = salts(&seed);
        if own_salt {
            salts[Facet::Raw as usize] = Salt::from_bytes([0xA5; 16]);
        }
        let digests =
            Facet::ALL.map(|facet| facet_digest(facet, &salts[facet as usize], &facets[facet as usize]));
        let entry = Entry {
            kind,
            received_ms: self.received_ms,
            source,
            epoch,
            sequence: *sequence,
            commitment: commitment(&self.ledger_id, TABLE_VERSION, &digests),
        };
        let opening = match own_salt {
            true => Opening::Partial(salts.map(Known::Salt)),
            false => Opening::Seed(seed),
        };
        self.push(Stored { entry: entry.encode(), opening, facets });
    }

    /// Enters a record as it is, whatever it is.
    pub fn push(&mut self, stored: Stored) {
        let leaf = leaf_hash(&stored.entry);
        self.levels[0].push(leaf);
        let levels = &mut self.levels;
        self.edge.push(leaf, &mut |tile: Tile, hashes: &[Hash]| {
            let level = usize::from(tile.level) + 1;
            if levels.len() == level {
                levels.push(Vec::new());
            }
            let mut row = hashes.to_vec();
            while row.len() > 1 {
                row = row.chunks_exact(2).map(|pair| tlog::node_hash(&pair[0], &pair[1])).collect();
            }
            levels[level].push(row[0]);
        });
        self.records.push(stored);
    }

    /// Entries.
    pub fn size(&self) -> u64 {
        self.records.len() as u64
    }

    /// The signed checkpoint over the first `size` entries.
    pub fn checkpoint(&self, size: u64) -> String {
        sign_checkpoint(&self.head(size), self.key_for(size))
    }

    /// What that checkpoint says.
    pub fn head(&self, size: u64) -> Checkpoint {
        let leaves = self.levels[0][..size as usize].iter().copied();
        let root = match size == self.size() {
            true => self.edge.root(),
            false => tlog::Frontier::from_iter(leaves).root(),
        };
        let origin = Origin::new(self.key.name()).expect("a good origin");
        Checkpoint { origin, size, root }
    }

    /// The inclusion proof of an index.
    pub fn inclusion(&self, index: u64) -> Vec<Hash> {
        inclusion_proof(index, self.size(), self).expect("an index of the tree")
    }

    /// An earlier checkpoint, and that it is one.
    pub fn anchor(&self, size: u64, timestamps: Vec<Vec<u8>>) -> Anchor {
        let consistency = consistency_proof(size, self.size(), self).expect("a smaller tree");
        Anchor { checkpoint: self.checkpoint(size), consistency, timestamps }
    }

    /// Where a range lies.
    pub fn range(&self, range: Range<u64>) -> RangeProof {
        let neighbour = |index: u64| Neighbour {
            entry: self.records[index as usize].entry.to_vec(),
            proof: self.inclusion(index),
        };
        let roots = |part: Range<u64>| range::roots(part, self.size(), self).expect("a range of the tree");
        RangeProof {
            from: range.start,
            end: range.end,
            left: roots(0..range.start),
            right: roots(range.end..self.size()),
            before: range.start.checked_sub(1).map(neighbour),
            after: (range.end < self.size()).then(|| neighbour(range.end)),
        }
    }

    /// What a file of a selection is for.
    pub fn about(&self, selection: Selection, withheld: &[Facet]) -> About {
        About {
            case: "4711".to_owned(),
            purpose: "audit of the payroll".to_owned(),
            exported_ms: START_MS + 86_400_000,
            exporter_id: "0123456789abcdef".to_owned(),
            exporter_label: "eve, auditor".to_owned(),
            program: "ledgerstone 0.1.0".to_owned(),
            vkey: self.key.verifying_key().to_string(),
            ledger_id: self.ledger_id,
            selection,
            withheld: withheld.to_vec(),
            checkpoint: self.checkpoint(self.size()),
        }
    }

    /// Writes a file; a query takes the records that `matches` takes.
    ///
    /// # Panics
    /// If there can be no such file.
    pub fn export<W: Write>(
        &self,
        out: W,
        about: About,
        anchors: &[Anchor],
        matches: &dyn Fn(u64) -> bool,
    ) -> (W, Finished) {
        let selection = about.selection.clone();
        let is_query = selection.query.is_some();
        let proof = (!is_query).then(|| self.range(selection.from..selection.end));
        let mut writer = Writer::begin(out, about, anchors, proof.as_ref()).expect("a good request");
        let taken =
            |index: &u64| (selection.from..selection.end).contains(index) && (!is_query || matches(*index));
        for index in (selection.from..selection.end).filter(taken) {
            let proof = is_query.then(|| self.inclusion(index));
            writer.record(&self.record(index), proof.as_deref()).expect("a good record");
        }
        for index in (0..self.size()).filter(|index| !taken(index)) {
            let entry = Entry::decode(&self.records[index as usize].entry);
            if entry.is_ok_and(|entry| is_kept(entry.kind)) {
                writer.control(&self.record(index), &self.inclusion(index)).expect("a good record");
            }
        }
        let origin = self.key.name();
        let sign =
            |sha256: &[u8; 32]| note::sign(origin, sha256, &self.key).map_err(|error| error.to_string());
        writer.finish(sign).expect("a whole file")
    }

    fn record(&self, index: u64) -> Record<'_> {
        let stored = &self.records[index as usize];
        let facets = std::array::from_fn(|facet| &stored.facets[facet][..]);
        Record { index, entry: &stored.entry, opening: &stored.opening, facets }
    }
}

impl TileSource for Sample {
    type Error = Infallible;

    fn tile(&self, tile: Tile) -> Result<Vec<Hash>, Infallible> {
        let from = (tile.index * u64::from(TILE_WIDTH)) as usize;
        Ok(self.levels[usize::from(tile.level)][from..from + usize::from(tile.width)].to_vec())
    }
}

/// The ledger that the files in `tests/golden` are made from: each kind of record that a server writes, hostile texts
/// among them.
pub fn golden() -> Sample {
    use record::control::{Clock, Gap, GapCause, Heartbeat};
    let mut sample = Sample::new();
    sample.source(2, 1, Numbering::Source);
    let event = |user: &str, operation: &str, message: &str| {
        let text = |text: &str| {
            let mut out = Vec::new();
            record::canonical::write_string(text, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        format!(
            "{{\"time\":1763715600123, \"actor\":{{\"user\":{{\"name\":{}}}}},\"api\":{{\"operation\":{}}},\
             \"src_endpoint\":{{\"ip\":\"192.0.2.7\"}},\"message\":{}}}",
            text(user),
            text(operation),
            text(message)
        )
    };
    for round in 0..8_u32 {
        sample.wait(1000);
        sample.event(1, 1, event("alice", "read", &format!("row {round} of payroll")).as_bytes());
        sample.event(2, 1, event("bob", "update", "a \"quoted\" \\ text,\nof two lines\u{1}").as_bytes());
    }
    let hostile = "<script>alert(1)</script>\u{1b}[2J\u{202e}gpj.exe\u{200b} \u{1f600} \u{ffff}";
    sample.event(1, 1, event(hostile, "delete", hostile).as_bytes());
    sample.event(1, 1, b"\xff\xfe not a record at all");
    sample.event_with_salt(2, 1, event("carol", "read", "salted by its sender").as_bytes());
    let gap = Gap {
        cause: GapCause::Downtime,
        source: None,
        epoch: None,
        from_sequence: None,
        to_sequence: None,
        from_ms: Some(sample.received_ms),
        to_ms: Some(sample.received_ms + 5000),
        clean: Some(false),
        detail: "the server was cut off".to_owned(),
    };
    sample.wait(5000);
    sample.control(Kind::Gap, &gap.to_draft());
    let clock = Clock { expected_ms: sample.received_ms, wall_ms: sample.received_ms - 3000 };
    sample.control(Kind::Cut, &clock.to_draft());
    let missed = Gap {
        cause: GapCause::Sequence,
        source: Some(2),
        epoch: Some(1),
        from_sequence: Some(10),
        from_ms: None,
        to_ms: None,
        clean: None,
        detail: "the source opened a new epoch without delivering the end of the last one".to_owned(),
        ..gap
    };
    sample.control(Kind::Gap, &missed.to_draft());
    sample.source(2, 2, Numbering::Source);
    for round in 0..6_u32 {
        sample.wait(700);
        sample.event(2, 2, event("bob", "read", &format!("{{\"row\":{round}}}")).as_bytes());
        sample.event(1, 1, b"{}");
    }
    let beat = Heartbeat { size: sample.size(), system: None };
    sample.wait(60_000);
    sample.control(Kind::Heartbeat, &beat.to_draft());
    sample.event(1, 1, event("dave", "login", "").as_bytes());
    sample
}

/// A file taken apart: names and texts of its members.
///
/// # Panics
/// If it is none.
pub fn unpack(file: &[u8]) -> Vec<(String, Vec<u8>)> {
    let rows = directory(file).expect("an archive");
    let text = |row: &Row| {
        let data = &file[row.data() as usize..row.end() as usize];
        match row.method {
            Method::Stored => data.to_vec(),
            Method::Deflated => {
                let mut text = Vec::new();
                let mut decoder = flate2::write::DeflateDecoder::new(&mut text);
                decoder.write_all(data).and_then(|()| decoder.finish().map(|_| ())).expect("deflated");
                text
            }
        }
    };
    rows.iter().map(|row| (row.name.clone(), text(row))).collect()
}

/// Puts members together again, lists them in the manifest, changes that and signs it: what somebody who holds the key
/// can do to a file.
///
/// # Panics
/// If there is no manifest that can be read.
pub fn repack(
    members: &[(String, Vec<u8>)],
    key: &SigningKey,
    change: impl FnOnce(&mut Manifest),
) -> Vec<u8> {
    let mut archive = Archiver::new(Vec::new());
    let mut listed: Vec<Member> = Vec::new();
    let mut change = Some(change);
    for (name, text) in members {
        let text = match &name[..] {
            "manifest.json" => {
                let mut manifest = Manifest::parse(text).expect("a manifest");
                manifest.members = listed.clone();
                change.take().expect("one manifest")(&mut manifest);
                manifest.to_text()
            }
            "manifest.note" => continue,
            _ => text.clone(),
        };
        let method = match &name[..] {
            "checkpoint" | "manifest.json" => Method::Stored,
            _ => Method::Deflated,
        };
        let mut packing = Packing::new(method);
        packing.write_all(&text).expect("memory");
        listed.push(archive.add(name, packing).expect("memory"));
        if name == "manifest.json" {
            let note = note::sign(key.name(), &Sha256::digest(&text).into(), key).expect("a good name");
            let mut packing = Packing::new(Method::Stored);
            packing.write_all(note.as_bytes()).expect("memory");
            archive.add("manifest.note", packing).expect("memory");
        }
    }
    archive.finish().expect("memory")
}
