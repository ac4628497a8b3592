//! Tokens of every accepted kind: ours and OpenSSL's verdict agree.

use timestamp::{Accuracy, Expected, Token, Verified, VerifyError};

use crate::authority::{AUTHORITY, EC, EC384, ED25519, Folder, RSA, SIGNER, Settings, body, der, digest};

fn verify(folder: &Folder, token: &Token, nonce: Option<u64>, ca: &str) -> Result<Verified, VerifyError> {
    token.verify(&Expected { digest: &digest(), nonce }, &folder.authorities(ca))
}

#[test]
fn what_openssl_ts_makes_is_verified_by_both() {
    for (ca, tsa, digest) in [
        (RSA, RSA, "sha256"),
        (RSA, RSA, "sha512"),
        (EC, EC, "sha256"),
        (EC384, EC384, "sha384"),
        (RSA, EC, "sha384"),
        (EC, RSA, "sha384"),
    ] {
        let folder = Folder::with_signer(ca, tsa);
        let more =
            "accuracy = secs:1, millisecs:500, microsecs:100\nordering = yes\nclock_precision_digits = 3";
        let nonce = 0xfedc_ba98_7654_3210;
        let token = folder.token(nonce, &Settings { digest, more, ..Settings::new("tsa") });
        let verified = verify(&folder, &token, Some(nonce), "ca.pem")
            .unwrap_or_else(|why| panic!("{tsa:?} {digest}: {why}"));
        assert_eq!(verified.info.policy, "1.3.6.1.4.1.55555.1");
        assert_eq!(verified.info.digest_algorithm, "2.16.840.1.101.3.4.2.1");
        assert_eq!(verified.info.serial, "01");
        assert_eq!(verified.info.accuracy, Some(Accuracy { seconds: 1, millis: 500, micros: 100 }));
        assert_eq!(verified.info.accuracy.unwrap().ms(), 1501);
        assert!(verified.info.ordering);
        assert!(verified.info.gen_time_ms > 1_700_000_000_000);
        assert_eq!(verified.unused_certificates, 0);
        assert_eq!(verified.root, folder.fingerprint("ca"));
        assert_eq!(verified.signer, folder.fingerprint("tsa"));
        folder.openssl_accepts(token.as_bytes(), "ca.pem").unwrap();
    }
}

#[test]
fn openssl_shows_the_same_time_and_reads_our_request() {
    let folder = Folder::with_signer(EC, EC);
    folder.write("q", &timestamp::request(&digest(), 0x80));
    let shown = String::from_utf8(folder.openssl(&["ts", "-query", "-in", "q", "-text"])).unwrap();
    assert!(shown.contains("Hash Algorithm: sha256"), "{shown}");
    assert!(shown.contains("Nonce: 0x80"), "{shown}");
    assert!(shown.contains("Certificate required: yes"), "{shown}");
    let token = folder.token(0x80, &Settings::new("tsa"));
    folder.write("token", token.as_bytes());
    let shown = String::from_utf8(folder.openssl(&[
        "ts",
        "-reply",
        "-in",
        "token",
        "-token_in",
        "-token_out",
        "-text",
    ]))
    .unwrap();
    let time = shown.lines().find_map(|line| line.strip_prefix("Time stamp: ")).unwrap();
    folder.write("stamp", time.as_bytes());
    let seconds = token.claimed().gen_time_ms / 1000;
    let (minute, second) = (seconds / 60 % 60, seconds % 60);
    assert!(time.contains(&format!("{minute:02}:{second:02}")), "{time} {seconds}");
    assert_eq!(token.claimed().gen_time_ms % 1000, 0, "{time}");
}

#[test]
fn a_token_without_a_nonce_is_good_where_none_is_expected() {
    let folder = Folder::with_signer(EC, EC);
    folder.openssl(&["ts", "-query", "-data", "data", "-sha256", "-cert", "-no_nonce", "-out", "q"]);
    let token = timestamp::response(&folder.reply(&folder.read("q"), &Settings::new("tsa"))).unwrap();
    verify(&folder, &token, None, "ca.pem").unwrap();
    assert_eq!(
        verify(&folder, &token, Some(7), "ca.pem"),
        Err(VerifyError::Nonce { expected: 7, found: None })
    );
}

