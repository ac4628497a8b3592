//! From a mapped block to what became of it.

use std::collections::VecDeque;
use std::time::Duration;

use ledger::{Batch, Outcome, Pending, Reads, Refusal, Request};
use tokio::sync::oneshot;

use super::{Pump, Written, next_answered};
use crate::append::block::{Block, Mapping};
use crate::append::retries::{self, Number, Retry};
use crate::problem::Problem;
use crate::server::{SMALL_KIB, closed};

/// How often a block that the engine had no room for is offered again before the request is refused.
const OFFERS: u32 = 300;

impl<'a> Pump<'a> {
    /// Hands a block to the engine, once there is room for it among all that waits.
    pub(super) async fn submit(&mut self, block: Block, mapping: Mapping) {
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
        let (server, ledger, source, alone) =
            (self.server, self.ledger.number, self.params.source, self.alone);
        async move {
            let gates = &server.gates;
            let kib = u32::try_from(mapping.weight.div_ceil(1024)).unwrap_or(u32::MAX);
            // One record larger than the whole queue has it for itself.
            let permits = kib.clamp(1, gates.queue_permits);
            let queue = if alone && permits <= SMALL_KIB { &gates.small } else { &gates.queue };
            let permit = queue.clone().acquire_many_owned(permits).await.map_err(closed)?;
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
    pub(super) async fn offer_again(&mut self, first: Written, retry_after_ms: u64) {
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
    pub(super) async fn settle(&mut self, written: Written, outcome: Outcome) {
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
        let read = move |reads: Reads| {
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
