use super::keys::{KEYS, default_file};
use super::{Mistake, Settings};

fn mistakes(text: &str) -> Vec<(usize, String)> {
    let mistakes = Settings::parse(text).expect_err("the text has mistakes");
    mistakes.into_iter().map(|Mistake { line, what }| (line, what)).collect()
}

#[track_caller]
fn check_mistake(text: &str, line: usize, what: &str) {
    let found = mistakes(text);
    assert!(found.len() == 1 && found[0].0 == line && found[0].1.contains(what), "{text:?}: {found:?}");
}

#[test]
fn the_default_file_says_nothing_and_says_the_defaults_when_uncommented() {
    let file = default_file();
    assert_eq!(Settings::parse(&file), Ok(Settings::default()));
    let live: String = file
        .lines()
        .filter(|line| !line.ends_with("= ..."))
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if setting.contains(" = ") => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let settings = Settings::parse(&live).expect("the defaults are right");
    assert_eq!(settings.listen, Some(([127, 0, 0, 1], 4780).into()));
    assert_eq!(settings.ledgers, Some(vec!["main".to_owned()]));
    assert_eq!(settings.seal_entries, Some(131_072));
    assert_eq!((settings.open_tiles, settings.open_bundles), (Some(true), Some(false)));
    assert!(KEYS.iter().all(|key| file.contains(key.path.rsplit('.').next().expect("a name"))));
}

#[test]
fn the_reference_shows_the_settings_that_there_are() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    assert!(
        page.contains(&format!("```toml\n{}```\n", default_file())),
        "copy this to docs/cli.md:\n{}",
        default_file()
    );
}

#[test]
fn defaults_are_those_of_the_engine() {
    let options = ledger::Options::default();
    let default = |path: &str| KEYS.iter().find(|key| key.path == path).map(|key| key.default.to_owned());
    let is = |path, value: u128| assert_eq!(default(path), Some(value.to_string()), "{path}");
    is("commit.checkpoint_interval_ms", options.checkpoint_interval.as_millis());
    is("commit.heartbeat_s", options.heartbeat.as_secs().into());
    is("seal.entries", options.seal_entries.into());
    is("seal.age_s", options.seal_age.as_secs().into());
    is("limits.queue_mib", (options.queue_bytes as u128) >> 20);
    is("limits.reserve_mib", (options.reserve_bytes as u128) >> 20);
    let limits = api::Limits::default();
    is("limits.connections_per_address", limits.connections_per_address as u128);
    is("limits.connections_from_loopback", limits.connections_from_loopback as u128);
    assert_eq!(default("origin_host"), Some(format!("{:?}", options.origin_host)));
    assert_eq!(default("ledgers"), Some(format!("{:?}", options.ledgers)));
}

#[test]
fn every_mistake_is_told_with_its_line() {
    let found = mistakes(
        "listen = \"here\"\n\
         lisen = \"127.0.0.1:1\"\n\
         \n\
         ledgers = [\"main\", \"main\"]\n\
         [commit]\n\
         heartbeat_s = 0\n\
         [seal]\n\
         entries = 1000\n\
         [nonsense]\n\
         key = 1\n",
    );
    let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 2, 4, 6, 8, 9], "{found:?}");
    assert!(found[1].1.contains("perhaps listen is meant"), "{found:?}");
}

#[test]
fn each_kind_of_value_is_checked() {
    check_mistake("listen = 4780", 1, "a text in quotes, not an integer");
    check_mistake("listen = \"localhost:4780\"", 1, "such as \"127.0.0.1:4780\"");
    check_mistake("\n\ndanger_listen_without_tls = \"yes\"", 3, "true or false");
    check_mistake("keys = \"\"", 1, "empty");
    check_mistake("ledgers = []", 1, "at least one");
    check_mistake("ledgers = [\"Main\"]", 1, "small letters");
    check_mistake("ledgers = [\"../main\"]", 1, "small letters");
    check_mistake("origin_host = \"https://example.org\"", 1, "without https://");
    check_mistake("origin_host = \"a b\"", 1, "host name");
    check_mistake("heartbeat_s = 5", 1, "perhaps commit.heartbeat_s");
    check_mistake("commit = 5", 1, "no such setting");
    check_mistake("[limits]\nqueue_mib = -1", 2, "from 1 to 65536");
    check_mistake("[limits]\nqueue_mib = 99999999999999999999999999", 2, "from 1 to 65536");
    check_mistake("[log]\nformat = \"xml\"", 2, "must be one of: text, json");
    check_mistake("[open]\ntiles = 1", 2, "true or false");
}

#[test]
fn bad_syntax_and_other_mistakes_are_told_together() {
    let found = mistakes("listen = \nledgrs = [\"main\"]\n[open]\ntiles = maybe\n");
    let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 2, 4], "{found:?}");
}

#[test]
fn a_key_given_twice_is_a_mistake() {
    check_mistake("listen = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"", 2, "duplicate");
}
