//! How slowly a body may come: pauses are bounded, and so is the whole.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use tokio::time::{Instant, Sleep};

use super::body::BodyError;
use crate::limits::Limits;

/// A body whose sender is held to [`Limits::body_wait`], [`Limits::body_grace`] and [`Limits::body_rate`].
///
/// Only time in which it is waited for the sender counts: while the server itself is busy, nobody is late.
pub(super) struct Paced {
    body: Body,
    pace: Pace,
    /// Since when it has been waited for more.
    since: Option<Instant>,
    /// Wakes whoever waits when the time is over.
    alarm: Option<Pin<Box<Sleep>>>,
    /// Why there is no more, if that lies with the sender or the connection rather than with what was sent.
    failed: Option<BodyError>,
}

/// What the sender has left of its time.
#[derive(Clone, Copy, Debug)]
struct Pace {
    pause: Duration,
    grace: Duration,
    /// Bytes per second.
    rate: u64,
    /// Bytes that have come, as they were sent.
    read: u64,
    /// How long they were waited for.
    waited: Duration,
}

impl Paced {
    pub(super) fn new(body: Body, limits: &Limits) -> Self {
        let pace = Pace {
            pause: limits.body_wait,
            grace: limits.body_grace,
            rate: limits.body_rate.max(1),
            read: 0,
            waited: Duration::ZERO,
        };
        Self { body, pace, since: None, alarm: None, failed: None }
    }

    /// The next bytes, `None` at the end.
    pub(super) fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                ready!(self.poll_late(context));
                let slow = self.pace.left() < self.pace.pause;
                let late = if slow { BodyError::Slow } else { BodyError::Idle };
                return Poll::Ready(Err(self.fail(late, io::ErrorKind::TimedOut)));
            };
            self.rest();
            match frame {
                None => return Poll::Ready(Ok(None)),
                Some(Err(_)) => {
                    return Poll::Ready(Err(self.fail(BodyError::Gone, io::ErrorKind::ConnectionReset)));
                }
                // Trailers say nothing that is of use here.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => {
                        self.pace.read += data.len() as u64;
                        return Poll::Ready(Ok(Some(data)));
                    }
                    _ => {}
                },
            }
        }
    }

    /// The server turns to something else: until it asks again, the time is its own.
    pub(super) fn rest(&mut self) {
        if let Some(since) = self.since.take() {
            self.pace.waited += since.elapsed();
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.body.is_end_stream()
    }

    /// Why there is no more, if that lies with the sender or the connection.
    pub(super) fn failed(&self) -> Option<BodyError> {
        self.failed.clone()
    }

    pub(super) fn into_body(self) -> Body {
        self.body
    }

    /// Ready when the time that is left is over.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let alarm = match (&mut self.alarm, self.since) {
            (Some(alarm), Some(_)) => alarm,
            (alarm, _) => {
                let now = Instant::now();
                self.since = Some(now);
                let until = now + self.pace.left().min(self.pace.pause);
                let alarm = alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
                alarm.as_mut().reset(until);
                alarm
            }
        };
        alarm.as_mut().poll(context)
    }

    fn fail(&mut self, why: BodyError, kind: io::ErrorKind) -> io::Error {
        self.failed = Some(why);
        kind.into()
    }
}

impl Pace {
    /// How long what comes next may still take, given how much has come so far.
    fn left(&self) -> Duration {
        let earned = Duration::from_millis(self.read.saturating_mul(1000) / self.rate);
        self.grace.saturating_add(earned).saturating_sub(self.waited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_earned_by_sending() {
        let second = Duration::from_secs;
        let pace = |read, waited| Pace { pause: second(30), grace: second(30), rate: 1024, read, waited };
        assert_eq!(pace(0, second(0)).left(), second(30));
        assert_eq!(pace(1024, second(30)).left(), second(1));
        assert_eq!(pace(1024, second(31)).left(), second(0));
        assert_eq!(pace(1024, second(99)).left(), second(0));
        // 64 MiB at 128 KiB/s take 512 s, and nobody who sends them so is ever near the end of the time.
        assert!(pace(32 << 20, second(256)).left() > second(30_000));
        assert!(pace(u64::MAX, second(1)).left() > second(1));
    }
}
