//! A witness of transparency logs: C2SP tlog-witness, `add-checkpoint` and the monitoring path.
//!
//! It keeps, for each log, the last checkpoint that it cosigned, and cosigns another one only if that extends it. A log
//! that wants to show two histories must therefore get around every witness its verifiers ask for.
//!
//! [`Witness`] decides, with no network: bytes in, [`Answer`] out. [`serve()`] is the HTTP in front of it. What it
//! must never lose is in [`Witness::open`]'s directory, through the `storage` crate's `Disk`: checked and persisted
//! under one lock for each log, durable before the answer.

mod answer;
mod forks;
mod home;
mod metrics;
mod notice;
mod routes;
mod serve;
mod state;
mod witness;

pub use answer::Answer;
pub use forks::{FORKS_MAX, Fork, list as kept_forks};
pub use home::{LOCK_FILE, OpenError};
pub use notice::{Level, Notice, Teller};
pub use routes::routes;
pub use serve::{Limits, serve};
pub use state::Cosigned;
pub use witness::Witness;
