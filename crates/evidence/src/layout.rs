//! Where everything lies in a store (docs/format.md, "Layout"). Paths are relative to the data directory or,
//! for the functions under [`keys`], to the key directory.

use crate::segment::Class;

/// The register.
pub const REGISTER: &str = "register";
/// The settings, as the server last started with them.
pub const SETTINGS: &str = "ledgerstone.toml";
/// The tokens, hashed.
pub const TOKENS: &str = "tokens";
/// Name in the first line of [`TOKENS`].
pub const TOKENS_NAME: &str = "ledgerstone/tokens/v1";
/// The first administrator's token: the one file no digest covers, so that it can be moved away.
pub const ADMIN_TOKEN: &str = "admin.token";
/// What the running server's own verification has found, and when: a statefile, no evidence.
pub const SCRUB: &str = "scrub";
/// Name in the first line of [`SCRUB`].
pub const SCRUB_NAME: &str = "ledgerstone/scrub/v1";
/// Locked while a server owns the store; empty.
pub const LOCK: &str = "lock";
/// Zeros, given back to the file system so that a full disk can still be recorded.
pub const RESERVE: &str = "reserve";
/// Directory of the write-ahead files.
pub const WAL: &str = "wal";
/// Directory of torn tails set aside at recovery.
pub const SET_ASIDE: &str = "set-aside";
/// Directory of the ledgers.
pub const LEDGERS: &str = "ledgers";

/// Path of a write-ahead file.
pub fn wal_file(number: u64) -> String {
    format!("{WAL}/{number:016}.wal")
}

/// Number of a write-ahead file from its name.
pub fn parse_wal_name(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".wal")?.parse().ok()?;
    (wal_file(number).strip_prefix("wal/") == Some(name)).then_some(number)
}

/// Name of a torn tail of write-ahead file `number`, cut at `offset`.
pub fn set_aside(number: u64, offset: u64) -> String {
    format!("{SET_ASIDE}/{number:016}-{offset:016}.torn")
}

/// Directory of a ledger.
pub fn ledger_dir(name: &str) -> String {
    format!("{LEDGERS}/{name}")
}

/// Path of a ledger's checkpoint.
pub fn checkpoint(name: &str) -> String {
    format!("{LEDGERS}/{name}/checkpoint")
}

/// Path of a ledger's newest checkpoint that a quorum of witnesses cosigned.
pub fn witnessed(name: &str) -> String {
    format!("{LEDGERS}/{name}/checkpoint.witnessed")
}

/// Directory of the checkpoints of a ledger that were time-stamped, with what stamps them.
pub fn stamped_dir(name: &str) -> String {
    format!("{LEDGERS}/{name}/stamped")
}

/// What lies there about a checkpoint of some size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stamped {
    /// The signed note.
    Checkpoint,
    /// An RFC 3161 token with this SHA-256, which a record of the ledger holds too.
    Token([u8; 32]),
    /// What calendars of OpenTimestamps promised, and later the way to a block.
    Ots,
}

/// Name of such a file.
pub fn stamped_name(size: u64, what: Stamped) -> String {
    match what {
        Stamped::Checkpoint => format!("{size:020}.checkpoint"),
        Stamped::Token(sha256) => format!("{size:020}-{}.der", crate::hex::encode(&sha256)),
        Stamped::Ots => format!("{size:020}.ots"),
    }
}

/// Size and kind of such a file from its name.
pub fn parse_stamped_name(name: &str) -> Option<(u64, Stamped)> {
    let (stem, end) = name.rsplit_once('.')?;
    let (size, sha256) = stem.split_once('-').map_or((stem, None), |(size, sha256)| (size, Some(sha256)));
    let what = match (end, sha256) {
        ("checkpoint", None) => Stamped::Checkpoint,
        ("ots", None) => Stamped::Ots,
        ("der", Some(sha256)) => Stamped::Token(crate::hex::decode(sha256)?),
        _ => return None,
    };
    let size = size.parse().ok()?;
    (stamped_name(size, what) == name).then_some((size, what))
}

/// Path of a C2SP resource (`tile/...`) of a ledger.
pub fn resource(name: &str, resource: &str) -> String {
    format!("{LEDGERS}/{name}/{resource}")
}

/// Directory of a ledger's segments of one class.
pub fn segment_dir(name: &str, class: Class) -> String {
    format!("{LEDGERS}/{name}/segment/{}", class.name())
}

/// Path of a segment below its ledger's directory, as `sealed` records name it.
pub fn segment_file(class: Class, first: u64, end: u64, generation: u32) -> String {
    format!("segment/{}/{first:020}-{end:020}.{generation}", class.name())
}

/// Index range and generation from a segment's name.
pub fn parse_segment_name(class: Class, name: &str) -> Option<(u64, u64, u32)> {
    let (range, generation) = name.split_once('.')?;
    let (first, end) = range.split_once('-')?;
    let parsed = (first.parse().ok()?, end.parse().ok()?, generation.parse().ok()?);
    let path = segment_file(class, parsed.0, parsed.1, parsed.2);
    (path.rsplit('/').next() == Some(name)).then_some(parsed)
}

/// Whether `name` may name a ledger: it is part of paths and of the origin.
pub fn is_ledger_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=40).contains(&name.len()) && name.bytes().all(letter) && !name.starts_with('-')
}

/// Paths in the key directory.
pub mod keys {
    /// The wrapping key.
    pub const WRAPPING: &str = "wrapping.key";
    /// Directory of the wrapped data keys.
    pub const DATA: &str = "data";

    /// Path of a ledger's signing key.
    pub fn signing(name: &str) -> String {
        format!("{name}.signing.key")
    }

    /// Path of the key that a ledger is to sign with next, until the change is through.
    pub fn signing_next(name: &str) -> String {
        format!("{name}.signing.next.key")
    }

    /// Path of a change of a ledger's signing key that the next start enters.
    pub fn change(name: &str) -> String {
        format!("{name}.key-change")
    }

    /// Path of a ledger's authority key, which signs changes of the signing key and belongs off this machine.
    pub fn authority(name: &str) -> String {
        format!("{name}.authority.key")
    }

    /// Path of what a ledger that is about to be made continues; only until its genesis is durable.
    pub fn predecessor(name: &str) -> String {
        format!("{name}.predecessor")
    }

    /// Path of a wrapped data key.
    pub fn data(id: &[u8; 16]) -> String {
        format!("{DATA}/{}.key", crate::hex::encode(id))
    }
}
