//! The formats at rest: what is checked of a file by itself.

use super::{Check, check};

const WAL: &str = "crates/evidence/src/wal.rs";
const SEGMENT: &str = "crates/evidence/src/segment.rs";
const BLOCK: &str = "crates/evidence/src/block.rs";
const STATE: &str = "crates/evidence/src/statefile.rs";
const FIELDS: &str = "crates/evidence/src/fields.rs";
const REGISTER: &str = "crates/evidence/src/register.rs";

pub(super) const CHECKS: &[Check] = &[
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
        "log: hash of a file's header",
        WAL,
        "r.expect(&hash, \"the header's hash does not fit\")?;",
        "r.take(32)?;",
    ),
    check("log: file under another number", WAL, "if scan.header.0.number != number {", "if false {"),
    check("log: shorter than what was durable", WAL, "if scan.end < known {", "if false {"),
    check(
        "log: bytes behind a group's last part",
        WAL,
        "r.finish()?;\n        Ok((Self { file,",
        "Ok((Self { file,",
    ),
    check(
        "segment: bytes behind the last row",
        SEGMENT,
        "footer.len() != FOOTER_MAGIC.len() + 4 + count * FOOTER_ROW",
        "footer.len() < FOOTER_MAGIC.len() + 4 + count * FOOTER_ROW",
    ),
    check(
        "segment: blocks follow one another",
        SEGMENT,
        "row.offset == offset\n                && row.first >= index\n",
        "true\n",
    ),
    check(
        "segment: number of records of a row",
        SEGMENT,
        "&& row.count > 0\n                && u64::from(row.count) <= records;",
        ";",
    ),
    check("segment: blocks beyond the range", SEGMENT, "if !fits || row.end > header.end {", "if !fits {"),
    check(
        "segment: whole bundles",
        SEGMENT,
        "if !header.first.is_multiple_of(ALIGN)\n            || !header.end.is_multiple_of(ALIGN)\n            ||",
        "if",
    ),
    check(
        "segment: records that the footer says",
        SEGMENT,
        "if held != (row.first, row.end, row.count as usize) {",
        "if false {",
    ),
    check(
        "block: one frame",
        BLOCK,
        "if zstd::zstd_safe::find_frame_compressed_size(&packed[4..]) != Ok(packed.len() - 4) {",
        "if false {",
    ),
    check("block: length", BLOCK, "if plain.len() != len {", "if false {"),
    check(
        "block: indexes rise",
        BLOCK,
        "if indexes[0] != 0 || indexes.windows(2).any(|pair| pair[0] >= pair[1]) {",
        "if false {",
    ),
    check("block: bytes behind the last column", BLOCK, "r.finish()?;", ""),
    check("block: version", BLOCK, "if r.u8()? != VERSION {", "if r.u8()? == 0 {"),
    check(
        "block: facet table",
        BLOCK,
        "if r.u16()? != record::facet::TABLE_VERSION || usize::from(r.u8()?) != FACETS {",
        "if r.u16()? == 0 || r.u8()? == 0 {",
    ),
    check("state file: name", STATE, "bytes.get(..name.len()) != Some(name.as_bytes()) ||", ""),
    check(
        "state file: canonical",
        STATE,
        "canonical::check(object).map_err(|_| DecodeError::new(head, \"the second line is not canonical JSON\"))?;",
        "",
    ),
    check("state file: unknown members", FIELDS, "if self.read.get() != self.object.len() {", "if false {"),
    check(
        "state file: one spelling of a number",
        FIELDS,
        ".filter(|number: &u64| number.to_string() == text)",
        "",
    ),
    check(
        "register: name of a ledger",
        REGISTER,
        "if !crate::layout::is_ledger_name(&ledger.name) {",
        "if false {",
    ),
    check(
        "register: sealed to whole bundles",
        REGISTER,
        "|| !ledger.sealed.is_multiple_of(crate::segment::ALIGN) {",
        "{",
    ),
    check("register: more is sealed than there is", REGISTER, "ledger.sealed > ledger.size ||", ""),
];
