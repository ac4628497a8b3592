use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use access::Tokens;
use api::{Server, Settings};
use env::SystemEnv;
use ledger::Engine;
use storage::LocalDisk;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::Plan;
use crate::engine;
use crate::events::Generator;
use crate::figures::Figures;
use crate::host;

type Failure = Box<dyn std::error::Error>;

/// Bytes of one NDJSON body.
const BODY: usize = 4 << 20;
/// Different bodies that are sent in turn.
const BODIES: u64 = 12;

/// HTTP: NDJSON with mapping and sealing, and one event a request.
pub fn run(plan: &Plan, figures: &mut Figures) -> Result<(), Failure> {
    let seconds = if plan.quick { 5 } else { 30 };
    let cloudtrail = stream(plan, seconds, "cloudtrail", |generator| generator.cloudtrail())?;
    figures.row("http.ndjson.cloudtrail", cloudtrail.rate, "records/s", ">= 60000");
    figures.row("http.ndjson.cloudtrail.raw", cloudtrail.megabytes, "MB/s", ">= 60");
    figures.row("http.ndjson.cloudtrail.stored", cloudtrail.stored, "B/record", &cloudtrail.stored_target());
    let native = stream(plan, seconds, "native", |generator| generator.native())?;
    figures.row("http.ndjson.native", native.rate, "events/s", ">= 120000");
    figures.row("http.ndjson.native.raw", native.megabytes, "MB/s", "");
    figures.row("http.ndjson.native.stored", native.stored, "B/event", &native.stored_target());
    for connections in [1, 64, 256] {
        let f = host::fdatasync(&plan.dir)?.as_secs_f64();
        let single = one_a_request(plan, seconds.min(15), connections, None)?;
        let name = |what: &str| format!("http.single.{connections}.{what}");
        figures.row(&name("rate"), single.rate, "events/s", "");
        figures.row(&name("ack.p50"), single.p50 * 1e3, "ms", "");
        figures.row(&name("ack.p99"), single.p99 * 1e3, "ms", "");
        if connections == 1 {
            figures.row("http.single.1.ack.p50_over_f", single.p50 / f, "f", "<= 1.5");
        } else {
            // t: processor time of one request, client included, on the cores there are; N requests share them.
            let t = single.cpu_per_request * f64::from(connections) / figures.cores as f64;
            let bound = f64::from(connections) / (2.0 * f + t);
            figures.row(&name("of_bound"), 100.0 * single.rate / bound, "%", ">= 75");
            figures.note(&format!("f = {:.0} µs, t = {:.0} µs, L = {bound:.0}/s", f * 1e6, t * 1e6));
            if connections == 64 {
                let half = one_a_request(plan, seconds.min(15), connections, Some(single.rate / 2.0))?;
                figures.row("http.half_load.ack.p99", half.p99 * 1e3, "ms", "<= 50");
                let committed = committed(plan, if plan.quick { 20 } else { 200 })?;
                figures.row("http.committed.p99", committed * 1e3, "ms", "<= 1000");
            }
        }
    }
    figures.row("http.memory.peak", host::peak_memory() as f64 / (1 << 20) as f64, "MiB", "<= 512");
    Ok(())
}

/// A server on loopback with a fresh store, in this process.
struct Running {
    _dir: tempfile::TempDir,
    data: std::path::PathBuf,
    address: SocketAddr,
    token: String,
    engine: Arc<Engine>,
    stop: Option<oneshot::Sender<()>>,
    server: tokio::task::JoinHandle<()>,
    runtime: Runtime,
}

impl Running {
    fn start(dir: &Path) -> Result<Self, Failure> {
        let (dir, engine) = engine::start(dir)?;
        let data = dir.path().join("data");
        let engine = Arc::new(engine);
        let env = Arc::new(SystemEnv::new());
        let (tokens, first) = Tokens::open(Arc::new(LocalDisk::open(&data)?), env.clone())?;
        let token = first.ok_or("a new store issues its first token")?;
        let server = Server::new(engine.clone(), tokens, env, Settings::default())?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let server = runtime.spawn(async move {
            let stopped = async move { drop(stopped.await) };
            let _ = api::serve(server, listener, stopped).await;
        });
        Ok(Self { _dir: dir, data, address, token, engine, stop: Some(stop), server, runtime })
    }

    /// Stops in order.
    fn stop(mut self) -> Result<(), Failure> {
        drop(self.stop.take());
        let _ = self.runtime.block_on(&mut self.server);
        drop(self.runtime);
        if let Some(engine) = Arc::into_inner(self.engine) {
            engine.stop();
        }
        Ok(())
    }
}

struct Streamed {
    rate: f64,
    megabytes: f64,
    stored: f64,
    raw: f64,
}

impl Streamed {
    fn stored_target(&self) -> String {
        format!("<= {:.0} (30 % of raw + 110)", 0.3 * self.raw + 110.0)
    }
}

