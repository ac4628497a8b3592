use evidence::predecessor::Predecessor;
use evidence::verify::{Anchor, Damage, LedgerKey, LedgerReport, Report};
use record::canonical;
use record::json::{Object, Value};

use crate::limits::{Limits, limits};
use crate::receipt::ReceiptReport;

/// Most places told in the text for people; the JSON has all.
const SHOWN: usize = 20;

/// The report for people.
pub fn text(report: &Report) -> String {
    let mut out = format!("{}\n", report.verdict().word());
    for ledger in &report.ledgers {
        out += &format!("\n{} ({})\n", ledger.name, ledger.origin);
        out += &format!(
            "  entries    {} in the newest checkpoint, {} of them events",
            ledger.size, ledger.events
        );
        out += &match ledger.uncommitted {
            0 => "\n".to_owned(),
            more => format!("; {more} more are durable and not yet in a checkpoint\n"),
        };
        out += &format!("  root       {}\n", ledger.root);
        out += &match report.payloads_opened {
            true => format!("  payloads   {} opened and hashed again\n", ledger.payloads),
            false => "  payloads   not opened: no keys\n".to_owned(),
        };
        out += match ledger.anchor {
            Anchor::Key => "  anchor     signed by the key you gave\n",
            Anchor::Kept => "  anchor     holds all that the checkpoint or receipt you kept speaks of\n",
            Anchor::Witnessed => {
                "  anchor     cosigned by a quorum of the policy you gave, as far as the note below says\n"
            }
            Anchor::None => {
                "  anchor     none: self-consistent, key not pinned; give --key with a key you got elsewhere\n"
            }
        };
        if report.damage.is_empty() {
            let Limits { detects, cannot_detect } = limits(ledger.anchor);
            out += &format!("  detects    {detects}\n  misses     {cannot_detect}\n");
        }
        if let Some(old) = &ledger.predecessor {
            out += &format!("  continues  {} at {} entries\n", old.origin, old.size);
        }
        match ledger.good_below {
            0 if ledger.size > 0 => out += "  good       no entry can be called as it was signed\n",
            below if below < ledger.size => {
                out += &format!("  good       entries below {below} are as they were signed\n");
            }
            _ => {}
        }
    }
    if !report.damage.is_empty() {
        out += &format!("\ndamage ({})\n", report.damage.len());
        for damage in report.damage.iter().take(SHOWN) {
            out += &format!("  {damage}\n");
            if let Some(ms) = damage.first_bad_ms {
                out += &format!("    the first of these entries was received {}\n", utc(ms));
            }
        }
        if report.damage.len() > SHOWN {
            out += &format!("  and {} more; --json tells all\n", report.damage.len() - SHOWN);
        }
    }
    for undecided in &report.undecided {
        out += &format!("\nundecided: {undecided}\n");
    }
    for note in &report.notes {
        out += &format!("\nnote: {note}\n");
    }
    out
}

