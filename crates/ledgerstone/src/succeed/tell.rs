//! What people and programs are told.

use std::path::Path;

use evidence::predecessor::Predecessor;
use evidence::sightings::Head;
use serde_json::{Value, json};

use super::Old;
use crate::cli;
use crate::failure::Failure;
use crate::server::Plan;
use crate::terminal::{self, Paint, escape};

/// Who has seen how far.
pub(super) fn table(args: &cli::Succeed, old: &Old, chosen: Option<&Head>) -> Result<(), Failure> {
    if args.json {
        return crate::client::json::print(&value(old, chosen));
    }
    let paint = Paint::for_stdout();
    let mut text = format!("the old ledger  {}\n", escape(&old.origin));
    for key in &old.keys {
        text += &format!("its key         {}\n", escape(&key.to_string()));
    }
    text += "\nhow far each party saw it\n";
    let mut rows = Vec::new();
    for head in &old.seen.heads {
        let cosigned = match (head.quorum, head.cosigned.is_empty()) {
            (true, _) => format!("quorum: {}", head.cosigned.join(", ")),
            (false, false) => format!("no quorum: {}", head.cosigned.join(", ")),
            (false, true) => "-".to_owned(),
        };
        for (at, party) in head.parties.iter().enumerate() {
            let first = |text: String| if at == 0 { text } else { String::new() };
            rows.push(vec![
                first(head.id()),
                first(escape(&cosigned).into_owned()),
                escape(party).into_owned(),
            ]);
        }
    }
    text += &terminal::table(&["checkpoint", "cosigned", "who has it"], &rows, paint);
    let others = old.seen.refused.iter().map(|(party, why)| ("does not count", party, why));
    let silent = old.silent.iter().map(|(party, why)| ("says nothing", party, why));
    for (what, party, why) in others.chain(silent) {
        text += &format!("{what}: {}: {}\n", escape(party), escape(why));
    }
    for store in &old.stores {
        if let Some(ledger) = store.report.ledgers.iter().find(|ledger| ledger.origin == old.origin) {
            text += &format!("{}: {}", escape(&store.path.display().to_string()), ledger.size);
            text += &match ledger.uncommitted {
                0 => " entries".to_owned(),
                more => format!(" entries, and {more} that no checkpoint covers"),
            };
            text += &format!(", {}\n", store.report.verdict().word());
        }
    }
    if let Some(head) = chosen {
        let why = match (&args.choose, head.quorum) {
            (Some(_), _) => "as you say",
            (None, true) => "the newest that a quorum has cosigned",
            (None, false) => "the newest",
        };
        text += &format!("\n{}  {}: {why}\n", paint.bold("to be continued"), head.id());
    }
    Ok(terminal::print(&text)?)
}

fn value(old: &Old, chosen: Option<&Head>) -> Value {
    let head = |head: &Head| {
        json!({
            "id": head.id(), "size": head.size, "root": head.root.to_base64(), "parties": head.parties,
            "cosigned": head.cosigned, "quorum": head.quorum, "checkpoint": head.note,
        })
    };
    let heads: Vec<Value> = old.seen.heads.iter().map(head).collect();
    let pairs = |list: &[(String, String)]| -> Vec<Value> {
        list.iter().map(|(party, why)| json!({"party": party, "why": why})).collect()
    };
    let contradictions: Vec<Value> = old
        .seen
        .contradictions
        .iter()
        .map(|contradiction| json!({"checkpoints": contradiction.heads, "why": contradiction.why}))
        .collect();
    json!({
        "begun": false, "origin": old.origin, "checkpoints": heads, "refused": pairs(&old.seen.refused),
        "silent": pairs(&old.silent), "contradictions": contradictions, "chosen": chosen.map(Head::id),
    })
}

/// The new ledger, and what to do next.
pub(super) struct Begun<'a> {
    pub name: &'a str,
    pub origin: String,
    pub vkey: String,
    pub old: Predecessor,
    pub plan: &'a Plan,
    /// A store of the old ledger.
    pub from: Option<&'a Path>,
}

impl Begun<'_> {
    pub(super) fn tell(&self, args: &cli::Succeed) -> Result<(), Failure> {
        let data = self.plan.data.display().to_string();
        let held = self.plan.options.gates.has(self.name);
        if args.json {
            return crate::client::json::print(&json!({
                "begun": true, "ledger": self.name, "origin": self.origin, "vkey": self.vkey,
                "data": data, "held": held,
                "continues": {
                    "origin": self.old.origin, "tree_size": self.old.size, "root": self.old.root,
                    "checkpoint": self.old.note,
                },
            }));
        }
        let paint = Paint::for_stdout();
        let mut text = format!("\n{}\n", paint.green("begun"));
        text += &format!("  ledger            {} in {}\n", self.name, escape(&data));
        text += &format!("  continues         {} at {} entries\n", escape(&self.old.origin), self.old.size);
        text += &format!("  origin            {}\n", self.origin);
        text += &format!("  verification key  {}\n", self.vkey);
        let keys = args.keys.as_ref().map(|keys| format!(" --keys {}", keys.display())).unwrap_or_default();
        let ledger = if self.name == "main" { String::new() } else { format!(" --ledger {}", self.name) };
        let from = self.from.map_or_else(|| "OLD".to_owned(), |from| from.display().to_string());
        let mut steps =
            vec!["write the verification key down and tell it to whoever verifies this ledger".to_owned()];
        if held {
            steps.push(
                "give each witness this verification key: until a quorum knows it nothing is signed"
                    .to_owned(),
            );
        }
        steps.extend([
            format!("start it: ledgerstone up --data {data}{keys}{ledger}"),
            "admit its sources and give out tokens again: none was taken over".to_owned(),
            "let sources send again what is missing; the receipts that they kept tell what that is"
                .to_owned(),
            format!("show that it continues the old one: ledgerstone verify {data} --predecessor {from}"),
            "keep what is left of the old ledger as it is, read-only, with its keys".to_owned(),
        ]);
        text += "\nnext\n";
        for (at, step) in steps.iter().enumerate() {
            text += &format!("  {}. {}\n", at + 1, escape(step));
        }
        Ok(terminal::print(&text)?)
    }
}
