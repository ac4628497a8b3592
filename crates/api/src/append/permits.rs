//! What a long body and a long record need before more of them is read.

use std::future::Future;
use std::pin::Pin;

use tokio::sync::{AcquireError, OwnedSemaphorePermit};

use super::block::BLOCK_BYTES;
use crate::server::Gates;

/// A record of more bytes is large: with all that is made of it, it takes several times its size.
const LARGE_BYTES: usize = 4 << 20;

type Acquiring = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

/// The permits of one request.
///
/// Whoever waits for one goes on with the blocks that are under way, and gives back what those hold; so nobody waits
/// in a circle.
pub(super) struct Permits<'a> {
    gates: &'a Gates,
    /// Held while the body is longer than a block.
    streamed: Option<OwnedSemaphorePermit>,
    /// Held while the splitter may hold a record longer than a block; two while it is large.
    pub long: Vec<OwnedSemaphorePermit>,
    waiting: Option<(Step, Acquiring)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Streamed,
    Long,
    Large,
}

impl<'a> Permits<'a> {
    pub(super) fn new(gates: &'a Gates) -> Self {
        Self { gates, streamed: None, long: Vec::new(), waiting: None }
    }

    /// Begins to wait if `read` bytes of a body and `held` bytes of an unfinished record need a permit that is not
    /// held yet.
    pub(super) fn ask(&mut self, read: usize, held: usize) {
        let Some(step) = step(self.streamed.is_some(), self.long.len(), read, held) else { return };
        let gate = match step {
            Step::Streamed => &self.gates.streamed,
            Step::Long => &self.gates.long,
            Step::Large => &self.gates.large,
        };
        self.waiting = Some((step, Box::pin(gate.clone().acquire_owned())));
    }

    /// Whether nothing more may be read yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Resolves with the permit that is waited for; never, if none is. Dropping the future loses nothing.
    pub(super) async fn granted(&mut self) -> Result<(), AcquireError> {
        let permit = match &mut self.waiting {
            Some((_, acquiring)) => acquiring.await,
            None => std::future::pending().await,
        };
        let permit = permit?;
        match self.waiting.take() {
            Some((Step::Streamed, _)) => self.streamed = Some(permit),
            _ => self.long.push(permit),
        }
        Ok(())
    }

    /// Nothing more is read: nothing is waited for.
    pub(super) fn stop(&mut self) {
        self.waiting = None;
    }
}

/// The next permit that is needed, one after the other.
fn step(streamed: bool, long: usize, read: usize, held: usize) -> Option<Step> {
    match (streamed, long) {
        (false, _) if read > BLOCK_BYTES => Some(Step::Streamed),
        (_, 0) if held > BLOCK_BYTES => Some(Step::Long),
        (_, 1) if held > LARGE_BYTES => Some(Step::Large),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_asked_for_one_after_the_other() {
        let (small, large) = (BLOCK_BYTES, LARGE_BYTES + 1);
        assert_eq!(step(false, 0, small, small), None);
        assert_eq!(step(false, 0, large, large), Some(Step::Streamed));
        assert_eq!(step(true, 0, large, small), None);
        assert_eq!(step(true, 0, large, large), Some(Step::Long));
        assert_eq!(step(true, 1, large, large), Some(Step::Large));
        assert_eq!(step(true, 1, large, LARGE_BYTES), None);
        assert_eq!(step(true, 2, large, large), None);
    }
}
