use std::io::{self, Write};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::problem::Problem;
use crate::stream::Sender;

/// Bytes gathered before they are sent.
const PIECE: usize = 256 << 10;

/// From the thread that makes a file to the answer that sends it. The last bytes wait for [`Pipe::finish`].
pub(super) struct Pipe {
    runtime: Handle,
    sender: Sender,
    /// Told once when the first bytes are there, or why there are none.
    ready: Option<oneshot::Sender<Result<(), Problem>>>,
    held: Vec<u8>,
}

impl Pipe {
    pub(super) fn new(runtime: Handle, sender: Sender, ready: oneshot::Sender<Result<(), Problem>>) -> Self {
        Self { runtime, sender, ready: Some(ready), held: Vec::new() }
    }

    /// Tells whoever waits for the status, if nobody was told yet.
    pub(super) fn begin(&mut self, begun: Result<(), Problem>) {
        if let Some(ready) = self.ready.take() {
            // Whoever asked may have gone.
            let _ = ready.send(begun);
        }
    }

    /// Sends what was held back, and ends the answer.
    pub(super) fn finish(mut self) {
        self.begin(Ok(()));
        let held = std::mem::take(&mut self.held);
        if self.runtime.block_on(self.sender.send(held)) {
            self.sender.finish();
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.held.len() >= PIECE {
            self.begin(Ok(()));
            let held = std::mem::take(&mut self.held);
            if !self.runtime.block_on(self.sender.send(held)) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
        self.held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
