use access::Grant;
use record::receipt::Level;
use wire::Format;

use crate::problem::Problem;
use crate::query::Query;

/// What a request to append asks for, beside its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Params {
    /// The records' format; `None` to go by their shape.
    pub format: Option<Format>,
    /// What to wait for: durable, committed or witnessed.
    pub wait: Level,
    /// Whether receipts are wanted.
    pub receipts: bool,
    /// As which source.
    pub source: u32,
    /// Epoch and sequence of the first record.
    pub numbered: Option<(u32, u64)>,
}

impl Params {
    /// Reads the query of a request to append by the holder of a token that allows it.
    ///
    /// # Errors
    /// 400 for what cannot be understood, 403 for another's source.
    pub(super) fn parse(mut query: Query, grant: &Grant) -> Result<Self, Problem> {
        let source = grant.source(query.number("source")?).map_err(|_| {
            Problem::forbidden(
                "a source's token appends as that source, and nobody as source 0, the ledger itself",
            )
        })?;
        let format = match query.text("format").as_deref() {
            None | Some("auto") => None,
            Some(name) => {
                Some(name.parse::<Format>().map_err(|error| Problem::bad_query(error.to_string()))?)
            }
        };
        let levels = [Level::Durable, Level::Committed, Level::Witnessed].map(|level| (level.name(), level));
        let wait = query.choice("wait", &levels)?;
        let receipts = query.choice("receipts", &[("none", false), ("full", true)])?;
        let numbered = match (query.number("epoch")?, query.number("sequence")?) {
            (None, None) => None,
            (Some(epoch), Some(sequence)) => Some((epoch, sequence)),
            _ => return Err(Problem::numbering("epoch and sequence go together")),
        };
        query.finish()?;
        Ok(Self { format, wait, receipts, source, numbered })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use access::Role;
    use axum::http::StatusCode;

    fn parse(query: &str, source: Option<u32>) -> Result<Params, StatusCode> {
        let grant = Grant {
            id: String::new(),
            label: String::new(),
            roles: [Role::Source].into(),
            ledgers: None,
            actions: None,
            source,
            purpose: None,
            certificate: None,
            created_ms: 0,
            expires_ms: None,
        };
        Params::parse(Query::parse(Some(query)).unwrap(), &grant).map_err(|problem| problem.status)
    }

    #[test]
    fn reads_what_is_asked_for() {
        let default =
            Params { format: None, wait: Level::Durable, receipts: false, source: 1, numbered: None };
        assert_eq!(parse("", None), Ok(default));
        let all = "format=cloudtrail&wait=committed&receipts=full&epoch=2&sequence=7&source=3";
        let wanted = Params {
            format: Some(Format::CloudTrail),
            wait: Level::Committed,
            receipts: true,
            source: 3,
            numbered: Some((2, 7)),
        };
        assert_eq!(parse(all, None), Ok(wanted));
        assert_eq!(parse("wait=witnessed", None).map(|params| params.wait), Ok(Level::Witnessed));
        for bad in
            ["wait=archived", "epoch=1", "sequence=1", "wait=soon", "format=x", "receipt=full", "source=x"]
        {
            assert_eq!(parse(bad, None), Err(StatusCode::BAD_REQUEST), "{bad}");
        }
    }

    #[test]
    fn nobody_appends_as_another() {
        assert_eq!(parse("", Some(5)).map(|params| params.source), Ok(5));
        assert_eq!(parse("source=5", Some(5)).map(|params| params.source), Ok(5));
        assert_eq!(parse("source=6", Some(5)), Err(StatusCode::FORBIDDEN));
        assert_eq!(parse("source=0", None), Err(StatusCode::FORBIDDEN));
    }
}
