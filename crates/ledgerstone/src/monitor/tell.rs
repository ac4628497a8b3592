//! What a look at a log has shown, for people and for programs.

use std::collections::BTreeMap;
use std::path::Path;

use ::monitor::{Finding, Step};
use serde_json::{Value, json};
use tlog::Checkpoint;

use super::place::Place;
use crate::client::print_json;
use crate::failure::Failure;
use crate::terminal::{self, escape};
use crate::time::rfc3339;

/// What one look at one log has shown.
pub(super) struct Looked {
    pub origin: String,
    /// Where it was looked at.
    pub at: String,
    /// How it has got on; nothing if it could not be asked.
    pub step: Option<Step>,
    /// The newest checkpoint that was accepted.
    pub accepted: Option<Checkpoint>,
    /// What it should not have done, and where in the state that is kept.
    pub findings: Vec<(Finding, String)>,
    /// Forks that were found before.
    pub forks: Vec<(String, String)>,
    /// Why there is no answer, or none to all.
    pub trouble: Option<String>,
    /// Witnesses of the policy that gave no usable answer.
    pub silent_witnesses: Vec<String>,
    /// Whether a token would help.
    pub needs_token: bool,
    /// Entries in the mirror.
    pub mirrored: Option<u64>,
}

impl Looked {
    pub(super) fn new(place: &Place) -> Looked {
        Looked {
            origin: place.origin().to_owned(),
            at: place.source.name(),
            step: None,
            accepted: None,
            findings: Vec::new(),
            forks: Vec::new(),
            trouble: None,
            silent_witnesses: Vec::new(),
            needs_token: false,
            mirrored: None,
        }
    }

    fn json(&self, state: &Path, now_ms: u64) -> Value {
        let findings: Vec<Value> = self
            .findings
            .iter()
            .map(|(finding, place)| {
                let kept = (!place.is_empty()).then(|| state.join(place).display().to_string());
                json!({"kind": finding.kind.word(), "text": finding.text, "kept": kept})
            })
            .collect();
        let from = match self.step {
            Some(Step::Grown(from)) => Some(from),
            _ => None,
        };
        json!({
            "time": rfc3339(now_ms), "origin": self.origin, "url": self.at,
            "step": self.step.map_or("none", word), "from": from,
            "size": self.accepted.as_ref().map(|checkpoint| checkpoint.size),
            "root": self.accepted.as_ref().map(|checkpoint| checkpoint.root.to_base64()),
            "findings": findings, "forks_on_record": self.forks.len(), "mirrored": self.mirrored,
            "trouble": self.trouble, "silent_witnesses": self.silent_witnesses,
        })
    }

    fn text(&self) -> String {
        let size = self.accepted.as_ref().map_or(0, |checkpoint| checkpoint.size);
        let step = match self.step {
            Some(Step::First) => format!("{size} entries, seen for the first time"),
            Some(Step::Same) => format!("{size} entries, as before"),
            Some(Step::Grown(from)) => {
                format!("{size} entries, of which the first {from} are those seen before")
            }
            Some(Step::Refused) => format!("{size} entries; what is shown now is not accepted"),
            None => "no answer".to_owned(),
        };
        let mirrored = match self.mirrored {
            Some(_) => "; all of them checked and in the mirror",
            None => "",
        };
        format!("{}: {step}{mirrored}", self.origin)
    }
}

fn word(step: Step) -> &'static str {
    match step {
        Step::First => "first",
        Step::Same => "same",
        Step::Grown(_) => "grown",
        Step::Refused => "refused",
    }
}

/// Tells every look to programs, and to people what is new.
pub(super) struct Teller {
    json: bool,
    /// The last line for each origin.
    told: BTreeMap<String, String>,
}

impl Teller {
    pub(super) fn new(json: bool) -> Teller {
        Teller { json, told: BTreeMap::new() }
    }

    /// Something that may pass.
    pub(super) fn trouble(&mut self, text: &str) {
        self.anew("", text, |text| terminal::tell(&format!("warning: {}", escape(text))));
    }

    pub(super) fn tell(&mut self, looked: &Looked, state: &Path, now_ms: u64) -> Result<(), Failure> {
        if self.json {
            return print_json(&looked.json(state, now_ms));
        }
        let mut result = Ok(());
        self.anew(&looked.origin, &looked.text(), |text| {
            result = terminal::print(&format!("{}  {}\n", rfc3339(now_ms), escape(text)));
        });
        let wrong: Vec<String> = looked
            .findings
            .iter()
            .map(|(finding, _)| finding.to_string())
            .chain(
                looked
                    .trouble
                    .iter()
                    .chain(&looked.silent_witnesses)
                    .map(|trouble| format!("warning: {trouble}")),
            )
            .collect();
        let key = format!("{} wrong", looked.origin);
        match wrong.is_empty() {
            true => drop(self.told.remove(&key)),
            false => self.anew(&key, &wrong.join("\n"), |text| {
                text.lines().for_each(|line| terminal::tell(&escape(line)));
            }),
        }
        Ok(result?)
    }

    fn anew(&mut self, key: &str, text: &str, tell: impl FnOnce(&str)) {
        if self.told.get(key).is_none_or(|told| told != text) {
            tell(text);
            self.told.insert(key.to_owned(), text.to_owned());
        }
    }
}
