//! TLS to a server: whom to trust, who we are, and what it means when it does not come about.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;
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

use super::find;
use crate::cli;
use crate::failure::{About, Failure};

/// An agent that speaks TLS 1.3 and nothing else, and trusts as `args` say.
///
/// # Errors
/// A file can't be read or used, or there is nobody to trust.
pub(super) fn agent(config: ureq::config::Config, args: &cli::Server) -> Result<ureq::Agent, Failure> {
    let provider = Arc::new(crypto::ring::default_provider());
    let unusable = |error: rustls::Error| Failure::trouble(format!("TLS can't be used: {error}"));
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trust::of(args, provider)?));
    let mut tls = match (&args.client_cert, &args.client_key) {
        (Some(certificate), Some(key)) => {
            let pem = std::fs::read(key).about("read the key in", key)?;
            let private = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
                Failure::trouble(format!("there is no unencrypted private key in {}", key.display()))
            })?;
            builder.with_client_auth_cert(certificates(certificate)?, private).map_err(|error| {
                Failure::trouble(format!(
                    "{} and {} don't go together: {error}",
                    certificate.display(),
                    key.display()
                ))
            })?
        }
        _ => builder.with_no_client_auth(),
    };
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let connector = ().chain(TcpConnector::default()).chain(TlsConnector(Arc::new(tls)));
    Ok(ureq::Agent::with_parts(config, connector, DefaultResolver::default()))
}

/// What is wrong with the other side, and what to do, if that came out before anything was sent; `None` if an error is
/// about something else.
pub(super) fn distrust(error: &ureq::Error) -> Option<(String, &'static str)> {
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
    fn of(args: &cli::Server, provider: Arc<CryptoProvider>) -> Result<Trust, Failure> {
        let mut known = Vec::new();
        let mut roots = RootCertStore::empty();
        if let Some(path) = &args.ca {
            known = certificates(path)?;
            roots.add_parsable_certificates(known.iter().cloned());
        } else {
            // The system's, so that an authority that an organisation has installed is trusted here as elsewhere.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        // Not being able to read it is no reason to fail: it is only another way to trust.
        let own = find::certificate(args).and_then(|path| certificates(&path).ok());
        known.extend(own.into_iter().flatten().take(1));
        let issued = match roots.is_empty() {
            true => None,
            false => {
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().ok()
            }
        };
        if issued.is_none() && known.is_empty() {
            return Err(Failure::trouble(
                "this system trusts no authorities of certificates, so no server can be trusted",
            )
            .hint("install them (ca-certificates), or give the one of the server with --ca FILE"));
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

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let pem = std::fs::read(path).about("read the certificates in", path)?;
    match CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>() {
        Ok(list) if !list.is_empty() => Ok(list),
        _ => Err(Failure::trouble(format!("there is no certificate (PEM) in {}", path.display()))),
    }
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
