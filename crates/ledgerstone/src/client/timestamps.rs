//! The timestamps of a verified store: their tokens against the certificates of authorities, and as files for OpenSSL.

use std::fs;
use std::path::Path;

use evidence::verify::{Damage, DamageKind, Report, Stamp};
use timestamp::{Authorities, Expected, Token, VerifyError};
use tlog::{Checkpoint, Hash, Origin};

use crate::failure::{About, Failure};
use crate::time::rfc3339;

/// Reads the certificates of time-stamp authorities.
pub(super) fn authorities(file: &Path) -> Result<Authorities, Failure> {
    let bytes = fs::read(file).about("read", file)?;
    Authorities::parse(&bytes).map_err(|error| Failure::trouble(format!("{}: {error}", file.display())))
}

/// Checks the tokens of a store, or says that they were not checked.
pub(super) fn check(report: &mut Report, authorities: Option<&Authorities>) {
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
                rfc3339(newest.record.gen_time_ms),
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
pub(super) fn write(report: &Report, folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).about("make", folder)?;
    for stamp in &report.timestamps {
        let name = format!("{}-{}-{}", stamp.ledger, stamp.record.size, stamp.index);
        let body = body(stamp).map_err(Failure::trouble)?;
        for (end, bytes) in [("body", body.as_bytes()), ("der", &stamp.record.token)] {
            let path = folder.join(format!("{name}.{end}"));
            fs::write(&path, bytes).about("write", &path)?;
        }
    }
    Ok(())
}

enum Bad {
    /// It is not what its record says.
    False(String),
    /// What is needed to tell is not at hand.
    Unknown(String),
}

fn verify(stamp: &Stamp, authorities: &Authorities) -> Result<(), Bad> {
    let digest = timestamp::digest(body(stamp).map_err(Bad::False)?.as_bytes());
    let token = Token::parse(&stamp.record.token)
        .map_err(|error| Bad::False(format!("malformed timestamp token: {error}")))?;
    let expected = Expected { digest: &digest, nonce: None };
    let verified = token.verify(&expected, authorities).map_err(|error| match error {
        VerifyError::Untrusted { .. } | VerifyError::Unsupported { .. } => Bad::Unknown(error.to_string()),
        error => Bad::False(error.to_string()),
    })?;
    let info = &verified.info;
    let told = (stamp.record.gen_time_ms, stamp.record.accuracy_ms);
    if told != (info.gen_time_ms, info.accuracy.map(|accuracy| accuracy.ms())) {
        return Err(Bad::False("the record says another time than its timestamp token".to_owned()));
    }
    Ok(())
}

/// The three lines that the token is over.
fn body(stamp: &Stamp) -> Result<String, String> {
    let origin = Origin::new(&stamp.origin).map_err(|error| error.to_string())?;
    Ok(Checkpoint { origin, size: stamp.record.size, root: Hash::from_bytes(stamp.record.root) }.to_text())
}
