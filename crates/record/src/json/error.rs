//! What is wrong with a document, and where.

use std::fmt;

/// Why bytes are not strict JSON. The caller quarantines the input; `kind` and `offset` go into the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// First byte that is wrong, counted from the start of the input; its length if the input ends too early.
    pub offset: usize,
    /// What is wrong there.
    pub kind: JsonErrorKind,
}

/// The kinds of [`JsonError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// The input ends inside a value.
    UnexpectedEnd,
    /// A byte that cannot stand here.
    UnexpectedByte,
    /// Bytes follow the value.
    TrailingBytes,
    /// Not UTF-8.
    InvalidUtf8,
    /// The input starts with U+FEFF.
    ByteOrderMark,
    /// A byte below 0x20 inside a string.
    ControlCharacter,
    /// A backslash followed by something else than RFC 8259 lists.
    InvalidEscape,
    /// Half of a UTF-16 surrogate pair, which names no character.
    LoneSurrogate,
    /// A key that the object has already, compared after decoding escapes.
    DuplicateKey,
    /// A number with a needless leading zero, or cut off after its sign, point or exponent.
    InvalidNumber,
    /// More than [`super::MAX_DEPTH`] levels.
    TooDeep,
    /// More than [`super::MAX_VALUES`] values.
    TooManyValues,
}

impl JsonError {
    pub(crate) fn new(kind: JsonErrorKind, offset: usize) -> JsonError {
        JsonError { offset, kind }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            JsonErrorKind::UnexpectedEnd => "input ends inside a value",
            JsonErrorKind::UnexpectedByte => "unexpected byte",
            JsonErrorKind::TrailingBytes => "bytes after the value",
            JsonErrorKind::InvalidUtf8 => "invalid utf-8",
            JsonErrorKind::ByteOrderMark => "byte order mark",
            JsonErrorKind::ControlCharacter => "control character in a string",
            JsonErrorKind::InvalidEscape => "invalid escape",
            JsonErrorKind::LoneSurrogate => "lone surrogate",
            JsonErrorKind::DuplicateKey => "duplicate key",
            JsonErrorKind::InvalidNumber => "invalid number",
            JsonErrorKind::TooDeep => "nested deeper than 64 levels",
            JsonErrorKind::TooManyValues => "more than 1048576 values",
        };
        write!(f, "{what} at offset {}", self.offset)
    }
}

impl std::error::Error for JsonError {}
