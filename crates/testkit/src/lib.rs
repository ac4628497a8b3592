//! What the tests of the ledger stand on: a simulated computer whose power can be cut, a simulated clock, faults at
//! any operation, and a checker that reads a whole store back without the engine. Never shipped.
//!
//! A workload runs once on a [`SimHost`], which records every operation. A crash test then replays the history; at
//! each operation it asks [`SimFs`] for the states that a power cut could leave, boots a new host from each, opens
//! the engine on it and lets [`check::Checker`] compare the store with what had been acknowledged by then.

pub mod campaign;
pub mod check;
mod disk;
pub mod driver;
mod expected;
pub mod fault;
pub mod fs;
mod net;
mod rng;
pub mod sample;
mod sim_env;

pub use disk::{DATA, Disks, KEYS, SimDisk, SimFile, SimHost};
pub use driver::Driver;
pub use expected::{Event, Expected, ExpectedLedger, Happened, NumberedBatch, OpenedSource, Told};
pub use fault::{FaultDisk, FaultPlan};
pub use fs::SimFs;
pub use net::ScriptedNet;
pub use rng::{Rng, setting};
pub use sim_env::SimEnv;
