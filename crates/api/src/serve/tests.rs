//! Real connections over loopback, to a router that tells what it knows of them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread::{self, JoinHandle};

use axum::Extension;
use axum::routing::get;
use env::SystemEnv;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;
use crate::tls::TlsFiles;
use crate::tls::testing::{Authority, Pair, files, install};

/// A server that tells each client what it knows of it.
struct Site {
    dir: TempDir,
    files: TlsFiles,
    authority: Authority,
    clients: Authority,
    tls: Arc<Tls>,
    address: SocketAddr,
    turned: Told,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// The connections that were turned away, and why.
type Told = Arc<Mutex<Vec<Turned>>>;

async fn who(Extension(Peer(peer)): Extension<Peer>, cert: Option<Extension<ClientCert>>) -> String {
    match cert {
        Some(Extension(cert)) => {
            format!("{} {} {}", peer.ip(), evidence::hex::encode(&cert.sha256), cert.subject)
        }
        None => peer.to_string(),
    }
}

impl Site {
    fn start(limits: Limits) -> Site {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path(), true);
        let (authority, clients) = (Authority::new("servers"), Authority::new("clients"));
        install(&files, &authority.server(|_| {}));
        std::fs::write(dir.path().join("clients.pem"), clients.pem()).unwrap();
        std::fs::write(dir.path().join("ca.pem"), authority.pem()).unwrap();
        let tls = Tls::open(files.clone(), Arc::new(SystemEnv::new())).unwrap();
        let turned = Told::default();
        let (address, stop, serving) = run(limits, Some(tls.clone()), turned.clone());
        let (stop, serving) = (Some(stop), Some(serving));
        Site { dir, files, authority, clients, tls, address, turned, stop, serving }
    }

    fn config(&self, pair: Option<&Pair>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.authority.der())).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match pair {
            Some(pair) => {
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![CertificateDer::from(pair.der.clone())], key).unwrap()
            }
            None => builder.with_no_client_auth(),
        })
    }

    fn connect(&self, config: &Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
        let session = ClientConnection::new(config.clone(), "localhost".try_into().unwrap()).unwrap();
        StreamOwned::new(session, tcp(self.address))
    }

    /// Waits until so many connections were turned away. Each ends on its own, so that their order tells nothing.
    #[track_caller]
    fn expect_turned(&self, expected: &[Turned]) {
        let clock = SystemEnv::new();
        while self.turned.lock().unwrap().len() < expected.len() && env::Clock::monotonic(&clock) < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        let turned = self.turned.lock().unwrap().clone();
        let count = |list: &[Turned], why| list.iter().filter(|turned| **turned == why).count();
        let as_often = |why: &Turned| count(&turned, *why) == count(expected, *why);
        assert!(
            turned.len() == expected.len() && expected.iter().all(as_often),
            "{turned:?}, not {expected:?}"
        );
    }

    /// One request on a connection of its own.
    fn ask(&self, config: &Arc<ClientConfig>) -> io::Result<String> {
        ask(&mut self.connect(config), true)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(serving) = self.serving.take()
            && !thread::panicking()
        {
            serving.join().unwrap();
        }
    }
}

fn run(
    limits: Limits,
    tls: Option<Arc<Tls>>,
    told: Told,
) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let (bound, address) = mpsc::channel();
    let (stop, stopping) = oneshot::channel::<()>();
    let serving = thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            bound.send(listener.local_addr().unwrap()).unwrap();
            let stopping = async {
                let _ = stopping.await;
            };
            let router = Router::new().route("/who", get(who));
            let turned = Box::new(move |turned| told.lock().unwrap().push(turned));
            accept(router, limits, tls, turned, listener, stopping).await.unwrap();
        });
    });
    (address.recv().unwrap(), stop, serving)
}

fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Asks who it is, and gives the body of a good answer.
fn ask(stream: &mut (impl Read + Write), close: bool) -> io::Result<String> {
    let end = if close { "Connection: close\r\n" } else { "" };
    stream.write_all(format!("GET /who HTTP/1.1\r\nHost: localhost\r\n{end}\r\n").as_bytes())?;
    let mut answer = Vec::new();
    loop {
        let mut some = [0; 1024];
        let got = stream.read(&mut some)?;
        answer.extend(&some[..got]);
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            assert!(head.starts_with("HTTP/1.1 200"), "{text}");
            let len = head.to_lowercase();
            let len = len.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
            if body.len() == len.parse::<usize>().unwrap() {
                return Ok(body.to_owned());
            }
        }
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// What comes until the other side closes.
fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset after the last byte is a close as well; that nothing comes is none.
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_ne!(error.kind(), io::ErrorKind::WouldBlock, "it stays open");
    }
    bytes
}

