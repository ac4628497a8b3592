use std::str::FromStr;

use record::canonical;
use wire::{Format, Limits, Mapped, Piece, Splitter};

/// The first byte says how long the chunks are in which the rest arrives.
pub fn split(input: &[u8]) {
    let Some((chunk, stream)) = input.split_first() else { return };
    let whole = pieces(stream, stream.len().max(1));
    assert_eq!(pieces(stream, usize::from(*chunk).max(1)), whole, "chunks make no difference");
    let (pieces, skipped) = whole;
    let held: u64 = pieces.iter().map(|piece| piece.1).sum();
    assert_eq!(held + skipped, stream.len() as u64, "every byte is in one piece or skipped");
}

/// The first byte chooses a format; the rest is one record.
pub fn map(input: &[u8]) {
    let Some((choice, raw)) = input.split_first() else { return };
    let format =
        [None, Some("native"), Some("cloudtrail"), Some("kubernetes-audit")][usize::from(choice % 4)];
    let format = format.and_then(|name| Format::from_str(name).ok());
    let draft = match wire::map(raw, format) {
        Mapped::Event { draft, format: found, .. } => {
            assert!(format.is_none_or(|format| format == found));
            draft
        }
        Mapped::Quarantine { draft, reason } => {
            assert!(!reason.is_empty());
            draft
        }
    };
    for bytes in [&draft.who, &draft.what, &draft.content, &draft.where_] {
        assert_eq!(canonical::check(bytes), Ok(()));
    }
    if let Ok(text) = std::str::from_utf8(raw) {
        let _ = wire::rfc3339_ms(text);
    }
}

/// What came out, as kind, length and bytes, and how much was skipped.
fn pieces(stream: &[u8], chunk: usize) -> (Vec<(u8, u64, Vec<u8>)>, u64) {
    let mut pieces = Vec::new();
    let mut out = |piece: Piece<'_>| {
        pieces.push(match piece {
            Piece::Record(bytes) => (0, bytes.len() as u64, bytes.to_vec()),
            Piece::Envelope(bytes) => (1, bytes.len() as u64, bytes.to_vec()),
            Piece::Oversize { size, sha256 } => (2, size, sha256.to_vec()),
        });
    };
    let mut splitter = Splitter::new(Limits { record: 200, envelope: 60 });
    for chunk in stream.chunks(chunk) {
        splitter.push(chunk, &mut out);
    }
    splitter.finish(&mut out);
    (pieces, splitter.skipped())
}
