//! record
pub mod json;