#[test]
fn refusals_are_as_long_as_they_say() {
    for text in [TOO_MANY, TOO_MANY_OF_ONE, SPEAKS_TLS] {
        let text = std::str::from_utf8(text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
        record::json::parse(body.as_bytes()).unwrap();
    }
}

#[test]
fn handlers_know_the_address_without_tls_too() {
    let (address, stop, serving) = run(Limits::default(), None, Told::default());
    let mut stream = tcp(address);
    let local = stream.local_addr().unwrap().to_string();
    assert_eq!(ask(&mut stream, true).unwrap(), local);
    drop(stop);
    serving.join().unwrap();
}

#[test]
fn tls_1_3_is_spoken_and_a_client_needs_no_certificate() {
    let site = Site::start(Limits::default());
    let mut stream = site.connect(&site.config(None));
    let local = stream.sock.local_addr().unwrap().to_string();
    assert_eq!(ask(&mut stream, false).unwrap(), local);
    assert_eq!(ask(&mut stream, true).unwrap(), local);
    assert_eq!(stream.conn.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
}

#[test]
fn http_2_is_agreed_upon_by_name() {
    let site = Site::start(Limits::default());
    let mut config = Arc::unwrap_or_clone(site.config(None));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut stream = site.connect(&Arc::new(config));
    // The preface and an empty SETTINGS frame (RFC 9113 sections 3.4 and 6.5).
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).unwrap();
    assert_eq!((head[3], &head[5..]), (4, &[0; 4][..]), "a SETTINGS frame on stream 0 comes first");
    let mut config = Arc::unwrap_or_clone(site.config(None));
    config.alpn_protocols = vec![b"spdy/3".to_vec()];
    let error = site.ask(&Arc::new(config)).unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
}

#[test]
fn a_client_is_known_by_its_certificate() {
    let site = Site::start(Limits::default());
    let pair = site.clients.client("agent-7");
    let sha256: [u8; 32] =
        sha2::Digest::finalize(sha2::Digest::chain_update(sha2::Sha256::default(), &pair.der)).into();
    let config = site.config(Some(&pair));
    let expected = format!("127.0.0.1 {} O=Example, CN=agent-7", evidence::hex::encode(&sha256));
    // The second one could take up the session of the first, if the server let it.
    for _ in 0..2 {
        let mut stream = site.connect(&config);
        assert_eq!(ask(&mut stream, true).unwrap(), expected);
        assert_eq!(stream.conn.handshake_kind(), Some(rustls::HandshakeKind::Full));
    }
}

#[test]
fn a_certificate_of_someone_else_or_for_something_else_is_refused() {
    let site = Site::start(Limits::default());
    let stranger = Authority::new("clients").client("agent-7");
    let error = site.ask(&site.config(Some(&stranger))).unwrap_err();
    assert!(error.to_string().contains("alert"), "{error}");
    site.expect_turned(&[Turned::NoHandshake]);
    let mut ended = site.clients.server(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    assert!(site.ask(&site.config(Some(&ended))).is_err());
    ended = site.clients.server(|params| {
        params.extended_key_usages.push(rcgen::ExtendedKeyUsagePurpose::ServerAuth);
    });
    assert!(site.ask(&site.config(Some(&ended))).is_err());
    site.ask(&site.config(None)).unwrap();
}

#[test]
fn clear_text_is_told_that_tls_is_wanted_and_anything_else_is_closed() {
    let site = Site::start(Limits::default());
    let mut stream = tcp(site.address);
    stream.write_all(b"GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let answer = String::from_utf8(rest(stream)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("use https://"), "{answer}");
    // A record that says it is a handshake, and is none.
    let mut stream = tcp(site.address);
    stream.write_all(b"\x16GET / HTTP/1.1\r\n\r\n").unwrap();
    let answer = rest(stream);
    assert!(answer.is_empty() || answer[0] == 21, "nothing, or an alert: {answer:?}");
    site.ask(&site.config(None)).unwrap();
    // Whoever only asks whether the port is open is no failure.
    drop(tcp(site.address));
    site.ask(&site.config(None)).unwrap();
    site.expect_turned(&[Turned::ClearText, Turned::NoHandshake]);
}

#[test]
fn one_too_many_gets_no_clear_text() {
    let site = Site::start(Limits { connections: 2, ..Limits::default() });
    let config = site.config(None);
    let mut held = [site.connect(&config), site.connect(&config)];
    held.iter_mut().for_each(|stream| drop(ask(stream, false).unwrap()));
    assert_eq!(rest(tcp(site.address)), b"");
    site.expect_turned(&[Turned::TooMany]);
    drop(held);
    let clock = SystemEnv::new();
    while site.ask(&config).is_err() {
        assert!(env::Clock::monotonic(&clock) < PATIENCE, "there is no room again");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn handshakes_that_stall_hold_up_nobody() {
    // Nobody who waits for a handshake to end by itself gets anywhere.
    let hour = Duration::from_secs(3600);
    let site = Site::start(Limits { handshakes: 4, handshake_wait: hour, ..Limits::default() });
    let config = site.config(None);
    let mut stalled: Vec<TcpStream> = (0..20)
        .map(|at| {
            let mut stream = tcp(site.address);
            // Some say nothing, some begin.
            stream.write_all(&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..at % 10]).unwrap();
            stream
        })
        .collect();
    for _ in 0..10 {
        site.ask(&config).unwrap();
    }
    // All but the last four have been closed, and are not waited for; those four stay, as a client's leaving is told
    // otherwise.
    let closed = stalled.drain(..16).map(rest).collect::<Vec<_>>();
    assert!(closed.iter().all(Vec::is_empty));
    assert!(site.turned.lock().unwrap().iter().all(|turned| *turned == Turned::Late));
}

#[test]
fn a_handshake_that_takes_too_long_is_ended() {
    let site = Site::start(Limits { handshake_wait: Duration::from_millis(100), ..Limits::default() });
    for start in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut stream = tcp(site.address);
        stream.write_all(start).unwrap();
        assert_eq!(rest(stream), b"");
    }
    site.expect_turned(&[Turned::Late; 2]);
    // Somebody who is in time: on a busy machine perhaps not the first time.
    let (config, clock) = (site.config(None), SystemEnv::new());
    while site.ask(&config).is_err() {
        assert!(env::Clock::monotonic(&clock) < PATIENCE, "nobody is served any more");
    }
}

#[test]
fn new_files_are_taken_up_under_load_without_a_failed_request() {
    let site = Site::start(Limits::default());
    let config = site.config(None);
    let served_by = |stream: &StreamOwned<ClientConnection, TcpStream>| {
        stream.conn.peer_certificates().unwrap()[0].to_vec()
    };
    let mut kept = site.connect(&config);
    ask(&mut kept, false).unwrap();
    let (before, done, asked) = (served_by(&kept), AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                // Whoever fails ends the load, and with it the wait below.
                let _ends = Ends(&done);
                while !done.load(Ordering::SeqCst) {
                    site.ask(&config).unwrap();
                    asked.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let _ends = Ends(&done);
        // Until all of them have certainly asked in between.
        let under_load = || {
            let until = asked.load(Ordering::SeqCst) + 6;
            while asked.load(Ordering::SeqCst) < until {
                assert!(!done.load(Ordering::SeqCst), "a request failed");
                thread::sleep(Duration::from_millis(5));
            }
        };
        for _ in 0..5 {
            install(&site.files, &site.authority.server(|_| {}));
            let mut told = Vec::new();
            site.tls.look(&mut |news| told.push(news.sentence));
            under_load();
            site.tls.look(&mut |news| told.push(news.sentence));
            assert!(matches!(&told[..], [one] if one.contains("are in use")), "{told:?}");
            // What went before goes on.
            ask(&mut kept, false).unwrap();
            under_load();
        }
    });
    let mut new = site.connect(&config);
    ask(&mut new, true).unwrap();
    assert_ne!(served_by(&new), before);
    assert_eq!(served_by(&kept), before);
}

/// Tells when it goes, by a failure or not.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Runs a program that speaks TLS, if this machine has it: standard output and error in one.
fn foreign(program: &str, dir: &Path, args: &[&str]) -> Option<String> {
    let run = Command::new(program).current_dir(dir).args(args).stdin(Stdio::null()).output();
    let Ok(output) = run else {
        println!("SKIPPED: this machine has no {program}");
        return None;
    };
    Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn curl_is_served_by_tls_1_3_and_not_by_1_2() {
    let site = Site::start(Limits::default());
    let client = site.clients.client("curl");
    std::fs::write(site.dir.path().join("client.pem"), client.pem + &client.key).unwrap();
    let url = format!("https://localhost:{}/who", site.address.port());
    let at = format!("localhost:{}:127.0.0.1", site.address.port());
    let curl = |more: &[&str]| {
        let args = ["-sS", "--noproxy", "*", "--cacert", "ca.pem", "--resolve", &at, &url];
        foreign("curl", site.dir.path(), &[&args, more].concat())
    };
    let Some(answer) = curl(&["--tlsv1.3", "-w", " %{http_version}"]) else { return };
    assert!(answer.starts_with("127.0.0.1:") && answer.ends_with(" 2"), "{answer}");
    let answer = curl(&["--tlsv1.3", "--http1.1", "--cert", "client.pem"]).unwrap();
    assert!(answer.ends_with("O=Example, CN=curl"), "{answer}");
    let answer = curl(&["--tls-max", "1.2"]).unwrap();
    assert!(answer.contains("alert protocol version"), "{answer}");
}

#[test]
fn openssl_is_refused_with_tls_1_2() {
    let site = Site::start(Limits::default());
    let connect = site.address.to_string();
    let args = ["s_client", "-connect", &connect, "-CAfile", "ca.pem", "-servername", "localhost"];
    let Some(told) = foreign("openssl", site.dir.path(), &[&args[..], &["-tls1_2"]].concat()) else { return };
    assert!(told.contains("alert protocol version"), "{told}");
    let told = foreign("openssl", site.dir.path(), &[&args[..], &["-tls1_3"]].concat()).unwrap();
    assert!(told.contains("Verify return code: 0 (ok)") && told.contains("TLSv1.3"), "{told}");
}
