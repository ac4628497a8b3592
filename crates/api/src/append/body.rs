//! The body of a request, inflated as it comes.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt, ReadBuf};

use super::pace::Paced;
use crate::limits::Limits;
use crate::problem::Problem;

/// Bytes inflated in one go.
const CHUNK: usize = 64 << 10;

/// Largest zstd window, as a power of two: 8 MiB, the most that may be sent over HTTP (RFC 9659).
const ZSTD_WINDOW_LOG: u32 = 23;

/// How long the rest of a body that was refused is read and thrown away, so that its sender sees the answer instead of
/// a broken connection.
const DRAIN_WAIT: Duration = Duration::from_secs(10);
/// How much of it.
const DRAIN_BYTES: usize = 16 << 20;

/// How a body is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Zstd,
}

impl Coding {
    /// Reads `Content-Encoding`.
    ///
    /// # Errors
    /// 415 for anything but one of gzip, zstd and identity.
    pub(super) fn parse(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
        let name = match (values.next(), values.next()) {
            (None, _) => return Ok(Self::Identity),
            (Some(value), None) => value.to_str().unwrap_or("?").trim().to_ascii_lowercase(),
            (Some(_), Some(_)) => return Err(Problem::unsupported_coding()),
        };
        match name.as_str() {
            "identity" | "" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => Err(Problem::unsupported_coding()),
        }
    }
}

/// A body being read.
pub(super) struct Inbound {
    from: Decoder,
    /// Bytes that may still come.
    left: u64,
}

enum Decoder {
    Identity(Paced),
    Gzip(Box<GzipDecoder<Raw>>),
    Zstd(Box<ZstdDecoder<Raw>>),
}

/// Why there is no more to be had from a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// More bytes than a body may have.
    TooLarge,
    /// It does not inflate.
    Corrupt(String),
    /// The connection failed.
    Gone,
    /// Nothing came for too long.
    Idle,
    /// Too little came for too long.
    Slow,
}

impl Inbound {
    /// Prepares to read a body within the limits on its bytes, once inflated, and its pace.
    pub(super) fn new(coding: Coding, body: Body, limits: &Limits) -> Self {
        let body = Paced::new(body, limits);
        let from = match coding {
            Coding::Identity => Decoder::Identity(body),
            Coding::Gzip => {
                let mut decoder = GzipDecoder::new(Raw::new(body));
                decoder.multiple_members(true);
                Decoder::Gzip(Box::new(decoder))
            }
            Coding::Zstd => {
                let window = DParameter::window_log_max(ZSTD_WINDOW_LOG);
                let mut decoder = ZstdDecoder::with_params(Raw::new(body), &[window]);
                decoder.multiple_members(true);
                Decoder::Zstd(Box::new(decoder))
            }
        };
        Self { from, left: limits.body_bytes }
    }

    /// The next bytes, `None` at the end. Dropping the future loses nothing.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        let turn = Turn(self);
        let next = match &mut turn.0.from {
            Decoder::Identity(body) => poll_fn(|context| body.poll_data(context)).await,
            Decoder::Gzip(decoder) => inflate(decoder.as_mut()).await,
            Decoder::Zstd(decoder) => inflate(decoder.as_mut()).await,
        };
        let chunk = next.map_err(|error| turn.0.told(&error))?;
        if let Some(chunk) = &chunk {
            turn.0.left = turn.0.left.checked_sub(chunk.len() as u64).ok_or(BodyError::TooLarge)?;
        }
        Ok(chunk)
    }

    /// Whether the end is known to have been reached.
    pub(super) fn is_at_end(&self) -> bool {
        matches!(&self.from, Decoder::Identity(body) if body.is_at_end())
    }

    /// Gives up on the rest, see [`drain`].
    pub(super) fn drain(self) {
        drain(match self.from {
            Decoder::Identity(body) => body.into_body(),
            Decoder::Gzip(decoder) => decoder.into_inner().body.into_body(),
            Decoder::Zstd(decoder) => decoder.into_inner().body.into_body(),
        });
    }

    fn told(&mut self, error: &io::Error) -> BodyError {
        let failed = self.body().failed();
        failed.unwrap_or_else(|| BodyError::Corrupt(error.to_string()))
    }

    fn body(&mut self) -> &mut Paced {
        match &mut self.from {
            Decoder::Identity(body) => body,
            Decoder::Gzip(decoder) => &mut decoder.get_mut().body,
            Decoder::Zstd(decoder) => &mut decoder.get_mut().body,
        }
    }
}

/// The time in which the sender is waited for.
struct Turn<'a>(&'a mut Inbound);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.body().rest();
    }
}

/// Reads a body that was refused for a while in the background, so that its sender sees the answer.
pub(super) fn drain(mut body: Body) {
    if body.is_end_stream() {
        return;
    }
    let read = async move {
        let mut read = 0;
        while let Ok(Some(chunk)) = data(&mut body).await {
            read += chunk.len();
            if read > DRAIN_BYTES {
                break;
            }
        }
    };
    tokio::spawn(tokio::time::timeout(DRAIN_WAIT, read));
}

/// The next bytes of a body as they came.
async fn data(body: &mut Body) -> io::Result<Option<Bytes>> {
    loop {
        let Some(frame) = body.frame().await else { return Ok(None) };
        // Trailers say nothing that is of use here.
        if let Ok(data) = frame.map_err(io::Error::other)?.into_data()
            && !data.is_empty()
        {
            return Ok(Some(data));
        }
    }
}

async fn inflate(decoder: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Bytes>> {
    let mut chunk = Vec::with_capacity(CHUNK);
    let read = decoder.read_buf(&mut chunk).await?;
    Ok((read > 0).then(|| chunk.into()))
}

/// A body for a decoder to read from.
struct Raw {
    body: Paced,
    chunk: Bytes,
}

impl Raw {
    fn new(body: Paced) -> Self {
        Self { body, chunk: Bytes::new() }
    }
}

impl AsyncBufRead for Raw {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let raw = self.get_mut();
        if raw.chunk.is_empty() {
            raw.chunk = ready!(raw.body.poll_data(context))?.unwrap_or_default();
        }
        Poll::Ready(Ok(&raw.chunk))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        let amount = amount.min(self.chunk.len());
        drop(self.chunk.split_to(amount));
    }
}

impl AsyncRead for Raw {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let from = ready!(self.as_mut().poll_fill_buf(context))?;
        let amount = from.len().min(out.remaining());
        out.put_slice(&from[..amount]);
        self.consume(amount);
        Poll::Ready(Ok(()))
    }
}
