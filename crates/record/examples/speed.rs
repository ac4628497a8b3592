//! How fast the hot path is, on one core: `cargo run --release -p record --example speed`.
//!
//! One native event of about 400 bytes, over and over: a best case for caches, so read the figures as ceilings.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "measures time and prints it")]

use record::commit::{Seed, commitment, facet_digest, salts};
use record::facet::{Facet, Stamp, TABLE_VERSION, merge, read_stamp, split};
use record::{canonical, json};
use std::hint::black_box;
use std::time::{Duration, Instant};

const EVENT: &[u8] = br#"{"activity_id":2,"actor":{"session":{"uid":"s-19f2"},"user":{"name":"j.doe","uid":"u-7731"}},"api":{"operation":"orders.update","service":{"name":"shop"}},"class_uid":6003,"metadata":{"product":{"name":"shop"},"version":"1.8.0"},"resources":[{"name":"orders/88123","type":"order"}],"severity_id":1,"src_endpoint":{"ip":"192.0.2.17","port":51234},"status_id":1,"time":1767225600123,"type_uid":600302}"#;

fn main() {
    let event = json::parse(EVENT).expect("the event is valid");
    let draft = split(&event);
    let stamp = Stamp { received_ms: 1_767_225_600_456, source: 3, epoch: 1, sequence: 77_123 };
    let mut when = Vec::new();
    draft.when.write_stamped(&stamp, &mut when);
    let facets: [&[u8]; 6] = [&when, &draft.who, &draft.what, &draft.content, &draft.where_, EVENT];
    let seed = Seed::from_bytes([7; 16]);

    println!("event of {} bytes", EVENT.len());
    report("json::parse", EVENT.len(), || drop(black_box(json::parse(black_box(EVENT)))));
    report("canonical::write", EVENT.len(), || {
        let mut out = Vec::with_capacity(512);
        canonical::write(black_box(&event), &mut out);
        black_box(out);
    });
    report("canonical::check", EVENT.len(), || {
        black_box(canonical::check(black_box(EVENT))).expect("the event is canonical");
    });
    report("canonical::check, facets", facets[..5].iter().map(|facet| facet.len()).sum(), || {
        for facet in &facets[..5] {
            black_box(canonical::check(black_box(facet))).expect("facets are canonical");
        }
    });
    report("facet::split", EVENT.len(), || drop(black_box(split(black_box(&event)))));
    report("write_stamped", when.len(), || {
        let mut out = Vec::with_capacity(256);
        draft.when.write_stamped(black_box(&stamp), &mut out);
        black_box(out);
    });
    report("read_stamp", when.len(), || {
        black_box(read_stamp(black_box(&when))).expect("the stamp is there");
    });
    report("merge", EVENT.len(), || {
        drop(black_box(merge([
            Some(&when),
            Some(&draft.who),
            Some(&draft.what),
            Some(&draft.content),
            None,
        ])));
    });
    report("salts, digests, commitment", facets.iter().map(|facet| facet.len()).sum(), || {
        let salts = salts(black_box(&seed));
        let digests = Facet::ALL.map(|f| facet_digest(f, &salts[f as usize], facets[f as usize]));
        black_box(commitment(&[9; 32], TABLE_VERSION, &digests));
    });
}

/// The best of several runs: the one least disturbed by others on the machine.
fn report(name: &str, bytes: usize, mut work: impl FnMut()) {
    const TIMES: u32 = 100_000;
    let mut best = Duration::MAX;
    for _ in 0..7 {
        let start = Instant::now();
        (0..TIMES).for_each(|_| work());
        best = best.min(start.elapsed() / TIMES);
    }
    let rate = bytes as f64 / best.as_secs_f64() / 1e6;
    println!("{name:<28} {:>6} ns {rate:>8.0} MB/s", best.as_nanos());
}
