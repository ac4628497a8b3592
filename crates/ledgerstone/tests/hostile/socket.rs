//! A connection that sends exactly what it is given, and reads answers as RFC 9112 frames them.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long an answer may take: the largest record is mapped by a program that is not optimized.
const PATIENCE: Duration = Duration::from_secs(60);

/// An open connection.
pub struct Socket {
    stream: TcpStream,
    /// Bytes that came behind the last answer.
    left: Vec<u8>,
}

/// One answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.split("\r\n").skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as JSON, null if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Socket {
    pub fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, left: Vec::new() }
    }

    /// The other half, for whoever sends while this one reads.
    pub fn writer(&self) -> TcpStream {
        self.stream.try_clone().unwrap()
    }

    /// Sends as much as the other side takes.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends and reads at the same time, since an answer may come before the request has been read.
    pub fn exchange(&mut self, request: &[u8]) -> Option<Answer> {
        let mut writer = self.writer();
        let no_body = request.starts_with(b"HEAD ");
        std::thread::scope(|scope| {
            // Whoever refuses a request need not read it.
            scope.spawn(move || drop(writer.write_all(request)));
            self.answer(no_body)
        })
    }

    /// The next answer; `None` if the connection was closed without one.
    pub fn answer(&mut self, no_body: bool) -> Option<Answer> {
        loop {
            let answer = self.one(no_body)?;
            // Interim answers come before the one that counts.
            if answer.status >= 200 || answer.status == 101 {
                return Some(answer);
            }
        }
    }

    fn one(&mut self, no_body: bool) -> Option<Answer> {
        let end = loop {
            match self.left.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end,
                None => self.more()?,
            }
        };
        let head = String::from_utf8_lossy(&self.left[..end]).into_owned();
        self.left.drain(..end + 4);
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut answer = Answer { status, head, body: Vec::new() };
        if no_body || status < 200 || status == 204 || status == 304 {
            return Some(answer);
        }
        answer.body = if answer.header("transfer-encoding").is_some() {
            self.chunks()?
        } else {
            let length = answer.header("content-length")?.parse().ok()?;
            self.exactly(length)?
        };
        Some(answer)
    }

    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                match self.left.windows(2).position(|two| two == b"\r\n") {
                    Some(end) => break end,
                    None => self.more()?,
                }
            };
            let size = String::from_utf8(self.left.drain(..end + 2).collect()).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let chunk = self.exactly(size + 2)?;
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                return Some(body);
            }
        }
    }

    fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.left.len() < length {
            self.more()?;
        }
        Some(self.left.drain(..length).collect())
    }

    /// Reads what there is; `None` at the end, however it came.
    fn more(&mut self) -> Option<()> {
        let mut bytes = [0; 16 << 10];
        match self.stream.read(&mut bytes) {
            Ok(0) => None,
            Ok(read) => {
                self.left.extend_from_slice(&bytes[..read]);
                Some(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("neither an answer nor an end after {} s", PATIENCE.as_secs())
            }
            Err(_) => None,
        }
    }
}
