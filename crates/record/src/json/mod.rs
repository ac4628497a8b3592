//! Strict JSON (RFC 8259), read into a tree that keeps what other readers hide: the token of each number, the
//! order of members, and where exactly the input is wrong.
//!
//! Two readers that see different things in the same bytes are a way to hide an act from an audit (duplicate keys,
//! lone surrogates, integers past 2^53), so whatever could be read in two ways is refused here. No number is
//! converted: `1e400` and `9007199254740993` are fine as tokens, and [`crate::canonical`] decides what they become.

mod build;
mod error;
mod parser;
mod scan;
mod spans;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use error::{JsonError, JsonErrorKind};
pub use parser::parse;
pub(crate) use scan::{find_special, read_escape, scan_number};
pub use spans::{Elements, elements, member};

/// How deep arrays and objects may be nested: `[` 64 times is accepted, 65 times is not.
pub const MAX_DEPTH: usize = 64;

/// How many values one document may hold, containers included; it bounds the memory of a tree to about 64 MiB
/// beside its input. Lists longer than this are cut by [`elements`] first.
pub const MAX_VALUES: usize = 1 << 20;

/// One JSON value that borrows from its input wherever no escape has to be decoded.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as its source token.
    Number(Number<'a>),
    /// A string, escapes decoded; always valid Unicode.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Value<'a>>),
    /// An object.
    Object(Object<'a>),
}

/// A number as its token, checked against RFC 8259 section 6 and never converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number<'a>(pub(crate) Cow<'a, str>);

/// Members in input order. No key occurs twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object<'a> {
    pub(crate) members: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl<'a> Number<'a> {
    /// Takes `token` if it is exactly one JSON number.
    pub fn new(token: impl Into<Cow<'a, str>>) -> Option<Number<'a>> {
        let token = token.into();
        (scan_number(token.as_bytes(), 0) == Ok(token.len())).then_some(Number(token))
    }

    /// The token as it stood in the input.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value, if the token is a plain non-negative integer (`7`, not `7.0` or `7e0`) that fits.
    pub fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok()
    }

    /// The value, if the token is a plain integer that fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }
}

impl<'a> Value<'a> {
    /// The text, if this is a string.
    pub fn str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The flag, if this is a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The number, if this is one.
    pub fn as_number(&self) -> Option<&Number<'a>> {
        match self {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The integer, if this is a number whose token is a plain non-negative integer that fits.
    pub fn as_u64(&self) -> Option<u64> {
        self.as_number()?.as_u64()
    }

    /// The elements, if this is an array.
    pub fn as_array(&self) -> Option<&[Value<'a>]> {
        match self {
            Value::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The object, if this is one.
    pub fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Follows member names from here, as in `event.path(&["actor", "user", "uid"])`; arrays end the walk.
    pub fn path(&self, keys: &[&str]) -> Option<&Value<'a>> {
        keys.iter().try_fold(self, |value, key| value.as_object()?.get(key))
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}

impl<'a> Object<'a> {
    /// The empty object.
    pub fn new() -> Object<'a> {
        Object::default()
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.members.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The value of `key`, to change it in place.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value<'a>> {
        self.members.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Members in input order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value<'a>)> {
        self.members.iter().map(|(key, value)| (&**key, value))
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Sets `key`, in the place of the old value if there was one, which is returned.
    pub fn insert(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Value<'a>>) -> Option<Value<'a>> {
        let key = key.into();
        match self.get_mut(&key) {
            Some(old) => Some(std::mem::replace(old, value.into())),
            None => {
                self.members.push((key, value.into()));
                None
            }
        }
    }

    /// Appends a member whose key the caller knows to be new, without looking for it.
    ///
    /// # Panics
    /// In debug builds, if the key is there already. Use [`Object::insert`] for keys from outside.
    pub fn push(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Value<'a>>) {
        let key = key.into();
        debug_assert!(self.get(&key).is_none(), "duplicate key {key:?}");
        self.members.push((key, value.into()));
    }

    /// Takes `key` out, keeping the order of the others.
    pub fn remove(&mut self, key: &str) -> Option<Value<'a>> {
        let at = self.members.iter().position(|(name, _)| name == key)?;
        Some(self.members.remove(at).1)
    }
}

impl<'a> IntoIterator for Object<'a> {
    type Item = (Cow<'a, str>, Value<'a>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter()
    }
}
