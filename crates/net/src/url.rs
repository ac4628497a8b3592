//! Addresses, as far as they decide what may be sent there.

use std::net::IpAddr;

/// An address that was looked at: `scheme://host[:port]` and the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether it begins with `https://`.
    pub tls: bool,
    /// Host and port as they stand there.
    pub authority: String,
    /// Path and query; may be empty.
    pub rest: String,
}

impl Url {
    /// Takes an address apart.
    ///
    /// # Errors
    /// What is wrong with it: another scheme, no host, a user name, a fragment, or a character that has no place in
    /// an address (RFC 3986).
    pub fn parse(text: &str) -> Result<Url, &'static str> {
        let (tls, after) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(after), _) => (true, after),
            (_, Some(after)) => (false, after),
            _ => return Err("it does not begin with http:// or https://"),
        };
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&byte)) {
            return Err("it holds a character that must be percent-encoded");
        }
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        let (authority, rest) = after.split_at(end);
        let url = Url { tls, authority: authority.to_owned(), rest: rest.to_owned() };
        match () {
            () if url.host().is_empty() => Err("it names no host"),
            () if authority.contains('@') => Err("it holds a user name"),
            () if rest.contains('#') => Err("it holds a fragment"),
            () => Ok(url),
        }
    }

    /// The host without port and brackets.
    pub fn host(&self) -> &str {
        let host = match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &self.authority,
        };
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether what is sent there stays on this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Whether what is sent there is read by nobody on the way: by TLS, or because it stays on this machine.
    pub fn is_private(&self) -> bool {
        self.tls || self.is_loopback()
    }
}

/// Whether what is sent to this address stays on this machine; not so if it is no address.
pub fn is_loopback(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let url = Url::parse("https://log.example:8443/a/b?c=%20").expect("an address");
        assert_eq!((url.tls, url.host(), url.rest.as_str()), (true, "log.example", "/a/b?c=%20"));
        assert_eq!(Url::parse("http://[::1]:80").expect("an address").host(), "::1");
    }

    #[test]
    fn what_could_be_misread_is_refused() {
        let bad = [
            "",
            "ftp://a",
            "//a",
            "http://",
            "http:///a",
            "http://:80/a",
            "http://u@a/",
            "http://u:p@a",
            "http://a#b",
            "http://a/b#c",
            "http://a b",
            "http://a/\n",
            "http://a/ü",
            "http://a\\b",
            "HTTP//a",
        ];
        for text in bad {
            assert!(Url::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for here in
            ["http://127.0.0.1:4780", "http://127.9.9.9", "https://localhost:1/a", "http://[::1]:4780"]
        {
            assert!(is_loopback(here), "{here}");
        }
        let there = [
            "http://10.0.0.1:4780",
            "http://localhost.example.org",
            "http://[2001:db8::1]:1",
            "http://127.0.0.1.a/",
            "http://a/127.0.0.1",
            "http://127.0.0.1@a/",
        ];
        for there in there {
            assert!(!is_loopback(there), "{there}");
        }
    }
}
