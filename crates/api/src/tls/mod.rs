//! TLS: certificate and key, taken up again when their files change, and what is known of a client's certificate.

mod files;
mod handshakes;
mod x509;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use env::Env;
use rustls::ServerConfig;
use rustls::server::ServerConnection;
use sha2::{Digest, Sha256};

use crate::peer::ClientCert;
use files::{Contents, Leaf, Loaded};

pub use files::{TlsError, TlsFiles};
pub(crate) use handshakes::{Handshake, Handshakes};

/// How often [`Tls::look`] is meant to be called.
pub const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(2);

const DAY_MS: u64 = 86_400_000;

/// Days before the end at which it is told that a certificate ends; at 0 it has.
const WARN_DAYS: [u64; 4] = [30, 7, 1, 0];

/// Certificate and key of a server, kept up to date with their files.
pub struct Tls {
    files: TlsFiles,
    env: Arc<dyn Env>,
    loaded: RwLock<Arc<Loaded>>,
    watched: Mutex<Watched>,
}

/// The certificate in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsStatus {
    /// Its subject, for people.
    pub subject: String,
    /// DNS names and addresses that it is for.
    pub names: Vec<String>,
    /// When it ends, in Unix milliseconds.
    pub not_after_ms: u64,
    /// Whole days until then; 0 on the last one and when it has ended.
    pub days_left: u64,
    /// Whether it has ended.
    pub expired: bool,
    /// SHA-256 over its DER; what `openssl x509 -fingerprint -sha256` shows.
    pub sha256: [u8; 32],
    /// Whether clients may present certificates.
    pub client_certificates: bool,
    /// Why the files as they are now are not what is in use; `None` if they are.
    pub trouble: Option<String>,
}

/// Something about the TLS files that whoever runs the server should be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsNews {
    /// In words; begins `info:`, `warning:` or `error:`.
    pub sentence: String,
    /// What belongs on record, see [`Server::tls_changed`](crate::Server::tls_changed).
    pub change: Option<TlsChange>,
}

/// Files that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsChange {
    /// SHA-256 over the new certificate's DER and its end in Unix milliseconds, as far as it can be read.
    pub certificate: Option<([u8; 32], u64)>,
    /// Why it is not used; `None` if it is.
    pub refused: Option<String>,
}

#[derive(Default)]
struct Watched {
    /// Digest of files that differ from those in use, as the last look found them.
    changed: Option<[u8; 32]>,
    /// What was told about them last.
    trouble: Option<String>,
    /// How many of [`WARN_DAYS`] have been told of the certificate in use.
    warned: usize,
}

impl Tls {
    /// Reads certificate and key. A certificate that has ended, or not begun, is taken all the same: refusing to start
    /// would stop recording, while replacing the file mends it. [`Tls::look`] tells.
    ///
    /// # Errors
    /// A file can't be read or others may read the key; the key is not that of the certificate; no PEM.
    pub fn open(files: TlsFiles, env: Arc<dyn Env>) -> Result<Arc<Tls>, TlsError> {
        let loaded = Contents::read(&files)?.load(&files, &env)?;
        let loaded = RwLock::new(Arc::new(loaded));
        Ok(Arc::new(Tls { files, env, loaded, watched: Mutex::default() }))
    }

    /// Looks at the files and at the time, and gives `tell` each thing that is news: files that were taken up or can't be,
    /// and a certificate that ends soon. To be called every [`LOOK_EVERY`]; it reads files, so not from async code.
    ///
    /// Changed files are taken up at the second look that finds them alike, so that one which is half written, or whose
    /// partner is still to come, is no news. Connections that are open go on as they began.
    pub fn look(&self, tell: &mut dyn FnMut(TlsNews)) {
        let now = self.env.now_ms();
        let mut watched = self.watched();
        let found = Contents::read(&self.files);
        match found.map(|contents| (contents.digest(), contents)) {
            Ok((digest, _)) if digest == self.loaded().digest => {
                if watched.trouble.take().is_some() {
                    tell(news("info: the TLS files are again those in use"));
                }
                watched.changed = None;
            }
            Ok((digest, _)) if watched.changed != Some(digest) => watched.changed = Some(digest),
            Ok((_, contents)) => match self.judge(&contents, now) {
                Ok(loaded) => {
                    let (until, certificate) = (loaded.leaf.facts.not_after.text.clone(), of(&loaded.leaf));
                    *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
                    *watched = Watched::default();
                    tell(TlsNews {
                        sentence: format!(
                            "info: the TLS files have changed and are in use; the certificate is valid until {until}"
                        ),
                        change: Some(TlsChange { certificate: Some(certificate), refused: None }),
                    });
                }
                Err(error) => {
                    let leaf = contents.leaf(&self.files);
                    watched.trouble(error, leaf.as_ref().map(of), tell);
                }
            },
            Err(error) => watched.trouble(error, None, tell),
        }
        watched.warn(&self.loaded(), now, tell);
    }

