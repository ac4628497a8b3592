//! Moves one body through mapping and the engine, several blocks at once, in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use ledger::{Batch, Outcome, Pending, Refusal, Request};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::JoinHandle;

use super::block::{BLOCK_BYTES, Block, Cutter, Mapping};
use super::body::{BodyError, Inbound};
use super::params::Params;
use super::retries::{self, Number, Retry};
use super::tally::Tally;
use super::too_large;
use crate::problem::Problem;
use crate::server::{Ledger, Server, closed};

/// A block of at most so many bytes is mapped where it is, rather than handed to another thread.
const INLINE_BYTES: usize = 16 << 10;

/// How often a block that the engine had no room for is offered again before the request is refused.
const OFFERS: u32 = 300;

/// The state of one request.
pub(super) struct Pump<'a> {
    server: &'a Arc<Server>,
    ledger: &'a Ledger,
    params: &'a Params,
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
    /// Held while the body is longer than a block.
    streamed: Option<OwnedSemaphorePermit>,
    /// Held while the splitter may hold a record longer than a block.
    large: Option<OwnedSemaphorePermit>,
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
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        server: &'a Arc<Server>,
        ledger: &'a Ledger,
        params: &'a Params,
        body: Inbound,
    ) -> Self {
        let receipts = if params.receipts { server.limits.receipts } else { 0 };
        Self {
            server,
            ledger,
            params,
            body: Some(body),
            cutter: Cutter::new(server.limits.record_bytes),
            read: 0,
            mapping: VecDeque::new(),
            written: VecDeque::new(),
            submitted: 0,
            tally: Tally::new(receipts),
            cut_short: None,
            streamed: None,
            large: None,
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
                Event::Read(chunk) => self.take(chunk).await,
            }
            if self.tally.has_failed() {
                self.mapping.clear();
                if let Some(body) = self.body.take() {
                    body.drain();
                }
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
        let may_read = self.has_room() && !self.cutter.has_full();
        tokio::select! {
            biased;
            mapped = next_mapped(&mut self.mapping) => Event::Mapped(mapped),
            (written, outcome) = next_answered(&mut self.written) => Event::Answered(written, outcome),
            chunk = next_chunk(&mut self.body), if may_read => Event::Read(chunk),
        }
    }

    /// Cuts what was read into records.
    async fn take(&mut self, chunk: Result<Option<Bytes>, BodyError>) {
        match chunk {
            Ok(Some(chunk)) => {
                self.read += chunk.len();
                self.cutter.push(&chunk);
                match self.body.as_ref().is_some_and(Inbound::is_at_end) {
                    true => self.end(),
                    false => self.take_permits().await,
                }
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
                });
                if let Some(body) = self.body.take() {
                    body.drain();
                }
            }
        }
    }

    fn end(&mut self) {
        self.cutter.finish();
        self.body = None;
    }

    /// Waits, with the body unread, for the permits that a long body and a long record need.
    async fn take_permits(&mut self) {
        let gates = &self.server.gates;
        let got = async {
            if self.streamed.is_none() && self.read > BLOCK_BYTES {
                self.streamed = Some(gates.streamed.clone().acquire_owned().await?);
            }
            if self.large.is_none() && self.cutter.held() > BLOCK_BYTES {
                self.large = Some(gates.large.clone().acquire_owned().await?);
            }
            Ok(())
        };
        if let Err(error) = got.await {
            self.tally.fail(closed(error));
        }
        if self.cutter.held() <= BLOCK_BYTES
            && let Some(permit) = self.large.take()
        {
            self.cutter.tie(permit);
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

    /// Hands a block to the engine, once there is room for it among all that waits.
    async fn submit(&mut self, block: Block, mapping: Mapping) {
        let number = |(epoch, sequence): (u32, u64)| (epoch, sequence.saturating_add(self.submitted));
        let numbered = self.params.numbered.map(number);
        self.submitted += block.len() as u64;
        let (quarantined, incomplete) = (mapping.quarantined, mapping.incomplete);
        match self.hand_over(mapping, numbered).await {
            Ok(outcome) => {
                self.written.push_back(Written { block, quarantined, incomplete, numbered, outcome });
            }
            Err(problem) => self.tally.fail(problem),
        }
    }

    /// The future that hands a block over. It borrows no body, which no two threads may share.
    fn hand_over(
        &self,
        mapping: Mapping,
        numbered: Option<(u32, u64)>,
    ) -> impl Future<Output = Result<oneshot::Receiver<Outcome>, Problem>> + use<'a> {
        let (server, ledger, source) = (self.server, self.ledger.number, self.params.source);
        async move {
            let gates = &server.gates;
            let kib = u32::try_from(mapping.weight.div_ceil(1024)).unwrap_or(u32::MAX);
            // One record larger than the whole queue has it for itself.
            let permits = kib.clamp(1, gates.queue_permits);
            let permit = gates.queue.clone().acquire_many_owned(permits).await.map_err(closed)?;
            let (answer, outcome) = oneshot::channel();
            let pending = Pending::new(move |outcome: Outcome| {
                drop(permit);
                // Whoever sent it may have gone; the record stays.
                let _ = answer.send(outcome);
            });
            let batch = Batch { source, numbered, records: mapping.records };
            server.engine.submit(Request::Append { ledger, batch, pending });
            Ok(outcome)
        }
    }

    /// Offers a block that the engine had no room for again, and then those behind it that did not get in either: a
    /// source that numbers its events needs them in order. At the very start the request is refused instead.
    async fn offer_again(&mut self, first: Written, retry_after_ms: u64) {
        let mut behind = VecDeque::new();
        while !self.written.is_empty() {
            behind.push_back(next_answered(&mut self.written).await);
        }
        let left_out = |outcome: &Outcome| {
            matches!(outcome, Outcome::Refused(Refusal::Busy { .. } | Refusal::Sequence { .. }))
        };
        if self.tally.count == 0 && behind.iter().all(|(_, outcome)| left_out(outcome)) {
            return self.tally.fail(Problem::busy(retry_after_ms));
        }
        let busy = Outcome::Refused(Refusal::Busy { retry_after_ms });
        behind.push_front((Box::new(first), busy));
        for (written, mut outcome) in behind {
            let mut offers = 0;
            while !self.tally.has_failed() && offers < OFFERS && left_out(&outcome) {
                if let Outcome::Refused(Refusal::Busy { retry_after_ms }) = outcome {
                    tokio::time::sleep(Duration::from_millis(retry_after_ms)).await;
                    offers += 1;
                } else {
                    offers = OFFERS;
                }
                let mapping = written.block.map(self.params.format, self.server.env.as_ref());
                outcome = match self.hand_over(mapping, written.numbered).await {
                    Ok(outcome) => outcome.await.unwrap_or(Outcome::Unknown),
                    Err(problem) => return self.tally.fail(problem),
                };
            }
            self.settle(*written, outcome).await;
        }
    }

    /// Takes note of what became of a block.
    async fn settle(&mut self, written: Written, outcome: Outcome) {
        let (quarantined, incomplete) = (written.quarantined, written.incomplete);
        let recorded = match outcome {
            Outcome::Durable(recorded) => recorded,
            Outcome::Duplicate { count, recorded } => {
                if let Err(problem) = self.compare(written, count).await {
                    self.tally.fail(problem);
                }
                recorded
            }
            Outcome::Refused(refusal) => return self.tally.fail(refusal.into()),
            Outcome::Unknown => return self.tally.fail(Problem::outcome_unknown()),
        };
        if !self.tally.has_failed() {
            self.tally.quarantined += quarantined;
            self.tally.incomplete += incomplete;
        }
        self.tally.recorded(recorded);
    }

    /// Compares the first `count` records of a block with those recorded under their numbers before.
    async fn compare(&mut self, written: Written, count: usize) -> Result<(), Problem> {
        if self.tally.has_failed() {
            return Ok(());
        }
        let (epoch, sequence) =
            written.numbered.ok_or_else(|| Problem::internal("a retry of records without numbers"))?;
        let (ledger, id) = (self.ledger.number, self.ledger.info.id);
        let first = Number { epoch, sequence };
        let from = self.tally.ends().map_or(0, |(_, last)| last + 1);
        let retry = Retry { ledger, source: self.params.source, first, count, from };
        let block = written.block;
        let read = move |reads: ledger::Reads| {
            let stored = retries::find(&reads, &retry)?;
            let pairs = stored.iter().zip(block.sent());
            Ok(pairs.map(|(stored, sent)| retries::compare(&id, stored, sent)).collect::<Vec<_>>())
        };
        let compared = self.server.read(read).await?;
        let missing = count - compared.len();
        for one in compared {
            let one = one?;
            self.tally.duplicate(one.index, one.receipt, one.compared);
        }
        if missing > 0 {
            return Err(Problem::damaged().with("reason", "records that were counted are not in the ledger"));
        }
        Ok(())
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
