//! Whether a token proves that data existed at a time, decided without a network.
//!
//! What is not decided: whether a certificate was revoked. A revocation list would have to be signed, current and
//! brought along; whoever doubts the authority asks it.

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime, alg_id};
use sha1::{Digest as _, Sha1};
use webpki::{EndEntityCert, Error as PathError, KeyUsage};

use crate::authorities::{Authorities, anchor};
use crate::certificate::{Certificate, TIME_STAMPING};
use crate::der::{integer_value, tag};
use crate::error::{VerifyError, hex};
use crate::signature::{Hash, OF_CERTIFICATES, candidates};
use crate::token::{Named, Parts, SHA256, SignerId, Token};
use crate::tst_info::TstInfo;

/// What a token should be about.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// SHA-256 of the data: see [`crate::digest`] and [`crate::body`].
    pub digest: &'a [u8; 32],
    /// The nonce of the request; none where it is not known any more, as for a token from an archive.
    pub nonce: Option<u64>,
}

/// What a good token proves: data with this digest existed at this time, says this authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What it says, all of it signed.
    pub info: TstInfo,
    /// The authority it leads to: SHA-256 of that certificate, in hexadecimal.
    pub root: String,
    /// Who signed: SHA-256 of that certificate, in hexadecimal.
    pub signer: String,
    /// Until when the signer's certificate is valid, Unix seconds. After that only what was verified or entered into
    /// a log before says that the key was still the authority's alone.
    pub valid_until: u64,
    /// Certificates in the token that nothing depends on.
    pub unused_certificates: usize,
}

impl Token {
    /// Checks everything about it: data, nonce, signature, signer, path to one of `authorities`, all at its own time.
    pub fn verify(
        &self,
        expected: &Expected<'_>,
        authorities: &Authorities,
    ) -> Result<Verified, VerifyError> {
        check_imprint(self.claimed(), expected)?;
        let parts = Parts::parse(self.as_bytes()).map_err(|_| altered("it can't be read any more"))?;
        let (own, certificate) = signer_certificate(&parts, authorities)?;
        check_signature(&parts, own)?;
        certificate.check_time_stamping().map_err(VerifyError::NotForTime)?;
        let seconds = self.claimed().gen_time_ms / 1000;
        let path = find_path(&parts, authorities, own, &certificate, seconds)?;
        check_named(&parts.signer.named, &path)?;
        let root = path.last().copied().unwrap_or(own);
        let unused_certificates = parts.certificates.iter().filter(|der| !path.contains(der)).count();
        Ok(Verified {
            info: self.claimed().clone(),
            root: hex(&crate::digest(root)),
            signer: hex(&crate::digest(own)),
            valid_until: certificate.valid.1,
            unused_certificates,
        })
    }
}

fn altered(what: &'static str) -> VerifyError {
    VerifyError::Altered { what }
}

fn check_imprint(info: &TstInfo, expected: &Expected<'_>) -> Result<(), VerifyError> {
    if info.imprint_oid != SHA256 {
        return Err(VerifyError::Unsupported {
            what: "the data is imprinted with another digest than SHA-256",
        });
    }
    let found: [u8; 32] = info
        .digest
        .as_slice()
        .try_into()
        .map_err(|_| altered("the imprint has not the length of a SHA-256"))?;
    if found != *expected.digest {
        return Err(VerifyError::OtherData { expected: *expected.digest, found });
    }
    match expected.nonce {
        Some(sent) if info.nonce.as_deref() != Some(&integer_value(sent)) => {
            Err(VerifyError::Nonce { expected: sent, found: info.nonce.as_deref().map(hex) })
        }
        _ => Ok(()),
    }
}