#[test]
fn a_signer_named_by_sha1_is_found() {
    let folder = Folder::with_signer(RSA, RSA);
    let token = folder.token(1, &Settings { certificate_digest: "sha1", ..Settings::new("tsa") });
    verify(&folder, &token, Some(1), "ca.pem").unwrap();
    folder.openssl_accepts(token.as_bytes(), "ca.pem").unwrap();
}

#[test]
fn a_token_without_certificates_needs_them_given() {
    let folder = Folder::with_signer(EC, EC);
    folder.openssl(&["ts", "-query", "-data", "data", "-sha256", "-no_nonce", "-out", "q"]);
    let token = timestamp::response(&folder.reply(&folder.read("q"), &Settings::new("tsa"))).unwrap();
    let why = verify(&folder, &token, None, "ca.pem").unwrap_err();
    assert!(matches!(why, VerifyError::Untrusted { .. }), "{why}");
    folder.write("both.pem", &[folder.read("ca.pem"), folder.read("tsa.pem")].concat());
    verify(&folder, &token, None, "both.pem").unwrap();
}

#[test]
fn authorities_between_come_in_the_token_or_are_given() {
    let folder = Folder::new();
    folder.root("ca", RSA);
    folder.issue("between", EC384, "ca", AUTHORITY);
    folder.issue("tsa", EC, "between", SIGNER);
    let bare = folder.token(1, &Settings::new("tsa"));
    let full = folder.token(2, &Settings { chain: Some("between.pem"), ..Settings::new("tsa") });
    folder.write("all.pem", &[folder.read("ca.pem"), folder.read("between.pem")].concat());

    let why = verify(&folder, &bare, Some(1), "ca.pem").unwrap_err();
    assert!(matches!(why, VerifyError::Untrusted { .. }), "{why}");
    assert!(folder.openssl_accepts(bare.as_bytes(), "ca.pem").is_err());
    let verified = verify(&folder, &bare, Some(1), "all.pem").unwrap();
    assert_eq!(verified.root, folder.fingerprint("ca"));
    folder.openssl_accepts(bare.as_bytes(), "all.pem").unwrap();
    assert_eq!(verify(&folder, &full, Some(2), "ca.pem").unwrap().unused_certificates, 0);
    folder.openssl_accepts(full.as_bytes(), "ca.pem").unwrap();
}

#[test]
fn certificates_that_nothing_depends_on_are_counted() {
    let folder = Folder::with_signer(EC, EC);
    folder.root("stranger", EC);
    folder.write("extra.pem", &[folder.read("ca.pem"), folder.read("stranger.pem")].concat());
    let token = folder.token(1, &Settings { chain: Some("extra.pem"), ..Settings::new("tsa") });
    assert_eq!(verify(&folder, &token, Some(1), "ca.pem").unwrap().unused_certificates, 1);
    // Its own authority in the token does not make it trusted.
    let why = verify(&folder, &token, Some(1), "stranger.pem").unwrap_err();
    assert!(matches!(why, VerifyError::Untrusted { .. }), "{why}");
    assert!(folder.openssl_accepts(token.as_bytes(), "stranger.pem").is_err());
}

#[test]
fn kinds_that_openssl_ts_does_not_make() {
    let info = der::tst_info(&digest(), "20260101000000Z", &[]);
    for (kind, digest, more) in [
        (RSA, "sha256", &["-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:32"][..]),
        (RSA, "sha512", &["-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:64"]),
        (RSA, "sha256", &["-keyid"]),
        (EC, "sha256", &[]),
    ] {
        let folder = Folder::with_signer(ED25519, kind);
        // The time is before the certificate is valid, which is the last thing that is looked at before the path.
        let signed = folder.sign(&info, "tsa", &[&["-cades", "-md", digest], more].concat());
        let token = Token::parse(&signed).unwrap_or_else(|why| panic!("{kind:?} {digest}: {why}"));
        let why = verify(&folder, &token, None, "ca.pem").unwrap_err();
        assert!(
            matches!(why, VerifyError::NotValidThen { which: "the signer", .. }),
            "{kind:?} {digest}: {why}"
        );

        let now = der::tst_info(&crate::authority::digest(), &folder.soon(), &[]);
        let token =
            Token::parse(&folder.sign(&now, "tsa", &[&["-cades", "-md", digest], more].concat())).unwrap();
        verify(&folder, &token, None, "ca.pem").unwrap_or_else(|why| panic!("{kind:?} {digest}: {why}"));
    }
}

