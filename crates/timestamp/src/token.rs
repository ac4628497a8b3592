//! The token: a CMS SignedData over a TSTInfo by exactly one signer (RFC 3161 section 2.4.2, RFC 5652 section 5).
//!
//! Read strictly. Whatever CMS allows and nobody signs is refused rather than skipped, unsigned attributes and
//! revocation lists above all. What remains without a signature over it: certificates that no path needs. They are
//! counted, never used.

use crate::der::{Element, Reader, tag};
use crate::error::Malformed;
use crate::tst_info::TstInfo;

/// Longer tokens are not read, bytes.
pub const MAX_TOKEN_LEN: usize = 64 * 1024;
/// More certificates in one token are not read.
const CERTIFICATES: usize = 16;

/// 1.2.840.113549.1.7.2
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.9.16.1.4
pub(crate) const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
/// 1.2.840.113549.1.9.3
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
/// 1.2.840.113549.1.9.4
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
/// 1.2.840.113549.1.9.16.2.12
const SIGNING_CERTIFICATE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x0c];
/// 1.2.840.113549.1.9.16.2.47
const SIGNING_CERTIFICATE_V2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];
/// 2.16.840.1.101.3.4.2.1
pub(crate) const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// 2.16.840.1.101.3.4.2.2
pub(crate) const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
/// 2.16.840.1.101.3.4.2.3
pub(crate) const SHA512: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];

/// A token as it came from somewhere: well formed, and nothing more is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    bytes: Vec<u8>,
    claimed: TstInfo,
}

impl Token {
    /// Reads the DER of a token (a CMS ContentInfo, what `openssl ts` calls a token).
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_TOKEN_LEN {
            return Err(Malformed { what: "token is longer than any", at: MAX_TOKEN_LEN });
        }
        let parts = Parts::parse(bytes)?;
        let claimed = TstInfo::parse(&parts.content)?;
        Ok(Self { bytes: bytes.to_vec(), claimed })
    }

    /// Returns the DER it was read from.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns what it says: good for showing and sorting, proven only by [`Token::verify`].
    pub fn claimed(&self) -> &TstInfo {
        &self.claimed
    }
}

/// Where everything is in the bytes of a token.
pub(crate) struct Parts<'a> {
    /// The OCTET STRING around the TSTInfo; its value is what is signed.
    pub content: Element<'a>,
    /// Certificates, whole.
    pub certificates: Vec<&'a [u8]>,
    pub signer: Signer<'a>,
}

/// The one SignerInfo.
pub(crate) struct Signer<'a> {
    pub id: SignerId<'a>,
    /// OID of the digest over the content and over the attributes.
    pub digest: &'a [u8],
    /// The attributes as they stand, under an implicit tag.
    pub attributes: Element<'a>,
    pub message_digest: &'a [u8],
    /// Certificates that the signer names, its own first; by SHA-1, and by other digests.
    pub named: Vec<Named<'a>>,
    /// What is inside the AlgorithmIdentifier.
    pub algorithm: Element<'a>,
    pub signature: &'a [u8],
}

/// How the token says which certificate is the signer's.
pub(crate) enum SignerId<'a> {
    /// Issuer as a whole Name, and serial number.
    IssuerAndSerial(&'a [u8], &'a [u8]),
    KeyId(&'a [u8]),
}

/// A certificate named by its digest: ESSCertID of RFC 5035.
pub(crate) struct Named<'a> {
    /// OID of the digest; none for SHA-1, the only one of version 1.
    pub algorithm: Option<&'a [u8]>,
    pub digest: &'a [u8],
    /// Issuer as a whole Name, and serial number.
    pub issuer_and_serial: Option<(&'a [u8], &'a [u8])>,
    /// Whether it is first in its list, which makes it the signer's.
    pub first: bool,
}

