//! Times as audit records spell them.

/// Reads an RFC 3339 date-time (section 5.6) as milliseconds since 1970-01-01T00:00:00Z; further digits of the fraction
/// are dropped, not rounded. None if it is anything else.
///
/// `T` and `Z` must be upper case and the zone must be there: a time without one names no instant. A leap second is
/// the first of the next minute, as in Unix time.
pub fn rfc3339_ms(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (head, tail) = bytes.split_at_checked(19)?;
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|&(at, byte)| head[at] != byte) {
        return None;
    }
    let year = digits(&head[..4])?;
    let (month, day) = (digits(&head[5..7])?, digits(&head[8..10])?);
    let (hour, minute, second) = (digits(&head[11..13])?, digits(&head[14..16])?, digits(&head[17..19])?);
    if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 || (second == 60 && minute != 59) {
        return None;
    }
    let (millis, zone) = fraction(tail)?;
    let seconds =
        days_from_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset(zone)?;
    Some(seconds * 1_000 + millis)
}

/// Like [`rfc3339_ms`], for times that are in UTC by definition: a zone may be missing, and date and time may be parted
/// by a space, as stores write that keep such times in columns of their own.
pub(crate) fn utc_ms(text: &str) -> Option<i64> {
    rfc3339_ms(text).or_else(|| {
        let (date, time) = text.split_once(['T', ' '])?;
        rfc3339_ms(&format!("{date}T{}Z", time.strip_suffix('Z').unwrap_or(time)))
    })
}

/// Splits the fraction of a second off, in milliseconds.
fn fraction(tail: &[u8]) -> Option<(i64, &[u8])> {
    let Some(tail) = tail.strip_prefix(b".") else { return Some((0, tail)) };
    let length = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let millis = (0..3).fold(0, |sum, at| {
        let digit = if at < length { i64::from(tail[at] - b'0') } else { 0 };
        sum * 10 + digit
    });
    Some((millis, &tail[length..]))
}

/// Seconds east of Greenwich.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, rest) = match zone {
        b"Z" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    if rest.len() != 5 || rest[2] != b':' {
        return None;
    }
    let (hours, minutes) = (digits(&rest[..2])?, digits(&rest[3..])?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar, for years from 0 on.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    /// Days of a common year before each month.
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    // Leap days before the year; year 0 is a leap year.
    let leap_days = |year: i64| (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
    let to_year = |year: i64| year * 365 + leap_days(year);
    let to_month = BEFORE[(month - 1) as usize] + i64::from(month > 2 && is_leap(year));
    to_year(year) - to_year(1970) + to_month + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_sources_write() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2023-07-10T11:45:01Z", 1_688_989_501_000),
            ("2025-05-22T12:23:08.702110Z", 1_747_916_588_702),
            ("2024-02-29T23:59:59.9Z", 1_709_251_199_900),
            ("2024-02-29T23:59:59.0019999999Z", 1_709_251_199_001),
            ("2022-09-08T17:01:59+02:00", 1_662_649_319_000),
            ("2022-09-08T09:31:59-05:30", 1_662_649_319_000),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("1969-12-31T23:59:59.250Z", -750),
            ("0000-03-01T00:00:00Z", -62_162_035_200_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] {
            assert_eq!(rfc3339_ms(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_names_no_instant() {
        for text in [
            "",
            "2023-07-10",
            "2023-07-10T11:45:01",
            "2023-07-10 11:45:01Z",
            "2023-07-10t11:45:01z",
            "2023-07-10T11:45Z",
            "2023-07-10T11:45:01.Z",
            "2023-07-10T11:45:01,5Z",
            "2023-07-10T24:00:00Z",
            "2023-07-10T11:60:00Z",
            "2023-07-10T11:44:60Z",
            "2023-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-00-01T00:00:00Z",
            "2023-04-31T00:00:00Z",
            "2023-04-00T00:00:00Z",
            "2023-07-10T11:45:01+2:00",
            "2023-07-10T11:45:01+02",
            "2023-07-10T11:45:01+0200",
            "2023-07-10T11:45:01+24:00",
            "2023-07-10T11:45:01Z ",
            "+023-07-10T11:45:01Z",
            "2023-07-10T11:45:0\u{661}Z",
        ] {
            assert_eq!(rfc3339_ms(text), None, "{text}");
        }
    }

    #[test]
    fn utc_needs_no_zone() {
        for text in
            ["2023-07-10T11:45:01Z", "2023-07-10T11:45:01", "2023-07-10 11:45:01", "2023-07-10 11:45:01.000"]
        {
            assert_eq!(utc_ms(text), Some(1_688_989_501_000), "{text}");
        }
        assert_eq!(utc_ms("2023-07-10 13:45:01+02:00"), None);
        assert_eq!(utc_ms("10 July 2023"), None);
    }

    /// Counts days one by one, which is slow and hard to get wrong.
    #[test]
    fn agrees_with_counting_days() {
        let mut days = -719_528;
        for year in 0..2_500 {
            for month in 1..=12 {
                for day in 1..=days_in(year, month) {
                    assert_eq!(days_from_epoch(year, month, day), days, "{year}-{month}-{day}");
                    days += 1;
                }
            }
        }
    }
}
