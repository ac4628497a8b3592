//! The checks of the verifying crates, each with the text that makes it and the text that leaves it out.

/// One check.
pub struct Check {
    /// What it finds.
    pub name: &'static str,
    /// The file it is in.
    pub file: &'static str,
    /// The text, found exactly once.
    pub text: &'static str,
    /// What stands there when the check is left out.
    pub instead: &'static str,
}

const PROOF: &str = "crates/tlog/src/proof/verify.rs";
const NOTE: &str = "crates/tlog/src/note.rs";
const CHECKPOINT: &str = "crates/tlog/src/checkpoint.rs";
const STORED: &str = "crates/record/src/stored.rs";
const RECEIPT: &str = "crates/record/src/receipt.rs";
const WAL: &str = "crates/evidence/src/wal.rs";
const SEGMENT: &str = "crates/evidence/src/segment.rs";
const STATE: &str = "crates/evidence/src/statefile.rs";
const STORE: &str = "crates/evidence/src/verify/mod.rs";
const TREE: &str = "crates/evidence/src/verify/tree.rs";
const SMALL: &str = "crates/evidence/src/verify/small.rs";
const PAYLOADS: &str = "crates/evidence/src/verify/payloads.rs";

/// Every check that is disabled.
pub const CHECKS: &[Check] = &[
    check("inclusion: index beyond the tree", PROOF, "if index >= size {", "if index > size {"),
    check("inclusion: proof leads to the root", PROOF, "if computed != *root {", "if false {"),
    check("consistency: tree shrinks", PROOF, "if old > new {", "if false {"),
    check(
        "consistency: root of the empty tree",
        PROOF,
        "if old == 0 && *old_root != empty_root() {",
        "if false {",
    ),
    check("consistency: older root", PROOF, "if old_computed != *old_root {", "if false {"),
    check("consistency: newer root", PROOF, "if new_computed != *new_root {", "if false {"),
    check(
        "note: a bad signature spoils it",
        NOTE,
        "return Err(NoteError::InvalidSignature { name: key.name().to_owned(), id: key.id() });",
        "continue;",
    ),
    check(
        "note: no known signature",
        NOTE,
        "if signatures.is_empty() {\n            return Err(NoteError::NoKnown",
        "if false {\n            return Err(NoteError::NoKnown",
    ),
    check("checkpoint: origin", CHECKPOINT, "if self.claimed.origin.as_str() != origin {", "if false {"),
    check(
        "checkpoint: signed by the log itself",
        CHECKPOINT,
        "if !log_keys.iter().any(|key| note.signed_by(key)) {",
        "if false {",
    ),
    check("checkpoint: extension lines", CHECKPOINT, "if !parsed.extensions.is_empty() {", "if false {"),
    check(
        "tile: length",
        "crates/tlog/src/tile.rs",
        "width > TILE_WIDTH || bytes.len() != usize::from(width) * Hash::LEN {",
        "width > TILE_WIDTH {",
    ),
    check(
        "record: commitment",
        STORED,
        "match commitment(ledger_id, TABLE_VERSION, &digests) == entry.commitment {",
        "match commitment(ledger_id, TABLE_VERSION, &digests) != [0; 32] {",
    ),
    check("record: stamp", STORED, "if opening.has(Facet::When) && read_stamp", "if false && read_stamp"),
    check(
        "record: bytes of an erased facet",
        STORED,
        "Known::Digest(_) if !bytes.is_empty() => return Err(RecordError::Unopened(facet)),",
        "",
    ),
    check(
        "record: canonical facets",
        STORED,
        "canonical::check(bytes).map_err(|error| RecordError::NotCanonical(facet, error))?;",
        "",
    ),
    check("record: a facet is an object", STORED, "if bytes.first() != Some(&b'{') {", "if false {"),
    check(
        "entry: unknown version",
        "crates/record/src/entry.rs",
        ".filter(|&&version| version != ENTRY_VERSION)",
        ".filter(|_| false)",
    ),
    check(
        "receipt: raw bytes",
        RECEIPT,
        "if commitment(&self.ledger_id, self.table_version, &digests) != entry.commitment {",
        "if false {",
    ),
    check("receipt: facet table", RECEIPT, "if self.table_version != TABLE_VERSION {", "if false {"),
    check(
        "receipt: inclusion",
        RECEIPT,
        "checkpoint\n            .check_inclusion(self.index, &self.leaf_hash(), &proof.hashes)\n            .map_err(ReceiptError::Inclusion)?;",
        "",
    ),
    check(
        "log: chain of groups",
        WAL,
        "Ok((group, ..)) if group.previous != chain => {",
        "Ok(_) if false => {",
    ),
    check(
        "log: group of another file",
        WAL,
        "Ok((group, ..)) if group.file != scan.header.0.key_id => {",
        "Ok(_) if false => {",
    ),
    check(
        "log: number of a group",
        WAL,
        "Ok((group, ..)) if group.number != scan.groups.len() as u64 => {",
        "Ok(_) if false => {",
    ),
    check(
        "log: synced bytes that come later",
        WAL,
        "Ok((group, ..)) if group.synced_to > at as u64 => {",
        "Ok(_) if false => {",
    ),
    check("log: hash of a group", WAL, "if stored != hash {", "if false {"),
    check(
        "log: what the next file says",
        WAL,
        "if found != (previous.number, Some(previous.chain), previous.length, previous.rest) {",
        "if false {",
    ),
    check(
        "log: where the register says it ends",
        WAL,
        "if scan.chain_at(register.offset) != Some(register.chain) || register.offset > kept {",
        "if false {",
    ),
    check(
        "log: ends there after a stop",
        WAL,
        "if stopped && bytes.len() as u64 != register.offset {",
        "if false {",
    ),
    check(
        "log: damage below a later group",
        WAL,
        "let acknowledged = acknowledged(bytes, at, known, &scan.header.0.key_id);",
        "let acknowledged = (at as u64) < known;",
    ),
    check(
        "segment: hash of the header",
        SEGMENT,
        "r.expect(&hash, \"the header's hash does not fit\")?;",
        "r.take(32)?;",
    ),
    check(
        "segment: hash of a block",
        SEGMENT,
        "if <[u8; 32]>::from(Sha256::digest(block)) != row.sha256 {",
        "if false {",
    ),
    check("segment: hash of the file", SEGMENT, "if bytes[body + 8..] != hash {", "if false {"),
    check("segment: bytes before the footer", SEGMENT, "if offset != footer_offset {", "if false {"),
    check(
        "state file: hash",
        STATE,
        "if bytes[end..] != *digest_line(&bytes[..end]).as_bytes() {",
        "if false {",
    ),
    check(
        "store: checkpoint's signature",
        STORE,
        "report.damage.push(Damage::new(kind, path, detail));\n                fallback",
        "drop((kind, detail));\n                fallback",
    ),
    check("store: more than one signature", STORE, "if note.note().signatures().len() > 1 {", "if false {"),
    check(
        "store: root of the entries",
        STORE,
        "tree.frontier(size).map(|tree| tree.root()) != root {",
        "false {",
    ),
    check(
        "store: checkpoint older than the stop",
        STORE,
        "if stopped && size < state.size && !unsigned {",
        "if false {",
    ),
    check("store: frontier of what is sealed", STORE, "(sealed.is_none() || sealed != computed)", "false"),
    check(
        "store: log against the tree",
        STORE,
        "if leaf_hash(entry) != *leaf && tree.damage.is_empty() {",
        "if false {",
    ),
    check("store: register against the log", STORE, "if at_register != Some(state.root)", "if false"),
    check(
        "store: genesis",
        STORE,
        "if says != (state.id, &state.origin, &state.vkey, record::facet::table_hash()) {",
        "if false {",
    ),
    check("store: authority key", STORE, "vkey != genesis.authority_vkey", "false"),
    check(
        "store: segment as it was put on record",
        STORE,
        "Some((_, length, sha256)) if (*length, *sha256) == (sealed.length, sealed.sha256) => {}",
        "Some(_) if true => {}",
    ),
    check(
        "store: segment that is missing",
        STORE,
        "None => report.damage.push(damage(\n                    DamageKind::Missing,\n                    \"the segment is missing and no record says that it was erased\",\n                )),",
        "None => {}",
    ),
    check("store: segment on no record", STORE, "if payloads.damage.is_empty() && !lost {", "if false {"),
    check(
        "store: key from outside",
        STORE,
        "&& report.ledgers.iter().all(|ledger| ledger.vkey != key.to_string())",
        "&& false",
    ),
    check(
        "store: group of an unknown ledger",
        STORE,
        "registered.ledgers.iter().all(|ledger| ledger.id != *id);",
        "id.is_empty();",
    ),
    check(
        "tree: entries against tiles",
        TREE,
        "(Some(entries), Some(tile)) if entries == tile => None,",
        "(Some(_), Some(_)) if true => None,",
    ),
    check(
        "tree: tiles against those above",
        TREE,
        "if tiles.hashes.get(&at).is_some_and(|claimed| claimed != computed) {",
        "if false {",
    ),
    check("tree: time goes back", TREE, "if entry.received_ms < self.last_ms {", "if false {"),
    check("tree: hole in a sequence", TREE, "if held.1 >= epoch || first != 1 {", "if false {"),
    check(
        "small: settings",
        SMALL,
        "Ok(bytes) if Some(<[u8; 32]>::from(Sha256::digest(&bytes))) == pinned => None,",
        "Ok(_) if true => None,",
    ),
    check("small: lock file", SMALL, "Ok(bytes) if bytes.is_empty() => None,", "Ok(_) if true => None,"),
    check(
        "small: a name that nothing has",
        SMALL,
        "_ => Some(Damage::new(DamageKind::Unexpected, &name, \"nothing of a store has this name\")),",
        "_ => None,",
    ),
    check(
        "small: signing key",
        SMALL,
        "if !signing || vkey == ledger.vkey {",
        "if !signing || !vkey.is_empty() {",
    ),
    check("small: bytes that were set aside", SMALL, "(!same).then(||", "(!same && false).then(||"),
    check(
        "payloads: segment under another name",
        PAYLOADS,
        "if (header.class, header.first, header.end, header.generation) != (class, first, end, generation)\n        || header.ledger != *ledger.id",
        "if false",
    ),
    check("payloads: facet that is absent", PAYLOADS, "match whole {", "match whole || true {"),
    check(
        "payloads: data key under another name",
        PAYLOADS,
        "if layout::keys::data(&wrapped.id) != path => {",
        "if false => {",
    ),
];

const fn check(name: &'static str, file: &'static str, text: &'static str, instead: &'static str) -> Check {
    Check { name, file, text, instead }
}
