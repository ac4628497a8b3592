//! record
pub mod canonical;
pub mod commit;
pub mod entry;
pub mod facet;
pub mod json;
