//! Answers without a token.

use timestamp::{Refused, ResponseError};

use crate::authority::{EC, Folder, Settings, der, digest};

#[test]
fn an_authority_that_refuses_says_why() {
    let folder = Folder::with_signer(EC, EC);
    folder.openssl(&["ts", "-query", "-data", "data", "-sha512", "-cert", "-out", "q"]);
    let reply = folder.reply(&folder.read("q"), &Settings::new("tsa"));
    let ResponseError::Refused(refused) = timestamp::response(&reply).unwrap_err() else { panic!() };
    assert_eq!((refused.status, &refused.reasons[..]), (2, &["unrecognized or unsupported algorithm"][..]));
    assert!(refused.text.contains("not supported"), "{}", refused.text);

    folder.openssl(&["ts", "-query", "-data", "data", "-sha256", "-tspolicy", "1.2.3", "-out", "q"]);
    let reply = folder.reply(&folder.read("q"), &Settings::new("tsa"));
    let ResponseError::Refused(refused) = timestamp::response(&reply).unwrap_err() else { panic!() };
    assert_eq!(refused.reasons, ["the requested policy is not supported"]);

    let reply = folder.reply(b"\x30\x03\x02\x01\x01", &Settings::new("tsa"));
    let why = timestamp::response(&reply).unwrap_err().to_string();
    assert!(
        why.starts_with("authority gives no timestamp: rejection: the data submitted has the wrong format"),
        "{why}"
    );
}

#[test]
fn answers_that_are_none() {
    let folder = Folder::with_signer(EC, EC);
    let reply = folder.reply(&timestamp::request(&digest(), 1), &Settings::new("tsa"));
    let why = |bytes: &[u8]| timestamp::response(bytes).unwrap_err().to_string();
    assert_eq!(
        why(b"<html>not found</html>"),
        "malformed timestamp response: response is no sequence, byte 0"
    );
    assert_eq!(why(b""), "malformed timestamp response: response is no sequence, byte 0");
    assert_eq!(
        why(&[&reply[..], &[0]].concat()),
        format!("malformed timestamp response: bytes after the response, byte {}", reply.len())
    );
    let empty = der::element(0x30, &[&der::element(0x30, &[&[2, 1, 0]])]);
    assert_eq!(why(&empty), "malformed timestamp response: response grants a token and has none, byte 7");
    let long = "ü\u{1b}[2J".repeat(500);
    let text = der::element(0x30, &[&der::element(0x0c, &[long.as_bytes()])]);
    let waiting = der::element(0x30, &[&der::element(0x30, &[&[2, 1, 3], &text, &[3, 2, 0, 0x80]])]);
    let ResponseError::Refused(Refused { status, reasons, text }) =
        timestamp::response(&waiting).unwrap_err()
    else {
        panic!()
    };
    assert_eq!((status, reasons), (3, vec!["unrecognized or unsupported algorithm"]));
    assert!(text.len() < 1000 && !text.contains('\u{1b}'), "{text}");
}
