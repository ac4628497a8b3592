//! Signed notes: C2SP signed-note, "Format" and "Signatures".

mod key;

use core::fmt;

use crate::text::{from_base64, to_base64};
use key::check_name;

pub(crate) use key::NamedSecret;
pub use key::{Algorithm, KeyError, KeyId, SigningKey, VerifierKey};

/// The longest note, in bytes, that is read. Room for 100 post-quantum signatures.
pub const MAX_NOTE_LEN: usize = 1_000_000;

/// The most signatures that are read; the specification asks for at least 16.
pub const MAX_SIGNATURES: usize = 100;

/// A text and the signatures under it, well formed, nothing verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

impl Note {
    /// Puts signatures under a text, which must end in a newline and hold no other control character.
    pub fn new(text: &str, signatures: Vec<Signature>) -> Result<Self, NoteError> {
        check_characters(text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::malformed(text.lines().count(), "text does not end in a newline"));
        }
        let note = Self { text: text.to_owned(), signatures };
        note.check_limits()?;
        Ok(note)
    }

    /// Reads a note; [`fmt::Display`] gives the same bytes back.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_LEN {
            return Err(NoteError::TooLarge { bytes: bytes.len() });
        }
        let whole = str::from_utf8(bytes).map_err(|error| {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            NoteError::malformed(line, "not UTF-8")
        })?;
        check_characters(whole)?;
        // The text may contain empty lines itself: the last one divides.
        let Some(divide) = whole.rfind("\n\n") else {
            return Err(NoteError::malformed(1, "no empty line between text and signatures"));
        };
        let (text, lines) = (&whole[..=divide], &whole[divide + 2..]);
        let first_line = text.matches('\n').count() + 2;
        let lines = lines
            .strip_suffix('\n')
            .ok_or(NoteError::malformed(first_line, "no signature line that ends in a newline"))?;
        let signatures = lines
            .split('\n')
            .enumerate()
            .take(MAX_SIGNATURES + 1)
            .map(|(n, line)| {
                Signature::parse(line).map_err(|what| NoteError::malformed(first_line + n, what))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let note = Self { text: text.to_owned(), signatures };
        note.check_limits()?;
        Ok(note)
    }

    /// Adds a signature line at the end.
    pub fn push(&mut self, signature: Signature) -> Result<(), NoteError> {
        self.signatures.push(signature);
        let checked = self.check_limits();
        if checked.is_err() {
            self.signatures.pop();
        }
        checked
    }

    /// Checks every signature by one of `keys`, and only those.
    ///
    /// A line whose name and ID belong to no key is ignored. One that belongs to a key and does not verify makes
    /// the whole note bad, whatever else verifies. If nothing verifies, so does that.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<VerifiedNote, NoteError> {
        let mut signatures: Vec<VerifiedSignature> = Vec::new();
        for signature in &self.signatures {
            let mut candidates = keys.iter().filter(|key| key.claims(signature));
            let Some(key) = candidates.next() else { continue };
            if candidates.any(|other| other != key) {
                return Err(NoteError::AmbiguousKey { name: key.name().to_owned(), id: key.id() });
            }
            let Some(signed) = key.check(&self.text, &signature.bytes) else {
                return Err(NoteError::InvalidSignature { name: key.name().to_owned(), id: key.id() });
            };
            // A quorum counts keys, so a second line by the same key is checked and then left out.
            if signatures.iter().all(|known| known.key != *key) {
                let signature = signature.clone();
                signatures.push(VerifiedSignature {
                    key: key.clone(),
                    signature,
                    timestamp: signed.timestamp,
                });
            }
        }
        if signatures.is_empty() {
            return Err(NoteError::NoKnownSignature { found: self.signatures.len() });
        }
        Ok(VerifiedNote { text: self.text.clone(), signatures })
    }

    /// Returns the text with its final newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the signature lines in order.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    fn check_limits(&self) -> Result<(), NoteError> {
        match self.signatures.len() {
            0 => return Err(NoteError::malformed(1, "a note has at least one signature")),
            1..=MAX_SIGNATURES => {}
            _ => return Err(NoteError::TooManySignatures),
        }
        let bytes = self.to_string().len();
        if bytes > MAX_NOTE_LEN { Err(NoteError::TooLarge { bytes }) } else { Ok(()) }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

