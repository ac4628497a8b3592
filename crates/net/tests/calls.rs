//! Calls over real sockets, to servers that behave as none should.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where something is not as it should be")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use net::{HttpNet, Net, NetError, Plain, Request, TlsSettings};

/// A server that lets `serve` have each connection once the head of a request was read; gives its port.
fn server(serve: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = serve.clone();
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                    head.push(byte[0]);
                }
                serve(&String::from_utf8_lossy(&head), &mut stream);
            });
        }
    });
    port
}

fn http() -> HttpNet {
    HttpNet::new(&TlsSettings::default(), Plain::Loopback).unwrap()
}

fn get(port: u16) -> Request {
    Request::get(format!("http://127.0.0.1:{port}/a")).within(Duration::from_secs(60))
}

fn send(stream: &mut TcpStream, bytes: &[u8]) {
    drop(stream.write_all(bytes));
}

#[test]
fn an_answer_comes_with_status_headers_and_body() {
    let port = server(|head, stream| {
        assert!(head.starts_with("POST /a HTTP/1.1\r\n"), "{head}");
        assert!(head.to_lowercase().contains("\r\nauthorization: bearer secret\r\n"), "{head}");
        let mut body = [0; 5];
        stream.read_exact(&mut body).unwrap();
        assert_eq!(&body, b"hello");
        send(stream, b"HTTP/1.1 409 Conflict\r\nContent-Type: text/x.tlog.size\r\nRetry-After: 7\r\nContent-Length: 3\r\n\r\n17\n");
    });
    let url = format!("http://127.0.0.1:{port}/a");
    let request = Request::post(url, "text/plain", b"hello".to_vec()).bearer("secret");
    assert!(!format!("{request:?}").contains("secret"));
    let answer = http().call(&request).unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (409, &b"17\n"[..]));
    assert_eq!(answer.header("content-type"), Some("text/x.tlog.size"));
    assert_eq!(answer.retry_after(), Some(Duration::from_secs(7)));
}

#[test]
fn a_redirect_is_an_answer_and_is_not_followed() {
    let port = server(|_, stream| {
        send(stream, b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n");
    });
    let answer = http().call(&get(port)).unwrap();
    assert_eq!((answer.status, answer.header("location")), (302, Some("http://192.0.2.1/")));
}

#[test]
fn an_answer_as_long_as_allowed_is_taken_and_one_byte_more_is_not() {
    for (length, chunked) in [(1000, false), (1001, false), (1000, true), (1001, true)] {
        let port = server(move |_, stream| {
            let body = vec![b'x'; length];
            if chunked {
                let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n");
                send(stream, &[head.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat());
            } else {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                send(stream, &[head.as_bytes(), &body].concat());
            }
        });
        match http().call(&get(port).at_most(1000)) {
            Ok(answer) => assert_eq!((length, answer.body.len()), (1000, 1000)),
            Err(error) => {
                assert_eq!(length, 1001);
                assert!(matches!(error, NetError::TooLarge { limit: 1000, .. }), "{error}");
            }
        }
    }
}

#[test]
fn an_endless_answer_ends_at_the_limit() {
    let port = server(|_, stream| {
        send(stream, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
        while stream.write_all(&chunk).is_ok() {}
    });
    let error = http().call(&get(port)).unwrap_err();
    assert!(matches!(error, NetError::TooLarge { .. }), "{error}");
}

#[test]
fn what_is_compressed_is_limited_by_what_comes_out() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; 100_000]).unwrap();
    let bytes = encoder.finish().unwrap();
    assert!(bytes.len() < 1000);
    let port = server(move |_, stream| {
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", bytes.len());
        send(stream, &[head.as_bytes(), &bytes].concat());
    });
    assert_eq!(http().call(&get(port).at_most(100_000)).unwrap().body, vec![0; 100_000]);
    let error = http().call(&get(port).at_most(99_999)).unwrap_err();
    assert!(matches!(error, NetError::TooLarge { .. }), "{error}");
}

#[test]
fn an_answer_cut_off_is_no_answer() {
    let cut: [&'static [u8]; 5] = [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
    ];
    for bytes in cut {
        let port = server(move |_, stream| send(stream, bytes));
        let error = http().call(&get(port)).unwrap_err();
        assert!(matches!(error, NetError::Broken { .. }), "{bytes:?}: {error}");
        assert!(error.is_passing());
    }
}

