//! Evidence files, written and verified.

mod bytes;
mod golden;
mod liar;
mod model;
