//! What people read: `README.txt` and `summary.html`. Nothing rests on them, and nothing in them runs: no script, no
//! picture, no link, and every text from outside spelt out and escaped.

use std::fmt::Write as _;

use record::control::{Control, GapCause};
use record::facet::Facet;
use tlog::{KeyStatement, Note};

use crate::manifest::{Manifest, word};
use crate::text::{hex, tame};
use crate::writer::About;

/// Something missing or odd that the ledger put on record.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    index: u64,
    received_ms: u64,
    what: String,
}

impl Told {
    /// What a reader should know of; `None` for the rest.
    pub(crate) fn of(index: u64, received_ms: u64, control: &Control) -> Option<Self> {
        let what = match control {
            Control::Gap(gap) => {
                let mut what = match gap.cause {
                    GapCause::Downtime => "the server did not run".to_owned(),
                    GapCause::Suspended => "the server ran and could not record".to_owned(),
                    GapCause::Sequence => "numbers of a source are missing".to_owned(),
                };
                for (name, number) in [("source", gap.source), ("epoch", gap.epoch)]
                    .map(|(n, v)| (n, v.map(u64::from)))
                    .into_iter()
                    .chain([("from number", gap.from_sequence), ("to number", gap.to_sequence)])
                {
                    if let Some(number) = number {
                        let _ = write!(what, ", {name} {number}");
                    }
                }
                for (name, ms) in [("from", gap.from_ms), ("until", gap.to_ms)] {
                    if let Some(ms) = ms {
                        let _ = write!(what, ", {name} {}", utc(ms));
                    }
                }
                if !gap.detail.is_empty() {
                    let _ = write!(what, ": {}", gap.detail);
                }
                what
            }
            Control::Clock(clock) => format!(
                "the clock showed {} where {} was expected",
                utc(clock.wall_ms),
                utc(clock.expected_ms)
            ),
            Control::Timestamp(stamp) => format!(
                "{} says that the first {} entries existed at {}",
                stamp.authority,
                stamp.size,
                utc(stamp.gen_time_ms)
            ),
            Control::Cut(cut) => {
                format!("{} bytes that were never acknowledged were set aside after a crash", cut.length)
            }
            Control::Refusal(refusal) => refusal.detail.clone(),
            _ => return None,
        };
        Some(Self { index, received_ms, what })
    }
}

/// The key that a record says is the ledger's from then on.
pub(crate) fn key_named(control: &Control) -> Option<String> {
    match control {
        Control::Genesis(genesis) => Some(genesis.log_vkey.clone()),
        Control::Key(change) => {
            let statement = Note::parse(change.statement.as_bytes()).ok();
            let statement = statement.and_then(|note| KeyStatement::parse(note.text()).ok());
            Some(statement.map_or_else(|| "not readable".to_owned(), |statement| statement.key.to_string()))
        }
        _ => None,
    }
}

/// `README.txt`.
pub(crate) fn readme(about: &About) -> String {
    let label = match &about.selection.query {
        Some(_) => {
            "\nThis file is the answer to a query: a selection; completeness of the match is not provable.\n"
        }
        None => "",
    };
    format!(
        "EVIDENCE FROM A LEDGERSTONE AUDIT LOG

case: {}
{label}
This archive holds records of an audit log, and proofs that they are what the log
recorded. It can be checked without a network and without trusting who made it.

How to check it
  1. Get the verification key of the log from somebody you trust, not from this file.
  2. Get a verifier from a source of your own: ledgerstone-verify, the script in
     verifiers/python of the project, or the page that runs in a browser.
  3. ledgerstone-verify --key KEY THIS-FILE
     It ends with 0 (proven), 1 (disproven) or 2 (undecidable).

What is in it
  checkpoint      the signed tree head that every proof leads to
  anchors.ndjson  earlier checkpoints and timestamps
  range.json      where the records lie in the log; shows that none between is missing
  events/         the records, one a line; entry, payload, and what opens its hashes
  control.ndjson  what the log says about itself: its keys, sources, gaps, clock jumps
  summary.html    for people; nothing rests on it
  manifest.json   the hashes of all of it, counts, sources, who made it and why
  manifest.note   the log's signature over the manifest

Facets that were left out are there as salted hashes: the rest still verifies, and
nobody can confirm a guess. The format is docs/evidence-file.md of the project.
",
        tame(&about.case)
    )
}

