//! The formats that records may have.

use std::fmt;
use std::str::FromStr;

/// A format of audit records, by the name that settings and the command line use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// An OCSF event, or the part of one that the sender knows; the rest is filled in.
    Native,
    /// AWS CloudTrail, event version 1.
    CloudTrail,
    /// Kubernetes audit (`audit.k8s.io`), of any version.
    KubernetesAudit,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 3] = [Format::Native, Format::CloudTrail, Format::KubernetesAudit];

    /// `native`, `cloudtrail` or `kubernetes-audit`.
    pub fn name(self) -> &'static str {
        match self {
            Format::Native => "native",
            Format::CloudTrail => "cloudtrail",
            Format::KubernetesAudit => "kubernetes-audit",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Format, UnknownFormat> {
        Format::ALL.into_iter().find(|format| format.name() == name).ok_or(UnknownFormat)
    }
}

/// A name that is none of the formats'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownFormat;

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown format, expected one of native, cloudtrail, kubernetes-audit")
    }
}

impl std::error::Error for UnknownFormat {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_listed_in_the_error() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
            assert!(UnknownFormat.to_string().contains(format.name()));
        }
        assert_eq!("CloudTrail".parse::<Format>(), Err(UnknownFormat));
    }
}