/// One signature line, `— <name> <base64(key ID ‖ signature)>`. [`fmt::Display`] leaves out the newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    name: String,
    key_id: KeyId,
    bytes: Vec<u8>,
}

impl Signature {
    pub(crate) fn by(key: &VerifierKey, bytes: Vec<u8>) -> Self {
        Self { name: key.name().to_owned(), key_id: key.id(), bytes }
    }

    /// Reads one line without its newline; the error says what is wrong with it.
    pub fn parse(line: &str) -> Result<Self, &'static str> {
        let (name, encoded) = line
            .strip_prefix("— ")
            .and_then(|rest| rest.split_once(' '))
            .ok_or("a signature line is em dash, name and base64")?;
        check_name(name).map_err(|_| "not a key name")?;
        let decoded = from_base64(encoded).ok_or("signature is not standard base64")?;
        match decoded.split_first_chunk::<4>() {
            Some((id, bytes)) if !bytes.is_empty() => {
                Ok(Self { name: name.to_owned(), key_id: KeyId(*id), bytes: bytes.to_vec() })
            }
            _ => Err("signature is shorter than five bytes"),
        }
    }

    /// Returns the name of the key that is said to have signed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the ID of the key that is said to have signed.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Returns what follows the key ID: the signature, behind eight bytes of time in a cosignature.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "— {} {}", self.name, to_base64(&[&self.key_id.0, self.bytes.as_slice()].concat()))
    }
}

/// A note that [`Note::verify`] accepted, with the signatures it checked and no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedNote {
    text: String,
    signatures: Vec<VerifiedSignature>,
}

impl VerifiedNote {
    /// Returns the signed text with its final newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns what was checked, at least one and at most one for each key.
    pub fn signatures(&self) -> &[VerifiedSignature] {
        &self.signatures
    }

    /// Whether this key signed.
    pub fn signed_by(&self, key: &VerifierKey) -> bool {
        self.signatures.iter().any(|signature| signature.key == *key)
    }
}

/// Writes the note with the checked signatures only: what is worth storing.
impl fmt::Display for VerifiedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|verified| writeln!(f, "{}", verified.signature))
    }
}

/// A signature that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSignature {
    key: VerifierKey,
    signature: Signature,
    timestamp: Option<u64>,
}

impl VerifiedSignature {
    /// Returns the key that signed.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Returns the line.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Returns the time of a cosignature in POSIX seconds; other types carry none.
    pub fn timestamp(&self) -> Option<u64> {
        self.timestamp
    }
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    match text.split('\n').position(|line| line.bytes().any(|byte| byte < b' ')) {
        Some(line) => Err(NoteError::malformed(line + 1, "control character")),
        None => Ok(()),
    }
}

/// Why a note was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteError {
    /// Not a note at all.
    Malformed {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Longer than [`MAX_NOTE_LEN`].
    TooLarge {
        /// Its length in bytes.
        bytes: usize,
    },
    /// More than [`MAX_SIGNATURES`].
    TooManySignatures,
    /// A known key is said to have signed, and did not sign this.
    InvalidSignature {
        /// Name of that key.
        name: String,
        /// Its ID.
        id: KeyId,
    },
    /// Two different keys of the verifier share name and ID: its configuration is at fault.
    AmbiguousKey {
        /// Their name.
        name: String,
        /// Their ID.
        id: KeyId,
    },
    /// No known key signed.
    NoKnownSignature {
        /// Signatures by others.
        found: usize,
    },
}

impl NoteError {
    fn malformed(line: usize, what: &'static str) -> Self {
        Self::Malformed { line, what }
    }
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { line, what } => write!(f, "malformed note: {what}, line {line}"),
            Self::TooLarge { bytes } => write!(f, "note is longer than {MAX_NOTE_LEN} bytes: {bytes}"),
            Self::TooManySignatures => write!(f, "note has more than {MAX_SIGNATURES} signatures"),
            Self::InvalidSignature { name, id } => write!(f, "signature does not verify: {name}+{id}"),
            Self::AmbiguousKey { name, id } => write!(f, "two known keys share name and id: {name}+{id}"),
            Self::NoKnownSignature { found } => {
                write!(f, "none of the signatures is by a known key: {found} by others")
            }
        }
    }
}

impl core::error::Error for NoteError {}
