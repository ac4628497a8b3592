//! Evidence files, which come from whoever made them.

use export::anchors::{Anchor, RangeProof};
use export::{Manifest, Options, row, verify};

/// The first byte chooses: a whole file, or one of the texts in it.
pub fn evidence_file(input: &[u8]) {
    let Some((choice, bytes)) = input.split_first() else { return };
    match choice % 5 {
        0 => {
            let report = verify(bytes, &Options { threads: 2, ..Options::default() });
            // Nothing but a whole file is proven, and that says what it is.
            let proven = report.verdict().exit_code() == 0;
            assert!(!proven || report.manifest.is_some() && report.records > 0);
        }
        1 => {
            if let Ok(manifest) = Manifest::parse(bytes) {
                assert_eq!(manifest.to_text(), bytes);
            }
        }
        2 => {
            if let Ok(range) = RangeProof::parse(bytes) {
                assert_eq!(range.to_text(), bytes);
            }
        }
        3 => {
            if let Ok(anchor) = Anchor::parse(bytes) {
                assert_eq!(anchor.to_text(), bytes);
            }
        }
        _ => {
            if let Some(line) = row::respell(bytes) {
                assert_eq!(line, bytes);
            }
        }
    }
}
