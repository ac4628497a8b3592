//! Evidence files, written and verified.

mod bytes;
mod cause;
mod each;
mod golden;
mod keys;
mod liar;
mod model;
mod times;
