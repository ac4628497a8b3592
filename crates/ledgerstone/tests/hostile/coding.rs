//! Compressed bodies: bombs, truncations, lies about the coding. A ratio is no reason to refuse; 256 MiB inflated is.

use crate::pack::{bomb, gzip, lines, zstd};
use crate::row::{Row, append, append_made, append_with, kept, quarantined, recorded, refused, row};

const GZIP: &str = "Content-Encoding: gzip\r\n";
const ZSTD: &str = "Content-Encoding: zstd\r\n";

fn damaged(mut bytes: Vec<u8>, from_end: usize) -> Vec<u8> {
    let at = bytes.len() - from_end;
    bytes[at] ^= 0x55;
    bytes
}

fn cut(mut bytes: Vec<u8>, from_end: usize) -> Vec<u8> {
    bytes.truncate(bytes.len() - from_end);
    bytes
}

pub fn rows() -> Vec<Row> {
    vec![
        row("gzip bomb, 257 MiB inflated", append_made(GZIP, || bomb(gzip, 257)), refused(413, "too-large")),
        row("zstd bomb, 257 MiB inflated", append_made(ZSTD, || bomb(zstd, 257)), refused(413, "too-large")),
        row(
            "zstd bomb, 1 TiB inflated",
            append_made(ZSTD, || bomb(zstd, 1 << 20)),
            refused(413, "too-large").closes(),
        ),
        row("honest logs, gzip 1 : 60", append_made(GZIP, || gzip(&lines(20_000))), recorded(20_000, 0)),
        row("honest logs, zstd 1 : 1000", append_made(ZSTD, || zstd(&lines(20_000))), recorded(20_000, 0)),
        row(
            "honest record of 16 MiB of one letter, zstd 1 : 10000",
            append_made(ZSTD, || {
                zstd(
                    format!("{{\"actor\":{{\"user\":{{\"name\":\"{}\"}}}}}}", "a".repeat(16 << 20))
                        .as_bytes(),
                )
            }),
            recorded(1, 0),
        ),
        row("gzip cut in its data", append_made(GZIP, || cut(gzip(&lines(9)), 20)), refused(400, "body")),
        row(
            "gzip cut in its trailer",
            append_made(GZIP, || cut(gzip(&lines(9)), 3)),
            refused(400, "body").after(9),
        ),
        row(
            "gzip with a wrong checksum",
            append_made(GZIP, || damaged(gzip(&lines(9)), 8)),
            refused(400, "body").after(9),
        ),
        row(
            "gzip with a wrong length",
            append_made(GZIP, || damaged(gzip(&lines(9)), 1)),
            refused(400, "body").after(9),
        ),
        row("gzip of one byte", append_with(GZIP, [0x1f]), refused(400, "body")),
        row("gzip that is plain text", append_with(GZIP, lines(1)), refused(400, "body")),
        row(
            "gzip with garbage behind it",
            append_made(GZIP, || [gzip(&lines(9)), b"garbage".to_vec()].concat()),
            refused(400, "body").after(9),
        ),
        row(
            "gzip whose header never ends",
            append_made(GZIP, || [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3][..], &[b'n'; 1 << 20]].concat()),
            refused(400, "body"),
        ),
        row("gzip without a body", append_with(GZIP, ""), refused(400, "body")),
        row("gzip that is zstd", append_made(GZIP, || zstd(&lines(9))), refused(400, "body")),
        row("zstd cut in its data", append_made(ZSTD, || cut(zstd(&lines(9)), 9)), refused(400, "body")),
        row("zstd with a wrong magic number", append_with(ZSTD, "not zstd at all"), refused(400, "body")),
        row(
            "zstd that wants a window of 2 GiB",
            append_with(ZSTD, [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00]),
            refused(400, "body"),
        ),
        row(
            "zstd of skippable frames only",
            append_made(ZSTD, || [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0][..], b"skip"].concat().repeat(1000)),
            recorded(0, 0),
        ),
        row(
            "gzip within gzip, told once",
            append_made(GZIP, || gzip(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
            recorded(1, 1),
        ),
        row(
            "gzip that is not told",
            append([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            quarantined(),
        ),
        row(
            "gzip, gzip",
            append_with("Content-Encoding: gzip, gzip\r\n", "{}"),
            refused(415, "content-encoding"),
        ),
        row(
            "two headers Content-Encoding",
            append_with("Content-Encoding: gzip\r\nContent-Encoding: identity\r\n", "{}"),
            refused(415, "content-encoding"),
        ),
        row(
            "Content-Encoding: br",
            append_with("Content-Encoding: br\r\n", "{}"),
            refused(415, "content-encoding"),
        ),
        row(
            "Content-Encoding that is no text",
            append_with("Content-Encoding: \u{fc}\r\n", "{}"),
            refused(415, "content-encoding"),
        ),
        row(
            "Content-Encoding: identity",
            append_with("Content-Encoding: IDENTITY\r\n", "{\"actor\":{\"user\":{\"name\":\"i\"}}}"),
            kept(),
        ),
    ]
}
