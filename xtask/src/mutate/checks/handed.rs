//! Evidence files: checks E1 to E13 of `docs/evidence-file.md`.

use super::{Check, check};

const MEMBERS: &str = "crates/export/src/verify/members.rs";
const SIGNED: &str = "crates/export/src/verify/signed.rs";
const ROWS: &str = "crates/export/src/verify/rows.rs";
const NOTE: &str = "crates/export/src/note.rs";
const VERIFY: &str = "crates/export/src/verify/mod.rs";
const KEYS: &str = "crates/export/src/verify/keys.rs";
const ORDER: &str = "crates/export/src/verify/order.rs";
const PLACE: &str = "crates/export/src/verify/place.rs";
const ANCHORS: &str = "crates/export/src/verify/anchors.rs";

pub(super) const CHECKS: &[Check] = &[
    check(
        "evidence E1: CRC-32",
        MEMBERS,
        "(.., false) => Err(Failed::Damaged(\"the CRC-32 does not fit\")),",
        "",
    ),
    check(
        "evidence E1: last line without a newline",
        MEMBERS,
        "false => Err(Failed::Damaged(\"the last line does not end in a newline\")),",
        "false => Ok(sha256),",
    ),
    check(
        "evidence E1: members behind the last",
        MEMBERS,
        "match rows.len() == end + 4 {",
        "match rows.len() >= end + 4 {",
    ),
    check(
        "evidence E1: range.json with a range alone",
        SIGNED,
        "if is_query == self.members.range.is_some() {",
        "if false {",
    ),
    check(
        "evidence E1: parts without records",
        ROWS,
        "if class != Class::Control && row.length == 0 {",
        "if false {",
    ),
    check(
        "evidence E2: signature",
        NOTE,
        "note.verify(std::slice::from_ref(key)).map_err(|error| error.to_string())?;",
        "",
    ),
    check("evidence E2: more than one signature", NOTE, "if note.signatures().len() != 1 {", "if false {"),
    check(
        "evidence E2: manifest that is signed",
        NOTE,
        "match note.text() == text(origin, manifest_sha256) {",
        "match true {",
    ),
    check("evidence E3: members of the manifest", SIGNED, "if !fits {", "if false {"),
    check(
        "evidence E3: hashes of members",
        VERIFY,
        "if manifest.members.get(at).is_none_or(|member| member.sha256 != sha256) {",
        "if false {",
    ),
    check(
        "evidence E4: size and root",
        SIGNED,
        "if (checkpoint.size, checkpoint.root) != (manifest.size, manifest.root) {",
        "if false {",
    ),
    check("evidence E5: origin", KEYS, "(\"origin\", genesis.origin != manifest.origin),", ""),
    check(
        "evidence E5: key of the genesis",
        KEYS,
        "(\"vkey\", genesis.log_vkey != manifest.vkey && never_changed),",
        "",
    ),
    check(
        "evidence E5: key in force",
        KEYS,
        "if !never_changed && vkey != Some(history.in_force(manifest.size)) {",
        "if false {",
    ),
    check(
        "evidence E6: payload and entry",
        ROWS,
        "return outcome.find(at(Check::Record, error.to_string()));",
        "",
    ),
    check(
        "evidence E6: facets missing without a reason",
        ROWS,
        "None if !whole => Some(\"facets are missing without a reason\".to_owned()),",
        "",
    ),
    check(
        "evidence E6: a reason, and nothing missing",
        ROWS,
        "Some(_) if whole => Some(\"a reason for missing facets, and none is missing\".to_owned()),",
        "",
    ),
    check(
        "evidence E6: withheld and not named",
        ROWS,
        ".find(|facet| !may_lack(*facet))",
        ".find(|facet| may_lack(*facet) && false)",
    ),
    check(
        "evidence E6: who erased",
        ORDER,
        "for (by, index) in self.erased.iter().filter(|(by, _)| !known(by)) {",
        "for (by, index) in self.erased.iter().filter(|_| false) {",
    ),
    check(
        "evidence E7: inclusion proofs",
        ROWS,
        "if let Err(error) = verify_inclusion(index, given.size, &leaf, proof, &given.root) {",
        "if let (Err(error), true) = (verify_inclusion(index, given.size, &leaf, proof, &given.root), false) {",
    ),
    check(
        "evidence E7: no proof",
        ROWS,
        "(None, _) => outcome.find(at(place, \"no inclusion proof\".to_owned())),",
        "(None, _) => {}",
    ),
    check("evidence E7: every index once", ORDER, "if !in_place {", "if false {"),
    check(
        "evidence E7: beyond the selection",
        ORDER,
        "} else if head.index >= selection.end {",
        "} else if false {",
    ),
    check("evidence E7: root of the range", ORDER, "|| fold.root() != Some(self.manifest.root)", "|| false"),
    check("evidence E7: end of the range", ORDER, "if self.next < selection.end {", "if false {"),
    check(
        "evidence E7: time of the selection",
        ORDER,
        "report.find(at(Check::Place, \"received outside the time of the selection\".to_owned()));",
        "",
    ),
    check(
        "evidence E7: range of the manifest",
        PLACE,
        "Ok(range) if (range.from, range.end) == (manifest.selection.from, manifest.selection.end) => {",
        "Ok(range) if true => {",
    ),
    check(
        "evidence E7: neighbours in the tree",
        PLACE,
        "verify_inclusion(index, manifest.size, &leaf, &neighbour.proof, &manifest.root)",
        "verify_inclusion(0, 1, &leaf, &[], &leaf)",
    ),
    check("evidence E7: neighbours in the time", PLACE, "if within {", "if false {"),
    check(
        "evidence E8: kinds beside the selection",
        ROWS,
        "if class == Class::Control && !is_kept(entry.kind) {",
        "if false {",
    ),
    check(
        "evidence E8: order of control records",
        VERIFY,
        "if !control.is_broken && control.heads.windows(2).any(|pair| pair[0].index >= pair[1].index) {",
        "if false {",
    ),
    check("evidence E9: time never goes back", ORDER, "if received < self.received_ms {", "if false {"),
    check(
        "evidence E9: holes in sequences",
        ORDER,
        "&& before.checked_add(1) != Some(entry.sequence)",
        "&& false",
    ),
    check(
        "evidence E10: counts",
        ORDER,
        "said.into_iter().zip(counted).filter(|(said, counted)| said != counted)",
        "said.into_iter().zip(counted).filter(|_| false)",
    ),
    check(
        "evidence E10: sources",
        ORDER,
        "Ok(counted) if counted != self.manifest.sources => {",
        "Ok(counted) if false && counted != self.manifest.sources => {",
    ),
    check(
        "evidence E10: sources that nobody admitted",
        ORDER,
        "report.find(wrong(format!(\"no record in this file admits source {source} epoch {epoch}\")));",
        "",
    ),
    check("evidence E10: gaps", ORDER, "if self.tally.gaps() != self.manifest.gaps {", "if false {"),
    check(
        "evidence E11: signatures of earlier checkpoints",
        ANCHORS,
        "parsed.verify(&manifest.origin, key, &[]).map_err(|error| error.to_string())?;",
        "drop((parsed, key));",
    ),
    check(
        "evidence E11: sizes rise",
        ANCHORS,
        "if size.replace(earlier.size).is_some_and(|before| before >= earlier.size) {",
        "if false {",
    ),
    check(
        "evidence E11: consistency",
        ANCHORS,
        ".map_err(|error| format!(\"the tree of the checkpoint does not begin with it: {error}\"))?;",
        ".ok();",
    ),
    check(
        "evidence E13: key from outside",
        KEYS,
        "if given.iter().any(|key| vkey == Some(*key) || is_earlier(key)) {",
        "if true {",
    ),
];
