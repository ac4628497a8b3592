//! Events that are OCSF already, or the part of one that the sender knows. What is there stays as it is; what is missing
//! and follows from the rest, or has a usual value, is filled in:
//!
//! | attribute | filled with |
//! |---|---|
//! | `class_uid`, `category_uid` | 6003, API Activity; the class's thousands |
//! | `activity_id` | that of `activity_name` if the class is API Activity and knows the name, 99 if it doesn't, 0 without a name |
//! | `type_uid` | `class_uid` * 100 + `activity_id` |
//! | `severity_id`, `metadata.version` | 1, the version of OCSF in use here |
//! | `time`, if it is RFC 3339 text or only `time_dt` is there | milliseconds since 1970; the text goes to `metadata.original_time` |
//!
//! A `metadata.mapping` that the sender brings is moved to `unmapped`.

use super::{Event, OCSF_VERSION, mapping};
use crate::Format;
use crate::time::rfc3339_ms;
use record::json::{Object, Value};

/// Version of this mapping.
const VERSION: u32 = 1;

const API_ACTIVITY: u64 = 6003;

/// Attributes by which an event may be told.
const TELLING: [&str; 12] = [
    "class_uid",
    "class_name",
    "type_uid",
    "activity_id",
    "activity_name",
    "actor",
    "user",
    "api",
    "resources",
    "src_endpoint",
    "time",
    "time_dt",
];

/// What OCSF says an actor must have one of.
const ACTOR: [&str; 6] = ["user", "session", "process", "invoked_by", "app_name", "app_uid"];

/// Whether an object has the shape of an OCSF event without being called one. Names that others use as well, such as
/// `time` and `user`, say nothing, and `actor` does only with what OCSF puts in it.
pub(super) fn fits(object: &Object<'_>) -> bool {
    object.iter().any(|(key, value)| match (key, value) {
        ("class_uid" | "type_uid" | "activity_id", Value::Number(_)) => true,
        ("activity_name", Value::String(_)) => true,
        ("actor", Value::Object(actor)) => ACTOR.iter().any(|key| actor.get(key).is_some()),
        ("api", Value::Object(api)) => api.get("operation").is_some(),
        ("src_endpoint", Value::Object(_)) => true,
        ("resources", Value::Array(resources)) => {
            resources.iter().any(|resource| resource.as_object().is_some())
        }
        _ => false,
    })
}

pub(super) fn map(mut object: Object<'_>) -> Result<Event<'_>, String> {
    if !TELLING.iter().any(|key| object.get(key).is_some()) {
        return Err("not an ocsf event: none of its attributes are there".to_owned());
    }
    let original_time = normalise_time(&mut object);
    let incomplete = incomplete(&object);
    fill_numbers(&mut object);
    fill_metadata(&mut object, original_time, &incomplete);
    Ok(Event { object, format: Format::Native, incomplete })
}

/// Makes `time` a number of milliseconds, or takes it out. Returns how it was spelt, if that was otherwise.
fn normalise_time<'a>(object: &mut Object<'a>) -> Option<Value<'a>> {
    let spelt = match object.get_mut("time") {
        Some(Value::Number(number)) if number.as_i64().is_some() => return None,
        Some(Value::Null) | None => object.get("time_dt").cloned(),
        Some(other) => Some(std::mem::replace(other, Value::Null)),
    };
    match spelt.as_ref().and_then(Value::str).and_then(rfc3339_ms) {
        Some(time) => {
            object.insert("time", time);
        }
        None => {
            object.remove("time");
        }
    }
    spelt.filter(|spelt| !spelt.is_null())
}

