//! A time-stamp authority in memory (RFC 3161, CMS, Ed25519), so that its tokens go through the verifier that others' do.

use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest, Sha256, Sha512};
use timestamp::{Authorities, Expected, Token};

use crate::DrillError;

const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
const SIGNING_CERTIFICATE_V2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];
/// Any policy will do; this is one of the documentation arc.
const POLICY: &[u8] = &[0x2a, 0x03, 0x04];

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const BITS: u8 = 0x03;
const OID: u8 = 0x06;
const UTF8: u8 = 0x0c;
const BOOLEAN: u8 = 0x01;
const GENERALIZED_TIME: u8 = 0x18;
const TRUE: &[u8] = &[BOOLEAN, 1, 0xff];
/// How a year of two digits is written (RFC 5280 section 4.1.2.5).
const UTC_TIME: u8 = 0x17;

/// An authority: a root, and a signer of tokens that it has certified.
pub(super) struct Authority {
    signer: SigningKey,
    certificate: Vec<u8>,
    root: Vec<u8>,
}

impl Authority {
    pub(super) fn new(seed: u64) -> Self {
        let key = |mark: u8| {
            let mut bytes = [mark; 32];
            bytes[..8].copy_from_slice(&seed.to_be_bytes());
            SigningKey::from_bytes(&bytes)
        };
        let (authority, signer) = (key(1), key(2));
        let is_authority = [
            extension(BASIC_CONSTRAINTS, &der(SEQUENCE, &[TRUE])),
            extension(KEY_USAGE, &der(BITS, &[&[2, 0b0000_0100]])),
        ];
        let is_signer = [
            extension(KEY_USAGE, &der(BITS, &[&[7, 0b1000_0000]])),
            extension(EXTENDED_KEY_USAGE, &der(SEQUENCE, &[&der(OID, &[TIME_STAMPING])])),
        ];
        let root = certificate("drill root", &authority, 1, "drill root", &authority, &is_authority.concat());
        let own = certificate("drill root", &authority, 2, "drill time", &signer, &is_signer.concat());
        Self { signer, certificate: own, root }
    }

    /// Its certificate, as somebody has it who trusts it.
    pub(super) fn trusted(&self) -> Result<Authorities, DrillError> {
        Authorities::parse(&self.root).map_err(|error| DrillError::Demo(error.to_string()))
    }

    /// A token that says that `body` existed at a time.
    pub(super) fn stamp(&self, body: &str, time_ms: u64) -> Vec<u8> {
        let time = utc(time_ms);
        let imprint = der(SEQUENCE, &[&algorithm(SHA256), &der(OCTETS, &[&Sha256::digest(body)])]);
        let info = der(
            SEQUENCE,
            &[
                &der(INTEGER, &[&[1]]),
                &der(OID, &[POLICY]),
                &imprint,
                &der(INTEGER, &[&[7]]),
                &der(GENERALIZED_TIME, &[time.as_bytes()]),
            ],
        );
        let named = der(SEQUENCE, &[&algorithm(SHA512), &der(OCTETS, &[&Sha512::digest(&self.certificate)])]);
        let mut attributes = [
            attribute(CONTENT_TYPE, &der(OID, &[TST_INFO])),
            attribute(MESSAGE_DIGEST, &der(OCTETS, &[&Sha512::digest(&info)])),
            attribute(SIGNING_CERTIFICATE_V2, &der(SEQUENCE, &[&der(SEQUENCE, &[&named])])),
        ];
        attributes.sort();
        let attributes = attributes.concat();
        let signature = self.signer.sign(&der(SET, &[&attributes])).to_bytes();
        let issuer = der(SEQUENCE, &[&name("drill root"), &der(INTEGER, &[&[2]])]);
        let signer = der(
            SEQUENCE,
            &[
                &der(INTEGER, &[&[1]]),
                &issuer,
                &algorithm(SHA512),
                &der(0xa0, &[&attributes]),
                &algorithm(ED25519),
                &der(OCTETS, &[&signature]),
            ],
        );
        let content = der(SEQUENCE, &[&der(OID, &[TST_INFO]), &der(0xa0, &[&der(OCTETS, &[&info])])]);
        let signed = der(
            SEQUENCE,
            &[
                &der(INTEGER, &[&[3]]),
                &der(SET, &[&algorithm(SHA512)]),
                &content,
                &der(0xa0, &[&self.certificate]),
                &der(SET, &[&signer]),
            ],
        );
        der(SEQUENCE, &[&der(OID, &[SIGNED_DATA]), &der(0xa0, &[&signed])])
    }
}

