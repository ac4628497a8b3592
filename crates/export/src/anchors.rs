//! Lines of `anchors.ndjson` and the one of `range.json`.

use record::canonical;
use record::json::{self, Object, Value};
use tlog::Hash;

use crate::manifest::Fields;
use crate::text;

/// An earlier checkpoint of the ledger, or the file's own again with its timestamps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The note.
    pub checkpoint: String,
    /// RFC 6962 consistency proof from it to the file's checkpoint.
    pub consistency: Vec<Hash>,
    /// RFC 3161 tokens over the note's text, DER.
    pub timestamps: Vec<Vec<u8>>,
}

/// Where a range lies in the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeProof {
    /// First index.
    pub from: u64,
    /// Index after the last.
    pub end: u64,
    /// Roots of the subtrees that cover what is before it.
    pub left: Vec<Hash>,
    /// Roots of the subtrees that cover what is after it.
    pub right: Vec<Hash>,
    /// The entry before the first; none at index 0.
    pub before: Option<Neighbour>,
    /// The entry after the last; none at the end of the tree.
    pub after: Option<Neighbour>,
}

/// An entry beside a range, without its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// Its inclusion proof.
    pub proof: Vec<Hash>,
}

impl Anchor {
    /// Its line, newline included.
    pub fn to_text(&self) -> Vec<u8> {
        let mut object = Object::new();
        object.push("checkpoint", self.checkpoint.clone());
        object.push("consistency", list(text::hashes(&self.consistency)));
        object.push("timestamps", list(self.timestamps.iter().map(|token| text::base64(token)).collect()));
        line(&object)
    }

    /// Reads what [`Anchor::to_text`] writes, and nothing else.
    ///
    /// # Errors
    /// What is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let read = |fields: &Fields<'_, '_>| {
            let timestamps = fields.list("timestamps")?.iter().map(decode).collect::<Option<_>>();
            Ok(Self {
                checkpoint: fields.string("checkpoint")?,
                consistency: fields.hashes("consistency")?,
                timestamps: timestamps.ok_or("timestamps")?,
            })
        };
        parse(bytes, read, Self::to_text)
    }
}

impl RangeProof {
    /// Its line, newline included.
    pub fn to_text(&self) -> Vec<u8> {
        let mut object = Object::new();
        object.push("from", self.from.to_string());
        object.push("end", self.end.to_string());
        object.push("left", list(text::hashes(&self.left)));
        object.push("right", list(text::hashes(&self.right)));
        for (name, neighbour) in [("before", &self.before), ("after", &self.after)] {
            if let Some(neighbour) = neighbour {
                let mut inner = Object::new();
                inner.push("entry", text::base64(&neighbour.entry));
                inner.push("proof", list(text::hashes(&neighbour.proof)));
                object.push(name, inner);
            }
        }
        line(&object)
    }

    /// Reads what [`RangeProof::to_text`] writes, and nothing else.
    ///
    /// # Errors
    /// What is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let read = |fields: &Fields<'_, '_>| {
            Ok(Self {
                from: fields.decimal("from")?,
                end: fields.decimal("end")?,
                left: fields.hashes("left")?,
                right: fields.hashes("right")?,
                before: fields.optional("before", neighbour)?,
                after: fields.optional("after", neighbour)?,
            })
        };
        parse(bytes, read, Self::to_text)
    }
}

fn neighbour(fields: &Fields<'_, '_>, name: &'static str) -> Result<Neighbour, &'static str> {
    let inner = fields.object(name)?;
    let mut entry = Vec::new();
    match text::unbase64(inner.text("entry")?.as_bytes(), &mut entry) {
        true => Ok(Neighbour { entry, proof: inner.hashes("proof")? }),
        false => Err("entry"),
    }
}

fn decode(value: &Value<'_>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    text::unbase64(value.str()?.as_bytes(), &mut bytes).then_some(bytes)
}

fn list(texts: Vec<String>) -> Value<'static> {
    Value::Array(texts.into_iter().map(Value::from).collect())
}

fn line(object: &Object<'_>) -> Vec<u8> {
    let mut line = canonical::object(object);
    line.push(b'\n');
    line
}

/// Reads a line and writes it again: what differs is not what we write.
fn parse<T>(
    bytes: &[u8],
    read: impl FnOnce(&Fields<'_, '_>) -> Result<T, &'static str>,
    write: impl FnOnce(&T) -> Vec<u8>,
) -> Result<T, String> {
    let text = bytes.strip_suffix(b"\n").ok_or("does not end in a newline")?;
    let value = json::parse(text).map_err(|error| error.to_string())?;
    let fields = Fields(value.as_object().ok_or("is not an object")?);
    let parsed = read(&fields).map_err(|name| format!("member missing or malformed: {name}"))?;
    match write(&parsed) == bytes {
        true => Ok(parsed),
        false => Err("a member that is unknown, or spelt in another way".to_owned()),
    }
}
