//! Campaigns: a workload is run once and recorded, then things go wrong at every single operation of it.
//!
//! [`crash_at`] cuts the power or kills the process after each operation, and again while the store recovers
//! from that. [`fail_everywhere`] lets each operation fail in turn.

mod crash;
mod fault;
mod recording;
mod report;

pub use crash::{Crash, Effort, crash_at, crashes};
pub use fault::{Base, fail_everywhere};
pub use recording::{Recording, Replay};
pub use report::Report;

use crate::driver::Time;

/// When a simulated run starts: 2026-01-01.
pub const START: Time = Time { at: 0, latest_ms: 1_767_225_600_000, up_ms: 1_767_225_600_000 };
