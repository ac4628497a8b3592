//! The settings file. It is read strictly, and everything that is wrong with it is said at once.

mod keys;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use keys::{KEYS, Key, Kind};

pub(crate) use keys::default_file;

/// What a settings file says; what it does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub listen: Option<SocketAddr>,
    pub danger_listen_without_tls: Option<bool>,
    pub keys: Option<PathBuf>,
    pub ledgers: Option<Vec<String>>,
    pub origin_host: Option<String>,
    pub timestamp_authorities: Option<Vec<String>>,
    pub timestamp_ca: Option<PathBuf>,
    pub timestamp_calendars: Option<Vec<String>>,
    pub timestamp_interval_s: Option<u64>,
    pub tls_certificate: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub tls_client_ca: Option<PathBuf>,
    pub open_tiles: Option<bool>,
    pub open_bundles: Option<bool>,
    pub checkpoint_interval_ms: Option<u64>,
    pub heartbeat_s: Option<u64>,
    pub seal_entries: Option<u64>,
    pub seal_age_s: Option<u64>,
    pub queue_mib: Option<u64>,
    pub reserve_mib: Option<u64>,
    pub connections_per_address: Option<u64>,
    pub connections_from_loopback: Option<u64>,
    pub scrub_mib_per_s: Option<u64>,
    pub scrub_pause_s: Option<u64>,
    pub witness_policy: Option<PathBuf>,
    pub witness_ledgers: Option<Vec<String>>,
    pub witness_own: Option<Vec<String>>,
    pub witness_timeout_s: Option<u64>,
    pub log_format: Option<String>,
    pub log_requests: Option<bool>,
}

/// One thing that is wrong with a settings file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Where, counted from 1.
    pub line: usize,
    /// What, and what would be right.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// The default of a setting, as the reference shows it.
#[cfg(test)]
pub(crate) fn default_of(path: &str) -> &'static str {
    KEYS.iter().find(|key| key.path == path).map_or("", |key| key.default)
}

impl Settings {
    /// Reads the text of a settings file.
    ///
    /// # Errors
    /// All mistakes, by line.
    pub(crate) fn parse(text: &str) -> Result<Settings, Vec<Mistake>> {
        let line = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut mistakes: Vec<Mistake> = errors
            .iter()
            .map(|error| Mistake {
                line: line(error.span().map_or(0, |span| span.start)),
                what: error.message().to_owned(),
            })
            .collect();
        let mut found = Vec::new();
        let syntax: Vec<usize> = mistakes.iter().map(|mistake| mistake.line).collect();
        walk("", table.get_ref(), &mut |path, at, value| {
            let line = line(at);
            // What is left of a line with bad syntax is no mistake of its own.
            if syntax.contains(&line) {
                return;
            }
            match read(&path, value) {
                Ok(value) => found.push((path, value)),
                Err(what) => mistakes.push(Mistake { line, what: format!("{path}: {what}") }),
            }
        });
        mistakes.sort_by_key(|mistake| mistake.line);
        if mistakes.is_empty() { Ok(Settings::assemble(found)) } else { Err(mistakes) }
    }

