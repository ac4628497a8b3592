//! The formats of a store at rest and the checks over them: pure code, so that a verifier needs no storage
//! engine, no clock and no network (DESIGN sections 4 and 5). Every byte is described in docs/format.md.

pub mod block;
pub mod fields;
pub mod hex;
pub mod keys;
pub mod layout;
pub mod predecessor;
mod reader;
pub mod register;
pub mod seal;
pub mod segment;
pub mod sightings;
pub mod statefile;
pub mod verify;
pub mod wal;

pub use reader::DecodeError;
