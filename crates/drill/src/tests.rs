//! Stores that were there before: with keys, without, and one whose server was cut off.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::operators::Act;
use crate::{DrillError, Plan, Row, Target, demo};

fn drill(data: &Path, keys: Option<&Path>, work: &Path, tries: u64) -> Vec<Row> {
    let operators = crate::operators(&[]).unwrap();
    let plan = Plan { seed: 5, tries, operators, threads: 2, work };
    let rows = crate::run(&Target::Store { data, keys }, &plan, &|_, _| {}).unwrap();
    for miss in rows.iter().flat_map(|row| &row.misses) {
        println!("{miss:?}");
    }
    assert!(rows.iter().all(Row::holds));
    rows
}

/// Every file with its bytes.
fn everything(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                files.insert(path.clone(), std::fs::read(path).unwrap());
            }
        }
    }
    files
}

#[test]
fn a_store_is_only_read_whether_stopped_or_cut_off_with_keys_or_without() {
    let (dir, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pair = demo::foreign(dir.path(), 11).unwrap();
    let before = everything(dir.path());
    let rows = drill(&pair.data, Some(&pair.keys), work.path(), 720);
    let run = rows.iter().filter(|row| row.tries > 0).count();
    let changing = crate::OPERATORS.iter().filter(|operator| matches!(operator.act, Act::Change(_))).count();
    assert_eq!(run, changing, "the rivals of a store are not at hand, all else is");
    let rows = drill(&pair.data, None, work.path(), 360);
    assert!(rows.iter().any(|row| row.operator.name == "re-sign" && row.tries == 0));
    assert!(everything(dir.path()) == before, "the store was changed");

    demo::cut_off(&pair, 12).unwrap();
    drill(&pair.data, Some(&pair.keys), work.path(), 720);
    assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 0, "something was left behind");
}

#[test]
fn a_store_that_is_damaged_already_is_not_drilled() {
    let (dir, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pair = demo::foreign(dir.path(), 13).unwrap();
    std::fs::remove_file(pair.data.join("ledgers/main/tile/0/000")).unwrap();
    let operators = crate::operators(&[]).unwrap();
    let plan = Plan { seed: 5, tries: 36, operators, threads: 1, work: work.path() };
    let target = Target::Store { data: &pair.data, keys: None };
    assert!(matches!(crate::run(&target, &plan, &|_, _| {}), Err(DrillError::Unsound(_))));
}

#[test]
fn the_table_of_attacks_is_tried_on_a_store_that_is_there_as_far_as_its_keys_are() {
    let (dir, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pair = demo::foreign(dir.path(), 17).unwrap();
    let before = everything(dir.path());
    let run = |keys: Option<&Path>| {
        let target = Target::Store { data: &pair.data, keys };
        let table = crate::attacks(&target, work.path(), 9, &|_, _| {}).unwrap();
        for attack in table.iter().filter(|attack| !attack.holds()) {
            println!("{attack:?}");
        }
        assert!(table.iter().all(crate::Attack::holds));
        table.iter().filter(|attack| attack.skipped.is_none()).count()
    };
    let all = crate::claims::CLAIMS.len();
    // All but to record its events once more with one of them changed.
    assert_eq!(run(Some(&pair.keys)), all - 3);
    assert_eq!(run(None), 6, "what needs no key");
    assert!(everything(dir.path()) == before, "the store was changed");
    assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 0, "something was left behind");
}