    fn assemble(found: Vec<(String, Setting)>) -> Settings {
        let mut settings = Settings::default();
        for (path, value) in found {
            match (path.as_str(), value) {
                ("listen", Setting::Address(value)) => settings.listen = Some(value),
                ("danger_listen_without_tls", Setting::Switch(value)) => {
                    settings.danger_listen_without_tls = Some(value);
                }
                ("keys", Setting::Text(value)) => settings.keys = Some(value.into()),
                ("ledgers", Setting::Names(value)) => settings.ledgers = Some(value),
                ("origin_host", Setting::Text(value)) => settings.origin_host = Some(value),
                ("timestamp.authorities", Setting::Names(value)) => {
                    settings.timestamp_authorities = Some(value);
                }
                ("timestamp.calendars", Setting::Names(value)) => {
                    settings.timestamp_calendars = Some(value);
                }
                ("timestamp.ca", Setting::Text(value)) => settings.timestamp_ca = Some(value.into()),
                ("timestamp.interval_s", Setting::Number(value)) => {
                    settings.timestamp_interval_s = Some(value);
                }
                ("tls.certificate", Setting::Text(value)) => settings.tls_certificate = Some(value.into()),
                ("tls.key", Setting::Text(value)) => settings.tls_key = Some(value.into()),
                ("tls.client_ca", Setting::Text(value)) => settings.tls_client_ca = Some(value.into()),
                ("open.tiles", Setting::Switch(value)) => settings.open_tiles = Some(value),
                ("open.bundles", Setting::Switch(value)) => settings.open_bundles = Some(value),
                ("commit.checkpoint_interval_ms", Setting::Number(value)) => {
                    settings.checkpoint_interval_ms = Some(value);
                }
                ("commit.heartbeat_s", Setting::Number(value)) => settings.heartbeat_s = Some(value),
                ("seal.entries", Setting::Number(value)) => settings.seal_entries = Some(value),
                ("seal.age_s", Setting::Number(value)) => settings.seal_age_s = Some(value),
                ("limits.queue_mib", Setting::Number(value)) => settings.queue_mib = Some(value),
                ("limits.reserve_mib", Setting::Number(value)) => settings.reserve_mib = Some(value),
                ("limits.connections_per_address", Setting::Number(value)) => {
                    settings.connections_per_address = Some(value);
                }
                ("limits.connections_from_loopback", Setting::Number(value)) => {
                    settings.connections_from_loopback = Some(value);
                }
                ("scrub.mib_per_s", Setting::Number(value)) => settings.scrub_mib_per_s = Some(value),
                ("scrub.pause_s", Setting::Number(value)) => settings.scrub_pause_s = Some(value),
                ("witness.policy", Setting::Text(value)) => settings.witness_policy = Some(value.into()),
                ("witness.ledgers", Setting::Names(value)) => settings.witness_ledgers = Some(value),
                ("witness.own", Setting::Names(value)) => settings.witness_own = Some(value),
                ("witness.timeout_s", Setting::Number(value)) => settings.witness_timeout_s = Some(value),
                ("log.format", Setting::Text(value)) => settings.log_format = Some(value),
                ("log.requests", Setting::Switch(value)) => settings.log_requests = Some(value),
                // `read` lets through only what the table of keys names, each with its kind.
                (path, _) => debug_assert!(false, "a key without a field: {path}"),
            }
        }
        settings
    }
}

/// A value that fits its key.
enum Setting {
    Address(SocketAddr),
    Text(String),
    Names(Vec<String>),
    Switch(bool),
    Number(u64),
}

/// Calls `each` with the path, position and value of every key that is not a known section.
fn walk(prefix: &str, table: &DeTable<'_>, each: &mut impl FnMut(String, usize, &Spanned<DeValue<'_>>)) {
    for (name, value) in table {
        let path = format!("{prefix}{}", name.get_ref());
        let section = format!("{path}.");
        match value.get_ref() {
            DeValue::Table(inner) if KEYS.iter().any(|key| key.path.starts_with(&section)) => {
                walk(&section, inner, each);
            }
            _ => each(path, name.span().start, value),
        }
    }
}

fn read(path: &str, value: &Spanned<DeValue<'_>>) -> Result<Setting, String> {
    let Some(key) = KEYS.iter().find(|key| key.path == path) else {
        return Err(match nearest(path) {
            Some(known) => format!("there is no such setting, perhaps {known} is meant"),
            None => "there is no such setting".to_owned(),
        });
    };
    let value = value.get_ref();
    let text = || value.as_str().ok_or_else(|| expected("a text in quotes", value));
    match key.kind {
        Kind::Urls => urls(value),
        Kind::Address => text()?
            .parse()
            .map(Setting::Address)
            .map_err(|_| "must be an address and a port, such as \"127.0.0.1:4780\"".to_owned()),
        Kind::Path => match text()? {
            "" => Err("must not be empty".to_owned()),
            path => Ok(Setting::Text(path.to_owned())),
        },
        Kind::Origin => origin(text()?),
        Kind::Ledgers => ledgers(value),
        Kind::Names => names(value),
        Kind::Words(words) => match text()? {
            word if words.contains(&word) => Ok(Setting::Text(word.to_owned())),
            _ => Err(format!("must be one of: {}", words.join(", "))),
        },
        Kind::Switch => value.as_bool().map(Setting::Switch).ok_or_else(|| expected("true or false", value)),
        Kind::Number { .. } => number(key, value),
    }
}

