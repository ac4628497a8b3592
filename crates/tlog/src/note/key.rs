//! Keys of signed notes: C2SP signed-note, "Signatures" and "Verifier keys".

use core::fmt;

use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha256};

use super::Signature;
use crate::checkpoint::{MAX_TIMESTAMP, cosignature_message};
use crate::text::{from_base64, to_base64};

/// Length of an Ed25519 signature in bytes.
const ED25519_LEN: usize = ed25519_dalek::SIGNATURE_LENGTH;

/// The first four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key). Printed as eight hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 4]);

impl KeyId {
    fn new(name: &str, algorithm: Algorithm, key: &ed25519_dalek::VerifyingKey) -> Self {
        let hash = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', algorithm.type_byte()])
            .chain_update(key.as_bytes())
            .finalize();
        Self([hash[0], hash[1], hash[2], hash[3]])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

/// The signature types this crate makes and checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// Type 0x01: Ed25519 over the text of the note.
    Ed25519,
    /// Type 0x04: Ed25519 over a time and the text of a checkpoint (C2SP tlog-cosignature).
    CosignatureV1,
}

impl Algorithm {
    /// Returns the assigned signature type byte.
    pub const fn type_byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }

    fn from_type_byte(byte: u8) -> Option<Self> {
        [Self::Ed25519, Self::CosignatureV1].into_iter().find(|algorithm| algorithm.type_byte() == byte)
    }
}

/// A public key with its name: what a verifier is configured with. Written as a *vkey*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: KeyId,
    algorithm: Algorithm,
    key: ed25519_dalek::VerifyingKey,
}

impl VerifierKey {
    /// Parses `<name>+<8 hex digits>+<base64(type ‖ public key)>`, exactly as [`fmt::Display`] writes it.
    pub fn parse(vkey: &str) -> Result<Self, KeyError> {
        // The base64 may contain `+` itself; the name may not.
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Malformed("a verifier key is name+id+key"));
        };
        check_name(name)?;
        let material = from_base64(material).ok_or(KeyError::Malformed("key is not standard base64"))?;
        let (&type_byte, public) = material.split_first().ok_or(KeyError::Malformed("key is empty"))?;
        let algorithm =
            Algorithm::from_type_byte(type_byte).ok_or(KeyError::Unsupported { algorithm: type_byte })?;
        let public: &[u8; 32] =
            public.try_into().map_err(|_| KeyError::Malformed("an Ed25519 key has 32 bytes"))?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(public).ok().filter(|key| !key.is_weak());
        let key = key.ok_or(KeyError::Malformed("not a usable Ed25519 public key"))?;
        let parsed = Self::new(name, algorithm, key);
        if parsed.id.to_string() != id {
            return Err(KeyError::Id { computed: parsed.id });
        }
        Ok(parsed)
    }

    fn new(name: &str, algorithm: Algorithm, key: ed25519_dalek::VerifyingKey) -> Self {
        Self { name: name.to_owned(), id: KeyId::new(name, algorithm, &key), algorithm, key }
    }

    /// Returns the name, for a log usually its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the key ID as it stands in signature lines.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the signature type.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the 32 bytes of the Ed25519 public key.
    pub fn public_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Whether a signature line claims to be by this key: same name and same ID.
    pub fn claims(&self, signature: &Signature) -> bool {
        self.id == signature.key_id() && self.name == signature.name()
    }

    /// Checks the signature bytes over the note text. Returns the time of a cosignature.
    pub(crate) fn check(&self, text: &str, signature: &[u8]) -> Option<Signed> {
        match self.algorithm {
            Algorithm::Ed25519 => {
                let bytes: &[u8; ED25519_LEN] = signature.try_into().ok()?;
                self.check_ed25519(text.as_bytes(), bytes).then_some(Signed { timestamp: None })
            }
            Algorithm::CosignatureV1 => {
                let (time, bytes) = signature.split_first_chunk::<8>()?;
                let bytes: &[u8; ED25519_LEN] = bytes.try_into().ok()?;
                let timestamp = Some(u64::from_be_bytes(*time)).filter(|time| *time <= MAX_TIMESTAMP)?;
                let message = cosignature_message(timestamp, text);
                self.check_ed25519(message.as_bytes(), bytes).then_some(Signed { timestamp: Some(timestamp) })
            }
        }
    }

    fn check_ed25519(&self, message: &[u8], signature: &[u8; ED25519_LEN]) -> bool {
        // The strict form: no second signature bytes that some verifiers accept and others refuse.
        self.key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
    }
}

