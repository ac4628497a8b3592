//! Monitor and mirror against logs that behave, and logs that don't.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod keeping;
mod log;
mod mirroring;
mod watching;
