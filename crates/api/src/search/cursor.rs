//! Where a search goes on. A cursor is authenticated, so that a page is known to belong to a query that is on record
//! already (DESIGN I12: one record for a query, none for its pages).

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use record::json::{self, Object, Value};
use sha2::Sha256;

use crate::json::text;
use crate::problem::Problem;

const MAC_LEN: usize = 16;

/// What is left of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Id of the token that searches.
    pub token: String,
    pub ledger: String,
    pub query: String,
    pub left: Range<u64>,
    pub limit: usize,
    pub descending: bool,
    /// Entries that were durable when the search began.
    pub size: u64,
    /// Purpose that was stated; `None` where nothing needs one.
    pub purpose: Option<String>,
}

impl Cursor {
    /// The text to come back with.
    pub(super) fn seal(&self, key: &[u8; 32]) -> String {
        let body = text(&Value::Object(Object::from_iter([
            ("descending", Value::Bool(self.descending)),
            ("from", Value::from(self.left.start)),
            ("ledger", Value::from(self.ledger.clone())),
            ("limit", Value::from(self.limit as u64)),
            ("purpose", self.purpose.clone().map_or(Value::Null, Value::from)),
            ("query", Value::from(self.query.clone())),
            ("size", Value::from(self.size)),
            ("to", Value::from(self.left.end)),
            ("token", Value::from(self.token.clone())),
        ])));
        let mut sealed = mac(key, &body).to_vec();
        sealed.extend_from_slice(&body);
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// Reads what [`Cursor::seal`] gave out since the server started.
    ///
    /// # Errors
    /// 400 for anything else.
    pub(super) fn open(key: &[u8; 32], sealed: &str) -> Result<Self, Problem> {
        let bad =
            || Problem::bad_query("the cursor is not one this server gave out since its start: search anew");
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| bad())?;
        let (tag, body) = bytes.split_at_checked(MAC_LEN).ok_or_else(bad)?;
        let mut hmac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| bad())?;
        hmac.update(body);
        hmac.verify_truncated_left(tag).map_err(|_| bad())?;
        Self::read(body).ok_or_else(bad)
    }

    fn read(body: &[u8]) -> Option<Self> {
        let value = json::parse(body).ok()?;
        let body = value.as_object()?;
        let text = |name: &str| body.get(name).and_then(Value::str).map(str::to_owned);
        let number = |name: &str| body.get(name).and_then(Value::as_u64);
        Some(Self {
            token: text("token")?,
            ledger: text("ledger")?,
            query: text("query")?,
            left: number("from")?..number("to")?,
            limit: usize::try_from(number("limit")?).ok()?,
            descending: body.get("descending").and_then(Value::as_bool)?,
            size: number("size")?,
            purpose: text("purpose"),
        })
    }
}

fn mac(key: &[u8; 32], body: &[u8]) -> [u8; MAC_LEN] {
    let mut out = [0; MAC_LEN];
    if let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(key) {
        hmac.update(body);
        out.copy_from_slice(&hmac.finalize().into_bytes()[..MAC_LEN]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went_and_no_other_does() {
        let cursor = Cursor {
            token: "0011223344556677".to_owned(),
            ledger: "main".to_owned(),
            query: "\"quoted\" \u{1F512}".to_owned(),
            left: 7..1 << 40,
            limit: 100,
            descending: true,
            size: 9,
            purpose: Some("case 7".to_owned()),
        };
        let sealed = cursor.seal(&[1; 32]);
        assert_eq!(Cursor::open(&[1; 32], &sealed).unwrap(), cursor);
        assert!(Cursor::open(&[2; 32], &sealed).is_err());
        for at in 0..sealed.len() {
            let mut other = sealed.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert!(Cursor::open(&[1; 32], &other).is_err(), "{at}");
        }
        for bad in ["", "A", "AAAAAAAAAAAAAAAAAAAAAA", "==="] {
            assert!(Cursor::open(&[1; 32], bad).is_err());
        }
    }
}
