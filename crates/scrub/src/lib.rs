//! The running server verifies its own store, cycle after cycle, within a budget of bytes per second (DESIGN section 5),
//! and keeps what it finds in sight.
//!
//! It is the verification of `evidence`, fed from the medium rather than from the page cache. Damage becomes an alarm
//! that stays until a later full cycle has found the store good *and* the server was started anew after that.

mod budget;
mod cycle;
mod keep;
mod medium;
mod scrubber;
mod state;

pub use scrubber::{Handle, News, Options, Scrub};
pub use state::{Alarm, Cycle, Running, ScrubState};
