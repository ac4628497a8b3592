//! Putting facets together again, for people to read. What is shown is never hashed.

use super::{Facet, STAMP_KEY};
use crate::json::{self, JsonError, JsonErrorKind, Object, Value};
use std::fmt;

/// Rebuilds one OCSF object from facets 0 to 4, any of which may be withheld or erased. The ledger's stamp is under
/// `ledgerstone`, which no other facet can bring.
///
/// # Errors
/// If a facet is not one strict JSON object. Use on facets that were verified.
pub fn merge<'a>(facets: [Option<&'a [u8]>; 5]) -> Result<Value<'a>, MergeError> {
    let mut event = Object::new();
    for (facet, bytes) in Facet::JSON.into_iter().zip(facets) {
        let Some(bytes) = bytes else { continue };
        let part = json::parse(bytes).map_err(|error| MergeError { facet, error })?;
        let Value::Object(mut part) = part else {
            let error = JsonError::new(JsonErrorKind::UnexpectedByte, 0);
            return Err(MergeError { facet, error });
        };
        if facet != Facet::When {
            part.remove(STAMP_KEY);
        }
        merge_objects(&mut event, part);
    }
    Ok(Value::Object(event))
}

/// Members that were there are found by bisection: an event may have a million of them. Those that come are unique, so
/// they need not be looked for among each other.
fn merge_objects<'a>(into: &mut Object<'a>, from: Object<'a>) {
    let mut by_key: Vec<usize> = (0..into.members.len()).collect();
    by_key.sort_unstable_by(|a, b| into.members[*a].0.cmp(&into.members[*b].0));
    for (key, value) in from {
        match by_key.binary_search_by(|at| into.members[*at].0.cmp(&key)) {
            Ok(found) => merge_values(&mut into.members[by_key[found]].1, value),
            Err(_) => into.members.push((key, value)),
        }
    }
}

/// Splitting leaves `{}` in the place of array elements that went to another facet, so `{}` gives way to anything.
/// Two values for one place come from no split; the first facet's stays.
fn merge_values<'a>(into: &mut Value<'a>, from: Value<'a>) {
    match (&mut *into, from) {
        (Value::Object(object), from) if object.is_empty() => *into = from,
        (Value::Object(object), Value::Object(from)) => merge_objects(object, from),
        (Value::Array(elements), Value::Array(from)) => {
            let mut from = from.into_iter();
            for (element, from) in elements.iter_mut().zip(&mut from) {
                merge_values(element, from);
            }
            elements.extend(from);
        }
        _ => {}
    }
}

/// A facet that cannot be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergeError {
    /// Which facet.
    pub facet: Facet,
    /// What is wrong with it.
    pub error: JsonError,
}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "facet {}: {}", self.facet.name(), self.error)
    }
}

impl std::error::Error for MergeError {}
