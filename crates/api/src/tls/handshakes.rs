use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The handshakes under way, of which there is a bounded number. One too many ends the one that has waited longest: an
/// honest one is over within two round trips, so those who begin and stall push out each other and nobody else.
#[derive(Debug)]
pub(crate) struct Handshakes {
    most: usize,
    under_way: Mutex<UnderWay>,
}

#[derive(Debug, Default)]
struct UnderWay {
    next: u64,
    /// In the order in which they began; whoever is dropped from here is told so.
    begun: BTreeMap<u64, oneshot::Sender<()>>,
}

/// A handshake under way; dropped when it is over.
pub(crate) struct Handshake {
    number: u64,
    of: Arc<Handshakes>,
    pushed_out: oneshot::Receiver<()>,
}

impl Handshakes {
    pub(crate) fn new(most: usize) -> Arc<Handshakes> {
        Arc::new(Handshakes { most: most.max(1), under_way: Mutex::default() })
    }

    pub(crate) fn begin(self: &Arc<Self>) -> Handshake {
        let (stays, pushed_out) = oneshot::channel();
        let mut under_way = self.under_way();
        let number = under_way.next;
        under_way.next += 1;
        under_way.begun.insert(number, stays);
        if under_way.begun.len() > self.most {
            under_way.begun.pop_first();
        }
        Handshake { number, of: self.clone(), pushed_out }
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handshake {
    /// Resolves when a later handshake takes this one's place.
    pub(crate) async fn pushed_out(&mut self) {
        // Nothing is ever sent: the sender is dropped.
        let _ = (&mut self.pushed_out).await;
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.of.under_way().begun.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_too_many_ends_the_oldest() {
        let handshakes = Handshakes::new(2);
        let mut first = handshakes.begin();
        let over = handshakes.begin();
        drop(over);
        let mut second = handshakes.begin();
        assert!(first.pushed_out.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Empty));
        let _third = handshakes.begin();
        first.pushed_out().await;
        assert!(
            second.pushed_out.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Empty)
        );
        assert_eq!(handshakes.under_way().begun.len(), 2);
    }
}
