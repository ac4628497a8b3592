use wire::Format;

use crate::problem::Problem;
use crate::query::Query;
use crate::tokens::Role;

/// What a request to append asks for, beside its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Params {
    /// The records' format; `None` to go by their shape.
    pub format: Option<Format>,
    /// Whether to wait for a checkpoint.
    pub committed: bool,
    /// Whether receipts are wanted.
    pub receipts: bool,
    /// As which source.
    pub source: u32,
    /// Epoch and sequence of the first record.
    pub numbered: Option<(u32, u64)>,
}

impl Params {
    /// Reads the query of a request to append to `ledger` by someone in this role.
    ///
    /// # Errors
    /// 400 for what cannot be understood, 403 for another's ledger or source.
    pub(super) fn parse(mut query: Query, role: &Role, ledger: &str) -> Result<Self, Problem> {
        let source = source(role, query.number("source")?, ledger)?;
        let format = match query.text("format").as_deref() {
            None | Some("auto") => None,
            Some(name) => {
                Some(name.parse::<Format>().map_err(|error| Problem::bad_query(error.to_string()))?)
            }
        };
        let committed = query.choice("wait", &[("durable", false), ("committed", true)])?;
        let receipts = query.choice("receipts", &[("none", false), ("full", true)])?;
        let numbered = match (query.number("epoch")?, query.number("sequence")?) {
            (None, None) => None,
            (Some(epoch), Some(sequence)) => Some((epoch, sequence)),
            _ => return Err(Problem::numbering("epoch and sequence go together")),
        };
        query.finish()?;
        Ok(Self { format, committed, receipts, source, numbered })
    }
}

/// The source that someone in this role appends as.
fn source(role: &Role, asked: Option<u32>, ledger: &str) -> Result<u32, Problem> {
    match role {
        Role::Admin if asked == Some(0) => Err(Problem::forbidden("source 0 is the ledger itself")),
        Role::Admin => Ok(asked.unwrap_or(1)),
        Role::Source { ledger: own, source } => {
            if own != ledger || asked.is_some_and(|asked| asked != *source) {
                return Err(Problem::forbidden("a source's token appends to its ledger, as that source"));
            }
            Ok(*source)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    fn parse(query: &str, role: &Role) -> Result<Params, StatusCode> {
        Params::parse(Query::parse(Some(query)).unwrap(), role, "main").map_err(|problem| problem.status)
    }

    #[test]
    fn reads_what_is_asked_for() {
        let default = Params { format: None, committed: false, receipts: false, source: 1, numbered: None };
        assert_eq!(parse("", &Role::Admin), Ok(default));
        let all = "format=cloudtrail&wait=committed&receipts=full&epoch=2&sequence=7&source=3";
        let wanted = Params {
            format: Some(Format::CloudTrail),
            committed: true,
            receipts: true,
            source: 3,
            numbered: Some((2, 7)),
        };
        assert_eq!(parse(all, &Role::Admin), Ok(wanted));
        for bad in ["epoch=1", "sequence=1", "wait=soon", "format=x", "receipt=full", "source=x"] {
            assert_eq!(parse(bad, &Role::Admin), Err(StatusCode::BAD_REQUEST), "{bad}");
        }
    }

    #[test]
    fn nobody_appends_as_another() {
        let own = Role::Source { ledger: "main".to_owned(), source: 5 };
        let other = Role::Source { ledger: "other".to_owned(), source: 5 };
        assert_eq!(parse("", &own).map(|params| params.source), Ok(5));
        assert_eq!(parse("source=5", &own).map(|params| params.source), Ok(5));
        assert_eq!(parse("source=6", &own), Err(StatusCode::FORBIDDEN));
        assert_eq!(parse("", &other), Err(StatusCode::FORBIDDEN));
        assert_eq!(parse("source=0", &Role::Admin), Err(StatusCode::FORBIDDEN));
    }
}
