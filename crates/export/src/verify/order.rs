//! E7, E9 and E10 over all records, in order of index, as the parts come in.

use std::collections::BTreeMap;

use record::entry::{Entry, Kind};

use crate::anchors::RangeProof;
use crate::manifest::Manifest;
use crate::range::{Fold, cover};
use crate::row::Reason;
use crate::tally::Tally;
use crate::verify::report::{Check, Damage, Report};
use crate::verify::rows::Head;

/// Holes in sequences that are told one by one.
const MAX_HOLES: usize = 1000;

/// An entry of the file that is not of the selection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside {
    pub index: u64,
    pub received_ms: Option<u64>,
    /// The entry before or after a range, which may stand in `control.ndjson` too.
    pub neighbour: bool,
}

/// What is known of the records so far.
pub(super) struct Order<'a> {
    manifest: &'a Manifest,
    pub tally: Tally,
    fold: Option<Fold>,
    next: u64,
    received_ms: u64,
    /// In order of index; those from `at` on are still to come.
    beside: Vec<Beside>,
    at: usize,
    /// By the record that is said to have erased: the first record that says so.
    erased: BTreeMap<u64, u64>,
    pub erasers: Vec<u64>,
    /// Holes in sequences, and how many there are; damage only if every entry is understood.
    holes: Vec<Damage>,
    hole_count: u64,
    /// Whether there are entries of an unknown version or kind, which a sequence may lack and a count may have.
    pub has_unknown: bool,
    /// The first part that could not be read to its end, or not every line of it: what rests on all records can't be
    /// told any more, and is not told as further damage.
    lost: Option<String>,
    /// The same of `control.ndjson`.
    unheard: Option<String>,
    /// Whether records may be missing right before the next one for that reason.
    pub skips: bool,
}

impl<'a> Order<'a> {
    pub(super) fn new(
        manifest: &'a Manifest,
        range: Option<&RangeProof>,
        mut beside: Vec<Beside>,
        report: &mut Report,
    ) -> Self {
        beside.sort_by_key(|beside| (beside.index, beside.neighbour));
        for pair in beside.windows(2).filter(|pair| pair[0].index == pair[1].index && !pair[1].neighbour) {
            let what = "an index that is in two lines of the file";
            report.find(Damage::new(Check::Place, "control.ndjson", what).index(pair[1].index));
        }
        let mut fold = range.map(|_| Fold::default());
        if let (Some(range), Some(fold)) = (range, &mut fold) {
            let subtrees = cover(0..range.from);
            if subtrees.len() != range.left.len() {
                let what = format!("left has {} hashes where {} belong", range.left.len(), subtrees.len());
                report.find(Damage::new(Check::Place, "range.json", what));
            }
            for (subtree, hash) in subtrees.into_iter().zip(&range.left) {
                fold.push(subtree, *hash);
            }
        }
        let next = manifest.selection.from;
        let tally = Tally::default();
        Self {
            manifest,
            tally,
            fold,
            next,
            received_ms: 0,
            beside,
            at: 0,
            erased: BTreeMap::new(),
            erasers: Vec::new(),
            holes: Vec::new(),
            hole_count: 0,
            has_unknown: false,
            lost: None,
            unheard: None,
            skips: false,
        }
    }

    /// Not every record of this member could be read; whether it is a part of the selection.
    pub(super) fn lose(&mut self, member: &str, selected: bool) {
        if !selected {
            self.unheard = Some(member.to_owned());
            return;
        }
        self.lost.get_or_insert_with(|| member.to_owned());
        self.skips = true;
        // No root can be made of what is left.
        self.fold = None;
    }

    /// Takes the next record.
    pub(super) fn take(&mut self, head: &Head, member: &str, report: &mut Report) {
        let at =
            |check: Check, what: String| Damage::new(check, member, what).line(head.line).index(head.index);
        let selection = &self.manifest.selection;
        let in_place = match selection.query {
            None => head.index == self.next || self.skips && head.index > self.next,
            Some(_) => head.index >= self.next,
        };
        if !in_place {
            let what = format!("index {} where {} must be", head.index, self.next);
            report.find(at(Check::Place, what));
        } else if head.index >= selection.end {
            report.find(at(Check::Place, format!("beyond the selection, which ends at {}", selection.end)));
        }
        match &mut self.fold {
            Some(fold) if in_place => fold.leaf(head.leaf),
            // What is not in its place was told; no root can be made of it.
            Some(_) => self.fold = Some(Fold::default()),
            None => {}
        }
        self.next = head.index.saturating_add(1);
        self.pass(head.index, report);
        if self.beside.get(self.at).is_some_and(|beside| beside.index == head.index) {
            self.at += 1;
            report.find(at(Check::Place, "an index that is in two lines of the file".to_owned()));
        }
        self.has_unknown |= head.is_unknown;
        let Some(entry) = &head.entry else { return };
        self.time(entry.received_ms, member, Some(head.line), head.index, report);
        self.count(entry, head, &at, report);
    }

