//! What has become of the records of one request, in the order of the body.

use ledger::Recorded;
use record::json::{Object, Value};

use crate::problem::Problem;

/// Adds up what is recorded.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Records, retries included.
    pub count: u64,
    pub quarantined: u64,
    pub incomplete: u64,
    /// Records that were recorded before.
    pub duplicates: u64,
    /// Whether a duplicate could not be compared, because its payload is gone.
    pub uncompared: bool,
    /// First and last index of each run, in the order of the body.
    pub ranges: Vec<(u64, u64)>,
    /// What receipts are made of.
    pub receipts: Vec<Recorded>,
    /// Records without a receipt in the answer.
    pub receipts_omitted: u64,
    /// How many receipts are kept; 0 if none are wanted.
    receipt_limit: usize,
    /// What went wrong first. What comes after it in the body does not count.
    failure: Option<Problem>,
    /// Records recorded all the same behind what went wrong.
    beyond: u64,
}

impl Tally {
    /// Keeps what receipts are made of for at most so many records.
    pub(super) fn new(receipt_limit: usize) -> Self {
        Self { receipt_limit, ..Self::default() }
    }

    /// Takes note of records that were recorded.
    pub(super) fn recorded(&mut self, recorded: Vec<Recorded>) {
        if self.failure.is_some() {
            self.beyond += recorded.len() as u64;
            return;
        }
        recorded.iter().for_each(|record| self.index(record.index));
        let kept = recorded.len().min(self.receipt_limit - self.receipts.len());
        self.receipts_omitted += (recorded.len() - kept) as u64;
        self.receipts.extend(recorded.into_iter().take(kept));
    }

    /// Takes note of a retry found at `index`; `receipt` is `None` if what it is made of was erased.
    pub(super) fn duplicate(&mut self, index: u64, receipt: Option<Recorded>, compared: bool) {
        self.index(index);
        self.duplicates += 1;
        self.uncompared |= !compared;
        match receipt {
            Some(receipt) if self.receipts.len() < self.receipt_limit => self.receipts.push(receipt),
            _ => self.receipts_omitted += 1,
        }
    }

    /// Takes note of what went wrong, unless something did before.
    pub(super) fn fail(&mut self, problem: Problem) {
        self.failure.get_or_insert(problem);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Records that this request added.
    pub(super) fn added(&self) -> u64 {
        (self.count + self.beyond).saturating_sub(self.duplicates)
    }

    /// Records that were there already.
    pub(super) fn repeated(&self) -> u64 {
        self.duplicates
    }

    /// Index of the first record and of the last; `None` if there are none.
    pub(super) fn ends(&self) -> Option<(u64, u64)> {
        Some((self.ranges.first()?.0, self.ranges.last()?.1))
    }

    /// One more than the largest index.
    pub(super) fn size(&self) -> u64 {
        self.ranges.iter().map(|(_, last)| last + 1).max().unwrap_or(0)
    }

    /// The failure, if there was one, with what was recorded before it.
    pub(super) fn into_result(mut self) -> Result<Self, Problem> {
        match self.failure.take() {
            None => Ok(self),
            Some(problem) => Err(self.told(problem)),
        }
    }

    /// Adds to a problem what was recorded, so that the sender goes on behind it.
    pub(super) fn told(&self, problem: Problem) -> Problem {
        let problem = match self.beyond {
            0 => problem,
            beyond => problem.with("recorded_beyond", beyond),
        };
        let Some((first, last)) = self.ends() else { return problem };
        let recorded = Object::from_iter([("first", first), ("last", last), ("count", self.count)]);
        problem.with("recorded", recorded)
    }

    fn index(&mut self, index: u64) {
        self.count += 1;
        match self.ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(index) => *last = index,
            _ => self.ranges.push((index, index)),
        }
    }
}

/// Runs of indexes as JSON.
pub(super) fn ranges_value(ranges: &[(u64, u64)]) -> Value<'static> {
    let range = |&(first, last): &(u64, u64)| Value::from(vec![Value::from(first), Value::from(last)]);
    Value::from(ranges.iter().map(range).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    fn recorded(indexes: impl IntoIterator<Item = u64>) -> Vec<Recorded> {
        let one = |index| Recorded { index, entry: [0; 58], salt_raw: [0; 16], digests: [[0; 32]; 5] };
        indexes.into_iter().map(one).collect()
    }

    #[test]
    fn runs_are_told_in_the_order_of_the_body() {
        let mut tally = Tally::new(3);
        tally.recorded(recorded([4, 5, 6]));
        tally.recorded(recorded([7, 10]));
        tally.duplicate(2, None, true);
        assert_eq!(tally.ranges, [(4, 7), (10, 10), (2, 2)]);
        assert_eq!((tally.count, tally.duplicates, tally.ends(), tally.size()), (6, 1, Some((4, 2)), 11));
        assert_eq!((tally.receipts.len(), tally.receipts_omitted), (3, 3));
        assert!(!tally.uncompared && tally.into_result().is_ok());
    }

    #[test]
    fn what_follows_a_failure_does_not_count() {
        let mut tally = Tally::new(0);
        tally.recorded(recorded([1]));
        tally.fail(Problem::busy(5));
        tally.fail(Problem::outcome_unknown());
        tally.recorded(recorded([3, 4]));
        assert_eq!((tally.count, tally.beyond), (1, 2));
        assert_eq!(tally.into_result().unwrap_err().status, StatusCode::TOO_MANY_REQUESTS);
    }
}
