//! The query language of a plain scan, and what it means for one record.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use ledger::StoredRecord;
use memchr::memchr2_iter;
use record::canonical;
use record::entry::Kind;
use record::facet::table_text;
use record::json::Value;

use crate::problem::Problem;
use crate::view::{self, Unsound};

/// Most terms of one query.
const MAX_TERMS: usize = 64;

/// Terms that must all match.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Terms(Vec<Term>);

#[derive(Debug, PartialEq, Eq)]
struct Term {
    negated: bool,
    what: What,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    /// `kind:gap`
    Kind(Kind),
    /// `actor.user.name:alice` or `actor.user.name=alice`
    Path { path: String, value: String },
    /// Anything else, in lower case, and as JSON spells it where that is different.
    Text { plain: String, escaped: Option<String> },
}

impl Terms {
    /// Reads terms separated by blanks; no terms match everything.
    ///
    /// # Errors
    /// A quotation that does not end, a kind there is not, or too many terms.
    pub(crate) fn parse(query: &str) -> Result<Self, Problem> {
        let mut terms = Vec::new();
        let mut rest = query.trim_start();
        while !rest.is_empty() {
            if terms.len() == MAX_TERMS {
                return Err(Problem::bad_query(format!("more than {MAX_TERMS} terms")));
            }
            let term = rest.strip_prefix('-').filter(|term| !term.is_empty() && !term.starts_with(' '));
            let (what, after) = take_term(term.unwrap_or(rest))?;
            terms.push(Term { negated: term.is_some(), what });
            rest = after.trim_start();
        }
        Ok(Self(terms))
    }

    /// Whether a record matches all terms.
    ///
    /// # Errors
    /// If the record cannot be shown, when a term asks for an attribute of the event.
    pub(crate) fn match_record(&self, kind: Option<Kind>, record: &StoredRecord) -> Result<bool, Unsound> {
        let mut event = None;
        for term in &self.0 {
            let matches = match &term.what {
                What::Kind(wanted) => kind == Some(*wanted),
                What::Text { plain, escaped } => record.facets.iter().any(|facet| {
                    let holds = |text: &String| contains(facet, text);
                    holds(plain) || escaped.as_ref().is_some_and(holds)
                }),
                What::Path { path, value } => {
                    if event.is_none() {
                        event = Some(view::event(record)?);
                    }
                    event.as_ref().is_some_and(|event| has(event, path, value))
                }
            };
            if matches == term.negated {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Takes one term off the front of a text that begins with one.
fn take_term(text: &str) -> Result<(What, &str), Problem> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (phrase, rest) = take_quoted(quoted)?;
        return Ok((text_term(phrase), rest));
    }
    let name_len = text.find(|c: char| c.is_whitespace() || c == ':' || c == '=').unwrap_or(text.len());
    let (name, rest) = text.split_at(name_len);
    if let Some(value) = rest.strip_prefix([':', '=']) {
        if name == "kind" && rest.starts_with(':') {
            let (word, rest) = take_word(value);
            let kind = Kind::ALL.into_iter().find(|kind| view::kind_name(*kind) == word);
            let names = || Kind::ALL.map(view::kind_name).join(", ");
            let kind = kind.ok_or_else(|| Problem::bad_query(format!("kind: must be one of {}", names())))?;
            return Ok((What::Kind(kind), rest));
        }
        if is_path(name) {
            let (value, rest) = match value.strip_prefix('"') {
                Some(quoted) => take_quoted(quoted)?,
                None => take_word(value),
            };
            return Ok((What::Path { path: name.to_owned(), value: value.to_owned() }, rest));
        }
    }
    let (word, rest) = take_word(text);
    Ok((text_term(word), rest))
}

fn take_word(text: &str) -> (&str, &str) {
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

fn take_quoted(text: &str) -> Result<(&str, &str), Problem> {
    text.split_once('"').ok_or_else(|| Problem::bad_query("a quotation does not end: \" is missing"))
}

fn text_term(text: &str) -> What {
    let plain = text.to_lowercase();
    let mut quoted = Vec::new();
    canonical::write_string(text, &mut quoted);
    let escaped = String::from_utf8_lossy(&quoted[1..quoted.len() - 1]).to_lowercase();
    What::Text { escaped: (escaped != plain).then_some(escaped), plain }
}

/// Whether a word before `:` or `=` names an attribute: `a.b`, or one of those the facet table knows at the top.
/// Others are texts, such as `arn:aws:iam::1:user/alice` or `system:serviceaccount`.
fn is_path(name: &str) -> bool {
    static TOP: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let table = table_text();
        let listed = table.lines().skip(1).filter_map(|line| line.split(['.', ' ']).next());
        let others = ["message", "unmapped", "ledgerstone"];
        listed.chain(others).map(str::to_owned).collect()
    });
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    TOP.contains(name) || starts && name.contains('.') && name.split('.').all(is_part)
}

/// Whether the value at `path`, or that of any element of an array on the way, is spelt `wanted`.
fn has(value: &Value<'_>, path: &str, wanted: &str) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(|element| has(element, path, wanted)),
        Value::Object(object) if !path.is_empty() => {
            // A key may hold dots itself, as labels do: try it at every length.
            let dots = path.match_indices('.').map(|(dot, _)| (&path[..dot], &path[dot + 1..]));
            dots.chain([(path, "")])
                .any(|(key, rest)| object.get(key).is_some_and(|value| has(value, rest, wanted)))
        }
        _ if !path.is_empty() => false,
        Value::String(text) => text == wanted,
        Value::Number(number) => number.as_str() == wanted,
        Value::Bool(flag) => wanted == if *flag { "true" } else { "false" },
        Value::Null => wanted == "null",
        Value::Object(_) => false,
    }
}

