//! The real router on a real engine over a real directory, spoken to by real clients over loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod alarms;
mod append;
mod auth;
mod bodies;
mod connections;
mod faults;
mod handover;
mod metrics;
mod moody;
mod reading;
mod searching;
mod sequences;
mod site;
mod statics;
mod tracing;
