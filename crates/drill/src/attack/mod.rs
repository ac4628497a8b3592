//! The table of [`crate::claims`], cell by cell: each attack is carried out on stores that the engine has written and signed,
//! with real keys, witnesses and tokens, and each who verifies does what `verify` does. What must not be detectable is
//! asserted like what must.

mod authority;
mod judge;
mod keyring;
mod site;
mod witness;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use env::{Clock as _, SystemEnv};
use evidence::verify::{Report, Verdict};
use export::compare::Paper;
use record::receipt::Receipt;
use storage::LocalDisk;
use tlog::{Policy, VerifierKey};

use crate::campaign::meant;
use crate::claims::{Attacker, CLAIMS, Claim, Holds, Operation, Sight};
use crate::copy::{Copy, Files, bytes_in};
use crate::map::Map;
use crate::operators::{Act, Aim, OPERATORS};
use crate::random::Dice;
use crate::scene::{Folder, SPARE, sound_copy};
use crate::{DrillError, Target};
use authority::Authority;
use judge::{Held, paper, sight};
use keyring::Keyring;
use site::{Run, Site};
use witness::Witnesses;

/// The clock of stores that are made for the drill starts here, unix milliseconds.
const START_MS: u64 = 1_767_225_600_000;
/// Between two runs of a server.
const LATER_MS: u64 = 600_000;
const YEAR_MS: u64 = 365 * 86_400_000;
/// Most draws of an operator until it changes something.
const DRAWS: usize = 200;

/// One cell of the table, tried.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What was held.
    pub holds: Holds,
    /// What is claimed.
    pub claimed: Sight,
    /// What came of it.
    pub found: Sight,
    /// The first thing that the verifier said.
    pub said: String,
}

/// One attack, tried against all who verify.
#[derive(Clone, Debug)]
pub struct Attack {
    /// Which.
    pub claim: &'static Claim,
    /// What each made of it; none if it was not run.
    pub cells: Vec<Cell>,
    /// Why it was not run.
    pub skipped: Option<&'static str>,
}

impl Attack {
    /// Whether every cell is as claimed.
    pub fn holds(&self) -> bool {
        self.cells.iter().all(|cell| cell.found == cell.claimed)
    }
}

/// Carries out every attack of the table. `progress` is told done and total.
///
/// # Errors
/// See [`DrillError`]; cells that are not as claimed are no errors, they are in the table.
pub fn attacks(
    target: &Target<'_>,
    work: &Path,
    seed: u64,
    progress: &dyn Fn(u64, u64),
) -> Result<Vec<Attack>, DrillError> {
    let folder = Folder::make(work, seed.rotate_left(1) | 1)?;
    let mut scene = Scene::set(target, folder, seed)?;
    // Those that leave the same store come one after the other, so that there is one of them at a time.
    let mut order: Vec<usize> = (0..CLAIMS.len()).collect();
    order.sort_by_key(|at| place(&CLAIMS[*at]));
    let mut table = BTreeMap::new();
    for at in order {
        table.insert(at, scene.attack(&CLAIMS[at])?);
        progress(table.len() as u64, CLAIMS.len() as u64);
    }
    Ok(table.into_values().collect())
}

/// The honest past of the ledger that is attacked, and everything that was kept of it.
struct Scene {
    folder: Folder,
    seed: u64,
    has_keys: bool,
    is_demo: bool,
    start_ms: u64,
    key: VerifierKey,
    /// When it was witnessed first, when it was witnessed last, and as it is now.
    older: Site,
    newer: Site,
    honest: Site,
    /// As they are after the last checkpoint that all have cosigned.
    witnesses: Witnesses,
    policies: (Policy, Policy),
    authority: Authority,
    stamped: (String, Vec<u8>),
    /// A receipt from before the last witnessed checkpoint, that checkpoint, and a receipt from after it.
    kept: Vec<Vec<u8>>,
    other: Paper,
    /// The store of the attack before, which the next may need.
    last: Option<((bool, Operation), Attacked)>,
}

/// A store as the attacker has left it.
#[derive(Clone)]
struct Attacked {
    site: Site,
    /// The witnessed checkpoint that lay beside it before.
    before: Option<String>,
    alone: Report,
    keyed: Report,
}

