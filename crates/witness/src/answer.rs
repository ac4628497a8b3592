use tlog::Signature;
use tlog::witness::{SIZE_CONTENT_TYPE, format_cosignatures, format_size};

const TEXT: &str = "text/plain; charset=utf-8";

/// What a witness answers to `add-checkpoint`: the table of C2SP tlog-witness, and what may befall any server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200: cosigned, and that is durable.
    Cosigned(Signature),
    /// 400: not a request, or its old size is above that of its checkpoint.
    Malformed(String),
    /// 403: not signed by a key that is trusted for the origin, or a line by such a key does not hold.
    NotSigned(String),
    /// 404: no log of this origin is known.
    UnknownLog(String),
    /// 409: the old size is not that of the checkpoint cosigned last, which is this one; 0 if there is none.
    Conflict(u64),
    /// 422: not shown to extend what was cosigned last.
    Inconsistent(String),
    /// 503: nothing was cosigned for want of storage or of a clock; may be tried again.
    Unavailable(String),
}

impl Answer {
    /// Every status there is, for counting.
    pub(crate) const STATUSES: [u16; 7] = [200, 400, 403, 404, 409, 422, 503];

    /// Returns the status code.
    pub fn status(&self) -> u16 {
        match self {
            Self::Cosigned(_) => 200,
            Self::Malformed(_) => 400,
            Self::NotSigned(_) => 403,
            Self::UnknownLog(_) => 404,
            Self::Conflict(_) => 409,
            Self::Inconsistent(_) => 422,
            Self::Unavailable(_) => 503,
        }
    }

    /// Returns the content type of the body.
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Conflict(_) => SIZE_CONTENT_TYPE,
            _ => TEXT,
        }
    }

    /// Returns the body. That of 200 and 409 is for programs, the others say for people what is wrong.
    pub fn body(&self) -> String {
        match self {
            Self::Cosigned(cosignature) => format_cosignatures(std::slice::from_ref(cosignature)),
            Self::Conflict(size) => format_size(*size),
            Self::Malformed(why)
            | Self::NotSigned(why)
            | Self::UnknownLog(why)
            | Self::Inconsistent(why)
            | Self::Unavailable(why) => format!("{why}\n"),
        }
    }
}
