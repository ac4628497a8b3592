//! Taking an event apart along the table.

use super::builder::{Builder, Label};
use super::table::{Node, Place, root};
use super::{Facet, FacetDraft, STAMP_KEY, WhenDraft};
use crate::canonical::{compare_keys, for_each_sorted};
use crate::json::{Object, Value};
use std::borrow::Cow;
use std::cmp::Ordering;

/// Splits an OCSF event into its canonical facets. Every leaf goes into exactly one of them, at its own path; only
/// attributes that the table drops as derived (`observables`, `raw_data`, `raw_data_hash`) go nowhere.
///
/// A top-level `ledgerstone` is the ledger's own word, so one that an event brings is moved to `unmapped`. An event
/// that is no object becomes `unmapped.value`.
pub fn split(event: &Value<'_>) -> FacetDraft {
    match event {
        Value::Object(object) if object.get(STAMP_KEY).is_none() => split_object(object),
        Value::Object(object) => split_object(&disarm(object)),
        other => {
            split_object(&Object::from_iter([("unmapped", Object::from_iter([("value", other.clone())]))]))
        }
    }
}

fn split_object(event: &Object<'_>) -> FacetDraft {
    let mut builder = Builder::new();
    let mut cut = None;
    for_each_sorted(event, |_, key, value| {
        if cut.is_none() && compare_keys(key, STAMP_KEY) == Ordering::Greater {
            cut = Some(builder.len(Facet::When));
        }
        walk(&mut builder, Label::Key(key), value, root().child(key));
    });
    let cut = cut.unwrap_or(builder.len(Facet::When));
    let [mut when, who, what, content, where_] = builder.finish();
    let mut tail = when.split_off(cut);
    if when.len() > 1 {
        when.push(b',');
    } else if tail.len() > 1 {
        tail.insert(0, b',');
    }
    FacetDraft { when: WhenDraft { head: when, tail }, who, what, content, where_ }
}

/// Goes down as long as the table tells parts of `value` apart, and writes whole what it does not. Elements of
/// arrays are placed as if they stood in the place of the array.
fn walk<'v>(builder: &mut Builder<'v>, label: Label<'v>, value: &'v Value<'_>, node: &Node) {
    match (node.place, value) {
        (Place::Drop, _) => {}
        (_, Value::Object(object)) if node.is_mixed() && !object.is_empty() => {
            builder.enter(label, false);
            for_each_sorted(object, |_, key, member| {
                walk(builder, Label::Key(key), member, node.child(key));
            });
            builder.leave();
        }
        (_, Value::Array(elements)) if node.is_mixed() && !elements.is_empty() => {
            builder.enter(label, true);
            for (index, element) in elements.iter().enumerate() {
                walk(builder, Label::Index(index), element, node);
            }
            builder.leave();
        }
        (Place::In(facet), _) => builder.put(facet, label, value),
    }
}

/// Moves the event's own `ledgerstone` to `unmapped`, under the first free name made by appending underscores. An
/// `unmapped` that is no object is kept as `unmapped.unmapped`.
fn disarm<'a>(event: &Object<'a>) -> Object<'a> {
    let mut event = event.clone();
    let Some(claim) = event.remove(STAMP_KEY) else { return event };
    let mut unmapped = match event.remove("unmapped") {
        Some(Value::Object(object)) => object,
        Some(other) => Object::from_iter([("unmapped", other)]),
        None => Object::new(),
    };
    let mut name = Cow::Borrowed(STAMP_KEY);
    while unmapped.get(&name).is_some() {
        name.to_mut().push('_');
    }
    unmapped.push(name, claim);
    event.push("unmapped", unmapped);
    event
}
