//! One connection that is kept, for clients that send much.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A connection that requests are sent on, one after the other.
pub struct Connection {
    to: SocketAddr,
    stream: Option<TcpStream>,
    patience: Duration,
}

/// An answer to an append.
pub struct Told {
    /// The status.
    pub status: u16,
    /// The header Retry-After, in seconds.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: Value,
}

impl Connection {
    /// Will connect when it is needed, and again whenever the other side has closed.
    pub fn new(to: SocketAddr, patience: Duration) -> Self {
        Self { to, stream: None, patience }
    }

    /// Appends.
    ///
    /// # Errors
    /// No answer, or one that is cut off: whether anything was recorded is then unknown.
    pub fn post(&mut self, path: &str, token: &str, body: &[u8]) -> io::Result<Told> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.to)?;
                stream.set_read_timeout(Some(self.patience))?;
                stream.set_write_timeout(Some(self.patience))?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n",
            self.to,
            body.len()
        );
        // Who refuses a body need not read it to its end; the answer is there all the same.
        let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        let (told, stays) = read(&mut stream)?;
        if sent.is_ok() && stays {
            self.stream = Some(stream);
        }
        Ok(told)
    }
}

/// Reads one answer; whether the connection stays open behind it.
fn read(stream: &mut TcpStream) -> io::Result<(Told, bool)> {
    let early = || io::Error::new(io::ErrorKind::UnexpectedEof, "the answer ended too early");
    let (mut bytes, mut part) = (Vec::new(), [0; 16 << 10]);
    let mut more = |bytes: &mut Vec<u8>| -> io::Result<()> {
        match stream.read(&mut part)? {
            0 => Err(early()),
            read => {
                bytes.extend_from_slice(&part[..read]);
                Ok(())
            }
        }
    };
    let end = loop {
        match bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            Some(end) => break end + 4,
            None => more(&mut bytes)?,
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let length: usize = header("content-length").and_then(|length| length.parse().ok()).ok_or_else(early)?;
    while bytes.len() < end + length {
        more(&mut bytes)?;
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(early)?;
    let retry_after = header("retry-after").and_then(|seconds| seconds.parse().ok());
    let body = serde_json::from_slice(&bytes[end..]).unwrap_or_default();
    Ok((Told { status, retry_after, body }, header("connection") != Some("close")))
}
