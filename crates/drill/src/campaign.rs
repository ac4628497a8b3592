//! Runs the operators over copies of a store and judges what the verifier says.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use evidence::layout;
use evidence::verify::{Progress, Report, Verdict, hold_against};
use tlog::SigningKey;

use crate::copy::{Changes, Copy, KEYS};
use crate::map::{Map, Touched, What};
use crate::operators::{Act, Aim, Blame, Expected, Mutation, Operator, Rival};
use crate::random::Dice;
use crate::scene::Scene;
use crate::{DrillError, Miss, Plan, Row};

/// How often an operator draws again when a draw leaves the store as it was.
const DRAWS: usize = 200;
/// Most misses that are kept of one operator; all are counted.
const MISSES: usize = 20;

/// Runs each operator its number of tries and returns a row for each.
pub(crate) fn run(scene: &Scene, plan: &Plan<'_>, progress: Progress<'_>) -> Result<Vec<Row>, DrillError> {
    let copies = (0..plan.threads.max(1)).map(|at| scene.copy(at)).collect::<Result<Vec<_>, _>>()?;
    let work: Vec<(&Operator, u64)> =
        plan.operators.iter().map(|operator| (*operator, tries(scene, plan, operator))).collect();
    let total: u64 = work.iter().map(|(_, tries)| tries).sum();
    let rows: Vec<Mutex<Row>> = work.iter().map(|(operator, _)| Mutex::new(Row::of(operator))).collect();
    let (next, failed) = (AtomicU64::new(0), Mutex::new(None));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for mut copy in copies {
            let (work, rows, next, failed, stop) = (&work, &rows, &next, &failed, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((row, number)) = place(work, at) else { break };
                    let operator = work[row].0;
                    match try_once(scene, &mut copy, operator, plan.seed, number) {
                        Ok(Some(outcome)) => {
                            let mut row = rows[row].lock().unwrap_or_else(PoisonError::into_inner);
                            row.count(outcome, plan.seed, number);
                        }
                        Ok(None) => {}
                        Err(error) => {
                            stop.store(true, Ordering::Relaxed);
                            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        }
                    }
                    progress(at + 1, total);
                }
                // A copy that was not put right would have made every later answer worthless.
                let report = copy.verify();
                if !stop.load(Ordering::Relaxed) && report.verdict() != Verdict::Proven {
                    let error = DrillError::Unsound(report.damage.iter().map(ToString::to_string).collect());
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            });
        }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => {
            Ok(rows.into_iter().map(|row| row.into_inner().unwrap_or_else(PoisonError::into_inner)).collect())
        }
    }
}

/// A store is replaced once by each rival; everything else shares what is left of the tries.
fn tries(scene: &Scene, plan: &Plan<'_>, operator: &Operator) -> u64 {
    match operator.act {
        Act::Replace(rival) => u64::from(scene.rival(rival).is_some()),
        Act::Change(_) => {
            let changing = plan.operators.iter().filter(|other| matches!(other.act, Act::Change(_)));
            plan.tries.div_ceil(changing.count().max(1) as u64)
        }
    }
}

/// Which operator and try a number stands for.
fn place(work: &[(&Operator, u64)], mut at: u64) -> Option<(usize, u64)> {
    for (row, (_, tries)) in work.iter().enumerate() {
        if at < *tries {
            return Some((row, at));
        }
        at -= tries;
    }
    None
}

/// What came of one try.
pub(crate) struct Outcome {
    seen: bool,
    located: bool,
    /// Seen by whoever holds the checkpoint that the store had; `None` where nobody asked.
    pinned: Option<bool>,
    files: Vec<String>,
    offset: u64,
    said: String,
}

fn try_once(
    scene: &Scene,
    copy: &mut Copy,
    operator: &Operator,
    seed: u64,
    number: u64,
) -> Result<Option<Outcome>, DrillError> {
    let draw = match operator.act {
        Act::Replace(rival) => return replace(scene, rival),
        Act::Change(draw) => draw,
    };
    let mut aim = Aim {
        copy,
        map: &scene.map,
        foreign: (&scene.foreign, &scene.foreign_map),
        signing: &scene.signing,
        dice: Dice::of(seed, operator.name, number),
    };
    let mutation =
        (0..DRAWS).find_map(|_| draw(&mut aim).and_then(|mutation| meant(&scene.map, copy, mutation)));
    let Some(mutation) = mutation else { return Ok(None) };
    let touched = touched(&scene.map, copy, &mutation.changes);
    let applied = copy.apply(&mutation.changes);
    let report = copy.verify();
    copy.restore().and(applied).map_err(DrillError::Copy)?;
    Ok(Some(judge(&mutation, &touched, &report, copy.has_keys())))
}

/// The mutation without what it leaves as it was; `None` if nothing is left that means anything.
pub(crate) fn meant(map: &Map, copy: &Copy, mut mutation: Mutation) -> Option<Mutation> {
    mutation.changes.retain(|name, bytes| {
        let zeros = |bytes: &Vec<u8>| bytes.iter().all(|byte| *byte == 0);
        let reserve = map.find(name).is_some_and(|file| file.what == What::Reserve);
        copy.read(name).ok() != *bytes && !(reserve && bytes.as_ref().is_none_or(zeros))
    });
    (!mutation.changes.is_empty()).then_some(mutation)
}

/// Where each changed file begins to differ.
fn touched(map: &Map, copy: &Copy, changes: &Changes) -> Vec<(String, Touched)> {
    let of = |(name, new): (&String, &Option<Vec<u8>>)| {
        let old = copy.read(name).unwrap_or_default();
        let touched = map.find(name).map(|file| file.touched(map, &old, new.as_deref()));
        (name.clone(), touched.unwrap_or_default())
    };
    changes.iter().map(of).collect()
}

