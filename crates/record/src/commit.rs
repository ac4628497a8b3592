//! Salts, digests and the commitment: what ties the facets of an event to its entry (DESIGN section 3).
//!
//! Each facet is hashed with a salt of its own, so that a guessed value can't be confirmed against a hash, and one
//! facet can be disclosed or erased while the rest still verifies.

use crate::facet::{FACETS, Facet};
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

/// A secret of 16 bytes: not copied silently, and not shown by `Debug`.
macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// Wraps the bytes as they are.
            pub const fn from_bytes(bytes: [u8; 16]) -> $name {
                $name(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

secret! {
    /// 16 random bytes per event, kept with the payload, from which the salts of all facets follow.
    Seed
}

secret! {
    /// What is hashed ahead of one facet.
    Salt
}

/// L(s): ASCII `s`, padded with 0x00 to 32 bytes.
const fn label(text: &str) -> [u8; 32] {
    let mut out = [0; 32];
    let (text, mut at) = (text.as_bytes(), 0);
    while at < text.len() {
        out[at] = text[at];
        at += 1;
    }
    out
}

const SALT: [u8; 32] = label("ledgerstone/salt/v1");
const FACET: [u8; 32] = label("ledgerstone/facet/v1");
const EVENT: [u8; 32] = label("ledgerstone/event/v1");

/// salt_f = first 16 bytes of SHA-256(L("ledgerstone/salt/v1") ‖ f ‖ seed).
pub fn salt(facet: Facet, seed: &Seed) -> Salt {
    let digest = sha256(&prefix(&SALT, facet, &seed.0), &[]);
    Salt(std::array::from_fn(|index| digest[index]))
}

/// The salts of all facets, in order.
pub fn salts(seed: &Seed) -> [Salt; FACETS] {
    Facet::ALL.map(|facet| salt(facet, seed))
}

/// digest_f = SHA-256(L("ledgerstone/facet/v1") ‖ f ‖ salt_f ‖ bytes_f).
pub fn facet_digest(facet: Facet, salt: &Salt, bytes: &[u8]) -> [u8; 32] {
    sha256(&prefix(&FACET, facet, &salt.0), bytes)
}

/// [`facet_digest`] of bytes that arrive in pieces, for a `raw` facet too large to hold.
#[derive(Clone)]
pub struct FacetHasher(Sha256);

impl FacetHasher {
    /// Starts the digest of `facet`.
    pub fn new(facet: Facet, salt: &Salt) -> FacetHasher {
        FacetHasher(Sha256::new_with_prefix(prefix(&FACET, facet, &salt.0)))
    }

    /// Adds the bytes that come next.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest over everything added.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// commitment = SHA-256(L("ledgerstone/event/v1") ‖ ledger_id ‖ u16 table_version ‖ u8 n ‖ digest_0 … digest_{n−1}).
///
/// # Panics
/// If there are more than 255 digests, which no table has.
pub fn commitment(ledger_id: &[u8; 32], table_version: u16, digests: &[[u8; 32]]) -> [u8; 32] {
    assert!(digests.len() <= 255, "a commitment covers at most 255 facets");
    let mut hasher = Sha256::new_with_prefix(EVENT);
    hasher.update(ledger_id);
    hasher.update(table_version.to_be_bytes());
    hasher.update([digests.len() as u8]);
    hasher.update(digests.as_flattened());
    hasher.finalize().into()
}

/// Bytes of a message that [`sha256`] pads itself, a multiple of the block.
const SHORT: usize = 512;

/// SHA-256(head ‖ tail). A dozen short messages are hashed for each event, so that what [`Sha256`] does beside
/// compressing (buffers, copies, dispatch) counts: up to [`SHORT`] bytes are padded (FIPS 180-4 §5.1.1) and compressed
/// in one go, longer ones are left to it.
fn sha256(head: &[u8; 49], tail: &[u8]) -> [u8; 32] {
    let len = head.len() + tail.len();
    let end = (len + 9).next_multiple_of(64);
    if end > SHORT {
        return Sha256::new_with_prefix(head).chain_update(tail).finalize().into();
    }
    let mut blocks = [[0; 64]; SHORT / 64];
    let message = blocks.as_flattened_mut();
    message[..head.len()].copy_from_slice(head);
    message[head.len()..len].copy_from_slice(tail);
    message[len] = 0x80;
    message[end - 8..end].copy_from_slice(&(len as u64 * 8).to_be_bytes());
    let mut state = INITIAL;
    compress256(&mut state, &blocks[..end / 64]);
    let mut digest = [0; 32];
    for (out, word) in digest.chunks_exact_mut(4).zip(state) {
        out.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

/// The initial hash value, FIPS 180-4 §5.3.3.
const INITIAL: [u32; 8] =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

/// The 49 bytes ahead of whatever is hashed, in one piece: with its padding it fits one SHA-256 block.
fn prefix(label: &[u8; 32], facet: Facet, secret: &[u8; 16]) -> [u8; 49] {
    let mut out = [0; 49];
    out[..32].copy_from_slice(label);
    out[32] = facet as u8;
    out[33..].copy_from_slice(secret);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sha256(parts: &[&[u8]]) -> [u8; 32] {
        Sha256::digest(parts.concat()).into()
    }

    #[test]
    fn short_messages_hash_as_long_ones_do() {
        let bytes: Vec<u8> = (0..3 * SHORT).map(|at| (at * 7) as u8).collect();
        for len in 0..bytes.len() {
            assert_eq!(super::sha256(&[3; 49], &bytes[..len]), sha256(&[&[3; 49], &bytes[..len]]), "{len}");
        }
    }

    #[test]
    fn formulas_are_those_of_the_format() {
        let padded = |text: &str| [text.as_bytes(), &vec![0; 32 - text.len()]].concat();
        let seed = Seed([0xA5; 16]);
        for facet in Facet::ALL {
            let number = [facet as u8];
            let salt = salt(facet, &seed);
            assert_eq!(salt.0, sha256(&[&padded("ledgerstone/salt/v1"), &number, &seed.0])[..16]);
            assert_eq!(salts(&seed)[facet as usize], salt);
            for bytes in [&b""[..], b"{}", &[7; 1000]] {
                let digest = sha256(&[&padded("ledgerstone/facet/v1"), &number, &salt.0, bytes]);
                assert_eq!(facet_digest(facet, &salt, bytes), digest);
                let mut hasher = FacetHasher::new(facet, &salt);
                bytes.chunks(13).for_each(|piece| hasher.update(piece));
                assert_eq!(hasher.finish(), digest);
            }
        }
        for count in [0, 1, 6, 255] {
            let digests: Vec<[u8; 32]> = (0..count).map(|number| [number as u8; 32]).collect();
            let flat = digests.concat();
            let parts = [&padded("ledgerstone/event/v1")[..], &[9; 32], &[0x12, 0x34], &[count as u8], &flat];
            assert_eq!(commitment(&[9; 32], 0x1234, &digests), sha256(&parts));
        }
    }

    #[test]
    fn secrets_stay_out_of_logs() {
        assert_eq!(format!("{:?} {:?}", Seed([1; 16]), Salt([2; 16])), "Seed(..) Salt(..)");
    }
}
