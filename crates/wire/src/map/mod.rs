//! From one record to the facets of one event.
//!
//! What every mapping writes, beside what its own page says:
//!
//! | attribute | value |
//! |---|---|
//! | `class_uid`, `category_uid`, `activity_id`, `activity_name`, `type_uid` | what kind of event (OCSF 1.8.0) |
//! | `status_id`, `status` | 1 Success, 2 Failure, 0 Unknown if the record does not say |
//! | `time` | milliseconds since 1970; `metadata.original_time` is how the record spelt it |
//! | `severity_id` | 1, unless the sender says otherwise |
//! | `metadata.version` | the version of OCSF |
//! | `metadata.mapping.name`, `.version` | which mapping made this, so that a later one can be told apart |
//! | `metadata.mapping.incomplete` | which of `actor`, `api.operation`, `src_endpoint`, `time` the record does not say; absent if it says all |
//! | `unmapped` | everything else the record holds, under its own names |
//!
//! Two attributes are ours, both users in the sense of OCSF: `actor.on_behalf_of` is the person for whom `actor.user`
//! acts, `actor.impersonated_by` is the authenticated caller who acts as `actor.user`.

mod cloudtrail;
mod kubernetes;
mod native;

use crate::Format;
use record::facet::{FacetDraft, WhenDraft, split};
use record::json::{self, Object, Value};
use std::borrow::Cow;

/// The version of OCSF that events follow.
pub const OCSF_VERSION: &str = "1.8.0";

/// What became of one record. The caller keeps its raw bytes in either case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapped {
    /// It was understood.
    Event {
        /// The event's facets.
        draft: FacetDraft,
        /// The format it has.
        format: Format,
        /// Mandatory attributes it does not say, also in `metadata.mapping.incomplete`: any of `actor`,
        /// `api.operation`, `src_endpoint`, `time`, in this order. Refusing would lose evidence.
        incomplete: Vec<&'static str>,
    },
    /// It was not, and is kept as it is.
    Quarantine {
        /// What to record in place of an event; `content` holds the reason.
        draft: FacetDraft,
        /// Why it was not understood.
        reason: String,
    },
}

/// Maps one record in the given format, or in the one whose shape it has.
///
/// Nothing is refused: what is not JSON, does not have the shape of the given format, or of any known one, comes back
/// as [`Mapped::Quarantine`].
pub fn map(raw: &[u8], format: Option<Format>) -> Mapped {
    let event = match json::parse(raw) {
        Ok(value) => match value {
            Value::Object(object) => event(object, format),
            _ => Err("not a json object".to_owned()),
        },
        Err(error) => Err(format!("not strict json: {error}")),
    };
    match event {
        Ok(Event { object, format, incomplete }) => {
            Mapped::Event { draft: split(&Value::Object(object)), format, incomplete }
        }
        Err(reason) => Mapped::Quarantine { draft: quarantine([("reason", reason.as_str().into())]), reason },
    }
}

/// The quarantine record of an input too large to keep: its length in bytes and the hash of its bytes.
pub fn oversize(size: u64, sha256: [u8; 32]) -> FacetDraft {
    let reason = format!("too large to be kept whole: {size} bytes");
    let hash = sha256.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    quarantine([("reason", reason.into()), ("sha256", hash.into()), ("size", size.into())])
}

/// An event in OCSF, before it is split into facets.
struct Event<'a> {
    object: Object<'a>,
    format: Format,
    incomplete: Vec<&'static str>,
}

fn event(object: Object<'_>, format: Option<Format>) -> Result<Event<'_>, String> {
    match format {
        Some(Format::CloudTrail) => cloudtrail::map(object),
        Some(Format::KubernetesAudit) => kubernetes::map(object),
        Some(Format::Native) => native::map(object),
        None if cloudtrail::fits(&object) => cloudtrail::map(object),
        None if kubernetes::fits(&object) => kubernetes::map(object),
        None if native::fits(&object) => native::map(object),
        None if is_envelope(&object) => Err("envelope of a list, without its elements".to_owned()),
        None => Err("json of no known format".to_owned()),
    }
}

/// Whether this is what [`crate::Splitter`] leaves of a list.
fn is_envelope(object: &Object<'_>) -> bool {
    let is_cut = |key| object.get(key).and_then(Value::as_array).is_some_and(<[_]>::is_empty);
    is_cut("Records") || is_cut("items")
}

fn quarantine<'a, const N: usize>(about: [(&'static str, Value<'a>); N]) -> FacetDraft {
    let metadata = Object::from_iter([
        ("mapping", Value::Object(mapping("quarantine", 1, &[]))),
        ("version", Value::from(OCSF_VERSION)),
    ]);
    let content = Object::from_iter([("quarantine", Object::from_iter(about))]);
    FacetDraft {
        when: WhenDraft::from_object(&Object::from_iter([("metadata", metadata)])),
        content: record::canonical::object(&content),
        ..FacetDraft::default()
    }
}

/// A text of a record that may not be there.
type Text<'a> = Option<Cow<'a, str>>;

/// `metadata.mapping`.
fn mapping(name: &'static str, version: u32, incomplete: &[&'static str]) -> Object<'static> {
    let mut object = Object::new();
    if !incomplete.is_empty() {
        object.push("incomplete", incomplete.iter().map(|&name| Value::from(name)).collect::<Vec<_>>());
    }
    object.push("name", name);
    object.push("version", version);
    object
}

/// Members that are there, in the order given. Objects are built in canonical order, which saves sorting them.
trait Members<'a> {
    fn push_some(&mut self, key: &'static str, value: Option<impl Into<Value<'a>>>);
    fn push_filled(&mut self, key: &'static str, object: Object<'a>);
}

impl<'a> Members<'a> for Object<'a> {
    fn push_some(&mut self, key: &'static str, value: Option<impl Into<Value<'a>>>) {
        if let Some(value) = value {
            self.push(key, value);
        }
    }

    fn push_filled(&mut self, key: &'static str, object: Object<'a>) {
        if !object.is_empty() {
            self.push(key, object);
        }
    }
}

/// Puts a text into its slot. What is there but is no text goes to `unmapped` under its own name; `null` and `""` say
/// nothing.
fn take_text<'a>(slot: &mut Text<'a>, key: Cow<'a, str>, value: Value<'a>, unmapped: &mut Object<'a>) {
    match value {
        Value::String(text) if !text.is_empty() => *slot = Some(text),
        Value::String(_) | Value::Null => {}
        other => unmapped.push(key, other),
    }
}

/// Where an address goes in an endpoint: not all that stands in the place of one is one.
fn address_key(address: &str, otherwise: &'static str) -> &'static str {
    if address.parse::<std::net::IpAddr>().is_ok() { "ip" } else { otherwise }
}

/// The names OCSF has for outcomes.
fn status_name(status_id: u32) -> &'static str {
    match status_id {
        1 => "Success",
        2 => "Failure",
        _ => "Unknown",
    }
}
