//! Bodies that are made while they are sent.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body_util::{Channel, channel};

/// For how long a reader may take no more bytes before its answer is cut off.
const SEND_WAIT: Duration = Duration::from_secs(60);

/// The end of a body where it is made. Dropped before [`Sender::finish`], it cuts the body off, so that no reader takes
/// a part for the whole.
pub(crate) struct Sender(Option<channel::Sender<Bytes, io::Error>>);

impl Sender {
    /// Sends a piece; false if nobody reads any more, or too slowly.
    pub(crate) async fn send(&mut self, bytes: Vec<u8>) -> bool {
        if bytes.is_empty() {
            return true;
        }
        let Some(sender) = &mut self.0 else { return false };
        let sent = tokio::time::timeout(SEND_WAIT, sender.send_data(bytes.into())).await;
        matches!(sent, Ok(Ok(())))
    }

    /// The body is whole.
    pub(crate) fn finish(mut self) {
        self.0 = None;
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if let Some(sender) = self.0.take() {
            sender.abort(io::Error::other("the answer could not be finished"));
        }
    }
}

/// A body, and where to make it. At most one piece waits in it.
pub(crate) fn body() -> (Sender, Body) {
    let (sender, channel) = Channel::new(1);
    (Sender(Some(sender)), Body::new(channel))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(finish: bool) -> Result<Bytes, axum::Error> {
        let (mut sender, body) = body();
        tokio::spawn(async move {
            assert!(sender.send(b"one ".to_vec()).await && sender.send(b"two".to_vec()).await);
            if finish {
                sender.finish();
            }
        });
        axum::body::to_bytes(body, 100).await
    }

    #[tokio::test]
    async fn a_body_that_was_not_finished_is_an_error_to_its_reader() {
        assert_eq!(read(true).await.unwrap(), "one two");
        assert!(read(false).await.is_err());
    }
}
