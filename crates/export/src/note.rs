//! The signature over a manifest. Its second line is no number, so that it can never be taken for a checkpoint.

use tlog::{Note, NoteError, SigningKey, VerifierKey};

/// The first line of the text, and the `type` of a manifest.
pub const TYPE: &str = "ledgerstone/evidence/v1";

/// Signs a manifest.
///
/// # Errors
/// An origin that can't stand in a note.
pub fn sign(origin: &str, manifest_sha256: &[u8; 32], key: &SigningKey) -> Result<String, NoteError> {
    let text = text(origin, manifest_sha256);
    Ok(Note::new(&text, vec![key.sign(&text)])?.to_string())
}

/// What is signed.
pub fn text(origin: &str, manifest_sha256: &[u8; 32]) -> String {
    format!("{TYPE}\n{origin}\n{}\n", crate::text::hex(manifest_sha256))
}

/// Checks that the note is the one signature of `key` over this manifest.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn check(
    note: &[u8],
    origin: &str,
    manifest_sha256: &[u8; 32],
    key: &VerifierKey,
) -> Result<(), String> {
    let note = Note::parse(note).map_err(|error| error.to_string())?;
    note.verify(std::slice::from_ref(key)).map_err(|error| error.to_string())?;
    if note.signatures().len() != 1 {
        return Err("the note has signatures beside that of the ledger".to_owned());
    }
    match note.text() == text(origin, manifest_sha256) {
        true => Ok(()),
        false => Err("the note was signed over another manifest".to_owned()),
    }
}
