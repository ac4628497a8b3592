use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long one answer may take; `committed` is due within a second.
const PATIENCE: Duration = Duration::from_secs(30);
/// Answers beyond this are refused, in bytes.
const ANSWER_MAX: usize = 1 << 30;

/// An answer that came whole.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The body as JSON, null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends one request on a connection of its own.
///
/// # Errors
/// No answer, or one that ended too early: whether the request took effect is then unknown.
pub fn request(to: SocketAddr, method: &str, path: &str, token: &str, body: &[u8]) -> io::Result<Response> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {to}\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX as u64).read_to_end(&mut answer)?;
    parse(&answer)
}

fn parse(answer: &[u8]) -> io::Result<Response> {
    let early = || io::Error::new(io::ErrorKind::UnexpectedEof, "the answer ended too early");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(early)?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(early)?;
    let header = |name: &str| {
        head.split("\r\n").skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let body = &answer[end + 4..];
    let body = if header("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        unchunk(body).ok_or_else(early)?
    } else {
        let len = header("content-length").and_then(|len| len.parse().ok()).unwrap_or(body.len());
        body.get(..len).ok_or_else(early)?.to_vec()
    };
    Ok(Response { status, body })
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let len = std::str::from_utf8(&rest[..line]).ok()?.split(';').next()?;
        let len = usize::from_str_radix(len.trim(), 16).ok()?;
        let chunk = rest.get(line + 2..)?;
        if len == 0 {
            return Some(body);
        }
        body.extend_from_slice(chunk.get(..len)?);
        rest = chunk.get(len + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_answers_are_told_from_those_cut_off() {
        let sized = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        let chunked =
            b"HTTP/1.1 409 Conflict\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\n";
        for (answer, status) in [(&sized[..], 200), (chunked, 409)] {
            let response = parse(answer).unwrap();
            assert_eq!((response.status, response.text().as_str()), (status, "abc"));
        }
        for len in 0..sized.len() {
            assert!(parse(&sized[..len]).is_err(), "{len}");
        }
        for len in 0..chunked.len() - 4 {
            assert!(parse(&chunked[..len]).is_err(), "{len}");
        }
    }
}
