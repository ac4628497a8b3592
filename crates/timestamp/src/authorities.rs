//! Whom a reader of tokens trusts.

use core::fmt;

use rustls_pki_types::pem::{Error as PemError, PemObject as _};
use rustls_pki_types::{CertificateDer, TrustAnchor};

use crate::certificate::Certificate;
use crate::error::Malformed;

/// Larger files of certificates are not read, bytes.
const MAX_LEN: usize = 4 * 1024 * 1024;

/// Certificates given from outside: those that are their own issuer are trusted, the others help to lead there.
///
/// The same file does for `openssl ts -verify -CAfile`.
#[derive(Clone, Debug)]
pub struct Authorities {
    pub(crate) roots: Vec<CertificateDer<'static>>,
    pub(crate) others: Vec<CertificateDer<'static>>,
}

impl Authorities {
    /// Reads certificates from PEM, one or more, or from the DER of one.
    pub fn parse(file: &[u8]) -> Result<Self, AuthoritiesError> {
        if file.len() > MAX_LEN {
            return Err(AuthoritiesError::TooLarge { len: file.len() });
        }
        let certificates = match file.first() {
            Some(0x30) => vec![CertificateDer::from(file.to_vec())],
            _ => CertificateDer::pem_slice_iter(file)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error: PemError| AuthoritiesError::Pem { why: error.to_string() })?,
        };
        let mut read = Self { roots: Vec::new(), others: Vec::new() };
        for (number, der) in certificates.into_iter().enumerate() {
            let bad =
                |why: Malformed| AuthoritiesError::Certificate { number: number + 1, why: why.to_string() };
            let certificate = Certificate::parse(&der).map_err(bad)?;
            if certificate.issuer == certificate.subject {
                anchor(&der).map_err(|why| AuthoritiesError::Certificate { number: number + 1, why })?;
                read.roots.push(der);
            } else {
                read.others.push(der);
            }
        }
        if read.roots.is_empty() {
            return Err(AuthoritiesError::NoRoot { others: read.others.len() });
        }
        Ok(read)
    }
}

/// A certificate as the end of a path.
pub(crate) fn anchor<'a>(der: &'a CertificateDer<'a>) -> Result<TrustAnchor<'a>, String> {
    webpki::anchor_from_trusted_cert(der).map_err(|error| error.to_string())
}

/// Why a file of certificates can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthoritiesError {
    /// It is no file of certificates.
    TooLarge {
        /// Its bytes.
        len: usize,
    },
    /// It is not PEM.
    Pem {
        /// Why not.
        why: String,
    },
    /// One of its certificates can't be read.
    Certificate {
        /// Which, counted from 1.
        number: usize,
        /// Why not.
        why: String,
    },
    /// It holds no certificate that is its own issuer, so nothing would be trusted.
    NoRoot {
        /// Certificates of other kinds.
        others: usize,
    },
}

impl fmt::Display for AuthoritiesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { len } => {
                write!(f, "file of certificates is too large: {len} bytes, at most {MAX_LEN}")
            }
            Self::Pem { why } => write!(f, "certificates are not PEM: {why}"),
            Self::Certificate { number, why } => write!(f, "certificate {number} can't be read: {why}"),
            Self::NoRoot { others } => {
                write!(f, "no certificate is its own issuer, so nothing would be trusted; others: {others}")
            }
        }
    }
}

impl core::error::Error for AuthoritiesError {}
