//! Tokens that must not be believed, and what is said about them.

use timestamp::{Authorities, AuthoritiesError, CertificateFault, Expected, Token, VerifyError};

use crate::authority::{AUTHORITY, EC, Folder, RSA, SIGNER, Settings, body, der, digest};

fn verdict(folder: &Folder, token: &[u8], ca: &str) -> Result<(), VerifyError> {
    let token = Token::parse(token).unwrap();
    token.verify(&Expected { digest: &digest(), nonce: None }, &folder.authorities(ca)).map(drop)
}

#[test]
fn another_request_other_data_another_authority() {
    let folder = Folder::with_signer(EC, EC);
    folder.root("other", EC);
    let token = folder.token(0x1234, &Settings::new("tsa"));
    let ca = folder.authorities("ca.pem");
    let expect = |digest: &[u8; 32], nonce| token.verify(&Expected { digest, nonce }, &ca).map(drop);
    assert_eq!(expect(&digest(), Some(0x1234)), Ok(()));
    assert_eq!(
        expect(&digest(), Some(0x1235)),
        Err(VerifyError::Nonce { expected: 0x1235, found: Some("1234".to_owned()) })
    );
    let other = timestamp::digest(body().replace("20852163", "20852164").as_bytes());
    assert_eq!(expect(&other, None), Err(VerifyError::OtherData { expected: other, found: digest() }));
    let why = verdict(&folder, token.as_bytes(), "other.pem").unwrap_err();
    assert!(matches!(why, VerifyError::Untrusted { .. }), "{why}");
}

#[test]
fn an_authority_of_the_same_name_with_another_key() {
    let (folder, other) = (Folder::with_signer(EC, EC), Folder::with_signer(EC, EC));
    let token = folder.token(1, &Settings::new("tsa"));
    folder.write("false.pem", &other.read("ca.pem"));
    let why = verdict(&folder, token.as_bytes(), "false.pem").unwrap_err();
    assert!(matches!(why, VerifyError::Untrusted { .. }), "{why}");
    assert!(folder.openssl_accepts(token.as_bytes(), "false.pem").is_err());
}

#[test]
fn a_signer_that_may_not_sign_tokens() {
    let base = "keyUsage=critical,digitalSignature\nbasicConstraints=critical,CA:FALSE\n";
    for (extensions, fault) in [
        (base.to_owned(), CertificateFault::NoExtendedKeyUsage),
        (format!("extendedKeyUsage=timeStamping\n{base}"), CertificateFault::NotCritical),
        (format!("extendedKeyUsage=critical,serverAuth\n{base}"), CertificateFault::NotOnlyTimeStamping),
        (
            format!("extendedKeyUsage=critical,timeStamping,codeSigning\n{base}"),
            CertificateFault::NotOnlyTimeStamping,
        ),
        (
            format!("extendedKeyUsage=critical,codeSigning,timeStamping\n{base}"),
            CertificateFault::NotOnlyTimeStamping,
        ),
        (
            SIGNER.replace("critical,digitalSignature", "critical,digitalSignature,keyEncipherment"),
            CertificateFault::KeyUsage,
        ),
        (SIGNER.replace("critical,digitalSignature", "critical,keyAgreement"), CertificateFault::KeyUsage),
    ] {
        let folder = Folder::new();
        folder.root("ca", EC);
        folder.issue("tsa", EC, "ca", &extensions);
        let info = der::tst_info(&digest(), &folder.soon(), &[]);
        let token = folder.sign(&info, "tsa", &["-cades"]);
        assert_eq!(verdict(&folder, &token, "ca.pem"), Err(VerifyError::NotForTime(fault)), "{extensions}");
        assert!(folder.openssl_accepts(&token, "ca.pem").is_err(), "{extensions}");
    }
}

#[test]
fn an_authority_between_that_may_not_issue() {
    for extensions in [
        "basicConstraints=critical,CA:FALSE\n".to_owned(),
        format!("{AUTHORITY}extendedKeyUsage=serverAuth\n"),
        AUTHORITY.replace("keyCertSign", "digitalSignature"),
    ] {
        let folder = Folder::new();
        folder.root("ca", EC);
        folder.issue("between", EC, "ca", &extensions);
        folder.issue("tsa", EC, "between", SIGNER);
        let token = folder.token(1, &Settings { chain: Some("between.pem"), ..Settings::new("tsa") });
        let why = verdict(&folder, token.as_bytes(), "ca.pem").unwrap_err();
        assert!(matches!(why, VerifyError::Untrusted { .. }), "{extensions}: {why}");
    }
}

