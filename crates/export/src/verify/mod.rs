//! All checks over an evidence file: `docs/evidence-file.md` section 6, E1 to E13.
//!
//! Parts with records are read by several threads at once, and what is kept of them is taken in their order; so memory is
//! bounded by a part for each thread. After damage it goes on as far as it can, since where the damage is matters too.

mod anchors;
mod cosigned;
mod keys;
mod members;
mod order;
mod place;
mod report;
mod rows;
mod said;
mod signed;
mod times;

use std::io;

use record::control::Control;
use record::entry::{Entry, Kind};
use record::facet::Facet;
use tlog::{Hash, Policy, VerifierKey};

use crate::manifest::Manifest;
use crate::zip::{Source, ZipError};
use keys::Named;
use members::{Members, README, pieces, whole};
use order::{Beside, Order};
use rows::{Class, Outcome};
use times::Gathered;

pub use evidence::verify::Verdict;
pub use report::{Check, Damage, Report};
pub use said::papers;
pub use times::{Bad, Stamped, Times, Tokens, Told};

/// What a verification is given from outside the file.
pub struct Options<'a> {
    /// The ledger's key, from somebody who is trusted.
    pub key: Option<&'a VerifierKey>,
    /// Witnesses whose cosignatures are wanted, and how many.
    pub policy: Option<&'a Policy>,
    /// Who knows certificates of time-stamp authorities.
    pub tokens: Option<&'a dyn Tokens>,
    /// How many threads may work.
    pub threads: usize,
    /// Told records done and records in all.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { key: None, policy: None, tokens: None, threads: 1, progress: &|_, _| {} }
    }
}

/// Why a member could not be read.
#[derive(Debug)]
enum Failed {
    Io(io::Error),
    Damaged(&'static str),
}

/// What records are checked against.
struct Given<'a> {
    ledger_id: &'a [u8; 32],
    size: u64,
    root: Hash,
    withheld: &'a [Facet],
}

/// Verifies a file.
pub fn verify<S: Source + ?Sized>(source: &S, options: &Options<'_>) -> Report {
    let mut report = Report { bytes: source.length().unwrap_or(0), ..Report::default() };
    let members = match Members::open(source) {
        Ok(members) => members,
        Err(ZipError::Io(error)) => {
            report.undecided(format!("the file can't be read: {error}"));
            return report;
        }
        Err(ZipError::Damaged(what, offset)) => {
            report.find(Damage::new(Check::Container, "archive", format!("{what}, byte {offset}")));
            return report;
        }
    };
    let mut run = Run { source, options, members, report, lost: None, gathered: Gathered::default() };
    if let Some((manifest, vkey)) = run.manifest() {
        run.contents(&manifest, vkey.as_ref());
        run.report.manifest = Some(manifest);
    }
    run.report
}

struct Run<'a, S: ?Sized> {
    source: &'a S,
    options: &'a Options<'a>,
    members: Members,
    report: Report,
    /// The first member with records of which not every line could be read.
    lost: Option<String>,
    gathered: Gathered,
}

