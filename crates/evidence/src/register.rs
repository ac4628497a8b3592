//! The register: what the server last promised about every ledger (docs/format.md, "Register").

use record::json::Value;
use tlog::hash::Hash;

use crate::fields::{Build, FieldError, Fields};
use crate::statefile;

const NAME: &str = "ledgerstone/register/v1";

/// The whole register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Random id of this store.
    pub store: [u8; 16],
    /// Raised at each start; a writer that finds another one stops.
    pub writer_epoch: u64,
    /// Whether the last server stopped in order: then the write-ahead log ends exactly at `wal`.
    pub stopped: bool,
    /// When the register was last written, unix milliseconds; tells how long the server was down.
    pub written_ms: u64,
    /// SHA-256 of the settings file the server last started with; `None` if there was none.
    pub settings: Option<[u8; 32]>,
    /// Everything in the write-ahead log before this position is durable and covered by the sizes below.
    pub wal: WalPosition,
    /// Oldest write-ahead file that is still needed.
    pub wal_floor: u64,
    /// The ledgers, by name.
    pub ledgers: Vec<LedgerState>,
}

/// A position in the write-ahead log, after a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalPosition {
    /// Number of the file; 0 before the first one.
    pub file: u64,
    /// Offset in it.
    pub offset: u64,
    /// Hash of the group that ends there, or of the file's header.
    pub chain: [u8; 32],
}

/// What the register holds of one ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerState {
    /// Its name on this server.
    pub name: String,
    /// Its random id.
    pub id: [u8; 32],
    /// Its origin, the first line of its checkpoints.
    pub origin: String,
    /// Its verification key.
    pub vkey: String,
    /// Size of the largest tree that may have been signed.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// `received` of the last entry below `size`, unix milliseconds.
    pub received_ms: u64,
    /// Entries below this index are in segments, tiles and bundles that were synced and verified.
    pub sealed: u64,
    /// Compact range of the tree of that size.
    pub sealed_frontier: Vec<Hash>,
    /// The sources as of `sealed`.
    pub sources: Vec<SourceState>,
}

/// How far a source had got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceState {
    /// Its number.
    pub source: u32,
    /// Its epoch.
    pub epoch: u32,
    /// Whether the source numbers its events itself.
    pub numbered_by_source: bool,
    /// Sequence of its last event in the epoch, 0 for none.
    pub last_sequence: u64,
}

impl Registered {
    /// Formats the register.
    pub fn format(&self) -> Vec<u8> {
        let hashes = |hashes: &[Hash]| {
            Value::Array(hashes.iter().map(|hash| Value::from(crate::hex::encode(hash.as_bytes()))).collect())
        };
        let source = |source: &SourceState| {
            Build::default()
                .u32("source", source.source)
                .u32("epoch", source.epoch)
                .bool("numbered_by_source", source.numbered_by_source)
                .u64("last_sequence", source.last_sequence)
                .done()
        };
        let ledger = |ledger: &LedgerState| {
            Build::default()
                .str("name", &ledger.name)
                .str("id", &crate::hex::encode(&ledger.id))
                .str("origin", &ledger.origin)
                .str("vkey", &ledger.vkey)
                .u64("size", ledger.size)
                .str("root", &crate::hex::encode(ledger.root.as_bytes()))
                .u64("received_ms", ledger.received_ms)
                .u64("sealed", ledger.sealed)
                .value("sealed_frontier", hashes(&ledger.sealed_frontier))
                .value("sources", Value::Array(ledger.sources.iter().map(source).collect()))
                .done()
        };
        let wal = Build::default()
            .u64("file", self.wal.file)
            .u64("offset", self.wal.offset)
            .str("chain", &crate::hex::encode(&self.wal.chain));
        let value = Build::default()
            .str("store", &crate::hex::encode(&self.store))
            .u64("writer_epoch", self.writer_epoch)
            .bool("stopped", self.stopped)
            .u64("written_ms", self.written_ms)
            .str("settings", &self.settings.map(|hash| crate::hex::encode(&hash)).unwrap_or_default())
            .value("wal", wal.done())
            .u64("wal_floor", self.wal_floor)
            .value("ledgers", Value::Array(self.ledgers.iter().map(ledger).collect()));
        statefile::format(NAME, &value.done())
    }

