//! How the verbs show what hostile events say.

use crate::row::Outcome;
use crate::site::Site;

/// Whether a character may steer a terminal, or reorder or hide what stands beside it.
fn is_bad(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Looks at everything that `search` and `show` print about the hostile events: as tables and as JSON.
pub fn nothing_raw(site: &Site) -> Outcome {
    let mut wrong = Vec::new();
    let found = site.rig.ask_json(&site.server, &["search", "hostile", "--limit", "100"]);
    let hits: Vec<String> =
        found["hits"].as_array().unwrap().iter().map(|hit| hit["index"].to_string()).collect();
    assert!(hits.len() >= 9, "{found}");
    let mut verbs: Vec<Vec<&str>> = vec![vec!["search", "hostile"], vec!["search", "hostile", "--json"]];
    verbs.extend(hits.iter().flat_map(|index| [vec!["show", index], vec!["show", index, "--json"]]));
    for verb in &verbs {
        let done = site.rig.ask(&site.server, verb);
        if let Some(bad) = done.out.chars().chain(done.err.chars()).find(|c| *c != '\n' && is_bad(*c)) {
            wrong.push(format!("{verb:?} prints U+{:04X}", bad as u32));
        }
        let is_json = done.out.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
            || serde_json::from_str::<serde_json::Value>(&done.out).is_ok();
        if verb.contains(&"--json") && !is_json {
            wrong.push(format!("{verb:?} prints no JSON"));
        }
    }
    Outcome::new("hostile events, searched and shown", "", wrong.join("; "))
}
