//! From the files that an operator names to what connections are accepted with.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use env::Env;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{InconsistentKeys, RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};

use super::x509::{self, Facts};

/// Files are read up to here; a chain of a hundred certificates is far below.
const MAX_FILE: u64 = 1 << 20;

/// Where certificate, key and the authorities of clients lie, all as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, followed by those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key (PKCS #8, SEC 1 or PKCS #1, not encrypted), readable by its owner alone.
    pub key: PathBuf,
    /// Certificates of the authorities that issue certificates to clients.
    pub client_ca: Option<PathBuf>,
}

/// Why certificate and key can't be used; a sentence that names the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError(String);

impl TlsError {
    pub(super) fn new(what: String) -> TlsError {
        TlsError(what)
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

/// The bytes of all files.
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// What connections are accepted with.
pub(super) struct Loaded {
    /// Digest of the files that it was made from.
    pub digest: [u8; 32],
    pub config: Arc<ServerConfig>,
    pub leaf: Leaf,
}

/// The server's certificate itself.
#[derive(Clone)]
pub(super) struct Leaf {
    /// SHA-256 over its DER.
    pub sha256: [u8; 32],
    pub facts: Facts,
}

impl Contents {
    pub(super) fn read(files: &TlsFiles) -> Result<Contents, TlsError> {
        Ok(Contents {
            certificate: read(&files.certificate, "certificate")?,
            key: read_key(&files.key)?,
            client_ca: files.client_ca.as_deref().map(|path| read(path, "client authorities")).transpose()?,
        })
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [&self.certificate, &self.key].into_iter().chain(&self.client_ca) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    /// The server's certificate, whatever the rest is worth.
    pub(super) fn leaf(&self, files: &TlsFiles) -> Option<Leaf> {
        leaf(&certificates(&self.certificate, &files.certificate).ok()?)
    }

    /// Makes of it what connections are accepted with, if the parts fit together. Times are not judged here.
    pub(super) fn load(&self, files: &TlsFiles, env: &Arc<dyn Env>) -> Result<Loaded, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = certificates(&self.certificate, &files.certificate)?;
        let at = files.certificate.display();
        let leaf = leaf(&chain);
        let leaf = leaf.ok_or_else(|| TlsError(format!("the first certificate can't be read in {at}")))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| {
            TlsError(format!(
                "there is no usable private key ({}) in {}",
                of_pem(&error),
                files.key.display()
            ))
        })?;
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|error| {
            TlsError(match error {
                rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    format!("the key in {} is not that of the certificate in {at}", files.key.display())
                }
                error => format!("{} and {at} can't be used: {error}", files.key.display()),
            })
        })?;
        let time = Arc::new(EnvTime(env.clone()));
        let builder = ServerConfig::builder_with_details(provider.clone(), time)
            // Named, since another crate might switch on the support for older ones.
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| TlsError(format!("TLS 1.3 is not to be had: {error}")))?;
        let builder = match (&self.client_ca, &files.client_ca) {
            (Some(pem), Some(path)) => builder.with_client_cert_verifier(verifier(pem, path, provider)?),
            _ => builder.with_no_client_auth(),
        };
        let mut config =
            builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        if self.client_ca.is_some() {
            // A session that is taken up again is not verified again: it could outlive the client's certificate.
            config.send_tls13_tickets = 0;
        }
        Ok(Loaded { digest: self.digest(), config: Arc::new(config), leaf })
    }
}

/// What verifies the certificates of clients, of whom none needs to have one: most bring a token.
fn verifier(
    pem: &[u8],
    path: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, path)? {
        let added = roots.add(certificate);
        added
            .map_err(|error| TlsError(format!("no authority can be read in {}: {error}", path.display())))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|error| TlsError(format!("the authorities in {} can't be used: {error}", path.display())))
}

fn leaf(chain: &[CertificateDer<'_>]) -> Option<Leaf> {
    let first = chain.first()?;
    Some(Leaf { sha256: Sha256::digest(first).into(), facts: x509::facts(first)? })
}

fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let what = match list {
        Ok(list) if !list.is_empty() => return Ok(list),
        Ok(_) => "no CERTIFICATE section".to_owned(),
        Err(error) => of_pem(&error),
    };
    Err(TlsError(format!("there is no usable certificate ({what}) in {}", path.display())))
}

/// Said without the lines themselves, which may be of a key.
fn of_pem(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section without its end".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a section that begins wrongly".to_owned(),
        pem::Error::Base64Decode(_) => "a section that is not base64".to_owned(),
        pem::Error::NoItemsFound => "no section of that kind, unencrypted".to_owned(),
        _ => "no PEM".to_owned(),
    }
}

fn read_key(path: &Path) -> Result<Vec<u8>, TlsError> {
    let meta = fs::metadata(path).map_err(|error| unreadable(path, "key", &error))?;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let path = path.display();
        return Err(TlsError(format!(
            "others may read the TLS key {path} (its mode is {mode:03o}); close it with: chmod 600 {path}"
        )));
    }
    read(path, "key")
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(path, what, &error))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(TlsError(format!("this is no PEM file, it is longer than 1 MiB: {}", path.display())));
    }
    Ok(bytes)
}

fn unreadable(path: &Path, what: &str, error: &std::io::Error) -> TlsError {
    TlsError(format!("can't read the TLS {what} in {}: {error}", path.display()))
}

/// The time by which the certificates of clients are judged.
struct EnvTime(Arc<dyn Env>);

impl TimeProvider for EnvTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(self.0.now_ms())))
    }
}

impl fmt::Debug for EnvTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvTime")
    }
}
