//! The six parts of an event that are committed one by one, and the table that says what belongs where.
//!
//! [`split`] takes an OCSF event apart into canonical facets, [`merge`] puts what is left of them together again for
//! showing. A few attributes are ours, where OCSF has none: `metadata.mapping` (name and version of the mapping) and
//! `metadata.clock` (state of the source's clock) go to `when`, `actor.on_behalf_of` to `who`. Three addresses are kept apart in `where`, since auditors confuse them at their cost:
//!
//! | attribute | meaning |
//! |---|---|
//! | `src_endpoint.ip` | peer: the address at the other end of the reporting system's own connection |
//! | `http_request.x_forwarded_for`, `src_endpoint.intermediate_ips` | claimed: what somebody said ahead of that peer, as received |
//! | `src_endpoint.claim_trust` | how far the claim is trusted: `none`, `proxy` (a configured proxy set it) or `verified` (bound by a signature or PROXY protocol from a configured peer) |

mod builder;
mod merge;
mod split;
mod stamp;
mod table;

#[cfg(test)]
mod tests;

pub use merge::{MergeError, merge};
pub use split::split;
pub use stamp::{STAMP_KEY, Stamp, StampError, WhenDraft, read_stamp};
pub use table::{TABLE_VERSION, facet_of, table_hash, table_text};

/// How many facets table version 1 has.
pub const FACETS: usize = 6;

/// One part of an event, numbered as in salts and digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Facet {
    /// Times and clock, number and source, class and activity, outcome.
    When = 0,
    /// Actor, user, session, on whose behalf, strength of authentication.
    Who = 1,
    /// Operation, names of resources, decision of the policy, counts.
    What = 2,
    /// Statements, parameters, old and new values, messages, and all that the table does not place.
    Content = 3,
    /// Endpoints and devices.
    Where = 4,
    /// The exact bytes received; empty when the gateway made the event itself.
    Raw = 5,
}

impl Facet {
    /// All facets in the order of their numbers.
    pub const ALL: [Facet; FACETS] =
        [Facet::When, Facet::Who, Facet::What, Facet::Content, Facet::Where, Facet::Raw];

    /// The facets that are canonical JSON: all but `raw`.
    pub const JSON: [Facet; FACETS - 1] =
        [Facet::When, Facet::Who, Facet::What, Facet::Content, Facet::Where];

    /// The name in tables and messages.
    pub fn name(self) -> &'static str {
        match self {
            Facet::When => "when",
            Facet::Who => "who",
            Facet::What => "what",
            Facet::Content => "content",
            Facet::Where => "where",
            Facet::Raw => "raw",
        }
    }
}

/// The canonical facets of an event before the ledger numbers it. Each is one canonical JSON object, `{}` where there
/// is nothing; `when` still waits for its [`Stamp`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetDraft {
    /// Facet 0 without its stamp.
    pub when: WhenDraft,
    /// Facet 1.
    pub who: Vec<u8>,
    /// Facet 2.
    pub what: Vec<u8>,
    /// Facet 3.
    pub content: Vec<u8>,
    /// Facet 4.
    pub where_: Vec<u8>,
}

impl Default for FacetDraft {
    fn default() -> FacetDraft {
        let empty = || b"{}".to_vec();
        FacetDraft {
            when: WhenDraft::default(),
            who: empty(),
            what: empty(),
            content: empty(),
            where_: empty(),
        }
    }
}
