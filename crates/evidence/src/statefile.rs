//! Small files that people may look at and nobody may change unseen: three lines, a name, one canonical JSON
//! object, and the SHA-256 of the two lines before (docs/format.md, "State files"). Register, keys and tokens
//! are written this way, so one strict reader finds every changed byte in all of them.

use record::canonical;
use record::json::{self, Value};
use sha2::{Digest, Sha256};

use crate::reader::DecodeError;

/// Formats a state file called `name`, such as `ledgerstone/register/v1`.
pub fn format(name: &str, value: &Value<'_>) -> Vec<u8> {
    let mut out = format!("{name}\n").into_bytes();
    canonical::write(value, &mut out);
    out.push(b'\n');
    let line = digest_line(&out);
    out.extend_from_slice(line.as_bytes());
    out
}

/// Reads a state file called `name`.
///
/// # Errors
/// Another name, a line too many or too few, a hash that does not fit, or an object that is not canonical JSON.
pub fn parse<'a>(name: &str, bytes: &'a [u8]) -> Result<Value<'a>, DecodeError> {
    let head = name.len() + 1;
    if bytes.get(..name.len()) != Some(name.as_bytes()) || bytes.get(name.len()) != Some(&b'\n') {
        return Err(DecodeError::new(0, "the first line does not name this kind of file"));
    }
    let end = bytes[head..].iter().position(|byte| *byte == b'\n');
    let end = end.map(|end| head + end + 1).ok_or(DecodeError::new(head, "the second line does not end"))?;
    if bytes[end..] != *digest_line(&bytes[..end]).as_bytes() {
        return Err(DecodeError::new(end, "the hash in the third line does not fit"));
    }
    let object = &bytes[head..end - 1];
    canonical::check(object).map_err(|_| DecodeError::new(head, "the second line is not canonical JSON"))?;
    json::parse(object).map_err(|_| DecodeError::new(head, "the second line is not JSON"))
}

fn digest_line(lines: &[u8]) -> String {
    format!("sha256:{}\n", crate::hex::encode(&Sha256::digest(lines)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hash and form are right, so that only what the lines say can tell.
    #[test]
    fn a_state_file_is_of_its_name_and_has_one_spelling() {
        let file = |lines: &str| format!("{lines}{}", digest_line(lines.as_bytes()));
        let reason = |lines: &str| {
            parse("ledgerstone/some/v1", file(lines).as_bytes()).err().map(|error| error.reason)
        };
        assert_eq!(reason("ledgerstone/some/v1\n{\"a\":1,\"b\":2}\n"), None);
        let name = Some("the first line does not name this kind of file");
        assert_eq!(reason("ledgerstone/soma/v1\n{\"a\":1,\"b\":2}\n"), name);
        assert_eq!(reason("ledgerstone/some/v1 \n{\"a\":1,\"b\":2}\n"), name);
        let spelling = Some("the second line is not canonical JSON");
        assert_eq!(reason("ledgerstone/some/v1\n{\"b\":2,\"a\":1}\n"), spelling);
        assert_eq!(reason("ledgerstone/some/v1\n{\"a\": 1,\"b\":2}\n"), spelling);
    }
}
