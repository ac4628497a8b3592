/// Why a connection was ended before a request of it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turned {
    /// As many as there may be are open.
    TooMany,
    /// As many as there may be are open from there.
    TooManyOfOne,
    /// It spoke in the clear where TLS is wanted.
    ClearText,
    /// The handshake took too long, or gave way to others.
    Late,
    /// The handshake failed: no version or certificate that both accept, or no TLS at all.
    NoHandshake,
}

impl Turned {
    pub(crate) const ALL: [Turned; 5] =
        [Self::TooMany, Self::TooManyOfOne, Self::ClearText, Self::Late, Self::NoHandshake];

    /// The stable name, in metrics and on record.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TooMany => "too-many-connections",
            Self::TooManyOfOne => "too-many-connections-of-address",
            Self::ClearText => "clear-text",
            Self::Late => "late-handshake",
            Self::NoHandshake => "failed-handshake",
        }
    }

    /// The status of the answer, or what it would be if one could be given.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::TooMany | Self::TooManyOfOne => 503,
            Self::Late => 408,
            Self::ClearText | Self::NoHandshake => 400,
        }
    }
}
