//! Reading and writing the members of a payload, one function for each type a member can have.

use super::ControlError;
use crate::canonical::MAX_INTEGER;
use crate::hex;
use crate::json::{Object, Value};

/// The object being read. Which member is at fault is the only thing an error says, so names are static.
pub(super) struct Fields<'v>(&'v Object<'v>);

impl<'v> Fields<'v> {
    pub(super) fn of(value: &'v Value<'v>) -> Result<Fields<'v>, ControlError> {
        value.as_object().map(Fields).ok_or(ControlError::Malformed("not an object"))
    }

    pub(super) fn text(&self, name: &'static str) -> Result<&'v str, ControlError> {
        self.0.get(name).and_then(Value::str).ok_or(ControlError::Malformed(name))
    }

    pub(super) fn string(&self, name: &'static str) -> Result<String, ControlError> {
        self.text(name).map(str::to_owned)
    }

    /// A number of at most 2^53 - 1.
    pub(super) fn number(&self, name: &'static str) -> Result<u64, ControlError> {
        let number = self.0.get(name).and_then(Value::as_u64);
        number.filter(|&number| number <= MAX_INTEGER).ok_or(ControlError::Malformed(name))
    }

    /// A number that fits a smaller type.
    pub(super) fn small<N: TryFrom<u64>>(&self, name: &'static str) -> Result<N, ControlError> {
        N::try_from(self.number(name)?).map_err(|_| ControlError::Malformed(name))
    }

    /// A 64-bit number as a decimal string.
    pub(super) fn decimal(&self, name: &'static str) -> Result<u64, ControlError> {
        self.text(name)?.parse().map_err(|_| ControlError::Malformed(name))
    }

    pub(super) fn flag(&self, name: &'static str) -> Result<bool, ControlError> {
        self.0.get(name).and_then(Value::as_bool).ok_or(ControlError::Malformed(name))
    }

    pub(super) fn hash(&self, name: &'static str) -> Result<[u8; 32], ControlError> {
        hex::decode(self.text(name)?).ok_or(ControlError::Malformed(name))
    }

    /// Reads a member that may be left out.
    pub(super) fn optional<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Self, &'static str) -> Result<T, ControlError>,
    ) -> Result<Option<T>, ControlError> {
        self.0.get(name).map(|_| read(self, name)).transpose()
    }

    /// Reads one of a few words.
    pub(super) fn word<T: Copy>(
        &self,
        name: &'static str,
        words: &[(&'static str, T)],
    ) -> Result<T, ControlError> {
        let text = self.text(name)?;
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|&(_, value)| value).ok_or(ControlError::Malformed(name))
    }
}

/// The word that stands for `value`.
pub(super) fn word_of<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    words.iter().find(|(_, other)| other == value).map_or("", |(word, _)| word)
}

/// Adds a member that may be left out.
pub(super) fn push_some<V: Into<Value<'static>>>(
    what: &mut Object<'static>,
    name: &'static str,
    value: Option<V>,
) {
    if let Some(value) = value {
        what.push(name, value);
    }
}

/// A 64-bit number as a decimal string.
pub(super) fn decimal(number: u64) -> Value<'static> {
    Value::from(number.to_string())
}
