//! Events that try to steer the terminal of whoever reads them.

use crate::rig::Rig;

#[test]
fn nothing_from_an_event_reaches_the_terminal_raw() {
    let rig = Rig::new();
    let server = rig.up(&[]);
    let event = serde_json::json!({
        "actor": {"user": {"name": "\u{1b}]0;owned\u{7}\u{1b}[2Jroot\u{202e}txt.exe"}},
        "api": {"operation": "a\rb\nc\u{9b}31m\u{2028}"},
        "resources": [{"name": "\u{200b}\u{feff}\u{e0041}"}],
        "unknown\u{1b}key": "\u{7f}",
    });
    rig.write("evil.json", event.to_string());
    // JSON spells most of these as escapes; here they stand in the input as they are.
    let raw = "{\"actor\":{\"user\":{\"name\":\"\u{202e}evil\u{9b}\u{2066}\"}},\"x\":\"\u{85}\"}\nplain \u{1b}[31m text \u{7}\n";
    rig.write("raw.ndjson", raw);
    rig.ask(&server, &["append", "evil.json"]).ok();
    let told = rig.ask_json(&server, &["append", "raw.ndjson"]);
    let last = told["last"].to_string();
    let first = (told["first"].as_u64().unwrap() - 1).to_string();

    let verbs: [&[&str]; 7] = [
        &["search", ""],
        &["search", "", "--json"],
        &["show", &first],
        &["show", &first, "--json"],
        &["show", &last],
        &["show", &last, "--json"],
        &["search", "\u{1b}[31m nothing like this"],
    ];
    for verb in verbs {
        let done = rig.ask(&server, verb);
        for c in done.out.chars().chain(done.err.chars()).filter(|c| *c != '\n') {
            let bad = c.is_control()
                || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
            assert!(!bad, "{verb:?}: U+{:04X} in {done:?}", c as u32);
        }
    }
    // The original bytes are there, unchanged, for those who ask for them.
    let shown = rig.ask(&server, &["show", &last, "--raw"]).ok();
    assert_eq!(shown.raw_out, "plain \u{1b}[31m text \u{7}".as_bytes());
}
