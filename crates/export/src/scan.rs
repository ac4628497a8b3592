//! Steps over a line of canonical JSON whose members are known: what stands there is compared with what must, so that
//! reading is at the same time the proof that the line has its one spelling.

use tlog::Hash;

use crate::text;

/// Most hashes of a list.
const MAX_HASHES: usize = 64;

/// What a base64 string holds, for limits.
pub(crate) enum Place {
    /// 58 bytes.
    Entry,
}

/// A line, and how far it was read.
pub(crate) struct Scan<'a> {
    line: &'a [u8],
    at: usize,
    wanted: Option<&'static str>,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0, wanted: None }
    }

    /// Where it stopped.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// What it would have taken there.
    pub(crate) fn wanted(&self) -> Option<&'static str> {
        self.wanted
    }

    pub(crate) fn at_end(&self) -> bool {
        self.at == self.line.len()
    }

    pub(crate) fn is_utf8(&mut self) -> bool {
        match std::str::from_utf8(self.line) {
            Ok(_) => true,
            Err(error) => {
                (self.at, self.wanted) = (error.valid_up_to(), Some("UTF-8"));
                false
            }
        }
    }

    /// Nothing that could stand here was found.
    #[cold]
    pub(crate) fn want<T>(&mut self, what: &'static str) -> Option<T> {
        self.wanted = Some(what);
        None
    }

    /// Steps over exactly this.
    pub(crate) fn word(&mut self, word: &'static str) -> Option<()> {
        if self.maybe(word) { Some(()) } else { self.want(word) }
    }

    /// Steps over this if it is there.
    pub(crate) fn maybe(&mut self, word: &str) -> bool {
        let there = self.line[self.at..].starts_with(word.as_bytes());
        self.at += if there { word.len() } else { 0 };
        there
    }

    /// A string without escapes, as it stands between its quotes.
    fn plain(&mut self) -> Option<&'a [u8]> {
        let rest = self.line[self.at..].strip_prefix(b"\"");
        let found = rest.and_then(|rest| Some(&rest[..rest.iter().position(|byte| *byte == b'"')?]));
        match found {
            Some(found) => {
                self.at += found.len() + 2;
                Some(found)
            }
            None => self.want("a string"),
        }
    }

    /// A decimal in a string.
    pub(crate) fn decimal(&mut self) -> Option<u64> {
        let from = self.at;
        let number = self.plain().and_then(text::decimal);
        self.back(from, number, "a decimal string below 2^64")
    }

    /// A JSON number: a plain integer up to 2^53 − 1.
    pub(crate) fn number(&mut self) -> Option<u64> {
        let digits = self.line[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = text::decimal(&self.line[self.at..self.at + digits]).filter(|number| *number < 1 << 53);
        match number {
            Some(number) => {
                self.at += digits;
                Some(number)
            }
            None => self.want("an integer"),
        }
    }

    /// Exactly `N` bytes in hexadecimal.
    pub(crate) fn hex<const N: usize>(&mut self) -> Option<[u8; N]> {
        let from = self.at;
        let bytes = self.plain().and_then(text::unhex);
        self.back(from, bytes, "bytes in lower-case hexadecimal")
    }

    /// `null` is `Some(None)`.
    pub(crate) fn hex_or_null<const N: usize>(&mut self) -> Option<Option<[u8; N]>> {
        if self.maybe("null") { Some(None) } else { self.hex().map(Some) }
    }

    pub(crate) fn base64(&mut self, place: Place) -> Option<Vec<u8>> {
        let longest = match place {
            Place::Entry => 4096,
        };
        let (from, mut out) = (self.at, Vec::new());
        let good = self.plain().is_some_and(|text| text.len() <= longest && text::unbase64(text, &mut out));
        self.back(from, good.then_some(out), "base64")
    }

    pub(crate) fn base64_into(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let from = self.at;
        let good = self.plain().is_some_and(|text| text::unbase64(text, out));
        self.back(from, good.then_some(()), "base64")
    }

    /// Exactly `N` of a kind, in brackets.
    pub(crate) fn list<T: Copy, const N: usize>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<[T; N]> {
        self.word("[")?;
        let mut found = Vec::with_capacity(N);
        for at in 0..N {
            if at > 0 {
                self.word(",")?;
            }
            found.push(each(self)?);
        }
        self.word("]")?;
        found.try_into().ok()
    }

    /// A list of hashes in base64.
    pub(crate) fn hashes(&mut self) -> Option<Vec<Hash>> {
        self.word("[")?;
        let mut found = Vec::new();
        if self.maybe("]") {
            return Some(found);
        }
        loop {
            let from = self.at;
            let hash = self.plain().and_then(|text| Hash::from_base64(std::str::from_utf8(text).ok()?).ok());
            found.push(self.back(from, hash, "a hash in base64")?);
            if found.len() > MAX_HASHES {
                return self.want("at most 64 hashes");
            }
            if self.maybe("]") {
                return Some(found);
            }
            self.word(",")?;
        }
    }

    /// A string with its escapes decoded, appended to `out`; false for `null`. Each escape must be the only spelling of
    /// a character that needs one (RFC 8785 section 3.2.2.2).
    pub(crate) fn string_or_null(&mut self, out: &mut Vec<u8>) -> Option<bool> {
        if self.maybe("null") {
            return Some(false);
        }
        self.word("\"")?;
        loop {
            let rest = &self.line[self.at..];
            let Some(end) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)) else {
                self.at = self.line.len();
                return self.want("the end of a string");
            };
            out.extend_from_slice(&rest[..end]);
            self.at += end;
            match rest[end] {
                b'"' => {
                    self.at += 1;
                    return Some(true);
                }
                b'\\' => match unescape(&rest[end + 1..]) {
                    Some((byte, length)) => {
                        out.push(byte);
                        self.at += 1 + length;
                    }
                    None => return self.want("the shortest escape of a character that needs one"),
                },
                _ => return self.want("no control character"),
            }
        }
    }

    /// Goes back to the beginning of a value that was not one, so that the place told is its own.
    fn back<T>(&mut self, from: usize, value: Option<T>, what: &'static str) -> Option<T> {
        if value.is_none() {
            (self.at, self.wanted) = (from, Some(what));
        }
        value
    }
}

/// What stands behind a backslash: the byte it means, and its length.
fn unescape(rest: &[u8]) -> Option<(u8, usize)> {
    Some(match rest.first()? {
        byte @ (b'"' | b'\\') => (*byte, 1),
        b'b' => (0x08, 1),
        b't' => (0x09, 1),
        b'n' => (0x0A, 1),
        b'f' => (0x0C, 1),
        b'r' => (0x0D, 1),
        b'u' => {
            let [byte] = text::unhex::<1>(rest.get(1..5)?.strip_prefix(b"00")?)?;
            let has_letter = matches!(byte, 0x08..=0x0A | 0x0C | 0x0D);
            return (byte < 0x20 && !has_letter).then_some((byte, 5));
        }
        _ => return None,
    })
}
