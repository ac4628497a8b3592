//! A server on a free port that answers each request as a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Path and query.
    pub target: String,
    pub authorization: Option<String>,
    pub body: Vec<u8>,
}

/// What to answer; `None` closes the connection without a word.
pub type Answer = Option<(u16, &'static str, Vec<u8>)>;

/// Serves until the test ends. Gives the address and every request that came.
pub fn serve(answer: impl Fn(usize, &Request) -> Answer + Send + 'static) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (seen, requests) = channel();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let request = read(&mut stream);
            let answer = answer(number, &request);
            // The test may have seen enough.
            let _ = seen.send(request);
            if let Some((status, headers, body)) = answer {
                let head = format!(
                    "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
                    body.len()
                );
                let _ = stream.write_all(&[head.as_bytes(), &body].concat());
            }
        }
    });
    (url, requests)
}

/// Asks a real server the same and gives its answer.
pub fn pass_on(real: &str, request: &Request, body: &str) -> (u16, Vec<u8>) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let url = format!("{real}{}", request.target);
    let token = request.authorization.clone().unwrap_or_default();
    let answer = match request.body.is_empty() {
        true => agent.get(url).header("authorization", token).call(),
        false => agent.post(url).header("authorization", token).send(body),
    };
    let mut answer = answer.unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_vec().unwrap())
}

fn read(stream: &mut TcpStream) -> Request {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let first = line();
    let target = first.split(' ').nth(1).unwrap().to_owned();
    let (mut length, mut authorization, mut expects) = (0, None, false);
    loop {
        let header = line();
        let Some((name, value)) = header.split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "authorization" => authorization = Some(value.to_owned()),
            "expect" => expects = true,
            _ => {}
        }
    }
    if expects {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Request { target, authorization, body }
}