impl<'a> Parts<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut outer = Reader::new(bytes);
        let info = outer.take(tag::SEQUENCE, "token is no sequence")?;
        outer.end("bytes after the token")?;
        let mut info = info.inside();
        constant(&mut info, SIGNED_DATA, "token is no CMS SignedData")?;
        let explicit = info.take(tag::constructed(0), "token has no content")?;
        info.end("bytes after the SignedData")?;
        let mut explicit = explicit.inside();
        let signed = explicit.take(tag::SEQUENCE, "SignedData is no sequence")?;
        explicit.end("bytes after the SignedData")?;
        Self::signed_data(signed.inside())
    }

    fn signed_data(mut signed: Reader<'a>) -> Result<Self, Malformed> {
        let version = signed.take(tag::INTEGER, "SignedData has no version")?;
        if version.small()? != 3 {
            return Err(version.wrong("version of the SignedData is not 3"));
        }
        let digests = signed.take(tag::SET, "SignedData names no digests")?;
        let mut one = digests.inside();
        let announced = digest_algorithm(&one.take(tag::SEQUENCE, "SignedData names no digest")?)?;
        one.end("SignedData names more than one digest")?;

        let content = signed.take(tag::SEQUENCE, "SignedData has no content")?;
        let mut content = content.inside();
        constant(&mut content, TST_INFO, "what is signed is no TSTInfo")?;
        let explicit = content.take(tag::constructed(0), "TSTInfo is missing")?;
        content.end("bytes after the content")?;
        let mut explicit = explicit.inside();
        let content = explicit.take(tag::OCTETS, "TSTInfo is not in an octet string")?;
        explicit.end("bytes after the TSTInfo")?;

        let certificates = match signed.optional(tag::constructed(0))? {
            Some(set) => certificates(set.inside())?,
            None => Vec::new(),
        };
        if signed.optional(tag::constructed(1))?.is_some() {
            return Err(signed.wrong("token carries revocation lists, which nobody signs here"));
        }
        let signers = signed.take(tag::SET, "SignedData has no signers")?;
        signed.end("bytes after the signers")?;
        let mut signers = signers.inside();
        let signer = Signer::parse(&signers.take(tag::SEQUENCE, "SignedData has no signer")?)?;
        signers.end("SignedData has more than one signer")?;
        if announced != signer.digest {
            return Err(digests.wrong("SignedData names another digest than its signer"));
        }
        Ok(Self { content, certificates, signer })
    }
}

impl<'a> Signer<'a> {
    fn parse(element: &Element<'a>) -> Result<Self, Malformed> {
        let mut fields = element.inside();
        let version = fields.take(tag::INTEGER, "SignerInfo has no version")?;
        let id = match version.small()? {
            1 => {
                let pair =
                    fields.take(tag::SEQUENCE, "SignerInfo of version 1 has no issuer and serial number")?;
                let (issuer, serial) = issuer_and_serial(pair.inside())?;
                SignerId::IssuerAndSerial(issuer, serial)
            }
            3 => SignerId::KeyId(
                fields.take(tag::primitive(0), "SignerInfo of version 3 has no key identifier")?.value,
            ),
            _ => return Err(version.wrong("version of the SignerInfo is neither 1 nor 3")),
        };
        let digest = digest_algorithm(&fields.take(tag::SEQUENCE, "SignerInfo has no digest")?)?;
        let attributes = fields.take(tag::constructed(0), "SignerInfo has no signed attributes")?;
        let (message_digest, named) = read_attributes(&attributes)?;
        let algorithm = fields.take(tag::SEQUENCE, "SignerInfo has no signature algorithm")?;
        let signature = fields.take(tag::OCTETS, "SignerInfo has no signature")?.value;
        fields.end("token carries unsigned attributes, which nobody vouches for")?;
        Ok(Self { id, digest, attributes, message_digest, named, algorithm, signature })
    }
}

/// Reads the signed attributes: the digest of the content, and the certificates the signer names.
fn read_attributes<'a>(set: &Element<'a>) -> Result<(&'a [u8], Vec<Named<'a>>), Malformed> {
    let (mut seen, mut has_type, mut digest, mut named) = (Vec::new(), false, None, Vec::new());
    let mut list = set.inside();
    while !list.is_empty() {
        let attribute = list.take(tag::SEQUENCE, "signed attribute is no sequence")?;
        let mut fields = attribute.inside();
        let kind = fields.take(tag::OID, "signed attribute has no type")?.value;
        let values = fields.take(tag::SET, "signed attribute has no values")?;
        fields.end("bytes after a signed attribute")?;
        if seen.contains(&kind) {
            return Err(attribute.wrong("signed attribute stands twice"));
        }
        seen.push(kind);
        let mut value = values.inside();
        match kind {
            CONTENT_TYPE => {
                constant(&mut value, TST_INFO, "signed content type is not TSTInfo")?;
                has_type = true;
            }
            MESSAGE_DIGEST => {
                digest = Some(value.take(tag::OCTETS, "message digest is no octet string")?.value)
            }
            SIGNING_CERTIFICATE | SIGNING_CERTIFICATE_V2 => {
                let list = value.take(tag::SEQUENCE, "signing certificate is no sequence")?;
                named.extend(named_certificates(&list, kind == SIGNING_CERTIFICATE_V2)?);
            }
            _ => continue, // signed, and says nothing that is needed, such as signingTime
        }
        value.end("signed attribute has more than one value")?;
    }
    if !has_type {
        return Err(set.wrong("content type is not signed"));
    }
    let digest = digest.ok_or(set.wrong("message digest is not signed"))?;
    if named.is_empty() {
        return Err(set.wrong("signer does not name its certificate"));
    }
    Ok((digest, named))
}