/// Whether `text` holds `wanted`, which is in lower case, in any case.
fn contains(text: &[u8], wanted: &str) -> bool {
    let wanted_bytes = wanted.as_bytes();
    let Some(&first) = wanted_bytes.first() else { return true };
    if !wanted.is_ascii() {
        return String::from_utf8_lossy(text).to_lowercase().contains(wanted);
    }
    memchr2_iter(first, first.to_ascii_uppercase(), text).any(|at| {
        text.get(at..at + wanted_bytes.len()).is_some_and(|part| part.eq_ignore_ascii_case(wanted_bytes))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use record::commit::Seed;
    use record::facet::{Stamp, split};
    use record::json;
    use record::stored::Opening;

    fn record(event: &str, raw: &str) -> StoredRecord {
        let draft = split(&json::parse(event.as_bytes()).unwrap());
        let mut when = Vec::new();
        let stamp = Stamp { received_ms: 5, source: 3, epoch: 1, sequence: 9 };
        draft.when.write_stamped(&stamp, &mut when);
        StoredRecord {
            index: 0,
            entry: [0; 58],
            opening: Opening::Seed(Seed([0; 16])),
            facets: [when, draft.who, draft.what, draft.content, draft.where_, raw.as_bytes().to_vec()],
        }
    }

    #[test]
    fn terms_match_as_written() {
        let event = r#"{"actor":{"user":{"name":"Alice","uid":"arn:aws:iam::1:user/Alice"}},"class_uid":6003,
            "status":"Failure","message":"Zugriff auf \"Büro\" VERWEIGERT","unmapped":{"a.b":{"c":true}},
            "resources":[{"name":"t1"},{"name":"t2","labels":["x","y"]}]}"#;
        let record = record(&event.replace('\n', " "), r#"{"who":"ALICE","n":1.50}"#);
        for (query, expected) in [
            ("", true),
            ("alice", true),
            ("ALICE", true),
            ("alicf", false),
            ("alice bob", false),
            ("alice -bob", true),
            ("-alice", false),
            ("\"user/alice\"", true),
            ("-\"user/alice\"", false),
            ("arn:aws:iam::1:user/alice", true),
            ("büro", true),
            ("BÜRO", true),
            ("büro\"", true),
            ("actor.user.name:Alice", true),
            ("actor.user.name=Alice", true),
            ("actor.user.name:alice", false),
            ("-actor.user.name:alice", true),
            ("actor.user:Alice", false),
            ("class_uid:6003", true),
            ("class_uid:600", false),
            ("status=Failure alice", true),
            ("resources.name:t2", true),
            ("resources.labels:y", true),
            ("resources.labels:z", false),
            ("unmapped.a.b.c:true", true),
            ("ledgerstone.source:3", true),
            ("ledgerstone.sequence:9", true),
            ("kind:event", true),
            ("-kind:event", false),
            ("kind:gap", false),
            ("1.50", true),
            ("10:15", false),
            ("-", false),
            ("- alice", false),
        ] {
            let terms = Terms::parse(query).unwrap();
            let matched = terms.match_record(Some(Kind::Event), &record).unwrap();
            assert_eq!(matched, expected, "{query}: {terms:?}");
        }
    }

    #[test]
    fn a_quoted_value_may_hold_blanks() {
        let record = record(r#"{"message":"access denied"}"#, "");
        let matched = |query: &str| Terms::parse(query).unwrap().match_record(None, &record).unwrap();
        assert!(matched(r#"message:"access denied""#));
        assert!(matched(r#"message="access denied" -message:"denied""#));
        assert!(matched(r#""cess den""#));
        assert!(!matched(r#""denied access""#));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(Terms::parse("kind:gaps").is_err());
        assert!(Terms::parse("\"open").is_err());
        assert!(Terms::parse("message:\"open").is_err());
        assert!(Terms::parse(&"x ".repeat(64)).is_ok());
        assert!(Terms::parse(&"x ".repeat(65)).is_err());
    }

    proptest! {
        #[test]
        fn a_part_of_a_text_is_found_in_any_case(text in "[ -~äÄßé]{1,30}", from in 0_usize..30, len in 1_usize..6) {
            let part: String = text.chars().skip(from).take(len).collect();
            prop_assert!(contains(text.as_bytes(), &part.to_lowercase()));
            prop_assert!(contains(text.to_lowercase().as_bytes(), &part.to_lowercase()));
        }

        #[test]
        fn agrees_with_a_naive_search(text in "[abAB]{0,12}", wanted in "[ab]{0,4}") {
            prop_assert_eq!(contains(text.as_bytes(), &wanted), text.to_lowercase().contains(&wanted));
        }

        #[test]
        fn no_query_panics(query in "(\\PC|[-\": =.]){0,40}") {
            let _ = Terms::parse(&query);
        }
    }
}
