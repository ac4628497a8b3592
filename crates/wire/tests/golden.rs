//! The facets of every example record, as they are published. `BLESS=1 cargo test -p wire --test golden` writes them anew
//! after a change that is meant; a change of what a mapping writes asks for a new version of it.

mod common;

use common::{example, facets, records};
use serde_json::{Value, json};
use std::path::Path;
use wire::{Format, Mapped, map};

#[test]
fn cloudtrail() {
    check("cloudtrail.json", Format::CloudTrail);
}

#[test]
fn kubernetes_audit() {
    check("kubernetes-audit.ndjson", Format::KubernetesAudit);
}

#[test]
fn native() {
    check("native.ndjson", Format::Native);
}

/// Checks that a format that is named and one that is detected give the same.
#[track_caller]
fn check(name: &str, format: Format) {
    let mapped: Vec<Value> = records(&example(name))
        .iter()
        .map(|raw| {
            let named = map(raw, Some(format));
            assert_eq!(named, map(raw, None), "{}", String::from_utf8_lossy(raw));
            show(&named)
        })
        .collect();
    let text = format!("{:#}\n", Value::from(mapped));
    let stem = name.split('.').next().expect("a name has a stem");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{stem}.json"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).expect("the golden file can be written");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some((line, (was, is))) =
        golden.lines().zip(text.lines()).enumerate().find(|(_, (was, is))| was != is)
    {
        panic!("{}:{}: was {was:?}, is {is:?}; BLESS=1 accepts", path.display(), line + 1);
    }
    assert_eq!(golden.len(), text.len(), "{}: other length; BLESS=1 accepts", path.display());
}

fn show(mapped: &Mapped) -> Value {
    let Mapped::Event { draft, format, incomplete } = mapped else { panic!("{mapped:?}") };
    let mut shown = json!({ "format": format.name(), "incomplete": incomplete });
    for (name, facet) in ["when", "who", "what", "content", "where"].into_iter().zip(facets(draft)) {
        let mut facet: Value = serde_json::from_slice(&facet).expect("a facet is json");
        facet.as_object_mut().expect("a facet is an object").remove("ledgerstone");
        shown[name] = facet;
    }
    shown
}