    /// Reads a register.
    pub fn parse(bytes: &[u8]) -> Result<Self, FieldError> {
        let value = statefile::parse(NAME, bytes).map_err(|error| FieldError(error.to_string()))?;
        let fields = Fields::of(&value)?;
        let wal = Fields::of(fields.value("wal")?)?;
        let settings = match fields.str("settings")? {
            "" => None,
            text => Some(crate::hex::decode(text).ok_or(FieldError("settings is not a hash".to_owned()))?),
        };
        let register = Self {
            store: fields.hex("store")?,
            writer_epoch: fields.u64("writer_epoch")?,
            stopped: fields.bool("stopped")?,
            written_ms: fields.u64("written_ms")?,
            settings,
            wal: WalPosition { file: wal.u64("file")?, offset: wal.u64("offset")?, chain: wal.hex("chain")? },
            wal_floor: fields.u64("wal_floor")?,
            ledgers: fields.list("ledgers")?.iter().map(LedgerState::parse).collect::<Result<_, _>>()?,
        };
        wal.finish()?;
        fields.finish()?;
        Ok(register)
    }
}

impl LedgerState {
    fn parse(value: &Value<'_>) -> Result<Self, FieldError> {
        let fields = Fields::of(value)?;
        let ledger = Self {
            name: fields.str("name")?.to_owned(),
            id: fields.hex("id")?,
            origin: fields.str("origin")?.to_owned(),
            vkey: fields.str("vkey")?.to_owned(),
            size: fields.u64("size")?,
            root: Hash::from_bytes(fields.hex("root")?),
            received_ms: fields.u64("received_ms")?,
            sealed: fields.u64("sealed")?,
            sealed_frontier: fields.hashes("sealed_frontier")?,
            sources: fields.list("sources")?.iter().map(SourceState::parse).collect::<Result<_, _>>()?,
        };
        fields.finish()?;
        if !crate::layout::is_ledger_name(&ledger.name) {
            return Err(FieldError("a ledger's name is not one that paths may hold".to_owned()));
        }
        if ledger.sealed > ledger.size || !ledger.sealed.is_multiple_of(crate::segment::ALIGN) {
            return Err(FieldError("a ledger is sealed to a size it cannot be".to_owned()));
        }
        Ok(ledger)
    }
}

impl SourceState {
    fn parse(value: &Value<'_>) -> Result<Self, FieldError> {
        let fields = Fields::of(value)?;
        let source = Self {
            source: fields.u32("source")?,
            epoch: fields.u32("epoch")?,
            numbered_by_source: fields.bool("numbered_by_source")?,
            last_sequence: fields.u64("last_sequence")?,
        };
        fields.finish()?;
        Ok(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(edit: impl FnOnce(&mut LedgerState)) -> Registered {
        let mut ledger = LedgerState {
            name: "main".to_owned(),
            id: [1; 32],
            origin: "ledgerstone.example/main".to_owned(),
            vkey: "a key".to_owned(),
            size: 300,
            root: Hash::from_bytes([2; 32]),
            received_ms: 5,
            sealed: 256,
            sealed_frontier: vec![Hash::from_bytes([3; 32])],
            sources: vec![SourceState { source: 1, epoch: 1, numbered_by_source: true, last_sequence: 7 }],
        };
        edit(&mut ledger);
        Registered {
            store: [4; 16],
            writer_epoch: 1,
            stopped: true,
            written_ms: 6,
            settings: Some([5; 32]),
            wal: WalPosition { file: 1, offset: 160, chain: [6; 32] },
            wal_floor: 1,
            ledgers: vec![ledger],
        }
    }

    #[test]
    fn a_register_that_cannot_be_is_refused() {
        let good = register(|_| {});
        assert_eq!(Registered::parse(&good.format()), Ok(good));
        let refused = |edit: fn(&mut LedgerState), why: &str| {
            let FieldError(reason) = Registered::parse(&register(edit).format()).unwrap_err();
            assert!(reason.contains(why), "{reason}");
        };
        refused(|ledger| ledger.name = "../main".to_owned(), "not one that paths may hold");
        refused(|ledger| ledger.sealed = 200, "sealed to a size it cannot be");
        refused(|ledger| ledger.sealed = 512, "sealed to a size it cannot be");
    }

    /// Each spelling has a hash that fits.
    #[test]
    fn a_register_has_one_spelling() {
        let text = String::from_utf8(register(|_| {}).format()).unwrap();
        let object = text.lines().nth(1).unwrap();
        let parse = |object: &str| {
            Registered::parse(&statefile::format(NAME, &record::json::parse(object.as_bytes()).unwrap()))
        };
        assert!(parse(object).is_ok());
        let more = object.replacen('{', r#"{"a":"unknown","#, 1);
        assert_eq!(parse(&more), Err(FieldError("there are unknown members".to_owned())));
        let zero = object.replace(r#""wal_floor":"1""#, r#""wal_floor":"01""#);
        assert_eq!(parse(&zero), Err(FieldError("member has a value it cannot have: wal_floor".to_owned())));
    }
}
