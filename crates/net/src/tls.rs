//! TLS to a server: whom to trust, who we are, and what it means when it does not come about.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore,
    SignatureScheme, StreamOwned,
};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, TcpConnector, Transport,
    TransportAdapter,
};

/// Whom to trust and who we are, as files in PEM.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// Authorities to trust instead of those of the system; each is also taken itself, as a certificate that signed
    /// itself must be.
    pub ca: Option<PathBuf>,
    /// A certificate that is taken as it is besides; that it can't be read is no error.
    pub known: Option<PathBuf>,
    /// Our certificate and its private key, for servers that ask who we are.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Why TLS can't be spoken at all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsError {
    /// A file can't be read.
    Read {
        /// What was expected in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// A file does not hold what it should.
    Missing {
        /// What was expected in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// Certificate and private key don't go together.
    Identity {
        /// File of the certificate.
        certificate: PathBuf,
        /// File of the key.
        key: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Neither the system nor the settings name anybody to trust.
    NobodyTrusted,
    /// The TLS library refuses.
    Unusable(String),
}

impl TlsError {
    /// What to do about it; may be empty.
    pub fn advice(&self) -> &'static str {
        match self {
            TlsError::NobodyTrusted => {
                "install them (ca-certificates), or give the one of the server with --ca FILE"
            }
            _ => "",
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::Read { what, path, why } => {
                write!(f, "can't read the {what} in {}: {why}", path.display())
            }
            TlsError::Missing { what, path } => write!(f, "there is no {what} (PEM) in {}", path.display()),
            TlsError::Identity { certificate, key, why } => {
                write!(f, "{} and {} don't go together: {why}", certificate.display(), key.display())
            }
            TlsError::NobodyTrusted => {
                f.write_str("this system trusts no authorities of certificates, so no server can be trusted")
            }
            TlsError::Unusable(why) => write!(f, "TLS can't be used: {why}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// An agent that speaks TLS 1.3 and nothing else, and trusts as `settings` say. For callers that read an answer while
/// it comes; all others use [`crate::HttpNet`].
///
/// # Errors
/// A file can't be read or used, or there is nobody to trust.
pub fn agent(config: ureq::config::Config, settings: &TlsSettings) -> Result<ureq::Agent, TlsError> {
    let provider = Arc::new(crypto::ring::default_provider());
    let unusable = |error: rustls::Error| TlsError::Unusable(error.to_string());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trust::of(settings, provider)?));
    let mut tls = match &settings.identity {
        Some((certificate, key)) => {
            let what = "unencrypted private key";
            let pem = read(key, what)?;
            let private = PrivateKeyDer::from_pem_slice(&pem)
                .map_err(|_| TlsError::Missing { what, path: key.clone() })?;
            builder.with_client_auth_cert(certificates(certificate)?, private).map_err(|error| {
                TlsError::Identity {
                    certificate: certificate.clone(),
                    key: key.clone(),
                    why: error.to_string(),
                }
            })?
        }
        None => builder.with_no_client_auth(),
    };
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let connector = ().chain(TcpConnector::default()).chain(TlsConnector(Arc::new(tls)));
    Ok(ureq::Agent::with_parts(config, connector, DefaultResolver::default()))
}

/// What is wrong with the other side, and what to do, if that came out before anything was sent; `None` if an error is
/// about something else.
pub fn distrust(error: &ureq::Error) -> Option<(String, &'static str)> {
    let ureq::Error::Io(error) = error else { return None };
    let error = error.get_ref()?;
    // A server tells what it thinks of a client's certificate when the client takes the handshake to be over; it has
    // looked at nothing that came after (RFC 8446 section 4.4.2.4).
    if let Some(rustls::Error::AlertReceived(alert)) = error.downcast_ref()
        && is_about_certificate(*alert)
    {
        return Some((
            format!("the server refuses the certificate that it was shown, or wants one ({alert:?})"),
            OURS,
        ));
    }
    let NoHandshake(error) = error.downcast_ref()?;
    Some(match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            ("nobody who is trusted has issued its certificate".to_owned(), CA)
        }
        rustls::Error::InvalidCertificate(
            error @ (CertificateError::Expired | CertificateError::ExpiredContext { .. }),
        ) => (format!("its certificate has ended: {error}"), "its operator must install a new one"),
        rustls::Error::InvalidCertificate(
            error @ (CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }),
        ) => (format!("its certificate has another name: {error}"), "use a name that the certificate is for"),
        rustls::Error::InvalidCertificate(error) => (format!("its certificate is refused: {error}"), CA),
        rustls::Error::InvalidMessage(_) => (
            "what answers there speaks no TLS".to_owned(),
            "look at the port, or use http:// on this machine",
        ),
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
        | rustls::Error::PeerIncompatible(_) => {
            ("the other side does not speak TLS 1.3".to_owned(), "nothing older is used")
        }
        error => (error.to_string(), "look at the address, and at what the server logs"),
    })
}

