//! One cause is told once: what could not be checked because of it is said, and is no damage of its own.

use std::io;

use export::verify::Check;
use export::zip::{Row, directory};
use export::{Options, Report, Source, verify};

use crate::golden::files;

fn member(file: &[u8], name: &str) -> Row {
    let rows = directory(file).expect("a good archive");
    rows.into_iter().find(|row| row.name == name).expect("such a member")
}

/// The file with the byte `at` of a member's data changed.
fn damaged(file: &[u8], name: &str, at: u64) -> Report {
    let mut file = file.to_vec();
    let at = member(&file, name).data() + at;
    file[at as usize] ^= 0x10;
    verify(&file[..], &Options::default())
}

#[test]
fn damage_to_a_part_is_not_told_again_by_what_rests_on_it() {
    for (name, file) in files() {
        let part = "events/00000000.ndjson";
        let stored = u64::from(member(&file, part).stored);
        let mut silent = 0;
        for at in 0..stored {
            let report = damaged(&file, part, at);
            let checks: Vec<Check> = report.damage.iter().map(|damage| damage.check).collect();
            let told = format!("{name} byte {at}: {:?}", report.damage);
            // A few bits of deflated data say nothing: then only the hash is another.
            if checks == [Check::Manifest] {
                silent += 1;
                continue;
            }
            assert_eq!(checks[0], Check::Container, "{told}");
            // The first line that is another now says where it is.
            assert!(checks.len() == 1 || checks.len() == 2 && report.damage[1].line.is_some(), "{told}");
            assert!(
                report.unchecked.iter().any(|text| text.contains("counts") && text.contains(part)),
                "{name} byte {at}: {:?}",
                report.unchecked
            );
            assert_eq!(report.verdict().word(), "disproven");
        }
        assert!(silent < 5, "{name}: {silent}");
    }
}

#[test]
fn damage_to_the_ledgers_own_records_is_not_told_again() {
    let (_, file) = &files()[0];
    let report = damaged(file, "control.ndjson", 0);
    let checks: Vec<Check> = report.damage.iter().map(|damage| damage.check).collect();
    assert_eq!(checks, [Check::Container], "{:?}", report.damage);
    let unchecked = report.unchecked.join("; ");
    assert!(unchecked.contains("whose ledger it is") && unchecked.contains("counts"), "{unchecked}");
    // Every index has its record: that rests on the parts and the range alone.
    assert!(!unchecked.contains("every index"), "{unchecked}");
}

/// A file of which some bytes can't be read.
struct Torn<'a> {
    file: &'a [u8],
    from: u64,
    end: u64,
}

impl Source for Torn<'_> {
    fn length(&self) -> io::Result<u64> {
        Ok(self.file.len() as u64)
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        if offset < self.end && offset + bytes.len() as u64 > self.from {
            return Err(io::Error::other("a bad sector"));
        }
        self.file.read(offset, bytes)
    }
}

#[test]
fn what_a_disk_does_not_give_proves_nothing_against_anybody() {
    for (name, file) in files() {
        for row in directory(&file[..]).expect("a good archive") {
            let torn = Torn { file: &file, from: row.data(), end: row.end() };
            if row.stored == 0 {
                continue;
            }
            let report = verify(&torn, &Options::default());
            let told = format!("{name} {}: {:?}", row.name, report.damage);
            assert_eq!((report.verdict().exit_code(), report.damaged), (2, 0), "{told}");
            assert_eq!(report.undecided.len(), 1, "{:?}", report.undecided);
        }
    }
}
