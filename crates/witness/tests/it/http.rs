//! The witness over real sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;
use witness::{Limits, serve};

use crate::logs::{Log, ORIGIN, Site};

struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

impl Running {
    fn new(site: Site, limits: Limits) -> Running {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = oneshot::channel::<()>();
        let serving = thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let stopping = async {
                    let _ = stopping.await;
                };
                serve(Arc::new(site.witness), listener, limits, stopping).await.unwrap();
            });
        });
        Running { address, stop: Some(stop), serving: Some(serving) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Status, head and body of the answer to a request on a connection of its own.
    fn ask(&self, head: &str, body: &str) -> (u16, String, String) {
        let mut stream = self.connect();
        let head = format!("{head} HTTP/1.1\r\nHost: w\r\nConnection: close\r\n");
        write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        parse(&rest(stream))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(serving) = self.serving.take()
            && !thread::panicking()
        {
            serving.join().unwrap();
        }
    }
}

fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after the answer is as good as an end; that nothing comes is none.
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "it stays open");
    }
    String::from_utf8(bytes).unwrap()
}

fn parse(answer: &str) -> (u16, String, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    (head[9..12].parse().unwrap(), head.to_lowercase(), body.to_owned())
}

#[test]
fn the_protocol_is_spoken_over_http() {
    let log = Log::new(ORIGIN, 40);
    let site = Site::new(&[log.vkey()]);
    let vkey = site.witness.vkey().clone();
    let running = Running::new(site, Limits::default());
    let hash = tlog::origin_hash(ORIGIN);
    assert_eq!(running.ask(&format!("GET /{hash}/checkpoint"), "").0, 404);
    let request = log.request(0, 9);
    let (status, head, body) = running.ask("POST /add-checkpoint", &request.to_string());
    assert_eq!(status, 200);
    assert!(head.contains("cache-control: no-store"), "{head}");
    let checkpoint = tlog::UnverifiedCheckpoint::parse(request.checkpoint_note.as_bytes()).unwrap();
    let checkpoint = checkpoint.verify(ORIGIN, &[log.vkey()], &[]).unwrap();
    tlog::check_cosignatures(&checkpoint, body.as_bytes(), std::slice::from_ref(&vkey)).unwrap();
    let (status, head, body) = running.ask("POST /add-checkpoint", &log.request(4, 20).to_string());
    assert_eq!((status, body.as_str()), (409, "9\n"));
    assert!(head.contains("content-type: text/x.tlog.size\r\n"), "{head}");
    for (status, body) in [
        (400, String::new()),
        (404, Log::new("example.com/other", 3).request(0, 3).to_string()),
        (403, log.request(9, 20).to_string().replacen("\n20\n", "\n21\n", 1)),
        (422, log.forked(3).request(9, 20).to_string()),
    ] {
        let (found, head, told) = running.ask("POST /add-checkpoint", &body);
        assert_eq!(found, status, "{told}");
        assert!(head.contains("text/plain") && !told.is_empty(), "{head}");
    }
    let (status, head, body) = running.ask(&format!("GET /{hash}/checkpoint"), "");
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/plain; charset=utf-8"), "{head}");
    let served = tlog::UnverifiedCheckpoint::parse(body.as_bytes()).unwrap();
    let served = served.verify(ORIGIN, &[log.vkey()], std::slice::from_ref(&vkey)).unwrap();
    assert_eq!(served.cosignatures().len(), 1);
    assert!(running.ask("GET /", "").2.contains(&vkey.to_string()));
    assert_eq!(running.ask("GET /healthz", "").2, "ok\n");
    assert_eq!(running.ask("GET /add-checkpoint", "").0, 405);
    assert_eq!(running.ask("POST /healthz", "").0, 405);
    assert_eq!(running.ask("GET /elsewhere", "").0, 404);
    assert_eq!(running.ask("GET /../checkpoint", "").0, 404);
    let (_, head, page) = running.ask("GET /metrics", "");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    for line in [
        "ledgerstone_witness_answers_total{status=\"200\"} 1",
        "ledgerstone_witness_answers_total{status=\"409\"} 1",
        "ledgerstone_witness_answers_total{status=\"422\"} 1",
        "ledgerstone_witness_log_entries{log=\"example.com/log\"} 9",
        "ledgerstone_witness_log_state_known{log=\"example.com/log\"} 1",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} in {page}");
    }
}

#[test]
fn a_connection_serves_many_requests() {
    let log = Log::new(ORIGIN, 100);
    let running = Running::new(Site::new(&[log.vkey()]), Limits::default());
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    for size in 0..50 {
        let url = format!("http://{}/add-checkpoint", running.address);
        let answer = agent.post(&url).send(log.request(size, size + 1).to_string()).unwrap();
        assert_eq!(answer.status(), 200);
    }
}

#[test]
fn what_is_too_long_or_too_slow_is_refused() {
    let log = Log::new(ORIGIN, 9);
    let start = |limits| Running::new(Site::new(&[log.vkey()]), limits);
    let running = start(Limits::default());
    let long = "x".repeat((256 << 10) + 1);
    let mut stream = running.connect();
    write!(stream, "POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: {}\r\n\r\n", long.len())
        .unwrap();
    let _ = stream.write_all(long.as_bytes());
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head[9..], b"413");
    // A chunked body is a body.
    let mut stream = running.connect();
    let body = log.request(0, 9).to_string();
    let head =
        "POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    write!(stream, "{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).unwrap();
    assert_eq!(parse(&rest(stream)).0, 200);
    // A body that stops, a head that stops, a connection that says nothing.
    let running = start(Limits { body_wait: Duration::from_millis(200), ..Limits::default() });
    let mut stream = running.connect();
    write!(stream, "POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 100\r\n\r\nold").unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head[9..], b"408");
    let running = start(Limits { head_wait: Duration::from_millis(200), ..Limits::default() });
    for begun in ["POST /add-checkpoint HTTP/1.1\r\nHost", ""] {
        let mut stream = running.connect();
        stream.write_all(begun.as_bytes()).unwrap();
        let told = rest(stream);
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 408"), "{told}");
    }
}

/// More connections than there is room for wait; none is lost, and idle ones make room.
#[test]
fn more_connections_than_there_is_room_for_wait() {
    let log = Log::new(ORIGIN, 9);
    let limits = Limits { connections: 2, head_wait: Duration::from_millis(300), ..Limits::default() };
    let running = Running::new(Site::new(&[log.vkey()]), limits);
    let idle: Vec<TcpStream> = (0..2).map(|_| running.connect()).collect();
    assert_eq!(running.ask("POST /add-checkpoint", &log.request(0, 9).to_string()).0, 200);
    drop(idle);
}

#[test]
fn it_stops_in_order() {
    let log = Log::new(ORIGIN, 9);
    let site = Site::new(&[log.vkey()]);
    let host = site.host.clone();
    let running = Running::new(site, Limits::default());
    let _idle = running.connect();
    assert_eq!(running.ask("POST /add-checkpoint", &log.request(0, 9).to_string()).0, 200);
    drop(running);
    let site = Site::on(testkit::SimHost::boot(host.fs()), &[log.vkey()]).unwrap();
    assert_eq!(site.size(ORIGIN), Some(9));
}
