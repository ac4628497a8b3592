//! Moves one body through mapping and the engine, several blocks at once, in order.

mod settle;

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Bytes;
use ledger::{Outcome, Refusal};
use tokio::sync::{AcquireError, oneshot};
use tokio::task::JoinHandle;

use super::block::{BLOCK_BYTES, Block, Cutter, Mapping};
use super::body::{BodyError, Inbound};
use super::params::Params;
use super::permits::Permits;
use super::tally::Tally;
use super::too_large;
use crate::problem::Problem;
use crate::server::{Ledger, Server, closed};

/// A block of at most so many bytes is mapped where it is, rather than handed to another thread.
const INLINE_BYTES: usize = 16 << 10;

/// The state of one request.
pub(super) struct Pump<'a> {
    server: &'a Arc<Server>,
    ledger: &'a Ledger,
    params: &'a Params,
    /// Whether its source had nothing else under way when it came.
    alone: bool,
    body: Option<Inbound>,
    cutter: Cutter,
    /// Bytes read.
    read: usize,
    /// Blocks being mapped, oldest first.
    mapping: VecDeque<Mapped>,
    /// Blocks handed to the engine, oldest first.
    written: VecDeque<Written>,
    /// Records handed to the engine.
    submitted: u64,
    tally: Tally,
    /// Why the body ended before its end. Told once what came before is accounted for.
    cut_short: Option<Problem>,
    permits: Permits<'a>,
}

enum Mapped {
    Here(Block, Mapping),
    Elsewhere(JoinHandle<Option<(Block, Mapping)>>),
}

/// A block that the engine has.
struct Written {
    block: Block,
    quarantined: u64,
    incomplete: u64,
    /// Epoch and sequence of its first record.
    numbered: Option<(u32, u64)>,
    outcome: oneshot::Receiver<Outcome>,
}