    fn count(
        &mut self,
        entry: &Entry,
        head: &Head,
        at: &dyn Fn(Check, String) -> Damage,
        report: &mut Report,
    ) {
        let selection = &self.manifest.selection;
        let received = entry.received_ms;
        if selection.from_ms.is_some_and(|from| received < from)
            || selection.to_ms.is_some_and(|to| received >= to)
        {
            report.find(at(Check::Place, "received outside the time of the selection".to_owned()));
        }
        if let Some(Reason::Erased(by) | Reason::Expired(by)) = head.reason {
            self.erased.entry(by).or_insert(head.index);
        }
        if entry.kind == Kind::Erase {
            self.erasers.push(head.index);
        }
        // More sources than the manifest has are wrong already: what follows is not kept.
        if self.tally.sources_seen() > self.manifest.sources.len() {
            return;
        }
        let before = self.tally.add(entry, head.reason);
        if let (Some(before), None, None) = (before, &selection.query, &self.lost)
            && before.checked_add(1) != Some(entry.sequence)
        {
            let (source, epoch, sequence) = (entry.source, entry.epoch, entry.sequence);
            let what = format!("source {source} epoch {epoch}: sequence {sequence} follows {before}");
            self.hole_count += 1;
            if self.holes.len() < MAX_HOLES {
                self.holes.push(at(Check::Order, what));
            }
        }
    }

    /// Goes past entries beside the selection that come before `index`.
    fn pass(&mut self, index: u64, report: &mut Report) {
        while let Some(beside) = self.beside.get(self.at).copied().filter(|beside| beside.index < index) {
            self.at += 1;
            let member = if beside.neighbour { "range.json" } else { "control.ndjson" };
            if let Some(received) = beside.received_ms {
                self.time(received, member, None, beside.index, report);
            }
        }
    }

    fn time(&mut self, received: u64, member: &str, line: Option<u64>, index: u64, report: &mut Report) {
        if received < self.received_ms {
            let damage =
                Damage::new(Check::Order, member, "received before the entry ahead of it").index(index);
            report.find(Damage { line, ..damage });
        }
        self.received_ms = received;
    }

    /// All records are in.
    pub(super) fn finish(mut self, range: Option<&RangeProof>, report: &mut Report) {
        self.pass(u64::MAX, report);
        let selection = &self.manifest.selection;
        if let Some(range) = range.filter(|_| self.lost.is_none()) {
            if self.next < selection.end {
                let what = format!("the records end before index {}, at {}", selection.end, self.next);
                report.find(Damage::new(Check::Place, "range.json", what).index(self.next));
            }
            let subtrees = cover(range.end..self.manifest.size);
            let fits = subtrees.len() == range.right.len();
            let mut fold = self.fold.take().unwrap_or_default();
            let joined =
                subtrees.into_iter().zip(&range.right).all(|(subtree, hash)| fold.push(subtree, *hash));
            if !fits
                || !joined
                || fold.size() != self.manifest.size
                || fold.root() != Some(self.manifest.root)
            {
                let what = "the entries of the range and the subtrees beside it do not make the root of the checkpoint";
                report.find(Damage::new(Check::Place, "range.json", what));
            }
        }
        if let (Some(member), Some(_)) = (&self.lost, range) {
            report.unchecked(member, "that every index has its record");
        }
        if let Some(member) = self.lost.as_ref().or(self.unheard.as_ref()) {
            report.unchecked(member, "sequences behind it, erasures, counts, sources and gaps");
            let holes = if self.has_unknown { (0, Vec::new()) } else { (self.hole_count, self.holes) };
            report.merge(holes.0, holes.1, Vec::new());
            return;
        }
        let known = |by: &u64| self.erasers.contains(by);
        for (by, index) in self.erased.iter().filter(|(by, _)| !known(by)) {
            let what = format!("no erase record in this file has index {by}");
            report.find(Damage::new(Check::Record, "events", what).index(*index));
        }
        if let Some((by, index)) = self.erased.iter().find(|(by, _)| known(by)) {
            report.undecided(format!("whether the erase record at {by} covers index {index} can't be told"));
        }
        if self.has_unknown {
            report.undecided(
                "entries that are not understood may be those that a sequence lacks or a count has"
                    .to_owned(),
            );
            return;
        }
        report.merge(self.hole_count, std::mem::take(&mut self.holes), Vec::new());
        self.compare(report);
    }

    /// E10.
    fn compare(&self, report: &mut Report) {
        let wrong = |what: String| Damage::new(Check::Counts, "manifest.json", what);
        let (said, counted) = (self.manifest.counts.named(), self.tally.counts.named());
        for ((name, said), (_, counted)) in
            said.into_iter().zip(counted).filter(|(said, counted)| said != counted)
        {
            report.find(wrong(format!("{said} {name} are said to be here, {counted} are")));
        }
        match self.tally.sources() {
            Err((source, epoch)) => {
                report.find(wrong(format!("no record in this file admits source {source} epoch {epoch}")));
            }
            Ok(counted) if counted != self.manifest.sources => {
                let pairs = counted.iter().zip(&self.manifest.sources);
                let other =
                    pairs.map(|(counted, _)| counted).zip(&self.manifest.sources).find(|(a, b)| a != b);
                let what = match other {
                    Some((counted, _)) => format!(
                        "sources: source {} epoch {} is not as the records have it",
                        counted.source, counted.epoch
                    ),
                    None => format!(
                        "{} sources are listed, {} are here",
                        self.manifest.sources.len(),
                        counted.len()
                    ),
                };
                report.find(wrong(what));
            }
            Ok(_) => {}
        }
        if self.tally.gaps() != self.manifest.gaps {
            report.find(wrong("gaps are not those on record in this file".to_owned()));
        }
    }
}