const CA: &str = "give the certificate of its authority with --ca FILE";
const OURS: &str = "give one that the server trusts with --client-cert FILE --client-key FILE";

fn is_about_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            // An authority of the same name with another key.
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied
    )
}

/// An error of the handshake: nothing was sent.
#[derive(Debug)]
struct NoHandshake(rustls::Error);

impl fmt::Display for NoHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for NoHandshake {}

/// Keeps apart what went wrong before anything was sent.
fn of_handshake(error: io::Error) -> ureq::Error {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    if let Some(error) = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
        return io::Error::new(io::ErrorKind::InvalidData, NoHandshake(error.clone())).into();
    }
    match error.kind() {
        // A server with too many connections closes the next.
        UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe => ureq::Error::ConnectionFailed,
        _ => error.into(),
    }
}

/// Which certificates of servers are taken.
#[derive(Debug)]
struct Trust {
    /// Taken as they are, under any name: the one in the settings of the store whose token is used, and those that
    /// were given as authorities, so that a certificate that signed itself can be given as well.
    known: Vec<CertificateDer<'static>>,
    /// Taken if one of these authorities has issued them for the name that was asked for.
    issued: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl Trust {
    fn of(settings: &TlsSettings, provider: Arc<CryptoProvider>) -> Result<Trust, TlsError> {
        let mut known = Vec::new();
        let mut roots = RootCertStore::empty();
        if let Some(path) = &settings.ca {
            known = certificates(path)?;
            roots.add_parsable_certificates(known.iter().cloned());
        } else {
            // The system's, so that an authority that an organisation has installed is trusted here as elsewhere.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        // Not being able to read it is no reason to fail: it is only another way to trust.
        let own = settings.known.as_ref().and_then(|path| certificates(path).ok());
        known.extend(own.into_iter().flatten().take(1));
        let issued = match roots.is_empty() {
            true => None,
            false => {
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().ok()
            }
        };
        if issued.is_none() && known.is_empty() {
            return Err(TlsError::NobodyTrusted);
        }
        Ok(Trust { known, issued, provider })
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.known.iter().any(|known| known == end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.issued {
            Some(issued) => issued.verify_server_cert(end_entity, intermediates, name, ocsp, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    /// Of TLS 1.2, which is not spoken.
    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let what = "certificate";
    match CertificateDer::pem_slice_iter(&read(path, what)?).collect::<Result<Vec<_>, _>>() {
        Ok(list) if !list.is_empty() => Ok(list),
        _ => Err(TlsError::Missing { what, path: path.to_owned() }),
    }
}

fn read(path: &Path, what: &'static str) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError::Read {
        what,
        path: path.to_owned(),
        why: error.to_string(),
    })
}

/// Puts TLS on a TCP connection. Every agent it is in is for https:// alone.
struct TlsConnector(Arc<ClientConfig>);

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = TlsTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<TlsTransport>, ureq::Error> {
        let Some(transport) = chained else { return Ok(None) };
        let host = details.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| ureq::Error::BadUri(format!("no name that a certificate could have: {host}")))?;
        let mut session = ClientConnection::new(self.0.clone(), name)
            .map_err(|error| ureq::Error::Other(Box::new(error)))?;
        let mut socket =
            TransportAdapter::new(Box::new(transport) as Box<dyn Transport>, details.current_time.clone());
        socket.set_timeout(details.timeout);
        // Here, not with the first bytes: until it is done, nothing was sent.
        while session.is_handshaking() {
            session.complete_io(&mut socket).map_err(of_handshake)?;
        }
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(TlsTransport { buffers, stream: StreamOwned::new(session, socket) }))
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsConnector")
    }
}

/// A TCP connection with TLS on it.
struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        self.stream.write_all(&self.buffers.output()[..amount])?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let got = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(got);
        Ok(got > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}
