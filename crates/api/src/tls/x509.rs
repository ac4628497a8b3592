//! The few things that are shown of a certificate and that rustls keeps to itself: subject, names, end (RFC 5280).
//!
//! Nothing here decides whether a certificate is good: webpki does. So whatever is not understood is left out.

/// What people want to know about a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The subject, most significant part first: `O=Example, CN=agent-7`.
    pub subject: String,
    /// DNS names and addresses that it is for.
    pub names: Vec<String>,
    /// From when on it is valid.
    pub not_before: Moment,
    /// From when on it is not valid any more.
    pub not_after: Moment,
}

/// A point in time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Unix milliseconds.
    pub ms: u64,
    /// As RFC 3339 has it.
    pub text: String,
}

/// Longer subjects are cut: it is chosen by whoever asked for the certificate.
const SUBJECT_CHARS: usize = 256;
/// More names are not listed.
const NAMES: usize = 32;

mod tag {
    pub const INTEGER: u8 = 0x02;
    pub const OCTETS: u8 = 0x04;
    pub const OID: u8 = 0x06;
    pub const UTF8: u8 = 0x0c;
    pub const PRINTABLE: u8 = 0x13;
    pub const IA5: u8 = 0x16;
    pub const UTC_TIME: u8 = 0x17;
    pub const TIME: u8 = 0x18;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;
    pub const VERSION: u8 = 0xa0;
    pub const EXTENSIONS: u8 = 0xa3;
    pub const DNS: u8 = 0x82;
    pub const ADDRESS: u8 = 0x87;
}

/// 2.5.29.17
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];

/// Attribute types and their short names (RFC 4514 section 3).
const ATTRIBUTES: [(&[u8], &str); 9] = [
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
];

/// Reads the DER of a certificate; `None` if its validity can't be read.
pub(crate) fn facts(certificate: &[u8]) -> Option<Facts> {
    let mut outer = Der(Der(certificate).take(tag::SEQUENCE)?);
    let mut tbs = Der(outer.take(tag::SEQUENCE)?);
    tbs.skip(tag::VERSION);
    tbs.take(tag::INTEGER)?; // serial number
    tbs.take(tag::SEQUENCE)?; // signature algorithm
    tbs.take(tag::SEQUENCE)?; // issuer
    let mut validity = Der(tbs.take(tag::SEQUENCE)?);
    let (not_before, not_after) = (time(&mut validity)?, time(&mut validity)?);
    let subject = subject(Der(tbs.take(tag::SEQUENCE)?));
    tbs.take(tag::SEQUENCE)?; // public key
    let names = names(tbs).unwrap_or_default();
    Some(Facts { subject, names, not_before, not_after })
}

fn subject(mut parts: Der<'_>) -> String {
    let mut out = String::new();
    while let Some(part) = parts.take(tag::SET) {
        let mut part = Der(part);
        while let Some((kind, value)) = part.take(tag::SEQUENCE).and_then(attribute) {
            let separator = if out.is_empty() { "" } else { ", " };
            out.push_str(&format!("{separator}{kind}={value}"));
        }
    }
    match out.char_indices().nth(SUBJECT_CHARS) {
        Some((end, _)) => format!("{}…", &out[..end]),
        None => out,
    }
}

fn attribute(bytes: &[u8]) -> Option<(String, String)> {
    let mut der = Der(bytes);
    let oid = der.take(tag::OID)?;
    let known = ATTRIBUTES.iter().find(|(of, _)| *of == oid);
    let kind =
        known.map_or_else(|| format!("#{}", evidence::hex::encode(oid)), |(_, name)| (*name).to_owned());
    let (tag, value) = der.next()?;
    let value = match (tag, std::str::from_utf8(value)) {
        (tag::UTF8 | tag::PRINTABLE | tag::IA5, Ok(text)) => escape(text),
        _ => format!("#{}", evidence::hex::encode(value)),
    };
    Some((kind, value))
}

/// What could be taken for the beginning of another attribute gets a backslash (RFC 4514 section 2.4).
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, ',' | '=' | '+' | '\\' | '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The names in the subject alternative name extension.
fn names(mut tbs: Der<'_>) -> Option<Vec<String>> {
    while let Some((tag, value)) = tbs.next() {
        if tag != tag::EXTENSIONS {
            continue;
        }
        let mut list = Der(Der(value).take(tag::SEQUENCE)?);
        while let Some(extension) = list.take(tag::SEQUENCE) {
            let mut extension = Der(extension);
            if extension.take(tag::OID)? == SUBJECT_ALT_NAME {
                extension.skip(0x01); // critical
                let mut names = Der(Der(extension.take(tag::OCTETS)?).take(tag::SEQUENCE)?);
                let names = std::iter::from_fn(|| names.next());
                return Some(names.filter_map(name).take(NAMES).collect());
            }
        }
    }
    None
}

