//! From bytes to events: cuts what arrives into records and maps the audit records of other systems to OCSF events,
//! in canonical facets. Pure: no input or output, no clock.
//!
//! - [`Splitter`] takes chunks and hands out the exact bytes of each record.
//! - [`map`] turns one record into the facets of an event, or into a quarantine record that says why it could not.

mod format;
mod map;
mod split;
#[cfg(test)]
mod testing;
mod time;

pub use format::{Format, UnknownFormat};
pub use map::{Mapped, OCSF_VERSION, map, oversize};
pub use split::{Limits, MAX_EVENT, Piece, Splitter};
pub use time::rfc3339_ms;
