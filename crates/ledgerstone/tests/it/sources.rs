//! Sources with tokens of their own, and retries under their own numbers.

use crate::rig::Rig;

fn events(count: usize) -> String {
    (0..count).map(|n| format!("{{\"actor\":{{\"user\":{{\"name\":\"user{n}\"}}}}}}\n")).collect()
}

#[test]
fn a_source_repeats_without_a_second_record() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    let added = rig.ask(&server, &["sources", "add", "payments", "--numbering", "source"]).ok();
    assert!(added.err.contains("shown only now"), "{added:?}");
    rig.write("payments.token", &added.out);
    let source = rig.ask_json(&server, &["sources", "add", "another"])["source"].as_u64().unwrap();
    assert!(source > 1);

    rig.write("three.ndjson", events(3));
    rig.write("five.ndjson", events(5));
    let append = |file: &str, sequence: &str| {
        let args = [
            "append",
            file,
            "--token-file",
            "payments.token",
            "--epoch",
            "1",
            "--sequence",
            sequence,
            "--json",
        ];
        rig.ask(&server, &args)
    };
    let first = append("three.ndjson", "1").ok().json();
    assert_eq!((first["count"].as_u64(), first["duplicates"].as_u64()), (Some(3), Some(0)));
    let again = append("five.ndjson", "1").ok().json();
    assert_eq!((again["count"].as_u64(), again["duplicates"].as_u64()), (Some(5), Some(3)));
    assert_eq!(again["first"], first["first"]);
    // A hole in the numbers is refused with the one that is expected.
    let refused = append("three.ndjson", "9").code_is(2);
    assert!(refused.err.contains('6'), "{refused:?}");
    assert_eq!(refused.json()["complete"], false);
    // Other bytes under the same numbers are no retry.
    rig.write("other.ndjson", events(4).replace("user", "mallory"));
    append("other.ndjson", "1").code_is(2);

    rig.ask(&server, &["sources", "epoch", "2", "--previous-last", "5"]).ok().says("epoch 2");
    // A source may append and nothing else.
    rig.ask(&server, &["search", "user1", "--token-file", "payments.token"]).code_is(2).says("may not");
}

#[test]
fn receipts_come_for_every_record_of_a_large_file() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    rig.write("many.ndjson", events(20_000));
    let told = rig.ask_json(&server, &["append", "many.ndjson", "--receipts", "r.ndjson"]);
    assert_eq!(told["count"].as_u64(), Some(20_000), "{told}");
    assert_eq!(rig.read("r.ndjson").iter().filter(|byte| **byte == b'\n').count(), 20_000);
    let report = rig.run(&["verify", "r.ndjson", "--raw", "many.ndjson", "--json"]).ok().json();
    assert_eq!(
        (report["receipts"].as_u64(), report["records_without_receipt"].as_u64()),
        (Some(20_000), Some(0))
    );
    // One byte of one record.
    rig.write("changed.ndjson", events(20_000).replace("user19999", "user1999X"));
    rig.run(&["verify", "r.ndjson", "--raw", "changed.ndjson"]).code_is(1).says("record 20000");
}

#[test]
fn the_rest_of_a_file_is_appended_after_skipping() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    rig.write("five.ndjson", events(5));
    let told = rig.ask_json(&server, &["append", "five.ndjson", "--skip", "3"]);
    assert_eq!(told["count"].as_u64(), Some(2));
    let hits = rig.ask_json(&server, &["search", "user"]);
    let names: Vec<&str> = hits["hits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hit| hit["event"]["actor"]["user"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["user3", "user4"]);
}