impl<S: Source + ?Sized> Run<'_, S> {
    /// Everything that the manifest names.
    fn contents(&mut self, manifest: &Manifest, vkey: Option<&VerifierKey>) {
        for at in [README, self.members.summary()] {
            let row = self.members.rows[at].clone();
            let read = pieces(self.source, &row, &mut |_| Ok(()));
            self.hashed(at, read, manifest);
        }
        let checkpoint = self.checkpoint(manifest, vkey);
        let range = self.range(manifest);
        let given = Given {
            ledger_id: &manifest.ledger_id,
            size: manifest.size,
            root: manifest.root,
            withheld: &manifest.withheld,
        };
        let control_at = self.members.control();
        let control = rows::check(self.source, &self.members.rows[control_at], Class::Control, &given);
        let mut beside = self.neighbours(manifest, range.as_ref());
        beside.extend(control.heads.iter().filter(|_| !control.is_broken).map(|head| Beside {
            index: head.index,
            received_ms: head.entry.map(|entry| entry.received_ms),
            neighbour: false,
        }));
        if !control.is_broken && control.heads.windows(2).any(|pair| pair[0].index >= pair[1].index) {
            self.find(Check::Control, "control.ndjson", "lines are not in rising order of index");
        }
        let mut order = Order::new(manifest, range.as_ref(), beside, &mut self.report);
        let erases = |entry: &Entry| entry.kind == Kind::Erase;
        let heads = control.heads.iter().filter(|head| head.entry.as_ref().is_some_and(erases));
        order.erasers.extend(heads.map(|head| head.index));
        let mut named = Named::default();
        order.has_unknown |= control.heads.iter().any(|head| head.is_unknown);
        self.took(control_at, control, manifest, &mut order, &mut named, false);
        let class = if manifest.selection.query.is_some() { Class::Query } else { Class::Range };
        self.parts(manifest, &given, class, &mut order, &mut named);
        order.finish(range.as_ref(), &mut self.report);
        let has_unknown = named.has_unknown || self.lost.is_some();
        let history = self.keys(manifest, named, vkey);
        self.pinned(history.as_ref(), has_unknown, vkey);
        self.anchors(manifest, checkpoint.as_ref(), history.as_ref());
        self.report.history = history;
        self.policy(manifest);
        self.times(manifest, checkpoint.as_ref());
    }

    /// E6 for all parts, some at a time.
    fn parts(
        &mut self,
        manifest: &Manifest,
        given: &Given<'_>,
        class: Class,
        order: &mut Order<'_>,
        named: &mut Named,
    ) {
        let total = manifest.counts.total();
        let (source, threads) = (self.source, self.options.threads.max(1));
        let parts: Vec<usize> = self.members.parts.clone().collect();
        let mut done = 0;
        for some in parts.chunks(threads) {
            let rows = &self.members.rows;
            let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
                let (first, others) = (some[0], &some[1..]);
                let work = |at: usize| rows::check(source, &rows[at], class, given);
                let running: Vec<_> = others.iter().map(|at| (*at, scope.spawn(move || work(*at)))).collect();
                let mut outcomes = vec![work(first)];
                // A thread that could not finish is one part read again: nothing is passed over.
                outcomes.extend(running.into_iter().map(|(at, run)| run.join().unwrap_or_else(|_| work(at))));
                outcomes
            });
            for (at, outcome) in some.iter().zip(outcomes) {
                done += outcome.heads.len() as u64;
                self.took(*at, outcome, manifest, order, named, true);
                (self.options.progress)(done, total);
            }
        }
    }

    /// Takes in what was found in a member, in its order.
    fn took(
        &mut self,
        at: usize,
        outcome: Outcome,
        manifest: &Manifest,
        order: &mut Order<'_>,
        named: &mut Named,
        selected: bool,
    ) {
        if let Some(sha256) = outcome.sha256 {
            self.hashed(at, Ok(sha256), manifest);
        }
        self.hear_times(&outcome, manifest);
        let name = &self.members.rows[at].name;
        self.report.records += outcome.good;
        named.hear(&outcome);
        if outcome.lost {
            order.lose(name, selected);
            self.lost.get_or_insert_with(|| name.clone());
        }
        // What came out of damaged data says nothing about the order of records.
        for head in outcome.heads.iter().filter(|_| selected && !outcome.is_broken) {
            order.take(head, name, &mut self.report);
            order.skips = outcome.lost;
        }
        for (index, control) in outcome.controls {
            order.tally.hear(index, &control);
            self.report.timestamps += usize::from(matches!(control, Control::Timestamp(_)));
        }
        self.report.merge(outcome.damaged, outcome.damage, outcome.undecided);
    }

    /// The data of a member has the hash that the manifest says.
    fn hashed(&mut self, at: usize, read: Result<[u8; 32], Failed>, manifest: &Manifest) {
        let name = self.members.rows[at].name.clone();
        match read {
            Ok(sha256) => {
                if manifest.members.get(at).is_none_or(|member| member.sha256 != sha256) {
                    self.find(Check::Manifest, &name, "its data has another hash than the manifest says");
                }
            }
            Err(Failed::Damaged(what)) => self.find(Check::Container, &name, what),
            Err(Failed::Io(error)) => self.report.undecided(format!("{name} can't be read: {error}")),
        }
    }

    fn whole(&mut self, at: usize) -> Option<(Vec<u8>, [u8; 32])> {
        let row = self.members.rows[at].clone();
        match whole(self.source, &row) {
            Ok(found) => Some(found),
            Err(Failed::Damaged(what)) => {
                self.find(Check::Container, &row.name, what);
                None
            }
            Err(Failed::Io(error)) => {
                self.report.undecided(format!("{} can't be read: {error}", row.name));
                None
            }
        }
    }

    fn find(&mut self, check: Check, member: &str, what: impl std::fmt::Display) {
        self.report.find(Damage::new(check, member, what));
    }
}
