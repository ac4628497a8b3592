//! Opening a store: a new one, one that was stopped, or one that was cut off at any point.

use std::io;
use std::sync::Arc;

use env::{Env, random};
use evidence::layout;
use evidence::predecessor::{Predecessor, Succession};
use evidence::register::{LedgerState, Registered, WalPosition};
use evidence::segment::Class;
use record::control::{Clock, Gap, GapCause, Genesis, KeyChange, Numbering};
use record::entry::Kind;
use storage::{Disk, DiskObjects, DiskRegister, Register};
use tlog::checkpoint::{Checkpoint, UnverifiedCheckpoint};
use tlog::hash::Hash;
use tlog::proof::root_from_tiles;
use tlog::tile::{TILE_WIDTH, Tile, decode_tile, full_tiles, partial_width};
use tlog::tree::{Frontier, TileStack};

use crate::core::Core;
use crate::fault::{Doing, Fault};
use crate::keystore::KeyStore;
use crate::log::{LedgerReplay, Log};
use crate::options::Options;
use crate::publisher::{Publisher, Tree, sweep_partials};
use crate::rekey;
use crate::request::{Pending, Request};
use crate::sealer::Sealer;
use crate::shared::{LedgerIdentity, RegisterCell, Shared};
use crate::tiles::DiskTiles;
use crate::view::{LedgerView, View};
use crate::witnessed;
use crate::writer::Writer;

/// Most ledgers of one server: a start enters records in all of them as one group.
const LEDGERS_MAX: usize = evidence::wal::PARTS_MAX / 2;

/// Opens the store in `disk`, whose keys are in `keys`. The caller holds the store's lock.
///
/// Nothing is written before the write-ahead log has been read and found to be what the register says. Then
/// every good group that the register does not cover goes through [`Publisher::publish`] like any other.
pub(crate) fn open(
    disk: Arc<dyn Disk>,
    keys: Arc<dyn Disk>,
    env: Arc<dyn Env>,
    options: Options,
) -> Result<Core, Fault> {
    // What an earlier run wrote may be in the page cache only. Whatever is built on below must survive a power cut.
    for disk in [&disk, &keys] {
        disk.sync_all().doing("syncing what an earlier run left")?;
    }
    let register = DiskRegister::new(disk.clone(), layout::REGISTER);
    let (held, registered) = load_register(&register, disk.as_ref(), env.as_ref())?;
    let new = registered.ledgers.is_empty();
    let keys = KeyStore::open(keys, env.as_ref(), new)?;
    keys.remove_leftovers()?;
    let log = Log::read(disk.as_ref(), &keys, &registered)?;
    let cell = RegisterCell::new(register, held, registered);
    remove_leftovers(disk.as_ref())?;
    create_ledgers(&cell, &keys, disk.as_ref(), env.as_ref(), &options)?;
    let before = cell.value();
    let now = env.now_ms();
    cell.change(now, |register| {
        register.writer_epoch += 1;
        register.settings = options.settings;
        register.stopped = false;
    })?;

    let ledgers = before.ledgers.iter().map(|state| identity(state, &keys)).collect::<Result<Vec<_>, _>>()?;
    let view = View::new(before.ledgers.iter().map(|_| LedgerView::default()).collect());
    let objects = DiskObjects::new(disk.clone());
    let shared = Arc::new(Shared { disk, objects, env, options, keys, ledgers, register: cell, view });

    let mut replays = before.ledgers.iter().map(LedgerReplay::start).collect::<Vec<_>>();
    let (covered, mut beyond) = log.replay(&shared, &before, &mut replays)?;
    let trees =
        before.ledgers.iter().map(|state| restore_tree(&shared, state)).collect::<Result<Vec<_>, _>>()?;
    let mut publisher = Publisher::new(shared.clone(), trees, before.wal);
    publisher.restore(&covered)?;
    check_sizes(&shared, &publisher, &before)?;
    let mut entering = Vec::new();
    for (ledger, state) in before.ledgers.iter().enumerate() {
        let records = std::mem::take(&mut replays[ledger].keys);
        let end = replays[ledger].end.next;
        let change = match end {
            0 => None,
            _ => rekey::know(&shared, ledger, state, records, end, |size| {
                root(&shared, &publisher, ledger, size)
            })?,
        };
        if rekey::is_unfinished(&shared, ledger)? {
            publisher.finish_change(ledger);
        }
        entering.push(change);
    }
    for (ledger, state) in before.ledgers.iter().enumerate() {
        if let Some((checkpoint, note)) = check_checkpoint(&shared, &publisher, ledger, state)? {
            let published = publisher.published_before(ledger, checkpoint, note, before.written_ms)?;
            shared.view.publish(ledger, Arc::new(published));
        }
        witnessed::restore(&shared, ledger, before.written_ms, |size| {
            root(&shared, &publisher, ledger, size)
        })?;
    }
    let (ends, recorded): (Vec<_>, Vec<_>) =
        replays.into_iter().map(|replay| (replay.end, replay.recorded)).unzip();
    let sealer = Sealer::restore(shared.clone(), &before, &recorded)?;
    let file = log.continue_in_new_file(&shared, &before, &mut beyond)?;
    let writer = Writer::new(shared.clone(), ends, file);
    let mut core = Core { shared: shared.clone(), writer, publisher, sealer, inbox: beyond };
    core.commit(opening_records(&shared, &before, &log, now, entering)?)?;
    // Durable: every genesis tells for itself what its ledger continues.
    for ledger in &before.ledgers {
        shared.keys.remove_succession(&ledger.name)?;
    }
    shared.register.start_clock();
    core.publish()?;
    for ledger in 0..shared.ledgers.len() {
        sweep_partials(&shared, ledger)?;
    }
    Ok(core)
}

