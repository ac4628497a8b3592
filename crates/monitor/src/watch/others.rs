//! What others were shown of the same log.

use crate::finding::{Finding, Kind, both};
use crate::source::Source;
use crate::watch::{AGAIN, Asked, LookError, MAX_NOTE, Signed, Watch};

impl Watch<'_> {
    /// Holds checkpoints that others have seen against the log: each must be of one history with what it shows us.
    ///
    /// # Errors
    /// There is no telling now. A note that is not by this log's key says nothing about it, and is an error too.
    pub fn compare_with(&self, notes: &[Vec<u8>]) -> Result<Vec<(Finding, String)>, LookError> {
        let Some(kept) = self.kept()? else { return Ok(Vec::new()) };
        let mut findings = Vec::new();
        for note in notes {
            let theirs = self.verify(note).map_err(LookError::Kept)?;
            if theirs.checkpoint().size > kept.checkpoint().size {
                let text = format!(
                    "others were shown {} entries, we only {}",
                    theirs.checkpoint().size,
                    kept.checkpoint().size
                );
                findings.push(both(Kind::Rollback, text, &kept.bytes, "theirs.checkpoint", note));
                continue;
            }
            self.extends(&theirs, &kept, "theirs.checkpoint", &mut findings)?;
        }
        self.keep(findings)
    }

    /// Asks witnesses what they have cosigned last (C2SP tlog-witness, `<prefix>/<origin hash>/checkpoint`): each must be
    /// of one history with what the log shows us. Gives also who could not be asked, and why.
    ///
    /// # Errors
    /// The log can't be asked, or our own state can't be read or written.
    pub fn ask_witnesses(&self, witnesses: &[(String, Box<dyn Source>)]) -> Result<Asked, LookError> {
        let mut asked = Asked::default();
        let Some(kept) = self.kept()? else { return Ok(asked) };
        let path = format!("{}/checkpoint", tlog::origin_hash(kept.checkpoint().origin.as_str()));
        let mut findings = Vec::new();
        for (name, witness) in witnesses {
            let theirs = match witness.get(&path, MAX_NOTE) {
                // It has never cosigned this log.
                Ok(None) => continue,
                Ok(Some(bytes)) => self.verify(&bytes).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            let theirs = match theirs {
                Ok(theirs) => theirs,
                Err(why) => {
                    asked.silent.push(format!("witness {name}: {why}"));
                    continue;
                }
            };
            if theirs.checkpoint().size <= kept.checkpoint().size {
                self.extends(&theirs, &kept, "theirs.checkpoint", &mut findings)?;
            } else if let Some(shown) = self.stays_below(theirs.checkpoint().size)? {
                let text = format!(
                    "witness {name} has cosigned {} entries, the log shows {}",
                    theirs.checkpoint().size,
                    shown.checkpoint().size
                );
                findings.push(both(Kind::Rollback, text, &shown.bytes, "theirs.checkpoint", &theirs.bytes));
            }
        }
        asked.findings = self.keep(findings)?;
        Ok(asked)
    }

    /// What the log shows, if it goes on showing less than it has signed: it may ask its witnesses before it publishes.
    fn stays_below(&self, size: u64) -> Result<Option<Signed>, LookError> {
        let mut shown = None;
        for pause in AGAIN {
            (self.pause)(pause);
            shown = self.fetch(&mut Vec::new())?.filter(|shown| shown.checkpoint().size < size);
            if shown.is_none() {
                break;
            }
        }
        Ok(shown)
    }
}
