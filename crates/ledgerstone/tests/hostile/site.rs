//! The server that is attacked.

use serde_json::Value;

use crate::rig::{Rig, Server};
use crate::socket::{Answer, Socket};

/// A running server and what is known of it.
pub struct Site {
    pub rig: Rig,
    pub server: Server,
    /// `127.0.0.1:PORT`.
    pub address: String,
    pub admin: String,
    /// Token of a source that numbers itself.
    pub source: String,
    /// Its number.
    pub number: u64,
    /// Where the log is served: `/0123456789abcdef`.
    pub prefix: String,
}

impl Site {
    pub fn start() -> Self {
        let rig = Rig::new();
        // No heartbeats: what is counted at the end are events.
        rig.write("hostile.toml", "[commit]\nheartbeat_s = 3600\n");
        let server = rig.up(&["--settings", "hostile.toml"]);
        let address = server.url.strip_prefix("http://").unwrap().to_owned();
        let admin = String::from_utf8(rig.read("ledgerstone-data/admin.token")).unwrap().trim().to_owned();
        let mut site =
            Self { rig, server, address, admin, source: String::new(), number: 0, prefix: String::new() };
        let known = site.ask("GET", "/.well-known/ledgerstone", b"").json();
        site.prefix = known["ledgers"][0]["prefix"].as_str().unwrap().to_owned();
        let opened = site.ask("POST", "/v1/sources", br#"{"ledger":"main","numbering":"source"}"#).json();
        site.source = opened["token"].as_str().unwrap().to_owned();
        site.number = opened["source"].as_u64().unwrap();
        site
    }

    /// One ordinary request as an administrator, on a connection of its own.
    pub fn ask(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
            self.address,
            self.admin,
            body.len()
        );
        let request = [head.as_bytes(), body].concat();
        Socket::connect(&self.address).exchange(&request).unwrap()
    }

    /// Says that it is well and records an ordinary event: how many it recorded.
    pub fn append_ordinary(&self) -> u64 {
        let health = self.ask("GET", "/healthz", b"");
        assert_eq!((health.status, &health.json()["status"]), (200, &Value::from("ok")));
        let event = br#"{"actor":{"user":{"name":"alice"}},"api":{"operation":"read"}}"#;
        let answer = self.ask("POST", "/v1/ledgers/main/events", event);
        assert_eq!((answer.status, answer.json()["count"].as_u64()), (200, Some(1)), "{}", answer.head);
        1
    }

    /// The most memory the server has ever had, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() << 10
    }

    /// Stops the server and has its store verified.
    pub fn verify(self) -> Value {
        let (exit, log) = self.server.terminate();
        assert_eq!(exit, Some(0), "{log}");
        self.rig.run(&["verify", "ledgerstone-data", "--json"]).json()
    }
}
