//! Evidence files, written and verified.

mod golden;