/// `summary.html`.
pub(crate) fn summary(
    manifest: &Manifest,
    told: &[Told],
    keys: &[(u64, String)],
    checkpoint: &str,
    anchors: usize,
) -> String {
    let mut page = Page(String::with_capacity(8192));
    page.raw(HEAD);
    let selection = &manifest.selection;
    page.raw("<h1>Evidence from an audit log</h1>\n<p class=\"case\">");
    page.text(&manifest.case);
    page.raw("</p>\n");
    match &selection.query {
        None => page.raw(
            "<p class=\"kind\"><b>A range.</b> Every index between its ends has its record here; the proof is in the file.</p>\n",
        ),
        Some(query) => {
            page.raw("<p class=\"kind query\"><b>A selection; completeness of the match is not provable.</b> Asked for: <code>");
            page.text(query);
            page.raw("</code></p>\n");
        }
    }
    page.raw(
        "<p class=\"note\">This page is for reading. What counts is the verdict of a verifier that you got elsewhere, \
         given a key that you got elsewhere.</p>\n<h2>What, for whom and why</h2>\n<table>\n",
    );
    page.row("Exported", &utc(manifest.exported_ms));
    page.row("By", &format!("{} (token {})", manifest.exporter_label, manifest.exporter_id));
    page.row("Purpose", &manifest.purpose);
    page.row("Ledger", &manifest.origin);
    page.row("Its key", &manifest.vkey);
    page.row("Its id", &hex(&manifest.ledger_id));
    page.row("Indexes", &format!("{} to {}", selection.from, selection.end.saturating_sub(1)));
    if let Some(ms) = selection.from_ms {
        page.row("Received from", &utc(ms));
    }
    if let Some(ms) = selection.to_ms {
        page.row("Received before", &utc(ms));
    }
    page.row("Checkpoint", &format!("{} entries, root {}", manifest.size, manifest.root.to_base64()));
    page.row("Program", &manifest.program);
    page.raw("</table>\n");
    key_history(&mut page, keys);
    page.raw("<h2>Records</h2>\n<table>\n");
    for (name, count) in manifest.counts.named() {
        page.row(name, &count.to_string());
    }
    page.raw("</table>\n");
    withheld(&mut page, &manifest.withheld);
    page.raw("<h2>Sources</h2>\n<table>\n<tr><th>Source</th><th>Epoch</th><th>Numbered by</th><th>First</th><th>Last</th><th>Records</th></tr>\n");
    for source in &manifest.sources {
        let numbering = source.numbering.map_or("the ledger itself", word);
        let cells = [
            source.source.to_string(),
            source.epoch.to_string(),
            numbering.to_owned(),
            source.first.to_string(),
            source.last.to_string(),
            source.count.to_string(),
        ];
        page.cells(&cells);
    }
    page.raw(
        "</table>\n<p class=\"note\">Only of a source that numbers its own events can be said that none of them is missing \
         before it got here.</p>\n<h2>Gaps and oddities on record</h2>\n",
    );
    if told.is_empty() {
        page.raw("<p>None.</p>\n");
    } else {
        page.raw("<table>\n<tr><th>Index</th><th>Recorded</th><th>What</th></tr>\n");
        for told in told {
            page.cells(&[told.index.to_string(), utc(told.received_ms), told.what.clone()]);
        }
        page.raw("</table>\n");
    }
    tier(&mut page, checkpoint, anchors);
    page.raw("</main>\n</body>\n</html>\n");
    page.0
}

fn key_history(page: &mut Page, keys: &[(u64, String)]) {
    if keys.len() < 2 {
        return;
    }
    page.raw(
        "<h2>Its keys, one after the other</h2>\n<table>\n<tr><th>Named at index</th><th>Key</th></tr>\n",
    );
    for (index, vkey) in keys {
        page.cells(&[index.to_string(), vkey.clone()]);
    }
    page.raw(
        "</table>\n<p class=\"note\">Each change is signed by the authority that the first record names, over a checkpoint \
         signed by the key before. Whoever knows any of these keys from elsewhere can check this file with it.</p>\n",
    );
}

fn withheld(page: &mut Page, withheld: &[Facet]) {
    if withheld.is_empty() {
        return page.raw("<p>Nothing was withheld.</p>\n");
    }
    let names: Vec<&str> = withheld.iter().map(|facet| facet.name()).collect();
    page.raw("<p>Withheld by whoever exported, here as salted hashes only: <b>");
    page.text(&names.join(", "));
    page.raw("</b>.</p>\n");
}