impl Scene {
    fn set(target: &Target<'_>, folder: Folder, seed: u64) -> Result<Self, DrillError> {
        let at = |name: &str| folder.path().join(name);
        let (mut site, has_keys, start_ms) = match target {
            Target::Demo => (Site::new(at("older")), true, START_MS),
            Target::Store { data, keys } => {
                check_room(&folder, data)?;
                drop(sound_copy(data, *keys, &at("older"))?);
                let files = keys.map(Files::read).transpose()?;
                let has_keys = files.is_some();
                let keys = Keyring::of(files.unwrap_or_default());
                (Site::there(at("older"), keys)?, has_keys, SystemEnv::new().now_ms())
            }
        };
        site.with_keys = has_keys;
        let mut receipts = Vec::new();
        let mut go_on = |site: &Site, part: u64| -> Result<(), DrillError> {
            if has_keys {
                receipts.extend(site.run(&run(seed, start_ms, part, events(part)))?.into_iter().nth(3));
            }
            Ok(())
        };
        go_on(&site, 0)?;
        let older = site;
        let report = older.verify(None);
        let ledger = report.ledgers.first().filter(|_| report.verdict() == Verdict::Proven);
        let ledger = ledger.ok_or_else(|| unsound(&report))?;
        let key = VerifierKey::parse(&ledger.vkey).map_err(|error| DrillError::Demo(error.to_string()))?;
        let mut witnesses = Witnesses::new(seed, &key);
        let mut cosign = |site: &Site, at_ms: u64| -> Result<(), DrillError> {
            match witnesses.ask(site, at_ms / 1000)? {
                Some(note) => site.keep_witnessed(&note),
                None => Err(DrillError::Demo("honest witnesses refuse an honest ledger".to_owned())),
            }
        };
        cosign(&older, start_ms + LATER_MS)?;
        let newer = older.copy(&at("newer"))?;
        go_on(&newer, 1)?;
        cosign(&newer, start_ms + 2 * LATER_MS)?;
        let honest = newer.copy(&at("honest"))?;
        go_on(&honest, 2)?;
        let authority = Authority::new(seed);
        let note = newer.checkpoint()?;
        let stamped_ms = start_ms + LATER_MS + 60_000;
        let body = timestamp::body(note.as_bytes()).map_err(|error| DrillError::Demo(error.to_string()))?;
        let token = authority.stamp(&body, if has_keys { stamped_ms } else { start_ms });
        let mut kept = vec![note.clone().into_bytes()];
        kept.extend(receipts.iter().skip(1).map(json));
        let policies = witnesses.policies()?;
        let other = paper(&honest, "the other auditor's")?;
        let scene = Self {
            folder,
            seed,
            has_keys,
            is_demo: matches!(target, Target::Demo),
            start_ms,
            key,
            older,
            newer,
            honest,
            witnesses,
            policies,
            authority,
            stamped: (note, token),
            kept,
            other,
            last: None,
        };
        scene.check_honest()?;
        Ok(scene)
    }

    /// Whoever holds whatever calls the honest ledger good; else every later answer would be worthless.
    fn check_honest(&self) -> Result<(), DrillError> {
        let honest = Attacked::of(self.honest.copy(&self.at("as it is"))?, &self.key)?;
        // What authorities say of a store whose records were not made by this drill is not known.
        let tried = Holds::ALL.into_iter().filter(|holds| self.has_keys || *holds != Holds::Token);
        for holds in tried {
            let beside = [honest.before.clone()];
            let trusted = self.authority.trusted()?;
            let held = self.held(&trusted, self.kept.clone());
            let (found, said) = sight(
                &honest.site,
                &honest.alone,
                &honest.keyed,
                (holds, &held),
                (&beside, &self.witnesses),
            )?;
            if found != Sight::Not {
                return Err(DrillError::Demo(format!("an honest ledger, {}: {found}: {said}", holds.word())));
            }
        }
        std::fs::remove_dir_all(&honest.site.data)?;
        Ok(())
    }

    fn held<'a>(&'a self, authorities: &'a timestamp::Authorities, kept: Vec<Vec<u8>>) -> Held<'a> {
        Held {
            key: &self.key,
            own: &self.policies.0,
            foreign: &self.policies.1,
            authorities,
            kept,
            stamped: self.stamped.clone(),
            other: Some(self.other.clone()),
        }
    }

