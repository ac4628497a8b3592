//! `GET /metrics`: the text format of Prometheus, version 0.0.4.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use crate::answer::Answer;
use crate::witness::Witness;

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) fn page(witness: &Witness) -> String {
    let mut page = String::new();
    let counters = &witness.counters;
    family(&mut page, "answers_total", "counter", "Answers to add-checkpoint.");
    for (status, count) in Answer::STATUSES.iter().zip(&counters.answers) {
        let count = count.load(Ordering::Relaxed);
        let _ = writeln!(page, "ledgerstone_witness_answers_total{{status=\"{status}\"}} {count}");
    }
    for (name, help, count) in [
        ("forks_total", "Requests that showed that a log signed what can't all be true.", &counters.forks),
        ("storage_errors_total", "Failures to read or write state.", &counters.storage_errors),
    ] {
        family(&mut page, name, "counter", help);
        let _ = writeln!(page, "ledgerstone_witness_{name} {}", count.load(Ordering::Relaxed));
    }
    let logs = witness.logs();
    family(&mut page, "log_state_known", "gauge", "0 while the state of a log must be read again.");
    for (origin, _, last) in &logs {
        sample(&mut page, "log_state_known", origin, u64::from(last.is_some()));
    }
    let cosigned = |(origin, _, last)| Some((origin, Option::flatten(last)?));
    let cosigned: Vec<_> = logs.into_iter().filter_map(cosigned).collect();
    family(&mut page, "log_entries", "gauge", "Entries in the checkpoint cosigned last.");
    cosigned.iter().for_each(|(origin, last)| sample(&mut page, "log_entries", origin, last.size));
    family(&mut page, "log_cosigned_seconds", "gauge", "Time of the last cosignature, POSIX seconds.");
    cosigned.iter().for_each(|(origin, last)| sample(&mut page, "log_cosigned_seconds", origin, last.time));
    page
}

// Writing to a string does not fail.
fn family(page: &mut String, name: &str, kind: &str, help: &str) {
    let _ =
        writeln!(page, "# HELP ledgerstone_witness_{name} {help}\n# TYPE ledgerstone_witness_{name} {kind}");
}

fn sample(page: &mut String, name: &str, origin: &str, value: u64) {
    let origin = origin.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let _ = writeln!(page, "ledgerstone_witness_{name}{{log=\"{origin}\"}} {value}");
}
