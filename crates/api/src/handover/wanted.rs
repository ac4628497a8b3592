use export::Selection;
use ledger::{Fault, Next, Published, Reads};
use record::entry::Entry;
use record::facet::Facet;
use record::json::{self, Value};

use crate::auth::{Sight, is_readable};
use crate::problem::Problem;
use crate::search::Terms;

/// What a request asks for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub case: String,
    pub purpose: Option<String>,
    from: Option<u64>,
    to: Option<u64>,
    from_ms: Option<u64>,
    to_ms: Option<u64>,
    query: Option<String>,
    withhold: Vec<Facet>,
}

impl Wanted {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Problem> {
        const MEMBERS: [&str; 8] = ["case", "purpose", "from", "to", "from_ms", "to_ms", "query", "withhold"];
        let value = json::parse(body);
        let value = value.map_err(|error| Problem::bad_body(format!("not strict json: {error}")))?;
        let object = value.as_object().ok_or_else(|| Problem::bad_body("a json object is wanted"))?;
        if let Some((name, _)) = object.iter().find(|(name, _)| !MEMBERS.contains(name)) {
            return Err(Problem::bad_body(format!("unknown member: {name}")));
        }
        let text = |name: &str| match object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if is_readable(text) => Ok(Some(text.to_string())),
            Some(_) => {
                let detail = "must be a text of 1 to 1,024 bytes without control characters";
                Err(Problem::bad_body(format!("member {name} {detail}")))
            }
        };
        let number = |name: &str| match object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_u64().filter(|number| *number < 1 << 53).map(Some).ok_or_else(|| {
                Problem::bad_body(format!("member must be a whole number below 2^53: {name}"))
            }),
        };
        let withhold = match object.get("withhold") {
            None | Some(Value::Null) => Vec::new(),
            Some(value) => {
                let facet = |name: &Value<'_>| export::text::facet(name.str()?).filter(|f| *f != Facet::When);
                let list =
                    value.as_array().and_then(|list| list.iter().map(facet).collect::<Option<Vec<_>>>());
                list.ok_or_else(|| {
                    Problem::bad_body("member withhold must be a list of who, what, content, where, raw")
                })?
            }
        };
        let wanted = Self {
            case: text("case")?.ok_or_else(|| Problem::bad_body("member is missing: case"))?,
            purpose: text("purpose")?,
            from: number("from")?,
            to: number("to")?,
            from_ms: number("from_ms")?,
            to_ms: number("to_ms")?,
            query: text("query")?,
            withhold,
        };
        if wanted.from.is_some() && wanted.from_ms.is_some() || wanted.to.is_some() && wanted.to_ms.is_some()
        {
            return Err(Problem::bad_body("an end of the selection is an index or a time, not both"));
        }
        if let Some(query) = &wanted.query {
            Terms::parse(query)?;
        }
        Ok(wanted)
    }

    /// Entries that the checkpoint must cover.
    pub(super) fn end(&self, durable: u64) -> Result<u64, Problem> {
        match self.to {
            Some(to) if to > durable => {
                Err(Problem::bad_body("to is beyond the durable entries").with("size", durable))
            }
            Some(to) => Ok(to),
            None => Ok(durable),
        }
    }

    /// Facets to leave out: what is asked for, and what whoever asks may not see.
    pub(super) fn withheld(&self, sight: &Sight) -> Vec<Facet> {
        let mut withheld = self.withhold.clone();
        if *sight == Sight::Withheld {
            withheld.push(Facet::Content);
        }
        if !withheld.is_empty() {
            withheld.push(Facet::Raw);
        }
        withheld.sort_unstable_by_key(|facet| *facet as u8);
        withheld.dedup();
        withheld
    }

    /// Indexes of what is asked for.
    pub(super) fn selection(
        &self,
        reads: &Reads,
        ledger: usize,
        at: &Published,
    ) -> Result<Result<Selection, Problem>, Fault> {
        let size = at.checkpoint.size;
        let from = match (self.from, self.from_ms) {
            (Some(from), _) => from,
            (None, Some(ms)) => first_at(reads, ledger, at, ms)?,
            (None, None) => 0,
        };
        let end = match (self.to, self.to_ms) {
            (Some(to), _) => to.min(size),
            (None, Some(ms)) => first_at(reads, ledger, at, ms)?,
            (None, None) => size,
        };
        if from >= end {
            let detail = "no entry lies in this range: there could be no proof of anything";
            return Ok(Err(Problem::bad_body(detail).with("size", size)));
        }
        let query = self.query.clone();
        Ok(Ok(Selection { from, end, from_ms: self.from_ms, to_ms: self.to_ms, query }))
    }
}

/// The first index whose entry was received at this time or later; the size if there is none. `received` never
/// decreases.
fn first_at(reads: &Reads, ledger: usize, at: &Published, ms: u64) -> Result<u64, Fault> {
    let (mut low, mut high) = (0, at.checkpoint.size);
    while low < high {
        let middle = low + (high - low) / 2;
        let mut received = 0;
        reads.entries(ledger, middle..middle + 1, at, &mut |_, entry| {
            received = Entry::decode(entry).map_or(0, |entry| entry.received_ms);
            Next::Stop
        })?;
        if received < ms {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
