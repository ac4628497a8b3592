//! A store put together by somebody who has all its keys: everything in it is hashed and signed as it should be, so
//! that only the rule at issue can tell.

use evidence::block::{BlockBuilder, BlockRecord};
use evidence::keys::{WrappedKey, format_signing, format_wrapping};
use evidence::register::{LedgerState, Registered, WalPosition};
use evidence::seal::{FileType, Key, Place, Sealer};
use evidence::segment::{Class, Header, SegmentWriter};
use evidence::wal::{FileHeader, Group, HEADER_LEN, Part, Previous};
use evidence::{layout, statefile};
use record::commit::{Seed, commitment};
use record::control::{Cut, Genesis, Heartbeat, Sealed, SealedClass};
use record::entry::{ENTRY_LEN, Entry, Kind};
use record::facet::{FACETS, Facet, FacetDraft, Stamp, TABLE_VERSION, split, table_hash};
use record::json;
use record::stored::{Opening, digests};
use sha2::{Digest, Sha256};
use tlog::{
    Checkpoint, Frontier, Origin, SigningKey, Tile, TileStack, bundle_path, encode_bundle, encode_tile,
    leaf_hash, sign_checkpoint,
};

use crate::memory::Files;

/// How many entries are sealed: one bundle.
pub const SEALED: u64 = 256;
/// The ledger's name.
pub const LEDGER: &str = "main";

const ID: [u8; 32] = [0x1D; 32];
pub const ORIGIN: &str = "ledgerstone.example/forged";
pub const SIGNING: [u8; 32] = [1; 32];
pub const AUTHORITY: [u8; 32] = [2; 32];
const WRAPPING: [u8; 32] = [3; 32];
const DATA: [u8; 32] = [4; 32];
const KEY_ID: [u8; 16] = [5; 16];
const TORN: &[u8] = b"LSGR torn";
const SETTINGS: &[u8] = b"# settings\n";

/// What the forger puts into the store.
pub struct Forge {
    /// The entries, before the records of the segments are entered behind them.
    pub story: Vec<Told>,
    /// The segments, all of the range that is sealed.
    pub segments: Vec<Segment>,
    /// Indexes whose payloads the log does not hold.
    pub left_out: Vec<u64>,
    /// Indexes whose payloads lie encrypted in the log and belong in clear, or the other way round.
    pub misplaced: Vec<u64>,
    /// The payload of one index lies in the log under another.
    pub renumbered: Option<(u64, u64)>,
    /// Index at which the log begins.
    pub log_from: u64,
    /// Index of an entry that the log holds with another time.
    pub altered: Option<u64>,
    /// Whether the log holds a part of a ledger that nobody knows.
    pub stranger: bool,
    /// How many entries the checkpoint covers, if not all.
    pub signed: Option<u64>,
    /// Who signs the checkpoint, and whom the register names.
    pub signer: [u8; 32],
    pub registered: [u8; 32],
    /// Whether the server was stopped in order.
    pub stopped: bool,
}

/// One entry and what it says.
#[derive(Clone)]
pub struct Told {
    pub kind: Kind,
    pub stamp: Stamp,
    pub draft: FacetDraft,
    /// Facets that are not there, though nothing says that they were erased.
    pub absent: Vec<Facet>,
    /// Whether the entry is of a kind that nobody knows.
    pub unknown: bool,
    /// What is stored as `content` in place of what the entry commits to.
    pub replaced: Option<Vec<u8>>,
}

/// A segment of the first [`SEALED`] entries.
pub struct Segment {
    pub class: Class,
    pub generation: u32,
    /// Indexes of the records in it.
    pub records: Vec<u64>,
    /// Whether a record says that it was sealed.
    pub on_record: bool,
    /// What its blocks are encrypted with.
    pub nonce: u8,
}

struct Record {
    entry: [u8; ENTRY_LEN],
    control: bool,
    opening: Opening,
    facets: [Vec<u8>; FACETS],
}

/// The genesis that belongs to the forged keys.
pub fn genesis() -> Genesis {
    Genesis {
        ledger_id: ID,
        origin: ORIGIN.to_owned(),
        log_vkey: key(SIGNING).verifying_key().to_string(),
        authority_vkey: key(AUTHORITY).verifying_key().to_string(),
        table_version: TABLE_VERSION,
        table_hash: table_hash(),
        predecessor: None,
        created_ms: 1,
    }
}

