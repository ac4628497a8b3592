//! The verbs that ask a running server, and how they find it.

pub(crate) mod access;
pub(crate) mod append;
mod compare;
pub(crate) mod evidence;
pub(crate) mod prove;
pub(crate) mod search;
pub(crate) mod show;
pub(crate) mod sources;
pub(crate) mod stamped;
pub(crate) mod status;
pub(crate) mod tail;
pub(crate) mod token;
pub(crate) mod verify;

mod feed;
mod find;
mod heirs;
pub(crate) mod json;
mod kept;
mod mirror;
mod receipts;
mod rekey;
mod remote;

pub(crate) use find::{DEFAULT_LISTEN, reachable, read_token};
pub(crate) use prove::parse_key;
pub(crate) use stamped::span;

use std::io::{BufRead, BufReader};
use std::time::Duration;

use serde_json::Value;

use crate::cli;
use crate::failure::Failure;

/// The longest answer that is read: an event of 64 MiB whose raw bytes come as base64 beside its text.
const MAX_ANSWER: u64 = 512 << 20;

/// A server and the right to ask it.
pub(crate) struct Client {
    agent: ureq::Agent,
    /// Without a slash at the end.
    base: String,
    token: Option<String>,
    /// Where the token comes from, for messages.
    token_from: String,
    purpose: Option<String>,
}

/// What a server answered.
pub(crate) struct Answer {
    /// HTTP status.
    pub status: u16,
    /// When to ask again.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
pub(crate) enum Silence {
    /// Nobody listens there: nothing was sent.
    NotThere(String),
    /// The other side is not trusted, or speaks no TLS: nothing was sent. What is wrong, and what to do.
    Distrusted(String, &'static str),
    /// The connection broke: what was sent may have arrived or not.
    Broken(String),
}

/// Why something is not to be had from a server.
pub(crate) enum Denied {
    /// Whoever asks may not: why, as the server says, and what that means where nothing else is to be had.
    Rights(String, Failure),
    /// Anything else.
    Other(Failure),
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Failure {
        match denied {
            Denied::Rights(_, failure) | Denied::Other(failure) => failure,
        }
    }
}

impl From<Failure> for Denied {
    fn from(failure: Failure) -> Denied {
        Denied::Other(failure)
    }
}

impl Client {
    /// Finds server and token as `ledgerstone --help` says.
    ///
    /// # Errors
    /// There is no token, or it would have to be sent in the clear to another machine.
    pub(crate) fn new(args: &cli::Server) -> Result<Client, Failure> {
        let mut client = Client::anonymous(args)?;
        if find::is_tls(&client.base) && args.channel.shows_a_certificate() && !find::names_token(args) {
            // The certificate says who asks. The administrator's token that happens to lie about would say more.
            return Ok(client);
        }
        let (token, from) = find::token(args)?;
        let safe = find::is_tls(&client.base) || net::is_loopback(&client.base);
        if !safe && !args.channel.danger_send_token_without_tls {
            return Err(Failure::trouble(format!(
                "the token would cross the network in the clear to {}",
                client.base
            ))
            .hint(
                "use https:// if the server has a certificate, a tunnel to that machine, or \
                 --danger-send-token-without-tls in a network you trust",
            ));
        }
        (client.token, client.token_from) = (Some(token), from);
        Ok(client)
    }

    /// A client without a token.
    pub(crate) fn anonymous(args: &cli::Server) -> Result<Client, Failure> {
        let config = net::config()
            .timeout_await_100(Some(Duration::from_secs(5)))
            .timeout_recv_response(Some(Duration::from_secs(300)))
            .build();
        let base = find::server(args)?;
        let agent = match find::is_tls(&base) {
            true => net::tls::agent(config, &tls_settings(args))?,
            false => config.into(),
        };
        let purpose = args.purpose.clone();
        Ok(Client { agent, base, token: None, token_from: String::new(), purpose })
    }

    /// The address of the server, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Asks for `path` and gives whatever is answered.
    pub(crate) fn get(&self, path: &str) -> Result<Answer, Silence> {
        receive(self.authorized(self.agent.get(format!("{}{path}", self.base))).call(), &self.base)
    }

