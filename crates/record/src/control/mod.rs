//! What the ledger says about itself: the payloads of control records.
//!
//! Each lives whole in the facet `what`, as a canonical object with a member `type`; `when` says which class of event it
//! is, the other facets are empty. No payload holds personal data, since these records are kept for ever.
//!
//! Positions, sizes and sequences are decimal strings, numbers of 32 bits and milliseconds are numbers, hashes and ids are
//! lower-case hexadecimal; a member without a value is left out. Parsing accepts exactly what [`to_draft`](Gap::to_draft)
//! writes.

mod fields;
mod payloads;

#[cfg(test)]
mod tests;

use crate::canonical;
use crate::entry::Kind;
use crate::facet::{FacetDraft, WhenDraft};
use crate::json::{self, JsonError, Object, Value};
use fields::Fields;
use std::fmt;

/// Entry 0: what this ledger is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// Random; part of every commitment.
    pub ledger_id: [u8; 32],
    /// The origin line of its checkpoints.
    pub origin: String,
    /// The key its checkpoints are signed with, as a C2SP vkey.
    pub log_vkey: String,
    /// The offline key that signs later key changes, as a C2SP vkey.
    pub authority_vkey: String,
    /// Version of the facet table.
    pub table_version: u16,
    /// SHA-256 of the published facet table.
    pub table_hash: [u8; 32],
    /// The last checkpoint note of the ledger that this one continues.
    pub predecessor: Option<String>,
    /// When it was made, in Unix milliseconds.
    pub created_ms: u64,
}

/// Something is missing here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub cause: GapCause,
    /// Whose events are missing; None if anyone's may be.
    pub source: Option<u32>,
    /// In which epoch of the source.
    pub epoch: Option<u32>,
    /// First sequence number that is missing.
    pub from_sequence: Option<u64>,
    /// Last sequence number that is missing; None if nobody knows.
    pub to_sequence: Option<u64>,
    /// Unix milliseconds from which on something may be missing.
    pub from_ms: Option<u64>,
    /// Unix milliseconds up to which something may be missing.
    pub to_ms: Option<u64>,
    /// Whether the ledger had been stopped in order before a downtime.
    pub clean: Option<bool>,
    /// One sentence for people. No names, no addresses.
    pub detail: String,
}

/// Why something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapCause {
    /// The ledger was not running.
    Downtime,
    /// The ledger was running and could not record.
    Suspended,
    /// A source's numbers do not continue where they ended.
    Sequence,
}

/// Nothing happened for a while, and the ledger is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Durable entries when it was made; others may have come ahead of it in the same group.
    pub size: u64,
    /// The newest checkpoint note of the server's own ledger, entered at least hourly, so that the record of accesses
    /// can't be rewritten without this ledger (DESIGN I12).
    pub system: Option<String>,
}

/// A source, or a new epoch of one. What the source is called is kept elsewhere, where it can be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRecord {
    /// Its number; never used again for another.
    pub source: u32,
    /// The epoch that starts here.
    pub epoch: u32,
    /// Who numbers its events.
    pub numbering: Numbering,
    /// The last number of the epoch before, if the source knows it.
    pub previous_last_sequence: Option<u64>,
}

/// Who numbers the events of an epoch. Completeness can be claimed only where the source does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    /// The source itself.
    Source,
    /// The server, in the order of arrival.
    Server,
}

/// A file of evidence was finished; from now on its integrity can be checked without any key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its path below the ledger's directory.
    pub file: String,
    /// Which records it holds.
    pub class: SealedClass,
    /// How often the range was written before.
    pub generation: u32,
    /// Index of the first entry of its range.
    pub first: u64,
    /// Index after the last entry of its range.
    pub end: u64,
    /// Length in bytes.
    pub length: u64,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// The generation that this one replaces.
    pub supersedes: Option<u32>,
}

