//! Evidence files, written and verified.

mod bytes;
mod golden;
mod keys;
mod liar;
mod model;
