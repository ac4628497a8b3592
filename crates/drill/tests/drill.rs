//! The drill over the demonstration store: nothing is missed, everything is located, and what needs a witness is not
//! seen without one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use drill::{Expected, Plan, Row, Target};

/// A drill of so many tries over a store of its own.
fn drill(tries: u64, seed: u64) -> Vec<Row> {
    let work = tempfile::tempdir().unwrap();
    let operators = drill::operators(&[]).unwrap();
    let plan = Plan { seed, tries, operators, threads: 2, work: work.path() };
    drill::run(&Target::Demo, &plan, &|_, _| {}).unwrap()
}

/// Goal: no miss, and each located, over every operator (DESIGN section 5). `cargo xtask test` has the program do 10,000;
/// `LEDGERSTONE_DRILL_TRIES` and `LEDGERSTONE_DRILL_SEED` ask for more and for others here.
#[test]
fn what_is_done_to_a_store_is_seen_and_located() {
    let number =
        |name: &str, default| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let tries = number("LEDGERSTONE_DRILL_TRIES", 2000);
    let rows = drill(tries, number("LEDGERSTONE_DRILL_SEED", 1));
    for row in &rows {
        let Row { operator, tries, detected, located, missed, .. } = row;
        println!("{:<20} {tries:>6} {detected:>6} {located:>6} {missed:>4}", operator.name);
        for miss in &row.misses {
            println!("    {miss:?}");
        }
        assert!(*tries > 0, "{} found nothing to change", operator.name);
    }
    // The claim that these need a witness, asserted both ways.
    let rivals: Vec<_> = rows.iter().filter(|row| row.operator.expected == Expected::NeedsWitness).collect();
    assert!(rivals.len() >= 3 && rivals.iter().all(|row| (row.detected, row.pinned) == (0, Some((1, 1)))));
    let missed: Vec<_> = rows.iter().filter(|row| !row.holds()).map(|row| row.operator.name).collect();
    assert!(missed.is_empty(), "not as expected: {missed:?}");
    let seen = rows.iter().filter(|row| row.operator.expected == Expected::Seen);
    assert!(seen.map(|row| row.located).sum::<u64>() >= tries * 9 / 10);
}

/// Both sides of the table: what must be detected is, and what is said not to be detectable is not.
#[test]
fn every_cell_of_the_table_of_attacks_is_as_claimed() {
    let work = tempfile::tempdir().unwrap();
    let table = drill::attacks(&Target::Demo, work.path(), 1, &|_, _| {}).unwrap();
    for attack in &table {
        let cells: Vec<String> = attack.cells.iter().map(|cell| cell.found.to_string()).collect();
        println!("{:?} {:?} {}", attack.claim.attacker, attack.claim.operation, cells.join(" | "));
        for cell in attack.cells.iter().filter(|cell| cell.found != cell.claimed) {
            println!("    {:?} should be {}: {}", cell.holds, cell.claimed, cell.said);
        }
    }
    assert!(table.iter().all(|attack| attack.holds() && attack.skipped.is_none()));
    assert_eq!(table.len(), drill::claims::CLAIMS.len());
    assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 0, "something was left behind");
}
