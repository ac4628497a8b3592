//! A token kept in the tree: it stays good, with no program at hand, for as long as this crate can read.

use timestamp::{Accuracy, Authorities, Expected};

const BODY: &[u8] = include_bytes!("../vectors/body");
const RESPONSE: &[u8] = include_bytes!("../vectors/response.tsr");
const CA: &[u8] = include_bytes!("../vectors/ca.pem");

#[test]
fn a_kept_token_is_good() {
    let token = timestamp::response(RESPONSE).unwrap();
    let digest = timestamp::digest(BODY);
    let verified =
        token.verify(&Expected { digest: &digest, nonce: Some(0x1234) }, &Authorities::parse(CA).unwrap());
    let verified = verified.unwrap();
    assert_eq!(verified.info.accuracy, Some(Accuracy { seconds: 1, millis: 500, micros: 0 }));
    assert_eq!(
        (verified.info.gen_time_ms, verified.info.policy.as_str()),
        (GEN_TIME_MS, "1.3.6.1.4.1.55555.1")
    );
}

/// What `openssl ts -reply -in response.tsr -text` shows.
const GEN_TIME_MS: u64 = 1_795_278_020_000;
