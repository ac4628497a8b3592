use std::any::Any;
use std::collections::BTreeMap;

use crate::check::Summary;

/// What a campaign did and found.
#[derive(Debug, Default)]
pub struct Report {
    /// States of a store that were recovered from and checked.
    pub states: u64,
    /// Points at which the workload was disturbed.
    pub points: u64,
    /// In how many of the states a torn tail had been set aside.
    pub torn: u64,
    /// In how many of them segments were sealed.
    pub sealed: u64,
    /// What went wrong, with how often and the first place.
    failures: BTreeMap<String, (u64, String)>,
}

impl Report {
    /// Counts a state that was found in order.
    pub(super) fn good(&mut self, summary: &Summary) {
        self.states += 1;
        self.torn += u64::from(summary.set_aside > 0);
        self.sealed += u64::from(summary.ledgers.values().any(|(_, sealed, _)| *sealed > 0));
    }

    /// Counts a failure; those that differ in numbers only are one.
    pub(super) fn failed(&mut self, what: String, place: String) {
        let alike = what.replace(|c: char| c.is_ascii_digit(), "");
        self.failures.entry(alike).or_insert((0, format!("{what}, {place}"))).0 += 1;
    }

    /// Panics with all that went wrong, if anything did.
    pub fn assert_clean(&self, how: &str) {
        let mut text = String::new();
        for (what, (count, place)) in &self.failures {
            text += &format!("\n  {count} x {what}\n      first: {place}");
        }
        assert!(self.failures.is_empty(), "{} states at {} points, {how}:{text}", self.states, self.points);
    }
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("of another type").to_owned()
}
