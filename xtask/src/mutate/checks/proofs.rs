//! Trees, notes, records, receipts: what is checked without a store.

use super::{Check, check};

const PROOF: &str = "crates/tlog/src/proof/verify.rs";
const NOTE: &str = "crates/tlog/src/note.rs";
const KEY: &str = "crates/tlog/src/note/key.rs";
const CHECKPOINT: &str = "crates/tlog/src/checkpoint.rs";
const POLICY: &str = "crates/tlog/src/policy.rs";
const TILE: &str = "crates/tlog/src/tile.rs";
const BUNDLE: &str = "crates/tlog/src/tile/bundle.rs";
const CANONICAL: &str = "crates/record/src/canonical/check.rs";
const STORED: &str = "crates/record/src/stored.rs";
const RECEIPT: &str = "crates/record/src/receipt.rs";

pub(super) const CHECKS: &[Check] = &[
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
        "consistency: hashes where none are due",
        PROOF,
        "_ => Err(ProofError::TooLong { found: proof.len() }),",
        "_ => Ok(()),",
    ),
    check("consistency: another log", CHECKPOINT, "if older.origin != *origin {", "if false {"),
    check(
        "note: two keys of one name and id",
        NOTE,
        "if candidates.any(|other| other != key) {",
        "if false {",
    ),
    check("note: control characters", NOTE, "check_characters(whole)?;", ""),
    check("note: the last empty line divides", NOTE, "whole.rfind(\"\\n\\n\")", "whole.find(\"\\n\\n\")"),
    check("key: id is that of name and key", KEY, "if parsed.id.to_string() != id {", "if false {"),
    check("key: weak", KEY, ".filter(|key| !key.is_weak())", ""),
    check(
        "key: one form of a signature",
        KEY,
        "self.key.verify_strict(message, ",
        "ed25519_dalek::Verifier::verify(&self.key, message, ",
    ),
    check(
        "key: name and id of a signature",
        KEY,
        "self.id == signature.key_id() && self.name == signature.name()",
        "self.id == signature.key_id()",
    ),
    check("cosignature: largest time", KEY, ".filter(|time| *time <= MAX_TIMESTAMP)?", "?"),
    check("tile: one spelling of a path", TILE, ".filter(|tile| tile.path() == path)", ""),
    check("bundle: number of entries", BUNDLE, "if entries.len() == usize::from(TILE_WIDTH) {", "if false {"),
    check("bundle: none", BUNDLE, "if entries.is_empty() {", "if false {"),
    check(
        "proof file: number of hashes",
        "crates/tlog/src/tlog_proof.rs",
        "if hashes.len() == 64 {",
        "if false {",
    ),
    check(
        "proof file: inclusion",
        "crates/tlog/src/tlog_proof.rs",
        "checkpoint.check_inclusion(self.index, leaf, &self.hashes).map_err(TlogProofError::Inclusion)?;",
        "",
    ),
    check(
        "canonical: order of keys",
        CANONICAL,
        "if previous.is_some_and(|previous| previous.compare(key) != Ordering::Less) {",
        "if previous.is_some_and(|previous| previous.compare(key) == Ordering::Equal) {",
    ),
    check(
        "canonical: repeated key",
        CANONICAL,
        "if previous.is_some_and(|previous| previous.compare(key) != Ordering::Less) {",
        "if previous.is_some_and(|previous| previous.compare(key) == Ordering::Greater) {",
    ),
    check("canonical: escapes", CANONICAL, "if shortest { Ok(end) } else", "if true { Ok(end) } else"),
    check(
        "canonical: spelling of numbers",
        CANONICAL,
        "if !number::is_canonical(&self.text[start..end]) {",
        "if false {",
    ),
    check(
        "canonical: nothing behind the value",
        CANONICAL,
        "if self.at == self.text.len() { Ok(()) } else",
        "if true { Ok(()) } else",
    ),
    check("canonical: depth", CANONICAL, "if depth >= MAX_DEPTH {", "if false {"),
    check(
        "control: one spelling",
        "crates/record/src/control/mod.rs",
        "if what(&payload) != bytes {",
        "if false {",
    ),
    check("receipt: one spelling", RECEIPT, "if canonical != receipt.to_json().as_bytes() {", "if false {"),
    check(
        "policy: how many of a group",
        POLICY,
        "groups_met.push(count >= group.threshold);",
        "groups_met.push(count > 0);",
    ),
    check(
        "policy: cosignature without a time",
        POLICY,
        "signature.timestamp().is_some_and(|time| time != 0)",
        "signature.timestamp().is_some()",
    ),
    check("policy: log of its origin", POLICY, ".filter(|log| log.key.name() == origin.as_str())", ""),
];