    fn attack(&mut self, claim: &'static Claim) -> Result<Attack, DrillError> {
        let (attacker, operation) = (claim.attacker, claim.operation);
        let skipped = self.skipped(attacker, operation);
        if skipped.is_some() {
            return Ok(Attack { claim, cells: Vec::new(), skipped });
        }
        if operation == Operation::Backdate {
            return self.backdate(claim);
        }
        let attacked = self.store(claim)?;
        let mut witnesses = self.witnesses.clone().in_the_hands_of(attacker);
        if operation == Operation::Fork {
            // The first branch is the honest one, and everybody has cosigned it.
            witnesses.ask(&self.honest, self.start_ms / 1000 + 5000)?;
        }
        let asked = witnesses.ask(&attacked.site, self.start_ms / 1000 + 6000)?;
        let beside = [asked, attacked.before.clone(), None];
        let kept = match operation {
            // Whoever is shown the second branch has receipts of that, and of what was before.
            Operation::Fork => self.kept[..self.kept.len().min(2)].to_vec(),
            _ => self.kept.clone(),
        };
        let trusted = self.authority.trusted()?;
        let held = self.held(&trusted, kept);
        let cells = cells(claim, &attacked, &held, (&beside, &witnesses))?;
        Ok(Attack { claim, cells, skipped: None })
    }

    fn skipped(&self, attacker: Attacker, operation: Operation) -> Option<&'static str> {
        let needs_keys = attacker != Attacker::NoKey || operation == Operation::Rollback;
        let replays = matches!(operation, Operation::Edit | Operation::Remove | Operation::Reorder);
        if needs_keys && !self.has_keys {
            return Some("the key directory is needed for it: --keys DIR");
        }
        (!self.is_demo && attacker != Attacker::NoKey && replays)
            .then_some("only on the drill's own store: its records can be recorded again with one changed")
    }

    /// A ledger that was made today and says otherwise: nobody has seen it before, so that witnesses take it up.
    fn backdate(&self, claim: &'static Claim) -> Result<Attack, DrillError> {
        let site = Site::new(self.at("invented"));
        let past = self.start_ms.saturating_sub(YEAR_MS);
        let receipts = site.run(&run(self.seed ^ 7, past, 0, events(0)))?;
        let report = site.verify(None);
        let ledger = report.ledgers.first().ok_or_else(|| unsound(&report))?;
        let key = VerifierKey::parse(&ledger.vkey).map_err(|error| DrillError::Demo(error.to_string()))?;
        let mut witnesses = Witnesses::new(self.seed ^ 7, &key).in_the_hands_of(claim.attacker);
        let beside = [witnesses.ask(&site, self.start_ms / 1000)?];
        let note = site.checkpoint()?;
        let body = timestamp::body(note.as_bytes()).map_err(|error| DrillError::Demo(error.to_string()))?;
        let policies = witnesses.policies()?;
        let trusted = self.authority.trusted()?;
        let held = Held {
            key: &key,
            own: &policies.0,
            foreign: &policies.1,
            authorities: &trusted,
            kept: receipts.iter().take(1).map(json).collect(),
            stamped: (note, self.authority.stamp(&body, self.start_ms)),
            other: Some(paper(&site, "the other auditor's")?),
        };
        let attacked = Attacked::of(site, &key)?;
        let cells = cells(claim, &attacked, &held, (&beside, &witnesses))?;
        std::fs::remove_dir_all(&attacked.site.data)?;
        Ok(Attack { claim, cells, skipped: None })
    }

    /// The store that an attack leaves; it is the same for all who have the key.
    fn store(&mut self, claim: &Claim) -> Result<Attacked, DrillError> {
        let (place, operation) = (place(claim), claim.operation);
        match self.last.take() {
            Some((last, made)) if last == place => {
                self.last = Some((last, made.clone()));
                return Ok(made);
            }
            Some((_, made)) => std::fs::remove_dir_all(&made.site.data)?,
            None => {}
        }
        let to = self.at("attacked");
        let site = match operation {
            _ if place.0 && operation_on_files(operation).is_some() => self.damaged(operation, &to)?,
            Operation::Rollback => self.older.copy(&to)?,
            Operation::Forge => {
                let site = Site { keys: Keyring::default(), ..self.honest.another_history(&to) };
                site.run(&run(self.seed ^ 1, self.start_ms, 0, events(0)))?;
                site
            }
            Operation::Continue => self.gone_on(&self.older, &to, 1)?,
            Operation::Tail | Operation::Fork => self.gone_on(&self.newer, &to, 2)?,
            _ => self.rewritten(operation, &to)?,
        };
        let attacked = Attacked::of(site, &self.key)?;
        self.last = Some((place, attacked.clone()));
        Ok(attacked)
    }

    /// An earlier state that goes on with other records, and more of them.
    fn gone_on(&self, from: &Site, to: &Path, part: u64) -> Result<Site, DrillError> {
        let site = from.copy(to)?;
        let other: Vec<u64> = events(part).into_iter().chain(events(3)).map(|number| number + 5000).collect();
        site.run(&run(self.seed ^ 2, self.start_ms, part, other))?;
        Ok(site)
    }

    /// All of history once more with the keys of the ledger, and something else in it.
    fn rewritten(&self, operation: Operation, to: &Path) -> Result<Site, DrillError> {
        let site = self.honest.another_history(to);
        for part in 0..3 {
            let mut events = events(part);
            match operation {
                Operation::Edit if part == 0 => events[7] += 9000,
                Operation::Remove if part == 0 => drop(events.remove(7)),
                Operation::Reorder if part == 0 => events.swap(7, 8),
                Operation::Edit | Operation::Remove | Operation::Reorder => {}
                _ => events.iter_mut().for_each(|number| *number += 9000),
            }
            site.run(&run(self.seed, self.start_ms, part, events))?;
        }
        Ok(site)
    }

    /// What can be done to the files without any key, by an operator of the campaign.
    fn damaged(&self, operation: Operation, to: &Path) -> Result<Site, DrillError> {
        let site = self.honest.copy(to)?;
        let mut copy = Copy::take(&site.data, None)?;
        let map = Map::read(&copy)?;
        let name = operation_on_files(operation).unwrap_or_default();
        let nobody: Vec<_> = site.ledgers.iter().map(|_| None).collect();
        let found = OPERATORS.iter().find(|operator| operator.name == name).map(|operator| operator.act);
        let Some(Act::Change(draw)) = found else {
            return Err(DrillError::Demo(format!("there is no operator {name}")));
        };
        let dice = Dice::of(self.seed, name, 0);
        let mut aim = Aim { copy: &copy, map: &map, foreign: (&copy, &map), signing: &nobody, dice };
        let mutation =
            (0..DRAWS).find_map(|_| draw(&mut aim).and_then(|mutation| meant(&map, &copy, mutation)));
        let mutation = mutation.ok_or_else(|| DrillError::Demo(format!("{name} finds nothing to change")))?;
        copy.apply(&mutation.changes)?;
        Ok(site)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Copies of a store that are there at a time: three of its past, one that is attacked, and what is done with it.
const COPIES: u64 = 5;

fn check_room(folder: &Folder, data: &Path) -> Result<(), DrillError> {
    let needed = bytes_in(data)?.saturating_mul(COPIES).saturating_add(SPARE);
    let free = LocalDisk::open(folder.path())?.free_bytes()?;
    if free < needed { Err(DrillError::Room { needed, free }) } else { Ok(()) }
}

/// Which store an attack leaves.
fn place(claim: &Claim) -> (bool, Operation) {
    (claim.attacker == Attacker::NoKey, claim.operation)
}

/// The operator of the campaign that does it without a key.
fn operation_on_files(operation: Operation) -> Option<&'static str> {
    match operation {
        Operation::Edit => Some("rehash-tree"),
        Operation::Remove => Some("drop-record"),
        Operation::Reorder => Some("swap-records"),
        Operation::Truncate => Some("truncate-record"),
        Operation::Continue => Some("truncate-continue"),
        _ => None,
    }
}