/// Which records of its range a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedClass {
    /// Events, quarantined input and access records.
    Events,
    /// All others.
    Control,
}

/// The torn tail of a write-ahead log was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Where it was set aside: a path below the data directory, which names the file it was cut from.
    pub file: String,
    /// Where it began, in bytes.
    pub offset: u64,
    /// How long it was, in bytes.
    pub length: u64,
    /// SHA-256 of what was cut off.
    pub sha256: [u8; 32],
}

/// The clock was not where it should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Unix milliseconds that a steady clock would have shown.
    pub expected_ms: u64,
    /// Unix milliseconds that the clock showed.
    pub wall_ms: u64,
}

/// A witness refused a checkpoint of this ledger, or was set back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Who refused: its key, as a C2SP vkey.
    pub party: String,
    /// What for.
    pub reason: RefusalReason,
    /// Entries in the newest checkpoint of this ledger then.
    pub size: u64,
    /// Entries that the witness says it has cosigned.
    pub claimed: Option<u64>,
    /// A checkpoint note with this ledger's signature that contradicts this ledger, if the witness showed one.
    pub note: Option<String>,
    /// Whether nothing was signed from then on.
    pub stopped: bool,
    /// What it means, for people. No names, no addresses.
    pub detail: String,
}

/// What a witness refused for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// It has cosigned a larger tree.
    Ahead,
    /// It has cosigned another tree.
    Conflict,
    /// It does not take the ledger's signature.
    Key,
    /// It says that it has cosigned less than it had: it was set back.
    Behind,
}

/// An authority says when a checkpoint of this ledger existed: an RFC 3161 token over the checkpoint's signed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Entries in the checkpoint.
    pub size: u64,
    /// Root of the checkpoint.
    pub root: [u8; 32],
    /// Who said so: the host that was asked.
    pub authority: String,
    /// When, by the authority's clock, Unix milliseconds.
    pub gen_time_ms: u64,
    /// How far that may be off either way, in milliseconds, if the authority says.
    pub accuracy_ms: Option<u64>,
    /// The token, a CMS ContentInfo in DER.
    pub token: Vec<u8>,
}

/// The ledger's signing key changes (docs/format.md, section 10): what [`tlog::KeyHistory::push`] takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// The change as the authority key signed it: a note, see [`tlog::KeyStatement`].
    pub statement: String,
    /// A checkpoint note of the tree that the statement names, signed by the key before.
    pub checkpoint: String,
}

/// The payload of any control record that this version knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is documented at the type it holds")]
pub enum Control {
    Genesis(Genesis),
    Gap(Gap),
    Heartbeat(Heartbeat),
    Source(SourceRecord),
    Sealed(Sealed),
    Cut(Cut),
    Clock(Clock),
    Refusal(Refusal),
    Timestamp(Timestamp),
    Key(KeyChange),
}

impl Control {
    /// Reads the `what` facet of a control record of this kind.
    ///
    /// # Errors
    /// [`ControlError::Unknown`] if this version has no payload for it, else as for the types themselves.
    pub fn parse(kind: Kind, what: &[u8]) -> Result<Control, ControlError> {
        match kind {
            Kind::Genesis => Genesis::parse(what).map(Control::Genesis),
            Kind::Gap => Gap::parse(what).map(Control::Gap),
            Kind::Heartbeat => Heartbeat::parse(what).map(Control::Heartbeat),
            Kind::Source => SourceRecord::parse(what).map(Control::Source),
            Kind::Sealed => Sealed::parse(what).map(Control::Sealed),
            Kind::Cut => match Cut::parse(what) {
                Err(ControlError::Unknown) => match Clock::parse(what) {
                    Err(ControlError::Unknown) => match Refusal::parse(what) {
                        Err(ControlError::Unknown) => Timestamp::parse(what).map(Control::Timestamp),
                        refusal => refusal.map(Control::Refusal),
                    },
                    clock => clock.map(Control::Clock),
                },
                cut => cut.map(Control::Cut),
            },
            Kind::Key => KeyChange::parse(what).map(Control::Key),
            _ => Err(ControlError::Unknown),
        }
    }
}

