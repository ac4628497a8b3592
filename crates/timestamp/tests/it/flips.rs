//! Every bit of a token: changed, it is noticed, or it lies in a certificate that nothing depends on.

use std::ops::Range;

use proptest::prelude::*;
use timestamp::{Expected, Token};

use crate::authority::{EC, Folder, RSA, Settings, digest};

/// Flips each bit and returns the positions of those that are accepted all the same.
fn accepted(folder: &Folder, token: &Token) -> Vec<usize> {
    let (ca, digest) = (folder.authorities("ca.pem"), digest());
    let verify = |token: &Token| token.verify(&Expected { digest: &digest, nonce: None }, &ca);
    let original = verify(token).unwrap();
    let mut accepted = Vec::new();
    for at in 0..token.as_bytes().len() {
        for bit in 0..8 {
            let mut bytes = token.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            if let Ok(token) = Token::parse(&bytes)
                && let Ok(mut verified) = verify(&token)
            {
                // The copy of a root that is changed is that root no more.
                verified.unused_certificates = original.unused_certificates;
                assert_eq!(verified, original, "bit {bit} of byte {at} changes what is proven");
                accepted.push(at);
            }
        }
    }
    accepted.dedup();
    accepted
}

#[test]
fn every_bit_of_a_token_matters() {
    for kind in [EC, RSA] {
        let folder = Folder::with_signer(EC, kind);
        let token = folder.token(7, &Settings::new("tsa"));
        assert_eq!(accepted(&folder, &token), [0usize; 0]);
    }
}

#[test]
fn what_may_change_lies_in_certificates_that_nothing_depends_on() {
    let folder = Folder::with_signer(EC, EC);
    folder.root("stranger", EC);
    folder.write("extra.pem", &[folder.read("ca.pem"), folder.read("stranger.pem")].concat());
    let token = folder.token(7, &Settings { chain: Some("extra.pem"), ..Settings::new("tsa") });
    let place = |name: &str| -> Range<usize> {
        let der = folder.openssl(&["x509", "-in", &format!("{name}.pem"), "-outform", "DER"]);
        let at = token.as_bytes().windows(der.len()).position(|window| window == der).unwrap();
        at..at + der.len()
    };
    let unused = [place("ca"), place("stranger")];
    let accepted = accepted(&folder, &token);
    assert!(!accepted.is_empty());
    for at in accepted {
        assert!(unused.iter().any(|range| range.contains(&at)), "byte {at} is in no unused certificate");
    }
}

#[test]
fn a_token_cut_anywhere_or_with_more_behind_is_refused() {
    let folder = Folder::with_signer(EC, EC);
    let token = folder.token(7, &Settings::new("tsa"));
    for len in 0..token.as_bytes().len() {
        assert!(Token::parse(&token.as_bytes()[..len]).is_err(), "{len}");
    }
    assert!(Token::parse(&[token.as_bytes(), &[0]].concat()).is_err());
}

#[test]
fn no_bytes_make_it_panic() {
    let folder = Folder::with_signer(EC, EC);
    let reply = folder.reply(&timestamp::request(&digest(), 7), &Settings::new("tsa"));
    let ca = folder.authorities("ca.pem");
    let (len, ca, digest) = (reply.len(), &ca, digest());
    let change = (0..len, any::<u8>());
    proptest!(ProptestConfig::with_cases(2000), |(changes in prop::collection::vec(change, 1..8), cut in 0..len)| {
        let mut bytes = reply.clone();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.rotate_left(cut % 3);
        if let Ok(token) = timestamp::response(&bytes) {
            let _ = token.verify(&Expected { digest: &digest, nonce: None }, ca);
        }
        bytes.truncate(cut);
        let _ = timestamp::response(&bytes);
    });
}
