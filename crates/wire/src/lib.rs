//! From bytes to events: cuts what arrives into records and maps the audit records of other systems to OCSF events,
//! in canonical facets. Pure: no input or output, no clock.
//!
//! - [`Splitter`] takes chunks and hands out the exact bytes of each record.
//! - [`map()`] turns one record into the facets of an event, or into a quarantine record that says why it could not.
//!
//! ```
//! use wire::{Limits, Mapped, Piece, Splitter, map};
//!
//! let file = br#"{"Records":[{"eventVersion":"1.11","eventName":"ListBuckets","eventSource":"s3.amazonaws.com"},{"odd":1}]}"#;
//! let (mut events, mut quarantined) = (0, 0);
//! let mut take = |piece: Piece<'_>| match piece {
//!     Piece::Record(raw) | Piece::Envelope(raw) => match map(raw, None) {
//!         Mapped::Event { .. } => events += 1,
//!         Mapped::Quarantine { .. } => quarantined += 1,
//!     },
//!     Piece::Oversize { .. } => quarantined += 1,
//! };
//! let mut splitter = Splitter::new(Limits::default());
//! for chunk in file.chunks(16) {
//!     splitter.push(chunk, &mut take);
//! }
//! splitter.finish(&mut take);
//! assert_eq!((events, quarantined), (1, 1));
//! ```

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