/// Reads the register, or creates it in a directory that holds no data.
fn load_register(
    register: &DiskRegister,
    disk: &dyn Disk,
    env: &dyn Env,
) -> Result<(storage::Held, Registered), Fault> {
    if let Some(held) = register.load().doing("reading the register")? {
        let value =
            Registered::parse(held.bytes()).map_err(|error| Fault::damaged(layout::REGISTER, error))?;
        return Ok((held, value));
    }
    for dir in [layout::WAL, layout::LEDGERS] {
        if !disk.list(dir).doing("looking for data")?.is_empty() {
            return Err(Fault::damaged(
                layout::REGISTER,
                "the register is missing beside data; it is never recreated",
            ));
        }
    }
    let value = Registered {
        store: random(env),
        writer_epoch: 0,
        stopped: true,
        written_ms: env.now_ms(),
        settings: None,
        wal: WalPosition { file: 0, offset: 0, chain: [0; 32] },
        wal_floor: 1,
        ledgers: Vec::new(),
    };
    Ok((register.create(value.format()).doing("creating the register")?, value))
}

/// Removes files that were being written beside their place; none was ever referred to.
fn remove_leftovers(disk: &dyn Disk) -> Result<(), Fault> {
    let mut dirs = vec![String::new(), layout::WAL.to_owned(), layout::SET_ASIDE.to_owned()];
    for ledger in disk.list(layout::LEDGERS).doing("looking for leftovers")? {
        dirs.extend([layout::ledger_dir(&ledger.name), layout::stamped_dir(&ledger.name)]);
        dirs.extend([Class::Events, Class::Control].map(|class| layout::segment_dir(&ledger.name, class)));
    }
    for dir in dirs {
        for entry in disk.list(&dir).doing("looking for leftovers")? {
            if !entry.dir && entry.name.ends_with(".tmp") {
                let path = if dir.is_empty() { entry.name } else { format!("{dir}/{}", entry.name) };
                disk.remove(&path).doing("removing a leftover")?;
            }
        }
    }
    Ok(())
}

