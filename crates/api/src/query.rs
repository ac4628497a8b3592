//! Reading paths and query strings. Of a query, each known parameter may stand at most once, and no others, so that a misspelt one is not
//! silently a default.

use std::str::FromStr;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::problem::Problem;

/// The parameters of a query string, to be taken one by one.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Splits and decodes (`application/x-www-form-urlencoded`).
    ///
    /// # Errors
    /// A parameter that is given twice.
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let mut known: Vec<(String, String)> = Vec::new();
        for (name, value) in pairs {
            if known.iter().any(|(other, _)| *other == name) {
                return Err(Problem::bad_query(format!("a parameter is given twice: {name}")));
            }
            known.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(known))
    }

    /// The text of a parameter.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// A plain decimal without sign or leading zeros.
    ///
    /// # Errors
    /// Anything else, or more than fits.
    pub(crate) fn number<T: FromStr + ToString>(&mut self, name: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.parse::<T>().ok().filter(|number| number.to_string() == text);
        number.map(Some).ok_or_else(|| {
            Problem::bad_query(format!("parameter {name} must be a decimal number in its range: {text}"))
        })
    }

    /// One of a few words; without the parameter, the first of them.
    ///
    /// # Errors
    /// Another word.
    pub(crate) fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Result<T, Problem> {
        let text = self.text(name);
        let found = match &text {
            None => choices.first(),
            Some(text) => choices.iter().find(|(word, _)| word == text),
        };
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let words = choices.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
            Problem::bad_query(format!("parameter {name} must be one of {words}"))
        })
    }

    /// Refuses what was not taken.
    ///
    /// # Errors
    /// The name of an unknown parameter.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(Problem::bad_query(format!("unknown parameter: {name}"))),
        }
    }
}

/// Extracts the variable components of a path; 404 for what does not decode to text, since it names nothing.
pub(crate) struct Names<T>(pub T);

impl<S: Send + Sync, T> FromRequestParts<S> for Names<T>
where
    Path<T>: FromRequestParts<S, Rejection = PathRejection>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(names)) => Ok(Self(names)),
            Err(_) => Err(Problem::not_found("the path holds bytes that are no text")),
        }
    }
}

/// A number as a component of a path.
///
/// # Errors
/// 404 for anything but a plain decimal that fits: such a path names nothing.
pub(crate) fn path_number<T: FromStr + ToString>(text: &str) -> Result<T, Problem> {
    let number = text.parse::<T>().ok().filter(|number| number.to_string() == text);
    number.ok_or_else(|| Problem::not_found("this part of the path must be a decimal number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_each_parameter_once_and_no_others() {
        let mut query = Query::parse(Some("q=a%20b+c&n=7&wait=committed")).unwrap();
        assert_eq!(query.text("q").as_deref(), Some("a b c"));
        assert_eq!(query.number::<u64>("n").unwrap(), Some(7));
        assert!(query.choice("wait", &[("durable", false), ("committed", true)]).unwrap());
        assert!(!query.choice("other", &[("durable", false), ("committed", true)]).unwrap());
        query.finish().unwrap();
        assert!(Query::parse(Some("a=1&a=2")).is_err());
        assert!(Query::parse(Some("formt=native")).unwrap().finish().is_err());
    }

    #[test]
    fn numbers_have_one_spelling() {
        for text in ["", "-1", "+1", "01", "1.0", "18446744073709551616", "0x1", " 1"] {
            let query = format!("n={}", text.replace('+', "%2B"));
            assert!(Query::parse(Some(&query)).unwrap().number::<u64>("n").is_err(), "{text}");
            assert!(path_number::<u64>(text).is_err(), "{text}");
        }
        assert_eq!(path_number::<u64>("18446744073709551615").ok(), Some(u64::MAX));
    }
}
