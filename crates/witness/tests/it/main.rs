//! The witness as a whole: the status table, past bugs of other witnesses, races, crashes, and HTTP.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod conformance;
mod crashes;
mod http;
mod logs;
mod model;
mod past;
mod races;
mod start;