/// What made the pump go on.
enum Event {
    Mapped(Option<(Block, Mapping)>),
    Answered(Box<Written>, Outcome),
    Read(Result<Option<Bytes>, BodyError>),
    Granted(Result<(), AcquireError>),
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        server: &'a Arc<Server>,
        ledger: &'a Ledger,
        params: &'a Params,
        alone: bool,
        body: Inbound,
    ) -> Self {
        let receipts = if params.receipts { server.limits.receipts } else { 0 };
        Self {
            server,
            ledger,
            params,
            alone,
            body: Some(body),
            cutter: Cutter::new(server.limits.record_bytes),
            read: 0,
            mapping: VecDeque::new(),
            written: VecDeque::new(),
            submitted: 0,
            tally: Tally::new(receipts),
            cut_short: None,
            permits: Permits::new(&server.gates),
        }
    }

    /// Runs until everything that was read is accounted for.
    ///
    /// After a failure nothing more is read or handed to the engine; what the engine has already is waited for, so
    /// that the tally is complete.
    pub(super) async fn run(mut self) -> Tally {
        while self.fill() {
            match self.next().await {
                Event::Mapped(Some((block, mapping))) => self.submit(block, mapping).await,
                Event::Mapped(None) => self.tally.fail(Problem::internal("mapping ended in a panic")),
                Event::Answered(written, Outcome::Refused(Refusal::Busy { retry_after_ms }))
                    if !self.tally.has_failed() =>
                {
                    self.offer_again(*written, retry_after_ms).await;
                }
                Event::Answered(written, outcome) => self.settle(*written, outcome).await,
                Event::Read(chunk) => self.take(chunk),
                Event::Granted(Ok(())) => self.permits.ask(self.read, self.cutter.held()),
                Event::Granted(Err(error)) => self.tally.fail(closed(error)),
            }
            if self.tally.has_failed() {
                self.mapping.clear();
                self.give_up_body();
            }
        }
        if let Some(problem) = self.cut_short {
            self.tally.fail(problem);
        }
        self.tally
    }

    /// Starts mapping what there is room for. False if nothing is left to wait for.
    ///
    /// A block that is not full goes on only when nothing else is under way: a slow body is recorded as it comes, a
    /// fast one in large blocks.
    fn fill(&mut self) -> bool {
        while !self.tally.has_failed() && self.has_room() {
            let idle = self.mapping.is_empty() && self.written.is_empty();
            let block = match self.cutter.take_full() {
                None if idle || self.body.is_none() => self.cutter.take_open(),
                full => full,
            };
            match block {
                Some(block) => self.map(block),
                None => break,
            }
        }
        self.body.is_some() || !self.mapping.is_empty() || !self.written.is_empty()
    }

    fn has_room(&self) -> bool {
        self.mapping.len() + self.written.len() < self.server.limits.blocks_in_flight.max(1)
    }

    async fn next(&mut self) -> Event {
        let may_read = self.has_room() && !self.cutter.has_full() && !self.permits.is_waiting();
        tokio::select! {
            biased;
            mapped = next_mapped(&mut self.mapping) => Event::Mapped(mapped),
            (written, outcome) = next_answered(&mut self.written) => Event::Answered(written, outcome),
            granted = self.permits.granted() => Event::Granted(granted),
            chunk = next_chunk(&mut self.body), if may_read => Event::Read(chunk),
        }
    }

    /// Cuts what was read into records.
    fn take(&mut self, chunk: Result<Option<Bytes>, BodyError>) {
        match chunk {
            Ok(Some(chunk)) => {
                self.read += chunk.len();
                self.server.counters.inflated(chunk.len());
                self.cutter.push(&chunk);
                if self.body.as_ref().is_some_and(Inbound::is_at_end) {
                    return self.end();
                }
                if self.cutter.held() <= BLOCK_BYTES {
                    self.cutter.tie(&mut self.permits.long);
                }
                self.permits.ask(self.read, self.cutter.held());
            }
            Ok(None) => self.end(),
            Err(error) => {
                self.cut_short = Some(match error {
                    BodyError::TooLarge => too_large(self.server.limits.body_bytes),
                    BodyError::Corrupt(what) => {
                        Problem::bad_body(format!("the body does not inflate: {what}"))
                    }
                    BodyError::Gone => Problem::bad_body("the connection failed before the body ended"),
                    BodyError::Idle => Problem::timeout(),
                    BodyError::Slow => Problem::too_slow(self.server.limits.body_rate),
                });
                self.give_up_body();
            }
        }
    }

    fn end(&mut self) {
        self.cutter.finish();
        self.body = None;
    }

    fn give_up_body(&mut self) {
        self.permits.stop();
        if let Some(body) = self.body.take() {
            body.drain();
        }
    }

    /// Begins to map a block: at once if it is small, else on a thread for such work.
    fn map(&mut self, block: Block) {
        let format = self.params.format;
        if block.bytes() <= INLINE_BYTES {
            let mapping = block.map(format, self.server.env.as_ref());
            return self.mapping.push_back(Mapped::Here(block, mapping));
        }
        let server = self.server.clone();
        self.mapping.push_back(Mapped::Elsewhere(tokio::spawn(async move {
            let _permit = server.gates.mappers.clone().acquire_owned().await.ok()?;
            let env = server.env.clone();
            let map = move || {
                let mapping = block.map(format, env.as_ref());
                (block, mapping)
            };
            tokio::task::spawn_blocking(map).await.ok()
        })));
    }
}

async fn next_mapped(mapping: &mut VecDeque<Mapped>) -> Option<(Block, Mapping)> {
    let done = match mapping.front_mut() {
        None => std::future::pending().await,
        Some(Mapped::Here(..)) => None,
        Some(Mapped::Elsewhere(task)) => Some(task.await.ok().flatten()),
    };
    match (mapping.pop_front(), done) {
        (Some(Mapped::Here(block, mapping)), _) => Some((block, mapping)),
        (_, done) => done.flatten(),
    }
}

async fn next_answered(written: &mut VecDeque<Written>) -> (Box<Written>, Outcome) {
    let outcome = match written.front_mut() {
        // Dropped unanswered: nobody knows.
        Some(front) => (&mut front.outcome).await.unwrap_or(Outcome::Unknown),
        None => std::future::pending().await,
    };
    match written.pop_front() {
        Some(front) => (Box::new(front), outcome),
        None => std::future::pending().await,
    }
}

async fn next_chunk(body: &mut Option<Inbound>) -> Result<Option<Bytes>, BodyError> {
    match body {
        Some(body) => body.chunk().await,
        None => std::future::pending().await,
    }
}
