//! ledgerstone
fn main() {}
