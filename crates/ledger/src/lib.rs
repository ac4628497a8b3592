//! The ledger engine: from requests to durable, committed and sealed records (DESIGN section 4).
//!
//! Data flows one way. The writer numbers what is waiting and makes it durable; the publisher takes
//! durable groups to signed checkpoints; the sealer moves payloads from the write-ahead log to segments. The three
//! meet only in the register and in the view that readers use. [`Core`] is all of it without threads, [`Engine`]
//! runs it.

mod core;
mod engine;
mod fault;
mod intake;
mod keystore;
mod log;
mod options;
mod publisher;
mod reader;
mod reads;
mod recover;
mod rekey;
mod request;
mod sealer;
mod shared;
mod signing;
mod sources;
mod stamped;
mod threads;
mod tiles;
mod view;
mod witnessed;
mod writer;

pub use core::Core;
pub use engine::{Engine, Status};
#[doc(no_inline)]
pub use evidence::layout::Stamped;
#[doc(no_inline)]
pub use evidence::register::SourceState;
pub use fault::{Damaged, Fault};
pub use keystore::KeyStore;
pub use options::Options;
pub use reader::{Next, StoredRecord};
pub use reads::{LedgerInfo, Progress, Reads};
pub use request::{
    Batch, Entered, Opened, Outcome, Pending, Prepared, Recorded, Refusal, Request, Unanswered,
};
pub use signing::{Signing, SigningGates};
pub use view::Published;
pub use witnessed::Witnessed;
