use std::sync::Arc;

use env::Env;
use storage::Disk;

use crate::fault::Fault;
use crate::options::Options;
use crate::publisher::Publisher;
use crate::reads::Reads;
use crate::recover;
use crate::request::{Carry, Request};
use crate::sealer::Sealer;
use crate::shared::Shared;
use crate::writer::{Writer, WrittenGroup};

/// An opened store without threads: every step is a call, so that a test decides their order and can stop
/// between any two. [`crate::Engine`] runs the same parts, each on a thread of its own.
pub struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) writer: Writer,
    pub(crate) publisher: Publisher,
    pub(crate) sealer: Sealer,
    /// Groups that are durable and not yet in the trees.
    pub(crate) inbox: Vec<WrittenGroup>,
}

impl Core {
    /// Opens or creates the store in `data` with its keys in `keys`, recovers what was cut off, and publishes a
    /// checkpoint of every ledger. The caller holds the store's lock.
    pub fn open(
        data: Arc<dyn Disk>,
        keys: Arc<dyn Disk>,
        env: Arc<dyn Env>,
        options: Options,
    ) -> Result<Self, Fault> {
        recover::open(data, keys, env, options)
    }

    /// Enters requests as one durable group and answers them.
    pub fn commit(&mut self, requests: Vec<Request>) -> Result<(), Fault> {
        self.inbox.extend(self.writer.commit(requests)?);
        Ok(())
    }

    /// Writes a sync marker.
    pub fn mark_synced(&mut self) -> Result<(), Fault> {
        self.inbox.push(self.writer.mark_synced()?);
        Ok(())
    }

    /// Publishes checkpoints over everything that is durable.
    pub fn publish(&mut self) -> Result<(), Fault> {
        self.publisher.publish(&self.inbox)?;
        self.inbox.clear();
        self.publisher.publish_withheld()?;
        self.publisher.settle()
    }

    /// Seals the next range that is due; with `all`, any whole bundle. Returns whether there was one.
    pub fn seal(&mut self, all: bool) -> Result<bool, Fault> {
        let Some(mut prepared) = self.sealer.prepare(all)? else {
            if let Some(parts) = self.sealer.carry_due() {
                self.commit(vec![Request::Carry(Carry { parts, pending: None })])?;
            }
            self.sealer.release_wal()?;
            return Ok(false);
        };
        let records = std::mem::take(&mut prepared.records);
        self.commit(vec![Request::Control { ledger: prepared.ledger(), records, pending: None }])?;
        self.sealer.finish(prepared)?;
        Ok(true)
    }

    /// Publishes what is left and marks the store as stopped in order. A store that withholds a checkpoint is not in order:
    /// to whoever reads it, it is as if it had been cut off before it signed.
    pub fn stop(mut self) -> Result<(), Fault> {
        self.mark_synced()?;
        self.publish()?;
        self.sealer.drop_unentered()?;
        let (now, in_order) = (self.shared.env.now_ms(), !self.publisher.withholds());
        self.shared.register.change(now, |register| register.stopped = in_order)
    }

    /// Reads what is durable.
    pub fn reads(&self) -> Reads {
        Reads::new(self.shared.clone())
    }
}
