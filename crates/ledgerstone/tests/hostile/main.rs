//! Requests of people who mean harm, and of programs that are broken: what each is answered, and that the server is
//! as well after it as before. The real binary is asked over a plain socket, byte by byte as the table says.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail at that line")]

mod coding;
mod framing;
mod heads;
mod json;
mod methods;
mod pack;
mod paths;
mod queries;
mod row;
mod site;
mod slow;
mod socket;
mod terminal;
mod tokens;

#[path = "../it/rig.rs"]
#[allow(dead_code, reason = "shared with the other tests, which use more of it")]
mod rig;

use row::{Outcome, Row};
use site::Site;

/// Most memory that the server may ever have had, in bytes: one record of 64 MiB is held a few times over while it is
/// mapped, hashed and written (DESIGN I9).
const MEMORY: u64 = 512 << 20;

fn table() -> Vec<Row> {
    [
        coding::rows(),
        json::rows(),
        heads::rows(),
        framing::rows(),
        methods::rows(),
        paths::rows(),
        queries::rows(),
        tokens::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn each_is_answered_as_it_should_be_and_leaves_the_server_well() {
    let rows = table();
    assert!(rows.len() >= 80, "{}", rows.len());
    let site = Site::start();
    let mut events = site.append_ordinary();
    let mut outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        // These take as long as the limits on time are, so they go on beside the others.
        let site = &site;
        let slow: Vec<_> = slow::ways().into_iter().map(|way| scope.spawn(move || way.run(site))).collect();
        let mut outcomes = Vec::new();
        for row in &rows {
            let (outcome, recorded) = row.run(site);
            events += recorded + site.append_ordinary();
            outcomes.push(outcome.and_memory(site, MEMORY));
        }
        outcomes.extend(slow.into_iter().map(|way| way.join().unwrap()));
        outcomes
    });
    events += site.append_ordinary() + slow::RECORDED;
    outcomes.push(terminal::nothing_raw(&site));
    let peak = site.peak_memory();
    let report = site.verify();
    let failed = outcomes.iter().filter(|outcome| !outcome.is_as_expected()).count();
    println!("{}\npeak memory {} MiB", row::print(&outcomes, failed > 0), peak >> 20);
    assert_eq!(failed, 0, "of {} requests; see the table", outcomes.len());
    assert_eq!(report["verdict"], "proven", "{report}");
    assert_eq!(report["events"].as_u64(), Some(events), "what was acknowledged, and nothing else: {report}");
}