impl Told {
    /// A record by the ledger itself.
    pub fn control(kind: Kind, draft: FacetDraft) -> Self {
        Self { kind, stamp: stamp(0), draft, absent: Vec::new(), unknown: false, replaced: None }
    }

    pub fn heartbeat() -> Self {
        Self::control(Kind::Heartbeat, Heartbeat { size: 0, system: None }.to_draft())
    }

    pub fn event() -> Self {
        let event = json::parse(br#"{"class_uid":6003,"message":"secret"}"#).unwrap();
        Self {
            kind: Kind::Event,
            stamp: stamp(1),
            draft: split(&event),
            absent: Vec::new(),
            unknown: false,
            replaced: None,
        }
    }
}

impl Forge {
    /// A sound store: genesis, events of one source and heartbeats by turns, and twenty more in the log.
    pub fn new() -> Self {
        let mut story = vec![Told::control(Kind::Genesis, genesis().to_draft())];
        while story.len() < SEALED as usize + 20 {
            story.push(if story.len() % 2 == 1 { Told::event() } else { Told::heartbeat() });
        }
        let cut = Cut {
            file: layout::set_aside(1, 160),
            offset: 160,
            length: TORN.len() as u64,
            sha256: Sha256::digest(TORN).into(),
        };
        story[SEALED as usize + 2] = Told::control(Kind::Cut, cut.to_draft());
        number(&mut story, 0);
        let of = |class| {
            let control = |at: &u64| story[*at as usize].kind.is_control();
            let records = (0..SEALED).filter(|at| control(at) == (class == Class::Control)).collect();
            Segment { class, generation: 0, records, on_record: true, nonce: 7 }
        };
        let segments = vec![of(Class::Events), of(Class::Control)];
        Self {
            story,
            segments,
            left_out: Vec::new(),
            misplaced: Vec::new(),
            renumbered: None,
            log_from: SEALED,
            altered: None,
            stranger: false,
            signed: None,
            signer: SIGNING,
            registered: SIGNING,
            stopped: true,
        }
    }