/// The report for programs, one JSON object.
pub fn json(report: &Report) -> String {
    let mut object = Object::new();
    object.insert("verdict", report.verdict().word().to_owned());
    // The first ledger's figures stand at the top too: most stores have one.
    let first = report.ledgers.first();
    object.insert("tree_size", first.map_or(0, |ledger| ledger.size));
    object.insert("events", first.map_or(0, |ledger| ledger.events));
    object.insert("anchor", anchor(first.map_or(Anchor::None, |ledger| ledger.anchor)));
    object.insert("payloads_opened", Value::Bool(report.payloads_opened));
    object.insert("ledgers", Value::Array(report.ledgers.iter().map(ledger).collect()));
    object.insert("damage", Value::Array(report.damage.iter().map(damage).collect()));
    object.insert("undecided", strings(&report.undecided));
    object.insert("notes", strings(&report.notes));
    object.insert("bytes_read", report.bytes);
    let mut out = Vec::new();
    canonical::write(&Value::Object(object), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// A receipt's report for people.
pub fn receipt_text(report: &ReceiptReport) -> String {
    let mut out =
        format!("{}\n\nreceipt for entry {} of {}\n", report.verdict().word(), report.index, report.origin);
    if report.raw_checked {
        out += "  the raw bytes lead to the commitment and the entry in the receipt\n";
    }
    if let Some(size) = report.proven_in {
        out += &format!("  the entry is in the signed tree of {size} entries\n");
    }
    if !report.witnesses.is_empty() {
        out +=
            &format!("  that tree is cosigned by a quorum of your policy: {}\n", report.witnesses.join(", "));
    }
    for damage in &report.damage {
        out += &format!("  damage: {damage}\n");
    }
    for undecided in &report.undecided {
        out += &format!("  undecided: {undecided}\n");
    }
    out
}

/// A receipt's report for programs, one JSON object.
pub fn receipt_json(report: &ReceiptReport) -> String {
    let mut object = Object::new();
    object.insert("verdict", report.verdict().word().to_owned());
    object.insert("index", report.index);
    object.insert("origin", report.origin.clone());
    object.insert("raw_checked", Value::Bool(report.raw_checked));
    object.insert("proven_in", report.proven_in.map_or(Value::Null, Value::from));
    object.insert("witnesses", strings(&report.witnesses));
    object.insert("damage", strings(&report.damage));
    object.insert("undecided", strings(&report.undecided));
    let mut out = Vec::new();
    canonical::write(&Value::Object(object), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Unix milliseconds as RFC 3339, by the civil calendar: days are counted from 0000-03-01, so that the leap day is the
/// last of its year.
pub(crate) fn utc(ms: u64) -> String {
    let (days, second) = (ms / 86_400_000 + 719_468, ms / 1000 % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!(
        "{:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{:02}.{:03}Z",
        era * 400 + year + next,
        second % 60,
        ms % 1000
    )
}

fn anchor(anchor: Anchor) -> String {
    match anchor {
        Anchor::None => "none",
        Anchor::Key => "key",
        Anchor::Kept => "kept",
        Anchor::Witnessed => "witnessed",
    }
    .to_owned()
}

fn ledger(ledger: &LedgerReport) -> Value<'static> {
    let mut object = Object::new();
    object.insert("name", ledger.name.clone());
    object.insert("origin", ledger.origin.clone());
    object.insert("vkey", ledger.vkey.clone());
    if !ledger.keys.is_empty() {
        object.insert("keys", Value::Array(ledger.keys.iter().map(key).collect()));
    }
    object.insert("tree_size", ledger.size);
    object.insert("root", ledger.root.clone());
    object.insert("events", ledger.events);
    object.insert("payloads", ledger.payloads);
    object.insert("uncommitted", ledger.uncommitted);
    object.insert("anchor", anchor(ledger.anchor));
    let Limits { detects, cannot_detect } = limits(ledger.anchor);
    object.insert("detects", detects.to_owned());
    object.insert("cannot_detect", cannot_detect.to_owned());
    object.insert("good_below", ledger.good_below);
    if let Some(old) = &ledger.predecessor {
        object.insert("continues", continues(old));
    }
    Value::Object(object)
}

/// What a ledger continues.
pub(crate) fn continues(old: &Predecessor) -> Value<'static> {
    let mut object = Object::new();
    object.insert("origin", old.origin.clone());
    object.insert("tree_size", old.size);
    object.insert("root", old.root.clone());
    object.insert("checkpoint", old.note.clone());
    Value::Object(object)
}

fn key(key: &LedgerKey) -> Value<'static> {
    let mut object = Object::new();
    object.insert("index", key.index);
    object.insert("vkey", key.vkey.clone());
    Value::Object(object)
}

fn damage(damage: &Damage) -> Value<'static> {
    let mut object = Object::new();
    object.insert("kind", damage.kind.name().to_owned());
    object.insert("file", damage.file.clone());
    object.insert("detail", damage.detail.clone());
    if let Some(offset) = damage.offset {
        object.insert("offset", offset);
    }
    if let Some((ledger, first, end)) = &damage.entries {
        object.insert("ledger", ledger.clone());
        object.insert("first_index", *first);
        object.insert("last_index", end.saturating_sub(1));
    }
    if let Some(time) = damage.first_bad_ms {
        object.insert("first_bad_ms", time);
    }
    Value::Object(object)
}

fn strings(list: &[String]) -> Value<'static> {
    Value::Array(list.iter().map(|text| Value::from(text.clone())).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_told_in_utc() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_259_242_364, "2026-11-21T11:07:22.364Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(super::utc(ms), text);
        }
    }
}