fn incomplete(object: &Object<'_>) -> Vec<&'static str> {
    let filled = |key: &str| match object.get(key) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Object(object)) => !object.is_empty(),
        Some(_) => true,
    };
    let has_actor = filled("user") || {
        let actor = object.get("actor").and_then(Value::as_object);
        actor
            .is_some_and(|actor| ACTOR.iter().any(|key| actor.get(key).is_some_and(|value| !value.is_null())))
    };
    let operation = object.get("api").and_then(|api| api.path(&["operation"])).and_then(Value::str);
    let has_operation = operation.is_some_and(|operation| !operation.is_empty())
        || filled("activity_name")
        || object.get("activity_id").and_then(Value::as_u64).is_some_and(|id| id != 0);
    let mut missing = Vec::new();
    let mut expect = |name, is_there: bool| {
        if !is_there {
            missing.push(name);
        }
    };
    expect("actor", has_actor);
    expect("api.operation", has_operation);
    expect("src_endpoint", filled("src_endpoint") || filled("device"));
    expect("time", filled("time"));
    missing
}

fn fill_numbers(object: &mut Object<'_>) {
    let number = |object: &Object<'_>, key: &str| match object.get(key) {
        None => Ok(None),
        // What cannot be reckoned with stays, and nothing is derived from it.
        Some(value) => value.as_u64().filter(|number| *number < 1 << 32).map(Some).ok_or(()),
    };
    let Ok(class) = number(object, "class_uid") else { return fill(object, "severity_id", 1) };
    let class = class.unwrap_or(API_ACTIVITY);
    let activity = match number(object, "activity_id") {
        Ok(Some(activity)) => Some(activity),
        Ok(None) => Some(activity_of(class, object.get("activity_name").and_then(Value::str))),
        Err(()) => None,
    };
    if let Some(activity) = activity {
        fill(object, "activity_id", activity);
        fill(object, "type_uid", class * 100 + activity);
    }
    fill(object, "category_uid", class / 1000);
    fill(object, "class_uid", class);
    fill(object, "severity_id", 1);
}

fn activity_of(class: u64, name: Option<&str>) -> u64 {
    match name {
        None | Some("" | "Unknown") => 0,
        Some(name) if class == API_ACTIVITY => match name {
            "Create" => 1,
            "Read" => 2,
            "Update" => 3,
            "Delete" => 4,
            _ => 99,
        },
        Some(_) => 99,
    }
}

fn fill(object: &mut Object<'_>, key: &'static str, number: u64) {
    if object.get(key).is_none() {
        object.push(key, number);
    }
}

fn fill_metadata<'a>(object: &mut Object<'a>, original_time: Option<Value<'a>>, incomplete: &[&'static str]) {
    let (mut metadata, stray) = match object.get_mut("metadata") {
        Some(Value::Object(metadata)) => (std::mem::take(metadata), None),
        Some(other) => (Object::new(), Some(std::mem::replace(other, Value::Null))),
        None => (Object::new(), None),
    };
    let claimed = metadata.remove("mapping");
    metadata.push("mapping", mapping(Format::Native.name(), VERSION, incomplete));
    if metadata.get("version").is_none() {
        metadata.push("version", OCSF_VERSION);
    }
    let spare_time = match original_time {
        Some(time) if metadata.get("original_time").is_none() => {
            metadata.push("original_time", time);
            None
        }
        other => other,
    };
    object.insert("metadata", metadata);
    let stray = stray.filter(|stray| !stray.is_null());
    for (name, value) in [("metadata", stray), ("metadata.mapping", claimed), ("time", spare_time)] {
        if let Some(value) = value {
            set_aside(object, name, value);
        }
    }
}

/// Puts a value into `unmapped`. An `unmapped` that is no object, or holds that name, is put below.
fn set_aside<'a>(object: &mut Object<'a>, name: &'static str, value: Value<'a>) {
    let mut unmapped = match object.remove("unmapped") {
        Some(Value::Object(unmapped)) if unmapped.get(name).is_none() => unmapped,
        Some(other) => Object::from_iter([("unmapped", other)]),
        None => Object::new(),
    };
    unmapped.push(name, value);
    object.push("unmapped", unmapped);
}