fn urls(value: &DeValue<'_>) -> Result<Setting, String> {
    let list = value.as_array().ok_or_else(|| expected("a list of addresses", value))?;
    let url = |value: &Spanned<DeValue<'_>>| {
        let text =
            value.get_ref().as_str().ok_or_else(|| expected("a list of addresses", value.get_ref()))?;
        match net::Url::parse(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(what) => Err(format!("{what}: {}", crate::terminal::escape(text))),
        }
    };
    match list.iter().map(url).collect::<Result<Vec<String>, String>>()? {
        urls if urls.is_empty() => Err("must name at least one address".to_owned()),
        urls => Ok(Setting::Names(urls)),
    }
}

fn origin(text: &str) -> Result<Setting, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-:/".contains(&byte);
    if (1..=100).contains(&text.len())
        && text.bytes().all(fits)
        && !text.contains("//")
        && !text.ends_with('/')
    {
        return Ok(Setting::Text(text.to_owned()));
    }
    Err("must be a host name without https://, such as \"ledgerstone.local\"".to_owned())
}

fn ledgers(value: &DeValue<'_>) -> Result<Setting, String> {
    let list = value.as_array().ok_or_else(|| expected("a list of names, such as [\"main\"]", value))?;
    let mut names: Vec<String> = Vec::new();
    for value in list {
        let name = value.get_ref().as_str().ok_or_else(|| expected("a list of names", value.get_ref()))?;
        check_ledger_name(name)?;
        if names.iter().any(|known| known == name) {
            return Err(format!("names a ledger twice: {name}"));
        }
        names.push(name.to_owned());
    }
    if names.is_empty() {
        return Err("must name at least one ledger".to_owned());
    }
    Ok(Setting::Names(names))
}

fn names(value: &DeValue<'_>) -> Result<Setting, String> {
    let list = value.as_array().ok_or_else(|| expected("a list of names", value))?;
    let name = |value: &Spanned<DeValue<'_>>| value.get_ref().as_str().map(str::to_owned);
    let names: Option<Vec<String>> = list.iter().map(name).collect();
    match names {
        Some(names) if !names.is_empty() => Ok(Setting::Names(names)),
        Some(_) => Err("must name at least one".to_owned()),
        None => Err(expected("a list of names", value)),
    }
}

/// Whether a ledger may have this name; also asked for names from the command line.
pub(crate) fn check_ledger_name(name: &str) -> Result<(), String> {
    if evidence::layout::is_ledger_name(name) {
        return Ok(());
    }
    Err(format!(
        "a ledger's name has 1 to 40 small letters, digits and hyphens and does not begin with a hyphen: {}",
        crate::terminal::escape(name)
    ))
}

fn number(key: &Key, value: &DeValue<'_>) -> Result<Setting, String> {
    let Kind::Number { min, max, multiple_of } = key.kind else { return Err("is no number".to_owned()) };
    let written = value.as_integer().ok_or_else(|| expected("a whole number", value))?;
    let read = i128::from_str_radix(written.as_str(), written.radix()).ok();
    let number = read.and_then(|number| u64::try_from(number).ok());
    match number.filter(|number| (min..=max).contains(number) && number % multiple_of == 0) {
        Some(number) => Ok(Setting::Number(number)),
        None if multiple_of > 1 => Err(format!("must be a multiple of {multiple_of} from {min} to {max}")),
        None => Err(format!("must be a whole number from {min} to {max}")),
    }
}

fn expected(what: &str, value: &DeValue<'_>) -> String {
    format!("must be {what}, not {} {}", article(value.type_str()), value.type_str())
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" }
}

/// The known key closest to one that was mistyped, if any is close.
fn nearest(path: &str) -> Option<&'static str> {
    if path.len() > 64 {
        return None;
    }
    let last = |path: &'static str| path.rsplit('.').next().unwrap_or(path);
    if let Some(key) = KEYS.iter().find(|key| last(key.path) == path) {
        return Some(key.path);
    }
    let (distance, key) = KEYS.iter().map(|key| (distance(path, key.path), key.path)).min()?;
    (distance <= 3).then_some(key)
}

/// How many letters must be put in, left out or changed to come from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
