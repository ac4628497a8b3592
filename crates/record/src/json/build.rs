//! Making values in code: conversions, and the copy that outlives its input.

use super::{Number, Object, Value};
use std::borrow::Cow;

impl Value<'_> {
    /// A copy that borrows nothing.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(flag) => Value::Bool(flag),
            Value::Number(Number(token)) => Value::Number(Number(Cow::Owned(token.into_owned()))),
            Value::String(text) => Value::String(Cow::Owned(text.into_owned())),
            Value::Array(elements) => Value::Array(elements.into_iter().map(Value::into_owned).collect()),
            Value::Object(object) => Value::Object(object.into_owned()),
        }
    }
}

impl Object<'_> {
    /// A copy that borrows nothing.
    pub fn into_owned(self) -> Object<'static> {
        let members = self.members.into_iter();
        Object {
            members: members.map(|(key, value)| (key.into_owned().into(), value.into_owned())).collect(),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Value<'a> {
        Value::String(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::String(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Value<'a> {
        Value::String(text)
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Value::Bool(flag)
    }
}

/// Beyond 2^53 - 1 the canonical form of the number is a string, see [`crate::canonical::write`].
impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Value::Number(Number(Cow::Owned(number.to_string())))
    }
}

/// Beyond ±(2^53 - 1) the canonical form of the number is a string, see [`crate::canonical::write`].
impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Number(Number(Cow::Owned(number.to_string())))
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Value::from(u64::from(number))
    }
}

impl From<i32> for Value<'_> {
    fn from(number: i32) -> Self {
        Value::from(i64::from(number))
    }
}

impl<'a> From<Vec<Value<'a>>> for Value<'a> {
    fn from(elements: Vec<Value<'a>>) -> Value<'a> {
        Value::Array(elements)
    }
}

impl<'a> From<Object<'a>> for Value<'a> {
    fn from(object: Object<'a>) -> Value<'a> {
        Value::Object(object)
    }
}

/// Members in the order given; of two with one key the later value stays.
impl<'a, K: Into<Cow<'a, str>>, V: Into<Value<'a>>> FromIterator<(K, V)> for Object<'a> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(members: I) -> Object<'a> {
        let mut object = Object::new();
        for (key, value) in members {
            object.insert(key, value);
        }
        object
    }
}
