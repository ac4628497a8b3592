//! Where the server is and what token to show it, without any flags if need be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use evidence::layout;

use crate::cli;
use crate::failure::{About, Failure};
use crate::settings::Settings;

/// Where a server listens unless it is told otherwise.
pub(crate) const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4780);

/// The variable that holds a token.
const TOKEN_VARIABLE: &str = "LEDGERSTONE_TOKEN";

/// The address of the server, without a slash at the end: as given, as the settings of the store say, or the
/// default.
///
/// # Errors
/// The address is none.
pub(super) fn server(args: &cli::Server) -> Result<String, Failure> {
    if let Some(url) = &args.server {
        return check_url(url);
    }
    let settings = settings_of(&args.data);
    let scheme = if settings.tls_certificate.is_some() { "https" } else { "http" };
    Ok(format!("{scheme}://{}", reachable(settings.listen.unwrap_or(DEFAULT_LISTEN))))
}

/// Checks the address of a server and takes the slash off its end.
pub(super) fn check_url(url: &str) -> Result<String, Failure> {
    let bad = || {
        Err(Failure::trouble(format!("not the address of a server: {url}"))
            .hint("such as http://127.0.0.1:4780 or https://audit.example.org:4780"))
    };
    let Some((scheme @ ("http" | "https"), host)) = url.split_once("://") else { return bad() };
    let host = host.trim_end_matches('/');
    if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
        return bad();
    }
    Ok(format!("{scheme}://{host}"))
}

/// Whether what is sent to this address is encrypted on its way, to whom it is meant for.
pub(super) fn is_tls(base: &str) -> bool {
    base.starts_with("https://")
}

/// The certificate of the server whose store this is, where its settings name one.
pub(super) fn certificate(args: &cli::Server) -> Option<PathBuf> {
    settings_of(&args.data).tls_certificate.map(|path| args.data.join(path))
}

/// Whether a token was given, not only found.
pub(super) fn names_token(args: &cli::Server) -> bool {
    args.token_file.is_some() || std::env::var_os(TOKEN_VARIABLE).is_some_and(|token| !token.is_empty())
}

/// The token and where it was found.
///
/// # Errors
/// There is none, or it can't be read.
pub(super) fn token(args: &cli::Server) -> Result<(String, String), Failure> {
    if let Some(path) = &args.token_file {
        return Ok((read_token(path)?, path.display().to_string()));
    }
    if let Some(token) = std::env::var_os(TOKEN_VARIABLE).filter(|token| !token.is_empty()) {
        let token = token.into_string().unwrap_or_default();
        return Ok((check_token(&token, TOKEN_VARIABLE)?, TOKEN_VARIABLE.to_owned()));
    }
    let path = args.data.join(layout::ADMIN_TOKEN);
    if !path.exists() {
        return Err(Failure::trouble(format!("there is no token: {} is not there", path.display())).hint(
            "go to where `ledgerstone up` was started, or give --data DIR, --token-file FILE or LEDGERSTONE_TOKEN",
        ));
    }
    Ok((read_token(&path)?, path.display().to_string()))
}

/// Reads the token in a file.
pub(crate) fn read_token(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).about("read the token in", path)?;
    check_token(&text, &path.display().to_string())
}

fn check_token(text: &str, from: &str) -> Result<String, Failure> {
    let token = text.trim();
    if token.is_empty() || token.len() > 256 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::trouble(format!("there is no token in {from}")));
    }
    Ok(token.to_owned())
}

/// The settings in a data directory; none if there are none. Mistakes in them are the server's to tell.
fn settings_of(data: &Path) -> Settings {
    let text = std::fs::read_to_string(data.join(layout::SETTINGS)).unwrap_or_default();
    Settings::parse(&text).unwrap_or_default()
}

/// The address under which a server on this machine that listens on `listen` is reached.
pub(crate) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_spelling() {
        assert_eq!(check_url("http://127.0.0.1:4780/").ok().as_deref(), Some("http://127.0.0.1:4780"));
        assert_eq!(check_url("https://a").ok().as_deref(), Some("https://a"));
        for bad in ["127.0.0.1:4780", "http://", "https://", "http://a/b", "https://user@host", "ftp://a", ""]
        {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_unspecified_address_is_reached_over_loopback() {
        let reached = |text: &str| reachable(text.parse().expect("an address")).to_string();
        assert_eq!(reached("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(reached("[::]:80"), "[::1]:80");
        assert_eq!(reached("127.0.0.2:80"), "127.0.0.2:80");
    }
}
