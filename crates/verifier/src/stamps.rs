//! Timestamps that a ledger has on record: their tokens against the certificates of authorities, and as files for OpenSSL.

use std::fs;
use std::io;
use std::path::Path;

use evidence::verify::{Damage, DamageKind, Report, Stamp};
use export::verify::{Bad, Tokens, Told};
use timestamp::{Authorities, AuthoritiesError, Expected, Token, VerifyError};
use tlog::{Checkpoint, Hash, Origin};

use crate::output::utc;

/// Certificates of time-stamp authorities whose tokens are believed.
pub struct TimeStampAuthorities(Authorities);

impl TimeStampAuthorities {
    /// Reads them as PEM.
    ///
    /// # Errors
    /// They are none, or not such as can sign tokens.
    pub fn parse(pem: &[u8]) -> Result<Self, AuthoritiesError> {
        Authorities::parse(pem).map(Self)
    }
}

impl Tokens for TimeStampAuthorities {
    fn judge(&self, body: &str, token: &[u8]) -> Result<Told, Bad> {
        let malformed = |error| Bad::False(format!("malformed timestamp token: {error}"));
        let token = Token::parse(token).map_err(malformed)?;
        let expected = Expected { digest: &timestamp::digest(body.as_bytes()), nonce: None };
        let verified = token.verify(&expected, &self.0).map_err(|error| match error {
            VerifyError::Untrusted { .. } | VerifyError::Unsupported { .. } => {
                Bad::Unknown(error.to_string())
            }
            error => Bad::False(error.to_string()),
        })?;
        let info = verified.info;
        Ok(Told { gen_time_ms: info.gen_time_ms, accuracy_ms: info.accuracy.map(|accuracy| accuracy.ms()) })
    }
}

/// Checks the tokens of a store, or says that they were not checked.
pub fn judge_timestamps(report: &mut Report, authorities: Option<&TimeStampAuthorities>) {
    let stamps = std::mem::take(&mut report.timestamps);
    let Some(authorities) = authorities else {
        if !stamps.is_empty() {
            let note = "timestamps are not checked without the authorities' certificates: --tsa-ca";
            report.notes.push(format!("{note}: {} of them", stamps.len()));
        }
        report.timestamps = stamps;
        return;
    };
    let mut ledgers: Vec<String> = report.ledgers.iter().map(|ledger| ledger.name.clone()).collect();
    ledgers.retain(|name| stamps.iter().any(|stamp| stamp.ledger == *name));
    let (mut good, mut undecided): (Vec<&Stamp>, Option<(String, usize)>) = (Vec::new(), None);
    for stamp in &stamps {
        match verify(stamp, authorities) {
            Ok(()) => good.push(stamp),
            // Whose token it is lies outside the store.
            Err(Bad::Unknown(why)) => {
                undecided = Some(undecided.map_or((why, 1), |(why, count)| (why, count + 1)))
            }
            Err(Bad::False(why)) => {
                let file = evidence::layout::ledger_dir(&stamp.ledger);
                let damage = Damage::new(DamageKind::Signature, file, why);
                report.damage.push(damage.of(&stamp.ledger, stamp.index, stamp.index + 1));
            }
        }
    }
    for name in ledgers {
        let good: Vec<&&Stamp> = good.iter().filter(|stamp| stamp.ledger == name).collect();
        if let Some(newest) = good.iter().max_by_key(|stamp| stamp.record.size) {
            report.notes.push(format!(
                "{name}: timestamps verified: {}; the first {} entries existed at {}, says {}",
                good.len(),
                newest.record.size,
                utc(newest.record.gen_time_ms),
                newest.record.authority
            ));
        }
    }
    if let Some((why, count)) = undecided {
        report.undecided.push(format!("timestamps could not be checked: {count}; the first: {why}"));
    }
    report.timestamps = stamps;
}

/// Writes what `openssl ts -verify` needs for each: `LEDGER-SIZE-INDEX.body` and the token, `.der`.
///
/// # Errors
/// A file can't be written; its name is in the message.
pub fn write_timestamps(report: &Report, folder: &Path) -> io::Result<()> {
    let about =
        |path: &Path, error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    fs::create_dir_all(folder).map_err(|error| about(folder, error))?;
    for stamp in &report.timestamps {
        let name = format!("{}-{}-{}", stamp.ledger, stamp.record.size, stamp.index);
        let body = body(stamp).map_err(io::Error::other)?;
        for (end, bytes) in [("body", body.as_bytes()), ("der", &stamp.record.token)] {
            let path = folder.join(format!("{name}.{end}"));
            fs::write(&path, bytes).map_err(|error| about(&path, error))?;
        }
    }
    Ok(())
}

fn verify(stamp: &Stamp, authorities: &TimeStampAuthorities) -> Result<(), Bad> {
    let told = authorities.judge(&body(stamp).map_err(Bad::False)?, &stamp.record.token)?;
    if (stamp.record.gen_time_ms, stamp.record.accuracy_ms) != (told.gen_time_ms, told.accuracy_ms) {
        return Err(Bad::False("the record says another time than its timestamp token".to_owned()));
    }
    Ok(())
}

/// The three lines that the token is over.
fn body(stamp: &Stamp) -> Result<String, String> {
    let origin = Origin::new(&stamp.origin).map_err(|error| error.to_string())?;
    Ok(Checkpoint { origin, size: stamp.record.size, root: Hash::from_bytes(stamp.record.root) }.to_text())
}
