//! What a token says: TSTInfo of RFC 3161 section 2.4.2.

use crate::der::{Element, tag};
use crate::error::{Malformed, hex};
use crate::time;
use crate::token::digest_algorithm;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TstInfo {
    /// Under which rules the authority works: an object identifier such as `1.3.6.1.4.1.13762.3`.
    pub policy: String,
    /// Which digest the data was imprinted with: an object identifier.
    pub digest_algorithm: String,
    /// That digest of the data.
    pub digest: Vec<u8>,
    /// The authority's number for this token, in hexadecimal.
    pub serial: String,
    /// When it was made, Unix milliseconds, what is finer cut off.
    pub gen_time_ms: u64,
    /// How far the true time may be off, either way; none if the token does not say.
    pub accuracy: Option<Accuracy>,
    /// Whether tokens of this authority are always in the order of their times.
    pub ordering: bool,
    /// The number that was sent with the request, the bytes of an INTEGER.
    pub nonce: Option<Vec<u8>>,
    pub(crate) imprint_oid: Vec<u8>,
}

/// How far a time may be off: the sum of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accuracy {
    /// Whole seconds.
    pub seconds: u32,
    /// 0 to 999.
    pub millis: u32,
    /// 0 to 999.
    pub micros: u32,
}

impl Accuracy {
    /// Returns it in milliseconds, rounded up.
    pub fn ms(&self) -> u64 {
        u64::from(self.seconds) * 1000 + u64::from(self.millis) + u64::from(self.micros > 0)
    }
}

impl TstInfo {
    /// Reads the DER in the octet string of a token.
    pub(crate) fn parse(content: &Element<'_>) -> Result<Self, Malformed> {
        let mut outer = content.inside();
        let info = outer.take(tag::SEQUENCE, "TSTInfo is no sequence")?;
        outer.end("bytes after the TSTInfo")?;
        let mut fields = info.inside();
        let version = fields.take(tag::INTEGER, "TSTInfo has no version")?;
        if version.small()? != 1 {
            return Err(version.wrong("version of the TSTInfo is not 1"));
        }
        let policy = oid_text(&fields.take(tag::OID, "TSTInfo has no policy")?)?;
        let imprint = fields.take(tag::SEQUENCE, "TSTInfo has no imprint")?;
        let mut parts = imprint.inside();
        let algorithm = parts.take(tag::SEQUENCE, "imprint has no digest algorithm")?;
        let imprint_oid = digest_algorithm(&algorithm)?.to_vec();
        let algorithm = algorithm.inside().take(tag::OID, "imprint has no digest algorithm")?;
        let digest = parts.take(tag::OCTETS, "imprint has no digest")?.value.to_vec();
        parts.end("bytes after the imprint")?;
        let serial = hex(fields.take(tag::INTEGER, "TSTInfo has no serial number")?.integer()?);
        let gen_time_ms = time::generalized(&fields.take(tag::TIME, "TSTInfo has no time")?)?;
        let accuracy = match fields.optional(tag::SEQUENCE)? {
            Some(accuracy) => Some(Accuracy::parse(&accuracy)?),
            None => None,
        };
        let ordering = match fields.optional(tag::BOOLEAN)? {
            None => false,
            Some(Element { value: [0xff], .. }) => true,
            Some(other) => return Err(other.wrong("ordering is not written as DER has it")),
        };
        let nonce = match fields.optional(tag::INTEGER)? {
            Some(nonce) => Some(nonce.integer()?.to_vec()),
            None => None,
        };
        fields.optional(tag::constructed(0))?; // a name of the authority; its certificate says who it is
        if let Some(extensions) = fields.optional(tag::constructed(1))? {
            refuse_critical(&extensions)?;
        }
        fields.end("bytes at the end of the TSTInfo")?;
        let digest_algorithm = oid_text(&algorithm)?;
        Ok(Self {
            policy,
            digest_algorithm,
            digest,
            serial,
            gen_time_ms,
            accuracy,
            ordering,
            nonce,
            imprint_oid,
        })
    }
}

impl Accuracy {
    fn parse(element: &Element<'_>) -> Result<Self, Malformed> {
        let mut fields = element.inside();
        let seconds = match fields.optional(tag::INTEGER)? {
            Some(seconds) => seconds.small()?,
            None => 0,
        };
        let mut part = |number: u8| match fields.optional(tag::primitive(number))? {
            Some(part) => match part.small()? {
                value @ 1..=999 => Ok(value),
                _ => Err(part.wrong("part of the accuracy is not from 1 to 999")),
            },
            None => Ok(0),
        };
        let (millis, micros) = (part(0)?, part(1)?);
        fields.end("bytes after the accuracy")?;
        Ok(Self { seconds, millis, micros })
    }
}

/// A critical extension changes what the token means, and none is known.
fn refuse_critical(extensions: &Element<'_>) -> Result<(), Malformed> {
    let mut list = extensions.inside();
    while !list.is_empty() {
        let mut extension = list.take(tag::SEQUENCE, "extension of the TSTInfo is no sequence")?.inside();
        extension.take(tag::OID, "extension of the TSTInfo has no type")?;
        if let Some(critical) = extension.optional(tag::BOOLEAN)? {
            return Err(critical.wrong("token has a critical extension, and none is known"));
        }
        extension.take(tag::OCTETS, "extension of the TSTInfo has no value")?;
        extension.end("bytes after an extension of the TSTInfo")?;
    }
    Ok(())
}

/// Numbers with dots between them.
pub(crate) fn oid_text(element: &Element<'_>) -> Result<String, Malformed> {
    let wrong = || element.wrong("object identifier is malformed");
    let mut arcs: Vec<u64> = Vec::new();
    let mut arc: u64 = 0;
    let mut inside = false;
    for byte in element.value {
        if !inside && *byte == 0x80 {
            return Err(wrong()); // not the shortest
        }
        arc = arc.checked_mul(128).ok_or_else(wrong)? | u64::from(byte & 0x7f);
        inside = byte & 0x80 != 0;
        if !inside {
            match arcs.is_empty() {
                true => arcs.extend([(arc / 40).min(2), arc - 40 * (arc / 40).min(2)]),
                false => arcs.push(arc),
            }
            arc = 0;
        }
    }
    if inside || arcs.is_empty() {
        return Err(wrong());
    }
    Ok(arcs.iter().map(u64::to_string).collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::{Reader, element};

    #[test]
    fn object_identifiers_as_people_write_them() {
        for (bytes, expected) in [
            (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d][..], Some("1.2.840.113549")),
            (&[0x55, 0x1d, 0x25], Some("2.5.29.37")),
            (&[0x88, 0x37, 0x03], Some("2.999.3")),
            (&[0x27], Some("0.39")),
            (&[], None),
            (&[0x2a, 0x86], None),
            (&[0x2a, 0x80, 0x01], None),
            (&[0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], None),
        ] {
            let der = element(tag::OID, &[bytes]);
            assert_eq!(oid_text(&Reader::new(&der).next().unwrap()).ok().as_deref(), expected, "{bytes:x?}");
        }
    }
}