/// Enters ledgers that the options name and the register does not, and creates the directories.
fn create_ledgers(
    cell: &RegisterCell,
    keys: &KeyStore,
    disk: &dyn Disk,
    env: &dyn Env,
    options: &Options,
) -> Result<(), Fault> {
    let known = cell.value().ledgers;
    if options.ledgers.len().max(known.len()) > LEDGERS_MAX {
        return Err(Fault::damaged(
            layout::REGISTER,
            format!("more than {LEDGERS_MAX} ledgers are asked for"),
        ));
    }
    for name in options.ledgers.iter().filter(|name| known.iter().all(|ledger| ledger.name != **name)) {
        let id: [u8; 32] = random(env);
        // Origins are public: a random name, not the ledger's.
        let origin = format!("{}/{}", options.origin_host, evidence::hex::encode(&id[..8]));
        let key = keys.create_signing_key(env, &layout::keys::signing(name), &origin)?;
        let origin = key.name().to_owned();
        let authority = format!("{origin}/authority");
        keys.create_signing_key(env, &layout::keys::authority(name), &authority)?;
        let vkey = key.verifying_key().to_string();
        let state = LedgerState {
            name: name.clone(),
            id,
            origin,
            vkey,
            size: 0,
            root: tlog::hash::empty_root(),
            received_ms: 0,
            sealed: 0,
            sealed_frontier: Vec::new(),
            sources: Vec::new(),
        };
        cell.change(env.now_ms(), |register| register.ledgers.push(state))?;
    }
    for dir in [layout::WAL.to_owned(), layout::SET_ASIDE.to_owned()] {
        disk.create_dir(&dir).doing("creating a directory")?;
    }
    for ledger in cell.value().ledgers {
        for class in [Class::Events, Class::Control] {
            disk.create_dir(&layout::segment_dir(&ledger.name, class)).doing("creating a directory")?;
        }
    }
    Ok(())
}

fn identity(state: &LedgerState, keys: &KeyStore) -> Result<LedgerIdentity, Fault> {
    Ok(LedgerIdentity::new(&state.name, state.id, rekey::registered_key(state, keys)?))
}

/// The tree as of the last sealed entry. Each partial tile is rebuilt from the full tiles below it, which were
/// synced and verified when they were sealed; partial files were not.
fn restore_tree(shared: &Shared, state: &LedgerState) -> Result<Tree, Fault> {
    let dir = layout::ledger_dir(&state.name);
    let mut edge = Vec::new();
    for level in (0..=Tile::MAX_LEVEL).take_while(|level| state.sealed >> (8 * u32::from(*level).min(7)) > 0)
    {
        let (width, index) = (partial_width(level, state.sealed), full_tiles(level, state.sealed));
        let mut hashes = Vec::new();
        for child in 0..u64::from(width) {
            let tile = Tile::full(level.saturating_sub(1), index * u64::from(TILE_WIDTH) + child);
            let path = layout::resource(&state.name, &tile.path());
            let bytes = match shared.disk.read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(Fault::damaged(path, "the tile is missing"));
                }
                other => other.doing("reading a tile")?,
            };
            let below = decode_tile(&bytes, TILE_WIDTH).map_err(|error| Fault::damaged(&path, error))?;
            let mut root = Frontier::new();
            below.into_iter().for_each(|hash| root.push(hash));
            hashes.push(root.root());
        }
        edge.push(hashes);
    }
    let tiles = TileStack::restore(state.sealed, edge).map_err(|error| Fault::damaged(&dir, error))?;
    let checker = Frontier::restore(state.sealed, state.sealed_frontier.clone());
    let checker = checker.map_err(|error| Fault::damaged(layout::REGISTER, error))?;
    if tiles.root() != checker.root() {
        return Err(Fault::damaged(dir, "the sealed tiles do not have the root that the register holds"));
    }
    Ok(Tree { tiles, checker, bundle: Vec::new(), received_ms: state.received_ms })
}

/// After replaying all that the register covers, every tree must be the one it names.
fn check_sizes(shared: &Shared, publisher: &Publisher, before: &Registered) -> Result<(), Fault> {
    for (ledger, state) in before.ledgers.iter().enumerate() {
        if publisher.head(ledger) != (state.size, state.root) {
            let dir = layout::ledger_dir(&shared.ledgers[ledger].name);
            return Err(Fault::damaged(
                dir,
                "the write-ahead log does not lead to the tree that the register names",
            ));
        }
    }
    Ok(())
}