/// OpenSSL 3.0 makes no CMS with such keys, so this one is put together here and only signed by it (RFC 8419).
#[test]
fn a_token_signed_with_ed25519() {
    let folder = Folder::with_signer(ED25519, ED25519);
    let own = folder.openssl(&["x509", "-in", "tsa.pem", "-outform", "DER"]);
    let info = der::tst_info(&digest(), &folder.soon(), &[]);
    folder.write("info", &info);
    let sha512 = folder.openssl(&["dgst", "-sha512", "-binary", "info"]);
    let oid = |last: &[u8]| der::element(6, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09], last]);
    let attribute =
        |kind: &[u8], value: &[u8]| der::element(0x30, &[&oid(kind), &der::element(0x31, &[value])]);
    let id = der::element(0x30, &[&der::element(4, &[&timestamp::digest(&own)])]);
    let named = der::element(0x30, &[&der::element(0x30, &[&id])]);
    let attributes = [
        attribute(&[3], &oid(&[0x10, 1, 4])),
        attribute(&[4], &der::element(4, &[&sha512])),
        attribute(&[0x10, 2, 0x2f], &named),
    ]
    .concat();
    folder.write("attributes", &der::element(0x31, &[&attributes]));
    let sign = ["pkeyutl", "-sign", "-rawin", "-inkey", "tsa.key", "-in", "attributes"];
    let signature = folder.openssl(&sign);
    let key_id = String::from_utf8(folder.openssl(&[
        "x509",
        "-in",
        "tsa.pem",
        "-noout",
        "-ext",
        "subjectKeyIdentifier",
    ]));
    let key_id: String = key_id.unwrap().lines().nth(1).unwrap().trim().replace(':', "");
    let key_id: Vec<u8> =
        (0..key_id.len()).step_by(2).map(|at| u8::from_str_radix(&key_id[at..at + 2], 16).unwrap()).collect();

    let algorithm = der::element(0x30, &[&[6, 9, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03]]);
    let signer = der::element(
        0x30,
        &[
            &[2, 1, 3],
            &der::element(0x80, &[&key_id]),
            &algorithm,
            &der::element(0xa0, &[&attributes]),
            &der::element(0x30, &[&[6, 3, 0x2b, 0x65, 0x70]]),
            &der::element(4, &[&signature]),
        ],
    );
    let content =
        der::element(0x30, &[&oid(&[0x10, 1, 4]), &der::element(0xa0, &[&der::element(4, &[&info])])]);
    let parts = [&[2, 1, 3], &der::element(0x31, &[&algorithm])[..], &content, &der::element(0xa0, &[&own])];
    let signed = der::element(0x30, &[&parts.concat(), &der::element(0x31, &[&signer])]);
    let signed_data = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
    let token = der::element(0x30, &[&signed_data, &der::element(0xa0, &[&signed])]);
    verify(&folder, &Token::parse(&token).unwrap(), None, "ca.pem").unwrap();
}

#[test]
fn the_body_is_what_is_signed() {
    assert_eq!(body(), "example.com/log\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n");
}

impl Folder {
    /// SHA-256 of a certificate as OpenSSL computes it.
    pub fn fingerprint(&self, name: &str) -> String {
        let shown =
            self.openssl(&["x509", "-in", &format!("{name}.pem"), "-noout", "-fingerprint", "-sha256"]);
        let shown = String::from_utf8(shown).unwrap();
        shown.split_once('=').unwrap().1.trim().replace(':', "").to_lowercase()
    }

    /// Some hours after now, as a GeneralizedTime: certificates made now are valid then.
    pub fn soon(&self) -> String {
        let words = ["x509", "-in", "tsa.pem", "-noout", "-enddate", "-dateopt", "iso_8601"];
        // notAfter=2027-11-21 16:20:00Z
        let end = String::from_utf8(self.openssl(&words)).unwrap();
        let digits: String = end.chars().filter(char::is_ascii_digit).collect();
        let year: u64 = digits[..4].parse().unwrap();
        format!("{}1231235959Z", if &digits[4..8] == "1231" { year } else { year - 1 })
    }
}
