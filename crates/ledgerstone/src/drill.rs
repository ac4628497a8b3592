//! `tamper-drill`: hands a store to the drill and shows what came of each operator.

use std::hash::{BuildHasher, Hasher, RandomState};

use drill::claims::{Holds, Sight};
use drill::{Attack, DrillError, Expected, Plan, Row, Target};
use serde_json::json;

use crate::cli::TamperDrill;
use crate::client::verify::bar;
use crate::failure::Failure;
use crate::terminal::{self, Paint};

const COLUMNS: [&str; 6] = ["operator", "tries", "detected", "located", "expected", "what it does"];

pub(crate) fn run(args: TamperDrill) -> Result<(), Failure> {
    let operators = drill::operators(&args.only).map_err(|name| {
        let known: Vec<&str> = drill::OPERATORS.iter().map(|operator| operator.name).collect();
        Failure::trouble(format!("there is no operator {name}"))
            .hint(format!("there are {}", known.join(", ")))
    })?;
    let keys = match (&args.data, &args.keys) {
        (_, Some(keys)) if !keys.is_dir() => {
            return Err(Failure::trouble(format!("there is no key directory at {}", keys.display())));
        }
        (_, Some(keys)) => Some(keys.clone()),
        (Some(data), None) => Some(verifier::default_keys(data)).filter(|keys| keys.is_dir()),
        (None, None) => None,
    };
    let target = match &args.data {
        Some(data) if !data.is_dir() => {
            return Err(Failure::trouble(format!("there is no data directory at {}", data.display())));
        }
        Some(data) => Target::Store { data, keys: keys.as_deref() },
        None => Target::Demo,
    };
    let seed = args.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 32);
    terminal::tell(&format!("seed {seed}; the same again: --seed {seed} --tries {}", args.tries));
    let work = args.work.clone().unwrap_or_else(std::env::temp_dir);
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    let plan = Plan { seed, tries: args.tries, operators, threads, work: &work };
    let bar = bar("tries");
    let rows = drill::run(&target, &plan, &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let rows = rows.map_err(|error| trouble(&error))?;
    // Whoever names operators wants those.
    let table = match args.only.is_empty() {
        true => {
            let bar = crate::client::verify::bar("attacks");
            let table = drill::attacks(&target, &work, seed, &|done, total| {
                bar.set_length(total);
                bar.set_position(done);
            });
            bar.finish_and_clear();
            table.map_err(|error| trouble(&error))?
        }
        false => Vec::new(),
    };
    show(&args, &rows, &table)
}

fn trouble(error: &DrillError) -> Failure {
    let failure = Failure::trouble(error.to_string());
    match error {
        DrillError::Room { .. } => failure.hint("give a folder with more room: --work DIR"),
        DrillError::Unsound(_) => failure.hint("ask what is wrong with it: ledgerstone verify DATA"),
        DrillError::Copy(_) | DrillError::Demo(_) => failure,
    }
}

fn show(args: &TamperDrill, rows: &[Row], table: &[Attack]) -> Result<(), Failure> {
    if args.json {
        let lines = rows.iter().map(object).chain(table.iter().map(attack_object));
        let lines: String = lines.map(|line| format!("{line}\n")).collect();
        terminal::print(&lines)?;
    } else {
        let paint = Paint::for_stdout();
        let cells: Vec<Vec<String>> = rows.iter().map(line).collect();
        terminal::print(&terminal::table(&COLUMNS, &cells, paint))?;
        terminal::print(&summary(rows, paint))?;
        terminal::print(&attacks(table, paint))?;
    }
    for miss in rows.iter().flat_map(|row| &row.misses) {
        terminal::tell(&terminal::escape(&format!(
            "not as expected: --seed {} --only {} (try {}): {} byte {}: {}",
            miss.seed,
            miss.operator,
            miss.number,
            miss.files.join(", "),
            miss.offset,
            miss.said
        )));
    }
    let other = |attack: &Attack| !attack.holds();
    for attack in table.iter().filter(|attack| other(attack)) {
        for cell in attack.cells.iter().filter(|cell| cell.found != cell.claimed) {
            terminal::tell(&terminal::escape(&format!(
                "not as claimed: {}, {}, {}: {} and not {}: {}",
                attack.claim.attacker.word(),
                attack.claim.operation.word(),
                cell.holds.word(),
                cell.found,
                cell.claimed,
                cell.said
            )));
        }
    }
    if table.iter().any(other) {
        return Err(Failure::no("the table of attacks is not as claimed"));
    }
    match rows.iter().map(|row| row.missed).sum::<u64>() {
        0 => Ok(()),
        missed => Err(Failure::no(format!("{missed} tries did not end as expected"))),
    }
}

