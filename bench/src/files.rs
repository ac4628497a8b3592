use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Instant;

use export::Selection;
use testkit::sample::Sample;

use crate::Plan;
use crate::events::Generator;
use crate::figures::Figures;

type Failure = Box<dyn std::error::Error>;

/// An evidence file over a ledger in memory: writing it, its size, and verifying it offline with all processors.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub fn run(plan: &Plan, figures: &mut Figures) -> Result<(), Failure> {
    let size = plan.events.unwrap_or(if plan.quick { 50_000 } else { 1_000_000 });
    let mut sample = Sample::new();
    let mut generator = Generator::new(7);
    for _ in 0..size {
        sample.event(1, 1, generator.native().as_bytes());
    }
    let selection = Selection { from: 0, end: sample.size(), ..Selection::default() };
    let path = plan.dir.join("bench.evidence");
    let writing = Instant::now();
    let file = BufWriter::new(File::create(&path)?);
    let (mut file, _) = sample.export(file, sample.about(selection, &[]), &[], &|_| true);
    file.flush()?;
    let rate = size as f64 / writing.elapsed().as_secs_f64();
    figures.row("evidence.write", rate, "events/s", "");
    let bytes = std::fs::metadata(&path)?.len() as f64 / size as f64;
    figures.row("evidence.size", bytes, "B/event", "");
    let key = sample.key.verifying_key().clone();
    drop(sample);
    let verifying = Instant::now();
    let report = verifier::verify_evidence(&path, Some(&key), &|_, _| {})?;
    let label = match size {
        1_000_000 => "evidence.verify.1M".to_owned(),
        size => format!("evidence.verify.{}k", size / 1000),
    };
    figures.row(&label, verifying.elapsed().as_secs_f64(), "s", "< 60 for 1M");
    match report.verdict() {
        verifier::Verdict::Proven if report.pinned => Ok(()),
        _ => Err(format!("the file does not verify: {:?} {:?}", report.damage, report.undecided).into()),
    }
}