impl Attacked {
    fn of(site: Site, key: &VerifierKey) -> Result<Self, DrillError> {
        let before = site.witnessed().and_then(|note| String::from_utf8(note).ok());
        // What lies there is the attacker's choice, which is tried each way.
        site.unwitness()?;
        let (alone, keyed) = (site.verify(None), site.verify(Some(key)));
        Ok(Self { site, before, alone, keyed })
    }
}

fn cells(
    claim: &'static Claim,
    attacked: &Attacked,
    held: &Held<'_>,
    (beside, witnesses): (&[Option<String>], &Witnesses),
) -> Result<Vec<Cell>, DrillError> {
    let cell = |holds: Holds| {
        let Attacked { site, alone, keyed, .. } = attacked;
        let (found, said) = sight(site, alone, keyed, (holds, held), (beside, witnesses))?;
        Ok(Cell { holds, claimed: claim.sight(holds), found, said })
    };
    Holds::ALL.into_iter().map(cell).collect()
}

/// One run of the server: each part of the history is one.
fn run(seed: u64, start_ms: u64, part: u64, events: Vec<u64>) -> Run {
    Run { seed: seed.rotate_left(8) ^ part, from_ms: start_ms + part * LATER_MS, events }
}

/// The events of a part of the history.
fn events(part: u64) -> Vec<u64> {
    (part * 100..part * 100 + 30).collect()
}

fn json(receipt: &Receipt) -> Vec<u8> {
    receipt.to_json().into_bytes()
}

fn unsound(report: &Report) -> DrillError {
    DrillError::Unsound(
        report.damage.iter().map(ToString::to_string).chain(report.undecided.clone()).collect(),
    )
}
