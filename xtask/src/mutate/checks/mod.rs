//! The checks of the verifying crates, each with the text that makes it and the text that leaves it out.

mod formats;
mod handed;
mod keys;
mod proofs;
mod store;

/// One check.
pub struct Check {
    /// What it finds.
    pub name: &'static str,
    /// The file it is in.
    pub file: &'static str,
    /// The text, found exactly once.
    pub text: &'static str,
    /// What stands there when the check is left out.
    pub instead: &'static str,
}

/// Every check that is disabled.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    [proofs::CHECKS, formats::CHECKS, keys::CHECKS, store::CHECKS, handed::CHECKS].into_iter().flatten()
}

const fn check(name: &'static str, file: &'static str, text: &'static str, instead: &'static str) -> Check {
    Check { name, file, text, instead }
}
