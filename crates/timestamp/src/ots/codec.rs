//! Numbers and byte strings as OpenTimestamps writes them.

use super::error::OtsError;

/// Reads from the front.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub fn at(&self) -> usize {
        self.at
    }

    pub fn wrong(&self, what: &'static str) -> OtsError {
        OtsError::Malformed { what, at: self.at }
    }

    pub fn take(&mut self, len: usize) -> Result<&'a [u8], OtsError> {
        let taken = self.bytes[self.at..].get(..len).ok_or(self.wrong("ends early"))?;
        self.at += len;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, OtsError> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned LEB128, the shortest there is.
    pub fn number(&mut self) -> Result<u64, OtsError> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                return Err(self.wrong("number does not fit 64 bits"));
            }
            number |= part << shift;
            if byte & 0x80 == 0 {
                return match byte == 0 && shift > 0 {
                    true => Err(self.wrong("number is not the shortest")),
                    false => Ok(number),
                };
            }
        }
        Err(self.wrong("number does not fit 64 bits"))
    }

    /// A length and that many bytes.
    pub fn string(&mut self, min: usize, max: usize) -> Result<&'a [u8], OtsError> {
        let wrong = self.wrong("string is shorter or longer than allowed");
        match usize::try_from(self.number()?) {
            Ok(len) if (min..=max).contains(&len) => self.take(len),
            _ => Err(wrong),
        }
    }

    pub fn end(&self) -> Result<(), OtsError> {
        match self.at == self.bytes.len() {
            true => Ok(()),
            false => Err(self.wrong("bytes after the end")),
        }
    }
}

pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
