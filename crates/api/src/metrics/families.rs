use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use anchor::{LedgerStatus, WitnessStatus};
use evidence::layout;
use evidence::verify::Verdict;
use ledger::{Reads, Status};
use scrub::ScrubState;
use storage::LocalDisk;
use watch::{Method, WatchState};

use super::page::{Page, Type, number, seconds};
use super::{Outcome, process};
use crate::serve::Turned;
use crate::server::Server;

/// The whole page. `shown`: the ledgers that whoever asks may see.
pub(super) fn page(server: &Server, reads: &Reads, shown: &[usize]) -> String {
    let now_ms = server.env.now_ms();
    let mut page = Page::default();
    state(&mut page, server);
    ledgers(&mut page, server, reads, shown, now_ms);
    requests(&mut page, server);
    if let Some(tls) = &server.tls {
        page.family(
            "ledgerstone_tls_certificate_not_after_seconds",
            Type::Gauge,
            "When the certificate in use ends, in seconds since 1970.",
        )
        .sample(&[], seconds(tls.status().not_after_ms));
    }
    let supervision = server.supervision();
    if let Some(stamps) = supervision.and_then(|supervision| supervision.stamps.as_ref()) {
        timestamps(&mut page, server, &stamps.status(), shown, now_ms);
    }
    if let Some(data) = supervision.and_then(|supervision| supervision.data.as_deref()) {
        disk(&mut page, data);
    }
    if let Some(scrub) = supervision.and_then(|supervision| supervision.scrub.as_ref()) {
        verification(&mut page, &scrub.state(), now_ms);
    }
    if let Some(watch) = supervision.and_then(|supervision| supervision.watch.as_ref()) {
        foreign(&mut page, &watch.state());
    }
    if let Some(witness) = supervision.and_then(|supervision| supervision.witness.as_ref()) {
        witnesses(&mut page, server, &witness.status(), shown);
    }
    process::families(&mut page);
    page.into_text()
}