/// What the signatures in the file can and can't show.
fn tier(page: &mut Page, checkpoint: &str, anchors: usize) {
    page.raw("<h2>What this can and can't show</h2>\n<ul>\n");
    page.raw(
        "<li>Any record that was altered, removed, added or moved since the checkpoint was signed is seen.</li>\n\
         <li>What a source never sent is not seen, but for holes in its own numbering.</li>\n",
    );
    let cosigned =
        Note::parse(checkpoint.as_bytes()).map_or(0, |note| note.signatures().len().saturating_sub(1));
    match cosigned {
        0 => page.raw(
            "<li><b>Tier: local only.</b> Nobody but the ledger itself has signed the checkpoint. A history written anew by \
             somebody who holds its key, or an older copy of it, can't be told from this file alone: compare it with a \
             receipt or checkpoint that was kept elsewhere.</li>\n",
        ),
        count => {
            page.raw("<li><b>Tier: cosigned.</b> The checkpoint carries ");
            page.text(&count.to_string());
            page.raw(
                " signatures beside the ledger's own. Given the witnesses' keys, a verifier says whose they are. What they \
                 have seen can't have been written anew since without them.</li>\n",
            );
        }
    }
    page.raw("<li>Earlier checkpoints and timestamps in this file: ");
    page.text(&anchors.to_string());
    page.raw(".</li>\n</ul>\n");
}

struct Page(String);

impl Page {
    /// Text of our own.
    fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }

    /// Text from outside.
    fn text(&mut self, text: &str) {
        for c in tame(text).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
    }

    fn row(&mut self, name: &str, value: &str) {
        self.raw("<tr><th scope=\"row\">");
        self.text(name);
        self.raw("</th><td>");
        self.text(value);
        self.raw("</td></tr>\n");
    }

    fn cells(&mut self, cells: &[String]) {
        self.raw("<tr>");
        for cell in cells {
            self.raw("<td>");
            self.text(cell);
            self.raw("</td>");
        }
        self.raw("</tr>\n");
    }
}

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evidence from an audit log</title>
<style>
:root { color-scheme: light dark; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; background: #f5f5f2; color: #1c1f23; }
main { max-width: 56rem; margin: 2rem auto; padding: 2rem 2.5rem; background: #fff; border: 1px solid #ddd; border-radius: 8px; }
h1 { margin: 0; font-size: 1.6rem; }
h2 { margin: 2rem 0 .5rem; font-size: 1.1rem; border-bottom: 2px solid #c9c9c4; }
.case { margin: .2rem 0 1.2rem; font-size: 1.1rem; color: #555; overflow-wrap: anywhere; }
.kind { padding: .6rem .9rem; border-left: 4px solid #3b6ea5; background: #eef3f8; }
.query { border-color: #b07a00; background: #fbf4e2; }
.note { color: #555; font-size: .93rem; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #e8e8e4; overflow-wrap: anywhere; }
th[scope=row] { width: 11rem; font-weight: 600; white-space: nowrap; }
code { font-family: ui-monospace, monospace; }
@media (prefers-color-scheme: dark) {
  body { background: #16181b; color: #e6e6e3; }
  main { background: #1f2226; border-color: #33373c; }
  th, td, h2 { border-color: #3a3f45; }
  .case, .note { color: #aaa; }
  .kind { background: #1b2a3a; }
  .query { background: #352a10; }
}
@media print { body { background: #fff; } main { border: 0; margin: 0; } }
</style>
</head>
<body>
<main>
"#;

/// Unix milliseconds as RFC 3339 in UTC, to the millisecond, by the civil calendar: days are counted from 0000-03-01, so
/// that the leap day is the last of its year.
pub fn utc(ms: u64) -> String {
    let (days, of_day) = (ms / 86_400_000 + 719_468, ms % 86_400_000);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!(
        "{:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}.{:03}Z",
        era * 400 + year + next,
        of_day / 3_600_000,
        of_day / 60_000 % 60,
        of_day / 1000 % 60,
        of_day % 1000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_can_act() {
        let mut page = Page(String::new());
        page.text("<script>\"'&\u{1b}[31m\u{202e}abc\u{200b}\n");
        assert_eq!(page.0, "&lt;script&gt;&quot;&#39;&amp;\\u{1b}[31m\\u{202e}abc\\u{200b}\\u{a}");
    }

    #[test]
    fn times_are_told_in_utc() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_001, "2000-02-29T00:00:00.001Z"),
            (1_795_259_242_364, "2026-11-21T11:07:22.364Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(utc(ms), text);
        }
    }
}