    /// The certificate in use.
    pub fn status(&self) -> TlsStatus {
        let loaded = self.loaded();
        let (facts, now) = (&loaded.leaf.facts, self.env.now_ms());
        TlsStatus {
            subject: facts.subject.clone(),
            names: facts.names.clone(),
            not_after_ms: facts.not_after.ms,
            days_left: facts.not_after.ms.saturating_sub(now) / DAY_MS,
            expired: facts.not_after.ms <= now,
            sha256: loaded.leaf.sha256,
            client_certificates: self.files.client_ca.is_some(),
            trouble: self.watched().trouble.clone(),
        }
    }

    /// What a connection that begins now is accepted with.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.loaded().config.clone()
    }

    /// What changed files come to, if they may replace those in use.
    fn judge(&self, contents: &Contents, now: u64) -> Result<Loaded, TlsError> {
        let loaded = contents.load(&self.files, &self.env)?;
        let (from, until) = (&loaded.leaf.facts.not_before, &loaded.leaf.facts.not_after);
        let at = self.files.certificate.display();
        if until.ms <= now {
            return Err(TlsError::new(format!("the certificate in {at} ended on {}", until.text)));
        }
        if from.ms > now {
            return Err(TlsError::new(format!("the certificate in {at} is valid only from {}", from.text)));
        }
        Ok(loaded)
    }

    fn loaded(&self) -> Arc<Loaded> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn news(sentence: &str) -> TlsNews {
    TlsNews { sentence: sentence.to_owned(), change: None }
}

fn of(leaf: &Leaf) -> ([u8; 32], u64) {
    (leaf.sha256, leaf.facts.not_after.ms)
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Watched {
    /// Tells why files are not taken up, unless it was told already.
    fn trouble(
        &mut self,
        error: TlsError,
        certificate: Option<([u8; 32], u64)>,
        tell: &mut dyn FnMut(TlsNews),
    ) {
        let error = error.to_string();
        if self.trouble.as_ref() != Some(&error) {
            tell(TlsNews {
                sentence: format!(
                    "error: the TLS files have changed and are not used, the old ones go on: {error}"
                ),
                change: Some(TlsChange { certificate, refused: Some(error.clone()) }),
            });
            self.trouble = Some(error);
        }
    }

    /// Tells that the certificate ends, once for each of [`WARN_DAYS`].
    fn warn(&mut self, loaded: &Loaded, now: u64, tell: &mut dyn FnMut(TlsNews)) {
        let until = &loaded.leaf.facts.not_after;
        let left = until.ms.saturating_sub(now);
        let due = WARN_DAYS.iter().filter(|days| left <= **days * DAY_MS).count();
        if due > self.warned {
            let date = &until.text;
            let sentence = match WARN_DAYS[due - 1] {
                0 => format!(
                    "error: the TLS certificate ended on {date}: clients refuse it until there is a new one"
                ),
                days @ 1 => format!("warning: the TLS certificate ends on {date}, in less than {days} day"),
                days => format!("warning: the TLS certificate ends on {date}, in less than {days} days"),
            };
            tell(news(&sentence));
        }
        self.warned = due;
    }
}

/// The certificate by which the client of a connection is known, if it presented one.
pub(crate) fn client_cert(connection: &ServerConnection) -> Option<ClientCert> {
    // Only a certificate that was verified is told by rustls.
    let certificate = connection.peer_certificates()?.first()?;
    let subject = x509::facts(certificate).map_or_else(String::new, |facts| facts.subject);
    Some(ClientCert { sha256: Sha256::digest(certificate).into(), subject })
}