/// SigningCertificate or SigningCertificateV2 (RFC 5035 sections 5.4.1.1 and 5.4.1.2). Policies after the list are
/// signed and not needed.
fn named_certificates<'a>(list: &Element<'a>, second: bool) -> Result<Vec<Named<'a>>, Malformed> {
    let mut fields = list.inside();
    let mut ids = fields.take(tag::SEQUENCE, "signing certificate has no list")?.inside();
    fields.optional(tag::SEQUENCE)?;
    fields.end("bytes after the signing certificate")?;
    let mut named = Vec::new();
    while !ids.is_empty() {
        if named.len() == CERTIFICATES {
            return Err(ids.wrong("signer names more certificates than any needs"));
        }
        let mut id = ids.take(tag::SEQUENCE, "certificate identifier is no sequence")?.inside();
        let algorithm = match second {
            true => match id.optional(tag::SEQUENCE)? {
                Some(algorithm) => Some(digest_algorithm(&algorithm)?),
                None => Some(SHA256),
            },
            false => None,
        };
        let digest = id.take(tag::OCTETS, "certificate identifier has no digest")?.value;
        let issuer_and_serial = match id.optional(tag::SEQUENCE)? {
            Some(pair) => Some(general_issuer_and_serial(pair.inside())?),
            None => None,
        };
        id.end("bytes after a certificate identifier")?;
        named.push(Named { algorithm, digest, issuer_and_serial, first: named.is_empty() });
    }
    Ok(named)
}

/// IssuerSerial of RFC 5035: GeneralNames of one directory name, and a serial number.
fn general_issuer_and_serial(mut pair: Reader<'_>) -> Result<(&[u8], &[u8]), Malformed> {
    let mut names = pair.take(tag::SEQUENCE, "issuer is no list of names")?.inside();
    let mut explicit = names.take(tag::constructed(4), "issuer is no directory name")?.inside();
    names.end("issuer has more than one name")?;
    let issuer = explicit.take(tag::SEQUENCE, "issuer is no directory name")?.whole;
    explicit.end("bytes after the issuer")?;
    let serial = pair.take(tag::INTEGER, "serial number is no integer")?.integer()?;
    pair.end("bytes after the serial number")?;
    Ok((issuer, serial))
}

/// IssuerAndSerialNumber of RFC 5652.
fn issuer_and_serial(mut pair: Reader<'_>) -> Result<(&[u8], &[u8]), Malformed> {
    let issuer = pair.take(tag::SEQUENCE, "issuer is no name")?.whole;
    let serial = pair.take(tag::INTEGER, "serial number is no integer")?.integer()?;
    pair.end("bytes after the serial number")?;
    Ok((issuer, serial))
}

fn certificates(mut set: Reader<'_>) -> Result<Vec<&[u8]>, Malformed> {
    let mut found = Vec::new();
    while !set.is_empty() {
        if found.len() == CERTIFICATES {
            return Err(set.wrong("token has more certificates than any needs"));
        }
        found.push(set.take(tag::SEQUENCE, "token carries something else among its certificates")?.whole);
    }
    Ok(found)
}

/// Reads the AlgorithmIdentifier of a digest, whose parameters are NULL or absent (RFC 5754 section 2).
pub(crate) fn digest_algorithm<'a>(element: &Element<'a>) -> Result<&'a [u8], Malformed> {
    let mut fields = element.inside();
    let oid = fields.take(tag::OID, "digest algorithm has no identifier")?.value;
    if let Some(null) = fields.optional(tag::NULL)?
        && !null.value.is_empty()
    {
        return Err(null.wrong("NULL is not empty"));
    }
    fields.end("digest algorithm has parameters")?;
    Ok(oid)
}

fn constant(reader: &mut Reader<'_>, oid: &[u8], otherwise: &'static str) -> Result<(), Malformed> {
    let element = reader.take(tag::OID, otherwise)?;
    if element.value == oid { Ok(()) } else { Err(element.wrong(otherwise)) }
}
