//! `tamper-drill`: hands a store to the drill and shows what came of each operator.

use std::hash::{BuildHasher, Hasher, RandomState};

use drill::{DrillError, Expected, Plan, Row, Target};
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
    show(&args, &rows.map_err(|error| trouble(&error))?)
}

fn trouble(error: &DrillError) -> Failure {
    let failure = Failure::trouble(error.to_string());
    match error {
        DrillError::Room { .. } => failure.hint("give a folder with more room: --work DIR"),
        DrillError::Unsound(_) => failure.hint("ask what is wrong with it: ledgerstone verify DATA"),
        DrillError::Copy(_) | DrillError::Demo(_) => failure,
    }
}

fn show(args: &TamperDrill, rows: &[Row]) -> Result<(), Failure> {
    if args.json {
        let lines: String = rows.iter().map(|row| format!("{}\n", object(row))).collect();
        terminal::print(&lines)?;
    } else {
        let paint = Paint::for_stdout();
        let cells: Vec<Vec<String>> = rows.iter().map(line).collect();
        terminal::print(&terminal::table(&COLUMNS, &cells, paint))?;
        terminal::print(&summary(rows, paint))?;
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
