//! The tamper drill: copies a store, damages the copy in every way we know of, and asks the verifier each time. What
//! a store alone cannot show is done too, and must not be seen: a claim that fails to fail would be a false one.
//!
//! The original is only read. Keys are held in memory and written nowhere.

mod attack;
mod campaign;
pub mod claims;
mod copy;
mod demo;
mod map;
mod operators;
mod random;
mod scene;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::Path;

use evidence::verify::Progress;

pub use attack::{Attack, Cell, attacks};
pub use operators::{Expected, OPERATORS, Operator};

/// What to drill.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// A store, of which copies are made.
    Store {
        /// Its data directory.
        data: &'a Path,
        /// Its key directory; without it payloads are not opened and nothing can be signed with stolen keys.
        keys: Option<&'a Path>,
    },
    /// A store made for the drill, with every type of file, and rivals that an attacker would put in its place.
    Demo,
}

/// How to drill.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// Everything is drawn from it: the same seed on the same store gives the same tries.
    pub seed: u64,
    /// Tries of all operators together.
    pub tries: u64,
    /// Which operators.
    pub operators: Vec<&'static Operator>,
    /// Threads, each with a copy of its own.
    pub threads: usize,
    /// Where the copies are made, in a folder that goes afterwards.
    pub work: &'a Path,
}

/// What came of one operator.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which.
    pub operator: &'static Operator,
    /// How often it was tried; 0 if this store has nothing for it.
    pub tries: u64,
    /// How often the verdict was *disproven*.
    pub detected: u64,
    /// How often the report then named the right file, and the right entries or bytes where there are any.
    pub located: u64,
    /// Tries and detections by somebody who holds the store's checkpoint from before.
    pub pinned: Option<(u64, u64)>,
    /// How often it was not as expected.
    pub missed: u64,
    /// The first of those.
    pub misses: Vec<Miss>,
}

/// A try that did not end as expected; seed, operator and number bring it back.
#[derive(Clone, Debug)]
pub struct Miss {
    /// Seed of the drill.
    pub seed: u64,
    /// Name of the operator.
    pub operator: &'static str,
    /// Which of its tries.
    pub number: u64,
    /// The files that were changed.
    pub files: Vec<String>,
    /// First byte that differed in the first of them.
    pub offset: u64,
    /// What the verifier said.
    pub said: String,
}

/// Why there was no drill.
#[derive(Debug)]
pub enum DrillError {
    /// There is too little room for the copies: bytes needed and free. Give another folder for them.
    Room {
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// The store is not sound to begin with, or a copy was not put right: what the verifier said.
    Unsound(Vec<String>),
    /// Copying, or changing a copy, failed.
    Copy(io::Error),
    /// The demonstration store could not be made.
    Demo(String),
}

impl fmt::Display for DrillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Room { needed, free } => {
                write!(f, "too little room for the copies: {needed} bytes are needed, {free} are free")
            }
            Self::Unsound(said) => {
                let said: Vec<&str> = said.iter().take(4).map(String::as_str).collect();
                write!(f, "the store is not proven before anything was changed: {}", said.join("; "))
            }
            Self::Copy(error) => write!(f, "a copy can't be made or changed: {error}"),
            Self::Demo(why) => write!(f, "the demonstration store can't be made: {why}"),
        }
    }
}

impl std::error::Error for DrillError {}

impl Row {
    /// Whether everything was as expected.
    pub fn holds(&self) -> bool {
        self.missed == 0
    }
}

/// Runs a drill. `progress` is told done and total tries.
///
/// # Errors
/// See [`DrillError`]; misses are not errors, they are in the rows.
pub fn run(target: &Target<'_>, plan: &Plan<'_>, progress: Progress<'_>) -> Result<Vec<Row>, DrillError> {
    let scene = scene::Scene::set(target, plan.work, plan.seed, plan.threads)?;
    campaign::run(&scene, plan, progress)
}

/// Finds operators by name; all, if there are no names.
///
/// # Errors
/// The first name that is of none.
pub fn operators(names: &[String]) -> Result<Vec<&'static Operator>, String> {
    if names.is_empty() {
        return Ok(OPERATORS.iter().collect());
    }
    let find = |name: &String| OPERATORS.iter().find(|operator| operator.name == *name).ok_or(name.clone());
    names.iter().map(find).collect()
}