/// When `body` existed, says a token; as text, why it does not say so.
pub(super) fn existed_at(token: &[u8], body: &str, trusted: &Authorities) -> Result<u64, String> {
    let token = Token::parse(token).map_err(|error| error.to_string())?;
    let digest = timestamp::digest(body.as_bytes());
    let verified = token.verify(&Expected { digest: &digest, nonce: None }, trusted);
    verified.map(|verified| verified.info.gen_time_ms).map_err(|error| error.to_string())
}

fn certificate(
    issuer: &str,
    by: &SigningKey,
    serial: u8,
    subject: &str,
    of: &SigningKey,
    extensions: &[u8],
) -> Vec<u8> {
    let key = der(BITS, &[&[0], of.verifying_key().as_bytes()]);
    let validity = der(SEQUENCE, &[&der(UTC_TIME, &[b"200101000000Z"]), &der(UTC_TIME, &[b"491231235959Z"])]);
    let body = der(
        SEQUENCE,
        &[
            &der(0xa0, &[&der(INTEGER, &[&[2]])]),
            &der(INTEGER, &[&[serial]]),
            &algorithm(ED25519),
            &name(issuer),
            &validity,
            &name(subject),
            &der(SEQUENCE, &[&algorithm(ED25519), &key]),
            &der(0xa3, &[&der(SEQUENCE, &[extensions])]),
        ],
    );
    let signature = der(BITS, &[&[0], &by.sign(&body).to_bytes()]);
    der(SEQUENCE, &[&body, &algorithm(ED25519), &signature])
}

/// All of them are critical.
fn extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
    der(SEQUENCE, &[&der(OID, &[oid]), TRUE, &der(OCTETS, &[value])])
}

fn attribute(oid: &[u8], value: &[u8]) -> Vec<u8> {
    der(SEQUENCE, &[&der(OID, &[oid]), &der(SET, &[value])])
}

fn algorithm(oid: &[u8]) -> Vec<u8> {
    der(SEQUENCE, &[&der(OID, &[oid])])
}

fn name(text: &str) -> Vec<u8> {
    let pair = der(SEQUENCE, &[&der(OID, &[COMMON_NAME]), &der(UTF8, &[text.as_bytes()])]);
    der(SEQUENCE, &[&der(SET, &[&pair])])
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let mut out = vec![tag];
    match value.len() {
        short @ 0..128 => out.push(short as u8),
        medium @ 128..256 => out.extend([0x81, medium as u8]),
        long => out.extend([0x82, (long >> 8) as u8, long as u8]),
    }
    out.extend(value);
    out
}

/// `YYYYMMDDhhmmssZ`, to the second.
fn utc(ms: u64) -> String {
    export::utc(ms).chars().filter(char::is_ascii_digit).take(14).chain(['Z']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_tokens_hold_for_what_they_are_over_and_nothing_else() {
        let authority = Authority::new(5);
        let token = authority.stamp("a checkpoint", 1_767_225_600_000);
        let trusted = authority.trusted().unwrap();
        assert_eq!(existed_at(&token, "a checkpoint", &trusted), Ok(1_767_225_600_000));
        existed_at(&token, "another", &trusted).unwrap_err();
        existed_at(&token, "a checkpoint", &Authority::new(6).trusted().unwrap()).unwrap_err();
    }
}