    /// Sends `body` to `path` and gives whatever is answered.
    pub(crate) fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Result<Answer, Silence> {
        // A server that refuses should not first be sent all of a long body: it might close the connection, and
        // its answer be lost.
        const WORTH_ASKING: usize = 16 << 10;
        let mut request = self.authorized(self.agent.post(format!("{}{path}", self.base)));
        request = request.content_type(content_type);
        if body.len() >= WORTH_ASKING {
            request = request.header("expect", "100-continue");
        }
        receive(request.send(body), &self.base)
    }

    fn authorized<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        let request = match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        match &self.purpose {
            Some(purpose) => request.header("ledgerstone-purpose", purpose),
            None => request,
        }
    }

    /// The body of a 200 answer to GET.
    pub(crate) fn get_ok(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let answer = self.get(path).map_err(Failure::from)?;
        if answer.status == 200 { Ok(answer.body) } else { Err(self.refused(&answer)) }
    }

    /// [`Client::get_ok`], which tells whether it is for want of rights that there is nothing.
    pub(crate) fn get_allowed(&self, path: &str) -> Result<Vec<u8>, Denied> {
        let answer = self.get(path).map_err(Failure::from)?;
        if answer.status == 200 { Ok(answer.body) } else { Err(self.denied(&answer)) }
    }

    /// The body of a 200 answer to GET, to be read while it comes.
    pub(crate) fn get_lines(&self, path: &str) -> Result<impl BufRead + use<>, Denied> {
        let response = self.authorized(self.agent.get(format!("{}{path}", self.base))).call();
        let response = response.map_err(|error| Failure::from(silence(error, &self.base)))?;
        if response.status().as_u16() == 200 {
            return Ok(BufReader::new(response.into_body().into_reader()));
        }
        Err(self.denied(&receive(Ok(response), &self.base).map_err(Failure::from)?))
    }

    fn denied(&self, answer: &Answer) -> Denied {
        match (answer.status, answer.problem()) {
            (401, _) if self.token.is_none() => {
                Denied::Rights("the server wants a token".to_owned(), self.refused(answer))
            }
            (401 | 403, (title, detail)) => Denied::Rights(detail.unwrap_or(title), self.refused(answer)),
            _ => Denied::Other(self.refused(answer)),
        }
    }

    /// The body of a 200 answer to a POST of JSON, to be read while it comes.
    pub(crate) fn post_stream(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<impl std::io::Read + use<>, Failure> {
        let request = self.authorized(self.agent.post(format!("{}{path}", self.base)));
        let response = request.content_type("application/json").send(body.to_string().as_bytes());
        let response = response.map_err(|error| Failure::from(silence(error, &self.base)))?;
        if response.status().as_u16() == 200 {
            return Ok(response.into_body().into_reader());
        }
        Err(receive(Ok(response), &self.base).map_or_else(Failure::from, |answer| self.refused(&answer)))
    }

    /// [`Client::get_ok`] as JSON.
    pub(crate) fn get_json(&self, path: &str) -> Result<Value, Failure> {
        self.get_ok(path).and_then(|body| json::parse(&body))
    }

    /// The JSON of a 200 answer to DELETE.
    pub(crate) fn delete_json(&self, path: &str) -> Result<Value, Failure> {
        let sent = self.authorized(self.agent.delete(format!("{}{path}", self.base))).call();
        let answer = receive(sent, &self.base).map_err(Failure::from)?;
        if answer.status == 200 { json::parse(&answer.body) } else { Err(self.refused(&answer)) }
    }

    /// The JSON of a 200 or 201 answer to a POST of JSON.
    pub(crate) fn post_json(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let answer =
            self.post(path, "application/json", body.to_string().as_bytes()).map_err(Failure::from)?;
        match answer.status {
            200 | 201 => json::parse(&answer.body),
            _ => Err(self.refused(&answer)),
        }
    }

    /// What an answer that is no success means for the person who asked.
    pub(crate) fn refused(&self, answer: &Answer) -> Failure {
        let (title, detail) = answer.problem();
        let message = match &detail {
            Some(detail) => format!("{title}: {detail}"),
            None => title,
        };
        match answer.status {
            401 if self.token.is_some() => Failure::trouble(format!(
                "the server at {} does not know the token from {}",
                self.base, self.token_from
            ))
            .hint(
                "give the right one with --token-file FILE, LEDGERSTONE_TOKEN, or --data DIR of that server",
            ),
            401 => Failure::trouble(format!("the server at {} wants a token: {message}", self.base)),
            403 => Failure::trouble(format!("the token from {} may not do this: {message}", self.token_from)),
            404 => Failure::no(message),
            status => Failure::trouble(format!("the server answered {status}: {message}")),
        }
    }
}

impl Answer {
    /// Title and detail of an error answer (RFC 9457), or what there is instead.
    pub(crate) fn problem(&self) -> (String, Option<String>) {
        let problem = self.json();
        let text = |name: &str| {
            problem.as_ref().and_then(|problem| problem.get(name)).and_then(Value::as_str).map(str::to_owned)
        };
        match text("title") {
            Some(title) => (title, text("detail").filter(|detail| !detail.is_empty())),
            None => {
                let body: String = String::from_utf8_lossy(&self.body).chars().take(200).collect();
                let body = body.trim();
                (format!("status {}", self.status), (!body.is_empty()).then(|| body.to_owned()))
            }
        }
    }

