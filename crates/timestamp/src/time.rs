//! Times as ASN.1 has them, in Unix milliseconds. Before 1970 there were no tokens.

use crate::der::{Element, tag};
use crate::error::Malformed;

/// Reads a GeneralizedTime as RFC 3161 section 2.4.2 wants it: to the second or finer, UTC, no trailing zero.
///
/// What is finer than a millisecond is cut off.
pub(crate) fn generalized(element: &Element<'_>) -> Result<u64, Malformed> {
    let wrong = || element.wrong("time is not YYYYMMDDhhmmss[.fraction]Z");
    let text = element.value.strip_suffix(b"Z").ok_or_else(wrong)?;
    let (whole, fraction) = match text.split_at_checked(14).ok_or_else(wrong)? {
        (whole, []) => (whole, &[][..]),
        (whole, [b'.', fraction @ ..]) if fraction.last().is_some_and(|last| *last != b'0') => {
            (whole, fraction)
        }
        _ => return Err(wrong()),
    };
    if fraction.len() > 9 || !fraction.iter().all(u8::is_ascii_digit) {
        return Err(wrong());
    }
    let millis =
        (0..3).fold(0, |ms, at| ms * 10 + u64::from(fraction.get(at).map_or(0, |digit| digit - b'0')));
    let seconds = seconds(number(&whole[..4]).ok_or_else(wrong)?, &whole[4..]).ok_or_else(wrong)?;
    Ok(seconds * 1000 + millis)
}

/// Reads the UTCTime or GeneralizedTime of a certificate (RFC 5280 section 4.1.2.5), in Unix seconds; 0 before 1970.
pub(crate) fn of_certificate(element: &Element<'_>) -> Result<u64, Malformed> {
    let wrong = || element.wrong("time in a certificate is not YYMMDDhhmmssZ or YYYYMMDDhhmmssZ");
    let digits = element.value.strip_suffix(b"Z").ok_or_else(wrong)?;
    let (year, rest) = match (element.tag, digits.len()) {
        (tag::UTC_TIME, 12) => {
            let year = number(&digits[..2]).ok_or_else(wrong)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, &digits[2..])
        }
        (tag::TIME, 14) => (number(&digits[..4]).ok_or_else(wrong)?, &digits[4..]),
        _ => return Err(wrong()),
    };
    if year < 1970 {
        return Ok(0);
    }
    seconds(year, rest).ok_or_else(wrong)
}

/// Unix seconds of `MMDDhhmmss` in a year from 1970 on; a leap second is the one after it.
fn seconds(year: u64, digits: &[u8]) -> Option<u64> {
    let part = |at: usize| number(digits.get(at..at + 2)?);
    let (month, day, hour, minute, second) = (part(0)?, part(2)?, part(4)?, part(6)?, part(8)?);
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = |month: u64| match month {
        2 => 28 + u64::from(leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if year < 1970 || !(1..=12).contains(&month) || !(1..=length(month)).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = (1970..year).map(|year| 365 + u64::from(leap(year))).sum::<u64>()
        + (1..month).map(length).sum::<u64>()
        + day
        - 1;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

fn number(digits: &[u8]) -> Option<u64> {
    digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::{Reader, element};

    fn read(tag: u8, text: &str) -> Option<u64> {
        let bytes = element(tag, &[text.as_bytes()]);
        let element = Reader::new(&bytes).next().unwrap();
        match tag {
            tag::TIME => generalized(&element).ok(),
            _ => of_certificate(&element).ok(),
        }
    }

    #[test]
    fn known_times() {
        for (text, expected) in [
            ("19700101000000Z", Some(0)),
            ("20000229235959Z", Some(951_868_799_000)),
            ("20261121155806.5Z", Some(1_795_276_686_500)),
            ("20261121155806.001234Z", Some(1_795_276_686_001)),
            ("99991231235959Z", Some(253_402_300_799_000)),
            ("20270229000000Z", None),
            ("20261121155806.50Z", None),
            ("20261121155806.Z", None),
            ("20261121155806", None),
            ("20261121155806+0000", None),
            ("202611211558Z", None),
            ("2026112115580-Z", None),
            ("19691231235959Z", None),
            ("20261321155806Z", None),
        ] {
            assert_eq!(read(tag::TIME, text), expected, "{text}");
        }
        assert_eq!(read(tag::UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(read(tag::UTC_TIME, "500101000000Z"), Some(0));
        assert_eq!(read(tag::UTC_TIME, "20491231235959Z"), None);
    }
}