/// What each payload says of itself; the shared work is in the functions below.
trait Payload: Sized {
    const KIND: Kind;
    /// The member `type`.
    const TYPE: &'static str;
    /// OCSF severity: 1 informational, 3 medium.
    const SEVERITY: u32;
    fn members(&self, what: &mut Object<'static>);
    fn read(fields: &Fields<'_>) -> Result<Self, ControlError>;
}

macro_rules! payloads {
    ($($name:ident)*) => {$(
        impl $name {
            /// The kind of its entry.
            pub const KIND: Kind = <Self as Payload>::KIND;

            /// The facets of its record.
            pub fn to_draft(&self) -> FacetDraft {
                draft(self)
            }

            /// Reads the `what` facet of its record.
            ///
            /// # Errors
            /// [`ControlError::Unknown`] if the member `type` names another payload, [`ControlError::Malformed`] if
            /// the bytes are anything else than [`Self::to_draft`] writes.
            pub fn parse(what: &[u8]) -> Result<Self, ControlError> {
                parse(what)
            }
        }
    )*};
}
payloads!(Genesis Gap Heartbeat SourceRecord Sealed Cut Clock Refusal Timestamp KeyChange);

fn draft<P: Payload>(payload: &P) -> FacetDraft {
    FacetDraft { when: when::<P>(), what: what(payload), ..FacetDraft::default() }
}

fn what<P: Payload>(payload: &P) -> Vec<u8> {
    let mut object = Object::from_iter([("type", P::TYPE)]);
    payload.members(&mut object);
    canonical::object(&object)
}

/// OCSF class 1008, Event Log Activity, with an activity of our own (99).
fn when<P: Payload>() -> WhenDraft {
    let object = |members: Vec<(&'static str, Value<'static>)>| Value::Object(Object::from_iter(members));
    let mapping = object(vec![("name", "ledgerstone-control".into()), ("version", "1".into())]);
    let product = object(vec![("name", "Ledgerstone".into())]);
    let metadata = object(vec![("mapping", mapping), ("product", product), ("version", OCSF_VERSION.into())]);
    WhenDraft::from_object(&Object::from_iter([
        ("activity_id", Value::from(99u32)),
        ("activity_name", P::TYPE.into()),
        ("category_uid", Value::from(1u32)),
        ("class_uid", Value::from(1008u32)),
        ("metadata", metadata),
        ("severity_id", Value::from(P::SEVERITY)),
        ("type_uid", Value::from(100_899u32)),
    ]))
}

/// The OCSF release that control records follow.
const OCSF_VERSION: &str = "1.8.0";

fn parse<P: Payload>(bytes: &[u8]) -> Result<P, ControlError> {
    let value = json::parse(bytes).map_err(ControlError::Json)?;
    let fields = Fields::of(&value)?;
    if fields.text("type")? != P::TYPE {
        return Err(ControlError::Unknown);
    }
    let payload = P::read(&fields)?;
    // Whatever has another spelling, or a member this version does not know, is not what we write.
    if what(&payload) != bytes {
        return Err(ControlError::Malformed("a member that is unknown or spelt in another way"));
    }
    Ok(payload)
}

/// Why bytes are no control payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlError {
    /// A kind or type that this version does not know: undecidable.
    Unknown,
    /// Not strict JSON: damaged.
    Json(JsonError),
    /// Not what we write, and what is wrong: damaged.
    Malformed(&'static str),
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ControlError::Unknown => f.write_str("control record of an unknown type"),
            ControlError::Json(error) => write!(f, "control record: {error}"),
            ControlError::Malformed(what) => write!(f, "malformed control record: {what}"),
        }
    }
}

impl std::error::Error for ControlError {}