    /// Data and key directory of the store.
    pub fn store(&self) -> (Files, Files) {
        let mut data = Files::new();
        let mut story = self.story.clone();
        let records: Vec<Record> = story.iter().map(Told::written).collect();
        for segment in &self.segments {
            let (file, bytes) = (segment.file(), segment.bytes(&records));
            let sealed = Sealed {
                file: file.clone(),
                class: if segment.class == Class::Events {
                    SealedClass::Events
                } else {
                    SealedClass::Control
                },
                generation: segment.generation,
                first: 0,
                end: SEALED,
                length: bytes.len() as u64,
                sha256: Sha256::digest(&bytes).into(),
                supersedes: None,
            };
            if segment.on_record {
                let first = story.len();
                story.push(Told::control(Kind::Sealed, sealed.to_draft()));
                number(&mut story, first);
            }
            data.insert(layout::resource(LEDGER, &file), bytes);
        }
        let records: Vec<Record> = story.iter().map(Told::written).collect();
        let entries: Vec<_> = records.iter().map(|record| record.entry).collect();
        let signed = self.signed.map_or(entries.len(), |size| size as usize);
        let (size, root) = put_tree(&entries[..signed], &mut data);
        data.insert(layout::checkpoint(LEDGER), checkpoint(size, root, self.signer));
        // The register may be ahead of the checkpoint.
        let all: Frontier = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let (log, chain) = self.log(&records, &entries);
        let sealed: Frontier = entries[..SEALED as usize].iter().map(|entry| leaf_hash(entry)).collect();
        let state = LedgerState {
            name: LEDGER.to_owned(),
            id: ID,
            origin: ORIGIN.to_owned(),
            vkey: key(self.registered).verifying_key().to_string(),
            size: all.size(),
            root: all.root(),
            received_ms: 1,
            sealed: SEALED,
            sealed_frontier: sealed.hashes().to_vec(),
            sources: Vec::new(),
        };
        let register = Registered {
            store: [1; 16],
            writer_epoch: 1,
            stopped: self.stopped,
            written_ms: 1,
            settings: Some(Sha256::digest(SETTINGS).into()),
            wal: WalPosition { file: 1, offset: log.len() as u64, chain },
            wal_floor: 1,
            ledgers: vec![state],
        };
        data.insert(layout::wal_file(1), log);
        let tokens = statefile::format("ledgerstone/tokens/v1", &json::parse(br#"{"tokens":[]}"#).unwrap());
        for (name, bytes) in [
            (layout::REGISTER, register.format()),
            (layout::SETTINGS, SETTINGS.to_vec()),
            (layout::TOKENS, tokens),
            (layout::RESERVE, vec![0; 512]),
            (layout::LOCK, Vec::new()),
            (&layout::set_aside(1, 160), TORN.to_vec()),
        ] {
            data.insert(name.to_owned(), bytes);
        }
        (data, keys(self.registered))
    }

    /// The only write-ahead file, with one group of all that is not sealed; its bytes and the group's hash.
    fn log(&self, records: &[Record], entries: &[[u8; ENTRY_LEN]]) -> (Vec<u8>, [u8; 32]) {
        let header = FileHeader { number: 1, created_ms: 1, previous: Previous::default(), key_id: KEY_ID };
        let (mut clear, mut secret) = (BlockBuilder::new(), BlockBuilder::new());
        let first = self.log_from as usize;
        for (index, record) in (0u64..).zip(records).skip(first).filter(|(at, _)| !self.left_out.contains(at))
        {
            let in_clear = record.control != self.misplaced.contains(&index);
            let index = self.renumbered.filter(|(at, _)| *at == index).map_or(index, |(_, other)| other);
            if in_clear { &mut clear } else { &mut secret }.push(&record.stored(index));
        }
        let place = Place {
            ledger: ID,
            file_type: FileType::Wal,
            file: 1,
            generation: 0,
            block: 0,
            first: self.log_from,
            count: (records.len() - first) as u32,
            last: false,
        };
        let (mut entries, clear) = (entries.to_vec(), clear.pack(1));
        self.altered.iter().for_each(|at| entries[*at as usize][9] ^= 1);
        let entries = entries[first..].concat();
        let sealed = sealer().seal([6; 24], &place.aad(), &secret.pack(1));
        let part =
            Part { ledger: ID, first: self.log_from, entries: &entries, clear: &clear, sealed: &sealed };
        let stranger = self.stranger.then(|| Part { ledger: [0; 32], ..part.clone() });
        let parts = [part].into_iter().chain(stranger).collect();
        let mut bytes = header.encode().to_vec();
        let previous = bytes[HEADER_LEN - 32..].try_into().unwrap();
        let group = Group { file: KEY_ID, number: 0, synced_to: HEADER_LEN as u64, previous, parts };
        let (frame, chain) = group.encode();
        bytes.extend_from_slice(&frame);
        (bytes, chain)
    }
}

impl Segment {
    /// Its path below the ledger's directory.
    fn file(&self) -> String {
        layout::segment_file(self.class, 0, SEALED, self.generation)
    }

    /// Its path below the data directory.
    pub fn path(&self) -> String {
        layout::resource(LEDGER, &self.file())
    }

    fn bytes(&self, records: &[Record]) -> Vec<u8> {
        let (key_id, sealer) = match self.class {
            Class::Events => (KEY_ID, Some(sealer())),
            Class::Control => ([0; 16], None),
        };
        let (class, generation) = (self.class, self.generation);
        let header = Header { ledger: ID, class, generation, first: 0, end: SEALED, key_id };
        let mut writer = SegmentWriter::new(header, sealer.as_ref(), 1);
        for index in &self.records {
            writer.push(&records[*index as usize].stored(*index), || [self.nonce; 24]);
        }
        writer.finish(|| [self.nonce; 24]).unwrap()
    }
}

impl Told {
    fn written(&self) -> Record {
        let draft = self.draft.clone();
        let mut when = Vec::new();
        draft.when.write_stamped(&self.stamp, &mut when);
        let mut facets = [when, draft.who, draft.what, draft.content, draft.where_, Vec::new()];
        let opening = Opening::Seed(Seed([9; 16]));
        let digests = digests(&opening, &std::array::from_fn(|at| facets[at].as_slice())).unwrap();
        let Stamp { received_ms, source, epoch, sequence } = self.stamp;
        let commitment = commitment(&ID, TABLE_VERSION, &digests);
        let entry = Entry { kind: self.kind, received_ms, source, epoch, sequence, commitment };
        let (mut entry, control) = (entry.encode(), self.kind.is_control());
        entry[1] = if self.unknown { 200 } else { entry[1] };
        if let Some(content) = &self.replaced {
            facets[Facet::Content as usize] = content.clone();
        }
        if self.absent.is_empty() {
            return Record { entry, control, opening, facets };
        }
        let opening = opening.without(&self.absent, &digests);
        Facet::ALL.iter().filter(|facet| !opening.has(**facet)).for_each(|at| facets[*at as usize].clear());
        Record { entry, control, opening, facets }
    }
}

impl Record {
    fn stored(&self, index: u64) -> BlockRecord<'_> {
        let facets = std::array::from_fn(|at| self.facets[at].as_slice());
        BlockRecord { index, opening: self.opening.clone(), facets }
    }
}

/// A checkpoint as whoever has this key would sign it.
pub fn checkpoint(size: u64, root: tlog::Hash, seed: [u8; 32]) -> Vec<u8> {
    let checkpoint = Checkpoint { origin: Origin::new(ORIGIN).unwrap(), size, root };
    sign_checkpoint(&checkpoint, &key(seed)).into_bytes()
}

/// Changes the register and makes its hash fit.
pub fn edit_register(data: &mut Files, edit: impl FnOnce(&mut Registered)) {
    let mut register = Registered::parse(&data[layout::REGISTER]).unwrap();
    edit(&mut register);
    data.insert(layout::REGISTER.to_owned(), register.format());
}

/// Gives the entries from `first` on the times and sequences that follow.
fn number(story: &mut [Told], first: usize) {
    for at in first..story.len() {
        let source = story[at].stamp.source;
        let before = story[..at].iter().filter(|told| told.stamp.source == source).count() as u64;
        let received_ms = 1000 + at as u64;
        story[at].stamp = Stamp { received_ms, sequence: before + 1, ..story[at].stamp };
    }
}

fn stamp(source: u32) -> Stamp {
    Stamp { received_ms: 0, source, epoch: 1, sequence: 0 }
}

pub fn key(seed: [u8; 32]) -> SigningKey {
    SigningKey::from_seed(ORIGIN, seed).unwrap()
}

fn sealer() -> Sealer {
    Key::new(DATA).sealer()
}

/// Writes bundles and tiles; returns size and root.
fn put_tree(entries: &[[u8; ENTRY_LEN]], data: &mut Files) -> (u64, tlog::Hash) {
    let (mut tree, mut tiles) = (TileStack::new(), Vec::new());
    for entry in entries {
        tree.push(leaf_hash(entry), &mut |tile, hashes| tiles.push((tile, encode_tile(hashes))));
    }
    tiles.extend(tree.partials().map(|(tile, hashes)| (tile, encode_tile(hashes))));
    data.extend(tiles.iter().map(|(tile, bytes)| (layout::resource(LEDGER, &tile.path()), bytes.clone())));
    for Tile { index, width, .. } in tiles.iter().map(|(tile, _)| tile).filter(|tile| tile.level == 0) {
        let first = *index as usize * SEALED as usize;
        let bundle = encode_bundle(&entries[first..first + usize::from(*width)]).unwrap();
        data.insert(layout::resource(LEDGER, &bundle_path(*index, *width)), bundle);
    }
    (tree.size(), tree.root())
}

fn keys(registered: [u8; 32]) -> Files {
    let signing = |seed: [u8; 32]| format_signing(ORIGIN, &seed, &key(seed).verifying_key().to_string());
    let wrapping = Key::new(WRAPPING);
    let wrapped = WrappedKey::wrap(&wrapping, &Key::new(DATA), KEY_ID, "forged", [8; 24]);
    Files::from([
        (layout::keys::WRAPPING.to_owned(), format_wrapping(&wrapping)),
        (layout::keys::signing(LEDGER), signing(registered)),
        (layout::keys::authority(LEDGER), signing(AUTHORITY)),
        (layout::keys::data(&KEY_ID), wrapped.format()),
    ])
}
