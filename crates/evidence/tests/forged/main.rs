//! The verifier against stores that are put together by hand: each breaks one rule.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod entries;
mod files;
mod forge;
mod kept;
mod memory;
mod rekey;
mod small;

use evidence::verify::{Damage, DamageKind, Report};

use forge::Forge;
use memory::{Files, verify};

/// Asserts that this and nothing else is told of the store, with its keys.
fn told(forge: &Forge, kind: DamageKind, detail: &str) -> Damage {
    let (data, keys) = forge.store();
    only(&verify(&data, Some(&keys)), kind, detail)
}

/// The same without the keys.
fn told_without_keys(forge: &Forge, kind: DamageKind, detail: &str) -> Damage {
    only(&verify(&forge.store().0, None), kind, detail)
}

fn only(report: &Report, kind: DamageKind, detail: &str) -> Damage {
    match report.damage.as_slice() {
        [one] if one.kind == kind && one.detail.contains(detail) => one.clone(),
        other => panic!("not only {kind:?} {detail}: {other:#?}"),
    }
}

/// What the damage of a file is called, if there is any.
fn kind_of(data: &Files, keys: &Files, file: &str) -> Option<DamageKind> {
    let damage = verify(data, Some(keys)).damage;
    damage.iter().find(|damage| damage.file == file).map(|damage| damage.kind)
}
