//! What time-stamping asks of a certificate and path validation does not look at (RFC 3161 section 2.3, RFC 5280).
//!
//! Whether a certificate leads to an authority is decided elsewhere, by webpki.

use core::fmt;

use crate::der::{Element, Reader, tag};
use crate::error::Malformed;
use crate::time;

/// 2.5.29.37
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// 2.5.29.15
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
/// 2.5.29.14
const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];
/// 1.3.6.1.5.5.7.3.8
pub(crate) const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// The parts of a certificate that are needed.
pub(crate) struct Certificate<'a> {
    /// The bytes of the INTEGER.
    pub serial: &'a [u8],
    /// The whole Name.
    pub issuer: &'a [u8],
    /// The whole Name.
    pub subject: &'a [u8],
    /// From, to: Unix seconds, both included.
    pub valid: (u64, u64),
    /// The key identifier it gives itself.
    pub key_id: Option<&'a [u8]>,
    extended_key_usage: Option<(bool, Element<'a>)>,
    key_usage: Option<&'a [u8]>,
}

/// Why a certificate is not one for time-stamping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateFault {
    /// It does not say what its key is for.
    NoExtendedKeyUsage,
    /// What it says may be ignored, and must not be.
    NotCritical,
    /// Its key is for something else, or for something else as well.
    NotOnlyTimeStamping,
    /// Its key is not for signing, or not only.
    KeyUsage,
}

impl<'a> Certificate<'a> {
    pub fn parse(der: &'a [u8]) -> Result<Self, Malformed> {
        let mut outer = Reader::new(der);
        let certificate = outer.take(tag::SEQUENCE, "certificate is no sequence")?;
        outer.end("bytes after the certificate")?;
        let mut tbs =
            certificate.inside().take(tag::SEQUENCE, "certificate has nothing that is signed")?.inside();
        tbs.optional(tag::constructed(0))?; // version
        let serial = tbs.take(tag::INTEGER, "certificate has no serial number")?.value;
        tbs.take(tag::SEQUENCE, "certificate has no signature algorithm")?;
        let issuer = tbs.take(tag::SEQUENCE, "certificate has no issuer")?.whole;
        let mut validity = tbs.take(tag::SEQUENCE, "certificate has no validity")?.inside();
        let valid = (time::of_certificate(&validity.next()?)?, time::of_certificate(&validity.next()?)?);
        let subject = tbs.take(tag::SEQUENCE, "certificate has no subject")?.whole;
        tbs.take(tag::SEQUENCE, "certificate has no public key")?;
        tbs.optional(tag::primitive(1))?;
        tbs.optional(tag::primitive(2))?;
        let mut read =
            Self { serial, issuer, subject, valid, key_id: None, extended_key_usage: None, key_usage: None };
        if let Some(extensions) = tbs.optional(tag::constructed(3))? {
            let mut list = extensions.inside().take(tag::SEQUENCE, "extensions are no sequence")?.inside();
            while !list.is_empty() {
                read.extension(&list.take(tag::SEQUENCE, "extension is no sequence")?)?;
            }
        }
        Ok(read)
    }

    fn extension(&mut self, extension: &Element<'a>) -> Result<(), Malformed> {
        let mut fields = extension.inside();
        let kind = fields.take(tag::OID, "extension has no type")?.value;
        let critical = fields.optional(tag::BOOLEAN)?.is_some_and(|critical| critical.value == [0xff]);
        let value = fields.take(tag::OCTETS, "extension has no value")?;
        let twice = || extension.wrong("extension stands twice");
        match kind {
            EXTENDED_KEY_USAGE if self.extended_key_usage.is_some() => return Err(twice()),
            EXTENDED_KEY_USAGE => self.extended_key_usage = Some((critical, value)),
            KEY_USAGE if self.key_usage.is_some() => return Err(twice()),
            KEY_USAGE => {
                self.key_usage = Some(value.inside().take(tag::BITS, "key usage is no bit string")?.value)
            }
            SUBJECT_KEY_ID => {
                self.key_id =
                    Some(value.inside().take(tag::OCTETS, "key identifier is no octet string")?.value);
            }
            _ => {}
        }
        Ok(())
    }

    /// Checks that its key is for time-stamping and for nothing else.
    pub fn check_time_stamping(&self) -> Result<(), CertificateFault> {
        let (critical, usage) =
            self.extended_key_usage.as_ref().ok_or(CertificateFault::NoExtendedKeyUsage)?;
        if !critical {
            return Err(CertificateFault::NotCritical);
        }
        let only = || -> Result<bool, Malformed> {
            let mut list = usage.inside().take(tag::SEQUENCE, "extended key usage is no sequence")?.inside();
            let first = list.take(tag::OID, "extended key usage is empty")?.value;
            Ok(first == TIME_STAMPING && list.is_empty())
        };
        if only() != Ok(true) {
            return Err(CertificateFault::NotOnlyTimeStamping);
        }
        // Unused bits, then digitalSignature and nonRepudiation in the two highest.
        match self.key_usage {
            None => Ok(()),
            Some([_, first, rest @ ..])
                if first & 0xc0 != 0 && first & 0x3f == 0 && rest.iter().all(|b| *b == 0) =>
            {
                Ok(())
            }
            Some(_) => Err(CertificateFault::KeyUsage),
        }
    }

    /// Whether its key may sign certificates: nothing is said about it, or that it may.
    pub fn may_issue(&self) -> bool {
        self.key_usage.is_none_or(|bits| bits.get(1).is_some_and(|first| first & 0x04 != 0))
    }

    /// Whether it was valid at this moment, Unix seconds.
    pub fn is_valid_at(&self, seconds: u64) -> bool {
        (self.valid.0..=self.valid.1).contains(&seconds)
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoExtendedKeyUsage => "it has no extended key usage",
            Self::NotCritical => "its extended key usage is not critical",
            Self::NotOnlyTimeStamping => "its extended key usage is not time-stamping alone",
            Self::KeyUsage => "its key usage is not signing alone",
        })
    }
}
