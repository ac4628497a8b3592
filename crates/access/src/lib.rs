//! Who may do what: roles, and the tokens that carry them.
//!
//! [`Role::allows`] is the whole policy, one table to read. A token ([`Grant`]) has roles, and is narrowed to ledgers,
//! actions and a time. Nothing here knows of HTTP, and nothing here records: whoever asks [`Grant::may`] puts the answer
//! on record (DESIGN I12).

mod grant;
mod role;
mod secret;
mod tokens;

pub use grant::{Grant, Refused, SYSTEM};
pub use role::{Action, Role};
pub use secret::is_well_formed;
pub use tokens::{Denied, MAX_TOKENS, Tokens, TokensError};
