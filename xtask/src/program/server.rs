use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{Response, request};
use crate::shell::now;

/// How long a start, recovery included, and a stop may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server of this process: nobody else starts or ends it.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// The administrator's token.
    pub token: String,
}

/// A server that ended before it listened.
pub struct Ended {
    /// How.
    pub status: ExitStatus,
}

impl Server {
    /// Starts `binary` on `data` at a free port and waits until it listens. What it says goes to `data` with `.log`
    /// behind it.
    ///
    /// # Errors
    /// What went wrong. Ending by itself is no error here: `Ok(Err(..))`.
    pub fn start(binary: &Path, data: &Path, flags: &[&str]) -> Result<Result<Server, Ended>, String> {
        let log = OpenOptions::new().create(true).append(true).open(log_of(data));
        let log = log.map_err(|error| format!("{}: {error}", log_of(data).display()))?;
        let mut child = Command::new(binary)
            .args(["up", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let output = child.stdout.take().ok_or("the server has no output")?;
        let (told, listening) = mpsc::channel();
        // Reads on to the end, so that the server never waits for a reader.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listening on")
                    && let Some(address) = address.trim().strip_prefix("http://")
                {
                    // Nobody waits any more when the start took too long.
                    let _ = told.send(address.to_owned());
                }
            }
        });
        match listening.recv_timeout(PATIENCE) {
            Ok(address) => {
                let address = address.parse().map_err(|_| format!("not an address: {address}"))?;
                let token = fs::read_to_string(data.join("admin.token"));
                let token = token.map_err(|error| format!("{}/admin.token: {error}", data.display()))?;
                Ok(Ok(Server { child, address, token: token.trim().to_owned() }))
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let status = child.wait().map_err(|error| error.to_string())?;
                Ok(Err(Ended { status }))
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                // Its end was asked for; there is nothing else to do about it.
                let _ = child.kill();
                let _ = child.wait();
                Err(format!(
                    "the server does not listen after {} s; see {}",
                    PATIENCE.as_secs(),
                    log_of(data).display()
                ))
            }
        }
    }

    /// Asks for a path with the administrator's token; anything but success is an error.
    pub fn get(&self, path: &str) -> Result<Response, String> {
        self.ask("GET", path, b"")
    }

    /// Sends a body with the administrator's token; anything but success is an error.
    pub fn post(&self, path: &str, body: &[u8]) -> Result<Response, String> {
        self.ask("POST", path, body)
    }

    fn ask(&self, method: &str, path: &str, body: &[u8]) -> Result<Response, String> {
        let response = request(self.address, method, path, &self.token, body);
        let response = response.map_err(|error| format!("{method} {path}: {error}"))?;
        match response.status {
            200..300 => Ok(response),
            status => Err(format!("{method} {path}: {status} {}", response.text())),
        }
    }

    /// Waits for at most `limit`; whether the process has ended by itself.
    pub fn ends_within(&mut self, limit: Duration) -> bool {
        let deadline = now() + limit;
        loop {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return true;
            }
            let left = deadline.saturating_duration_since(now());
            if left.is_zero() {
                return false;
            }
            thread::sleep(left.min(Duration::from_micros(500)));
        }
    }

    /// Ends it with SIGKILL, as far as it has not ended by itself.
    pub fn kill(mut self) -> Result<(), String> {
        self.child.kill().map_err(|error| error.to_string())?;
        self.child.wait().map_err(|error| error.to_string())?;
        Ok(())
    }

    /// The most memory it has ever had, in bytes.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn peak_memory(&self) -> Result<u64, String> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        kib.map(|kib| kib << 10).ok_or_else(|| format!("{path} has no VmHWM"))
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) -> Result<(), String> {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().map_err(|error| error.to_string())?;
        let deadline = now() + PATIENCE;
        while now() < deadline {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                return if status.success() {
                    Ok(())
                } else {
                    Err(format!("the server stopped with {status}"))
                };
            }
            thread::sleep(Duration::from_millis(5));
        }
        Err(format!("asked to stop ({asked}), the server still runs after {} s", PATIENCE.as_secs()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Where a check has failed, the server must not outlive it; after `kill` and `stop` it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_of(data: &Path) -> PathBuf {
    data.with_extension("log")
}