/// That a signature holds, and what it says besides.
pub(crate) struct Signed {
    pub(crate) timestamp: Option<u64>,
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut material = vec![self.algorithm.type_byte()];
        material.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, self.id, to_base64(&material))
    }
}

impl core::str::FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(vkey: &str) -> Result<Self, KeyError> {
        Self::parse(vkey)
    }
}

/// A log's Ed25519 key with its name (type 0x01). The secret is wiped when dropped and never printed.
pub struct SigningKey(pub(crate) NamedSecret);

impl SigningKey {
    /// Makes the key from its 32-byte seed, the RFC 8032 private key.
    pub fn from_seed(name: &str, seed: [u8; 32]) -> Result<Self, KeyError> {
        NamedSecret::new(name, Algorithm::Ed25519, seed).map(Self)
    }

    /// Signs the text of a note. What it may contain is checked by [`crate::Note::new`], not here.
    pub fn sign(&self, text: &str) -> Signature {
        self.0.sign(text.as_bytes(), &[])
    }

    /// Returns the public half.
    pub fn verifying_key(&self) -> &VerifierKey {
        &self.0.verifier
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        self.0.verifier.name()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}+{}, secret withheld)", self.name(), self.0.verifier.id())
    }
}

/// A secret with its public half; [`ed25519_dalek::SigningKey`] wipes itself when dropped.
pub(crate) struct NamedSecret {
    secret: ed25519_dalek::SigningKey,
    pub(crate) verifier: VerifierKey,
}

impl NamedSecret {
    pub(crate) fn new(name: &str, algorithm: Algorithm, seed: [u8; 32]) -> Result<Self, KeyError> {
        check_name(name)?;
        let secret = ed25519_dalek::SigningKey::from_bytes(&seed);
        let verifier = VerifierKey::new(name, algorithm, secret.verifying_key());
        Ok(Self { secret, verifier })
    }

    /// Signs `message`; `prefix` goes before the signature bytes in the line.
    pub(crate) fn sign(&self, message: &[u8], prefix: &[u8]) -> Signature {
        let signature = self.secret.sign(message).to_bytes();
        Signature::by(&self.verifier, [prefix, &signature].concat())
    }
}

/// Whether this may be the name of a key: not empty, no white space, no `+`, no control character.
pub(crate) fn check_name(name: &str) -> Result<(), KeyError> {
    let bad = |c: char| c == '+' || c < ' ' || c.is_whitespace();
    if name.is_empty() || name.contains(bad) {
        return Err(KeyError::Malformed("a key name is not empty and has no space, control character or +"));
    }
    Ok(())
}

/// Why a key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// Not a key in the one spelling there is; says which part is wrong.
    Malformed(&'static str),
    /// The key ID is not the one that name and key have.
    Id {
        /// The ID that they have.
        computed: KeyId,
    },
    /// Well formed so far, but of a signature type that is not checked here, such as 0x06 (ML-DSA-44).
    Unsupported {
        /// The signature type byte.
        algorithm: u8,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => f.write_str(what),
            Self::Id { computed } => write!(f, "key id does not match name and key, which have {computed}"),
            Self::Unsupported { algorithm } => write!(f, "unsupported signature type 0x{algorithm:02x}"),
        }
    }
}

impl core::error::Error for KeyError {}
