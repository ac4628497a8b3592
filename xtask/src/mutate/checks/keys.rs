//! Changes of a ledger's signing key: K1 to K4 of docs/format.md, and the key in force.

use super::{Check, check};

const CHANGE: &str = "crates/tlog/src/key_change.rs";
const STORE: &str = "crates/evidence/src/verify/mod.rs";
const REKEY: &str = "crates/evidence/src/verify/rekey.rs";

pub(super) const CHECKS: &[Check] = &[
    check("K1: first line of a statement", CHANGE, "if *magic != STATEMENT_MAGIC {", "if false {"),
    check(
        "K1: type and name of a key",
        CHANGE,
        "key.algorithm() == Algorithm::Ed25519 && key.name() == origin",
        "key.name().len() + origin.len() > 0",
    ),
    check(
        "K1: one signature under a statement",
        CHANGE,
        "if note.signatures().len() != 1 {",
        "if note.signatures().is_empty() {",
    ),
    check(
        "K1: the authority's signature",
        CHANGE,
        "note.verify(core::slice::from_ref(authority)).map_err(KeyChangeError::StatementNote)?;",
        "let _ = note.verify(core::slice::from_ref(authority)).map_err(KeyChangeError::StatementNote);",
    ),
    check(
        "K1: origin of a statement",
        CHANGE,
        "if statement.origin.as_str() != self.origin {",
        "if statement.origin.as_str().is_empty() {",
    ),
    check(
        "K1: one signature under the checkpoint",
        CHANGE,
        "if note.note().signatures().len() != 1 {",
        "if note.note().signatures().is_empty() {",
    ),
    check(
        "K1: the signature of the key before",
        CHANGE,
        "let before = core::slice::from_ref(self.newest());",
        "let before = core::slice::from_ref(&statement.key);",
    ),
    check("K2: the empty tree", CHANGE, "if size == 0 || size > index", "if size > index"),
    check("K2: a tree beyond the record", CHANGE, "size == 0 || size > index || size", "size == 0 || size"),
    check("K2: the change before", CHANGE, "size > index || size < after {", "size > index {"),
    check(
        "K3: statement and checkpoint",
        CHANGE,
        "if *note.checkpoint() != statement.checkpoint() {",
        "if note.checkpoint().size != statement.size {",
    ),
    check(
        "K3: the ledger's tree",
        REKEY,
        "Some(root) if root == statement.root => {}",
        "Some(root) if root.as_bytes().len() == 32 => {}",
    ),
    check(
        "K4: a key that comes back",
        CHANGE,
        "if self.keys().any(|(_, key)| key.public_bytes() == new) {",
        "if self.keys().count() == 0 {",
    ),
    check("K4: the authority's key", CHANGE, "if authority.public_bytes() == new {", "if false {"),
    check(
        "key in force",
        CHANGE,
        ".find(|change| change.index < size);",
        ".find(|change| change.index <= size);",
    ),
    check(
        "store: a change that does not hold",
        REKEY,
        "damage.push(wrong(*index, format!(\"the change of the signing key does not hold: {error}\")));",
        "let _ = wrong(*index, error.to_string());",
    ),
    check(
        "store: the register's key",
        REKEY,
        "(history.in_force(state.size).to_string() != state.vkey).then(|| {",
        "(history.in_force(state.size).to_string().is_empty()).then(|| {",
    ),
    check(
        "store: the first key",
        STORE,
        "same &= !claims.keys.is_empty() || genesis.log_vkey == state.vkey;",
        "same &= !claims.keys.is_empty() || !genesis.log_vkey.is_empty();",
    ),
    check(
        "store: the key of a kept checkpoint",
        REKEY,
        "key.index == 0 || key.index < size).map_or",
        "key.index == 0 || key.index <= size).map_or",
    ),
];
