//! Shows the facets of every record on standard input: `cargo run -p wire --example show < FILE`.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::io::Read;
use wire::{Limits, Mapped, Piece, Splitter, map};

fn main() -> std::io::Result<()> {
    let mut input = Vec::new();
    std::io::stdin().read_to_end(&mut input)?;
    let mut splitter = Splitter::new(Limits::default());
    splitter.push(&input, &mut show);
    splitter.finish(&mut show);
    Ok(())
}

fn show(piece: Piece<'_>) {
    let (Piece::Record(raw) | Piece::Envelope(raw)) = piece else { return println!("{piece:?}") };
    let draft = match map(raw, None) {
        Mapped::Event { draft, format, incomplete } => {
            println!("{format} {incomplete:?}");
            draft
        }
        Mapped::Quarantine { draft, reason } => {
            println!("quarantine: {reason}");
            draft
        }
    };
    let when = [draft.when.head.as_slice(), &draft.when.tail].concat();
    for (name, facet) in [
        ("when", &when),
        ("who", &draft.who),
        ("what", &draft.what),
        ("content", &draft.content),
        ("where", &draft.where_),
    ] {
        println!("  {name:8}{}", String::from_utf8_lossy(facet));
    }
}