fn state(page: &mut Page, server: &Server) {
    page.family("ledgerstone_build_info", Type::Gauge, "The program's version; always 1.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    let status = server.engine.status();
    let states = [
        ("running", matches!(status, Status::Running)),
        ("suspended", matches!(status, Status::Suspended { .. })),
        ("damaged", matches!(status, Status::Damaged { .. })),
        ("stopped", matches!(status, Status::Stopped)),
    ];
    page.family(
        "ledgerstone_status",
        Type::Gauge,
        "What the engine is doing: 1 for the present state. Nothing is recorded unless it is running.",
    );
    for (state, is) in states {
        page.sample(&[("state", state)], f64::from(u8::from(is)));
    }
}

fn ledgers(page: &mut Page, server: &Server, reads: &Reads, shown: &[usize], now_ms: u64) {
    let each = |page: &mut Page, value: &dyn Fn(usize) -> Option<f64>| {
        for &at in shown {
            if let Some(value) = value(at) {
                page.sample(&[("ledger", server.ledgers()[at].info.name.as_str())], value);
            }
        }
    };
    page.family("ledgerstone_durable_entries", Type::Gauge, "Entries that survive a power cut.");
    each(page, &|at| Some(number(reads.progress(at).durable)));
    page.family("ledgerstone_committed_entries", Type::Gauge, "Entries in the newest signed checkpoint.");
    each(page, &|at| Some(number(reads.progress(at).committed)));
    page.family("ledgerstone_sealed_entries", Type::Gauge, "Entries in sealed segments.");
    each(page, &|at| Some(number(reads.progress(at).sealed)));
    page.family(
        "ledgerstone_signing_held",
        Type::Gauge,
        "Whether no checkpoint is signed at present, since witnesses have not answered or have refused.",
    );
    each(page, &|at| Some(f64::from(u8::from(reads.signing(at).reason().is_some()))));
    page.family(
        "ledgerstone_signing_held_seconds",
        Type::Gauge,
        "For how long no checkpoint has been signed, while the write-ahead log grows; 0 if they are.",
    );
    each(page, &|at| Some(seconds(reads.signing(at).held_ms(now_ms))));
    page.family(
        "ledgerstone_witnessed_entries",
        Type::Gauge,
        "Entries in the newest checkpoint that a quorum of witnesses cosigned; 0 without one.",
    );
    each(page, &|at| Some(number(reads.witnessed(at).map_or(0, |at| at.checkpoint.size))));
    page.family(
        "ledgerstone_checkpoint_age_seconds",
        Type::Gauge,
        "Time since the newest checkpoint of this run was published.",
    );
    each(page, &|at| Some(seconds(now_ms.saturating_sub(reads.published(at)?.at_ms))));
}

/// What witnesses have said; a witness is named as its policy names it.
fn witnesses(page: &mut Page, server: &Server, all: &[LedgerStatus], shown: &[usize]) {
    let names: Vec<&str> = shown.iter().map(|&at| server.ledgers()[at].info.name.as_str()).collect();
    let all: Vec<&LedgerStatus> =
        all.iter().filter(|status| names.contains(&status.ledger.as_str())).collect();
    let each = |page: &mut Page, value: &dyn Fn(&LedgerStatus, &WitnessStatus) -> Option<f64>| {
        for status in &all {
            for witness in &status.witnesses {
                if let Some(value) = value(status, witness) {
                    page.sample(&[("ledger", &status.ledger), ("witness", &witness.name)], value);
                }
            }
        }
    };
    let flag = |is: bool| Some(f64::from(u8::from(is)));
    page.family(
        "ledgerstone_witness_lag_entries",
        Type::Gauge,
        "Entries of the newest checkpoint that a witness has not cosigned; all of them if none in this run.",
    );
    each(page, &|status, witness| Some(number(status.size.saturating_sub(witness.size.unwrap_or(0)))));
    page.family(
        "ledgerstone_witness_up",
        Type::Gauge,
        "Whether the last question to a witness ended in a cosignature.",
    );
    each(page, &|_, witness| flag(witness.trouble.is_none() && witness.size.is_some()));
    page.family(
        "ledgerstone_witness_alarm",
        Type::Gauge,
        "Whether a witness has refused this ledger's checkpoints: possibly a fork or a rollback.",
    );
    each(page, &|_, witness| flag(witness.alarm.is_some()));
    page.family("ledgerstone_witness_refusals_total", Type::Counter, "Refusals since the start.");
    for status in &all {
        page.sample(&[("ledger", status.ledger.as_str())], number(status.refusals));
    }
}

fn requests(page: &mut Page, server: &Server) {
    let counters = &server.counters;
    let count = |of: &AtomicU64| number(of.load(Ordering::Relaxed));
    page.family("ledgerstone_http_answers_total", Type::Counter, "Answers by class of status.");
    for (class, name) in [(2, "2xx"), (3, "3xx"), (4, "4xx"), (5, "5xx")] {
        page.sample(&[("class", name)], count(&counters.answers[class]));
    }
    page.family(
        "ledgerstone_connections_turned_away_total",
        Type::Counter,
        "Connections ended before a request of theirs was read, by why.",
    );
    for why in Turned::ALL {
        page.sample(&[("reason", why.name())], count(&counters.turned_away[why as usize]));
    }
    page.family("ledgerstone_appends_total", Type::Counter, "Requests to append by what became of them.");
    for outcome in Outcome::ALL {
        page.sample(&[("outcome", outcome.name())], count(&counters.appends[outcome as usize]));
    }
    page.family("ledgerstone_appended_records_total", Type::Counter, "Records that requests have added.")
        .sample(&[], count(&counters.records));
    page.family(
        "ledgerstone_repeated_records_total",
        Type::Counter,
        "Records sent again that were on record already.",
    )
    .sample(&[], count(&counters.duplicates));
    page.family(
        "ledgerstone_appended_bytes_total",
        Type::Counter,
        "Bytes read from bodies of requests to append, after inflating.",
    )
    .sample(&[], count(&counters.bytes));
    let gates = &server.gates;
    let permits = u64::from(gates.queue_permits);
    let waiting = permits.saturating_sub(gates.queue.available_permits() as u64);
    page.family(
        "ledgerstone_append_queue_bytes",
        Type::Gauge,
        "Prepared records that wait to be written, rounded up to KiB each.",
    )
    .sample(&[], number(waiting * 1024));
    page.family("ledgerstone_append_queue_limit_bytes", Type::Gauge, "Most that may wait.")
        .sample(&[], number(permits * 1024));
}

/// What time-stamp authorities have said.
fn timestamps(page: &mut Page, server: &Server, all: &[stamper::Status], shown: &[usize], now_ms: u64) {
    let is_shown = |name: &str| shown.iter().any(|&at| server.ledgers()[at].info.name == name);
    let all: Vec<&stamper::Status> = all.iter().filter(|status| is_shown(&status.ledger)).collect();
    let each = |page: &mut Page, value: &dyn Fn(&stamper::Status) -> Option<f64>| {
        for status in &all {
            if let Some(value) = value(status) {
                page.sample(&[("ledger", &status.ledger), ("authority", &status.authority)], value);
            }
        }
    };
    page.family(
        "ledgerstone_timestamp_age_seconds",
        Type::Gauge,
        "Time since the newest timestamp of this run, by the authority's clock; missing before the first.",
    );
    each(page, &|status| Some(seconds(now_ms.saturating_sub(status.newest.as_ref()?.gen_time_ms))));
    page.family("ledgerstone_timestamps_total", Type::Counter, "Timestamps entered since the start.");
    each(page, &|status| Some(number(status.tokens)));
    page.family(
        "ledgerstone_timestamp_errors_total",
        Type::Counter,
        "Questions to an authority since the start that led to no timestamp.",
    );
    each(page, &|status| Some(number(status.errors)));
    page.family(
        "ledgerstone_clock_offset_seconds",
        Type::Gauge,
        "How far this machine's clock is ahead of an authority's beyond what can be explained; 0 if they agree.",
    );
    each(page, &|status| Some(status.clock_off_ms.unwrap_or(0) as f64 / 1000.0));
}

fn disk(page: &mut Page, data: &Path) {
    let free = LocalDisk::open(data).and_then(|disk| disk.free_bytes());
    if let Ok(free) = free {
        page.family("ledgerstone_disk_free_bytes", Type::Gauge, "Space left on the data directory's disk.")
            .sample(&[], number(free));
    }
    if let Ok(files) = fs::read_dir(data.join(layout::WAL)) {
        let lengths = files.flatten().filter_map(|file| file.metadata().ok()).map(|meta| meta.len());
        let (count, bytes) = lengths.fold((0_u64, 0_u64), |(count, bytes), len| (count + 1, bytes + len));
        page.family("ledgerstone_wal_files", Type::Gauge, "Files of the write-ahead log.")
            .sample(&[], number(count));
        page.family("ledgerstone_wal_bytes", Type::Gauge, "Their length.").sample(&[], number(bytes));
    }
}

fn verification(page: &mut Page, state: &ScrubState, now_ms: u64) {
    page.family(
        "ledgerstone_scrub_budget_bytes_per_second",
        Type::Gauge,
        "How fast the store is verified while it runs; 0 if that is switched off.",
    )
    .sample(&[], number(state.mib_per_s << 20));
    if let Some(last) = &state.last {
        page.family("ledgerstone_scrub_age_seconds", Type::Gauge, "Time since the last full verification.")
            .sample(&[], seconds(now_ms.saturating_sub(last.ended_ms)));
        page.family("ledgerstone_scrub_duration_seconds", Type::Gauge, "How long it took.")
            .sample(&[], seconds(last.took_ms));
        page.family("ledgerstone_scrub_verdict", Type::Gauge, "What came of it: 1 for the verdict.");
        for verdict in [Verdict::Proven, Verdict::Disproven, Verdict::Undecidable] {
            let is = f64::from(u8::from(last.verdict == verdict));
            page.sample(&[("verdict", verdict.word())], is);
        }
    }
    let progress = state.running.map_or(0.0, |running| f64::from(running.percent) / 100.0);
    page.family(
        "ledgerstone_scrub_progress_ratio",
        Type::Gauge,
        "About how far the present verification is; 0 between two.",
    )
    .sample(&[], progress);
    page.family("ledgerstone_scrub_cycles_total", Type::Counter, "Full verifications since the start.")
        .sample(&[], number(state.cycles));
    page.family(
        "ledgerstone_scrub_alarms",
        Type::Gauge,
        "Damage found and not yet both found good again and acknowledged by a start.",
    )
    .sample(&[], number(state.alarms.len() as u64 + state.alarms_beyond));
}

fn foreign(page: &mut Page, state: &WatchState) {
    let methods = [
        ("fanotify-with-pid", state.method == Method::Fanotify { pids: true }),
        ("fanotify", state.method == Method::Fanotify { pids: false }),
        ("inotify", matches!(state.method, Method::Inotify { .. })),
        ("none", matches!(state.method, Method::Blind { .. })),
    ];
    page.family(
        "ledgerstone_watch_method",
        Type::Gauge,
        "How writes to the store by other processes are noticed: 1 for the present way.",
    );
    for (name, is) in methods {
        page.sample(&[("method", name)], f64::from(u8::from(is)));
    }
    page.family("ledgerstone_watched_directories", Type::Gauge, "Directories of the store that are watched.")
        .sample(&[], number(state.directories));
    page.family(
        "ledgerstone_foreign_write_alarms",
        Type::Gauge,
        "Writes by other processes that nobody has acknowledged, of this run and earlier ones.",
    )
    .sample(&[], number(state.alarms.len() as u64 + state.alarms_beyond));
    page.family(
        "ledgerstone_foreign_writes_total",
        Type::Counter,
        "What other processes did to files of the store since the start.",
    )
    .sample(&[], number(state.seen));
    page.family(
        "ledgerstone_foreign_write_overflows_total",
        Type::Counter,
        "How often the kernel's queue of such writes ran over, so that some are not known.",
    )
    .sample(&[], number(state.overflows));
}
