//! Which digests and signature algorithms are accepted, and how they are called.

use rustls_pki_types::{SignatureVerificationAlgorithm, alg_id};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use webpki::ring::{
    ECDSA_P256_SHA256, ECDSA_P256_SHA384, ECDSA_P384_SHA256, ECDSA_P384_SHA384, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS, RSA_PKCS1_2048_8192_SHA512,
    RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS, RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    RSA_PSS_2048_8192_SHA384_LEGACY_KEY, RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
};

use crate::der::Element;
use crate::error::VerifyError;
use crate::token::{SHA256, SHA384, SHA512};

type Algorithm = &'static dyn SignatureVerificationAlgorithm;

/// What certificates may be signed with.
pub(crate) static OF_CERTIFICATES: &[Algorithm] = &[
    ECDSA_P256_SHA256,
    ECDSA_P256_SHA384,
    ECDSA_P384_SHA256,
    ECDSA_P384_SHA384,
    ED25519,
    RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512,
    RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// A digest a signer may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub fn from_oid(oid: &[u8]) -> Option<Self> {
        match oid {
            SHA256 => Some(Self::Sha256),
            SHA384 => Some(Self::Sha384),
            SHA512 => Some(Self::Sha512),
            _ => None,
        }
    }

    pub fn of(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(data).to_vec(),
            Self::Sha384 => Sha384::digest(data).to_vec(),
            Self::Sha512 => Sha512::digest(data).to_vec(),
        }
    }
}

/// Returns what may verify a signature that says this about itself; which of them is for the key to decide.
///
/// The digest in the signature must be the one the signer used on the content: CMS could have two, nobody has.
pub(crate) fn candidates(algorithm: &Element<'_>, hash: Hash) -> Result<Vec<Algorithm>, VerifyError> {
    let named = algorithm.value;
    // CMS allows the bare `rsaEncryption`, the digest being that of the signer (RFC 3370 section 3.2).
    if named == alg_id::RSA_ENCRYPTION.as_ref() {
        return Ok(vec![match hash {
            Hash::Sha256 => RSA_PKCS1_2048_8192_SHA256,
            Hash::Sha384 => RSA_PKCS1_2048_8192_SHA384,
            Hash::Sha512 => RSA_PKCS1_2048_8192_SHA512,
        }]);
    }
    let found: Vec<Algorithm> =
        OF_CERTIFICATES.iter().copied().filter(|known| known.signature_alg_id().as_ref() == named).collect();
    let Some(known) = found.first().map(|known| known.signature_alg_id()) else {
        return Err(VerifyError::Unsupported {
            what: "signature is neither RSA, ECDSA with P-256 or P-384, nor Ed25519, with SHA-256 or wider",
        });
    };
    let same = match hash {
        Hash::Sha256 => {
            [alg_id::RSA_PKCS1_SHA256, alg_id::RSA_PSS_SHA256, alg_id::ECDSA_SHA256].contains(&known)
        }
        Hash::Sha384 => {
            [alg_id::RSA_PKCS1_SHA384, alg_id::RSA_PSS_SHA384, alg_id::ECDSA_SHA384].contains(&known)
        }
        // Ed25519 goes with SHA-512 (RFC 8419 section 2.3).
        Hash::Sha512 => [alg_id::RSA_PKCS1_SHA512, alg_id::RSA_PSS_SHA512, alg_id::ED25519].contains(&known),
    };
    // RSA without its NULL is spelled like that by some and is the same algorithm.
    if same || known.as_ref().len() == alg_id::RSA_PKCS1_SHA256.as_ref().len() - 2 && absent(&known, hash) {
        return Ok(found);
    }
    Err(VerifyError::Unsupported { what: "signature uses another digest than the signer says" })
}

/// Whether this is RSA with this digest and its parameters left out.
fn absent(known: &rustls_pki_types::AlgorithmIdentifier, hash: Hash) -> bool {
    let full = match hash {
        Hash::Sha256 => alg_id::RSA_PKCS1_SHA256,
        Hash::Sha384 => alg_id::RSA_PKCS1_SHA384,
        Hash::Sha512 => alg_id::RSA_PKCS1_SHA512,
    };
    full.as_ref().strip_suffix(&[0x05, 0x00]) == Some(known.as_ref())
}
