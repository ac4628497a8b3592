//! DER, read strictly and written (X.690): definite lengths, one spelling for each value.

use crate::error::Malformed;

/// Tags that are needed.
pub(crate) mod tag {
    pub const BOOLEAN: u8 = 0x01;
    pub const INTEGER: u8 = 0x02;
    pub const BITS: u8 = 0x03;
    pub const OCTETS: u8 = 0x04;
    pub const NULL: u8 = 0x05;
    pub const OID: u8 = 0x06;
    pub const UTF8: u8 = 0x0c;
    pub const UTC_TIME: u8 = 0x17;
    pub const TIME: u8 = 0x18;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;

    /// A primitive value under a context-specific tag.
    pub const fn primitive(number: u8) -> u8 {
        0x80 | number
    }

    /// A constructed value under a context-specific tag.
    pub const fn constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// One element: tag, length, value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub tag: u8,
    pub value: &'a [u8],
    /// With tag and length.
    pub whole: &'a [u8],
    /// Where `whole` begins in the input.
    pub at: usize,
}

/// Reads elements from the front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the beginning of an input.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, at: 0 }
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns the error that `what` is wrong here.
    pub fn wrong(&self, what: &'static str) -> Malformed {
        Malformed { what, at: self.at }
    }

    /// Takes the next element, whatever it is.
    pub fn next(&mut self) -> Result<Element<'a>, Malformed> {
        let [tag, first, ..] = *self.rest else { return Err(self.wrong("DER ends early")) };
        if tag & 0x1f == 0x1f {
            return Err(self.wrong("DER tag of more than one byte"));
        }
        let (header, length) = match first {
            0..=0x7f => (2, usize::from(first)),
            0x81..=0x83 => {
                let count = usize::from(first & 0x7f);
                let bytes = self.rest.get(2..2 + count).ok_or(self.wrong("DER ends early"))?;
                let length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
                if length < 0x80 || length >> (8 * (count - 1)) == 0 {
                    return Err(self.wrong("DER length is not the shortest"));
                }
                (2 + count, length)
            }
            _ => return Err(self.wrong("DER length is indefinite or too long")),
        };
        let (whole, rest) = self
            .rest
            .split_at_checked(header + length)
            .ok_or(self.wrong("DER element is longer than what is left"))?;
        let element = Element { tag, value: &whole[header..], whole, at: self.at };
        self.at += whole.len();
        self.rest = rest;
        Ok(element)
    }

    /// Takes the next element, which must have this tag.
    pub fn take(&mut self, tag: u8, missing: &'static str) -> Result<Element<'a>, Malformed> {
        let wrong = self.wrong(missing);
        self.optional(tag)?.ok_or(wrong)
    }

    /// Takes the next element if it has this tag.
    pub fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Malformed> {
        match self.rest.first() {
            Some(found) if *found == tag => self.next().map(Some),
            _ => Ok(None),
        }
    }

    /// Checks that nothing is left.
    pub fn end(&self, otherwise: &'static str) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(self.wrong(otherwise)) }
    }
}

impl<'a> Element<'a> {
    /// Reads what is inside.
    pub fn inside(&self) -> Reader<'a> {
        Reader { rest: self.value, at: self.at + self.whole.len() - self.value.len() }
    }

    /// Returns the error that `what` is wrong with it.
    pub fn wrong(&self, what: &'static str) -> Malformed {
        Malformed { what, at: self.at }
    }

    /// Returns the bytes of an integer, checked to be the fewest possible.
    pub fn integer(&self) -> Result<&'a [u8], Malformed> {
        match self.value {
            [] => Err(self.wrong("integer of no bytes")),
            [0x00, second, ..] if *second < 0x80 => Err(self.wrong("integer is not the shortest")),
            [0xff, second, ..] if *second >= 0x80 => Err(self.wrong("integer is not the shortest")),
            value => Ok(value),
        }
    }

    /// Returns an integer from 0 to 2^32 - 1.
    pub fn small(&self) -> Result<u32, Malformed> {
        let bytes = self.integer()?;
        let digits = bytes.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(bytes);
        if bytes[0] >= 0x80 || digits.len() > 4 {
            return Err(self.wrong("integer is negative or too large"));
        }
        Ok(digits.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }
}

/// Writes one element of these parts.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    match length {
        0..=0x7f => out.push(length as u8),
        _ => {
            let bytes = length.to_be_bytes();
            let digits = &bytes[bytes.iter().position(|byte| *byte != 0).unwrap_or(0)..];
            out.push(0x80 | digits.len() as u8);
            out.extend_from_slice(digits);
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// Writes a number as INTEGER.
pub(crate) fn integer(number: u64) -> Vec<u8> {
    element(tag::INTEGER, &[&integer_value(number)])
}

/// Returns the fewest bytes of a number, with a zero before a set sign bit.
pub(crate) fn integer_value(number: u64) -> Vec<u8> {
    let bytes = [&[0][..], &number.to_be_bytes()].concat();
    let skip = bytes.windows(2).take_while(|pair| pair[0] == 0 && pair[1] < 0x80).count();
    bytes[skip..].to_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn other_spellings_are_refused() {
        for (bytes, what) in [
            (&[0x30][..], "DER ends early"),
            (&[0x30, 0x80, 0, 0], "DER length is indefinite or too long"),
            (&[0x30, 0x81, 0x01, 0], "DER length is not the shortest"),
            (&[0x30, 0x82, 0x00, 0x80], "DER length is not the shortest"),
            (&[0x30, 0x84, 0, 0, 0, 1, 0], "DER length is indefinite or too long"),
            (&[0x1f, 0x01, 0], "DER tag of more than one byte"),
            (&[0x30, 0x02, 0], "DER element is longer than what is left"),
        ] {
            assert_eq!(Reader::new(bytes).next().unwrap_err().what, what, "{bytes:x?}");
        }
        for bytes in [&[0x02, 0][..], &[0x02, 2, 0, 1], &[0x02, 2, 0xff, 0x80]] {
            assert!(Reader::new(bytes).next().unwrap().integer().is_err(), "{bytes:x?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(tag in prop::sample::select(vec![0x02u8, 0x04, 0x30, 0xa0]), value in prop::collection::vec(any::<u8>(), 0..70_000)) {
            let written = element(tag, &[&value]);
            let mut reader = Reader::new(&written);
            let read = reader.next().unwrap();
            prop_assert_eq!((read.tag, read.value, read.whole), (tag, &value[..], &written[..]));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn numbers_are_read_back(number: u64) {
            let written = integer(number);
            let read = Reader::new(&written).next().unwrap();
            prop_assert_eq!(read.integer().unwrap(), &integer_value(number)[..]);
            prop_assert_eq!(read.small().ok(), u32::try_from(number).ok());
        }
    }
}