/// The published checkpoint, which must be of our tree and no larger than what the register holds.
fn check_checkpoint(
    shared: &Shared,
    publisher: &Publisher,
    ledger: usize,
    state: &LedgerState,
) -> Result<Option<(Checkpoint, String)>, Fault> {
    let path = layout::checkpoint(&state.name);
    let damaged = |reason: String| Fault::damaged(&path, reason);
    let bytes = match shared.disk.read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.doing("reading the checkpoint")?,
    };
    let note = UnverifiedCheckpoint::parse(&bytes).map_err(|error| damaged(error.to_string()))?;
    let key = shared.ledgers[ledger].in_force(note.claimed().size).clone();
    let note = note.verify(&state.origin, &[key], &[]).map_err(|error| damaged(error.to_string()))?;
    let Checkpoint { size, root, .. } = note.checkpoint();
    if *size > state.size {
        return Err(damaged(format!("the checkpoint is ahead of the register: {size} > {}", state.size)));
    }
    if self::root(shared, publisher, ledger, *size)? != Some(*root) {
        return Err(damaged("the checkpoint is of another tree".to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|_| damaged("the checkpoint is not text".to_owned()))?;
    Ok(Some((note.checkpoint().clone(), text)))
}

/// Root of the tree of a ledger's first entries; `None` if it has fewer.
fn root(shared: &Shared, publisher: &Publisher, ledger: usize, size: u64) -> Result<Option<Hash>, Fault> {
    let tree = publisher.tree(ledger);
    if size > tree.tiles.size() {
        return Ok(None);
    }
    let edge: Vec<(Tile, Vec<Hash>)> =
        tree.tiles.partials().map(|(tile, hashes)| (tile, hashes.to_vec())).collect();
    let tiles = DiskTiles { disk: shared.disk.as_ref(), name: &shared.ledgers[ledger].name, edge: &edge };
    root_from_tiles(size, &tiles).map(Some).map_err(|error| tiles.fault(error))
}

/// What the server has to say about the time it did not run, and about new ledgers.
fn opening_records(
    shared: &Shared,
    before: &Registered,
    log: &Log,
    now: u64,
    entering: Vec<Option<KeyChange>>,
) -> Result<Vec<Request>, Fault> {
    let mut requests = Vec::new();
    for ((ledger, state), change) in before.ledgers.iter().enumerate().zip(entering) {
        let mut entries = Vec::new();
        let mut control = |kind, draft| entries.push((kind, draft));
        // The first of all: it was checked for the index that comes next.
        if let Some(change) = change {
            control(Kind::Key, change.to_draft());
        }
        if shared.view.ledger(ledger).end == 0 {
            let continued = continued(shared, state)?;
            let note = continued.as_ref().map(|(_, old)| old.note.clone());
            control(Kind::Genesis, genesis(shared, state, note, now)?.to_draft());
            requests.push(Request::Control { ledger, records: entries, pending: None });
            let (numbering, pending) = (Numbering::Server, Pending::new(drop));
            requests.push(Request::Open { ledger, source: None, numbering, previous_last: None, pending });
            if let Some((succession, old)) = continued {
                let records = vec![(Kind::Gap, succession.gap(&old, now).to_draft())];
                requests.push(Request::Control { ledger, records, pending: None });
            }
            continue;
        }
        if let Some(cut) = log.torn() {
            control(Kind::Cut, cut.to_draft());
        }
        if now < before.written_ms {
            let clock = Clock { expected_ms: before.written_ms, wall_ms: now };
            control(Kind::Cut, clock.to_draft());
        }
        let gap = Gap {
            cause: GapCause::Downtime,
            source: None,
            epoch: None,
            from_sequence: None,
            to_sequence: None,
            from_ms: Some(before.written_ms),
            to_ms: Some(now.max(before.written_ms)),
            clean: Some(before.stopped),
            detail: if before.stopped { "the server was stopped" } else { "the server was cut off" }
                .to_owned(),
        };
        control(Kind::Gap, gap.to_draft());
        requests.push(Request::Control { ledger, records: entries, pending: None });
    }
    Ok(requests)
}

/// What a new ledger continues, if somebody said so (docs/recovery.md).
fn continued(shared: &Shared, state: &LedgerState) -> Result<Option<(Succession, Predecessor)>, Fault> {
    let Some(succession) = shared.keys.succession(&state.name)? else { return Ok(None) };
    let old = Predecessor::read(&succession.checkpoint, &state.origin)
        .map_err(|error| Fault::damaged(layout::keys::predecessor(&state.name), error))?;
    Ok(Some((succession, old)))
}

fn genesis(
    shared: &Shared,
    state: &LedgerState,
    predecessor: Option<String>,
    now: u64,
) -> Result<Genesis, Fault> {
    let authority = shared.keys.signing_key(&layout::keys::authority(&state.name))?;
    Ok(Genesis {
        ledger_id: state.id,
        origin: state.origin.clone(),
        log_vkey: state.vkey.clone(),
        authority_vkey: authority.verifying_key().to_string(),
        table_version: record::facet::TABLE_VERSION,
        table_hash: record::facet::table_hash(),
        predecessor,
        created_ms: now,
    })
}
