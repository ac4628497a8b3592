//! Reading the typed members of a state file's object, each exactly once and none left over.

use record::json::{Object, Value};
use tlog::hash::Hash;

/// A member that is missing, of another type, unknown, or out of range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError(pub String);

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FieldError {}

/// Builds an object member by member.
#[derive(Default)]
pub(crate) struct Build(Object<'static>);

impl Build {
    pub(crate) fn str(mut self, name: &'static str, text: &str) -> Self {
        self.0.insert(name, Value::from(text.to_owned()));
        self
    }

    /// `u64` values are decimal strings by schema, since a reader may pass numbers through doubles.
    pub(crate) fn u64(self, name: &'static str, number: u64) -> Self {
        self.str(name, &number.to_string())
    }

    pub(crate) fn u32(mut self, name: &'static str, number: u32) -> Self {
        self.0.insert(name, Value::from(u64::from(number)));
        self
    }

    pub(crate) fn bool(mut self, name: &'static str, flag: bool) -> Self {
        self.0.insert(name, Value::Bool(flag));
        self
    }

    pub(crate) fn value(mut self, name: &'static str, value: Value<'static>) -> Self {
        self.0.insert(name, value);
        self
    }

    pub(crate) fn done(self) -> Value<'static> {
        Value::Object(self.0)
    }
}

/// Takes an object apart.
pub(crate) struct Fields<'a, 'v> {
    object: &'v Object<'a>,
    read: std::cell::Cell<usize>,
}

impl<'a, 'v> Fields<'a, 'v> {
    pub(crate) fn of(value: &'v Value<'a>) -> Result<Self, FieldError> {
        match value {
            Value::Object(object) => Ok(Self { object, read: std::cell::Cell::new(0) }),
            _ => Err(FieldError("an object is expected".to_owned())),
        }
    }

    pub(crate) fn value(&self, name: &str) -> Result<&'v Value<'a>, FieldError> {
        self.read.set(self.read.get() + 1);
        self.object.get(name).ok_or_else(|| FieldError(format!("member is missing: {name}")))
    }

    pub(crate) fn str(&self, name: &str) -> Result<&'v str, FieldError> {
        match self.value(name)? {
            Value::String(text) => Ok(text),
            _ => Err(wrong(name)),
        }
    }

    pub(crate) fn u64(&self, name: &str) -> Result<u64, FieldError> {
        let text = self.str(name)?;
        text.parse().ok().filter(|number: &u64| number.to_string() == text).ok_or_else(|| wrong(name))
    }

    pub(crate) fn u32(&self, name: &str) -> Result<u32, FieldError> {
        match self.value(name)? {
            Value::Number(number) => number.as_str().parse().map_err(|_| wrong(name)),
            _ => Err(wrong(name)),
        }
    }

    pub(crate) fn bool(&self, name: &str) -> Result<bool, FieldError> {
        match self.value(name)? {
            Value::Bool(flag) => Ok(*flag),
            _ => Err(wrong(name)),
        }
    }

    pub(crate) fn hex<const N: usize>(&self, name: &str) -> Result<[u8; N], FieldError> {
        crate::hex::decode(self.str(name)?).ok_or_else(|| wrong(name))
    }

    pub(crate) fn list(&self, name: &str) -> Result<&'v [Value<'a>], FieldError> {
        match self.value(name)? {
            Value::Array(list) => Ok(list),
            _ => Err(wrong(name)),
        }
    }

    pub(crate) fn hashes(&self, name: &str) -> Result<Vec<Hash>, FieldError> {
        let hash = |value: &Value<'_>| match value {
            Value::String(text) => crate::hex::decode(text).map(Hash::from_bytes).ok_or_else(|| wrong(name)),
            _ => Err(wrong(name)),
        };
        self.list(name)?.iter().map(hash).collect()
    }

    /// Refuses members that were not read.
    pub(crate) fn finish(self) -> Result<(), FieldError> {
        if self.read.get() != self.object.len() {
            return Err(FieldError("there are unknown members".to_owned()));
        }
        Ok(())
    }
}

fn wrong(name: &str) -> FieldError {
    FieldError(format!("member has a value it cannot have: {name}"))
}
