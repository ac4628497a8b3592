//! The HTTP edge: bytes and formats outside, engine requests inside. It decides who may ask, splits and maps what
//! is sent, and says honestly what became of it.
//!
//! One file per resource; what is interesting about each is a plain function that is tested without HTTP. The
//! engine's reads block, so they run on threads of their own, a bounded number at once ([`Limits`]).
//!
//! Who may ask for what is decided by the crate `access` and told for each route by [`routes::routes`]; every access and
//! refusal is put on record by [`audit::Audit`].

mod alarms;
mod append;
mod around;
mod audit;
mod auth;
mod events;
mod guard;
mod handover;
mod json;
mod ledgers;
mod limits;
mod metrics;
mod openapi;
mod peer;
mod problem;
mod proof;
mod public;
mod query;
mod records;
mod routes;
mod search;
mod serve;
mod server;
mod sources;
mod stamps;
mod statics;
mod stream;
mod tail;
mod tls;
mod tokens;
mod trace;
mod view;
mod witnesses;

pub use limits::Limits;
pub use metrics::{Supervision, Teller};
pub use openapi::openapi;
pub use peer::{ClientCert, Peer};
pub use serve::serve;
pub use server::{NoSystemLedger, Open, Server, Settings, router};
pub use tls::{LOOK_EVERY, Tls, TlsChange, TlsError, TlsFiles, TlsNews, TlsStatus};
pub use trace::Answered;