/// Finds the certificate that the signer names by its digest, and checks that every other way of naming it agrees.
fn signer_certificate<'a>(
    parts: &Parts<'a>,
    authorities: &'a Authorities,
) -> Result<(&'a [u8], Certificate<'a>), VerifyError> {
    let given = authorities.others.iter().map(|der| der.as_ref());
    let own: Vec<&Named<'_>> = parts.signer.named.iter().filter(|named| named.first).collect();
    let mut found = None;
    for der in parts.certificates.iter().copied().chain(given) {
        let is = own.iter().map(|named| is_named(named, der)).collect::<Result<Vec<_>, _>>()?;
        if !is.contains(&false) {
            found = Some(der);
            break;
        }
    }
    let der = found.ok_or_else(|| VerifyError::Untrusted {
        why: "no certificate at hand is the one the signer names".to_owned(),
    })?;
    let certificate = Certificate::parse(der).map_err(|why| VerifyError::Untrusted {
        why: format!("signer's certificate can't be read: {why}"),
    })?;
    let is_meant = match parts.signer.id {
        SignerId::IssuerAndSerial(issuer, serial) => {
            (issuer, serial) == (certificate.issuer, certificate.serial)
        }
        SignerId::KeyId(id) => certificate.key_id == Some(id),
    };
    if !is_meant {
        return Err(altered("the signer is named in two ways that disagree"));
    }
    let disagrees = |(issuer, serial)| (issuer, serial) != (certificate.issuer, certificate.serial);
    if own.iter().filter_map(|named| named.issuer_and_serial).any(disagrees) {
        return Err(altered("the signer is named in two ways that disagree"));
    }
    Ok((der, certificate))
}

/// Whether this digest is of this certificate. SHA-1 will do: the signature and the path decide about the key, and
/// who could make two certificates of one SHA-1 would have to have both issued by the authority.
fn is_named(named: &Named<'_>, der: &[u8]) -> Result<bool, VerifyError> {
    match named.algorithm {
        None => Ok(Sha1::digest(der).as_slice() == named.digest),
        Some(oid) => {
            let hash = Hash::from_oid(oid).ok_or(VerifyError::Unsupported {
                what: "signer names its certificate by another digest than SHA-1, SHA-256, SHA-384 or SHA-512",
            })?;
            Ok(hash.of(der) == named.digest)
        }
    }
}

fn check_signature(parts: &Parts<'_>, own: &[u8]) -> Result<(), VerifyError> {
    let signer = &parts.signer;
    let hash = Hash::from_oid(signer.digest).ok_or(VerifyError::Unsupported {
        what: "signer uses another digest than SHA-256, SHA-384 or SHA-512",
    })?;
    if hash.of(parts.content.value) != signer.message_digest {
        return Err(altered("what it says does not have the digest that is signed"));
    }
    // Signed as SET OF, kept under an implicit tag (RFC 5652 section 5.4).
    let mut message = signer.attributes.whole.to_vec();
    message[0] = tag::SET;
    let own = CertificateDer::from(own);
    let key = EndEntityCert::try_from(&own).map_err(|error| VerifyError::Untrusted {
        why: format!("signer's certificate can't be used: {error}"),
    })?;
    for algorithm in candidates(&signer.algorithm, hash)? {
        match key.verify_signature(algorithm, &message, signer.signature) {
            Ok(()) => return Ok(()),
            Err(PathError::InvalidSignatureForPublicKey) if is_short_rsa(&key) => {
                return Err(VerifyError::Unsupported { what: "signer's RSA key has fewer than 2048 bits" });
            }
            Err(PathError::InvalidSignatureForPublicKey) => {
                return Err(altered("the signature does not hold"));
            }
            Err(_) => {} // of another kind of key
        }
    }
    Err(VerifyError::Unsupported { what: "signature algorithm and key do not go together" })
}

/// Nothing with such a key verifies, which would look like a signature that does not hold.
fn is_short_rsa(key: &EndEntityCert<'_>) -> bool {
    const SPKI_LEN_2048: usize = 294;
    let spki = key.subject_public_key_info();
    let is_rsa =
        spki.windows(alg_id::RSA_ENCRYPTION.len()).any(|part| part == alg_id::RSA_ENCRYPTION.as_ref());
    is_rsa && spki.len() < SPKI_LEN_2048
}

