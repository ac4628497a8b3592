//! Compressed bodies.

use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use tokio::io::AsyncWriteExt;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// One gzip member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    block_on(async {
        let mut encoder = GzipEncoder::new(Vec::new());
        encoder.write_all(bytes).await.unwrap();
        encoder.shutdown().await.unwrap();
        encoder.into_inner()
    })
}

/// One zstd frame.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    block_on(async {
        let mut encoder = ZstdEncoder::new(Vec::new());
        encoder.write_all(bytes).await.unwrap();
        encoder.shutdown().await.unwrap();
        encoder.into_inner()
    })
}

/// So many lines of an honest, repetitive log.
pub fn lines(count: usize) -> Vec<u8> {
    b"{\"actor\":{\"user\":{\"name\":\"probe\"}},\"api\":{\"operation\":\"healthcheck\"}}\n".repeat(count)
}

/// Members or frames of 1 MiB of one byte each, without any line end.
pub fn bomb(pack: fn(&[u8]) -> Vec<u8>, mib: usize) -> Vec<u8> {
    pack(&vec![b' ' + 1; 1 << 20]).repeat(mib)
}