fn name((tag, value): (u8, &[u8])) -> Option<String> {
    match tag {
        tag::DNS => std::str::from_utf8(value).ok().map(str::to_owned),
        tag::ADDRESS => match value.len() {
            4 => Some(std::net::IpAddr::from(<[u8; 4]>::try_from(value).ok()?).to_string()),
            16 => Some(std::net::IpAddr::from(<[u8; 16]>::try_from(value).ok()?).to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 wants them: to the second, in UTC.
fn time(der: &mut Der<'_>) -> Option<Moment> {
    let (tag, value) = der.next()?;
    let value = std::str::from_utf8(value).ok().filter(|value| value.is_ascii())?;
    let digits = match (tag, value.len()) {
        (tag::UTC_TIME, 13) if value < "50" => format!("20{value}"),
        (tag::UTC_TIME, 13) => format!("19{value}"),
        (tag::TIME, 15) => value.to_owned(),
        _ => return None,
    };
    let part = |from: usize| &digits[from..from + 2];
    let date = format!("{}-{}-{}", &digits[..4], part(4), part(6));
    let text = format!("{date}T{}:{}:{}{}", part(8), part(10), part(12), &digits[14..]);
    // Before 1970 is as good as 1970.
    let ms = wire::rfc3339_ms(&text)?.try_into().unwrap_or(0);
    Some(Moment { ms, text })
}

/// Definite-length DER, as far as certificates need it; reads from the front.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Tag and value of the next element, which is taken.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], rest) = self.0.split_first_chunk::<2>()?;
        let (len, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (len, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (len.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some((tag, value))
    }

    /// The value of the next element, which must have this tag.
    fn take(&mut self, expected: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let (_, value) = ahead.next().filter(|(tag, _)| *tag == expected)?;
        *self = ahead;
        Some(value)
    }

    /// Takes the next element if it has this tag.
    fn skip(&mut self, optional: u8) {
        let _ = self.take(optional);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn made(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::new([
            "audit.example.org".to_owned(),
            "192.0.2.7".to_owned(),
            "::1".to_owned(),
        ])
        .unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn subject_names_and_validity_are_read() {
        let der = made(|params| {
            params.distinguished_name.push(DnType::OrganizationName, "Example, Inc.");
            params.distinguished_name.push(DnType::CommonName, "agent=7");
            params.not_before = date_time_ymd(2024, 2, 29);
            params.not_after = date_time_ymd(2025, 1, 1);
        });
        let facts = facts(&der).unwrap();
        assert_eq!(facts.subject, r"O=Example\, Inc., CN=agent\=7");
        assert_eq!(facts.names, ["audit.example.org", "192.0.2.7", "::1"]);
        assert_eq!(
            facts.not_before,
            Moment { ms: 1_709_164_800_000, text: "2024-02-29T00:00:00Z".to_owned() }
        );
        assert_eq!(facts.not_after.ms, 1_735_689_600_000);
    }

    #[test]
    fn times_are_those_that_rcgen_means() {
        for (year, month, day) in
            [(1970, 1, 1), (1999, 12, 31), (2000, 2, 29), (2049, 12, 31), (2050, 1, 1), (4096, 3, 1)]
        {
            let time = date_time_ymd(year, month, day);
            let der = made(|params| params.not_after = time);
            let seconds = u64::try_from(time.unix_timestamp()).unwrap();
            assert_eq!(facts(&der).unwrap().not_after.ms, seconds * 1000, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn a_long_subject_is_cut() {
        let der = made(|params| params.distinguished_name.push(DnType::CommonName, "ü".repeat(1000)));
        assert_eq!(facts(&der).unwrap().subject.chars().count(), SUBJECT_CHARS + 1);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in 0..400usize, byte: u8, cut in 0..1200usize) {
            let mut der = made(|_| {});
            let at = at % der.len();
            der[at] = byte;
            der.truncate(cut);
            let _ = facts(&der);
        }
    }
}
