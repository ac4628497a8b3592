//! A verified store held against what somebody kept of it: a checkpoint or a receipt. That shows what the store alone
//! cannot: that it was set back, cut, or written anew by whoever has its keys (docs/format.md, section 15).

use record::entry::ENTRY_LEN;
use record::receipt::Receipt;
use tlog::checkpoint::UnverifiedCheckpoint;
use tlog::hash::Hash;
use tlog::proof::{TileSource, root_from_tiles};
use tlog::tile::{TILE_WIDTH, Tile, bundle_path, decode_bundle, decode_tile};

use super::medium::Medium;
use super::report::{Anchor, Damage, DamageKind, LedgerReport, Report};
use crate::layout;

/// Holds the store that `report` is about against `kept`, a signed checkpoint or a receipt, and adds to the report what
/// does not fit. A ledger that fits is anchored by it.
///
/// A store that is damaged anyway is not looked at again: its tiles would prove nothing.
///
/// # Errors
/// `kept` is neither a checkpoint nor a receipt.
pub fn hold_against(data: &dyn Medium, kept: &[u8], report: &mut Report) -> Result<(), String> {
    let receipt = kept.trim_ascii_start().starts_with(b"{").then(|| Receipt::parse(kept.trim_ascii()));
    let receipt = receipt.transpose().map_err(|error| error.to_string())?;
    let note = match &receipt {
        Some(receipt) => receipt.proof.as_ref().map(|proof| proof.checkpoint.as_bytes()),
        None => Some(kept),
    };
    let checkpoint = note.map(UnverifiedCheckpoint::parse).transpose().map_err(|error| error.to_string())?;
    let origin = match (&receipt, &checkpoint) {
        (Some(receipt), _) => receipt.origin.clone(),
        (None, Some(checkpoint)) => checkpoint.claimed().origin.to_string(),
        (None, None) => return Err("neither a checkpoint nor a receipt".to_owned()),
    };
    if !report.damage.is_empty() {
        return Ok(());
    }
    let Some(at) = report.ledgers.iter().position(|ledger| ledger.origin == origin) else {
        let detail = format!("the store has no ledger of the origin that was kept: {origin}");
        report.damage.push(Damage::new(DamageKind::Contradiction, layout::REGISTER, detail));
        return Ok(());
    };
    let ledger = report.ledgers[at].clone();
    if let Some(checkpoint) = checkpoint {
        check_checkpoint(data, &ledger, checkpoint, (&layout::checkpoint(&ledger.name), "kept"), report);
    }
    if let Some(receipt) = &receipt {
        check_entry(data, &ledger, receipt, report);
    }
    let ledger = &mut report.ledgers[at];
    if report.damage.is_empty() && report.undecided.is_empty() {
        ledger.anchor = if ledger.anchor == Anchor::None { Anchor::Kept } else { ledger.anchor };
    }
    let touched = report.damage.iter().filter_map(|damage| damage.entries.as_ref());
    if let Some(first) = touched.map(|(_, first, _)| *first).min() {
        ledger.good_below = ledger.good_below.min(first);
    }
    Ok(())
}

/// Holds a checkpoint that lies in the store itself, in `file`, against the tree of its ledger. That anchors nothing.
pub fn hold_inside(data: &dyn Medium, at: usize, note: &[u8], file: &str, report: &mut Report) {
    let ledger = report.ledgers[at].clone();
    match UnverifiedCheckpoint::parse(note) {
        Ok(note) => check_checkpoint(data, &ledger, note, (file, "time-stamped"), report),
        Err(error) => report.damage.push(Damage::new(DamageKind::Format, file, error)),
    }
}

/// The store must begin with the tree of the checkpoint; `told` is the file that a difference is told of, and what the
/// checkpoint is called.
pub(super) fn check_checkpoint(
    data: &dyn Medium,
    ledger: &LedgerReport,
    kept: UnverifiedCheckpoint,
    (file, what): (&str, &str),
    report: &mut Report,
) {
    let checkpoint = match ledger.verify(kept, &[]) {
        Ok(verified) => verified.checkpoint().clone(),
        Err(error) => {
            let detail = format!("the store's key is not the one that signed the {what} checkpoint: {error}");
            report.damage.push(Damage::new(DamageKind::Signature, file, detail));
            return;
        }
    };
    if checkpoint.size > ledger.size {
        let detail =
            format!("the store ends before the {what} checkpoint: {} < {}", ledger.size, checkpoint.size);
        let damage = Damage::new(DamageKind::Contradiction, file, detail);
        report.damage.push(damage.of(&ledger.name, ledger.size, checkpoint.size));
        return;
    }
    match root_from_tiles(checkpoint.size, &Tiles { data, ledger }) {
        Ok(root) if root == checkpoint.root => {}
        Ok(_) => {
            let detail = format!("the store does not begin with the tree of the {what} checkpoint");
            let damage = Damage::new(DamageKind::Contradiction, file, detail);
            report.damage.push(damage.of(&ledger.name, 0, checkpoint.size));
        }
        Err(error) => {
            report.undecided.push(format!("the {what} checkpoint can't be held against tiles: {error}"))
        }
    }
}

/// The store must hold the entry of the receipt.
fn check_entry(data: &dyn Medium, ledger: &LedgerReport, receipt: &Receipt, report: &mut Report) {
    let index = receipt.index;
    let damage = |detail: &str| {
        Damage::new(DamageKind::Contradiction, layout::ledger_dir(&ledger.name), detail).of(
            &ledger.name,
            index,
            index.saturating_add(1),
        )
    };
    if index >= ledger.size + ledger.uncommitted {
        report.damage.push(damage("the entry of the kept receipt is not in the store"));
    } else if index >= ledger.size {
        report.undecided.push(format!("entry {index} is durable and in no checkpoint yet"));
    } else {
        match entry(data, ledger, index) {
            Some(entry) if entry == receipt.entry => {}
            Some(_) => report.damage.push(damage("the store holds another entry than the kept receipt")),
            None => report.undecided.push(format!("the bundle of entry {index} is not on disk")),
        }
    }
}

fn entry(data: &dyn Medium, ledger: &LedgerReport, index: u64) -> Option<[u8; ENTRY_LEN]> {
    let width = u64::from(TILE_WIDTH);
    let (bundle, at) = (index / width, (index % width) as usize);
    let full = layout::resource(&ledger.name, &bundle_path(bundle, TILE_WIDTH));
    let partial = ledger.size.min((bundle + 1) * width) - bundle * width;
    let partial = layout::resource(&ledger.name, &bundle_path(bundle, partial as u16));
    let bytes = data.read(&full).or_else(|_| data.read(&partial)).ok()?;
    (*decode_bundle(&bytes).ok()?.get(at)?).try_into().ok()
}

/// The tiles of any older size: each is a prefix of one that is there.
struct Tiles<'a> {
    data: &'a dyn Medium,
    ledger: &'a LedgerReport,
}

impl TileSource for Tiles<'_> {
    type Error = std::io::Error;

    fn tile(&self, tile: Tile) -> Result<Vec<Hash>, Self::Error> {
        let now = match tlog::tile::full_tiles(tile.level, self.ledger.size) {
            full if tile.index < full => TILE_WIDTH,
            _ => tlog::tile::partial_width(tile.level, self.ledger.size),
        };
        let path = layout::resource(&self.ledger.name, &Tile { width: now, ..tile }.path());
        let hashes = decode_tile(&self.data.read(&path)?, now);
        let mut hashes = hashes.map_err(|error| std::io::Error::other(error.to_string()))?;
        hashes.truncate(usize::from(tile.width));
        Ok(hashes)
    }
}