/// Two connections send NDJSON bodies one after the other.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn stream(
    plan: &Plan,
    seconds: u64,
    format: &str,
    line: fn(&mut Generator) -> String,
) -> Result<Streamed, Failure> {
    let running = Running::start(&plan.dir)?;
    let mut generator = Generator::new(7);
    let bodies: Arc<Vec<(Vec<u8>, u64)>> = Arc::new(
        (0..BODIES)
            .map(|_| {
                let (mut body, mut count) = (Vec::with_capacity(BODY), 0);
                while body.len() < BODY {
                    body.extend_from_slice(line(&mut generator).as_bytes());
                    body.push(b'\n');
                    count += 1;
                }
                (body, count)
            })
            .collect(),
    );
    let target = format!("/v1/ledgers/main/events?format={format}");
    let head = |length| request_head(&target, &running.token, length);
    let heads: Arc<Vec<String>> = Arc::new(bodies.iter().map(|(body, _)| head(body.len())).collect());
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let clients: Vec<_> = (0..2usize)
        .map(|client| {
            let (bodies, heads, address) = (bodies.clone(), heads.clone(), running.address);
            running.runtime.spawn(async move {
                let mut socket = connect(address).await?;
                let (mut sent, mut bytes, mut at) = (0, 0, client);
                while Instant::now() < end {
                    let (body, count) = &bodies[at % bodies.len()];
                    socket.write_all(heads[at % heads.len()].as_bytes()).await?;
                    socket.write_all(body).await?;
                    match response(&mut socket).await? {
                        200 => (sent, bytes) = (sent + count, bytes + body.len() as u64),
                        429 | 503 => tokio::time::sleep(Duration::from_millis(50)).await,
                        status => return Err(std::io::Error::other(format!("status {status}"))),
                    }
                    at += 1;
                }
                Ok((sent, bytes))
            })
        })
        .collect();
    let (mut sent, mut bytes) = (0, 0);
    for client in clients {
        let (count, length) = running.runtime.block_on(client)??;
        (sent, bytes) = (sent + count, bytes + length);
    }
    let elapsed = start.elapsed().as_secs_f64();
    let progress = running.engine.reads().progress(0);
    let data = running.data.clone();
    running.stop()?;
    let stored = host::stored_per_event(&data, progress.durable, progress.sealed)?;
    Ok(Streamed {
        rate: sent as f64 / elapsed,
        megabytes: bytes as f64 / elapsed / 1e6,
        stored,
        raw: bytes as f64 / sent.max(1) as f64,
    })
}

struct Single {
    rate: f64,
    p50: f64,
    p99: f64,
    cpu_per_request: f64,
}

/// `connections` clients send one event after the other; with `pace`, together no more than so many a second.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn one_a_request(plan: &Plan, seconds: u64, connections: u32, pace: Option<f64>) -> Result<Single, Failure> {
    let running = Running::start(&plan.dir)?;
    let cpu = host::cpu_seconds();
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let clients: Vec<_> = (0..connections)
        .map(|client| {
            let (address, token) = (running.address, running.token.clone());
            running.runtime.spawn(async move {
                let mut socket = connect(address).await?;
                let mut generator = Generator::new(u64::from(client) + 1000);
                let mut times = Vec::new();
                let between = pace.map(|pace| Duration::from_secs_f64(f64::from(connections) / pace));
                let mut due = Instant::now();
                while Instant::now() < end {
                    let event = generator.native();
                    let mut request =
                        request_head("/v1/ledgers/main/events?format=native", &token, event.len());
                    request.push_str(&event);
                    if let Some(between) = between {
                        due += between;
                        tokio::time::sleep_until(due.into()).await;
                    }
                    let sent = Instant::now();
                    socket.write_all(request.as_bytes()).await?;
                    match response(&mut socket).await? {
                        200 => times.push(sent.elapsed()),
                        429 | 503 => tokio::time::sleep(Duration::from_millis(20)).await,
                        status => return Err(std::io::Error::other(format!("status {status}"))),
                    }
                }
                Ok(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(running.runtime.block_on(client)??);
    }
    let elapsed = start.elapsed().as_secs_f64();
    let cpu = host::cpu_seconds() - cpu;
    running.stop()?;
    times.sort();
    let at = |part: f64| times.get((times.len() as f64 * part) as usize).map_or(0.0, Duration::as_secs_f64);
    let count = times.len().max(1) as f64;
    Ok(Single { rate: count / elapsed, p50: at(0.5), p99: at(0.99), cpu_per_request: cpu / count })
}

/// 99th percentile of appends that wait for the checkpoint, one client.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn committed(plan: &Plan, count: usize) -> Result<f64, Failure> {
    let running = Running::start(&plan.dir)?;
    let mut generator = Generator::new(5);
    let (address, token) = (running.address, running.token.clone());
    let times = running.runtime.block_on(async move {
        let mut socket = connect(address).await?;
        let mut times = Vec::new();
        for _ in 0..count {
            let event = generator.native();
            let mut request = request_head("/v1/ledgers/main/events?wait=committed", &token, event.len());
            request.push_str(&event);
            let sent = Instant::now();
            socket.write_all(request.as_bytes()).await?;
            if response(&mut socket).await? == 200 {
                times.push(sent.elapsed());
            }
        }
        Ok::<_, std::io::Error>(times)
    });
    let mut times = times?;
    running.stop()?;
    times.sort();
    Ok(times.get(times.len() * 99 / 100).or(times.last()).map_or(0.0, Duration::as_secs_f64))
}

fn request_head(target: &str, token: &str, length: usize) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Reads a whole response and returns its status. The server answers with a length.
async fn response(socket: &mut TcpStream) -> std::io::Result<u16> {
    let mut bytes = Vec::with_capacity(1024);
    let mut chunk = [0; 4096];
    loop {
        let read = socket.read(&mut chunk).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&chunk[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
        if bytes.len() >= end + 4 + length.unwrap_or(0) {
            return Ok(head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0));
        }
    }
}
