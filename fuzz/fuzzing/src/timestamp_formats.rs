use std::sync::LazyLock;

use timestamp::ots::{BlockHeader, DetachedFile, calendar};
use timestamp::{Authorities, Expected, MAX_TOKEN_LEN, Token, VerifyError};

/// An answer of a time-stamp authority, the authority, and what was stamped.
pub const RESPONSE: &[u8] = include_bytes!("../../../crates/timestamp/tests/vectors/response.tsr");
const AUTHORITY: &[u8] = include_bytes!("../../../crates/timestamp/tests/vectors/ca.pem");
const BODY: &[u8] = include_bytes!("../../../crates/timestamp/tests/vectors/body");

static GOOD: LazyLock<(Authorities, Token)> = LazyLock::new(|| {
    let token = timestamp::response(RESPONSE).unwrap_or_else(|error| panic!("{error}"));
    (Authorities::parse(AUTHORITY).unwrap_or_else(|error| panic!("{error}")), token)
});

/// Nothing is proven but what the authority said, whatever is made of its token.
pub fn token(input: &[u8]) {
    let _ = Authorities::parse(input);
    let (authorities, good) = &*GOOD;
    let digest = timestamp::digest(BODY);
    for token in [timestamp::response(input).ok(), Token::parse(input).ok()].into_iter().flatten() {
        assert!(token.as_bytes().len() <= MAX_TOKEN_LEN);
        match token.verify(&Expected { digest: &digest, nonce: None }, authorities) {
            Ok(verified) => assert_eq!(&verified.info, good.claimed()),
            Err(VerifyError::OtherData { expected, found }) => assert_ne!(expected, found),
            Err(_) => {}
        }
    }
}

/// A file or an answer may be spelled in many ways, and is the same when it was written and read again.
pub fn ots(input: &[u8]) {
    if let Ok(file) = DetachedFile::parse(input) {
        let written = file.to_bytes().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(DetachedFile::parse(&written).as_ref(), Ok(&file));
        let mut merged = file.clone();
        assert_eq!((merged.merge(&file), &merged), (Ok(()), &file));
        let (digest, header) = (timestamp::digest(BODY), BlockHeader::new([0; 80]));
        assert!(file.verify(&digest, 0, &header).is_err(), "nothing hashes to zeros");
    }
    if let Ok(tree) = calendar::answer(&[7; 32], input) {
        let written = calendar::to_answer(&tree).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(calendar::answer(&[7; 32], &written), Ok(tree));
    }
}
