//! Verifying a server from afar with a token that is not for everything.

use crate::rig::{Rig, example};

#[test]
fn what_a_token_does_not_allow_is_undecidable_and_the_rest_is_verified() {
    let rig = Rig::new();
    let server = rig.up(&["--ledger", "main", "--ledger", "other"]);
    rig.ask(&server, &["append", &example("cloudtrail.json"), "--wait", "committed"]).ok();
    let verify = |token: &str, more: &[&str]| {
        rig.ask(&server, &[&["verify", &server.url, "--json", "--token-file", token], more].concat())
    };
    verify("ledgerstone-data/admin.token", &[]).ok();
    let give = |file: &str, role: &str| {
        let token = rig.ask(&server, &["token", "add", file, "--role", role, "--ledger", "main"]).ok();
        rig.write(file, &token.out);
    };
    give("auditor.token", "auditor");
    let report = verify("auditor.token", &[]).code_is(2).json();
    assert_eq!(report["verdict"], "undecidable", "{report:#}");
    assert_eq!(report["damage"].as_array().unwrap().len(), 0, "{report:#}");
    let ledgers = report["ledgers"].as_array().unwrap();
    assert_eq!(ledgers.len(), 3, "{report:#}");
    let main = ledgers.iter().find(|ledger| ledger["name"] == "main").unwrap();
    assert!(main["payloads"].as_u64() > Some(2) && main["good_below"] == main["tree_size"], "{report:#}");
    let undecided = report["undecided"].as_array().unwrap();
    assert_eq!(undecided.len(), 2, "{report:#}");
    for ledger in ledgers.iter().filter(|ledger| ledger["name"] != "main") {
        let origin = ledger["origin"].as_str().unwrap();
        let says = undecided.iter().filter_map(|why| why.as_str()).find(|why| why.contains(origin)).unwrap();
        assert!(says.contains("not allowed to read it"), "{says}");
        assert_eq!(ledger["good_below"], 0, "{report:#}");
    }
    // Entries yes, payloads no: what was checked is proven, and it is said what was not.
    let narrow = [
        "token", "add", "n", "--role", "auditor", "--action", "bundles", "--action", "ledgers", "--action",
        "accesses",
    ];
    rig.write("narrow.token", rig.ask(&server, &narrow).ok().out);
    let report = verify("narrow.token", &[]).ok().json();
    assert_eq!(
        (&report["verdict"], &report["payloads_opened"]),
        (&"proven".into(), &false.into()),
        "{report:#}"
    );
    assert!(
        report["notes"].to_string().contains("main: the token does not allow its payloads"),
        "{report:#}"
    );
    // Neither of them: every ledger is told, none is damaged.
    give("operator.token", "operator");
    let report = verify("operator.token", &[]).code_is(2).json();
    assert_eq!(report["undecided"].as_array().unwrap().len(), 3, "{report:#}");
    // What is disproven stays so, whatever else could not be read.
    let stranger = Rig::new();
    let other = stranger.up(&[]).vkey();
    verify("auditor.token", &["--key", &other]).code_is(1);
    // A token that nobody knows is a mistake to mend.
    rig.write("wrong.token", format!("lst_{}", "0".repeat(72)));
    assert_eq!(verify("wrong.token", &[]).code, Some(2));
}
