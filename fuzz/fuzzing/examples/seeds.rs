//! Writes the corpora that our own encoders make: `cargo run -p fuzzing --example seeds`.
//!
//! To be run after a format has changed. Files that fuzzing added stay as they are.

use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    for seed in fuzzing::seeds::all() {
        let folder = corpus.join(seed.target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(seed.name), &seed.bytes)?;
    }
    Ok(())
}
