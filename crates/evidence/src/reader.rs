use std::fmt;

/// Bytes that are not what the format says, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Offset of the first byte that cannot be, within what was decoded.
    pub offset: u64,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl DecodeError {
    pub(crate) fn new(offset: usize, reason: &'static str) -> Self {
        Self { offset: offset as u64, reason }
    }

    /// The same error within a larger whole in which the decoded part starts at `base`.
    pub(crate) fn within(self, base: usize) -> Self {
        Self { offset: self.offset + base as u64, ..self }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.reason, self.offset)
    }
}

impl std::error::Error for DecodeError {}

/// Hands out the fields of a frame one after the other; nothing can be read past its end.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn error(&self, reason: &'static str) -> DecodeError {
        DecodeError::new(self.at, reason)
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| self.error("the frame ends too early"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// A `u32` length, checked against `max`, then that many bytes.
    pub(crate) fn prefixed(&mut self, max: usize) -> Result<&'a [u8], DecodeError> {
        let len = self.u32()? as usize;
        if len > max {
            return Err(self.error("a length is beyond its limit"));
        }
        self.take(len)
    }

    pub(crate) fn expect(&mut self, bytes: &[u8], reason: &'static str) -> Result<(), DecodeError> {
        let at = self.at;
        if self.take(bytes.len())? != bytes {
            return Err(DecodeError::new(at, reason));
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        if self.at != self.bytes.len() {
            return Err(self.error("bytes follow the end of the frame"));
        }
        Ok(())
    }
}
