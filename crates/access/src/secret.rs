//! The text of a token: `lst_`, 64 hexadecimal digits, `_` and 8 more that check them, so that a token is known for one
//! wherever it turns up, and a mistyped one for mistyped.

use evidence::hex;
use sha2::{Digest, Sha256};

/// The text of a token with these random bits.
pub(crate) fn text(secret: &[u8; 32]) -> String {
    let body = format!("lst_{}", hex::encode(secret));
    let check = hex::encode(&Sha256::digest(&body)[..4]);
    format!("{body}_{check}")
}

/// Whether `text` is a token as written by a server of this kind, given out by anyone.
pub fn is_well_formed(text: &str) -> bool {
    text.strip_prefix("lst_")
        .and_then(|rest| rest.split_once('_'))
        .and_then(|(secret, _)| hex::decode::<32>(secret))
        .is_some_and(|secret| self::text(&secret) == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_token_is_known_for_one() {
        let text = text(&[7; 32]);
        assert!(is_well_formed(&text));
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'1' { b'2' } else { b'1' };
            assert!(!is_well_formed(&String::from_utf8(other).unwrap()), "{at}");
        }
    }
}
