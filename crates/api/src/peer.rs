use std::net::SocketAddr;

/// Where a connection comes from. In the extensions of every request; behind a proxy it is the proxy's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// The certificate that a client has proven to own, issued by an authority that the operator trusts for that. In the
/// extensions of each request on a connection whose client presented one; there is none without TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCert {
    /// SHA-256 over the DER of the end-entity certificate; what `openssl x509 -fingerprint -sha256` shows.
    pub sha256: [u8; 32],
    /// Its subject for people to read, most significant part first, such as `O=Example, CN=agent-7`. Chosen by whoever
    /// asked for the certificate: escape it before it is shown, and decide nothing by it.
    pub subject: String,
}