fn line(row: &Row) -> Vec<String> {
    let expected = match (row.tries, row.holds(), row.operator.expected, row.pinned) {
        (0, ..) => "not run: nothing for it in this store".to_owned(),
        (_, false, ..) => format!("NOT AS EXPECTED in {}: {}", row.missed, row.operator.expected.word()),
        (.., Expected::NeedsWitness, Some((tries, seen))) => {
            format!("not detectable here; with a pinned checkpoint {seen} of {tries}")
        }
        (.., expected, _) => expected.word().to_owned(),
    };
    let located = match row.operator.expected {
        Expected::Seen => row.located.to_string(),
        Expected::NeedsWitness | Expected::NotEvidence => "-".to_owned(),
    };
    let (name, about) = (row.operator.name.to_owned(), row.operator.about.to_owned());
    vec![name, row.tries.to_string(), row.detected.to_string(), located, expected, about]
}

fn object(row: &Row) -> serde_json::Value {
    let misses = row.misses.iter().map(|miss| {
        json!({
            "seed": miss.seed, "operator": miss.operator, "try": miss.number, "files": miss.files,
            "offset": miss.offset, "said": miss.said,
        })
    });
    json!({
        "operator": row.operator.name, "about": row.operator.about, "tries": row.tries,
        "detected": row.detected, "located": row.located, "expected": row.operator.expected.word(),
        "as_expected": row.holds(), "missed": row.missed, "misses": misses.collect::<Vec<_>>(),
        "pinned": row.pinned.map(|(tries, detected)| json!({ "tries": tries, "detected": detected })),
    })
}

fn summary(rows: &[Row], paint: Paint) -> String {
    let seen: Vec<&Row> = rows.iter().filter(|row| row.operator.expected == Expected::Seen).collect();
    let sum = |of: fn(&Row) -> u64| seen.iter().map(|row| of(row)).sum::<u64>();
    let (tries, detected, located) = (sum(|row| row.tries), sum(|row| row.detected), sum(|row| row.located));
    let words = format!("{detected} of {tries} changes of evidence were detected, {located} located");
    let words = if rows.iter().all(Row::holds) { paint.green(&words) } else { paint.red(&words) };
    // The rule of three: after n trials without a miss, with 95 % confidence at most 3/n are missed.
    let bound = match (tries, tries == located) {
        (1.., true) => format!("; at 95 % confidence fewer than 1 in {} would be missed", (tries / 3).max(1)),
        _ => String::new(),
    };
    format!("\n{words}{bound}\n")
}

/// The table of attacks: who has what, does what, and what each who verifies makes of it.
fn attacks(table: &[Attack], paint: Paint) -> String {
    if table.is_empty() {
        return String::new();
    }
    let heads = ["attacker has", "and does"].into_iter().chain(Holds::ALL.iter().map(|holds| holds.word()));
    let heads: Vec<&str> = heads.collect();
    let row = |attack: &Attack| -> Vec<String> {
        let cells = attack.cells.iter().map(|cell| match cell.found == cell.claimed {
            true => cell.found.to_string(),
            false => format!("{}, CLAIMED: {}", cell.found, cell.claimed),
        });
        let mut row = vec![attack.claim.attacker.word().to_owned(), attack.claim.operation.word().to_owned()];
        match attack.skipped {
            Some(_) => row.extend(Holds::ALL.iter().map(|_| "not run".to_owned())),
            None => row.extend(cells),
        }
        row
    };
    let rows: Vec<Vec<String>> = table.iter().map(row).collect();
    let mut out =
        String::from("\nWho detects what, each cell tried. A column says what whoever verifies holds:\n");
    for holds in Holds::ALL {
        out += &format!("  {:<14} {}\n", holds.word(), holds.about());
    }
    out += &format!("\n{}\n", terminal::table(&heads, &rows, paint));
    let cells: Vec<&drill::Cell> = table.iter().flat_map(|attack| &attack.cells).collect();
    let count = |sight: Sight| cells.iter().filter(|cell| cell.found == sight).count();
    let words = format!(
        "{} cells tried: {} detected, {} not proven (no green without what is missing), {} not detectable, and stated so",
        cells.len(),
        count(Sight::Detected),
        count(Sight::Unproven),
        count(Sight::Not)
    );
    out += &if table.iter().all(Attack::holds) { paint.green(&words) } else { paint.red(&words) };
    out.push('\n');
    let mut skipped: Vec<&str> = table.iter().filter_map(|attack| attack.skipped).collect();
    skipped.sort_unstable();
    skipped.dedup();
    for why in skipped {
        let count = table.iter().filter(|attack| attack.skipped == Some(why)).count();
        out += &format!("{count} attacks were not run: {why}\n");
    }
    out
}

fn attack_object(attack: &Attack) -> serde_json::Value {
    let cells = attack.cells.iter().map(|cell| {
        json!({
            "holds": cell.holds.word(), "found": cell.found.word(), "claimed": cell.claimed.word(),
            "as_claimed": cell.found == cell.claimed, "said": cell.said,
        })
    });
    json!({
        "attacker": attack.claim.attacker.word(), "attack": attack.claim.operation.word(),
        "as_claimed": attack.holds(), "not_run": attack.skipped, "cells": cells.collect::<Vec<_>>(),
    })
}
