//! The real binary, run as a person runs it: a server in one process, the other verbs in more.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail at that line")]

mod auditors;
mod busy;
mod copies;
mod cosigned;
mod docs;
mod evidence;
mod fake;
mod first_minutes;
mod foreign;
mod hostile;
mod liar;
mod lifecycle;
mod monitor;
mod people;
mod refusals;
mod rekey;
mod rig;
mod rights;
mod scrub;
mod settings;
mod sources;
mod succeed;
mod timestamps;
mod tls;
mod witness;
