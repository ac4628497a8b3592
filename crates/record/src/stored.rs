//! A record as it is stored: what opens its digests, and the facets that are still there.
//!
//! Form 0 keeps the seed and all facets. Form 1 keeps a salt for each facet that survived and the digest of each that
//! was erased, and *no seed*: from the seed anyone could confirm a guess of what was erased.

use crate::canonical::{self, CanonicalError};
use crate::commit::{Salt, Seed, commitment, facet_digest, salt};
use crate::entry::Entry;
use crate::facet::{FACETS, Facet, Stamp, TABLE_VERSION, read_stamp};
use std::fmt;

#[cfg(test)]
mod tests;

/// What opens the digests of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Form 0.
    Seed(Seed),
    /// Form 1, one for each facet in order. Also the form of an event whose agent chose the salt of `raw` itself, with
    /// all six salts.
    Partial([Known; FACETS]),
}

/// What form 1 knows of one facet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// The facet is there, and this is its salt.
    Salt(Salt),
    /// The facet was erased or withheld, and this was its digest.
    Digest([u8; 32]),
}

impl Opening {
    /// Whether `facet` is there.
    pub fn has(&self, facet: Facet) -> bool {
        match self {
            Opening::Seed(_) => true,
            Opening::Partial(known) => matches!(known[facet as usize], Known::Salt(_)),
        }
    }

    /// The salt of `facet`, if it is there.
    pub fn salt(&self, facet: Facet) -> Option<Salt> {
        match self {
            Opening::Seed(seed) => Some(salt(facet, seed)),
            Opening::Partial(known) => match &known[facet as usize] {
                Known::Salt(salt) => Some(salt.clone()),
                Known::Digest(_) => None,
            },
        }
    }

    /// The opening once `erased` are gone, given the digests of all facets. `raw` goes with any of them, since it
    /// repeats them all. With nothing to erase, the result is form 1 all the same.
    pub fn without(&self, erased: &[Facet], digests: &[[u8; 32]; FACETS]) -> Opening {
        Opening::Partial(Facet::ALL.map(|facet| {
            let goes = erased.contains(&facet) || facet == Facet::Raw && !erased.is_empty();
            match self.salt(facet) {
                Some(salt) if !goes => Known::Salt(salt),
                _ => Known::Digest(digests[facet as usize]),
            }
        }))
    }
}

/// The digests of a record: computed over the facets that are there, taken on trust for those that are not (the
/// commitment settles that).
///
/// # Errors
/// If an erased facet has bytes: nothing ties them to the entry, so they must not be shown.
pub fn digests(opening: &Opening, facets: &[&[u8]; FACETS]) -> Result<[[u8; 32]; FACETS], RecordError> {
    let mut digests = [[0; 32]; FACETS];
    for facet in Facet::ALL {
        let number = facet as usize;
        let bytes = facets[number];
        digests[number] = match opening {
            Opening::Seed(seed) => facet_digest(facet, &salt(facet, seed), bytes),
            Opening::Partial(known) => match &known[number] {
                Known::Salt(salt) => facet_digest(facet, salt, bytes),
                Known::Digest(_) if !bytes.is_empty() => return Err(RecordError::Unopened(facet)),
                Known::Digest(digest) => *digest,
            },
        };
    }
    Ok(digests)
}

/// Checks a stored record against its entry: commitment, canonical facets, and the stamp inside `when`.
///
/// # Errors
/// What is wrong, see [`RecordError`]. Whether a facet may be missing at all is for the caller to say (DESIGN I13).
pub fn check(
    entry: &Entry,
    ledger_id: &[u8; 32],
    opening: &Opening,
    facets: &[&[u8]; FACETS],
) -> Result<(), RecordError> {
    check_commitment(entry, ledger_id, opening, facets)?;
    for facet in Facet::JSON.into_iter().filter(|&facet| opening.has(facet)) {
        let bytes = facets[facet as usize];
        canonical::check(bytes).map_err(|error| RecordError::NotCanonical(facet, error))?;
        if bytes.first() != Some(&b'{') {
            return Err(RecordError::NotAnObject(facet));
        }
    }
    if opening.has(Facet::When) && read_stamp(facets[0]) != Ok(Stamp::of(entry)) {
        return Err(RecordError::Stamp);
    }
    Ok(())
}

/// The part of [`check`] that ties a stored record to its entry: the facets are, byte for byte, those committed to.
/// Whether they should ever have been written is the other part.
///
/// # Errors
/// [`RecordError::Unopened`] or [`RecordError::Commitment`].
pub fn check_commitment(
    entry: &Entry,
    ledger_id: &[u8; 32],
    opening: &Opening,
    facets: &[&[u8]; FACETS],
) -> Result<(), RecordError> {
    let digests = digests(opening, facets)?;
    match commitment(ledger_id, TABLE_VERSION, &digests) == entry.commitment {
        true => Ok(()),
        false => Err(RecordError::Commitment),
    }
}

/// Why a stored record does not belong to its entry, or should never have been written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// Bytes for a facet that is said to be erased.
    Unopened(Facet),
    /// The facets, or the digests kept of them, are not those of the entry.
    Commitment,
    /// The facet is what was recorded, and is not canonical JSON.
    NotCanonical(Facet, CanonicalError),
    /// The facet is what was recorded, and is not a JSON object.
    NotAnObject(Facet),
    /// `when` says something else than the entry about received time, source, epoch or sequence.
    Stamp,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::Unopened(facet) => {
                write!(f, "erased facet has bytes that nothing vouches for: {}", facet.name())
            }
            RecordError::Commitment => f.write_str("facets do not match the commitment in the entry"),
            RecordError::NotCanonical(facet, error) => write!(f, "facet {}: {error}", facet.name()),
            RecordError::NotAnObject(facet) => write!(f, "facet is not a json object: {}", facet.name()),
            RecordError::Stamp => f.write_str("stamp in facet when does not match the entry"),
        }
    }
}

impl std::error::Error for RecordError {}