#[test]
fn a_time_when_the_certificates_were_not_valid() {
    let folder = Folder::with_signer(EC, RSA);
    for (time, which) in [("19990101000000Z", "the signer"), ("20990101000000Z", "the signer")] {
        let token = folder.sign(&der::tst_info(&digest(), time, &[]), "tsa", &["-cades"]);
        let why = verdict(&folder, &token, "ca.pem").unwrap_err();
        assert!(
            matches!(why, VerifyError::NotValidThen { which: found, .. } if found == which),
            "{time}: {why}"
        );
    }
    // A signer that outlives its authorities.
    folder.write("ext", SIGNER.as_bytes());
    let signing = ["x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
    folder.openssl(&[&signing[..], &["-days", "20000", "-extfile", "ext", "-out", "tsa.pem"]].concat());
    let token = folder.sign(&der::tst_info(&digest(), "20500101000000Z", &[]), "tsa", &["-cades"]);
    let why = verdict(&folder, &token, "ca.pem").unwrap_err();
    assert!(matches!(why, VerifyError::NotValidThen { which: "a given authority", .. }), "{why}");

    folder.issue("between", EC, "ca", AUTHORITY);
    let signing =
        ["x509", "-req", "-in", "tsa.csr", "-CA", "between.pem", "-CAkey", "between.key", "-CAcreateserial"];
    folder.write("ext", SIGNER.as_bytes());
    folder.openssl(&[&signing[..], &["-days", "3000", "-extfile", "ext", "-out", "tsa.pem"]].concat());
    let late = folder.soon(); // a year after the authority between has ended, before both others do
    let token =
        folder.sign(&der::tst_info(&digest(), &late, &[]), "tsa", &["-cades", "-certfile", "between.pem"]);
    let why = verdict(&folder, &token, "ca.pem").unwrap_err();
    assert!(matches!(why, VerifyError::NotValidThen { which: "an authority between", .. }), "{why}");
}

#[test]
fn an_altered_time_and_an_altered_imprint() {
    let folder = Folder::with_signer(EC, RSA);
    let token = folder.token(1, &Settings::new("tsa"));
    let bytes = token.as_bytes();
    let time = bytes.windows(4).position(|window| window == [0x18, 0x0f, b'2', b'0']).unwrap();
    let mut altered = bytes.to_vec();
    altered[time + 15] ^= 1; // seconds
    let why = verdict(&folder, &altered, "ca.pem").unwrap_err();
    assert_eq!(why, VerifyError::Altered { what: "what it says does not have the digest that is signed" });

    let at = bytes.windows(32).position(|window| window == digest()).unwrap();
    let other = timestamp::digest(b"other");
    let altered = [&bytes[..at], &other, &bytes[at + 32..]].concat();
    let token = Token::parse(&altered).unwrap();
    let verdict = token.verify(&Expected { digest: &other, nonce: None }, &folder.authorities("ca.pem"));
    let what = "what it says does not have the digest that is signed";
    assert_eq!(verdict.map(drop), Err(VerifyError::Altered { what }));
}

#[test]
fn digests_that_are_not_accepted() {
    let folder = Folder::with_signer(RSA, RSA);
    folder.openssl(&["ts", "-query", "-data", "data", "-sha1", "-cert", "-out", "q"]);
    let token = timestamp::response(&folder.reply(&folder.read("q"), &Settings::new("tsa"))).unwrap();
    assert_eq!(token.claimed().digest_algorithm, "1.3.14.3.2.26");
    let why = verdict(&folder, token.as_bytes(), "ca.pem").unwrap_err();
    assert_eq!(
        why,
        VerifyError::Unsupported { what: "the data is imprinted with another digest than SHA-256" }
    );

    let token = folder.token(1, &Settings { digest: "sha1", ..Settings::new("tsa") });
    let why = verdict(&folder, token.as_bytes(), "ca.pem").unwrap_err();
    assert!(matches!(why, VerifyError::Unsupported { .. }), "{why}");

    folder.issue("small", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"], "ca", SIGNER);
    let token = folder.token(1, &Settings::new("small"));
    let why = verdict(&folder, token.as_bytes(), "ca.pem").unwrap_err();
    assert_eq!(why, VerifyError::Unsupported { what: "signer's RSA key has fewer than 2048 bits" });
}

#[test]
fn what_nobody_signs_is_refused() {
    let folder = Folder::with_signer(EC, EC);
    let info = der::tst_info(&digest(), &folder.soon(), &[]);
    let refused = |token: &[u8]| Token::parse(token).unwrap_err().what;
    assert_eq!(refused(&folder.sign(&info, "tsa", &[])), "signer does not name its certificate");
    assert_eq!(refused(&folder.sign(&info, "tsa", &["-noattr"])), "SignerInfo has no signed attributes");
    folder.issue("second", EC, "ca", SIGNER);
    let two = folder.sign(&info, "tsa", &["-cades", "-signer", "second.pem", "-inkey", "second.key"]);
    assert_eq!(refused(&two), "SignedData has more than one signer");

    // The last field of a token is its signature: room for unsigned attributes is right behind it.
    let token = folder.sign(&info, "tsa", &["-cades"]);
    let unsigned =
        der::element(0xa1, &[&der::element(0x30, &[&[6, 1, 0x2a], &der::element(0x31, &[&[5, 0]])])]);
    assert_eq!(
        refused(&append_to_signer(&token, &unsigned)),
        "token carries unsigned attributes, which nobody vouches for"
    );

    // A critical extension of a TSTInfo: [1] { SEQUENCE { OID 1.2.3, BOOLEAN TRUE, OCTET STRING } }
    let extension = der::element(0x30, &[&[6, 2, 0x2a, 3], &[1, 1, 0xff], &[4, 0]]);
    let info = der::tst_info(&digest(), &folder.soon(), &der::element(0xa1, &[&extension]));
    let why = refused(&folder.sign(&info, "tsa", &["-cades"]));
    assert_eq!(why, "token has a critical extension, and none is known");
    let info = der::tst_info(
        &digest(),
        &folder.soon(),
        &der::element(0xa1, &[&der::element(0x30, &[&[6, 2, 0x2a, 3], &[4, 0]])]),
    );
    assert_eq!(verdict(&folder, &folder.sign(&info, "tsa", &["-cades"]), "ca.pem"), Ok(()));
}

#[test]
fn files_without_anyone_to_trust() {
    let folder = Folder::with_signer(EC, EC);
    let parse = |bytes: &[u8]| Authorities::parse(bytes).map(drop);
    assert_eq!(parse(b""), Err(AuthoritiesError::NoRoot { others: 0 }));
    assert_eq!(parse(&folder.read("tsa.pem")), Err(AuthoritiesError::NoRoot { others: 1 }));
    assert!(matches!(
        parse(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"),
        Err(AuthoritiesError::Pem { .. })
    ));
    assert!(matches!(parse(b"\x30\x00"), Err(AuthoritiesError::Certificate { number: 1, .. })));
    let der = folder.openssl(&["x509", "-in", "ca.pem", "-outform", "DER"]);
    assert_eq!(parse(&der), Ok(()));
}

/// Puts bytes at the end of the only SignerInfo, with all lengths around it set right.
fn append_to_signer(token: &[u8], more: &[u8]) -> Vec<u8> {
    fn rebuild(bytes: &[u8], path: &[usize], more: &[u8]) -> Vec<u8> {
        let (tag, value) = open(bytes);
        let Some((step, rest)) = path.split_first() else { return der::element(tag, &[value, more]) };
        let mut parts: Vec<Vec<u8>> = Vec::new();
        let mut left = value;
        while !left.is_empty() {
            let len = whole_len(left);
            parts.push(left[..len].to_vec());
            left = &left[len..];
        }
        let at = if *step == usize::MAX { parts.len() - 1 } else { *step };
        parts[at] = rebuild(&parts[at], rest, more);
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        der::element(tag, &parts)
    }
    // ContentInfo, [0], SignedData, signerInfos, the first.
    rebuild(token, &[1, 0, usize::MAX, 0], more)
}

fn header(bytes: &[u8]) -> (usize, usize) {
    match bytes[1] {
        len @ 0..=0x7f => (2, usize::from(len)),
        0x81 => (3, usize::from(bytes[2])),
        _ => (4, usize::from(bytes[2]) << 8 | usize::from(bytes[3])),
    }
}

fn whole_len(bytes: &[u8]) -> usize {
    let (header, len) = header(bytes);
    header + len
}

fn open(bytes: &[u8]) -> (u8, &[u8]) {
    let (header, len) = header(bytes);
    (bytes[0], &bytes[header..header + len])
}
