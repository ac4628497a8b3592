//! The HTTP edge: bytes and formats outside, engine requests inside. It decides who may ask, splits and maps what
//! is sent, and says honestly what became of it.
//!
//! One file per resource; what is interesting about each is a plain function that is tested without HTTP. The
//! engine's reads block, so they run on threads of their own, a bounded number at once ([`Limits`]).
//!
//! Who may ask for what:
//!
//! | path | no token | source | admin |
//! |---|---|---|---|
//! | `/healthz`, `/.well-known/ledgerstone` | yes | yes | yes |
//! | `/<prefix>/checkpoint`, `/<prefix>/tile/..` | [`Open::tiles`] | [`Open::tiles`] | yes |
//! | `/<prefix>/tile/entries/..` | [`Open::bundles`] | [`Open::bundles`] | yes |
//! | `POST /v1/ledgers/{name}/events` | | its ledger, as itself | yes |
//! | `POST /v1/sources/{n}/epochs` | | its own | yes |
//! | everything else below `/v1` | | | yes |

mod append;
mod auth;
mod events;
mod json;
mod ledgers;
mod limits;
mod peer;
mod problem;
mod proof;
mod public;
mod query;
mod records;
mod search;
mod serve;
mod server;
mod sources;
mod statics;
mod stream;
mod tokens;
mod view;

pub use limits::Limits;
pub use peer::{ClientCert, Peer};
pub use serve::serve;
pub use server::{Open, Server, Settings, router};
pub use tokens::{MAX_TOKENS, Role, TOKENS_NAME, Tokens, TokensError};