fn judge(mutation: &Mutation, touched: &[(String, Touched)], report: &Report, keys: bool) -> Outcome {
    let named = |file: &str| report.damage.iter().any(|damage| damage.file == file);
    let files_named = match &mutation.blame {
        Blame::Each => touched.iter().all(|(file, touched)| {
            let folder = file.rsplit_once('/').is_some_and(|(folder, _)| lost_in(report, folder, touched));
            (named(file) && touched.group.is_none_or(|group| in_group(report, file, group))) || folder
        }),
        Blame::OneOf(others) => touched.iter().map(|(file, _)| file).chain(others).any(|file| named(file)),
    };
    // Where several files agree with one another, only payloads tell which entry was meant.
    let entries_due = matches!(mutation.blame, Blame::Each) || keys;
    let units: Vec<&(String, u64, u64)> =
        touched.iter().filter_map(|(_, touched)| touched.entries.as_ref()).collect();
    let covers = |unit: &(String, u64, u64)| {
        report
            .damage
            .iter()
            .filter_map(|damage| damage.entries.as_ref())
            .any(|(ledger, first, end)| *ledger == unit.0 && *first < unit.2 && unit.1 < *end)
    };
    let entries_named = match mutation.blame {
        Blame::Each => units.iter().all(|unit| covers(unit)),
        Blame::OneOf(_) => units.is_empty() || units.iter().any(|unit| covers(unit)),
    };
    // What the report calls good must be good.
    let good = units.iter().all(|(ledger, _, end)| {
        report.ledgers.iter().all(|found| found.name != *ledger || found.good_below < (*end).max(1))
    });
    Outcome {
        seen: report.verdict() == Verdict::Disproven,
        located: files_named && (!entries_due || entries_named) && good,
        pinned: None,
        files: touched.iter().map(|(file, _)| file.clone()).collect(),
        offset: touched.first().map_or(0, |(_, touched)| touched.offset),
        said: said(report),
    }
}

/// Whether entries are told to be missing from a folder: where the record of a file's name is gone with it, nobody can
/// tell more.
fn lost_in(report: &Report, folder: &str, touched: &Touched) -> bool {
    let Some((_, first, end)) = &touched.entries else { return false };
    report
        .damage
        .iter()
        .filter(|damage| damage.file == folder)
        .any(|damage| damage.entries.as_ref().is_some_and(|(_, from, to)| from < end && first < to))
}

/// Whether damage to a write-ahead file is told within the group that was changed.
fn in_group(report: &Report, file: &str, (from, to): (u64, u64)) -> bool {
    let at = |offset: u64| from <= offset && offset <= to;
    report.damage.iter().any(|damage| damage.file == file && damage.offset.is_none_or(at))
}

/// The verdict and the places it names, on one line.
fn said(report: &Report) -> String {
    let places = report.damage.iter().map(ToString::to_string).chain(report.undecided.iter().cloned());
    let places: Vec<String> = places.take(4).collect();
    format!("{}: {}", report.verdict().word(), places.join(" | "))
}

/// Puts a rival in the store's place, and asks first the store alone, then whoever holds its checkpoint.
fn replace(scene: &Scene, rival: Rival) -> Result<Option<Outcome>, DrillError> {
    let Some(pair) = scene.rival(rival) else { return Ok(None) };
    let copy = Copy::take(&pair.data, Some(&pair.keys)).map_err(DrillError::Copy)?;
    let mut report = copy.verify();
    let seen = report.verdict() != Verdict::Proven;
    hold_against(copy.data(), &scene.kept, &mut report).map_err(DrillError::Demo)?;
    Ok(Some(Outcome {
        seen,
        located: true,
        pinned: Some(report.verdict() == Verdict::Disproven),
        files: vec!["all".to_owned()],
        offset: 0,
        said: said(&report),
    }))
}

impl Row {
    fn of(operator: &'static Operator) -> Self {
        Self { operator, tries: 0, detected: 0, located: 0, pinned: None, missed: 0, misses: Vec::new() }
    }

    fn count(&mut self, outcome: Outcome, seed: u64, number: u64) {
        self.tries += 1;
        self.detected += u64::from(outcome.seen);
        self.located += u64::from(outcome.seen && outcome.located);
        if let Some(seen) = outcome.pinned {
            let (tries, detected) = self.pinned.unwrap_or_default();
            self.pinned = Some((tries + 1, detected + u64::from(seen)));
        }
        let as_expected = match self.operator.expected {
            Expected::Seen => outcome.seen && outcome.located,
            Expected::NeedsWitness => !outcome.seen && outcome.pinned != Some(false),
            Expected::NotEvidence => !outcome.seen,
        };
        if !as_expected {
            self.missed += 1;
            if self.misses.len() < MISSES {
                let Outcome { files, offset, said, .. } = outcome;
                self.misses.push(Miss { seed, operator: self.operator.name, number, files, offset, said });
            }
        }
    }
}

/// The signing keys of the ledgers, as far as they are in the key directory.
pub(crate) fn signing_keys(copy: &Copy, map: &Map) -> Vec<Option<SigningKey>> {
    let key = |name: &str| {
        let bytes = copy.read(&format!("{KEYS}{}", layout::keys::signing(name))).ok()?;
        let (origin, seed, _) = evidence::keys::parse_signing(&bytes).ok()?;
        SigningKey::from_seed(&origin, *seed).ok()
    };
    map.registered.ledgers.iter().map(|ledger| key(&ledger.name)).collect()
}

impl From<io::Error> for DrillError {
    fn from(error: io::Error) -> Self {
        Self::Copy(error)
    }
}