#[test]
fn a_server_that_drips_or_says_nothing_is_given_up_in_time() {
    for silent in [true, false] {
        let port = server(move |_, stream| {
            if silent {
                thread::sleep(Duration::from_secs(3600));
            }
            send(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
            while stream.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        });
        let (done, waiting) = std::sync::mpsc::channel();
        thread::spawn(move || done.send(http().call(&get(port).within(Duration::from_millis(400)))));
        let answer = waiting.recv_timeout(Duration::from_secs(60)).expect("given up in time");
        assert!(matches!(answer, Err(NetError::Broken { .. })), "{answer:?}");
    }
}

#[test]
fn where_nobody_listens_is_told_from_where_a_connection_broke() {
    // No free port: another test could be given it meanwhile.
    let error = http().call(&get(1)).unwrap_err();
    assert!(matches!(error, NetError::Unreachable { .. }), "{error}");
}

#[test]
fn nothing_is_sent_in_the_clear_to_another_machine() {
    for url in ["http://192.0.2.1/checkpoint", "ftp://127.0.0.1/", "http://user:secret@127.0.0.1/"] {
        let error = http().call(&Request::get(url)).unwrap_err();
        assert!(matches!(error, NetError::BadRequest { .. }), "{error}");
    }
    let split = Request::get("http://127.0.0.1:1/").header("a", "b\r\nc: d");
    assert!(matches!(http().call(&split), Err(NetError::BadRequest { .. })));
}

/// A certificate that signed itself, and a TLS server that has it; gives its port and the file.
fn tls_server(dir: &std::path::Path, name: &str, drip: bool) -> (u16, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let file = dir.join(format!("{name}.pem"));
    std::fs::write(&file, made.cert.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let config = config.clone();
            thread::spawn(move || {
                if drip {
                    // A record of the handshake that never ends.
                    send(&mut stream, b"\x16\x03\x03\x40\x00");
                    while stream.write_all(b"\x02").is_ok() {
                        thread::sleep(Duration::from_millis(20));
                    }
                    return;
                }
                let session = rustls::ServerConnection::new(config).unwrap();
                let mut tls = rustls::StreamOwned::new(session, stream);
                let mut head = [0; 4096];
                if tls.read(&mut head).is_ok() {
                    drop(tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
                    drop(tls.flush());
                }
            });
        }
    });
    (port, file)
}

#[test]
fn a_certificate_is_trusted_only_if_it_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let (port, file) = tls_server(dir.path(), "localhost", false);
    let request = Request::get(format!("https://localhost:{port}/")).within(Duration::from_secs(60));
    let trusting = |settings: TlsSettings| HttpNet::new(&settings, Plain::Loopback).unwrap();
    let with_ca = TlsSettings { ca: Some(file.clone()), ..TlsSettings::default() };
    assert_eq!(trusting(with_ca).call(&request).unwrap().body, b"ok");
    let known = TlsSettings { known: Some(file), ..TlsSettings::default() };
    assert_eq!(trusting(known).call(&request).unwrap().body, b"ok");
    let error = http().call(&request).unwrap_err();
    assert!(matches!(error, NetError::Distrusted { .. }), "{error}");
    assert!(!error.is_passing());
    // Another server's certificate of the same name.
    let (_, other) = tls_server(dir.path(), "localhost", false);
    let with_other = TlsSettings { ca: Some(other), ..TlsSettings::default() };
    assert!(matches!(trusting(with_other).call(&request), Err(NetError::Distrusted { .. })));
}

#[test]
fn a_handshake_that_never_ends_is_given_up_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let (port, file) = tls_server(dir.path(), "localhost", true);
    let tls = TlsSettings { ca: Some(file), ..TlsSettings::default() };
    let (done, waiting) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let request = Request::get(format!("https://localhost:{port}/")).within(Duration::from_millis(400));
        done.send(HttpNet::new(&tls, Plain::Loopback).unwrap().call(&request))
    });
    let answer = waiting.recv_timeout(Duration::from_secs(60)).expect("given up in time");
    assert!(answer.is_err_and(|error| error.is_passing()));
}

#[test]
fn files_that_are_none_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for ca in [empty, dir.path().join("none.pem")] {
        let settings = TlsSettings { ca: Some(ca.clone()), ..TlsSettings::default() };
        let error = HttpNet::new(&settings, Plain::Loopback).unwrap_err();
        assert!(error.to_string().contains(&ca.display().to_string()), "{error}");
    }
}