    /// The body, if it is JSON.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl From<Silence> for Failure {
    fn from(silence: Silence) -> Failure {
        match silence {
            Silence::NotThere(message) => Failure::trouble(message)
                .hint("start one with `ledgerstone up`, or name another with --server URL"),
            Silence::Distrusted(message, hint) => Failure::trouble(message).hint(hint),
            Silence::Broken(message) => Failure::trouble(message),
        }
    }
}

fn receive(
    response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    base: &str,
) -> Result<Answer, Silence> {
    let mut response = response.map_err(|error| silence(error, base))?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let retry_after = header("retry-after").and_then(|value| value.parse().ok()).map(Duration::from_secs);
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
    let body = body.map_err(|error| silence(error, base))?;
    Ok(Answer { status, retry_after, body })
}

fn silence(error: ureq::Error, base: &str) -> Silence {
    if let Some((why, hint)) = net::tls::distrust(&error) {
        return Silence::Distrusted(format!("there is no TLS connection to {base}: {why}"), hint);
    }
    match net::is_unreachable(&error) {
        true => Silence::NotThere(format!("no server answers at {base}")),
        false => Silence::Broken(format!("the connection to the server at {base} broke: {error}")),
    }
}

/// Whom to trust and who we are, as the command line says.
pub(crate) fn tls_settings(args: &cli::Server) -> net::TlsSettings {
    // Known is the certificate in the settings of the store whose token is used.
    args.channel.tls(find::certificate(args))
}

impl From<net::TlsError> for Failure {
    fn from(error: net::TlsError) -> Failure {
        let failure = Failure::trouble(&error);
        if error.advice().is_empty() { failure } else { failure.hint(error.advice()) }
    }
}

/// What the server says about its health; needs no token.
///
/// # Errors
/// Nobody answers, or not as a server of ours does.
pub(crate) fn health(args: &cli::Server) -> Result<Value, Failure> {
    let client = Client::anonymous(args)?;
    let answer = client.get("/healthz").map_err(Failure::from)?;
    answer.json().ok_or_else(|| client.refused(&answer))
}

/// The alarms of a server, and whether they are acknowledged by now: with `reason` they are, as many as were shown.
///
/// # Errors
/// Nobody answers, or the token is not for that; others have come meanwhile.
pub(crate) fn alarms(args: &cli::Server, reason: Option<&str>) -> Result<(Value, bool), Failure> {
    let client = Client::new(args)?;
    let shown = client.get_json("/v1/alarms")?;
    let standing = json::number(&shown, "standing").unwrap_or(0);
    let Some(reason) = reason.filter(|_| standing > 0) else { return Ok((shown, false)) };
    let seen = serde_json::json!({ "seen": standing, "reason": reason });
    client.post_json("/v1/alarms/acknowledge", &seen)?;
    Ok((shown, true))
}

/// Prints a value as one line of JSON.
pub(crate) fn print_json(value: &Value) -> Result<(), Failure> {
    json::print(value)
}

/// A value as people see it.
pub(crate) fn plain(value: &Value) -> String {
    json::plain(value)
}

/// Percent-encodes a value for a query or a path segment (RFC 3986, unreserved characters stay).
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_could_end_a_query_value_is_encoded() {
        assert_eq!(super::encode("a b&c=\"ü\"/#?%"), "a%20b%26c%3D%22%C3%BC%22%2F%23%3F%25");
        assert_eq!(super::encode("Az09-._~"), "Az09-._~");
    }
}
