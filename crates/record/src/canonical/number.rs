//! Numbers that survive IEEE doubles, and the spelling ECMAScript gives them.

/// The largest integer a canonical document holds, 2^53 - 1; the smallest is its negative.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Decimal integers of up to this many digits are below 2^53.
pub(super) const SAFE_DIGITS: usize = 15;

/// Appends the canonical form of the number `token`: itself, respelt, or as a string if a double would change it.
pub(super) fn write(token: &str, out: &mut Vec<u8>) {
    if is_short_integer(token.as_bytes()) {
        return out.extend_from_slice(token.as_bytes());
    }
    let mut buffer = ryu_js::Buffer::new();
    match spell(token, &mut buffer) {
        Some(spelt) if Decimal::read(spelt) == Decimal::read(token) => {
            out.extend_from_slice(spelt.as_bytes())
        }
        _ => {
            out.push(b'"');
            out.extend_from_slice(token.as_bytes());
            out.push(b'"');
        }
    }
}

/// Whether `token`, a valid JSON number, is canonical as it stands.
pub(super) fn is_canonical(token: &str) -> bool {
    if is_short_integer(token.as_bytes()) {
        return true;
    }
    spell(token, &mut ryu_js::Buffer::new()) == Some(token)
}

/// The ECMAScript spelling of the double nearest to `token` (ECMA-262 Number::toString, as RFC 8785 section 3.2.2.3
/// asks), None if that double is not finite or lies beyond ±(2^53 - 1).
fn spell<'b>(token: &str, buffer: &'b mut ryu_js::Buffer) -> Option<&'b str> {
    let double: f64 = token.parse().ok()?;
    (double.abs() <= MAX_INTEGER as f64).then(|| buffer.format_finite(double))
}

/// Whether `token`, a valid JSON number, is an integer short enough to need no look at its value, and not `-0`.
#[inline]
fn is_short_integer(token: &[u8]) -> bool {
    let digits = token.strip_prefix(b"-").unwrap_or(token);
    digits.len() <= SAFE_DIGITS && digits.iter().all(u8::is_ascii_digit) && token != b"-0"
}

/// The exact value of a number token: ± `digits` × 10^`exponent`. Equal values have equal representations, since
/// zeros at both ends of the digits are dropped; zero has no digits, but a sign.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    /// Saturated: tokens whose exponents are too long to count are no double's spelling, so none is equal to them.
    exponent: i64,
}

impl Decimal {
    fn read(token: &str) -> Decimal {
        let (negative, rest) = token.strip_prefix('-').map_or((false, token), |rest| (true, rest));
        let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits: Vec<u8> =
            integer.bytes().chain(fraction.bytes()).skip_while(|&d| d == b'0').collect();
        let mut exponent = read_exponent(exponent).saturating_sub_unsigned(fraction.len() as u64);
        while digits.last() == Some(&b'0') {
            digits.pop();
            exponent = exponent.saturating_add(1);
        }
        if digits.is_empty() {
            exponent = 0;
        }
        Decimal { negative, digits, exponent }
    }
}

fn read_exponent(text: &str) -> i64 {
    text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(token: &str) -> String {
        let mut out = Vec::new();
        write(token, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// Left: the token. Right: what becomes of it.
    const CASES: &[(&str, &str)] = &[
        ("0", "0"),
        ("-0", r#""-0""#),
        ("-0.0", r#""-0.0""#),
        ("-0e5", r#""-0e5""#),
        ("0.0", "0"),
        ("0e999999999999999999999", "0"),
        ("1.0", "1"),
        ("1e2", "100"),
        ("1E+2", "100"),
        ("100e-2", "1"),
        ("-1.50", "-1.5"),
        ("0.1", "0.1"),
        ("0.10", "0.1"),
        ("1e-7", "1e-7"),
        ("0.0000001", "1e-7"),
        ("0.000001", "0.000001"),
        ("0.1000000000000000055", r#""0.1000000000000000055""#),
        ("0.3333333333333333", "0.3333333333333333"),
        ("0.33333333333333333", r#""0.33333333333333333""#),
        ("999999999999999", "999999999999999"),
        ("1000000000000000", "1000000000000000"),
        ("9007199254740991", "9007199254740991"),
        ("9007199254740991.0", "9007199254740991"),
        ("-9007199254740991", "-9007199254740991"),
        ("9007199254740992", r#""9007199254740992""#),
        ("9007199254740993", r#""9007199254740993""#),
        ("9007199254740990.5", r#""9007199254740990.5""#),
        ("9007199254740991.2", r#""9007199254740991.2""#),
        ("18446744073709551615", r#""18446744073709551615""#),
        ("1e15", "1000000000000000"),
        ("1e16", r#""1e16""#),
        ("1e21", r#""1e21""#),
        ("1e400", r#""1e400""#),
        ("-1e400", r#""-1e400""#),
        ("1e-400", r#""1e-400""#),
        ("1e99999999999999999999", r#""1e99999999999999999999""#),
        ("1e-99999999999999999999", r#""1e-99999999999999999999""#),
        ("5e-324", "5e-324"),
        ("4.9e-324", r#""4.9e-324""#),
        ("2.2250738585072014e-308", "2.2250738585072014e-308"),
    ];

    #[test]
    fn a_number_is_kept_respelt_or_quoted() {
        for (token, expected) in CASES {
            assert_eq!(written(token), *expected, "token {token}");
            assert_eq!(is_canonical(token), written(token) == *token, "token {token}");
        }
    }

    /// RFC 8785 appendix B: bits of a double and its spelling. `is_canonical` asks for a value within 2^53 - 1 too.
    const APPENDIX_B: &[(u64, &str)] = &[
        (0x0000000000000000, "0"),
        (0x8000000000000000, "0"),
        (0x0000000000000001, "5e-324"),
        (0x8000000000000001, "-5e-324"),
        (0x7fefffffffffffff, "1.7976931348623157e+308"),
        (0xffefffffffffffff, "-1.7976931348623157e+308"),
        (0x4340000000000000, "9007199254740992"),
        (0xc340000000000000, "-9007199254740992"),
        (0x4430000000000000, "295147905179352830000"),
        (0x44b52d02c7e14af5, "9.999999999999997e+22"),
        (0x44b52d02c7e14af6, "1e+23"),
        (0x44b52d02c7e14af7, "1.0000000000000001e+23"),
        (0x444b1ae4d6e2ef4e, "999999999999999700000"),
        (0x444b1ae4d6e2ef4f, "999999999999999900000"),
        (0x444b1ae4d6e2ef50, "1e+21"),
        (0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"),
        (0x3eb0c6f7a0b5ed8d, "0.000001"),
        (0x41b3de4355555553, "333333333.3333332"),
        (0x41b3de4355555554, "333333333.33333325"),
        (0x41b3de4355555555, "333333333.3333333"),
        (0x41b3de4355555556, "333333333.3333334"),
        (0x41b3de4355555557, "333333333.33333343"),
        (0xbecbf647612f3696, "-0.0000033333333333333333"),
        (0x43143ff3c1cb0959, "1424953923781206.2"),
    ];

    #[test]
    fn numbers_are_spelt_as_in_rfc_8785_appendix_b() {
        for (bits, expected) in APPENDIX_B {
            let double = f64::from_bits(*bits);
            assert_eq!(ryu_js::Buffer::new().format_finite(double), *expected, "bits {bits:016x}");
            assert_eq!(is_canonical(expected), double.abs() <= MAX_INTEGER as f64, "number {expected}");
        }
    }
}