/// Builds a path from the signer to a root; returns its certificates, the signer's first.
fn find_path<'a>(
    parts: &Parts<'a>,
    authorities: &'a Authorities,
    own: &'a [u8],
    certificate: &Certificate<'_>,
    seconds: u64,
) -> Result<Vec<&'a [u8]>, VerifyError> {
    if !certificate.is_valid_at(seconds) {
        return Err(VerifyError::NotValidThen {
            which: "the signer",
            valid: certificate.valid,
            made: seconds,
        });
    }
    let mut too_old = None;
    let mut roots: Vec<(&'a CertificateDer<'a>, TrustAnchor<'a>)> = Vec::new();
    for der in &authorities.roots {
        let unreadable = |why: String| VerifyError::Untrusted { why };
        let root = Certificate::parse(der).map_err(|why| unreadable(why.to_string()))?;
        match root.is_valid_at(seconds) {
            true => roots.push((der, anchor(der).map_err(unreadable)?)),
            false => too_old = Some(root.valid),
        }
    }
    let anchors: Vec<TrustAnchor<'_>> = roots.iter().map(|(_, anchor)| anchor.clone()).collect();
    let others: Vec<CertificateDer<'_>> = parts
        .certificates
        .iter()
        .map(|der| CertificateDer::from(*der))
        .chain(authorities.others.iter().cloned())
        .filter(|der| der.as_ref() != own)
        .collect();
    let own_der = CertificateDer::from(own);
    let end = EndEntityCert::try_from(&own_der).map_err(|error| VerifyError::Untrusted {
        why: format!("signer's certificate can't be used: {error}"),
    })?;
    let time = UnixTime::since_unix_epoch(core::time::Duration::from_secs(seconds));
    // The signer must say so, which is checked elsewhere; an authority between may leave it out.
    let usage = KeyUsage::required_if_present(TIME_STAMPING);
    let path = end.verify_for_usage(OF_CERTIFICATES, &anchors, &others, time, usage, None, None).map_err(
        |error| match (error, too_old) {
            (PathError::UnknownIssuer, Some(valid)) => {
                VerifyError::NotValidThen { which: "a given authority", valid, made: seconds }
            }
            (PathError::CertExpired { not_after, .. }, _) => VerifyError::NotValidThen {
                which: "an authority between",
                valid: (0, not_after.as_secs()),
                made: seconds,
            },
            (error, _) => VerifyError::Untrusted { why: error.to_string() },
        },
    )?;
    let mut found = vec![own];
    for between in path.intermediate_certificates() {
        let der = between.der();
        let all = parts.certificates.iter().copied().chain(authorities.others.iter().map(|der| der.as_ref()));
        found.extend(all.into_iter().find(|known| *known == der.as_ref()));
    }
    let is_end = |of: &TrustAnchor<'_>| {
        of.subject == path.anchor().subject
            && of.subject_public_key_info == path.anchor().subject_public_key_info
    };
    found.extend(roots.into_iter().find(|(_, anchor)| is_end(anchor)).map(|(der, _)| der.as_ref()));
    // webpki leaves key usage aside.
    if !found[1..].iter().all(|der| Certificate::parse(der).is_ok_and(|issuer| issuer.may_issue())) {
        return Err(VerifyError::Untrusted { why: "an authority's key is not for certificates".to_owned() });
    }
    Ok(found)
}

/// A signer that names more than its own certificate says by whom it may be vouched for (RFC 5035 section 5.4).
fn check_named(named: &[Named<'_>], path: &[&[u8]]) -> Result<(), VerifyError> {
    for version in [false, true] {
        let list: Vec<&Named<'_>> =
            named.iter().filter(|named| named.algorithm.is_some() == version).collect();
        if list.len() < 2 {
            continue;
        }
        for der in path {
            let found = list.iter().map(|named| is_named(named, der)).collect::<Result<Vec<_>, _>>()?;
            if !found.contains(&true) {
                return Err(VerifyError::Untrusted {
                    why: "signer names the certificates of its path, and this path has another".to_owned(),
                });
            }
        }
    }
    Ok(())
}
